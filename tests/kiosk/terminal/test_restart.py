"""A new process over the journal of an old one: every phase of a note, everything that a device may answer first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from drivers.api.cash import Presence
from guichet.journal.records import decode, fact_of
from guichet.v1 import journal_pb2 as pb
from kiosk.journal.folds import NotePhase
from kiosk.journal.restore import said_of_it
from kiosk.terminal.recovery import Action, Count, Decision, EventOf, LastRecord, Outcome, Situation, decide
from tests.kiosk.terminal.standing import OTHER_SERIAL, TEN, TWENTY, WRITER, Killed, Rig, euros, identity

BASELINE = 7


def incidents(rig: Rig) -> set[str]:
    return {fact.code for fact in rig.records("Incident") if isinstance(fact, pb.Incident)}


def escrowed(rig: Rig) -> None:
    rig.begin(BASELINE)
    rig.escrowed(TWENTY)


def return_intended(rig: Rig) -> None:
    escrowed(rig)
    rig.desk.give_back(pb.RETURN_REASON_CUSTOMER)


def stack_intended(rig: Rig) -> None:
    escrowed(rig)
    rig.desk.take()


def stacked(rig: Rig) -> None:
    """The process died between the record and the acknowledgement."""
    stack_intended(rig)
    rig.cash.dies_at = "acknowledge"
    with pytest.raises(Killed):
        rig.stacked(TWENTY)


def acknowledged(rig: Rig) -> None:
    stack_intended(rig)
    rig.stacked(TWENTY)


def cleared(rig: Rig) -> None:
    acknowledged(rig)
    rig.cleared(BASELINE + 1)


def in_doubt(rig: Rig) -> None:
    stack_intended(rig)
    rig.desk.no_answer()


PHASES: dict[NotePhase, tuple[LastRecord, Callable[[Rig], None]]] = {
    NotePhase.ESCROWED: (LastRecord.ESCROWED, escrowed),
    NotePhase.RETURN_INTENDED: (LastRecord.RETURN_INTENDED, return_intended),
    NotePhase.STACK_INTENDED: (LastRecord.STACK_INTENDED, stack_intended),
    NotePhase.STACKED: (LastRecord.STACKED, stacked),
    NotePhase.ACK_SENT: (LastRecord.STACKED, acknowledged),
    NotePhase.CLEARED: (LastRecord.NONE, cleared),
    NotePhase.IN_DOUBT: (LastRecord.IN_DOUBT, in_doubt),
}
ANSWERS = [p for p in Presence if p is not Presence.NO_ANSWER]
COUNTS = {None: Count.UNKNOWN, BASELINE: Count.SAME, BASELINE + 1: Count.ONE_MORE, BASELINE + 2: Count.OTHER}
ENDS = {Outcome.CREDITED: "CREDITED", Outcome.RETURNED: "RETURNED", Outcome.IN_DOUBT: "IN_DOUBT"}
CALLS = {
    Action.PROCEED: ["proceed"],
    Action.FINISH: ["proceed"],
    Action.STOP: ["proceed"],
    Action.RETURN: ["return", "proceed"],
    Action.ACKNOWLEDGE: ["acknowledge", "proceed"],
    Action.ASK_AGAIN: [],
}
IN_BOX = {NotePhase.STACKED, NotePhase.ACK_SENT, NotePhase.CLEARED}


def cases() -> Iterator[tuple[NotePhase, Presence, int, int | None]]:
    for phase, presence in product(PHASES, ANSWERS):
        types = (TWENTY, TEN) if presence is Presence.STACKED else (TWENTY,)
        empty_of_ours = presence in (Presence.PATH_EMPTY, Presence.OTHER_NOTE)
        counted = empty_of_ours and phase in (NotePhase.STACK_INTENDED, NotePhase.IN_DOUBT)
        for kind, counter in product(types, COUNTS if counted else (None,)):
            yield phase, presence, kind, counter


def first_answer(rig: Rig, presence: Presence, kind: int, counter: int | None) -> list[str]:
    if presence is Presence.OTHER_DEVICE:
        return rig.answered(Presence.PATH_EMPTY, counter=counter, who=identity(OTHER_SERIAL))
    if presence is Presence.OTHER_NOTE:
        return rig.answered(Presence.IN_ESCROW, TEN, counter, identity())
    note_type = kind if presence in (Presence.STACKED, Presence.IN_ESCROW) else None
    return rig.answered(presence, note_type, counter, identity())


def stated_before(phase: NotePhase) -> list[list[tuple[str, int, str]]]:
    """A deposit whose note is decided closes at the new process's first event; what it says of the note."""
    return [[("CREDITED" if phase in IN_BOX else "IN_DOUBT", 1, "2000 EUR")]]


