"""What is known of a ccTalk device, and what must still be asked of it. Pure.

Nothing that is asked here moves a note or lets one in, so every question is safe to repeat. Who it is and what its
positions are worth is asked in two rounds, forward and then backward, and believed when both agree: no answer names its
question, and one that came after another question than its own would come after yet another on the way back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto
from hashlib import sha256

from drivers.api.device import DeviceIdentity
from drivers.cash.cctalk.events import CREDIT_VALUES, Meaning, coin_value_meaning
from drivers.cash.cctalk.messages import (
    Answer,
    Code,
    Header,
    Mask,
    NotAcknowledged,
    OptionFlags,
    PollEvery,
    Request,
    SerialNumber,
    Text,
    set_master,
)
from drivers.cash.cctalk.roles import Role
from drivers.cash.cctalk.values import CoinUnit, Scaling, coin_value, credit_values, is_identifier, note_value
from guichet.ids import DeviceSerial
from guichet.money import Money

_SIMULATED_MAKER = "GUICHET-SIM"
_TRIES = 3
_MANY_TRIES = 10
_STACKER_AND_ESCROW = b"\x03"
# A device that has no more positions leaves the question unanswered: so many in a row end the table. Few have more than
# 16, and of these the 16th is in use.
_EMPTY_ENDS = 2
_USUAL_POSITIONS = 16

WHO = (
    Header.SIMPLE_POLL, Header.SERIAL, Header.OPTION_FLAGS, Header.MANUFACTURER, Header.CATEGORY, Header.PRODUCT,
    Header.SOFTWARE, Header.POLLING_PRIORITY, Header.GET_INHIBITS,
)  # fmt: skip
"""Asked of a device that came back, before anything else; only a coin acceptor for its option flags."""

# The other names only describe it.
_WHO_AGAIN = (Header.GET_INHIBITS, Header.MANUFACTURER, Header.OPTION_FLAGS, Header.SERIAL)

_TWICE = frozenset({*_WHO_AGAIN, Header.NOTE_ID, Header.COIN_ID, Header.SCALING, Header.REVISION})

INDISPENSABLE = frozenset({Header.SERIAL, Header.SET_MODE, Header.SET_INHIBITS, Header.SET_MASTER})
"""Questions without whose answer there is no going on. Without escrow a validator takes notes unasked, and nobody could
give one back.
"""


class Standing(Enum):
    """How it goes with the questions. TOO_OFTEN: so many in vain that a person must look, and the next has time."""

    GOES_ON = auto()
    TOO_OFTEN = auto()


class _Round(Enum):
    """What is being asked. NONE: nothing that must be said twice."""

    NONE = auto()
    WHO = auto()
    WHO_AGAIN = auto()
    TABLE = auto()
    TABLE_AGAIN = auto()


class Knowledge:
    """Who it is, what its positions are worth, which of them are enabled, how often it wants to be polled."""

    def __init__(self, role: Role, unit: CoinUnit) -> None:
        self._role = role
        self._unit = unit
        self._disagreed = 0
        self.forget()

    def forget(self) -> None:
        """What comes back may be another device: nothing known before holds for it."""
        self.values: Mapping[int, Money] = {}
        self.table_hash = b""
        self.poll: float | None = None
        self.mask: bytes | None = None
        self.fault: int | None = None
        self.status: int | None = None
        self._texts: dict[Header, str] = {}
        self._serial: int | None = None
        self._credits_are_values = False
        self._identifiers: dict[int, str] = {}
        self._scalings: dict[str, Scaling] = {}
        self._revisions: dict[str, str] = {}
        self._round = _Round.WHO
        self._said: dict[Request, Answer] = {}
        self._questions: deque[Request] = deque(Request(header) for header in WHO if self._is_asked(header))
        self._given_up: set[Header] = set()
        self._failed = 0
        self._unnamed_in_a_row = 0

    def _is_asked(self, header: Header) -> bool:
        return header is not Header.OPTION_FLAGS or not self._role.capabilities.escrow

    @property
    def meaning(self) -> Callable[[int, int], Meaning]:
        """What its events mean."""
        return coin_value_meaning if self._credits_are_values else self._role.meaning

    @property
    def identity(self) -> DeviceIdentity | None:
        """Who it is, once it has said its serial number."""
        if self._serial is None:
            return None
        maker, texts = self._texts.get(Header.MANUFACTURER, ""), self._texts
        product = texts.get(Header.PRODUCT) or texts.get(Header.CATEGORY, "")
        firmware = texts.get(Header.SOFTWARE, "")
        simulated = maker.startswith(_SIMULATED_MAKER)
        model = f"{maker} {product}".strip()
        return DeviceIdentity(self._role.driver, model, DeviceSerial(str(self._serial)), firmware, simulated)

    @property
    def restarted(self) -> bool:
        """Nothing is enabled: that is so after power-up, and never again once the device has been initialised."""
        return self.mask is not None and not any(self.mask)

    # --- questions --------------------------------------------------------------------------------------------------

    @property
    def asking(self) -> bool:
        """Whether anything must still be asked."""
        return bool(self._questions)

    def next(self) -> Request:
        """The next question; it is out of the queue."""
        return self._questions.popleft()

    def drop(self) -> None:
        """What is still to be asked will be asked anew."""
        self._questions.clear()
        self._round = _Round.NONE
        self.fault = None

    def initialise(self) -> None:
        """Ask for the table, and set what a table needs: stacker and escrow in use, every position enabled, the slot
        shut.
        """
        self._questions.clear()
        for known in (self._said, self._identifiers, self._scalings, self._revisions):
            known.clear()
        self._round = _Round.TABLE
        self._unnamed_in_a_row = 0
        self._questions.append(Request(self._role.ids, b"\x01"))

    @property
    def overview(self) -> list[Request]:
        """What shows whether the device has begun anew, whether its slot is as it should be, and whether it is well."""
        headers = [Header.GET_INHIBITS, Header.GET_MASTER, Header.SELF_CHECK]
        if not self._role.capabilities.escrow:
            headers.append(Header.STATUS)
        return [Request(header) for header in headers if header not in self._given_up]

    def ask(self, questions: Iterable[Request]) -> None:
        """Ask these, of :attr:`overview`."""
        self._questions.extend(questions)

    def recognise(self) -> None:
        """Ask only whether the device has begun anew: that disturbs none that moves a note."""
        self._questions.append(Request(Header.GET_INHIBITS))

    def check(self) -> None:
        """Ask whether the device is well."""
        self.fault = None
        self._questions.append(Request(Header.SELF_CHECK))

    def failed(self, question: Request) -> Standing:
        """``question`` was not answered, or refused. It is tried three times; without an indispensable one there is no
        going on.
        """
        self._failed += 1
        if question.header in INDISPENSABLE:
            self._questions.appendleft(question)
            return Standing.TOO_OFTEN if self._failed >= _MANY_TRIES else Standing.GOES_ON
        if self._failed < _TRIES:
            self._questions.appendleft(question)
            return Standing.GOES_ON
        self._failed = 0
        self._given_up.add(question.header)
        if question.header is Header.OPTION_FLAGS:
            # A device without it says nothing, and its credits are positions. That is money: so it must be said twice.
            return self.learn(question, NotAcknowledged())
        if self._must_agree(question):
            return self._disagrees()
        if question.header is self._role.ids:
            self._identified(question.data[0], "")
        return self._next_round()

    # --- answers ----------------------------------------------------------------------------------------------------

    def learn(self, question: Request, answer: Answer) -> Standing:
        """Take an answer."""
        self._failed = 0
        if self._must_agree(question):
            return self._next_round() if self._said[question] == answer else self._disagrees()
        if question.header in _TWICE and self._round in (_Round.WHO, _Round.TABLE):
            self._said[question] = answer
        self._take(question, answer)
        return self._next_round()

    def _take(self, question: Request, answer: Answer) -> None:
        match answer:
            case SerialNumber(number):
                self._serial = number
            case Text(text) if question.header is self._role.ids:
                self._identified(question.data[0], text)
            case Text(text) if question.header is Header.REVISION:
                self._revisions[question.data.decode("ascii")] = text
            case Text(text):
                self._texts[question.header] = text.strip(" \0")
            case Scaling():
                self._scalings[question.data.decode("ascii")] = answer
            case Mask(mask):
                self.mask = mask
            case OptionFlags():
                self._credits_are_values = answer.credits_are_values
            case PollEvery(seconds):
                self.poll = None if seconds is None else min(max(seconds, 0.02), self._role.watchdog / 4)
            case Code(code) if question.header is Header.SELF_CHECK:
                self.fault = code
            case Code(code) if question.header is Header.STATUS:
                self.status = code
            case _:
                if question.header is Header.SET_INHIBITS:
                    self.mask = question.data

    def _identified(self, position: int, identifier: str) -> None:
        self._unnamed_in_a_row = 0 if identifier else self._unnamed_in_a_row + 1
        if is_identifier(identifier, note=self._role.capabilities.escrow):
            self._identifiers[position] = identifier
        more = position < self._role.most_types and self._unnamed_in_a_row < _EMPTY_ENDS
        if more and (position != _USUAL_POSITIONS or position in self._identifiers):
            self._questions.append(Request(self._role.ids, bytes((position + 1,))))
        elif self._role.capabilities.escrow:
            for country in sorted({identifier[:2] for identifier in self._identifiers.values()}):
                self._questions.append(Request(Header.SCALING, country.encode("ascii")))
                self._questions.append(Request(Header.REVISION, country.encode("ascii")))

    # --- rounds -----------------------------------------------------------------------------------------------------

    def _next_round(self) -> Standing:
        """Where nothing more is to be asked in this one."""
        if self._questions:
            return Standing.GOES_ON
        match self._round:
            case _Round.WHO:
                self._round = _Round.WHO_AGAIN
                self._again(Request(header) for header in _WHO_AGAIN)
            case _Round.TABLE:
                self._round = _Round.TABLE_AGAIN
                self._again(question for question in reversed(self._said) if self._is_worth_something(question))
            case _Round.TABLE_AGAIN:
                self._set_up()
            case _Round.WHO_AGAIN | _Round.NONE:
                self._round = _Round.NONE
                self._disagreed = 0
        return Standing.GOES_ON

    def _again(self, questions: Iterable[Request]) -> None:
        self._questions.extend(question for question in questions if question in self._said)
        if not self._questions:
            self._next_round()

    def _is_worth_something(self, question: Request) -> bool:
        """An empty position needs no second look: no money can come of it."""
        return question.header is not self._role.ids or question.data[0] in self._identifiers

    def _must_agree(self, question: Request) -> bool:
        return self._round in (_Round.WHO_AGAIN, _Round.TABLE_AGAIN) and question in self._said

    def _disagrees(self) -> Standing:
        """Two answers to one question differ: one of them, or all, belong to another. Everything is asked anew."""
        if self._round in (_Round.WHO, _Round.WHO_AGAIN):
            self.forget()
        else:
            self.initialise()
        self._disagreed += 1
        return Standing.TOO_OFTEN if self._disagreed >= _MANY_TRIES else Standing.GOES_ON

    def _set_up(self) -> None:
        self._round = _Round.NONE
        if self._role.capabilities.escrow:
            self._questions.append(Request(Header.SET_MODE, _STACKER_AND_ESCROW))
        self._questions.append(Request(Header.SET_INHIBITS, self._positions()))
        self._questions.append(set_master(accepting=False))

    def _positions(self) -> bytes:
        """What to enable: every note, for one that is not taken then comes back from escrow with a reason; of coins
        only those with a value, for they are taken without asking. Never nothing, which is what power-up looks like.
        """
        width = len(self.mask) if self.mask is not None else self._role.mask_bytes
        everything = (1 << 8 * width) - 1
        if self._role.capabilities.escrow:
            return everything.to_bytes(width, "little")
        certain = set(self._table().values())
        named = sum(1 << position - 1 for position, coin in self._identifiers.items() if self._value(coin) in certain)
        return (named & everything or everything).to_bytes(width, "little")

    def _table(self) -> Mapping[int, Money]:
        """What each type is worth that a note or a credit may be of."""
        values = {position: self._value(identifier) for position, identifier in self._identifiers.items()}
        named = {position: value for position, value in values.items() if value is not None}
        if not self._credits_are_values:
            return named
        return {CREDIT_VALUES + credit: value for credit, value in credit_values(named.values(), self._unit).items()}

    def read_table(self) -> None:
        """Make the table of what the device has answered."""
        self.values = self._table()
        raw = [f"{position}={identifier}" for position, identifier in sorted(self._identifiers.items())]
        raw += [f"{country}*{s.factor}/{s.decimals}" for country, s in sorted(self._scalings.items())]
        raw += [f"{country}:{revision}" for country, revision in sorted(self._revisions.items())]
        if not self._role.capabilities.escrow:
            raw.append(self._unit.value)
        if self._credits_are_values:
            raw.append("values")
        self.table_hash = sha256("\n".join(raw).encode("utf-8")).digest()

    def _value(self, identifier: str) -> Money | None:
        if not self._role.capabilities.escrow:
            return coin_value(identifier, self._unit)
        scaling = self._scalings.get(identifier[:2])
        return note_value(identifier, scaling) if scaling is not None else None
