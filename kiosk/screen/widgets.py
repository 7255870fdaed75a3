# pyright: basic
"""The pieces that scenes are put together from. Kivy draws; every size comes from :mod:`kiosk.screen.theme`."""

from __future__ import annotations

from collections.abc import Callable

from kivy.core.text import Label as CoreLabel
from kivy.graphics import Canvas, Color, Rectangle, SmoothLine, SmoothRoundedRectangle
from kivy.graphics.texture import Texture
from kivy.input import MotionEvent
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.label import Label
from kivy.uix.scrollview import ScrollView
from kivy.uix.widget import Widget
from PIL import Image

from kiosk.screen import drawings, theme
from kiosk.screen.scene import Band, ButtonKind, NoteTile, Sign, Tone
from kiosk.screen.theme import Colour, Metrics

OnTouch = Callable[[str], None]
"""Told the control that was touched and let go."""


class Text(Label):
    """Words that wrap at their width and are as high as they need."""

    def __init__(self, text: str, size: int, colour: Colour, *, bold: bool = False, align: str = "left") -> None:
        super().__init__(
            text=text, font_size=size, color=colour, bold=bold, halign=align, valign="top", line_height=1.08,
            size_hint_y=None,
        )  # fmt: skip
        self.bind(width=self._wrap)
        self.bind(texture_size=self._grow)

    def _wrap(self, _: Widget, width: float) -> None:
        self.text_size = (width, None)

    def _grow(self, _: Widget, size: tuple[int, int]) -> None:
        self.height = size[1]


def fitting(text: str, size: int, width: float) -> int:
    """The largest bold type up to ``size`` in which no word of ``text`` is wider than ``width``."""
    measure = CoreLabel(font_size=size, bold=True)
    widest = max((measure.get_extents(word)[0] for word in text.split()), default=0)
    return size if widest <= width else int(size * width / widest)


class Single(Label):
    """Words on one line in the middle of their height; what is too long ends in dots."""

    def __init__(self, text: str, size: int, colour: Colour, *, bold: bool = False, align: str = "left") -> None:
        super().__init__(
            text=text, font_size=size, color=colour, bold=bold, halign=align, valign="middle", shorten=True,
            shorten_from="right", max_lines=1,
        )  # fmt: skip
        self.bind(size=self._fill)

    def _fill(self, _: Widget, size: tuple[float, float]) -> None:
        self.text_size = size


class Figure(Label):
    """An amount on one line, never cut: where it would not fit, the type gets smaller."""

    def __init__(self, text: str, size: int, colour: Colour) -> None:
        super().__init__(text=text, font_size=size, color=colour, bold=True, halign="left", valign="middle")
        self.size_hint_y = None
        self.height = round(size * 1.12)
        self._size = size
        self.bind(size=self._fit)

    def _fit(self, _: Widget, size: tuple[float, float]) -> None:
        self.text_size = (None, None)
        self.font_size = self._size
        self.texture_update()
        if self.texture_size[0] > size[0] > 0:
            self.font_size = int(self._size * size[0] / self.texture_size[0])
        self.text_size = size


class Column(BoxLayout):
    """Children under each other, as high as they are together."""

    def __init__(self, *children: Widget, spacing: float = 0, padding: float | list[float] = 0) -> None:
        super().__init__(orientation="vertical", spacing=spacing, padding=padding, size_hint_y=None)
        self.bind(minimum_height=self.setter("height"))
        for child in children:
            self.add_widget(child)


class Row(BoxLayout):
    """Children beside each other in a given height."""

    def __init__(self, *children: Widget, height: float, spacing: float = 0, padding: float | list[float] = 0) -> None:
        super().__init__(spacing=spacing, padding=padding, size_hint_y=None, height=height)
        for child in children:
            self.add_widget(child)


def canvas(widget: Widget) -> Canvas:
    """The widget's canvas, which a widget that is built always has."""
    assert widget.canvas is not None  # noqa: S101 - Kivy's types cannot say it
    return widget.canvas


def ground(widget: Widget, colour: Colour, radius: float = 0, border: Colour | None = None) -> Color:
    """Paint under a widget, rounded where asked; returns the colour, so that it can change under a finger."""
    with canvas(widget).before:
        paint = Color(rgba=colour)
        shape = SmoothRoundedRectangle(radius=[radius]) if radius else Rectangle()
        line = None
        if border is not None:
            Color(rgba=border)
            line = SmoothLine(width=1.3 if border == theme.INK else 1.0, overdraw_width=1.0)

    def follow(*_: object) -> None:
        shape.pos, shape.size = widget.pos, widget.size
        if line is not None:
            line.rounded_rectangle = (widget.x, widget.y, widget.width, widget.height, radius)

    widget.bind(pos=follow, size=follow)
    return paint


