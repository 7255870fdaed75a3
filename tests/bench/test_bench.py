"""The benchmarks measure what they say: both sides do the same, in turns. How fast anything is, is asserted nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.bench.__main__ import main
from tests.bench.cash import decoding
from tests.bench.cash.codecs import CODECS, Codec
from tests.bench.cash.pairs import DRIVERS
from tests.bench.cash.trace import Exchange, Passed, answer_before, exchanges, within
from tests.bench.errors import BenchError
from tests.bench.plan import Bench, Plan
from tests.bench.registry import BENCHES
from tests.bench.report import table
from tests.bench.rows import Better, Measure, Pair, Row
from tests.bench.sides import Pipe, Side

MEASURE = Measure("room/thing", "what it takes", "us", "the bare thing", 2.0)
REPETITIONS = {
    "poll-cpu": "1", "stacked-latency": "1", "decode": "2", "fifty-devices": "1", "journal-append": "2",
    "journal-acknowledge": "2", "journal-start": "1", "settlement-drain": "2",
}  # fmt: skip
ROW_KEYS = {
    "name", "what", "unit", "better", "baseline_is", "limit", "value", "baseline", "ratio", "spread", "target", "met",
    "also", "samples",
}  # fmt: skip


def plan(*only: str, scale: float = 0.02, repetitions: int = 2) -> Plan:
    return Plan(repetitions, scale, only, lambda _: None)


def bench(*rows: Row) -> Bench:
    def run(_: Plan) -> Iterator[Row]:
        yield from rows

    return Bench(tuple(row.measure.name for row in rows), run)


# --- the real thing, as short as it can be ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One run of everything, and what it wrote. The benches run side by side: nobody looks at how fast it is."""
    place = tmp_path_factory.mktemp("bench")

    def measure(kind: str, repetitions: str) -> dict[str, Any]:
        out = place / kind / "bench.json"
        words = ["--only", kind, "--quick", "--scale", "0.05", "--repetitions", repetitions, "--out", str(out)]
        assert main(words) in (0, 1)
        written: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        return written

    with ThreadPoolExecutor() as together:
        found = list(together.map(measure, REPETITIONS, REPETITIONS.values()))
    return {**found[0], "rows": [row for one in found for row in one["rows"]]}


def test_every_row_is_there_for_every_driver(result: dict[str, Any]) -> None:
    names = [row["name"] for row in result["rows"]]
    assert names == [name for bench in BENCHES for name in bench.names]
    for kind in ("poll-cpu", "stacked-latency"):
        assert {name.partition("/")[2] for name in names if name.startswith(kind)} == set(DRIVERS)


def test_what_is_written_has_all_samples_and_says_where_it_was_measured(result: dict[str, Any]) -> None:
    assert set(result) == {"machine", "quick", "rows"}
    assert set(result["machine"]) == {"python", "cpu", "cores", "load", "commit"}
    assert all(set(row) == ROW_KEYS for row in result["rows"])
    assert all(len(row["samples"]) == int(REPETITIONS[row["name"].partition("/")[0]]) for row in result["rows"])
    assert all(set(sample) == {"ours", "baseline", "counts"} for row in result["rows"] for sample in row["samples"])


def test_both_sides_send_the_same_number_of_polls(result: dict[str, Any]) -> None:
    counted = [row for row in result["rows"] if row["name"].partition("/")[0] in ("poll-cpu", "stacked-latency")]
    counts = [tuple(sample["counts"]) for row in counted for sample in row["samples"]]
    assert len(counts) == 2 * len(DRIVERS)
    assert all(ours == baseline > 0 for ours, baseline in counts)


def test_every_device_of_the_many_has_stacked_its_note(result: dict[str, Any]) -> None:
    row = next(row for row in result["rows"] if row["name"] == "fifty-devices/latency")
    assert row["also"]["stacked"] == len(DRIVERS)


@pytest.mark.parametrize("codec", [codec for codec in CODECS if codec.name != "essp"], ids=lambda codec: codec.name)
def test_afresh_means_that_nothing_is_remembered(codec: Codec) -> None:
    """By the caches' own count; and afterwards everything is as it was."""
    stream = b"".join(codec.said(Random(seed)) for seed in range(3))

    def asked() -> int:
        caches = [cache for module in codec.modules for cache in vars(module).values() if hasattr(cache, "cache_info")]
        return sum(cache.cache_info().hits + cache.cache_info().misses for cache in caches)

    def decoded() -> int:
        return sum(codec.decode(found) is not None for found in codec.deframer().feed(stream))

    before = asked()
    with codec.afresh():
        assert decoded() == 3
    assert asked() == before
    assert decoded() == 3
    assert asked() >= before + 6


# --- rows ------------------------------------------------------------------------------------------------------------


def test_a_ratio_is_the_median_of_the_turns_own_ratios() -> None:
    row = Row(MEASURE, (Pair(10, 10), Pair(50, 100), Pair(30, 20)))
    assert row.ratio == 1.0
    assert row.spread == (0.5, 1.5)
    assert (row.value, row.baseline) == (30, 20)


