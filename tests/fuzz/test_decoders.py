"""The short form of ``make fuzz``: every decoder, by hypothesis, and guided by coverage where the engine is there.

And that it finds what is planted: without that, nothing found would mean nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drivers.cash
from drivers.api.cash import (
    Answered,
    Cleared,
    Completed,
    Escrowed,
    Ready,
    Rejected,
    Returned,
    Stacked,
    Stacking,
    Trouble,
)
from drivers.cash.ccnet import framing as ccnet
from drivers.cash.cctalk import framing as cctalk
from drivers.cash.essp import framing as essp
from drivers.cash.id003 import framing as id003
from drivers.pinpad import framing as pinpad
from tests.fuzz import ccnet_whole, cctalk_whole, engine, essp_whole, id003_whole, machines, planted, report
from tests.fuzz.catalogue import decoder, decoders
from tests.fuzz.decoder import Broken, Decoder
from tests.fuzz.limits import Endless, within
from tests.fuzz.lines import Feeds
from tests.fuzz.running import ROOT, Run, fuzz
from tests.fuzz.sizes import held

ALL = decoders()
GUIDED = pytest.mark.skipif(engine.load() is None, reason="atheris has no wheel for this Python on this machine")
SHORT = 1000
SECONDS = 20


class Whole(Protocol):
    """The module of a protocol's machine and simulated device."""

    make_machine: machines.Make

    def machine_seeds(self) -> Iterator[bytes]:
        """Inputs that reach deep."""
        ...


def name_of(each: Decoder) -> str:
    """A test's name for a decoder."""
    return each.name


def say_nothing(line: str) -> None:
    """Nobody watches."""


# --- nothing is found -----------------------------------------------------------------------------------------------


@GUIDED
@pytest.mark.parametrize("each", ALL, ids=name_of)
def test_some_thousand_guided_inputs_find_nothing(each: Decoder, tmp_path: Path) -> None:
    result = fuzz(each, Run(SHORT, 1, tmp_path), say_nothing)
    assert result.finding is None, report.finding(result)
    assert result.inputs > len(list(each.seeds()))
    assert result.edges > 10


@pytest.mark.parametrize("each", ALL, ids=name_of)
def test_every_seed_and_whatever_hypothesis_makes_of_it_finds_nothing(each: Decoder) -> None:
    seeds = list(each.seeds())
    for seed in seeds:
        feed(each, seed)

    @settings(max_examples=10 if each.story else 50, derandomize=True, database=None, deadline=None)
    @given(st.binary(max_size=each.longest) | st.builds(changed, st.sampled_from(seeds), st.data()))
    def try_it(data: bytes) -> None:
        feed(each, data)

    try_it()


def changed(seed: bytes, data: st.DataObject) -> bytes:
    """A seed with some of it exchanged for something else."""
    begin = data.draw(st.integers(0, len(seed)))
    end = data.draw(st.integers(begin, min(len(seed), begin + 8)))
    return seed[:begin] + data.draw(st.binary(max_size=8)) + seed[end:]


def feed(each: Decoder, data: bytes) -> None:
    """One input, with the command that shows it again where it finds something."""
    try:
        with within(SECONDS):
            each.feed(data)
    except Exception as error:
        error.add_note(f"python -m tests.fuzz --decoder {each.name} --input {data.hex()}")
        raise


# --- every decoder is here ------------------------------------------------------------------------------------------


def test_every_cash_protocol_has_its_four_harnesses() -> None:
    protocols = [path.parent.name for path in Path(drivers.cash.__path__[0]).glob("*/framing.py")]
    wanted = {f"{name}-{room}" for name in protocols for room in ("framing", "messages", "machine", "simulator")}
    assert len(protocols) >= 4
    assert wanted - {each.name for each in ALL} == set()


def test_names_are_found_alone_as_they_are_in_the_list() -> None:
    assert [decoder(each.name) for each in ALL] == list(ALL)
    assert len({each.name for each in ALL}) == len(ALL)
    for name in ("ccnet", "ccnet-nothing", "nothing-at-all", "decoder-framing"):
        with pytest.raises(LookupError, match=name):
            decoder(name)


@pytest.mark.parametrize("whole", [ccnet_whole, id003_whole, essp_whole, cctalk_whole], ids=lambda each: each.__name__)
def test_the_seeds_of_a_machine_take_it_through_whole_deposits(whole: Whole) -> None:
    told = {kind for seed in whole.machine_seeds() for kind in machines.play(whole.make_machine, seed).told}
    assert told >= {Answered, Ready, Escrowed, Stacking, Stacked, Returned, Rejected, Cleared, Completed, Trouble}


@pytest.mark.parametrize("whole", [ccnet_whole, id003_whole, essp_whole, cctalk_whole], ids=lambda each: each.__name__)
def test_a_machine_keeps_nothing_of_what_a_device_says_for_ever(whole: Whole) -> None:
    rig = machines.play(whole.make_machine, next(whole.machine_seeds()))
    machines.endure(rig, 20)