def _texture(picture: Image.Image) -> Texture:
    texture = Texture.create(size=picture.size, colorfmt="rgba")
    texture.blit_buffer(picture.tobytes(), colorfmt="rgba", bufferfmt="ubyte")
    texture.flip_vertical()
    return texture


class Picture(Widget):
    """A Pillow picture in its own size, or smaller where there is less room, in the middle of the widget."""

    def __init__(self, picture: Image.Image, **kwargs: object) -> None:
        super().__init__(**kwargs)
        with canvas(self):
            Color(1, 1, 1, 1)
            self._rectangle = Rectangle(texture=_texture(picture), size=picture.size)
        self._own = picture.size
        self.bind(pos=self._place, size=self._place)

    def _place(self, *_: object) -> None:
        scale = max(0.0, min(1.0, self.width / self._own[0], self.height / self._own[1]))
        width, height = (round(side * scale) for side in self._own)
        self._rectangle.size = (width, height)
        # center_x and center_y may still be those of the size before, while pos and size are being set
        self._rectangle.pos = (round(self.x + (self.width - width) / 2), round(self.y + (self.height - height) / 2))


def sign(which: Sign, size: int, disc: Colour = theme.INK, ink: Colour = theme.ON_INK) -> Picture:
    """A sign in its disc, as a widget of that size."""
    return Picture(drawings.sign(which, size, disc, ink), size_hint=(None, None), size=(size, size))


class NoteFace(Label):
    """A banknote, in the colour of its value, with its value."""

    def __init__(self, note: NoteTile, sizes: Metrics) -> None:
        size = (sizes.tile_width, sizes.tile_height)
        font = sizes.body if len(note.label) <= _SHORT_VALUE else sizes.tiny
        super().__init__(
            text=note.label, font_size=font, bold=True, color=theme.ON_INK, halign="left", valign="middle",
            size_hint=(None, None), size=size, text_size=size, padding=[round(sizes.gap * 0.6), 0],
        )  # fmt: skip
        picture = drawings.banknote(*size, theme.note_colour(note.face))
        with canvas(self).before:
            Color(1, 1, 1, 1)
            self._paper = Rectangle(texture=_texture(picture), size=size)
        self.bind(pos=self._place)

    def _place(self, *_: object) -> None:
        self._paper.pos = (round(self.x), round(self.y))


_SHORT_VALUE = 5

_BANDS = {
    Tone.CALM: (theme.CALM_SOFT, theme.INK),
    Tone.GOOD: (theme.GOOD_SOFT, theme.GOOD),
    Tone.CAUTION: (theme.CAUTION_SOFT, theme.CAUTION),
}


class Lines(BoxLayout):
    """A sign or a tile beside texts, as high as the texts need, everything in the middle of the height."""

    def __init__(
        self, texts: Widget, *others: Widget, least: float, padding: tuple[float, float], spacing: float
    ) -> None:
        super().__init__(size_hint_y=None, height=least, padding=list(padding), spacing=spacing)
        self._least, self._texts = least, texts
        texts.pos_hint = {"center_y": 0.5}
        texts.bind(height=self._grow)
        before, *after = others
        for widget in (centred(before), texts, *[centred(other) for other in after]):
            self.add_widget(widget)

    def _grow(self, *_: object) -> None:
        self.height = max(self._least, self._texts.height + 2 * self.padding[1])


def band(content: Band, sizes: Metrics) -> Widget:
    """A line across the page with its sign, in the colours of its tone."""
    soft, ink = _BANDS[content.tone]
    disc, foot = round(sizes.sign * 0.54), round(sizes.gap * 0.55)
    row = Lines(
        Text(content.text, sizes.small, theme.INK),
        sign(content.sign, disc, ink, soft),
        least=disc + 2 * foot,
        padding=(sizes.gap, foot),
        spacing=sizes.gap,
    )
    ground(row, soft, sizes.radius * 0.7)
    return row


