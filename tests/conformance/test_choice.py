"""A driver of somebody else is handed to the suite and to its commands, and what is not there is said."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers import registry
from tests.conformance import choice, matrix, soak
from tests.conformance.recordings import __main__ as recordings
from tests.conformance.subject import SUBJECTS
from tests.elsewhere import installed

Main = Callable[[list[str]], int]


def record_nowhere(words: list[str]) -> int:
    """The command with the folder that it needs."""
    return recordings.main([*words, "--into", os.devnull])


COMMANDS = [
    pytest.param(soak.main, id="soak"),
    pytest.param(matrix.main, id="matrix"),
    pytest.param(record_nowhere, id="recordings"),
]


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A driver, its simulator and its subjects, in a distribution on the path."""
    (tmp_path / "acme_two.py").write_text(
        "from drivers.cash.ccnet.driver import open_device\n"
        "from drivers.cash.ccnet.simulator import add_arguments, make\n"
        "from tests.conformance.subject import Subject\n"
        "ACME = Subject('acme two', 'acme-two', 'acme_two')\n"
        "PLAIN = Subject('acme-two', 'acme-two', 'acme_two')\n"
        "BOTH = (PLAIN, ACME)\n"
        "NONE = ()\n",
        encoding="utf-8",
    )
    installed(tmp_path, "acme-two", {registry.GROUP: {"acme-two": "acme_two:open_device"}})
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "acme_two", raising=False)
    return tmp_path


def test_ours_are_chosen_where_nobody_hands_one_in() -> None:
    assert choice.chosen([]) == SUBJECTS
    assert [subject.name for subject in choice.chosen([], ["essp", "ccnet"])] == ["ccnet", "essp"]


def test_what_is_handed_in_takes_the_place_of_ours(acme: Path) -> None:
    assert [subject.name for subject in choice.chosen(["acme_two:ACME"])] == ["acme two"]
    assert [subject.name for subject in choice.chosen(["acme_two:BOTH"])] == ["acme-two", "acme two"]
    assert [subject.name for subject in choice.chosen(["acme_two:BOTH"], ["acme two"])] == ["acme two"]
    assert not any(choice.is_ours(subject) for subject in choice.chosen(["acme_two:BOTH"]))


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("acme_two", "MODULE:NAME"),
        ("acme_two:", "MODULE:NAME"),
        ("acme_gone:ACME", "No module named 'acme_gone'"),
        ("acme_two:ACNE", "has no attribute 'ACNE'"),
        ("acme_two:open_device", "is neither a tests.conformance.subject.Subject nor a tuple"),
        ("acme_two:NONE", "is neither"),
    ],
)
@pytest.mark.parametrize("main", COMMANDS)
def test_a_subject_that_is_not_there_ends_a_command_with_2(
    acme: Path, main: Main, place: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--subject", place]) == 2
    assert why in capsys.readouterr().err


def test_a_soak_of_a_driver_that_is_not_there_ends_with_2_and_says_which_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert soak.main(["--driver", "ccnet", "--driver", "nonsense", "--notes", "5"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("no subject 'nonsense': there are 'ccnet', 'ccnet, no counter', ")
    assert "'cctalk-coin'" in err


def test_a_soak_of_somebody_elses_driver(acme: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert soak.main(["--subject", "acme_two:ACME", "--notes", "10"]) == 0
    assert capsys.readouterr().out.startswith("acme two, seed 1: 10 notes, ")


def test_the_matrix_of_somebody_elses_driver_is_printed_and_the_page_is_left_as_it_is(
    acme: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(matrix, "PAGE", tmp_path / "no-page")
    monkeypatch.setattr(matrix, "THEN", matrix.THEN[:1])
    monkeypatch.setattr(matrix, "CERTAIN", matrix.CERTAIN[:1])
    monkeypatch.setattr(matrix, "LEAVES_A_DOUBT", ())
    for more in ([], ["--stdout"]):
        assert matrix.main(["--subject", "acme_two:ACME", *more]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].endswith(" and then ... | acme two |")
        assert lines[2] == "| the device goes on | 6 credited, 4 returned |"
        assert "| `ack 2: lose` | 4 credited |" in lines
        assert lines[-1] == "| the device goes on | note_in_doubt, stack sent | in doubt, then credited | 1 of 1 |"
    assert not (tmp_path / "no-page").exists()
    with pytest.raises(SystemExit) as end:
        matrix.main(["--subject", "acme_two:ACME", "--check"])
    assert end.value.code == 2


def test_our_matrix_is_printed_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(matrix, "PAGE", tmp_path / "no-page")
    monkeypatch.setattr(matrix, "SUBJECTS", SUBJECTS[:1])
    monkeypatch.setattr(choice, "SUBJECTS", SUBJECTS[:1])
    monkeypatch.setattr(matrix, "THEN", ())
    monkeypatch.setattr(matrix, "CERTAIN", ("note 2: cheat",))
    monkeypatch.setattr(matrix, "LEAVES_A_DOUBT", ())
    assert matrix.main(["--stdout"]) == 0
    assert "| `note 2: cheat` | 3 credited |" in capsys.readouterr().out.splitlines()


def test_recordings_of_somebody_elses_driver_go_where_he_says_and_only_there(
    acme: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        recordings.main(["--subject", "acme_two:BOTH"])
    assert end.value.code == 2
    assert "--into" in capsys.readouterr().err
    place = acme / "recordings"
    assert recordings.main(["--subject", "acme_two:BOTH", "--into", str(place)]) == 0
    assert {path.name for path in place.iterdir()} == {"acme-two.wire", "acme-two.txt"}
    # The ones that pytest finds there.
    done = suite(acme, "test_replay.py", "--recordings", str(place), "-k", "would_be_made or in_words")
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout


def suite(acme: Path, *words: str, subject: str = "acme_two:PLAIN") -> subprocess.CompletedProcess[str]:
    """The suite as the driver's author runs it."""
    here = Path(__file__).parent
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--subject", subject,
         str(here / words[0]), *words[1:]],
        cwd=here.parents[1], capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(acme), *filter(None, sys.path)])},
    )  # fmt: skip


def test_the_suite_runs_somebody_elses_driver_and_no_other(acme: Path) -> None:
    # What the suite tests of itself, it tests with drivers of ours.
    done = suite(acme, "", "--collect-only", "-k", "not choice and not a_driver_that and not variants and not outside")
    assert done.returncode == 0, done.stdout
    found = [line for line in done.stdout.splitlines() if "::" in line and "[" in line]
    assert len(found) > 150
    assert all("acme-two" in line.partition("[")[2] for line in found)
    done = suite(acme, "test_start_up_table.py", "-k", "note_cleared and goes")
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout


def test_the_suite_says_so_where_a_recording_is_not_there(acme: Path) -> None:
    done = suite(acme, "test_replay.py", "-k", "words")
    assert done.returncode == 0, done.stdout
    assert "no recording of acme-two here: --recordings FOLDER says where it is" in done.stdout


def test_the_suite_says_so_where_a_subject_is_not_there(acme: Path) -> None:
    done = suite(acme, "test_soak.py", subject="acme_two:ACNE")
    assert done.returncode == 4
    assert "--subject 'acme_two:ACNE': module 'acme_two' has no attribute 'ACNE'" in done.stderr + done.stdout