def test_a_machine_that_forgets_nothing_is_seen() -> None:
    rig = machines.play(ccnet_whole.make_machine, next(ccnet_whole.machine_seeds()))
    rig.machine = planted.HoardingMachine()
    with pytest.raises(Broken, match="more and more"):
        machines.endure(rig, 20)


def test_a_machine_that_acknowledges_what_nobody_has_on_record_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.cash.ccnet.machine.HELD", frozenset[object]())
    with pytest.raises(Broken, match="nobody has it on record"):
        next(ccnet_whole.machine_seeds())


# --- what is planted is found ---------------------------------------------------------------------------------------

PLANTED = {
    "planted-index": ("crash", "IndexError"),
    "planted-endless": ("timeout", "timeout after"),
    "planted-memory": ("crash", "MemoryError"),
    "planted-hoarder": ("crash", "Broken: "),
    "planted-careless": ("crash", "what is found is not what was fed, or not in its order"),
}


@GUIDED
@pytest.mark.parametrize("each", planted.DECODERS, ids=name_of)
def test_the_engine_finds_a_planted_defect_and_shows_it_again(each: Decoder, tmp_path: Path) -> None:
    patience = 1 if each.name == "planted-endless" else 60
    result = fuzz(each, Run(1_000_000, 1, tmp_path, timeout=patience), say_nothing)
    kind, text = PLANTED[each.name]
    assert result.finding is not None
    assert result.finding.kind == kind
    assert text in result.finding.text
    if each.name == "planted-memory":  # Not in this process.
        assert "MemoryError" in command("--decoder", each.name, "--input", result.finding.data.hex()).stderr
    else:
        with pytest.raises((Broken, IndexError)), within(0.5):
            each.feed(result.finding.data)


@pytest.mark.parametrize(
    ("name", "data", "error"),
    [
        ("planted-index", "FC07A51B", IndexError),
        ("planted-endless", "FC", Endless),
        ("planted-hoarder", "00" * 40, Broken),
        ("planted-careless", "00 55 020306 33DA81", Broken),
    ],
)
def test_a_harness_without_the_engine_sees_them_too(name: str, data: str, error: type[Exception]) -> None:
    with pytest.raises(error), within(0.2):
        decoder(name).feed(bytes.fromhex(data))


# --- work and memory ------------------------------------------------------------------------------------------------

Deframer = Feeds | pinpad.Deframer
# Noise, which is cheap, and what looks like the longest frames, over and over, which is dear.
NOISE: tuple[tuple[str, Callable[[], Deframer], str], ...] = (
    ("ccnet", ccnet.Deframer, "00"),
    ("ccnet", ccnet.Deframer, "02"),
    ("id003", id003.Deframer, "00"),
    ("essp", essp.Deframer, "00"),
    ("cctalk", cctalk.Deframer, "00"),
    ("pinpad", pinpad.Deframer, "00"),
    ("pinpad", pinpad.Deframer, "02"),
)
FALSE_FRAMES: tuple[tuple[str, Callable[[], Deframer], str], ...] = (
    ("ccnet", ccnet.Deframer, "0203F0"),
    ("id003", id003.Deframer, "FC"),
    ("essp", essp.Deframer, "7F"),
    ("essp", essp.Deframer, "7F00F07F7F"),
    ("cctalk", cctalk.Deframer, "01F028"),
    ("pinpad", pinpad.Deframer, "020062"),
)


@pytest.mark.parametrize(("name", "make", "pattern"), NOISE)
def test_noise_takes_a_deframer_time_in_proportion(name: str, make: Callable[[], Deframer], pattern: str) -> None:
    must_be_linear(make, bytes.fromhex(pattern), 1 << 14, 32)


@pytest.mark.parametrize(("name", "make", "pattern"), FALSE_FRAMES)
def test_false_frames_take_a_deframer_time_in_proportion(name: str, make: Callable[[], Deframer], pattern: str) -> None:
    must_be_linear(make, bytes.fromhex(pattern), 1 << 11, 8)


def must_be_linear(make: Callable[[], Deframer], pattern: bytes, size: int, times: int) -> None:
    """``times`` as much takes at most four times as long as it should."""
    small = (pattern * size)[:size]
    once = min(seconds_of(make, small) for _ in range(3))
    larger = min(seconds_of(make, small * times) for _ in range(3))
    assert larger < 4 * times * max(once, 0.0002), f"{once:.4f} s, and {larger:.4f} s for {times} times as much"


def seconds_of(make: Callable[[], Deframer], data: bytes) -> float:
    """Of the processor, for one feed of it all."""
    deframer = make()
    began = time.process_time()
    deframer.feed(data)
    return time.process_time() - began


