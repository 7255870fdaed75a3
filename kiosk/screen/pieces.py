# pyright: basic
"""Small arrangements that several bodies share."""

from __future__ import annotations

from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from kiosk.screen import theme
from kiosk.screen.theme import Face, Metrics
from kiosk.screen.widgets import Single, Text


def middle(*widgets: Widget, spacing: float = 0) -> BoxLayout:
    """Widgets of fixed height in the middle of the height."""
    holder = BoxLayout(orientation="vertical", spacing=spacing)
    holder.add_widget(Widget())
    for widget in widgets:
        holder.add_widget(widget)
    holder.add_widget(Widget())
    return holder


def on_top(*widgets: Widget, spacing: float) -> BoxLayout:
    """Widgets of fixed height from the top down."""
    holder = BoxLayout(orientation="vertical", spacing=spacing)
    for widget in widgets:
        holder.add_widget(widget)
    holder.add_widget(Widget())
    return holder


def heading(text: str, sizes: Metrics) -> Text:
    """A quiet title over a part of the page."""
    return Text(text, sizes.small, theme.MUTED, bold=True)


def drawing_side(sizes: Metrics) -> int:
    """Width and height of a large drawing."""
    return round(sizes.title * (8.6 if sizes.face is Face.UPRIGHT else 7.4))


def at_right(text: str, size: int, ink: theme.Colour) -> Widget:
    """An amount at the right, as wide as it is, never shortened."""
    label = Single(text, size, ink, bold=True, align="right")
    label.shorten = False
    label.unbind(size=label._fill)
    label.size_hint_x = None
    label.texture_update()
    label.width = label.texture_size[0]
    return label
