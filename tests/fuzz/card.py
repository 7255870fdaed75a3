"""Chip cards: data objects and lists of them, the whole dialogue with a card that says anything, the simulated chip."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from drivers.api.card import Card
from drivers.card.pcsc.apdu import Dialogue
from drivers.card.pcsc.emv import KNOWN_AIDS, Terminal, identify
from drivers.card.pcsc.holder import EmvFailure
from drivers.card.pcsc.simulator_cards import CARDS, Fault, Protocol, load_cards
from drivers.card.pcsc.simulator_chip import Chip
from drivers.card.pcsc.tlv import Format, Supplied, Tlv, TlvError, encode, fill_dol, parse, parse_dol
from tests.fuzz.decoder import Broken, Decoder, Tape, must

_MOST_COMMANDS = 2000
_CARD = next(iter(load_cards(CARDS).values()))
_KINDS = tuple(
    replace(_CARD, protocol=protocol, directory=directory, fault=fault)
    for protocol in Protocol
    for directory in (True, False)
    for fault in Fault
)
_SUPPLIED = {
    0x9F1A: Supplied(b"\x04\x28", Format.NUMERIC),
    0x5F2A: Supplied(b"\x09\x78", Format.NUMERIC),
    0x9F37: Supplied(b"\x01\x02\x03\x04"),
    0x9F02: Supplied(bytes(6), Format.COMPACT),
}
_TERMINAL = Terminal(_SUPPLIED)


# --- data objects ---------------------------------------------------------------------------------------------------


def _tlv(data: bytes) -> None:
    with suppress(TlvError):
        for item in parse(data):
            _check_object(item, 0)
    with suppress(TlvError):
        entries = parse_dol(data)
        must(len(fill_dol(entries, _SUPPLIED)) == sum(entry.length for entry in entries), "a list is filled wrongly")


def _check_object(item: Tlv, depth: int) -> None:
    must(depth <= 8, "objects nested without end")
    (again,) = parse(encode(item.tag, bytes(item.value)))
    must(again.tag == item.tag and again.value == item.value, "an object is changed")
    for child in item.children:
        _check_object(child, depth + 1)


def _tlv_seeds() -> Iterator[bytes]:
    yield encode(
        0x6F, encode(0x84, KNOWN_AIDS[0]), encode(0xA5, encode(0x50, b"VISA"), encode(0x9F38, b"\x9f\x1a\x02"))
    )
    yield encode(0x70, encode(0x61, encode(0x4F, KNOWN_AIDS[4]), encode(0x87, b"\x01")), b"\x00\xff")
    yield encode(0x77, encode(0x94, bytes.fromhex("0801010010010301")), encode(0x82, b"\x18\x00"))
    yield bytes.fromhex("9F1A029F37045F2A029F0206")
    yield b"\x70\x82\x00\x85" + encode(0x57, bytes(130))
    yield b"\x70\x0f\x70\x0d\x70\x0b\x70\x09\x70\x07\x70\x05\x70\x03\x70\x01\x00"


# --- the dialogue ---------------------------------------------------------------------------------------------------

_AS_THE_CARD = 0xF0
_BIG = 0xF1


def _dialogue(data: bytes) -> None:
    """The first byte chooses the card; then what it answers: a length and so many bytes, or what a true card would."""
    tape = Tape(data)
    kind = _KINDS[tape.byte() % len(_KINDS)]
    chip = Chip(kind if kind.fault is not Fault.MUTE else _KINDS[0])
    dialogue = identify(_TERMINAL, t0=kind.protocol is Protocol.T0)
    said: list[bytearray] = []
    with suppress(EmvFailure, StopIteration):
        _converse(dialogue, chip, tape, said)
    must(all(not any(answer) for answer in said), "something that the card said is not wiped")


def _converse(dialogue: Dialogue[Card], chip: Chip, tape: Tape, said: list[bytearray]) -> None:
    command = next(dialogue)
    for _ in range(_MOST_COMMANDS):
        said.append(bytearray(_answer(command, chip, tape)))
        command = dialogue.send(said[-1])
    raise Broken("it asks the card without end")


def _answer(command: bytes, chip: Chip, tape: Tape) -> bytes:
    how = tape.byte() if tape.more else _AS_THE_CARD
    if how == _AS_THE_CARD:
        return chip.answer(command) or b""
    if how == _BIG:
        return tape.take(32) * 8 + bytes((0x61, 0))
    return tape.take(how) + (b"\x90\x00" if how & 1 else b"")


def _dialogue_seeds() -> Iterator[bytes]:
    for kind in range(len(_KINDS)):
        yield bytes((kind,))
    fci = encode(0x6F, encode(0x84, b"1PAY.SYS.DDF01"), encode(0xA5, encode(0x88, b"\x01")))
    entries = b"".join(encode(0x61, encode(0x4F, KNOWN_AIDS[0] + bytes((n,)))) for n in range(3))
    record = encode(0x70, entries)
    for answer in (
        fci,
        record,
        encode(0x80, b"\x18\x00\x08\x01\x05\x00"),
        encode(0x77, encode(0x94, b"\x08\x01\x01\x00")),
    ):
        for before in range(5):
            padded = answer if len(answer) & 1 else answer + b"\x00"
            yield bytes((13,)) + bytes((_AS_THE_CARD,)) * before + bytes((len(padded),)) + padded
    yield (
        bytes((13, len(fci) | 1))
        + fci.ljust(len(fci) | 1, b"\0")
        + (bytes((len(record) | 1,)) + record.ljust(len(record) | 1, b"\0")) * 3
    )


# --- the simulated chip ---------------------------------------------------------------------------------------------


def _chip(data: bytes) -> None:
    """The first byte chooses the card; then commands, each behind its length."""
    tape = Tape(data)
    chip = Chip(_KINDS[tape.byte() % len(_KINDS)])
    while tape.more:
        length = tape.byte()
        if length == 0xFF:
            chip.reset()
            continue
        answer = chip.answer(tape.take(length))
        must(answer is None or 2 <= len(answer) <= 258, "an answer of a length that no chip has")


def _chip_seeds() -> Iterator[bytes]:
    select = bytes.fromhex("00A404000E") + b"1PAY.SYS.DDF01" + b"\0"
    application = bytes.fromhex("00A40400") + bytes((len(_CARD.aid),)) + _CARD.aid + b"\0"
    options = bytes.fromhex("80A800000D830B") + bytes(11) + b"\0"
    reads = [bytes((0, 0xB2, record, sfi << 3 | 4, 0)) for sfi in (1, 2, 3) for record in (1, 2)]
    commands = [select, application, options, *reads, bytes.fromhex("00C0000010"), b"\x00\xca\x9f\x17\x00"]
    for kind in range(len(_KINDS)):
        yield bytes((kind,)) + b"".join(bytes((len(command),)) + command for command in commands)


DECODERS = (
    Decoder("card-tlv", _tlv, _tlv_seeds, 256),
    Decoder("card-dialogue", _dialogue, _dialogue_seeds, 512),
    Decoder("card-chip", _chip, _chip_seeds, 160),
)
