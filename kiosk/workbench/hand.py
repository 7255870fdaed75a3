"""A person's hand and eye at the kiosk's screen, for demonstrations and tests: one line asks, one line answers.

    touch CONTROL       put a finger on that button and lift it
    touch-at X Y        the same at a place: pixels from the window's top left corner
    where CONTROL       the middle of that button, as touch-at takes it
    picture PATH        write the window as it is drawn next, as PNG
    view                what is on the glass, as JSON: view_id, name, controls, disabled, texts
    wait-view NAME      answer when that view is on the glass and takes touches; an error after 29 seconds
    help                these lines' first words

A touch takes the way of the mouse's events through the window; no button's code is called directly.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Protocol

from drivers.simulation.control import serve_control
from kiosk.screen.scene import SceneName, Sight

WAIT_SECONDS = 29.0
"""Less than the half minute after which whoever asks gives up."""

_HELP = "touch CONTROL | touch-at X Y | where CONTROL | picture PATH | view | wait-view NAME | help"


class Glass(Protocol):
    """What the hand needs of :class:`kiosk.screen.glass.Glass`."""

    def sight(self) -> Sight:
        """What is on the glass now."""
        ...

    async def touch(self, control: str) -> None:
        """A finger on a control; LookupError where there is none."""
        ...

    async def touch_at(self, x: float, y: float) -> None:
        """A finger at a place."""
        ...

    async def where(self, control: str) -> tuple[float, float]:
        """The middle of a control; LookupError where there is none."""
        ...

    async def picture(self, path: Path) -> None:
        """The window as PNG."""
        ...

    async def wait_for(self, name: SceneName) -> None:
        """Returns when that scene is on the glass and takes touches."""
        ...


async def serve(path: Path, glass: Glass) -> None:
    """Answer at the socket ``path`` until cancelled."""
    server = await serve_control(path, Hand(glass).handle)
    try:
        await asyncio.Event().wait()
    finally:
        server.close()


class Hand:
    """Does what a line says."""

    def __init__(self, glass: Glass) -> None:
        self._glass = glass

    async def handle(self, line: str) -> str:
        """The answer to ``line``. Raises ValueError or LookupError with the reason where it cannot be done."""
        command, _, rest = line.partition(" ")
        match command:
            case "touch" if rest:
                await self._glass.touch(rest)
                return ""
            case "touch-at":
                x, y = _place(rest)
                await self._glass.touch_at(x, y)
                return ""
            case "where" if rest:
                x, y = await self._glass.where(rest)
                return f"{x:.0f} {y:.0f}"
            case "picture" if rest:
                return await self._picture(Path(rest))
            case "view":
                return _as_json(self._glass.sight())
            case "wait-view" if rest:
                return await self._wait(rest)
            case "help":
                return _HELP
            case _:
                raise ValueError(f"not understood: {line[:80]!r} ({_HELP})")

    async def _picture(self, path: Path) -> str:
        try:
            await self._glass.picture(path)
        except OSError as error:
            raise ValueError(f"{path}: {error.strerror}") from error
        return str(path)

    async def _wait(self, text: str) -> str:
        name = SceneName(text)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._glass.wait_for(name)
        except TimeoutError as error:
            seen = self._glass.sight()
            raise ValueError(f"{text} did not come; on the glass is {seen.name.value}: {seen.texts}") from error
        return _as_json(self._glass.sight())


def _place(text: str) -> tuple[float, float]:
    numbers = text.split()
    if len(numbers) != 2:
        raise ValueError(f"not a place: {text!r} (X Y)")
    return float(numbers[0]), float(numbers[1])


def _as_json(sight: Sight) -> str:
    content = {
        "view_id": sight.view_id,
        "name": sight.name.value,
        "controls": sight.controls,
        "disabled": sight.disabled,
        "texts": sight.texts,
    }
    return json.dumps(content, ensure_ascii=False)