class Touchable(BoxLayout):
    """Something with a control: reports it when a finger that went down on it is lifted on it.

    The finger is followed to its end even when a new view has taken this one's place: the report then still names the
    view in which the touch began, and the terminal drops it.
    """

    def __init__(self, control: str, on_touch: OnTouch, *, enabled: bool, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.control = control
        self.enabled = enabled
        self._on_touch = on_touch

    def on_touch_down(self, touch: MotionEvent) -> bool:
        """A finger came down."""
        if not self.enabled or touch.is_mouse_scrolling or not self.collide_point(*touch.pos):
            return False
        touch.grab(self)
        touch.ud["touchable"] = self  # a grab is a weak reference, and the view may be replaced meanwhile
        self.press(True)
        return True

    def on_touch_up(self, touch: MotionEvent) -> bool:
        """The finger was lifted."""
        if touch.grab_current is not self:
            return False
        touch.ungrab(self)
        self.press(False)
        if self.collide_point(*touch.pos):
            self._on_touch(self.control)
        return True

    def press(self, down: bool) -> None:
        """Look pressed, or not; for those that can."""


_FILLS = {
    ButtonKind.PRIMARY: (theme.ACCENT, theme.ACCENT_PRESSED, None),
    ButtonKind.SECONDARY: (theme.CARD, theme.HAIRLINE, theme.INK),
    ButtonKind.QUIET: (theme.PAPER, theme.HAIRLINE, None),
}


class TouchButton(Touchable):
    """A button at the foot of the page."""

    def __init__(self, control: str, label: str, kind: ButtonKind, on_touch: OnTouch, sizes: Metrics, *, enabled: bool):
        super().__init__(
            control, on_touch, enabled=enabled, size_hint_y=None, height=sizes.button, padding=[sizes.gap, 0]
        )
        fill, self._pressed, border = _FILLS[kind] if enabled else (theme.HAIRLINE, theme.HAIRLINE, None)
        self._fill = fill
        self._paint = ground(self, fill, sizes.radius, border)
        ink = theme.INK if enabled else theme.MUTED
        self.add_widget(Single(label, sizes.body, ink, bold=True, align="center"))

    def press(self, down: bool) -> None:
        """Darker under a finger."""
        self._paint.rgba = self._pressed if down else self._fill


class ChoiceCard(Touchable):
    """A large card to choose: a sign where it has one, a name over a detail, a value at the right."""

    def __init__(self, control: str, on_touch: OnTouch, sizes: Metrics, *, height: int, enabled: bool) -> None:
        super().__init__(
            control, on_touch, enabled=enabled, size_hint_y=None, height=height, spacing=round(sizes.gap * 1.2),
            padding=[round(sizes.gap * 1.4), 0],
        )  # fmt: skip
        self._fill = theme.CARD if enabled else theme.PAPER
        self._paint = ground(self, self._fill, sizes.radius, theme.HAIRLINE)

    def press(self, down: bool) -> None:
        """Warmer under a finger."""
        self._paint.rgba = theme.ACCENT_SOFT if down else self._fill


class Scrolled(ScrollView):
    """A column that can be pulled up and down where it is too long, with a bar that says so; else a plain column."""

    def __init__(self, column: Column, sizes: Metrics) -> None:
        super().__init__(do_scroll_x=False, bar_width=round(sizes.gap * 0.35), scroll_type=["bars", "content"])
        self.bar_color, self.bar_inactive_color = theme.MUTED, theme.FAINT
        self._gap = sizes.gap
        self.add_widget(column)
        self.bind(height=self._make_room)
        column.bind(height=self._make_room)

    def _too_long(self) -> bool:
        return self.children[0].height > self.height

    def _make_room(self, *_: object) -> None:
        self.children[0].padding = [0, 0, self._gap if self._too_long() else 0, 0]

    def reveal(self, widget: Widget) -> None:
        """Pull until ``widget`` can be seen; it is there from the next frame on."""
        if self._too_long():
            self.scroll_to(widget, animate=False)

    def on_touch_down(self, touch: MotionEvent) -> bool:
        """Without anything to pull, a touch goes straight to what it meets."""
        if self._too_long() or not self.collide_point(*touch.pos):
            return bool(super().on_touch_down(touch))
        touch.push()
        touch.apply_transform_2d(self.to_local)
        taken = self.children[0].on_touch_down(touch)
        touch.pop()
        return bool(taken)


def centred(widget: Widget) -> BoxLayout:
    """A widget of fixed size in the middle of the height of a row."""
    holder = BoxLayout(orientation="vertical", size_hint_x=None, width=widget.width)
    holder.add_widget(Widget())
    holder.add_widget(widget)
    holder.add_widget(Widget())
    return holder


def stacked(*labels: Widget, spacing: float) -> BoxLayout:
    """Texts under each other, together in the middle of the height."""
    holder = BoxLayout(orientation="vertical", spacing=spacing)
    holder.add_widget(Widget())
    for label in labels:
        holder.add_widget(label)
    holder.add_widget(Widget())
    return holder
