# pyright: basic
"""The window in this process: what is drawn, what a touch does, whether everything fits."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from guichet.v1 import screen_pb2 as pb
from kiosk.screen import presenters, theme
from kiosk.screen.presenters import Room
from kiosk.screen.words import Words
from tests.kiosk.screen.samples import views

if TYPE_CHECKING:
    from kiosk.screen.glass import Compose, Glass

pytestmark = pytest.mark.usefixtures("window")

VIEWS = views()
SIZES = [(1080, 1920), (1280, 1024), (540, 960), (1920, 1080), (800, 600)]


def of(view: pb.View) -> Compose:
    return lambda sizes: presenters.present(view, Room(sizes.statement_lines), Words("en"))


class Bench:
    """A glass with everything that it told."""

    def __init__(self, settle_seconds: float = 0.0) -> None:
        from kivy.core.window import Window

        from kiosk.screen.glass import Glass

        self.touched: list[tuple[int, str]] = []
        self.shown: list[int] = []
        self.glass: Glass = Glass(
            of(VIEWS["attract"]),
            lambda view, control: self.touched.append((view, control)),
            self.shown.append,
            settle_seconds,
        )
        Window.add_widget(self.glass.root)

    def show(self, view: pb.View) -> None:
        self.glass.show(of(view))
        self.until(lambda: bool(self.shown) and self.shown[-1] == view.view_id)

    @staticmethod
    def until(reached: Callable[[], bool]) -> None:
        from kivy.base import EventLoop

        for _ in range(200):
            if reached():
                return
            EventLoop.idle()
        pytest.fail("it did not come within 200 frames")

    def centre(self, control: str) -> tuple[float, float]:
        from kiosk.screen.widgets import Touchable

        for widget in self.glass.root.walk():
            if isinstance(widget, Touchable) and widget.control == control:
                x, y = widget.to_window(*widget.center)
                return float(x), float(y)
        raise LookupError(control)

    @staticmethod
    def finger(kind: str, at: tuple[float, float]) -> None:
        """The mouse's own event at a place, counted as Kivy does from below, and a frame for it to arrive."""
        from kivy.base import EventLoop
        from kivy.core.window import Window

        button = [] if kind == "on_mouse_move" else ["left"]
        Window.dispatch(kind, at[0], Window.height - at[1], *button, [])
        EventLoop.idle()

    def tap(self, at: tuple[float, float]) -> None:
        self.finger("on_mouse_down", at)
        self.finger("on_mouse_up", at)


@pytest.fixture
def bench() -> Bench:
    return made(0.0)


def made(settle_seconds: float) -> Bench:
    from kivy.core.window import Window

    for child in list(Window.children):
        Window.remove_widget(child)
    return Bench(settle_seconds)


def test_a_touch_names_its_view_and_its_control_when_the_finger_is_lifted(bench: Bench) -> None:
    bench.show(VIEWS["menu"])
    at = bench.centre("deposit")
    bench.finger("on_mouse_down", at)
    assert bench.touched == []
    bench.finger("on_mouse_up", at)
    assert bench.touched == [(VIEWS["menu"].view_id, "deposit")]


def test_a_finger_that_slides_off_before_it_is_lifted_touches_nothing(bench: Bench) -> None:
    bench.show(VIEWS["menu"])
    x, y = bench.centre("finish")
    bench.finger("on_mouse_down", (x, y))
    bench.finger("on_mouse_move", (x, y + 300))
    bench.finger("on_mouse_up", (x, y + 300))
    assert bench.touched == []


def test_a_button_that_is_not_enabled_says_nothing(bench: Bench) -> None:
    bench.show(VIEWS["deposit-returning"])
    bench.tap(bench.centre("cancel"))
    bench.show(VIEWS["menu-long-name"])
    bench.tap(bench.centre("deposit"))
    assert bench.touched == []


def test_a_new_view_takes_the_place_of_the_old_one(bench: Bench) -> None:
    bench.show(VIEWS["menu"])
    bench.show(VIEWS["notice"])
    assert bench.glass.sight().controls == ("done",)
    assert "This card has expired." in bench.glass.sight().texts
    assert bench.glass.sight().view_id == VIEWS["notice"].view_id


