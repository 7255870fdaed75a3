from __future__ import annotations

import struct
from pathlib import Path

import pytest

from kiosk.locale import extract
from kiosk.screen.words import Words


def write_catalogue(root: Path, language: str, texts: dict[str, str]) -> None:
    """A compiled catalogue: the form is described in GNU gettext's manual, "The Format of GNU MO Files"."""
    header = "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=2; plural=(n != 1);\n"
    entries = sorted({"": header, **texts}.items())
    keys, values = [[side.encode() for side in column] for column in zip(*entries, strict=True)]
    start = 7 * 4
    offset = start + 16 * len(entries)
    tables, pool = b"", b""
    for column in (keys, values):
        for item in column:
            tables += struct.pack("<II", len(item), offset + len(pool))
            pool += item + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, len(entries), start, start + 8 * len(entries), 0, 0)
    path = root / language / "LC_MESSAGES" / "guichet.mo"
    path.parent.mkdir(parents=True)
    path.write_bytes(head + tables + pool)


@pytest.fixture
def catalogues(tmp_path: Path) -> Path:
    write_catalogue(
        tmp_path,
        "lv",
        {
            "Back": "Atpakaļ",
            "Card {card}": "Karte {card}",
            "Account {account}": "Konts {konts}",
            "Hello, {name}": "Sveiki, {name",
            "{number} note\0{number} notes": "{number} banknote\0{number} banknotes",
        },
    )
    return tmp_path


def test_a_language_speaks_by_its_catalogue_also_for_a_region_of_it(catalogues: Path) -> None:
    assert Words("lv", catalogues)("Back") == "Atpakaļ"
    assert Words("lv-LV", catalogues)("Card {card}", card="•• 12") == "Karte •• 12"
    assert Words("lv", catalogues).count("{number} note", "{number} notes", 3) == "3 banknotes"


def test_what_a_catalogue_lacks_is_said_in_english(catalogues: Path) -> None:
    assert Words("lv", catalogues)("Done") == "Done"
    assert Words("xx-unknown", catalogues)("Back") == "Back"
    assert Words("", catalogues).count("{number} note", "{number} notes", 1) == "1 note"


def test_a_translation_with_broken_fields_gives_way_to_english(catalogues: Path) -> None:
    assert Words("lv", catalogues)("Account {account}", account="12") == "Account 12"
    assert Words("lv", catalogues)("Hello, {name}", name="Ieva") == "Hello, Ieva"


def test_the_fields_contents_are_never_read_as_a_form() -> None:
    assert Words("en")("Hello, {name}", name="{account} %s") == "Hello, {account} %s"


def test_the_template_for_translators_holds_exactly_the_texts_of_the_source() -> None:
    assert extract.TEMPLATE.read_text(encoding="utf-8") == extract.template(), "run: python -m kiosk.locale.extract"