@pytest.mark.parametrize(
    ("phase", "presence", "kind", "counter"),
    list(cases()),
    ids=lambda value: value.name if isinstance(value, NotePhase | Presence) else str(value),
)
def test_a_restart_gives_the_outcome_of_the_table_and_closes_the_deposit_once(
    tmp_path: Path, phase: NotePhase, presence: Presence, kind: int, counter: int | None
) -> None:
    row, arrive = PHASES[phase]
    before = Rig(tmp_path / "journal.db")
    arrive(before)
    assert before.phases == [phase]
    rig = before.restarted()
    event_of = EventOf.OURS if kind == TWENTY else EventOf.ANOTHER
    decision = decide(Situation(row, presence, event_of, COUNTS[counter]))

    log = first_answer(rig, presence, kind, counter)

    assert log[0] == "DeviceAnswered", "what it said is on record before anything else"
    calls = [word for word in log if word in ("acknowledge", "return", "proceed", "stack", "enable")]
    assert calls == CALLS[decision.action]
    assert ("Incident" in log) == decision.incident
    if decision.outcome in ENDS:
        recorded = {"CREDITED": "NoteStacked", "RETURNED": "NoteReturned", "IN_DOUBT": "NoteInDoubt"}
        place = log.index(recorded[ENDS[decision.outcome]])
        assert all(log.index(call) > place for call in calls), "recorded before the device goes on"
    check_books(rig, phase, decision)
    rig.journal.close()


def check_books(rig: Rig, phase: NotePhase, decision: Decision) -> None:
    """The note, the deposit, and what the host is told."""
    if decision.outcome is Outcome.UNDECIDED:
        assert rig.deposits[0].closed is False
        assert rig.advices() == []
        return
    assert rig.deposits[0].closed, "an orphan closes to its own account"
    assert len(rig.records("DepositClosed")) == 1
    if decision.outcome is Outcome.UNCHANGED:
        stated = stated_before(phase)
    elif phase is NotePhase.IN_DOUBT:
        stated = [[("IN_DOUBT", 1, "2000 EUR"), (ENDS[decision.outcome], 2, "2000 EUR")]]
    elif decision.outcome is Outcome.RETURNED:
        stated = []
    else:
        stated = [[(ENDS[decision.outcome], 1, "2000 EUR")]]
    if decision.found:
        stated[0].append(("FOUND", 1, "1000 EUR"))
    assert rig.stated() == stated


# --- what follows an answer that does not decide --------------------------------------------------------------------


@pytest.fixture
def stacking(tmp_path: Path) -> Iterator[Rig]:
    """A new process; the old one had sent STACK, and the note still moves."""
    before = Rig(tmp_path / "journal.db")
    stack_intended(before)
    rig = before.restarted()
    rig.answered(Presence.MOVING, counter=BASELINE, who=identity())
    yield rig
    rig.journal.close()


def test_a_note_that_moved_on_is_credited_by_its_event_and_the_deposit_closes(stacking: Rig) -> None:
    assert stacking.stacked(TWENTY) == [
        "NoteStacked", "acknowledge", "AckSent", "proceed", "disable", "DepositClosed", "AdviceSigned",
    ]  # fmt: skip
    assert stacking.stacked(TWENTY) == ["acknowledge", "proceed"]
    stacking.ready(BASELINE + 1)
    assert stacking.stated() == [[("CREDITED", 1, "2000 EUR")]]
    assert stacking.desk.view.ready
    closed = stacking.records("DepositClosed")
    assert [f.end for f in closed if isinstance(f, pb.DepositClosed)] == [pb.DEPOSIT_END_RESTART]


def test_a_note_that_moved_and_turns_out_another_is_in_doubt_and_the_other_is_found(stacking: Rig) -> None:
    stacking.stacked(TEN)
    stacking.ready(BASELINE + 1)
    assert stacking.stated() == [[("IN_DOUBT", 1, "2000 EUR"), ("FOUND", 1, "1000 EUR")]]


@pytest.mark.parametrize(
    ("counter", "outcome"), [(None, "IN_DOUBT"), (BASELINE, None), (BASELINE + 1, "CREDITED"), (99, "IN_DOUBT")]
)
def test_a_note_of_which_no_event_comes_is_decided_when_the_path_is_empty(
    stacking: Rig, counter: int | None, outcome: str | None
) -> None:
    stacking.ready(counter)
    assert stacking.stated() == ([] if outcome is None else [[(outcome, 1, "2000 EUR")]])
    assert stacking.deposits[0].closed


