"""A person at the kiosk: card, fingers, banknotes, eyes. Everything goes through the outside of the machine."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from kiosk.workbench.stack import Stack

PATIENCE_SECONDS = 120.0
_LOOK_SECONDS = 0.05


class NotAsExpected(AssertionError):
    """What a person sees is not what the day's script says."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is on the glass."""

    name: str
    controls: tuple[str, ...]
    texts: tuple[str, ...]

    def says(self, words: str) -> bool:
        """Whether some text on the glass contains ``words``."""
        return any(words in text for text in self.texts)


class Person:
    """Someone who knows what to do next."""

    def __init__(self, stack: Stack, pictures: Path) -> None:
        self._stack = stack
        self._pictures = pictures
        self._count = 0

    def look(self) -> Seen:
        """What is on the glass now."""
        view = cast("dict[str, object]", json.loads(self._stack.tell("hand", "view")))
        controls, texts = cast("list[str]", view["controls"]), cast("list[str]", view["texts"])
        return Seen(str(view["name"]), tuple(controls), tuple(texts))

    def wait_until(self, ready: Callable[[Seen], bool], what: str) -> Seen:
        """Look until ``ready``. Raises :class:`NotAsExpected` when it takes too long."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not ready(seen := self.look()):
            if time.monotonic() > deadline:
                raise NotAsExpected(f"waited for {what}; on the glass is {seen.name}: {' / '.join(seen.texts)}")
            time.sleep(_LOOK_SECONDS)
        return seen

    def wait_view(self, name: str) -> Seen:
        """Wait for a view."""
        self._stack.tell("hand", f"wait-view {name}")
        return self.look()

    def touch(self, control: str) -> None:
        """A finger on a button, when it is there: while something is printed, for one, there is none."""
        self.wait_until(lambda seen: control in seen.controls, f"the button {control}")
        self._stack.tell("hand", f"touch {control}")

    def picture(self, name: str) -> Path:
        """Keep what is on the glass."""
        self._count += 1
        path = self._pictures / f"{self._count:02}-{name}.png"
        self._stack.tell("hand", f"picture {path.resolve()}")
        return path

    def card(self, name: str) -> None:
        """Put a card in."""
        self._stack.tell("card", f"insert {name}")

    def take_card(self) -> None:
        """Take it out."""
        self._stack.tell("card", "remove")

    def pin(self, digits: str) -> None:
        """Type at the PIN pad."""
        self._stack.tell("pinpad", f"press {digits}")
        self._stack.tell("pinpad", "enter")

    def insert(self, note: str) -> None:
        """Push a banknote in, once the slot takes one."""
        self.wait_until(lambda seen: seen.says("Insert"), "the slot to open")
        self._stack.tell("cash", "wait idling")
        self._stack.tell("cash", f"insert {note}")
