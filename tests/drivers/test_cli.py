"""``guichet-sim`` where it cannot be what it was asked to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.cli import main


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


@pytest.mark.parametrize("name", ["ccnet", "pinpad", "printer"])
def test_a_place_that_is_not_there_is_named(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = tmp_path / "gone"
    extra = {"printer": ["--paper", str(tmp_path)]}.get(name, ["--state", str(tmp_path / "memory.json")])
    assert main([name, "--pty", str(gone / "p"), "--control", str(tmp_path / "c"), *extra]) == 1
    assert str(gone) in capsys.readouterr().err
