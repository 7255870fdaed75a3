# pyright: basic
"""The window: puts the newest scene on it, says when it is there, hears what is touched.

Import it after :func:`kiosk.screen.window.prepare`: it opens the window.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from kivy.clock import Clock
from kivy.core.window import Window
from kivy.graphics.opengl import GL_RGBA, GL_UNSIGNED_BYTE, glReadPixels
from kivy.input import MotionEvent
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.label import Label
from PIL import Image

from kiosk.screen import scenes, theme
from kiosk.screen.scene import Scene, SceneName, Sight
from kiosk.screen.theme import Metrics
from kiosk.screen.widgets import Scrolled, Touchable

Compose = Callable[[Metrics], Scene]
"""Makes the scene for a window of these sizes; called again when the window changes."""

SETTLE_SECONDS = 0.3
"""So long a page that has just appeared takes no touch: the second tap of a double one was meant for the one before."""

_FRAMES = 2  # a scene's texts find their places in its first frame, at the latest
Clock.max_iteration = 60  # nested texts and rows settle within one frame


class _Stage(BoxLayout):
    """The window's content; drops touches that come too early."""

    def __init__(self) -> None:
        super().__init__()
        self.live_from = 0.0

    def on_touch_down(self, touch: MotionEvent) -> bool:
        if Clock.get_boottime() < self.live_from:
            return True
        return bool(super().on_touch_down(touch))


class Glass:
    """What a person sees and touches.

    ``on_touch`` is told a view's id and a control's name, ``on_shown`` a view's id once its picture has been drawn.
    """

    def __init__(
        self,
        compose: Compose,
        on_touch: Callable[[int, str], None],
        on_shown: Callable[[int], None],
        settle_seconds: float = SETTLE_SECONDS,
    ) -> None:
        self.root = _Stage()
        self._compose = compose
        self._on_touch = on_touch
        self._on_shown = on_shown
        self._settle_seconds = settle_seconds
        self._scene: Scene | None = None
        self._seen: Scene | None = None
        self._frames = 0
        self._pictures: list[asyncio.Future[Image.Image]] = []
        self._changed = asyncio.Event()
        self._draw_soon = Clock.create_trigger(self._draw, -1)
        Window.clearcolor = theme.PAPER
        Window.bind(on_flip=self._flipping, size=lambda *_: self._draw_soon())
        self._draw_soon()

    def show(self, compose: Compose) -> None:
        """Put a scene on the glass in the next frame; a newer one before that takes its place."""
        self._compose = compose
        self._draw_soon()

    # ---- drawing -----------------------------------------------------------------------------------------------------

    def _draw(self, *_: object) -> None:
        sizes = theme.metrics(*Window.size)
        scene = self._compose(sizes)
        if self._scene is None or self._scene.name is not scene.name:
            self.root.live_from = Clock.get_boottime() + self._settle_seconds
        self._scene = scene
        self._frames = _FRAMES
        self.root.clear_widgets()
        self.root.add_widget(scenes.build(scene, sizes, lambda control: self._touched(scene, control)))

    def _touched(self, scene: Scene, control: str) -> None:
        if scene.view_id is not None:
            self._on_touch(scene.view_id, control)

    def _flipping(self, *_: object) -> None:
        """A frame is drawn, and about to be shown."""
        if self._frames:
            self._frames -= 1
            if self._frames:
                Window.canvas.ask_update()
            else:
                Clock.schedule_once(self._on_glass, 0)
        elif self._pictures:
            picture = _read_window()
            for waiting in self._pictures:
                if not waiting.done():
                    waiting.set_result(picture)
            self._pictures.clear()

    def _on_glass(self, _: float) -> None:
        if self._frames:
            return  # replaced meanwhile: that one will be told
        self._seen = self._scene
        self._changed.set()
        self._changed = asyncio.Event()
        if self._seen is not None and self._seen.view_id is not None:
            self._on_shown(self._seen.view_id)
        if self._pictures:
            Window.canvas.ask_update()

    # ---- for a hand and an eye ---------------------------------------------------------------------------------------

    def sight(self) -> Sight:
        """What is on the glass now."""
        touchables = [widget for widget in self.root.walk() if isinstance(widget, Touchable)]
        texts = tuple(widget.text for widget in self.root.walk() if isinstance(widget, Label) and widget.text)
        seen = self._seen
        return Sight(
            seen.view_id if seen else None,
            seen.name if seen else SceneName.AWAY,
            tuple(widget.control for widget in touchables if widget.enabled),
            tuple(widget.control for widget in touchables if not widget.enabled),
            texts,
        )

    async def wait_for(self, name: SceneName) -> None:
        """Returns when a scene of that name is on the glass and takes touches."""
        while self._seen is None or self._seen.name is not name:
            await self._changed.wait()
        await self._live()

    async def touch(self, control: str) -> None:
        """A finger at the middle of a control: down, a frame, up. LookupError where none can be touched."""
        await self.touch_at(*await self.where(control))

    async def where(self, control: str) -> tuple[float, float]:
        """The middle of a control that takes touches, in pixels from the window's top left corner; one further down a
        list is brought into sight. LookupError where there is none.
        """
        await self._live()
        found = [widget for widget in self.root.walk() if isinstance(widget, Touchable) and widget.control == control]
        if not found:
            raise LookupError(f"no control {control!r} here; there are: {', '.join(self.sight().controls) or 'none'}")
        if not found[0].enabled:
            raise LookupError(f"the control {control!r} is not enabled now")
        for parent in found[0].walk_reverse():
            if isinstance(parent, Scrolled):
                parent.reveal(found[0])
                await self._next_frame()
        x, y = found[0].to_window(*found[0].center)
        return x, Window.height - y

    async def touch_at(self, x: float, y: float) -> None:
        """A finger at a place, in pixels from the window's top left corner, by the way that the mouse's events come."""
        Window.dispatch("on_mouse_down", x, y, "left", [])
        await self._next_frame()
        Window.dispatch("on_mouse_up", x, y, "left", [])
        await self._next_frame()

    async def picture(self, path: Path) -> None:
        """Write the window as it is drawn next, as PNG."""
        waiting = asyncio.get_running_loop().create_future()
        self._pictures.append(waiting)
        Window.canvas.ask_update()
        (await waiting).save(path, format="PNG", compress_level=3)  # the loop waits: quick rather than small

    async def _live(self) -> None:
        while Clock.get_boottime() < self.root.live_from:
            await self._next_frame()

    async def _next_frame(self) -> None:
        passed = asyncio.get_running_loop().create_future()
        Clock.schedule_once(lambda _: passed.done() or passed.set_result(None), 0)
        await passed


def _read_window() -> Image.Image:
    """The frame that has just been drawn and is not on the display yet."""
    width, height = Window.system_size
    pixels = glReadPixels(0, 0, width, height, GL_RGBA, GL_UNSIGNED_BYTE)
    picture = Image.frombytes("RGBA", (width, height), bytes(pixels))
    return picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM).convert("RGB")
