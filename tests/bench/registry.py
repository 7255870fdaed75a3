"""Every bench there is. A room that gets benchmarks adds its own here."""

from __future__ import annotations

from tests.bench.cash import decoding, fifty, latency, polling
from tests.bench.journal import acknowledging, appending, draining, starting
from tests.bench.plan import Bench

BENCHES: tuple[Bench, ...] = (
    polling.BENCH, latency.BENCH, decoding.BENCH, fifty.BENCH,
    appending.BENCH, acknowledging.BENCH, starting.BENCH, draining.BENCH,
)  # fmt: skip
