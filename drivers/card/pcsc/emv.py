"""Identifying a contact card by its chip: EMV 4.3 Book 1 section 12 (choosing an application), Book 3 section 10.1 and
10.2 (initiating it, reading its records). No input or output: see :data:`drivers.card.pcsc.apdu.Dialogue`.

It only reads. GENERATE AC, which counts a transaction in the chip, is never sent. Among several applications the one of
the highest priority is taken, without asking; a chip's wish that the holder confirm (tag 87, bit 8) is not asked
either, because nothing is authorised here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from drivers.api.card import Card
from drivers.card.pcsc.apdu import (
    CONDITIONS_NOT_MET,
    FILE_BLOCKED,
    NO_MORE_RECORDS,
    NOT_SUPPORTED,
    OK,
    Answer,
    BadAnswer,
    Dialogue,
    exchange,
    get_processing_options,
    read_record,
    select,
    wipe,
)
from drivers.card.pcsc.holder import ChipData, EmvFailure, Reason, card_of
from drivers.card.pcsc.tlv import Supplied, Tlv, TlvError, fill_dol, parse, parse_dol

PSE = b"1PAY.SYS.DDF01"

KNOWN_AIDS = tuple(
    bytes.fromhex(aid)
    for aid in (
        "A0000000031010",  # Visa
        "A0000000032010",  # Visa Electron
        "A0000000032020",  # V PAY
        "A0000000038010",  # Plus
        "A0000000041010",  # Mastercard
        "A0000000043060",  # Maestro
        "A0000000046000",  # Cirrus
        "A00000002501",  # American Express
        "A0000000651010",  # JCB
        "A000000333010101",  # UnionPay debit
        "A000000333010102",  # UnionPay credit
        "A000000333010103",  # UnionPay quasi-credit
        "A0000001523010",  # Discover
        "A0000006581010",  # MIR
    )
)
"""The applications that are looked for; a longer name of the card with this beginning matches too."""

_MAX_DIRECTORY_RECORDS = 30
_MAX_SAME_AID = 8
_MAX_RECORDS = 64
_PLAIN_SFI = 10
_MAX_SFI = 30

_DF_NAME, _FCI, _FCI_CONTENT, _SFI = 0x84, 0x6F, 0xA5, 0x88
_RECORD, _ENTRY, _AID, _PRIORITY = 0x70, 0x61, 0x4F, 0x87
_PDOL, _AFL, _OPTIONS_1, _OPTIONS_2 = 0x9F38, 0x94, 0x80, 0x77


@dataclass(frozen=True, slots=True)
class Terminal:
    """What the terminal tells a chip that asks (``supplied``: by tag), and which applications it looks for."""

    supplied: Mapping[int, Supplied] = field(default_factory=dict[int, Supplied])
    aids: tuple[bytes, ...] = KNOWN_AIDS


@dataclass(frozen=True, slots=True)
class Candidate:
    """An application on the card. ``priority`` 1 (highest) to 15, 0 for none."""

    aid: bytes
    priority: int

    @property
    def rank(self) -> int:
        """Sorts the preferred first."""
        return self.priority or 16


@dataclass(frozen=True, slots=True)
class Location:
    """An entry of the application file locator: records ``first`` to ``last`` of file ``sfi``."""

    sfi: int
    first: int
    last: int


def identify(terminal: Terminal, *, t0: bool) -> Dialogue[Card]:
    """Who is this card? ``t0``: the link speaks T=0. Raises :class:`EmvFailure`. All that the card said is wiped."""
    conversation = _Conversation(terminal, t0)
    try:
        return (yield from conversation.identify())
    except (TlvError, BadAnswer) as error:
        raise EmvFailure(Reason.INVALID if isinstance(error, TlvError) else Reason.UNREADABLE, str(error)) from error
    finally:
        conversation.wipe()


class _Conversation:
    """One card from PSE to its records; keeps every answer, to wipe it at the end."""

    def __init__(self, terminal: Terminal, t0: bool) -> None:
        self._terminal = terminal
        self._t0 = t0
        self._answers: list[bytearray] = []
        self._blocked = False

    def wipe(self) -> None:
        for answer in self._answers:
            wipe(answer)

    def identify(self) -> Dialogue[Card]:
        candidates = yield from self._directory()
        if not candidates:
            candidates = yield from self._listed()
        for candidate in sorted(candidates, key=lambda each: each.rank):
            data = yield from self._initiate(candidate)
            if data is not None:
                return card_of(data)
        if self._blocked:
            raise EmvFailure(Reason.BLOCKED, "every application that we know is blocked")
        raise EmvFailure(Reason.NO_APPLICATION, f"{len(candidates)} applications that we know, none will start")

    def _directory(self) -> Dialogue[list[Candidate]]:
        """The candidates that the payment system environment lists; none where there is no usable one."""
        answer = yield from self._select(PSE)
        if answer.status == NOT_SUPPORTED:
            raise EmvFailure(Reason.BLOCKED, "the card is blocked: it refuses SELECT")
        if not answer.ok:
            return []
        try:
            sfi = _fci(answer.data)[_SFI].value
            return (yield from self._directory_records(int.from_bytes(sfi, "big")))
        except (TlvError, LookupError):
            return []  # a broken directory: the applications may still answer by name (EMV Book 1, 12.3.2)

    def _directory_records(self, sfi: int) -> Dialogue[list[Candidate]]:
        found: list[Candidate] = []
        if not 1 <= sfi <= _PLAIN_SFI:
            return found
        for number in range(1, _MAX_DIRECTORY_RECORDS + 1):
            answer = yield from self._exchange_record(sfi, number)
            if answer.status == NO_MORE_RECORDS:
                return found
            if not answer.ok:
                return []
            for template in parse(answer.data):
                found.extend(_entries(template, self._terminal.aids))
        return found

    def _listed(self) -> Dialogue[list[Candidate]]:
        """The candidates that answer to the names which we know."""
        found: list[Candidate] = []
        for aid in self._terminal.aids:
            for repeat in range(_MAX_SAME_AID):
                answer = yield from self._select(aid, following=repeat > 0)
                if answer.status == NOT_SUPPORTED and not found:
                    raise EmvFailure(Reason.BLOCKED, "the card is blocked: it refuses SELECT")
                self._blocked |= answer.status == FILE_BLOCKED
                if answer.status not in (OK, FILE_BLOCKED):
                    break
                name = self._name(answer, aid)
                if answer.ok and name:
                    found.append(Candidate(name, _priority(_fci(answer.data).get(_PRIORITY))))
                if name == aid or not name:
                    break  # an exact match, or none at all: there is no other of this name
        return found

    def _name(self, answer: Answer, aid: bytes) -> bytes:
        """The DF name in an answer to SELECT where it begins with ``aid``, else nothing."""
        name = next((found for item in parse(answer.data) if (found := item.first(_DF_NAME))), None)
        return bytes(name.value) if name and bytes(name.value).startswith(aid) else b""

    def _initiate(self, candidate: Candidate) -> Dialogue[ChipData | None]:
        """Select an application for good, start it, read it. None: this one will not, try the next."""
        selected = yield from self._select(candidate.aid)
        if not selected.ok:
            self._blocked |= selected.status == FILE_BLOCKED
            return None
        fci = _fci(selected.data)
        if _DF_NAME not in fci or bytes(fci[_DF_NAME].value) != candidate.aid:
            raise EmvFailure(Reason.INVALID, "another application answered than the one that was selected")
        wanted = parse_dol(fci[_PDOL].value) if _PDOL in fci else ()
        values = fill_dol(wanted, self._terminal.supplied)
        options = yield from self._exchange_options(values)
        if options.status == CONDITIONS_NOT_MET:
            return None
        _must_be_ok(options, "GET PROCESSING OPTIONS")
        return ChipData(fci, (yield from self._records(_locations(options.data))))

    def _records(self, locations: tuple[Location, ...]) -> Dialogue[dict[int, Tlv]]:
        found: dict[int, Tlv] = {}
        for place in locations:
            for number in range(place.first, place.last + 1):
                answer = yield from self._exchange_record(place.sfi, number)
                _must_be_ok(answer, f"READ RECORD {number} of file {place.sfi}")
                if place.sfi > _PLAIN_SFI:
                    continue  # the issuer's own format (EMV Book 3, 5.3.2): nothing in it identifies a card
                for item in _record_template(answer.data).children:
                    if item.tag in found:
                        raise EmvFailure(Reason.INVALID, f"object {item.tag:X} comes twice")
                    found[item.tag] = item
        return found

    def _select(self, name: bytes, *, following: bool = False) -> Dialogue[Answer]:
        return self._kept((yield from exchange(select(name, following=following), t0=self._t0)))

    def _exchange_record(self, sfi: int, number: int) -> Dialogue[Answer]:
        return self._kept((yield from exchange(read_record(sfi, number), t0=self._t0)))

    def _exchange_options(self, values: bytes) -> Dialogue[Answer]:
        if len(values) > 252:
            raise EmvFailure(Reason.INVALID, "the chip asks for more than a command can carry")
        return self._kept((yield from exchange(get_processing_options(values), t0=self._t0)))

    def _kept(self, answer: Answer) -> Answer:
        self._answers.append(answer.data)
        return answer


def _must_be_ok(answer: Answer, what: str) -> None:
    if not answer.ok:
        reason = Reason.BLOCKED if answer.status == FILE_BLOCKED else Reason.UNREADABLE
        raise EmvFailure(reason, f"{what} was answered {answer.status:04X}")


def _fci(data: bytearray) -> dict[int, Tlv]:
    """The objects of an answer to SELECT: those of 6F and of A5 within, side by side."""
    templates = [item for item in parse(data) if item.tag == _FCI]
    if len(templates) != 1:
        raise TlvError("an answer to SELECT without its one template")
    content = templates[0].first(_FCI_CONTENT)
    return {item.tag: item for item in (*templates[0].children, *(content.children if content else ()))}


def _entries(template: Tlv, aids: tuple[bytes, ...]) -> list[Candidate]:
    """The applications in one directory record that the terminal knows."""
    found: list[Candidate] = []
    for entry in template.all(_ENTRY) if template.tag == _RECORD else ():
        name = entry.first(_AID)
        if name is not None and bytes(name.value).startswith(aids):
            found.append(Candidate(bytes(name.value), _priority(entry.first(_PRIORITY))))
    return found


def _priority(value: Tlv | None) -> int:
    return value.value[0] & 0x0F if value is not None and len(value.value) == 1 else 0


def _record_template(data: bytearray) -> Tlv:
    templates = parse(data)
    if len(templates) != 1 or templates[0].tag != _RECORD:
        raise EmvFailure(Reason.INVALID, "a record that is not one template 70")
    return templates[0]


def _locations(data: bytearray) -> tuple[Location, ...]:
    """The application file locator in an answer to GET PROCESSING OPTIONS, of either format."""
    objects = parse(data)
    if len(objects) != 1 or objects[0].tag not in (_OPTIONS_1, _OPTIONS_2):
        raise EmvFailure(Reason.INVALID, "processing options in no known template")
    if objects[0].tag == _OPTIONS_1:
        locator = objects[0].value[2:]  # behind the two bytes of the interchange profile
    else:
        found = objects[0].first(_AFL)
        locator = found.value if found else memoryview(b"")
    if not locator or len(locator) % 4:
        raise EmvFailure(Reason.INVALID, "the file locator is not made of entries of 4 bytes")
    places = tuple(_location(locator[at : at + 4]) for at in range(0, len(locator), 4))
    if sum(place.last - place.first + 1 for place in places) > _MAX_RECORDS:
        raise EmvFailure(Reason.INVALID, f"more than {_MAX_RECORDS} records to read")
    return places


def _location(entry: memoryview) -> Location:
    file, first, last, authenticated = entry
    sfi = file >> 3
    if file & 7 or not 1 <= sfi <= _MAX_SFI or first < 1 or last < first or authenticated > last - first + 1:
        raise EmvFailure(Reason.INVALID, "an entry of the file locator that cannot be")
    return Location(sfi, first, last)
