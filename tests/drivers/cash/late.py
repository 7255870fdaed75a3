"""A line on which answers come late, for every protocol: in their order, and each at most once."""

from __future__ import annotations

from random import Random

from tests.drivers.cash.bench import AnyBench


def come_late(bench: AnyBench, seed: int, latest: float) -> None:
    """From now on every answer takes up to ``latest`` seconds, by dice with ``seed``, behind those before it."""
    dice, last = Random(seed), 0.0

    def delay(data: bytes) -> bytes:
        nonlocal last
        last = max(last, bench.now + dice.uniform(0.002, latest))
        bench.device.line.slow = last - bench.now
        return data

    bench.to_device = delay
