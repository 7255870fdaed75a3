"""The counter's ring, what each event means, and what a device that came back has to tell: row by row of the sheet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api.cash import Presence, Trouble, TroubleKind
from drivers.cash.cctalk.events import (
    CREDIT_VALUES,
    GivenBack,
    InBox,
    InEscrow,
    Inhibited,
    Judgement,
    Meaning,
    Nothing,
    NotTaken,
    Relieved,
    Reported,
    before,
    coin_meaning,
    coin_value_meaning,
    distance,
    fault_trouble,
    judge,
    note_meaning,
    unread,
)
from drivers.cash.cctalk.messages import EventBuffer
from drivers.cash.cctalk.recall import Escrow, First, Look, Unread, first_answer
from drivers.cash.cctalk.roles import COINS, NOTES
from tests.drivers.cash.sheet import row

# --- the ring (sheet section 4) -------------------------------------------------------------------------------------


@row("the ring of 255")
@pytest.mark.parametrize(
    ("old", "new", "events"), [(102, 104, 2), (255, 1, 1), (253, 3, 5), (48, 54, 6), (0, 1, 1), (0, 5, 5), (7, 7, 0)]
)
def test_the_ring_has_255_places_not_256(old: int, new: int, events: int) -> None:
    assert distance(old, new) == events


@given(st.integers(1, 255), st.integers(0, 254))
def test_going_back_and_counting_forward_agree(counter: int, steps: int) -> None:
    assert 1 <= before(counter, steps) <= 255
    assert distance(before(counter, steps), counter) == steps


def buffer(counter: int, *events: tuple[int, int]) -> EventBuffer:
    return EventBuffer(counter, (*events, *[(0, 0)] * 5)[:5])


def test_the_oldest_event_comes_first_and_each_has_its_number() -> None:
    full = buffer(2, (3, 0), (3, 1), (0, 2), (1, 0), (1, 1))
    assert unread(full, 252) == [(253, (1, 1)), (254, (1, 0)), (255, (0, 2)), (1, (3, 1)), (2, (3, 0))]
    assert unread(full, 1) == [(2, (3, 0))]
    assert unread(full, 2) == []
    assert unread(buffer(0), 0) == []


@pytest.mark.parametrize(
    ("mark", "counter", "judged"),
    [
        (None, 0, Judgement(0, first_time=True)),
        (None, 7, Judgement(7, missed=True, first_time=True)),
        (0, 0, Judgement(0)),
        (7, 0, Judgement(0, missed=True, forgotten=True)),
        (7, 7, Judgement(7)),
        (7, 8, Judgement(7)),
        (253, 3, Judgement(253)),
        (0, 5, Judgement(0)),
        (7, 12, Judgement(7)),
        (7, 13, Judgement(8, missed=True, forgotten=True)),
        (0, 6, Judgement(1, missed=True, forgotten=True)),
        (7, 3, Judgement(253, missed=True, forgotten=True)),
    ],
)
def test_what_a_counter_says_against_the_number_on_record(mark: int | None, counter: int, judged: Judgement) -> None:
    assert judge(mark, counter, restarted=False) == judged


@pytest.mark.parametrize(
    ("mark", "counter", "judged"),
    [
        (None, 2, Judgement(2, missed=True, first_time=True)),
        (0, 2, Judgement(0)),
        (2, 2, Judgement(2, missed=True, forgotten=True)),
        (1, 2, Judgement(1, missed=True, forgotten=True)),
        (254, 2, Judgement(254, missed=True, forgotten=True)),
        (7, 2, Judgement(0, missed=True, forgotten=True)),
        (7, 100, Judgement(95, missed=True, forgotten=True)),
    ],
)
def test_after_a_restart_a_familiar_number_proves_nothing(mark: int | None, counter: int, judged: Judgement) -> None:
    assert judge(mark, counter, restarted=True) == judged


# --- meanings (sheet sections 4.1, 4.2, 4.3) ------------------------------------------------------------------------


def trouble(kind: TroubleKind, detail: str = "") -> Reported:
    return Reported(Trouble(kind, detail))


BILL_ROWS: list[tuple[str, int, int, Meaning]] = [
    ("stacked", 3, 0, InBox(3)),
    ("in escrow", 3, 1, InEscrow(3)),
    ("coupon in escrow", 255, 1, InEscrow(255)),
    ("coupon stacked", 255, 0, InBox(255)),
    ("master inhibit active", 0, 0, Inhibited()),
    ("returned from escrow", 0, 1, GivenBack()),
    ("invalid: validation", 0, 2, NotTaken("validation")),
    ("invalid: transport", 0, 3, NotTaken("transport")),
    ("inhibited by mask", 0, 4, NotTaken("inhibited")),
    ("inhibited by switch", 0, 5, NotTaken("inhibited-switch")),
    ("jam in transport, unsafe", 0, 6, trouble(TroubleKind.JAM, "transport")),
    ("jam in stacker", 0, 7, trouble(TroubleKind.JAM, "stacker")),
    ("pulled back", 0, 8, trouble(TroubleKind.CHEATED, "pulled-back")),
    ("tamper", 0, 9, trouble(TroubleKind.CHEATED, "tamper")),
    ("stacker ok", 0, 10, Relieved()),
    ("stacker removed", 0, 11, trouble(TroubleKind.BOX_REMOVED)),
    ("stacker inserted", 0, 12, Relieved()),
    ("stacker faulty", 0, 13, trouble(TroubleKind.FAILURE, "stacker")),
    ("stacker full", 0, 14, trouble(TroubleKind.BOX_FULL)),
    ("stacker jammed", 0, 15, trouble(TroubleKind.JAM, "box")),
    ("jam, safe: ambiguous", 0, 16, trouble(TroubleKind.JAM, "safe")),
    ("opto fraud", 0, 17, trouble(TroubleKind.CHEATED, "opto")),
    ("string fraud", 0, 18, trouble(TroubleKind.CHEATED, "string")),
    ("anti-string fault", 0, 19, trouble(TroubleKind.CHEATED, "string-guard")),
    ("bar code detected", 0, 20, Nothing()),
    ("unknown type stacked", 0, 21, InBox(None)),
    ("jam cleared", 0, 22, Relieved()),
    ("not in the sheet", 0, 23, trouble(TroubleKind.UNREADABLE, "event-0-23")),
    ("not in the sheet", 3, 2, trouble(TroubleKind.UNREADABLE, "event-3-2")),
]


@row("every bill event")
@pytest.mark.parametrize(("row", "a", "b", "meaning"), BILL_ROWS, ids=lambda value: str(value)[:40])
def test_what_a_bill_event_means(row: str, a: int, b: int, meaning: Meaning) -> None:
    assert note_meaning(a, b) == meaning, row


COIN_ROWS: list[tuple[int, Meaning]] = [
    (0, Nothing()), (1, NotTaken("reject")), (2, NotTaken("inhibited")), (3, NotTaken("several-windows")),
    (4, NotTaken("wake-up-timeout")), (5, NotTaken("validation-timeout")),
    (6, trouble(TroubleKind.JAM, "credit-sensor-timeout")), (7, trouble(TroubleKind.JAM, "sorter-timeout")),
    (8, NotTaken("close-coin")), (9, NotTaken("gate-not-ready")), (10, NotTaken("credit-sensor-not-ready")),
    (11, NotTaken("sorter-not-ready")), (12, NotTaken("reject-not-cleared")),
    (13, NotTaken("validation-sensor-not-ready")), (14, trouble(TroubleKind.JAM, "credit-sensor")),
    (15, trouble(TroubleKind.JAM, "sorter")), (16, trouble(TroubleKind.JAM, "credit-sequence")),
    (17, trouble(TroubleKind.CHEATED, "backwards")), (18, NotTaken("too-fast")), (19, NotTaken("too-slow")),
    (20, trouble(TroubleKind.CHEATED, "string")), (21, NotTaken("double-entry")), (22, NotTaken("double-entry")),
    (23, trouble(TroubleKind.JAM, "credit-sensor-early")), (24, NotTaken("repeated-trip")), (25, NotTaken("slug")),
    (26, trouble(TroubleKind.JAM, "reject-sensor")), (27, NotTaken("games-overload")), (28, Nothing()),
    (29, trouble(TroubleKind.JAM, "gate-open")), (30, trouble(TroubleKind.JAM, "gate-closed")),
    (31, trouble(TroubleKind.JAM, "manifold")), (33, trouble(TroubleKind.JAM, "manifold")),
    (34, trouble(TroubleKind.CHEATED, "security")), (35, trouble(TroubleKind.FAILURE, "motor")),
    (36, trouble(TroubleKind.JAM, "swallowed")), (37, NotTaken("validation-too-fast")),
    (38, NotTaken("validation-too-slow")), (39, trouble(TroubleKind.JAM, "wrong-sorter")),
    (40, trouble(TroubleKind.CHEATED, "light")), (128, NotTaken("inhibited")), (159, NotTaken("inhibited")),
    (253, Nothing()), (254, Nothing()), (255, trouble(TroubleKind.FAILURE, "unspecified")),
    (99, trouble(TroubleKind.UNREADABLE, "event-0-99")),
]  # fmt: skip


@row("every coin event")
@pytest.mark.parametrize(("b", "meaning"), COIN_ROWS, ids=lambda value: str(value)[:40])
def test_what_a_coin_event_means(b: int, meaning: Meaning) -> None:
    assert coin_meaning(0, b) == meaning


@row("every coin event")
@pytest.mark.parametrize("position", [1, 16, 255])
@pytest.mark.parametrize("path", [0, 1, 8])
def test_a_credit_is_a_coin_whatever_path_it_took(position: int, path: int) -> None:
    assert coin_meaning(position, path) == InBox(position)


@given(st.integers(1, 255), st.integers(0, 255))
def test_a_credit_that_is_a_value_is_never_taken_for_a_position(a: int, b: int) -> None:
    assert coin_value_meaning(a, b) == InBox(CREDIT_VALUES + a) != coin_meaning(a, b)
    assert coin_value_meaning(0, b) == coin_meaning(0, b)


@row("a pair that is in no table")
@given(st.integers(0, 255), st.integers(0, 255))
def test_only_the_pairs_of_the_sheet_are_money(a: int, b: int) -> None:
    assert isinstance(note_meaning(a, b), InBox) == (b == 0 < a or (a, b) == (0, 21))
    assert isinstance(coin_meaning(a, b), InBox) == (a > 0)


@row("232 fault codes")
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (44, Trouble(TroubleKind.BOX_REMOVED)), (45, Trouble(TroubleKind.BOX_FULL)),
        (39, Trouble(TroubleKind.JAM, "transport")), (38, Trouble(TroubleKind.FAILURE, "stacker")),
        (30, Trouble(TroubleKind.FAILURE, "30")), (255, Trouble(TroubleKind.FAILURE, "255")),
    ],
)  # fmt: skip
def test_what_a_fault_code_asks_of_a_person(code: int, expected: Trouble) -> None:
    assert fault_trouble(code) == expected


# --- where the note is ----------------------------------------------------------------------------------------------

SAME = Judgement(7)
OPEN, DONE, BACK = buffer(7, (3, 1)), buffer(7, (3, 0), (3, 1)), buffer(7, (0, 1), (3, 1))
NO_NOTE = buffer(7, (0, 10), (0, 10), (0, 10), (0, 10), (0, 10))


@pytest.mark.parametrize(
    ("seen", "escrow", "waited", "expected"),
    [
        (DONE, Escrow.NOT_ASKED, False, First(Presence.PATH_EMPTY, None, 7, 0)),
        (BACK, Escrow.NOT_ASKED, False, First(Presence.PATH_EMPTY, None, 7, 0)),
        (OPEN, Escrow.NOT_ASKED, False, Look.INSIDE),
        (OPEN, Escrow.HELD, False, First(Presence.IN_ESCROW, 3, 7, 0)),
        (OPEN, Escrow.EMPTY, False, Look.LONGER),
        (OPEN, Escrow.UNSAID, False, Look.LONGER),
        (OPEN, Escrow.EMPTY, True, First(Presence.JAMMED, None, 7, 0)),
        (NO_NOTE, Escrow.NOT_ASKED, False, Look.INSIDE),
        (NO_NOTE, Escrow.HELD, False, First(Presence.IN_ESCROW, None, 7, 0)),
        (NO_NOTE, Escrow.EMPTY, False, First(Presence.FORGOTTEN, None, 7, 0)),
        (NO_NOTE, Escrow.UNSAID, False, First(Presence.FORGOTTEN, None, 7, 0)),
    ],
)
def test_a_path_is_only_called_empty_by_the_event_that_says_how_it_became_so(
    seen: EventBuffer, escrow: Escrow, waited: bool, expected: First | Look
) -> None:
    assert first_answer(NOTES, SAME, [], seen, escrow, waited=waited) == expected


@pytest.mark.parametrize("since", [0, 2])
def test_a_device_of_which_every_event_since_power_up_is_known_and_none_is_a_notes_is_empty(since: int) -> None:
    missed = events(*[Inhibited()] * since)
    first = first_answer(NOTES, Judgement(0), missed, buffer(since), Escrow.NOT_ASKED, waited=False)
    assert first == First(Presence.PATH_EMPTY, None, 7 + since if since else 0, since)


def test_a_device_of_which_nothing_is_on_record_has_no_note_of_ours() -> None:
    judged = Judgement(7, missed=True, first_time=True)
    first = first_answer(NOTES, judged, [], NO_NOTE, Escrow.EMPTY, waited=False)
    assert first == First(Presence.PATH_EMPTY, None, 7, 0)


def test_coins_are_never_anywhere_in_between() -> None:
    first = first_answer(COINS, SAME, [], NO_NOTE, Escrow.NOT_ASKED, waited=False)
    assert first == First(Presence.PATH_EMPTY, None, 7, 0)


def events(*meanings: Meaning) -> list[Unread]:
    return [Unread(8 + place, meaning, b"") for place, meaning in enumerate(meanings)]


@pytest.mark.parametrize(
    ("missed", "escrow", "expected"),
    [
        ([InBox(3)], Escrow.NOT_ASKED, First(Presence.STACKED, 3, 8, 1)),
        ([GivenBack()], Escrow.NOT_ASKED, First(Presence.RETURNABLE, None, 8, 1)),
        ([Nothing(), InBox(3)], Escrow.NOT_ASKED, First(Presence.STACKED, 3, 9, 2)),
        ([InBox(3), Nothing()], Escrow.NOT_ASKED, First(Presence.STACKED, 3, 8, 1)),
        ([GivenBack(), InEscrow(2)], Escrow.NOT_ASKED, First(Presence.RETURNABLE, None, 8, 1)),
        ([InEscrow(3)], Escrow.NOT_ASKED, Look.INSIDE),
        ([InEscrow(3)], Escrow.HELD, First(Presence.IN_ESCROW, 3, 8, 1)),
        ([InEscrow(3)], Escrow.EMPTY, First(Presence.MOVING, 3, 8, 1)),
        ([InEscrow(3), GivenBack()], Escrow.NOT_ASKED, First(Presence.MOVING, 3, 8, 1)),
        ([Nothing(), Inhibited()], Escrow.EMPTY, First(Presence.FORGOTTEN, None, 9, 2)),
    ],
)
def test_the_first_missed_event_about_a_note_is_the_first_answer(
    missed: list[Meaning], escrow: Escrow, expected: First | Look
) -> None:
    assert first_answer(NOTES, SAME, events(*missed), NO_NOTE, escrow, waited=False) == expected


def test_what_was_forgotten_is_not_guessed_from_what_is_left() -> None:
    judged = Judgement(3, missed=True, forgotten=True)
    first = first_answer(NOTES, judged, events(InBox(3)), DONE, Escrow.HELD, waited=False)
    assert first == First(Presence.FORGOTTEN, None, 3, 0)
