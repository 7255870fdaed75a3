# pyright: basic
"""Pictures of scenes: the dark panel that speaks, the light page that shows, the buttons at its foot."""

from __future__ import annotations

from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from kiosk.screen import bodies, drawings, theme
from kiosk.screen.scene import Button, Scene
from kiosk.screen.theme import Face, Metrics
from kiosk.screen.widgets import (
    Column,
    Figure,
    OnTouch,
    Picture,
    Row,
    Single,
    Text,
    TouchButton,
    band,
    centred,
    fitting,
    ground,
)

_SIDE_BY_SIDE = 2


def build(scene: Scene, sizes: Metrics, on_touch: OnTouch) -> Widget:
    """The whole glass for a scene."""
    root = BoxLayout(orientation="vertical")
    ground(root, theme.PAPER)
    if scene.ribbon:
        root.add_widget(_ribbon(scene.ribbon, sizes))
    upright = sizes.face is Face.UPRIGHT
    halves = BoxLayout(orientation="vertical" if upright else "horizontal")
    halves.add_widget(_panel(scene, sizes))
    halves.add_widget(_page(scene, sizes, on_touch))
    root.add_widget(halves)
    return root


def _ribbon(text: str, sizes: Metrics) -> Widget:
    ribbon = Row(Single(text, sizes.small, theme.INK, bold=True, align="center"), height=sizes.ribbon)
    ground(ribbon, theme.ACCENT)
    return ribbon


def _wordmark(sizes: Metrics) -> Widget:
    height = round(sizes.heading * 0.92)
    mark = Picture(
        drawings.wordmark(height, theme.ACCENT, theme.INK), size_hint=(None, None), size=(height * 0.82, height)
    )
    name = Single("Guichet", sizes.body, theme.ON_INK, bold=True)
    return Row(centred(mark), name, height=height, spacing=round(height * 0.36))


def _panel(scene: Scene, sizes: Metrics) -> Widget:
    upright = sizes.face is Face.UPRIGHT
    panel = BoxLayout(orientation="vertical", padding=[sizes.margin, sizes.margin, sizes.margin, sizes.page_margin])
    panel.spacing = sizes.gap
    ground(panel, theme.INK)
    words = Column(spacing=round(sizes.gap * 0.6))
    room = (sizes.width if upright else sizes.header) - 2 * sizes.margin
    words.add_widget(Text(scene.title, fitting(scene.title, sizes.title, room), theme.ON_INK, bold=True))
    if scene.hero:
        words.add_widget(Figure(scene.hero, sizes.hero, theme.ACCENT))
    if scene.lead:
        words.add_widget(Text(scene.lead, sizes.body, theme.ON_INK_MUTED))
    panel.add_widget(_wordmark(sizes))
    panel.add_widget(Widget(size_hint_y=1 if upright else 0.42))
    panel.add_widget(words)
    if upright:
        panel.size_hint_y = None
        fixed = sizes.margin + sizes.page_margin + round(sizes.heading * 0.92) + 2 * sizes.gap + sizes.gap
        words.bind(height=lambda _, height: setattr(panel, "height", max(sizes.header, height + fixed)))
    else:
        panel.size_hint_x, panel.width = None, sizes.header
        panel.add_widget(Widget())
    return panel


def _page(scene: Scene, sizes: Metrics, on_touch: OnTouch) -> Widget:
    page = BoxLayout(orientation="vertical", padding=[sizes.margin, sizes.page_margin], spacing=sizes.gap)
    for content in scene.bands:
        page.add_widget(band(content, sizes))
    page.add_widget(bodies.build(scene.body, sizes, on_touch))
    if scene.code:
        page.add_widget(Text(scene.code, sizes.tiny, theme.MUTED))
    if scene.buttons:
        page.add_widget(_buttons(scene.buttons, sizes, on_touch))
    return page


def _buttons(buttons: tuple[Button, ...], sizes: Metrics, on_touch: OnTouch) -> Widget:
    made = [TouchButton(item.control, item.label, item.kind, on_touch, sizes, enabled=item.enabled) for item in buttons]
    if len(made) <= _SIDE_BY_SIDE:
        return Row(*made, height=sizes.button, spacing=sizes.gap)
    return Column(*reversed(made), spacing=sizes.gap)
