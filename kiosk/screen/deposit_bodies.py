# pyright: basic
"""The page of a deposit: while notes come in, and what became of them."""

from __future__ import annotations

from kivy.uix.boxlayout import BoxLayout
from kivy.uix.gridlayout import GridLayout
from kivy.uix.widget import Widget
from PIL import Image

from kiosk.screen import drawings, theme
from kiosk.screen.pieces import at_right, drawing_side, heading, on_top
from kiosk.screen.scene import Band, Code, Doubt, NoteTile, Outcome, Tally
from kiosk.screen.theme import Metrics
from kiosk.screen.widgets import Column, Lines, NoteFace, Picture, Row, Single, Text, band, ground, sign

# ---- deposit ---------------------------------------------------------------------------------------------------------


def tally(body: Tally, sizes: Metrics) -> Widget:
    """While notes come in."""
    holder = BoxLayout(orientation="vertical", spacing=sizes.gap)
    holder.add_widget(_stage(body, sizes))
    if body.notes:
        for part in (heading(body.notes_title, sizes), _notes(body.notes, sizes), Widget()):
            holder.add_widget(part)
        if body.promise:
            holder.add_widget(Text(body.promise, sizes.small, theme.MUTED))
    else:
        holder.add_widget(band(Band(body.promise), sizes))
        side = round(drawing_side(sizes) * 0.72)
        holder.add_widget(Picture(drawings.note_at_slot(body.motion, side)) if body.motion is not None else Widget())
    return holder


def _stage(body: Tally, sizes: Metrics) -> Widget:
    texts = Column(
        Text(body.stage, sizes.heading, theme.INK, bold=True),
        Text(body.hint, sizes.small, theme.MUTED),
        spacing=round(sizes.gap * 0.2),
    )
    others = [sign(body.sign, round(sizes.sign * 1.2), theme.ACCENT, theme.INK)]
    if body.current is not None:
        others.append(NoteFace(body.current, sizes))
    card = Lines(
        texts,
        *others,
        least=round(sizes.sign * 2.1),
        padding=(round(sizes.gap * 1.2), round(sizes.gap * 0.8)),
        spacing=round(sizes.gap * 1.2),
    )
    ground(card, theme.CARD, sizes.radius, theme.HAIRLINE)
    return card


_NOTE_COLUMNS = 3


def _notes(notes: tuple[NoteTile, ...], sizes: Metrics) -> Widget:
    grid = GridLayout(cols=_NOTE_COLUMNS, spacing=[sizes.gap, round(sizes.gap * 0.7)], size_hint_y=None)
    grid.bind(minimum_height=grid.setter("height"))
    for note in notes:
        count = Single(note.count_text, sizes.body, theme.INK, bold=True)
        spacing = round(sizes.gap * 0.7)
        grid.add_widget(Row(NoteFace(note, sizes), count, height=sizes.tile_height, spacing=spacing))
    for _ in range(-len(notes) % _NOTE_COLUMNS):
        grid.add_widget(Widget())
    return grid


# ---- result ----------------------------------------------------------------------------------------------------------


def outcome(body: Outcome, sizes: Metrics) -> Widget:
    """What became of them."""
    if body.doubts:
        return _doubtful_outcome(body, sizes)
    holder = BoxLayout(orientation="vertical", spacing=sizes.gap)
    if body.notes:
        holder.add_widget(_under_heading(body, _notes(body.notes, sizes), sizes))
    if body.code is None:
        holder.add_widget(Widget())
    else:
        holder.add_widget(_CodePicture(body.code))
        holder.add_widget(Text(body.code.caption, sizes.small, theme.INK, align="center"))
    return holder


def _doubtful_outcome(body: Outcome, sizes: Metrics) -> Widget:
    """The claims come first; notes and code share the rest of the page beside each other."""
    words = Column(spacing=sizes.gap)
    if body.notes:
        words.add_widget(_under_heading(body, Text(body.notes_text, sizes.small, theme.INK), sizes))
    rest = BoxLayout(spacing=sizes.gap)
    if body.code is not None:
        words.add_widget(Text(body.code.caption, sizes.small, theme.INK))
        rest.add_widget(_CodePicture(body.code, size_hint_x=1.1))
    rest.add_widget(on_top(words, spacing=0))
    holder = BoxLayout(orientation="vertical", spacing=sizes.gap)
    holder.add_widget(_doubts(body, sizes))
    holder.add_widget(rest)
    return holder


def _under_heading(body: Outcome, notes: Widget, sizes: Metrics) -> Widget:
    return Column(heading(body.notes_title, sizes), notes, spacing=round(sizes.gap * 0.5))


def _doubts(body: Outcome, sizes: Metrics) -> Widget:
    card = Column(
        Text(body.doubts_title, sizes.body, theme.INK, bold=True),
        Text(body.doubts_text, sizes.small, theme.INK),
        *[_doubt(doubt, body.claim_label, sizes) for doubt in body.doubts],
        spacing=round(sizes.gap * 0.4),
        padding=round(sizes.gap * 1.1),
    )
    ground(card, theme.CAUTION_SOFT, sizes.radius)
    return card


def _doubt(doubt: Doubt, label: str, sizes: Metrics) -> Widget:
    return Row(
        Single(doubt.value, sizes.body, theme.INK, bold=True),
        Single(label, sizes.small, theme.MUTED, align="right"),
        at_right(doubt.claim, sizes.body, theme.INK),
        height=round(sizes.body * 1.5),
        spacing=sizes.gap,
    )


class _CodePicture(BoxLayout):
    """The largest QR code that fits, in whole pixels a module, on white with its quiet zone."""

    def __init__(self, code: Code, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._code = code
        self._side = 0
        self.bind(size=self._draw)

    def _draw(self, *_: object) -> None:
        modules = len(self._code.rows) + 8
        scale = int(min(self.width, self.height)) // modules
        if scale * modules == self._side or scale < 1:
            return
        self._side = scale * modules
        self.clear_widgets()
        self.add_widget(Picture(_qr(self._code, scale)))


def _qr(code: Code, scale: int) -> Image.Image:
    side = len(code.rows) + 8
    picture = Image.new("L", (side, side), 255)
    for y, row in enumerate(code.rows):
        for x, dark in enumerate(row):
            if dark:
                picture.putpixel((x + 4, y + 4), 0)
    return picture.resize((side * scale, side * scale), Image.Resampling.NEAREST).convert("RGBA")
