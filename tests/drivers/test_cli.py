"""``guichet-sim`` where it cannot be what it was asked to be."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from drivers.cli import GROUP, main, simulators
from tests.elsewhere import installed


@pytest.mark.parametrize("name", ["ccnet", "pinpad"])
@pytest.mark.parametrize("content", ["", "{", "[]", '{"box": 1}', "\x00\xff"])
def test_a_file_that_is_no_memory_is_named_and_left_as_it_is(
    name: str, content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "memory.json"
    state.write_text(content, encoding="utf-8")
    status = main([name, "--pty", str(tmp_path / "p"), "--control", str(tmp_path / "c"), "--state", str(state)])
    assert status == 1
    said = capsys.readouterr().err
    assert said.startswith(f"guichet-sim {name}: {state} ")
    assert state.read_text(encoding="utf-8") == content


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory on the path for somebody else's simulators."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


def test_a_simulator_of_somebody_else_is_started_by_its_name(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "acme_simulator.py").write_text(
        '"""An ACME validator: 100 % paper."""\n'
        "def add_arguments(parser):\n    parser.add_argument('--face', required=True)\n"
        "async def run(arguments):\n    print('I am', arguments.face)\n",
        encoding="utf-8",
    )
    installed(elsewhere, "acme", {GROUP: {"acme": "acme_simulator"}})
    assert main(["acme", "--face", "5 EUR"]) == 0
    assert capsys.readouterr().out == "I am 5 EUR\n"
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "An ACME validator: 100 % paper." in capsys.readouterr().out


def test_a_name_that_is_not_there_is_an_error_that_says_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["ccnett", "--pty", "x"])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert "'ccnett'" in said
    assert all(f"'{name}'" in said for name in simulators())


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("acme_gone.simulator", "cannot be loaded: No module named 'acme_gone'"),
        ("drivers.cash.ccnet.simulator:gone", "cannot be loaded: module"),
        ("drivers.cash.crc", "is no simulator: it has no add_arguments and no run"),
    ],
)
def test_a_simulator_that_cannot_be_had_is_named_and_the_others_are_there(
    elsewhere: Path, value: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(elsewhere, "acme", {GROUP: {"acme": value}})
    assert main(["acme", "--pty", "x"]) == 2
    assert capsys.readouterr().err.startswith(f"guichet-sim: acme, {value}, {why}")
    with pytest.raises(SystemExit) as end:
        main(["ccnet", "--help"])
    assert end.value.code == 0
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    assert " ".join(f"acme, {value}, {why}".split()) in " ".join(capsys.readouterr().out.split())


def test_a_production_installation_says_that_it_has_no_simulators(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "drivers.simulation", None)
    for words in (["ccnet", "--pty", "x"], ["tell", "x", "state"], ["--help"], ["nobody"]):
        assert main(words) == 2
        assert "production installation" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["ccnet", "pinpad", "printer"])
def test_a_place_that_is_not_there_is_named(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = tmp_path / "gone"
    extra = {"printer": ["--paper", str(tmp_path)]}.get(name, ["--state", str(tmp_path / "memory.json")])
    assert main([name, "--pty", str(gone / "p"), "--control", str(tmp_path / "c"), *extra]) == 1
    assert str(gone) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "word", "says"),
    [
        ("--pace", "-1", "0 to 3600 seconds"), ("--pace", "nan", "0 to 3600 seconds"),
        ("--serial", "", "1 to 12 printable"), ("--serial", "1234567890123", "1 to 12 printable"),
        ("--serial", "\u017d", "1 to 12 printable"),
    ],
)  # fmt: skip
def test_a_number_that_no_device_has_is_refused(
    option: str, word: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["ccnet", "--pty", str(tmp_path / "p"), "--control", str(tmp_path / "c"), f"{option}={word}"])
    assert says in capsys.readouterr().err


def test_a_memory_whose_folder_is_not_there_is_named_at_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "gone" / "memory.json"
    words = ["ccnet", "--pty", str(tmp_path / "p"), "--control", str(tmp_path / "c"), "--state", str(state)]
    assert main(words) == 1
    assert f"there is no folder {state.parent}" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--pty", "--control"])
def test_a_file_in_the_place_of_a_line_or_a_socket_is_named_and_left_as_it_is(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "thesis.txt"
    file.write_text("years of work")
    places = {"--pty": str(tmp_path / "p"), "--control": str(tmp_path / "c"), option: str(file)}
    assert main(["ccnet", *(word for pair in places.items() for word in pair)]) == 1
    assert str(file) in capsys.readouterr().err
    assert file.read_text() == "years of work"


def test_a_simulator_that_is_ended_leaves_no_line_and_no_socket(tmp_path: Path, repository: Path) -> None:
    pty, control = tmp_path / "p", tmp_path / "c"
    code = "import sys; from drivers.cli import main; sys.exit(main(sys.argv[1:]))"
    words = [sys.executable, "-c", code, "ccnet", "--pty", str(pty), "--control", str(control)]
    with subprocess.Popen(words, cwd=repository, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert "control at" in running.stdout.readline()
        assert (pty.is_symlink(), control.is_socket()) == (True, True)
        running.send_signal(signal.SIGTERM)
        assert running.wait(20) == 0
    assert not pty.is_symlink()
    assert not control.exists()
