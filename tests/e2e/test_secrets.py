"""No PIN, no track data and no full card number in anything that a whole day leaves behind."""

from __future__ import annotations

import base64
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from drivers.card.pcsc.simulator_cards import CARDS, load_cards
from host.customers.demo import PEOPLE
from tests.e2e.conftest import DemoDay
from tests.e2e.demo.day import ANNA_PIN, BORIS_PIN, WRONG_PIN
from tests.e2e.secrets_search import Search

_PANS = {card.pan for card in load_cards(CARDS).values()} | {pan for person in PEOPLE for pan, _ in person.cards}
SEARCH = Search(tuple(sorted(_PANS)), (ANNA_PIN, BORIS_PIN, WRONG_PIN))
PAN = "4761739001010010"
TRACK_2 = "4761739001010010D31122011234500000"


def test_nothing_that_a_day_leaves_behind_holds_a_secret(demo_day: DemoDay) -> None:
    files = [path for top in (demo_day.keep, demo_day.out) for path in top.rglob("*") if path.is_file()]
    kinds = Counter(path.suffix for path in files)
    for kind in (".db", ".log", ".json", ".png", ".txt", ".toml", ".pem", ".wire"):
        assert kinds[kind], f"no {kind} to search: the day leaves other things than it did"
    found = {str(path): secrets for path in files if (secrets := SEARCH.in_file(path))}
    assert not found
    assert not SEARCH.in_bytes(demo_day.printed.encode())


SAMPLES = {
    "digits": PAN.encode(),
    "groups": b"4761 7390 0101 0010",
    "dashes": b"4761-7390-0101-0010",
    "in a longer number": b"99" + PAN.encode() + b"31122",
    "without its ends": PAN[2:-1].encode(),
    "UTF-16": PAN.encode("utf-16-le"),
    "hex of digits": PAN.encode().hex().encode(),
    "hex of digits, spaced": PAN.encode().hex(" ").upper().encode(),
    "hex of BCD, spaced": bytes.fromhex(PAN).hex(" ").encode(),
    "hex of BCD, colons": bytes.fromhex(PAN).hex(":").encode(),
    "BCD": bytes.fromhex(PAN),
    "BCD, shifted": bytes.fromhex("0" + PAN + "f"),
    "base64": base64.b64encode(b'{"pan":"' + PAN.encode() + b'"}'),
    "base64 of BCD": base64.b64encode(b"\x5a\x08" + bytes.fromhex(PAN)),
    "track 2 of the chip": bytes.fromhex(TRACK_2),
    "track 2 of the chip, hex": TRACK_2.encode(),
    "track 2 of the stripe": b";4761739001010010=31122011234500000?",
    "PIN": b"press 1234",
    "PIN, JSON": b'{"pin": "1234"}',
    "PIN, number": b'{"pin":1234}',
    "PIN, equals": b"pin=4321 ok",
    "PIN, alone": b"9876",
    "PIN, hex of digits": b'"31323334"',
    "PIN field 4": bytes.fromhex("441234aaaaaaaaaa0123456789abcdef"),
    "PIN field 4, hex": b"441234AAAAAAAAAA0123456789ABCDEF",
    "PIN field 0": bytes.fromhex("041234ffffffffff"),
    "PIN field 3, hex": b"341234abcdefabcd",
}


@pytest.mark.parametrize("planted", SAMPLES.values(), ids=SAMPLES)
def test_the_search_finds_what_is_planted(planted: bytes) -> None:
    assert SEARCH.in_bytes(b"before \x01" + planted + b"\x00 after")


@pytest.mark.parametrize(
    "allowed",
    [
        b"**** 0010",
        b"476173******0010",
        b"12.34",
        b"1,234.00",
        b"1795312775048485",
        b"LV61GUIC0000435804711",
        b"0x41234b",
    ],
)
def test_the_search_leaves_alone_what_may_be_written(allowed: bytes) -> None:
    assert not SEARCH.in_bytes(b"before " + allowed + b" after")


def test_the_search_looks_into_databases_and_pictures(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "books.db")) as database, database:
        database.execute("CREATE TABLE t (word TEXT, number INTEGER)")
        database.execute("INSERT INTO t VALUES (?, 1234)", ("x" * 9000 + PAN,))
    assert SEARCH.in_file(tmp_path / "books.db") == ["card number ending 0010 (digits)"]
    words = PngInfo()
    words.add_text("comment", f"card {PAN}")
    Image.new("RGB", (8, 8)).save(tmp_path / "picture.png", pnginfo=words)
    assert SEARCH.in_file(tmp_path / "picture.png") == ["card number ending 0010 (digits)"]
    Image.new("RGB", (8, 8)).save(tmp_path / "tail.png")
    with (tmp_path / "tail.png").open("ab") as tail:
        tail.write(b"pin=1234")
    assert SEARCH.in_file(tmp_path / "tail.png") == ["PIN 1*** (digits)"]
