"""Where a protocol cannot say what became of a note, and why: anywhere else, a doubt is a failure of its driver.

So it is with the cells of the start-up table to which no device of a protocol comes, and with what no device can tell:
one note of a kind from the next one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from drivers.api.cash import Presence
from kiosk.terminal.recovery import LastRecord
from tests.conformance.rows import POWER_CUTS, UNDECIDED, Row, Then


@dataclass(frozen=True, slots=True)
class Reason:
    """Cells of the suite, by what happened and how far the record had come; ``why`` nothing else can come of them."""

    why: str
    then: frozenset[Then]
    rows: frozenset[Row]

    def covers(self, row: Row, then: Then) -> bool:
        """Whether that cell is one of them."""
        return row in self.rows and then in self.then


@dataclass(frozen=True, slots=True)
class Never:
    """Each of these rows of the start-up table in each of these columns: no device of a protocol comes there, and
    ``why``.
    """

    why: str
    rows: frozenset[LastRecord]
    columns: frozenset[Presence]

    @property
    def cells(self) -> list[str]:
        """By their names."""
        return [f"{row.name} / {column.name}" for row in self.rows for column in self.columns]


def because(why: str, then: Then | Iterable[Then], rows: Row | Iterable[Row]) -> Reason:
    """For one or several of each."""
    return Reason(
        why,
        frozenset({then} if isinstance(then, Then) else then),
        frozenset({rows} if isinstance(rows, Row) else rows),
    )


def never(why: str, rows: Iterable[LastRecord], *columns: Presence) -> Never:
    """Every cell of ``rows`` in ``columns``."""
    return Never(why, frozenset(rows), frozenset(columns))


# --- what is left in doubt ------------------------------------------------------------------------------------------

_BEFORE_STACK = (Row.ESCROWED, Row.RETURN_INTENDED, Row.RETURN_SENT)
_ON_ITS_WAY_BACK = (Row.RETURN_INTENDED, Row.RETURN_SENT)

SILENCE = because("nobody answers before the time is over", Then.SILENCE, UNDECIDED)
ANOTHER_DEVICE = because("the note is in a device that is not here", Then.ANOTHER_DEVICE, UNDECIDED)
STICKS = because("hands will take it out, or the device will stack it", Then.STICKS, Row.STACK_SENT)
FAILS = because("a device that failed does not say where the note is", Then.FAILS, UNDECIDED)
SLIPS_BACKWARDS = because("it moves to the box though it was to go back", Then.SLIPS, _BEFORE_STACK)
SLIPPED_BACKWARDS = because("it lies in the box though it was to go back", Then.HAS_SLIPPED, _ON_ITS_WAY_BACK)

ALWAYS = (SILENCE, ANOTHER_DEVICE, STICKS, FAILS, SLIPS_BACKWARDS, SLIPPED_BACKWARDS)
"""Whatever the protocol."""

ONE_IN_THE_BOX = because(
    "a stacked event in answer to a note that was to go back: nothing says that it is another's",
    Then.ONE_MORE_STACKED,
    _ON_ITS_WAY_BACK,
)
ANOTHER_IN_THE_BOX = because(
    "a stacked event of another kind: nothing says what became of the note before that one",
    Then.ANOTHER_STACKED,
    (*_BEFORE_STACK, Row.STACK_INTENDED),
)
BESIDE_ANOTHER = (ONE_IN_THE_BOX, ANOTHER_IN_THE_BOX)
"""Where a note that went back leaves nothing behind, and the next one may."""

WITHOUT_A_COUNT = (
    because("the event is lost with the power, and nothing was counted", POWER_CUTS, Row.EVENT_HEARD),
    because(
        "an empty path, and nothing that was counted: in the box, or gone back",
        Then.POWER_CUT_AT_REST,
        (Row.STACK_INTENDED, Row.STACK_SENT),
    ),
)
"""CashCode NET 2.6, window (ii); ID-003, W4."""

WITHOUT_A_NAME = (
    because("an empty path of a device that may be another one", Then.POWER_CUT_AT_REST, UNDECIDED),
    because("the event is lost with the power, and a count proves nothing", POWER_CUTS, Row.EVENT_HEARD),
)

ID003_GIVES_BACK_UNSEEN = (
    because(
        "11 with a stack on record: gone back by itself, or in the box (8.4, ambiguous)",
        (Then.HALF_A_MINUTE, Then.ANOTHER_IN_ESCROW, Then.ONE_MORE_GONE_BACK),
        Row.STACK_INTENDED,
    ),
    because(
        "12 and 14 are both a note on its way, and which one is not said",
        Then.ANOTHER_COMES,
        (*_BEFORE_STACK, Row.STACK_INTENDED),
    ),
)
ID003_NOT_TO_BE_STACKED = because(
    "15 names no note, and none was to be stacked",
    (Then.HAS_SLIPPED, Then.ANOTHER_STACKED, Then.ONE_MORE_STACKED),
    _BEFORE_STACK,
)
ID003_GIVES_BACK_NAMELESS = (
    because("11 of a unit that may be another one", (Then.HALF_A_MINUTE, Then.ONE_MORE_GONE_BACK), _BEFORE_STACK),
    because("11 of a unit that may be another one", Then.STICKS, Row.RETURN_SENT),
)
ID003_REMEMBERS = because(
    "40, and nothing that was counted: gone back by itself, or in the box", Then.POWER_CUT_AT_REST, Row.STACK_INTENDED
)
ID003_NO_RECOVERY = because("42 without a 15 (8.3)", (Then.POWER_CUT, Then.POWER_CUT_ON_THE_WAY), Row.STACK_SENT)
ID003_NO_TRANSIENTS = because(
    "it is in the box before anybody polls, and the power takes its 15",
    (Then.POWER_CUT, Then.POWER_CUT_ON_THE_WAY),
    Row.STACK_SENT,
)
SSP_NO_CHANNEL = because(
    "E2 of channel 0 does not say which note", (Then.POWER_CUT, Then.POWER_CUT_ON_THE_WAY), Row.STACK_SENT
)
CCTALK_COUNTER_0 = because("counter 0: what was not read is gone", POWER_CUTS, UNDECIDED)
CCTALK_SLIPS = because("(t,0) though it was to go back", Then.SLIPS, _ON_ITS_WAY_BACK)

# --- what nobody can tell -------------------------------------------------------------------------------------------

HIDDEN = because(
    "a stacked event of the last note's kind is its own again, or one more note's: only a count can say",
    Then.ONE_MORE_STACKED,
    (Row.ACKNOWLEDGED, Row.CLEARED),
)
HIDDEN_UNNAMED = because(
    "15 names no note: the last one's again, or one more",
    (Then.ANOTHER_STACKED, Then.ONE_MORE_STACKED),
    (Row.NO_NOTE, Row.ACKNOWLEDGED, Row.CLEARED),
)

MISTAKEN = because(
    "it went back unseen, and one more of its kind lies in the box: by event and count that is the one on record",
    Then.ONE_MORE_STACKED,
    (Row.ESCROWED, Row.STACK_INTENDED),
)
HIDDEN_BESIDE_A_DOUBT = because(
    "15 names no note: another's, where the one on record went back unseen and is in doubt",
    Then.ANOTHER_STACKED,
    _BEFORE_STACK,
)

MISTAKEN_UNNAMED = because(
    "15 names no note: one more in the box is taken for the one on record, which went back unseen",
    (Then.ANOTHER_STACKED, Then.ONE_MORE_STACKED),
    (Row.STACK_INTENDED, Row.DOUBT_UNSENT),
)

# --- where no device of a protocol comes to -------------------------------------------------------------------------

_EVERY = tuple(LastRecord)
_OPEN = (LastRecord.ESCROWED, LastRecord.RETURN_INTENDED, LastRecord.STACK_INTENDED)
_DECIDED = (LastRecord.NONE, LastRecord.STACKED)

NEVER_FORGOTTEN = never("only a device that numbers its events knows that it forgot one", _EVERY, Presence.FORGOTTEN)
NEVER_ANOTHER_NOTE = never(
    "what became of the first note is held until it is acknowledged, and no other is drawn in before",
    _OPEN,
    Presence.OTHER_NOTE,
)
NEVER_NAMELESS = (
    never("one of two devices without a name is not another one", _DECIDED, Presence.OTHER_DEVICE),
    never("an empty path may be another device's, and is read so", _OPEN, Presence.PATH_EMPTY),
)
NEVER_SSP_JAMMED = never("HOLD says that the note is in escrow", (LastRecord.ESCROWED,), Presence.JAMMED)
NEVER_CCTALK = (
    never(
        "an event says what became of the note, or that nothing did", _OPEN, Presence.PATH_EMPTY, Presence.OTHER_NOTE
    ),
    never("an event says what becomes of the note", (*_OPEN, LastRecord.IN_DOUBT), Presence.MOVING),
    never("a note is not stuck before its event says so", _OPEN, Presence.JAMMED),
    never("no event that was read is told again", (LastRecord.STACKED,), Presence.STACKED),
)
NEVER_A_COIN = (
    never(
        "a coin is in the box when it is told, or it was never there",
        (*_OPEN, LastRecord.IN_DOUBT),
        *(presence for presence in Presence if presence is not Presence.OTHER_NOTE),
    ),
    never("a coin is never anywhere in between", _OPEN, Presence.OTHER_NOTE),
    never("a coin is never anywhere between", _DECIDED, Presence.IN_ESCROW, Presence.RETURNABLE, Presence.MOVING),
    never("no event that was read is told again", (LastRecord.STACKED,), Presence.STACKED),
)
