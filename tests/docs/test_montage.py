"""The picture in the README is made from the demo's."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.docs.montage import SCREENS, main
from tests.docs.pages import ROOT

PICTURE = ROOT / "kiosk" / "screen" / "pictures" / "day.png"


def demo_pictures(folder: Path) -> Path:
    folder.mkdir()
    for number, name in enumerate(SCREENS):
        Image.new("RGB", (540, 960), (0, 60 * number, 200)).save(folder / f"{number:02}-{name}.png")
    return folder


def test_the_screens_stand_side_by_side_in_their_order(tmp_path: Path) -> None:
    assert main([str(demo_pictures(tmp_path / "demo")), str(tmp_path / "day.png")]) == 0
    with Image.open(tmp_path / "day.png") as picture:
        rgb = picture.convert("RGB")
        width = rgb.width // len(SCREENS)
        seen = [rgb.getpixel((width * number + width // 2, 400)) for number in range(len(SCREENS))]
    assert seen == [(0, 60 * number, 200) for number in range(len(SCREENS))]


def test_a_screen_that_the_demo_left_out_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (demo_pictures(tmp_path / "demo") / "03-recovered.png").unlink()
    assert main([str(tmp_path / "demo"), str(tmp_path / "day.png")]) == 1
    assert "no picture 'recovered'" in capsys.readouterr().err


def test_the_committed_picture_is_one_and_small_enough_for_a_page() -> None:
    with Image.open(PICTURE) as picture:
        assert picture.width > picture.height
    assert PICTURE.stat().st_size < 300_000