def test_another_process_after_that_finds_nothing_left_to_do(stacking: Rig) -> None:
    stacking.stacked(TWENTY)
    stacking.ready(BASELINE + 1)
    again = stacking.restarted()
    facts = len(again.facts)
    again.answered(Presence.PATH_EMPTY, counter=BASELINE + 1, who=identity())
    again.ready(BASELINE + 1)
    assert [fact.DESCRIPTOR.name for fact in again.facts[facts:]] == ["DeviceAnswered"]
    assert again.stated() == [[("CREDITED", 1, "2000 EUR")]]
    again.journal.close()


@pytest.mark.parametrize("doubted_by_it", [False, True])
def test_an_event_of_another_note_beside_a_doubt_is_found_and_what_was_counted_is_that_one(
    tmp_path: Path, doubted_by_it: bool
) -> None:
    """Ours went back by itself while nobody looked. ``doubted_by_it``: the terminal died between doubt and find, and
    hears of it again.
    """
    before = Rig(tmp_path / "journal.db")
    stack_intended(before)
    if doubted_by_it:
        note = before.notes[0].note_id
        before.journal.append(
            pb.NoteInDoubt(note_id=note, reason="-", outcome_number=1, presence=pb.DEVICE_PRESENCE_STACKED)
        )
    else:
        before.desk.no_answer()
    rig = before.restarted()
    rig.answered(Presence.STACKED, TEN)
    rig.ready(BASELINE + 1)
    assert rig.stated() == [[("IN_DOUBT", 1, "2000 EUR"), ("FOUND", 1, "1000 EUR")]]
    assert rig.desk.view.ready
    rig.journal.close()


def test_an_event_that_was_recorded_and_not_acknowledged_is_acknowledged_after_the_restart(tmp_path: Path) -> None:
    before = Rig(tmp_path / "journal.db")
    stacked(before)
    rig = before.restarted()
    log = rig.answered(Presence.STACKED, TWENTY)
    assert log == [
        "DeviceAnswered", "acknowledge", "AckSent", "proceed", "disable", "DepositClosed", "AdviceSigned",
    ]  # fmt: skip
    assert rig.phases == [NotePhase.ACK_SENT]
    assert rig.stated() == [[("CREDITED", 1, "2000 EUR")]]
    rig.journal.close()


def test_the_stacked_event_of_another_device_decides_nothing_about_our_note(tmp_path: Path) -> None:
    """Exchanged by an engineer, and it came with a note of the same type in its own path."""
    before = Rig(tmp_path / "journal.db")
    stack_intended(before)
    rig = before.restarted()
    rig.answered(Presence.MOVING, counter=3, who=identity(OTHER_SERIAL))
    assert "NoteFound" in rig.stacked(TWENTY)
    rig.ready(4, OTHER_SERIAL)
    assert rig.phases == [NotePhase.IN_DOUBT, NotePhase.FOUND]
    assert [outcome for advice in rig.stated() for outcome, _, _ in advice] == ["IN_DOUBT"]
    ours, another = rig.notes
    assert another.value is None, "its note table was not read"
    assert ours.box_period_id != another.box_period_id, "each lies in the box of its own device"
    rig.journal.close()


@pytest.mark.parametrize(("counter", "found"), [(8, False), (9, True), (None, False)])
def test_the_count_tells_a_repeat_of_the_last_event_from_another_notes(
    tmp_path: Path, counter: int | None, found: bool
) -> None:
    rig = Rig(tmp_path / "journal.db")
    rig.begin()
    rig.one_note(TWENTY, counter=8)
    rig = rig.restarted()
    assert ("NoteFound" in rig.answered(Presence.STACKED, TWENTY, counter, identity())) is found
    rig.journal.close()


@pytest.mark.parametrize("by_the_next_one", [False, True])
@pytest.mark.parametrize(("counter", "found"), [(None, True), (9, True), (8, False)])
def test_what_comes_after_the_slot_was_opened_again_is_no_repeat_unless_the_count_says_so(
    tmp_path: Path, counter: int | None, found: bool, by_the_next_one: bool
) -> None:
    rig = Rig(tmp_path / "journal.db")
    rig.begin()
    rig.one_note(TWENTY)
    if by_the_next_one:
        rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
        rig.open()
    else:
        rig.desk.accept()
    rig = rig.restarted()
    assert ("NoteFound" in rig.answered(Presence.STACKED, TWENTY, counter, identity())) is found
    rig.journal.close()


def test_a_doubt_that_ends_after_the_deposit_closed_has_an_advice_of_its_own(tmp_path: Path) -> None:
    before = Rig(tmp_path / "journal.db")
    in_doubt(before)
    before.desk.close_deposit(pb.DEPOSIT_END_DEVICE)
    rig = before.restarted()
    rig.answered(Presence.STACKED, TWENTY, None, None)
    assert rig.stated() == [[("IN_DOUBT", 1, "2000 EUR")], [("CREDITED", 2, "2000 EUR")]]
    advices = rig.advices()
    assert advices[0].deposit_id == advices[1].deposit_id
    assert advices[1].sequence > advices[0].sequence
    evidence = rig.records("NoteStacked")[0]
    assert isinstance(evidence, pb.NoteStacked)
    assert evidence.evidence == pb.EVIDENCE_EVENT_AFTER_RESTART
    rig.journal.close()