@pytest.mark.parametrize(
    ("better", "target", "ours", "met"),
    [
        (Better.LESS, 2.0, 20, True), (Better.LESS, 2.0, 21, False), (Better.MORE, 2.0, 20, True),
        (Better.MORE, 2.0, 19, False), (Better.LESS, None, 900, True),
    ],
)  # fmt: skip
def test_a_target_is_met_or_missed(better: Better, target: float | None, ours: float, met: bool) -> None:
    assert Row(replace(MEASURE, better=better, target=target), (Pair(ours, 10),)).met is met


# --- the command -----------------------------------------------------------------------------------------------------


def run(tmp_path: Path, benches: Sequence[Bench], *words: str) -> int:
    return main([*words, "--out", str(tmp_path / "bench.json")], benches)


def test_a_missed_target_ends_with_1_and_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = Row(MEASURE, (Pair(1, 1),)), Row(replace(MEASURE, name="room/slow"), (Pair(21, 10),))
    assert run(tmp_path, [bench(good)]) == 0
    assert "every target is met" in capsys.readouterr().out
    assert run(tmp_path, [bench(good), bench(bad)]) == 1
    assert "missed: room/slow" in capsys.readouterr().out


def test_what_could_not_be_measured_ends_with_1_and_the_rest_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(_: Plan) -> Iterator[Row]:
        raise BenchError("they did not do the same")

    assert run(tmp_path, [Bench(("room/other",), fails), bench(Row(MEASURE, (Pair(1, 1),)))]) == 1
    said = capsys.readouterr()
    assert "room/other: not measured: they did not do the same" in said.err
    assert "room/thing" in said.out
    assert "not measured: room/other" in said.out
    assert "every target" not in said.out


def test_only_takes_rows_and_beginnings_of_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert plan("decode").wants("decode/essp/burst")
    assert plan("decode/essp").wants("decode/essp/burst")
    assert not plan("decode/es").wants("decode/essp/burst")
    assert run(tmp_path, [bench(Row(MEASURE, (Pair(1, 1),)))], "--only", "roo") == 2
    assert "no such row: roo; there are: room/thing" in capsys.readouterr().err


def test_json_is_printed_as_it_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, [bench(Row(MEASURE, (Pair(1, 1),)))], "--json") == 0
    assert capsys.readouterr().out == (tmp_path / "bench.json").read_text(encoding="utf-8")


def test_help_lists_every_row(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    listed = "".join(capsys.readouterr().out.split())
    assert [name for bench in BENCHES for name in bench.names if name not in listed] == []


def test_the_table_fits_a_screen_of_120_columns() -> None:
    long = replace(MEASURE, name="stacked-latency/cctalk-coin", target=1.25)
    shown = table([Row(long, (Pair(12345, 100), Pair(1, 10)), (("p95", 1234.5), ("baseline p95", 1234.5)))])
    assert max(len(line) for line in shown.splitlines()) <= 120


# --- sides and traces ------------------------------------------------------------------------------------------------


def say(task: str, pipe: Pipe) -> None:
    if task == "fail":
        raise ValueError("out of order")
    pipe.send(task)


@pytest.mark.parametrize(
    ("task", "kind", "error"),
    [("fail", str, "out of order"), ("word", int, "said 'word' instead of a int")],
)
def test_a_side_that_fails_ends_the_measurement(task: str, kind: type, error: str) -> None:
    with Side(say, task) as side, pytest.raises(BenchError, match=error):
        side.hear(kind, 60.0)


def test_a_log_amounts_to_exchanges_with_their_pauses() -> None:
    log = [
        Passed(1.0, False, b"poll"), Passed(1.25, True, b"id"), Passed(1.25, True, b"le"), Passed(1.5, False, b"ack"),
        Passed(3.5, False, b"poll"),
    ]  # fmt: skip
    trace = exchanges(log)
    assert trace == (
        Exchange(1.0, 0.0, b"poll", b"idle"), Exchange(1.5, 0.25, b"ack", b""), Exchange(3.5, 2.0, b"poll", b""),
    )  # fmt: skip
    assert within(trace, 1.2, 3.5) == range(1, 3)
    assert answer_before(log, 3.0) == 1.25


# --- decoding --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_a_frame_lost_by_one_side_of_the_decoding_is_seen(codec: Codec) -> None:
    class Forgets:
        def __init__(self) -> None:
            self._inner = codec.deframer()

        def feed(self, data: bytes) -> list[Any]:
            return self._inner.feed(data)[1:]

    with pytest.raises(BenchError, match="by the scan"):
        _decode(codec, Forgets)


def _decode(codec: Codec, deframer: Any) -> None:
    dice = Random(1)
    stream = b"".join(codec.said(dice) for _ in range(3))
    expected = decoding.scan(codec, stream)
    assert len(expected) == 3
    decoding.repeated(replace(codec, deframer=deframer), [[stream]], expected, 0.0)
