"""The clocks of one machine: its wall's, which can be put off, and that of its boots."""

from __future__ import annotations

from tests.simulation.bank import BEGAN_US
from tests.simulation.loop import WorldLoop


class KioskClock:
    """Virtual time; the wall's can be put off."""

    def __init__(self, loop: WorldLoop) -> None:
        self._loop = loop
        self.offset_us = 0

    def wall_us(self) -> int:
        return BEGAN_US + self.offset_us + int(self._loop.time() * 1_000_000)

    def monotonic(self) -> float:
        return self._loop.time()


class KioskBoot:
    """How long the machine runs, and which of its boots this is."""

    def __init__(self, name: str, loop: WorldLoop) -> None:
        self._name, self._loop, self._boots, self._began = name, loop, 1, 0.0

    def boot_id(self) -> str:
        return f"{self._name}-boot-{self._boots}"

    def since_boot_us(self) -> int:
        return int((self._loop.time() - self._began) * 1_000_000)

    def again(self) -> None:
        """The machine comes up."""
        self._boots += 1
        self._began = self._loop.time()
