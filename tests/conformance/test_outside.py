"""A protocol of somebody else goes through the whole suite, as a stranger's would: from outside of ``drivers``, by its
entry points, in a process of its own. The driver is :mod:`tests.conformance.acme`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import registry
from drivers.cash.steps import Send
from drivers.narration import GROUP as NARRATORS
from drivers.narration import narrator_for
from guichet.money import parse_money
from tests.conformance.acme.framing import Deframer, Line, Noise, line
from tests.conformance.acme.machine import Machine
from tests.conformance.acme.messages import MessageError, State, Status, Who, status_of, table_of, table_text, who_of
from tests.conformance.acme.suite import ACME
from tests.conformance.results import run_scripted
from tests.elsewhere import installed

SUITE = "not choice and not a_driver_that and not variants and not outside"
"""What is about drivers, and not about the suite itself or our own page."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where pip would have put it."""
    points = {
        registry.GROUP: {"acme": "tests.conformance.acme.driver:open_device"},
        NARRATORS: {"acme": "tests.conformance.acme.narrator:Narrator"},
    }
    installed(tmp_path, "acme", points)
    return tmp_path


def suite(place: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The suite as the driver's author runs it, in one process."""
    here = Path(__file__).parent
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
         "--subject", "tests.conformance.acme.suite:ACME", str(here), *words],
        cwd=here.parents[1], capture_output=True, text=True, check=False, timeout=900,
        env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join([str(place), *filter(None, sys.path)])},
    )  # fmt: skip


def test_a_protocol_from_outside_goes_through_every_test_that_is_about_drivers(place: Path) -> None:
    done = suite(place, "-k", SUITE)
    assert done.returncode == 0, done.stdout[-4000:]
    assert int(done.stdout.rpartition(" passed")[0].split()[-1]) > 330, done.stdout[-500:]


class AcknowledgesByItself(Machine):
    def _tell(self, status: Status, found: Line, *, changed: bool) -> None:
        super()._tell(status, found, changed=changed)
        if status.event:
            self._out.insert(0, Send(line(0, f"DONE {status.event}")))


class ResetsBeforeItReports(Machine):
    _has_reset = False

    def _send_next(self, now: float) -> None:
        if self._has_reset:
            super()._send_next(now)
        else:
            self._has_reset = True
            self._ask("START", now)


@pytest.mark.parametrize(
    ("machine", "seen"),
    [
        (AcknowledgesByItself, "acknowledge was sent, and the event was not on record"),
        (ResetsBeforeItReports, "reset was sent, and the first answer was not on record"),
    ],
    ids=["acknowledges by itself", "resets before it reports"],
)
def test_a_driver_from_outside_that_breaks_a_rule_is_seen(
    place: Path, monkeypatch: pytest.MonkeyPatch, machine: type[Machine], seen: str
) -> None:
    monkeypatch.setattr(sys, "path", [str(place), *sys.path])
    assert run_scripted(ACME, "").credited == 4
    monkeypatch.setattr("tests.conformance.acme.driver.Machine", machine)
    with pytest.raises(AssertionError, match=seen):
        run_scripted(ACME, "")


def test_its_line_is_told_in_words(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(place), *sys.path])
    narrator = narrator_for("acme", {})
    assert [saying.words for saying in narrator.sent(line(3, "STATUS"))] == ["STATUS"]
    assert [saying.words for saying in narrator.received(b"~~" + line(3, "ESCROW 4 0"))] == ["NOISE", "ESCROW 4 0"]
    assert [saying.words for saying in narrator.received(b"3|ESCROW 4 0|0000\n")] == ["DAMAGED FRAME"]


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_whatever_comes_becomes_lines_and_noise_and_nothing_is_lost(pieces: list[bytes]) -> None:
    deframer = Deframer()
    found = [one for piece in pieces for one in deframer.feed(piece)]
    assert b"".join(one.raw for one in found) == b"".join(pieces).rpartition(b"\n")[0] + b"\n" * bool(found)


@given(st.integers(0, 9), st.binary(max_size=40), st.data())
def test_a_line_is_found_behind_noise_and_not_with_a_bit_wrong(number: int, noise: bytes, data: st.DataObject) -> None:
    raw = line(number, "STACKED 3 17")
    assert [one for one in Deframer().feed(noise + raw) if isinstance(one, Line)][-1:] == [
        Line(number, "STACKED 3 17", raw)
    ]
    bit = data.draw(st.integers(0, (len(raw) - 1) * 8 - 1))
    wrong = bytearray(raw)
    wrong[bit // 8] ^= 1 << bit % 8
    assert [one for one in Deframer().feed(bytes(wrong)) if isinstance(one, Line)] == []


@given(st.text(max_size=30))
def test_what_says_nothing_is_refused_by_the_codecs_own_error(text: str) -> None:
    for read in (status_of, who_of, table_of):
        with suppress(MessageError):
            assert read(text) is not None


def test_what_is_said_is_understood() -> None:
    assert status_of(Status(State.STACKED, 3, 17).text()) == Status(State.STACKED, 3, 17)
    assert who_of(Who("A-1", "ACME-1", 9).text()) == Who("A-1", "ACME-1", 9)
    values = {1: parse_money("5 EUR"), 2: parse_money("20 USD")}
    assert table_of(table_text(values)) == values
    assert Noise(b"x\n", damaged=True) in Deframer().feed(b"x\n")
