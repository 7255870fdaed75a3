"""Receipts as a person sees them: text as golden files, and what must hold of every picture.

After a change that is meant, ``GUICHET_GOLDEN=write pytest tests/drivers/printer`` writes the files; read the diff.
"""

import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
import segno
from PIL import Image

from drivers.api.document import Align, Document, QrCode, Text
from drivers.printer.escpos.render import Paper, render
from drivers.printer.escpos.simulator_machine import Machine
from drivers.printer.escpos.simulator_paper import Span, Strip
from tests.drivers.printer.escpos import samples

GOLDEN = Path(__file__).parent / "golden"


def printed(document: Document, columns: int = 48, profile: str = "default") -> Strip:
    strips: list[Strip] = []
    Machine(columns, strips.append).receive(b"".join(render(document, Paper(profile, columns))) + b"\x1dV\x00")
    [strip] = strips
    return strip


def black(image: Image.Image, x: int, y: int) -> bool:
    pixel = image.getpixel((x, y))
    assert isinstance(pixel, int | float)
    return pixel < 128


def ink(strip: Strip) -> Image.Image:
    """The picture in greys, its transparent teeth as white paper."""
    picture = Image.open(BytesIO(strip.png()))
    assert picture.mode == "RGBA"
    flat = Image.new("RGBA", picture.size, "white")
    flat.alpha_composite(picture)
    return flat.convert("L")


@pytest.mark.parametrize("columns", [32, 48])
@pytest.mark.parametrize("sample", samples.ALL)
def test_a_sample_reads_as_it_always_did(sample: Callable[[], Document], columns: int) -> None:
    text = printed(sample(), columns).text()
    golden = GOLDEN / f"{sample.__name__}-{columns}.txt"
    if os.environ.get("GUICHET_GOLDEN") == "write":
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")
    assert "?" not in text
    assert "\ufffd" not in text


@pytest.mark.parametrize(("columns", "width"), [(48, 640), (42, 632), (32, 464)])
def test_a_picture_is_as_wide_as_the_paper_and_its_margins_are_clean(columns: int, width: int) -> None:
    image = ink(printed(samples.statement(), columns))
    assert image.width == width
    margin = (width - columns * 12) // 2
    for left in (2, width - margin + 2):
        strip = image.crop((left, 10, left + margin - 4, image.height - 10))
        darkest = strip.getextrema()[0]
        assert isinstance(darkest, int | float)
        assert darkest > 200


@pytest.mark.parametrize("content", ["https://bank.example/claim/7Q2K-4410", "GUICHET1:" + "Abc123+/=" * 30])
def test_a_code_on_paper_is_the_code_that_was_meant_module_by_module(content: str) -> None:
    code = segno.make_qr(content.encode(), error="M", boost_error=False)
    image = ink(printed(Document("code", (QrCode(content),))))
    left, top, size = dark_square(image)
    count = len(code.matrix)
    module, rest = divmod(size, count)
    assert (module >= 4, rest) == (True, 0)
    for row in range(count):
        for column in range(count):
            x, y = left + column * module + module // 2, top + row * module + module // 2
            assert black(image, x, y) == bool(code.matrix[row][column])
    assert min(left, image.width - left - size, top - 8, image.height - top - size - 8) >= 4 * module


def test_a_printer_without_codes_of_its_own_gets_a_picture_of_one() -> None:
    strip = printed(Document("code", (QrCode("https://bank.example/claim/7Q2K-4410"),)), profile="simple")
    assert "[picture" in strip.text()
    _, _, size = dark_square(ink(strip))
    assert size == 29 * 6


def dark_square(image: Image.Image) -> tuple[int, int, int]:
    """Left, top and size of everything dark; it must be a square."""
    rows = [y for y in range(image.height) if dark(image, (0, y, image.width, y + 1))]
    columns = [x for x in range(image.width) if dark(image, (x, 0, x + 1, image.height))]
    assert columns[-1] - columns[0] == rows[-1] - rows[0]
    return columns[0], rows[0], rows[-1] - rows[0] + 1


def dark(image: Image.Image, box: tuple[int, int, int, int]) -> bool:
    return min(image.crop(box).tobytes()) < 128


def test_every_letter_of_the_three_languages_has_a_shape_of_its_own() -> None:
    letters = (
        "ABCXYZabcxyz0123456789"
        + "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдеёжзийклмнопрстуфхцчшщъыьэюя"
        + "ĀČĒĢĪĶĻŅŠŪŽāčēģīķļņšūž€№"
    )
    alike = {"А": "A", "В": "B", "С": "C", "Х": "X", "а": "a", "с": "c", "х": "x", "у": "y", "З": "3"}
    shapes: dict[bytes, str] = {}
    for letter in letters:
        strip = printed(Document("letter", (Text(letter),)))
        assert strip.text() == f"{letter}\n"
        shape = ink(strip).crop((32, 46, 44, 76)).tobytes()
        assert 0 in [value // 128 for value in shape], letter
        before = shapes.setdefault(shape, letter)
        assert before == letter or alike.get(letter) == before, (letter, before)


def test_bold_is_darker_and_large_is_twice_as_big() -> None:
    plain, bold, large = (
        ink(printed(Document("styles", (Text("HHHH", Align.CENTRE, bold=bold, large=large),))))
        for bold, large in ((False, False), (True, False), (False, True))
    )

    def darkness(image: Image.Image) -> int:
        return sum(value < 128 for value in image.crop((32, 10, 608, image.height - 10)).tobytes())

    assert darkness(bold) > darkness(plain) * 1.2
    assert darkness(large) > darkness(plain) * 3


def test_widths_and_heights_may_differ() -> None:
    strips: list[Strip] = []
    Machine(48, strips.append).receive(b"\x1d!\x10WIDE\n\x1d!\x01TALL\n\x1dV\x00")
    image = ink(strips[0])
    assert strips[0].text() == "WIDE\nTALL\n"
    assert Span("WIDE", width=2).dots == 96
    assert any(black(image, x, y) for x in range(32 + 72, 32 + 96) for y in range(46, 76))
    assert not any(black(image, x, y) for x in range(32 + 48, 600) for y in range(80, 130))


def test_a_torn_strip_has_a_ragged_end() -> None:
    whole, torn = Strip(48, complete=True), Strip(48)
    bottoms = [strip.picture().getchannel("A") for strip in (whole, torn)]
    gaps = [
        sum(value == 0 for value in alpha.crop((0, alpha.height - 40, 640, alpha.height)).tobytes())
        for alpha in bottoms
    ]
    assert gaps[1] > gaps[0]
