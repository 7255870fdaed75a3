"""``guichet-sim`` for every cash device as a process: real lines, the real drivers, and hands by the control socket."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from drivers.api.cash import Presence, TroubleKind
from drivers.cli import main
from guichet.money import parse_money
from tests.drivers.cash.lives import KINDS, Kind, Life, OtherLife, Process, alive

BY_NAME = [pytest.param(kind, id=kind.called) for kind in KINDS]
WITHOUT_WORDS = [pytest.param(kind, id=kind.called) for kind in KINDS if not kind.words]


@dataclass(frozen=True)
class Lives:
    """What happened, and what went wrong before it could."""

    on_a_pty: dict[Kind, Life]
    on_tcp: dict[Kind, OtherLife]
    wrong: dict[str, Exception]

    def of(self, kind: Kind) -> Life:
        """The life on a pty."""
        self._went_well(kind.called)
        return self.on_a_pty[kind]

    def other(self, kind: Kind) -> OtherLife:
        """The life on a TCP port."""
        self._went_well(f"{kind.called}, tcp")
        return self.on_tcp[kind]

    def _went_well(self, called: str) -> None:
        if called in self.wrong:
            raise self.wrong[called]


@pytest.fixture(scope="module")
def lives(run_dir: Path) -> Iterator[Lives]:
    """All lives at once: they wait far more than they work."""
    place = run_dir / "lives"
    place.mkdir()
    first = {kind: Life(kind, Process(kind, place / f"{n}")) for n, kind in enumerate(KINDS)}
    others = {kind: OtherLife(kind, Process(kind, place / f"tcp{n}")) for n, kind in enumerate(KINDS) if not kind.words}
    living = {kind.called: life.live for kind, life in first.items()}
    living |= {f"{kind.called}, tcp": life.live for kind, life in others.items()}
    try:
        yield Lives(first, others, asyncio.run(alive(living)))
    finally:
        for life in (*first.values(), *others.values()):
            life.process.end()


# --- on a pty -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BY_NAME)
def test_it_says_what_it_is_and_where(kind: Kind, lives: Lives) -> None:
    life = lives.of(kind)
    where = life.process.place
    assert life.greeting == f"{kind.name} device {kind.serial} at {where / 'port'}, control at {where / 'hands'}"


@pytest.mark.parametrize("kind", BY_NAME)
def test_a_note_goes_from_a_hand_over_a_real_pty_into_the_box(kind: Kind, lives: Lives) -> None:
    life = lives.of(kind)
    assert life.note == "note 1"
    assert life.stacked is not None
    assert life.stacked.value == (parse_money(kind.face) if kind.names_value else None)
    assert life.cleared is not None
    assert life.cleared.stacked_counter == (1 if kind.counts else None)
    assert life.after_note == ["box"]


@pytest.mark.parametrize("kind", BY_NAME)
def test_the_power_goes_with_a_note_on_its_way_and_it_is_told_when_it_is_back(kind: Kind, lives: Lives) -> None:
    life = lives.of(kind)
    assert life.without_power == ["box", "transport"]
    assert life.answered is not None
    assert (life.answered.presence, life.answered.note_type) == kind.after_cut
    assert life.told_after_power == (0 if kind.after_cut[0] is Presence.STACKED else 1), "told once, here or there"
    assert life.after_power == ["box", "box"]


@pytest.mark.parametrize("kind", BY_NAME)
def test_a_killed_simulator_finds_its_paper_where_it_was_and_a_driver_comes_back(kind: Kind, lives: Lives) -> None:
    life = lives.of(kind)
    assert life.while_dead == ["box", "box", "transport"]
    assert kind.reborn in (None, life.reborn)
    assert life.after_death == ["box", "box", "box"]


@pytest.mark.parametrize("kind", BY_NAME)
def test_ctrl_c_ends_it_well_and_its_port_is_gone(kind: Kind, lives: Lives) -> None:
    life = lives.of(kind)
    assert life.exit_status == 0
    assert life.port_is_gone


# --- on a TCP port, with what else its command line can say ---------------------------------------------------------


@pytest.mark.parametrize("kind", WITHOUT_WORDS)
def test_on_a_tcp_port_one_host_comes_after_the_other(kind: Kind, lives: Lives) -> None:
    life = lives.other(kind)
    assert re.fullmatch(rf"{kind.name} device 4711 at 127\.0\.0\.1:[1-9]\d*, control at .*", life.greeting)
    assert life.serials == ["4711", "4711"]


@pytest.mark.parametrize("kind", WITHOUT_WORDS)
def test_its_fault_script_happens(kind: Kind, lives: Lives) -> None:
    trouble = lives.other(kind).trouble
    assert trouble is not None
    assert (trouble.kind, trouble.over) == (TroubleKind.BOX_FULL, False)


@pytest.mark.parametrize("kind", WITHOUT_WORDS)
def test_it_takes_lines_from_the_keyboard_too(kind: Kind, lives: Lives) -> None:
    life = lives.other(kind)
    assert life.prompt == "lines as for 'guichet-sim tell'; try 'help'"
    assert life.typed == ["note 1", "error: not understood: 'dance' (try 'help')", "ok"]


# --- what cannot be -------------------------------------------------------------------------------------------------

NAMES = [kind.name for kind in KINDS if not kind.words]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "required: --control"), (["--control", "c"], "one of the arguments --pty --tcp is required"),
        (["--control", "c", "--pty", "p", "--tcp", "1"], "not allowed with argument --pty"),
        (["--control", "c", "--tcp", "port"], "a port from 0 to 65535, not 'port'"),
        (["--control", "c", "--tcp", "65536"], "a port from 0 to 65535, not '65536'"),
        (["--control", "c", "--pty", "p", "--pace", "fast"], "0 to 3600 seconds, not 'fast'"),
        (["--control", "c", "--pty", "p", "--dance"], "unrecognized arguments: --dance"),
    ],
)  # fmt: skip
def test_wrong_words_end_with_2_and_say_what_is_wrong(
    name: str, words: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main([name, *words])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("usage: guichet-sim")
    assert error in said


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("option", "text", "error"),
    [
        ("--state", "{", "is not a simulator's memory"), ("--state", '{"notes": []}', "is not a simulator's memory"),
        ("--script", "note x: jam", "line 1: 'note x: jam'"), ("--script", "note 1: dance", "line 1: 'note 1: dance'"),
    ],
)  # fmt: skip
def test_a_file_that_it_cannot_use_ends_it_with_1_and_is_named(
    name: str, option: str, text: str, error: str, tmp_path: Path, run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_text(text)
    nowhere = str(tmp_path / "nowhere" / "port")  # Whatever is wrong with the test, it never becomes a device.
    assert main([name, "--pty", nowhere, "--control", str(run_dir / "unused"), option, str(file)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"guichet-sim {name}: {file}")
    assert error in said


@pytest.mark.parametrize("name", NAMES)
def test_a_port_that_is_taken_ends_it_with_1(name: str, run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        words = ["--tcp", str(taken.getsockname()[1]), "--control", str(run_dir / f"hands-{name}")]
        assert main([name, *words]) == 1
    assert "in use" in capsys.readouterr().err


@pytest.mark.parametrize("name", NAMES)
def test_a_place_that_is_not_there_ends_it_with_1(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--pty", str(tmp_path / "port"), "--control", str(tmp_path / "nowhere" / "hands")]) == 1
    assert "No such file" in capsys.readouterr().err


# --- telling it something -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running(run_dir: Path) -> Iterator[Process]:
    """A simulator that waits for whoever tells it something."""
    process = Process(KINDS[0], run_dir / "told")
    asyncio.run(process.start())
    yield process
    process.end()


def test_telling_prints_the_answer_and_ends_with_0(running: Process, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tell", str(running.control), "state"]) == 0
    assert json.loads(capsys.readouterr().out) == {"state": "power_up", "phase": "resting", "powered": True}


def test_help_is_told_one_word_a_line(running: Process, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tell", str(running.control), "help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert " ".join(lines[0].split()) == "insert 20 EUR push a note in; EUR may be left out"
    assert len(lines) > 20
    assert all(word and meaning.strip() for word, _, meaning in (line.partition("  ") for line in lines))
    assert "`" not in "".join(lines)


def test_telling_what_is_refused_ends_with_1(running: Process, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tell", str(running.control), "insert", "20", "EUR"]) == 1
    assert "guichet-sim: the slot is closed (power_up)" in capsys.readouterr().err


def test_telling_nobody_ends_with_1(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tell", str(run_dir / "nobody"), "state"]) == 1
    assert "No such file" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["dance"], ["tell"], ["tell", "x"]])
def test_wrong_usage_ends_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    assert "usage: guichet-sim" in capsys.readouterr().err


def test_help_names_every_device(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    out = capsys.readouterr().out
    for name in (*NAMES, "card", "printer", "pinpad", "tell"):
        assert name in out
