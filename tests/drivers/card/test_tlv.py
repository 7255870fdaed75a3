"""Data objects as chips write them, and lists of those that they want."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.card.pcsc.tlv import (
    DolEntry,
    Format,
    Supplied,
    Tlv,
    TlvError,
    encode,
    fill_dol,
    parse,
    parse_dol,
)


def shape(objects: tuple[Tlv, ...]) -> list[object]:
    """Tags and values as nested lists, to compare."""
    return [(f"{o.tag:X}", shape(o.children) if o.children else bytes(o.value).hex().upper()) for o in objects]


def test_a_directory_record_is_read_with_its_templates() -> None:
    record = bytes.fromhex("701A61184F07A0000000031010500A56495341204445424954870101")
    assert shape(parse(record)) == [
        ("70", [("61", [("4F", "A0000000031010"), ("50", "56495341204445424954"), ("87", "01")])])
    ]


def test_repeated_tags_are_all_kept_in_order() -> None:
    template = parse(bytes.fromhex("700C61044F02A00161044F02A002"))[0]
    assert [bytes(entry.children[0].value).hex() for entry in template.all(0x61)] == ["a001", "a002"]
    assert template.first(0x61) is template.children[0]
    assert template.first(0x4F) is None


@pytest.mark.parametrize(
    ("data", "objects"),
    [
        ("", []),
        ("0000FF00", []),
        ("00 5A0112 0000 5F340101 FF", [("5A", "12"), ("5F34", "01")]),
        ("7006 00 5A0112 0000", [("70", [("5A", "12")])]),
        ("5A00", [("5A", "")]),
        ("DF81010102", [("DF8101", "02")]),
        ("5A8101AA", [("5A", "AA")]),
        ("5A820001AA", [("5A", "AA")]),
    ],
)
def test_these_bytes_are_these_objects(data: str, objects: list[object]) -> None:
    assert shape(parse(bytes.fromhex(data))) == objects


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("5A", "no length"),
        ("5F", "inside the tag"),
        ("5A02 11", "says 2 bytes where 1"),
        ("7003 5A05 11", "says 5 bytes where 1"),
        ("5A80 11 0000", "of a form"),
        ("5A83 000001 11", "of a form"),
        ("5A82 01", "inside the length"),
        ("1F81818101 00", "more than 4 bytes"),
        ("7011700F700D700B7009700770057003700170", "no length|deeper"),
        ("7012701070 0E700C700A70087006700470027000", "deeper"),
    ],
)
def test_what_is_no_data_object_raises(data: str, text: str) -> None:
    with pytest.raises(TlvError, match=text):
        parse(bytes.fromhex(data))


@given(st.binary(max_size=300))
def test_any_bytes_parse_or_raise_tlv_error(data: bytes) -> None:
    try:
        objects = parse(data)
    except TlvError:
        objects = ()
    assert sum(len(o.value) for o in objects) <= len(data)


@given(st.binary(max_size=100))
def test_any_list_parses_or_raises_tlv_error(data: bytes) -> None:
    try:
        entries = parse_dol(data)
    except TlvError:
        entries = ()
    assert len(fill_dol(entries, {})) == sum(entry.length for entry in entries)


_VALUES = st.recursive(
    st.tuples(st.sampled_from([0x4F, 0x5A, 0x9F38, 0xDF8101]), st.binary(max_size=300)).map(lambda t: encode(*t)),
    lambda inner: st.tuples(st.sampled_from([0x61, 0x70, 0xA5, 0xBF0C]), st.lists(inner, max_size=4)).map(
        lambda t: encode(t[0], *t[1])
    ),
    max_leaves=8,
)


@given(_VALUES)
def test_what_is_encoded_parses_to_itself(data: bytes) -> None:
    def again(item: Tlv) -> bytes:
        if item.children:
            return encode(item.tag, *(again(child) for child in item.children))
        return encode(item.tag, bytes(item.value))

    objects = parse(data)
    assert len(objects) == 1
    assert again(objects[0]) == data


def test_a_value_wider_than_two_bytes_of_length_is_refused() -> None:
    with pytest.raises(TlvError):
        encode(0x5A, bytes(65536))


def test_wiping_the_buffer_wipes_the_values() -> None:
    buffer = bytearray.fromhex("5A0847617390010100 10".replace(" ", ""))
    item = parse(buffer)[0]
    buffer[:] = bytes(len(buffer))
    assert bytes(item.value) == bytes(8)
    assert repr(item) == "Tlv(5A, 8 bytes)"


def test_a_list_names_tags_and_lengths() -> None:
    assert parse_dol(bytes.fromhex("9F1A025F2A029A03")) == (
        DolEntry(0x9F1A, 2),
        DolEntry(0x5F2A, 2),
        DolEntry(0x9A, 3),
    )


@pytest.mark.parametrize("data", ["9F", "9F1A", "9A0382"])
def test_a_list_that_ends_early_raises(data: str) -> None:
    with pytest.raises(TlvError):
        parse_dol(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("kind", "length", "filled"),
    [
        (Format.NUMERIC, 4, "00001234"),
        (Format.NUMERIC, 1, "34"),
        (Format.COMPACT, 4, "1234FFFF"),
        (Format.COMPACT, 1, "12"),
        (Format.OTHER, 4, "12340000"),
        (Format.OTHER, 1, "12"),
        (Format.OTHER, 0, ""),
    ],
)
def test_values_are_fitted_as_their_format_says(kind: Format, length: int, filled: str) -> None:
    supplied = {0x9F02: Supplied(bytes.fromhex("1234"), kind)}
    assert fill_dol((DolEntry(0x9F02, length),), supplied).hex().upper() == filled


def test_what_the_terminal_does_not_know_is_zeros() -> None:
    assert fill_dol((DolEntry(0x9A, 3), DolEntry(0x95, 5)), {0x9A: Supplied(b"\x26\x01\x02")}) == bytes.fromhex(
        "2601020000000000"
    )
