"""Limits on how long one input may take, where the engine sets none, and on how much memory."""

from __future__ import annotations

import resource
import signal
from collections.abc import Generator
from contextlib import contextmanager

from tests.fuzz.decoder import Broken


class Endless(Broken):
    """One input takes longer than any should."""


_MOST_MEMORY = 1 << 30


def limit_memory() -> None:
    """From now on, what asks for more than 1 GiB of address space in all gets a MemoryError: in a process that is only
    there to be fuzzed.
    """
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))


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