def test_what_is_held_is_counted_wherever_it_lies() -> None:
    class Holder:
        def __init__(self) -> None:
            self.texts = {"key": ["a" * 100]}
            self.inside = (bytearray(1000), {b"x" * 10})
            self.itself = self

    assert 1110 <= held(Holder()) < 1300


# --- the command ----------------------------------------------------------------------------------------------------


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What a person types."""
    words = [sys.executable, "-m", "tests.fuzz", *arguments]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@GUIDED
def test_a_finding_is_told_with_the_command_that_shows_it_again(tmp_path: Path) -> None:
    run = ("--runs", "300000", "--corpus", str(tmp_path))
    done = command("--decoder", "planted-index", "--decoder", "planted-careless", "--jobs", "2", *run)
    assert done.returncode == 1
    assert done.stdout.split("\n")[0].split() == [
        "decoder", "inputs", "seconds", "inputs/s", "edges", "features", "corpus", "findings",
    ]  # fmt: skip
    (again,) = [line for line in done.stderr.split("\n") if line.startswith("again: ") and "planted-index" in line]
    shown = command(*again.removeprefix("again: python -m tests.fuzz ").split())
    assert shown.returncode == 1
    assert "IndexError" in shown.stderr


@GUIDED
def test_a_run_without_a_finding_can_be_read_by_programs_and_keeps_its_corpus(tmp_path: Path) -> None:
    words = ("--decoder", "ccnet-messages", "--runs", "500", "--json", "--corpus", str(tmp_path))
    done = command(*words)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)
    assert result["name"] == "ccnet-messages"
    assert result["finding"] is None
    assert result["edges"] > 50
    assert any((tmp_path / "ccnet-messages" / "corpus").iterdir())


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A codec of somebody else, and its harness in a module beside it."""
    (tmp_path / "acme_codec.py").write_text(
        "def decode(data):\n"
        "    right = 0\n"
        "    while right < 4 and data[right:right + 1] == b'ACME'[right:right + 1]:\n"
        "        right += 1\n"
        "    if right == 4:\n"
        "        raise IndexError(data)\n",
        encoding="utf-8",
    )
    (tmp_path / "acme_fuzz.py").write_text(
        "from acme_codec import decode\n"
        "from tests.fuzz.decoder import Decoder\n"
        "DECODERS = (Decoder('acme-messages', decode, lambda: [b'AC']),)\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, sys.path)]))
    return tmp_path


OUTSIDE = ("--from", "acme_fuzz", "--watch", "acme_codec")


@GUIDED
def test_a_decoder_of_somebody_else_is_watched_and_a_finding_in_it_is_told_with_the_command_that_shows_it_again(
    acme: Path,
) -> None:
    done = command(*OUTSIDE, "--runs", "300000", "--corpus", str(acme / "corpus"))
    assert done.returncode == 1, done.stderr
    (again,) = [line for line in done.stderr.split("\n") if line.startswith("again: ")]
    words = again.removeprefix("again: python -m tests.fuzz ").split()
    assert tuple(words[:6]) == (*OUTSIDE, "--decoder", "acme-messages")
    shown = command(*words)
    assert shown.returncode == 1
    assert "IndexError" in shown.stderr


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        ((*OUTSIDE, "--list"), 0, "acme-messages\n"),
        ((*OUTSIDE, "--input", "00"), 0, "acme-messages: nothing\n"),
        ((*OUTSIDE, "--decoder", "acme-fax"), 2, "no decoder 'acme-fax' in acme_fuzz: there are acme-messages\n"),
        (("--from", "acme_gone", "--list"), 2, "no DECODERS in 'acme_gone': No module named 'acme_gone'\n"),
        (("--from", "acme_codec", "--list"), 2,
         "no DECODERS in 'acme_codec': module 'acme_codec' has no attribute 'DECODERS'\n"),
    ],
    ids=["list", "one-input", "unknown", "no-module", "none-in-it"],
)  # fmt: skip
def test_the_command_takes_decoders_of_somebody_else_in_the_place_of_ours(
    acme: Path, words: tuple[str, ...], status: int, text: str
) -> None:
    done = command(*words)
    assert (done.returncode, done.stdout + done.stderr) == (status, text)


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (("--list",), 0, "essp-sealing"),
        (("--help",), 0, "--decoder NAME"),
        (("--decoder", "ccnet-framing", "--input", "00020306"), 0, "ccnet-framing: nothing"),
        (("--decoder", "planted-index", "--input", "FC07A51B"), 1, "IndexError"),
        (("--decoder", "fax",), 2, "no decoder 'fax'"),
    ],
    ids=["list", "help", "one-input", "one-bad-input", "unknown"],
)  # fmt: skip
def test_the_command_answers(words: tuple[str, ...], status: int, text: str) -> None:
    done = command(*words)
    assert done.returncode == status
    assert text in done.stdout + done.stderr
