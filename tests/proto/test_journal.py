"""Records and their chain, as both ends compute them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guichet.ids import TerminalId
from guichet.journal.chain import (
    GENESIS,
    ChainError,
    Entry,
    check_link,
    check_seal,
    entry_hash,
    entry_seal,
    next_entry,
    verify_chain,
)
from guichet.journal.records import Fact, RecordError, decode, encode, fact_of, from_wire, to_wire
from guichet.limits import MAX_RECORD_BYTES
from guichet.money import Currency, Money, MoneyError
from guichet.v1 import journal_pb2 as pb
from guichet.v1 import money_pb2

TERMINAL = TerminalId("GVA-0001")
FACTS: list[type[Fact]] = list(get_args(Fact))


def test_the_list_of_facts_is_that_of_the_contract() -> None:
    fields = pb.JournalRecord.DESCRIPTOR.oneofs_by_name["fact"].fields
    assert {fact.DESCRIPTOR.full_name for fact in FACTS} == {
        field.message_type.full_name for field in fields if field.message_type is not None
    }


@pytest.mark.parametrize("kind", FACTS, ids=lambda kind: kind.DESCRIPTOR.name)
def test_every_fact_is_written_and_read_even_when_it_is_empty(kind: type[Fact]) -> None:
    record = decode(encode(TERMINAL, 17, kind()))
    assert (record.terminal_id, record.recorded_at_us, record.schema) == ("GVA-0001", 17, 1)
    assert fact_of(record) == kind()
    assert isinstance(fact_of(record), kind)


def test_a_record_beyond_its_bounds_is_refused_at_both_ends() -> None:
    with pytest.raises(RecordError, match="over"):
        encode(TERMINAL, 0, pb.Incident(text="x" * MAX_RECORD_BYTES))
    with pytest.raises(RecordError, match="over"):
        decode(bytes(MAX_RECORD_BYTES + 1))


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\xff", pb.JournalRecord(schema=2, incident=pb.Incident()).SerializeToString(),
        pb.JournalRecord(schema=1).SerializeToString(),
        pb.JournalRecord(schema=1).SerializeToString() + b"\xa2\x06\x00",  # field 100: of a version to come
    ],
)  # fmt: skip
def test_bytes_that_are_no_record_of_ours_are_refused(data: bytes) -> None:
    with pytest.raises(RecordError):
        decode(data)


def test_a_record_without_a_fact_says_nothing() -> None:
    with pytest.raises(RecordError, match="nothing"):
        fact_of(pb.JournalRecord(schema=1))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_record_or_refused(data: bytes) -> None:
    try:
        record = decode(data)
    except RecordError:
        return
    assert fact_of(record) is not None


def test_money_goes_over_the_wire_and_back_and_an_unknown_currency_does_not() -> None:
    money = Money(-123, Currency("JPY"))
    assert from_wire(to_wire(money)) == money
    for bad in (money_pb2.Money(minor=1, currency="XXX"), money_pb2.Money(minor=10**15 + 1, currency="EUR")):
        with pytest.raises(MoneyError):
            from_wire(bad)


# --- the chain ------------------------------------------------------------------------------------------------------


def chain(*records: bytes, epoch: int = 1) -> list[Entry]:
    entries: list[Entry] = []
    for record in records:
        entries.append(next_entry(epoch, entries[-1] if entries else None, record))
    return entries


def test_the_hash_of_an_entry_is_fixed_for_ever() -> None:
    """Computed with sha256sum over the bytes that the docstring names."""
    assert entry_hash(1, 1, GENESIS, b"record").hex() == (
        "7d410be2ea22b0e6d694ed6450380392ede7d98bf56bb7c880f4bad6820a1ff0"
    )  # fmt: skip


def test_a_chain_begins_at_1_with_zeros_and_continues_without_gaps() -> None:
    entries = chain(b"a", b"b", b"c")
    assert [entry.sequence for entry in entries] == [1, 2, 3]
    assert entries[0].previous_hash == GENESIS == bytes(32)
    assert entries[1].previous_hash == entries[0].hash
    assert verify_chain(entries, 1) == (3, entries[2].hash)
    assert verify_chain([], 1) == (0, GENESIS)


BREAKS: dict[str, Callable[[list[Entry]], list[Entry]]] = {
    "left out": lambda e: [e[0], e[2]],
    "the first left out": lambda e: e[1:],
    "repeated": lambda e: [e[0], e[0], e[1]],
    "exchanged": lambda e: [e[1], e[0], e[2]],
    "altered": lambda e: [e[0], replace(e[1], record=b"B"), e[2]],
    "altered with its hash": lambda e: [
        e[0], replace(e[1], record=b"B", hash=entry_hash(1, 2, e[0].hash, b"B")), e[2]
    ],
    "of another epoch": lambda e: [e[0], replace(e[1], epoch=2), e[2]],
    "of a chain of another epoch": lambda e: [e[0], chain(b"a", b"b", epoch=2)[1], e[2]],
    "renumbered": lambda e: [e[0], replace(e[2], sequence=2)],
    "continued from elsewhere": lambda e: [e[0], chain(b"x", b"b")[1]],
}  # fmt: skip
FIRST_BAD = {"the first left out": 2, "repeated": 1, "exchanged": 2, "left out": 3, "altered with its hash": 3}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_chain_is_refused_at_the_first_entry_that_does_not_fit(name: str) -> None:
    with pytest.raises(ChainError) as error:
        verify_chain(BREAKS[name](chain(b"a", b"b", b"c")), 1)
    assert error.value.sequence == FIRST_BAD.get(name, 2)
    assert str(error.value.sequence) in str(error.value)
    assert error.value.reason


@given(st.lists(st.binary(max_size=20), max_size=6), st.integers(1, 2**40), st.data())
def test_any_one_changed_bit_breaks_the_chain(records: list[bytes], epoch: int, data: st.DataObject) -> None:
    entries = chain(*records, epoch=epoch)
    assert verify_chain(entries, epoch)[0] == len(records)
    places = [
        (n, field) for n, e in enumerate(entries) for field in ("record", "hash", "previous_hash") if getattr(e, field)
    ]
    if not places:
        return
    number, name = data.draw(st.sampled_from(places))
    changed = bytearray(getattr(entries[number], name))
    bit = data.draw(st.integers(0, len(changed) * 8 - 1))
    changed[bit // 8] ^= 1 << bit % 8
    entries[number] = replace(entries[number], **{name: bytes(changed)})
    with pytest.raises(ChainError):
        verify_chain(entries, epoch)


def test_a_link_can_be_checked_alone() -> None:
    first, second = chain(b"a", b"b")
    check_link(second, 1, 1, first.hash)
    with pytest.raises(ChainError, match="does not follow"):
        check_link(second, 1, 0, GENESIS)


def test_a_seal_is_of_this_key_this_purpose_and_this_entry_and_so_of_all_before_it() -> None:
    key, entry = bytes(range(32)), next_entry(1, None, b"record")
    seal = entry_seal(key, entry.hash)
    # By hand, after RFC 2104: nobody who seals something else with the key can have it taken for an entry.
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in key.ljust(64, b"\0")) + b"guichet/v1/journal-seal\0" + entry.hash)
    assert seal == hashlib.sha256(bytes(b ^ 0x5C for b in key.ljust(64, b"\0")) + inner.digest()).digest()
    check_seal(entry, key, seal)
    for other, with_key, of in ((next_entry(1, None, b"x"), key, seal), (entry, bytes(32), seal), (entry, key, b"")):
        with pytest.raises(ChainError, match="entry 1: was not sealed"):
            check_seal(other, with_key, of)
