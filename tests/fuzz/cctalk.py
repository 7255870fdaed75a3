"""ccTalk: framing with both checksums, messages, identifiers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

from drivers.cash.cctalk.framing import BROADCAST, HOST, MAX_DATA, Checksum, Deframer, Frame, Noise, frame
from drivers.cash.cctalk.messages import (
    Acknowledged,
    Answer,
    Busy,
    Code,
    EventBuffer,
    Header,
    Mask,
    MessageError,
    NotAcknowledged,
    NotRouted,
    OptionFlags,
    PollEvery,
    SerialNumber,
    Text,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
)
from drivers.cash.cctalk.values import CoinUnit, Scaling, coin_value, is_identifier, note_value
from guichet.money import Money
from tests.fuzz import lines
from tests.fuzz.decoder import Decoder, Tape, must

HEADERS = tuple(Header)


def _events(counter: int, *pairs: tuple[int, int]) -> EventBuffer:
    return EventBuffer(counter, (pairs + ((0, 0),) * 5)[:5])


_REFUSALS: tuple[Answer, ...] = (NotAcknowledged(), Busy())
BUFFERS: tuple[Answer, ...] = tuple(
    _events(counter, *pairs)
    for counter, *pairs in (
        (0,), (1, (0, 1)), (2, (1, 1), (0, 1)), (3, (1, 0), (1, 1), (0, 1)), (3, (0, 1), (1, 1), (0, 1)),
        (4, (2, 1), (1, 0), (1, 1), (0, 1)), (5, (2, 0), (2, 1), (1, 0), (1, 1), (0, 1)), (5, (0, 6), (2, 1)),
        (6, (0, 0)), (7, (0, 11)), (8, (0, 12), (0, 11)), (9, (0, 14)), (10, (0, 21)), (60, (3, 1)), (255, (1, 0)),
        (1, (3, 1), (1, 0)), (2, (0, 99)), (3, (0, 20), (9, 9)),
    )
)  # fmt: skip
_ALL, _NONE = Mask(b"\xff" * 8), Mask(bytes(8))
LIKELY: Mapping[Header, tuple[Answer, ...]] = {
    Header.NOTE_EVENTS: BUFFERS + _REFUSALS,
    Header.COIN_EVENTS: BUFFERS + _REFUSALS,
    Header.SERIAL: (SerialNumber(12345678), SerialNumber(1), *_REFUSALS),
    Header.MANUFACTURER: (Text("GUICHET-SIM"), Text("ITL"), *_REFUSALS),
    Header.CATEGORY: (Text("Bill Validator"), Text("Coin Acceptor"), *_REFUSALS),
    Header.PRODUCT: (Text("CT40"), *_REFUSALS),
    Header.SOFTWARE: (Text("1.0"), *_REFUSALS),
    Header.REVISION: (Text("SIM1"), *_REFUSALS),
    Header.POLLING_PRIORITY: (PollEvery(0.2), PollEvery(None), *_REFUSALS),
    Header.GET_INHIBITS: (_NONE, _ALL, Mask(b"\xff\xff"), *_REFUSALS),
    Header.GET_MASTER: (Code(1), Code(0), *_REFUSALS),
    Header.OPTION_FLAGS: (OptionFlags(0), OptionFlags(1), *_REFUSALS),
    Header.STATUS: (Code(0), Code(1), Code(2), *_REFUSALS),
    Header.SELF_CHECK: (Code(0), Code(39), Code(44), Code(45), Code(255), *_REFUSALS),
    Header.NOTE_ID: (Text("EU0005A"), Text("EU0020A"), Text("US0020A"), Text("......."), Text("EU.005A"), *_REFUSALS),
    Header.COIN_ID: (Text("EU050A"), Text("EU2K0A"), Text("......"), Text("EU5m0A"), *_REFUSALS),
    Header.SCALING: (Scaling(100, 2), Scaling(0, 0), *_REFUSALS),
    Header.ROUTE: (Acknowledged(), NotRouted.ESCROW_EMPTY, NotRouted.FAILED, *_REFUSALS),
}
DONE: tuple[Answer, ...] = (Acknowledged(), *_REFUSALS)


# --- framing --------------------------------------------------------------------------------------------------------

_BY_CRC, _AT_THE_DEVICE = 1, 2


def _is_damaged(item: lines.Item) -> bool | None:
    return item.damaged if isinstance(item, Noise) else None


def _rebuilt_simple(item: lines.Item) -> bytes:
    return frame(item.to, item.header, item.data, source=item.source or 0) if isinstance(item, Frame) else b""


def _rebuilt_crc(item: lines.Item) -> bytes:
    return frame(item.to, item.header, item.data, checksum=Checksum.CRC16) if isinstance(item, Frame) else b""


def _line(checksum: Checksum, *, at_the_device: bool) -> lines.Line:
    addresses = frozenset({40, BROADCAST}) if at_the_device else frozenset({HOST})
    source = None if at_the_device else 40
    good = frame(40 if at_the_device else HOST, 0, source=HOST if at_the_device else 40, checksum=checksum)
    rebuilt = _rebuilt_crc if checksum is Checksum.CRC16 else _rebuilt_simple
    return lines.Line(
        lambda: Deframer(addresses, source, checksum), _is_damaged, rebuilt, good, b"\xff", MAX_DATA + 5
    )  # fmt: skip


_LINES = tuple(
    _line(Checksum.CRC16 if way & _BY_CRC else Checksum.SIMPLE, at_the_device=bool(way & _AT_THE_DEVICE))
    for way in range(4)
)


def _framing(data: bytes) -> None:
    """The first byte: which checksum, at which end."""
    lines.check(_LINES[data[0] % len(_LINES) if data else 0], data[1:])


def _framing_seeds() -> Iterator[bytes]:
    answers = [answer for answers in LIKELY.values() for answer in answers]
    for way, checksum in enumerate((Checksum.SIMPLE, Checksum.CRC16)):
        for answer in answers:
            header, data = encode_answer(answer)
            raw = frame(HOST, header, data, source=40, checksum=checksum)
            yield bytes((way, 0)) + raw
            yield bytes((way, 0xF5)) + raw[:-1] + b"\x55" + raw
        for header in HEADERS:
            yield bytes((way | _AT_THE_DEVICE, 0xF2)) + frame(40, header, checksum=checksum)
        yield bytes((way, 0)) + frame(HOST, 0, bytes(MAX_DATA), source=40, checksum=checksum)


# --- messages -------------------------------------------------------------------------------------------------------


def _messages(data: bytes) -> None:
    """The first byte: what was asked; the second: the header."""
    tape = Tape(data)
    asked, header, content = HEADERS[tape.byte() % len(HEADERS)], tape.byte(), tape.take(MAX_DATA)
    with suppress(MessageError):
        must(encode_request(decode_request(header, content)) == (header, content), "a request is changed")
    with suppress(MessageError):
        answer = decode_answer(asked, header, content)
        again = encode_answer(answer)
        if isinstance(answer, EventBuffer | Mask | SerialNumber | Scaling | NotRouted | Acknowledged):
            must(again == (header, content), "an answer is changed")
        elif isinstance(answer, Text):
            must(not content.isascii() or again == (header, content), "a text is changed")
        elif isinstance(answer, PollEvery):
            must(answer.seconds is None or answer.seconds > 0, "a poll that never comes")


def _message_seeds() -> Iterator[bytes]:
    for index, header in enumerate(HEADERS):
        yield bytes((index, header))
        yield bytes((index, header, 1))
        for answer in LIKELY.get(header, DONE):
            reply, data = encode_answer(answer)
            yield bytes((index, reply)) + data


# --- what positions are worth ---------------------------------------------------------------------------------------


def _values(data: bytes) -> None:
    """Three bytes of scaling, then the identifier."""
    tape = Tape(data)
    scaling = Scaling(tape.byte() << 8 | tape.byte(), tape.byte())
    identifier = tape.rest().decode("ascii", "replace")
    is_identifier(identifier, note=True)
    worth = note_value(identifier, scaling)
    _must_be_worth_something(worth)
    if worth is not None and identifier[2:6].isdigit() and scaling.decimals == worth.currency.exponent:
        must(worth.minor == int(identifier[2:6]) * scaling.factor, "digits times factor are another amount")
    coins = [coin_value(identifier, unit) for unit in CoinUnit]
    for coin in coins:
        _must_be_worth_something(coin)
    if coins[0] is not None and identifier[2:5].isdigit():
        must(coins[0].minor == int(identifier[2:5]), "a coin's digits are another amount")


def _must_be_worth_something(value: Money | None) -> None:
    must(value is None or value.minor > 0, "it is worth nothing, and says what")


def _value_seeds() -> Iterator[bytes]:
    for text in (
        "EU0005A",
        "EU.005A",
        "KW10.5A",
        "JP1000A",
        "EU050A",
        "EU2K5A",
        "EU5m0A",
        "EUM10A",
        "KWG99A",
        "EU.50A",
    ):
        yield b"\x00\x64\x02" + text.encode()
        yield b"\x00\x01\x00" + text.encode()


DECODERS = (
    Decoder("cctalk-framing", _framing, _framing_seeds, 96),
    Decoder("cctalk-messages", _messages, _message_seeds, 257),
    Decoder("cctalk-values", _values, _value_seeds, 32),
)
