"""The changes that wait for a release have a form, and a release takes them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from tests.docs.pages import ROOT


def load() -> ModuleType:
    specification = importlib.util.spec_from_file_location("compose", ROOT / ".changes" / "compose.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


compose = load()


def folder_with(tmp_path: Path, **texts: str) -> Path:
    folder = tmp_path / "changes"
    folder.mkdir()
    for name, text in texts.items():
        (folder / f"{name.replace('__', '.')}.md").write_text(text, encoding="utf-8")
    return folder


def test_every_change_that_waits_has_a_form() -> None:
    assert compose.section(ROOT / ".changes", "next").startswith("## next\n")


def test_a_release_takes_the_changes_by_their_kind_and_leaves_older_releases_below(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, README="about", lamp__fixed="It\nshines.\n", door__added="It opens.\n")
    changelog = tmp_path / "CHANGELOG.md"
    changelog.write_text("# Changes\n\nAbout.\n\n## 0.1.0\n\nOld.\n", encoding="utf-8")
    compose.release(folder, changelog, "0.2.0")
    assert changelog.read_text(encoding="utf-8") == (
        "# Changes\n\nAbout.\n\n## 0.2.0\n\n### Added\n\n* It opens.\n\n### Fixed\n\n* It shines.\n\n## 0.1.0\n\nOld.\n"
    )
    assert [path.name for path in folder.iterdir()] == ["README.md"]


def test_the_first_release_takes_the_place_of_none(tmp_path: Path) -> None:
    changelog = tmp_path / "CHANGELOG.md"
    changelog.write_text((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), encoding="utf-8")
    compose.release(folder_with(tmp_path, door__added="It opens.\n"), changelog, "0.1.0")
    assert changelog.read_text(encoding="utf-8").endswith("\n\n## 0.1.0\n\n### Added\n\n* It opens.\n")
    assert compose.MARK not in changelog.read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "text"), [("door", "It opens."), ("door__news", "It opens."), ("door__added", " \n")])
def test_a_change_without_a_form_is_refused(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"expected TOPIC\.KIND\.md"):
        compose.section(folder_with(tmp_path, **{name: text}), "next")
