"""A fold forgets what is done with: it answers as if it had not, and stays as small as what is open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from guichet.ids import DepositId
from guichet.journal.chain import Entry, next_entry
from guichet.journal.records import Fact, encode, from_wire
from guichet.money import Currency, Money
from guichet.offline import DAY_US, OfflineStart, start_of
from guichet.v1 import journal_pb2 as pb
from guichet.v1 import money_pb2, offline_pb2
from kiosk.journal import snapshot
from kiosk.journal.folds import Fold, NotePhase
from kiosk.journal.offline import Card, Use
from tests.kiosk.journal.standing import Memory
from tests.kiosk.journal.stories import DENOMINATIONS, Story
from tests.kiosk.terminal.standing import TERMINAL


def chained(facts: Iterator[Fact]) -> Iterator[tuple[Entry, Fact]]:
    last = None
    for fact in facts:
        last = next_entry(1, last, encode(TERMINAL, 0, fact))
        yield last, fact


def told(seed: int, sessions: int) -> Iterator[tuple[Entry, Fact]]:
    return chained(fact for together in Story(seed).days(sessions) for fact in together)


def folded(*facts: Fact) -> Fold:
    fold = Fold()
    for entry, fact in chained(iter(facts)):
        fold.apply(entry, fact)
    return fold


# --- everything that the product asks -------------------------------------------------------------------------------


def answers(fold: Fold, session: str, sequence: int) -> dict[str, object]:
    """Everything that the product asks a fold; ``session`` is the last one's id."""
    mine = [deposit for deposit in fold.deposits.values() if deposit.session_id == session]
    places = [(1, 0), (1, sequence // 2), (1, sequence - 10)]
    currencies = [Currency(code) for _, code in DENOMINATIONS]
    return {
        "box": fold.box_counts(),
        "period": (fold.box_period, fold.box_was_out, fold.count_due, fold.moved_since_cleared, fold.end_is_lost),
        "notes": (fold.last, fold.open_note, fold.last_note, fold.in_doubt),
        "of the last note": [fold.deposits.get(note.deposit_id) for note in (fold.last, *fold.in_doubt) if note],
        "open": (fold.session, fold.open_deposit),
        "mine": mine,
        "notes of mine": [fold.notes_of(deposit.deposit_id) for deposit in mine],
        "answers of mine": [fold.answers.get(deposit.deposit_id) for deposit in mine],
        "outbox": list(fold.outbox.items()),
        "of the outbox": [fold.deposits.get(advice.deposit_id) for advice in fold.outbox.values()],
        "cap": [fold.value_decided_after(place, currency) for place in places for currency in currencies],
        "without the host": (fold.offline.limits, fold.offline.trusted, fold.offline_uses(fold.offline.day)),
        "devices": (fold.marks, fold.tables, fold.table_hashes, fold.simulated),
    }


@pytest.mark.parametrize("seed", range(8))
def test_it_answers_whatever_is_asked_as_one_that_remembers_everything(seed: int) -> None:
    fold, memory, session = Fold(), Memory(), ""
    for entry, fact in told(seed, 40):
        fold.apply(entry, fact)
        memory.apply(entry, fact)
        session = fact.session_id if isinstance(fact, pb.SessionOpened) else session
        assert answers(fold, session, entry.sequence) == answers(memory, session, entry.sequence)
    assert len(fold.notes) < len(memory.notes) / 2, "and it has forgotten most"


@pytest.mark.parametrize("seed", range(6))
def test_a_days_use_without_the_host_is_what_the_records_of_that_day_have_put_into_the_box(seed: int) -> None:
    """Counted without any fold: by card, what lies in the box or may, and in how many deposits."""
    fold, day, most = Fold(), 0, 0
    starts = dict[str, OfflineStart]()
    values, deposits, states = dict[str, int](), dict[str, str](), dict[str, str]()
    for entry, fact in told(300 + seed, 60):
        fold.apply(entry, fact)
        match fact:
            case pb.DepositOpened() if fact.HasField("offline"):
                starts[fact.deposit_id] = start_of(fact.offline)
                day = starts[fact.deposit_id].day
            case pb.NoteEscrowed():
                values[fact.note_id] = fact.value.minor if fact.value.currency == "EUR" else 0
                deposits[fact.note_id], states[fact.note_id] = fact.deposit_id, "on its way"
            case pb.NoteStacked() | pb.NoteInDoubt():
                states[fact.note_id] = "in"
            case pb.ReturnIntended() | pb.NoteReturned():
                states[fact.note_id] = "out"
            case _:
                continue
        used = Counter[str]()
        for note, deposit in deposits.items():
            if deposit in starts and starts[deposit].day == day and states[note] != "out":
                used[deposit] += values[note]
        by_card: dict[Card, Use] = {}
        for deposit, minor in used.items():
            card = Card.of(starts[deposit])
            by_card[card] = by_card.get(card, Use()) + Use.of_deposit(minor)
        found = fold.offline_uses(day)
        assert found == {card: use for card, use in by_card.items() if use != Use()}
        most = max(most, len(found))
        assert fold.offline_uses(day + 1) == {}, "another day is another day"
    assert most >= 3


def test_what_a_day_has_used_goes_with_the_day() -> None:
    fold = folded(*(fact for together in Story(9).days(60) for fact in together))
    before = fold.offline.day
    assert fold.offline.forgotten
    start = offline_pb2.OfflineStart(
        sealed_pan=b"s", card_masked="**** 1234", limits_number=1, bin="476173", currency="EUR", card_mark=1,
        started_at_us=(before + 1) * DAY_US,
    )  # fmt: skip
    fold.apply(*next(chained(iter([pb.DepositOpened(deposit_id="d", currency="EUR", offline=start)]))))
    assert fold.offline.forgotten == {}
    assert fold.offline_uses(before + 1) == {}


@pytest.mark.parametrize("seed", range(6))
def test_the_box_holds_what_the_records_have_put_into_it(seed: int) -> None:
    """Counted without any fold."""
    fold, period = Fold(), ""
    values, periods, kinds = dict[str, Money](), dict[str, str](), dict[str, NotePhase]()
    for entry, fact in told(100 + seed, 40):
        fold.apply(entry, fact)
        match fact:
            case pb.BoxPeriodOpened():
                period = fact.box_period_id
            case pb.NoteEscrowed():
                values[fact.note_id], periods[fact.note_id] = from_wire(fact.value), period
            case pb.NoteFound() if fact.HasField("value"):
                values[fact.note_id], periods[fact.note_id] = from_wire(fact.value), period
                kinds[fact.note_id] = NotePhase.FOUND
            case pb.NoteStacked():
                kinds[fact.note_id] = NotePhase.CLEARED
            case pb.NoteInDoubt():
                kinds[fact.note_id] = NotePhase.IN_DOUBT
            case pb.NoteReturned():
                kinds.pop(fact.note_id, None)
            case _:
                continue
        box = Counter((values[note], kind) for note, kind in kinds.items() if periods[note] == period)
        assert {(value, kind): n for (_, value, kind), n in fold.box_counts().items()} == box


def test_it_stays_as_small_as_what_is_open_over_thousands_of_deposits() -> None:
    fold, sizes = Fold(), list[int]()
    value = money_pb2.Money(minor=2000, currency="EUR")

    def deposits() -> Iterator[Fact]:
        yield pb.BoxPeriodOpened(box_period_id="p", device_serial="D")
        for number in range(3000):
            yield from deposit(f"d{number}", f"n{number}", value)

    for entry, fact in chained(deposits()):
        fold.apply(entry, fact)
        sizes.append(fold.size)
    assert max(sizes) <= 6
    assert len(snapshot.encode(fold)) < 2000
    assert fold.box_counts().total() == 3000


def deposit(name: str, note: str, value: money_pb2.Money, *, answered: bool = True) -> Iterator[Fact]:
    """A session with one deposit of one note."""
    yield pb.SessionOpened(session_id="s" + name)
    yield pb.DepositOpened(deposit_id=name, session_id="s" + name, currency="EUR", box_period_id="p")
    yield pb.NoteEscrowed(note_id=note, deposit_id=name, value=value)
    yield pb.NoteStacked(note_id=note, outcome_number=1)
    yield pb.NoteCleared(note_id=note)
    yield pb.DepositClosed(deposit_id=name)
    yield (advice := pb.AdviceSigned(deposit_id=name, content=name.encode()))
    if answered:
        digest = next(iter(folded(advice).outbox))
        yield pb.Settled(deposit_id=name, answer=b"answer", advice_hash=digest)
    yield pb.SessionClosed(session_id="s" + name)


# --- what must not be forgotten -------------------------------------------------------------------------------------

EURO = money_pb2.Money(minor=100, currency="EUR")
LATER = [*deposit("later", "later's", EURO), pb.SessionOpened(session_id="another")]


def test_what_is_done_with_is_forgotten_and_stays_in_the_count() -> None:
    fold = folded(pb.BoxPeriodOpened(box_period_id="p"), *deposit("d", "n", EURO), *LATER)
    assert set(fold.deposits) == {"later"}, "it has the last note"
    assert set(fold.notes) == {"later's"}
    assert set(fold.answers) == {"later"}
    assert list(fold.box_counts().values()) == [2]


def test_the_last_session_s_deposits_are_there_until_the_next_one_begins() -> None:
    fold = folded(*deposit("d", "n", EURO), *deposit("e", "m", EURO))
    assert set(fold.deposits) == {"d", "e"}, "d has the last note when e's session begins"
    assert fold.notes_of(DepositId("e")) == [fold.last]
    assert fold.answers[DepositId("e")] == b"answer"


def test_a_deposit_without_an_answer_is_not_forgotten() -> None:
    fold = folded(*deposit("d", "n", EURO, answered=False), *LATER)
    assert set(fold.deposits) == {"d", "later"}
    assert set(fold.notes) == {"n", "later's"}
    assert fold.value_decided_after((0, 0), Currency("EUR")) == Money(100, Currency("EUR"))


def test_a_note_of_which_the_host_was_never_told_is_not_forgotten() -> None:
    story = [fact for fact in deposit("d", "n", EURO) if not isinstance(fact, pb.AdviceSigned | pb.Settled)]
    assert set(folded(*story, *LATER).notes) == {"n", "later's"}


@pytest.mark.parametrize("decided", [pb.NoteStacked(note_id="n", outcome_number=2),
                                     pb.NoteReturned(note_id="n", outcome_number=2)])  # fmt: skip
def test_a_note_in_doubt_is_remembered_until_it_is_decided(decided: Fact) -> None:
    story = [
        pb.NoteInDoubt(note_id="n", outcome_number=1) if isinstance(fact, pb.NoteStacked | pb.NoteCleared) else fact
        for fact in deposit("d", "n", EURO)
    ]
    fold = folded(*story, *LATER, *deposit("more", "more's", EURO), pb.SessionOpened(session_id="x"), decided)
    assert fold.notes_of(DepositId("d"))[0].outcome_number == 2


def test_a_note_that_the_device_is_not_done_with_is_not_forgotten_though_it_is_not_the_last() -> None:
    story = [fact for fact in deposit("d", "n", EURO) if not isinstance(fact, pb.NoteCleared)]
    fold = folded(*story, *LATER, *deposit("more", "more's", EURO), pb.SessionOpened(), pb.NoteCleared(note_id="n"))
    assert [note.open for note in fold.notes_of(DepositId("d"))] == [False]


def test_a_deposit_that_is_open_is_not_forgotten_whoever_comes() -> None:
    story = [fact for fact in deposit("d", "n", EURO) if not isinstance(fact, pb.DepositClosed)]
    assert folded(*story, pb.NoteFound(note_id="x"), pb.SessionOpened(session_id="y")).open_deposit is not None


def test_a_find_without_a_deposit_is_forgotten_when_it_is_answered_and_no_more_the_last_note() -> None:
    find: list[Fact] = [
        pb.BoxPeriodOpened(box_period_id="p"),
        pb.NoteFound(note_id="f", value=EURO, box_period_id="p", outcome_number=1),
        pb.AdviceSigned(deposit_id="f", content=b"f"),
    ]
    digest = next(iter(folded(*find).outbox))
    settled = pb.Settled(deposit_id="f", answer=b"a", advice_hash=digest)
    assert set(folded(*find, *LATER).notes) == {"f", "later's"}
    assert set(folded(*find, settled, pb.SessionOpened()).notes) == {"f"}
    fold = folded(*find, settled, *LATER)
    assert set(fold.notes) == {"later's"}
    assert set(fold.answers) == {"later"}
    assert sorted(fold.box_counts().values()) == [1, 1]


def test_a_new_box_begins_its_own_count() -> None:
    fold = folded(pb.BoxPeriodOpened(box_period_id="p"), *deposit("d", "n", EURO), *LATER)
    entry, fact = next(chained(iter([pb.BoxPeriodOpened(box_period_id="q")])))
    fold.apply(entry, fact)
    assert not fold.box_counts()
    assert not fold.forgotten


def test_that_a_device_was_a_simulator_is_never_forgotten() -> None:
    story = list(deposit("d", "n", EURO))
    opened = story[1]
    assert isinstance(opened, pb.DepositOpened)
    opened.device_serial, opened.device_simulated = "SIM", True
    assert folded(*story, *LATER).simulated == {"SIM"}