def test_a_device_that_stays_silent_after_a_restart_leaves_the_note_in_doubt_and_closes_the_deposit(
    tmp_path: Path,
) -> None:
    before = Rig(tmp_path / "journal.db")
    stack_intended(before)
    rig = before.restarted()
    assert rig.does(rig.desk.no_answer) == ["Incident", "NoteInDoubt", "disable", "DepositClosed", "AdviceSigned"]
    assert rig.stated() == [[("IN_DOUBT", 1, "2000 EUR")]]
    rig.journal.close()


def test_the_books_are_the_same_however_often_the_process_starts(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "journal.db")
    rig.begin()
    rig.one_note(TWENTY, 8)
    rig.escrowed(TEN)
    for _ in range(3):
        rig = rig.restarted()
        rig.answered(Presence.RETURNABLE, None, 8, identity())
        rig.ready(8)
    assert rig.phases == [NotePhase.CLEARED, NotePhase.RETURNED]
    assert rig.stated() == [[("CREDITED", 1, "2000 EUR"), ("RETURNED", 1, "1000 EUR")]]
    assert len(rig.records("DepositClosed")) == 1
    rig.journal.close()


@pytest.mark.parametrize("arrive", [escrowed, return_intended, stack_intended])
@pytest.mark.parametrize("presence", [p for p in Presence if p is not Presence.NO_ANSWER])
def test_of_a_note_that_a_restored_journal_leaves_undecided_nothing_that_the_device_says_is_believed(
    tmp_path: Path, arrive: Callable[[Rig], None], presence: Presence
) -> None:
    """The old disk may have known that it was stacked, or gone back, and that others came after it."""
    before = Rig(tmp_path / "journal.db")
    arrive(before)
    told = said_of_it(replace(WRITER, epoch=2), list(before.journal.entries(1)), 0)
    facts = [fact_of(decode(entry.record)) for entry in told]
    before.journal.append(*facts)
    rig = before.restarted()
    first_answer(rig, presence, TWENTY, BASELINE + 1)
    assert [type(fact).__name__ for fact in facts] == ["NoteInDoubt", "JournalRestored"]
    assert rig.deposits[0].closed
    assert rig.stated() == [[("IN_DOUBT", 1, "2000 EUR")]]
    stacked = presence is Presence.STACKED
    assert [note.value for note in rig.notes] == [euros(2000), *([None] * stacked)], "not twice in the books"
    assert ("found-or-known" in incidents(rig)) == stacked
    rig.journal.close()


@pytest.mark.parametrize("arrive", [stacked, acknowledged, in_doubt])
def test_after_a_restore_an_event_is_not_taken_for_the_last_notes_that_is_known(
    tmp_path: Path, arrive: Callable[[Rig], None]
) -> None:
    before = Rig(tmp_path / "journal.db")
    arrive(before)
    before.journal.append(pb.JournalRestored(entries=1))
    rig = before.restarted()
    rig.answered(Presence.STACKED, TWENTY, BASELINE + 1, identity())
    assert (rig.notes[-1].phase, rig.notes[-1].value) == (NotePhase.FOUND, None)
    assert "found-or-known" in incidents(rig)
    rig.journal.close()


def restored_at_rest(tmp_path: Path) -> Rig:
    """A deposit was closed, the journal restored, and the device has answered that it is empty."""
    before = Rig(tmp_path / "journal.db")
    cleared(before)
    before.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    before.journal.append(pb.JournalRestored(entries=1))
    rig = before.restarted()
    rig.answered(Presence.PATH_EMPTY, counter=8, who=identity())
    return rig


def test_what_is_found_once_the_slot_was_opened_after_a_restore_has_its_value(tmp_path: Path) -> None:
    rig = restored_at_rest(tmp_path)
    rig.ready(8)
    rig.open()
    rig = rig.restarted()
    rig.answered(Presence.STACKED, TWENTY, BASELINE + 1, identity())
    assert (rig.notes[-1].phase, rig.notes[-1].value) == (NotePhase.FOUND, euros(2000))
    assert "found-or-known" not in incidents(rig)
    rig.journal.close()


def test_after_a_restore_a_new_box_period_begins_for_the_box_may_be_another(tmp_path: Path) -> None:
    rig = restored_at_rest(tmp_path)
    assert "BoxPeriodOpened" in rig.ready(8)
    rig.journal.close()
