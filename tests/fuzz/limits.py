"""A limit on how long one input may take, where the engine sets none."""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import contextmanager

from tests.fuzz.decoder import Broken


class Endless(Broken):
    """One input takes longer than any should."""


@contextmanager
def within(seconds: float) -> Generator[None]:
    """Raise :class:`Endless` in what takes longer than ``seconds``; in the main thread only."""

    def too_late(number: int, frame: object) -> None:
        raise Endless(f"one input takes more than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, too_late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