def test_of_views_that_come_at_once_only_the_newest_is_shown(bench: Bench) -> None:
    bench.glass.show(of(VIEWS["menu"]))
    bench.glass.show(of(VIEWS["pin"]))
    bench.show(VIEWS["notice"])
    assert VIEWS["menu"].view_id not in bench.shown
    assert VIEWS["pin"].view_id not in bench.shown


def test_a_touch_that_began_on_a_replaced_view_carries_that_views_id(bench: Bench) -> None:
    bench.show(VIEWS["notice-no-receipt"])
    at = bench.centre("continue")
    bench.finger("on_mouse_down", at)
    bench.show(VIEWS["notice"])
    bench.finger("on_mouse_up", at)
    assert bench.touched == [(VIEWS["notice-no-receipt"].view_id, "continue")]


def test_the_second_tap_of_a_double_one_does_not_touch_the_page_that_came_between() -> None:
    bench = made(settle_seconds=3600.0)
    bench.show(VIEWS["menu"])
    bench.tap(bench.centre("finish"))
    assert bench.touched == []
    bench.glass.root.live_from = 0.0
    bench.tap(bench.centre("finish"))
    assert bench.touched == [(VIEWS["menu"].view_id, "finish")]


def test_a_page_that_only_changes_keeps_taking_touches() -> None:
    bench = made(settle_seconds=3600.0)
    bench.show(VIEWS["deposit-first"])
    bench.glass.root.live_from = 0.0
    bench.show(VIEWS["deposit-more"])
    bench.tap(bench.centre("finish"))
    assert bench.touched == [(VIEWS["deposit-more"].view_id, "finish")]


def test_an_account_below_the_edge_is_reached_by_pulling_the_list(bench: Bench) -> None:
    bench.show(VIEWS["accounts-many"])
    x, y = bench.centre("a3")
    before = bench.centre("a9")[1]
    bench.finger("on_mouse_down", (x, y))
    for step in range(1, 12):
        bench.finger("on_mouse_move", (x, y + step * 25))
    bench.finger("on_mouse_up", (x, y + 275))
    assert bench.centre("a9")[1] > before + 100
    assert bench.touched == []


def test_no_key_opens_kivys_settings() -> None:
    from kivy.uix.widget import Widget

    from kiosk.screen.app import ScreenApp

    assert ScreenApp(Widget()).open_settings() is False


# ---- everything fits -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_no_text_is_cut_or_covered_and_every_button_is_on_the_glass(name: str, size: tuple[int, int]) -> None:
    from kivy.clock import Clock
    from kivy.uix.label import Label
    from kivy.uix.scrollview import ScrollView

    from kiosk.screen import scenes
    from kiosk.screen.widgets import NoteFace, Touchable

    sizes = theme.metrics(*size)
    root = scenes.build(of(VIEWS[name])(sizes), sizes, lambda _: None)
    root.size = size
    for _ in range(8):
        Clock.tick_draw()
    scrolled = {child for view in root.walk() if isinstance(view, ScrollView) for child in view.walk()}
    labels = [widget for widget in root.walk() if isinstance(widget, Label) and widget.text]
    for label in labels:
        assert label.texture_size[0] <= math.ceil(label.width) + 1, label.text
        assert label.texture_size[1] <= math.ceil(label.height) + 1, label.text
    fixed = [widget for widget in root.walk() if isinstance(widget, Label | Touchable) and widget not in scrolled]
    for widget in fixed:
        inside = widget.x >= -1 and widget.y >= -1 and widget.right <= size[0] + 1 and widget.top <= size[1] + 1
        assert inside, (widget, widget.pos, widget.size)
    still = [label for label in labels if label not in scrolled and not isinstance(label, NoteFace)]
    for one, other in itertools.combinations(still, 2):
        across = min(one.right, other.right) - max(one.x, other.x)
        down = min(one.top, other.top) - max(one.y, other.y)
        assert across <= 1 or down <= 1, (one.text, other.text)


def test_no_button_is_lower_than_twenty_millimetres_at_the_references() -> None:
    assert theme.metrics(1080, 1920).button * 0.248 >= 20
    assert theme.metrics(1280, 1024).button * 0.294 >= 20
