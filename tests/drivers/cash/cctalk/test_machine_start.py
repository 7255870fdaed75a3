"""The host's side of ccTalk: a start, and a new process over a living device."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from drivers.api.cash import Answered, Lost, Presence, Ready
from drivers.cash.cctalk.machine import Machine
from drivers.cash.cctalk.messages import Header, Request
from drivers.cash.cctalk.roles import NOTES
from drivers.cash.cctalk.timing import Timing
from drivers.cash.connection import Phase
from drivers.cash.steps import Opened, Proceed, Tick
from guichet.money import parse_money
from tests.drivers.cash.bench import On, nothing
from tests.drivers.cash.cctalk.virtual import HARMLESS, SERIAL, TABLE, TEN, WHO, Bench, bench, device
from tests.drivers.cash.sheet import row


@row("exchange: bill start")
def test_before_proceed_nothing_is_done_to_the_device() -> None:
    b = bench(proceeds=False)
    answered = b.until(Answered)
    b.run(20)
    assert set(b.requests()) <= {Request(header) for header in HARMLESS}
    again = [Header.GET_INHIBITS, Header.MANUFACTURER, Header.SERIAL]
    assert b.commands()[: len(WHO) + 3] == [*WHO, *again], "what identity hangs on is asked twice"
    assert answered.identity is not None
    assert (answered.identity.serial, answered.identity.driver, answered.identity.simulated) == (SERIAL, "cctalk", True)
    assert answered.presence is Presence.PATH_EMPTY
    assert answered.mark == 0
    assert answered.frame == bytes.fromhex("010B2800 0000000000000000000000 CC")
    assert b.told == [answered]


@row("exchange: bill start")
def test_initialising_reads_the_table_and_leaves_the_slot_shut() -> None:
    b = bench()
    ready = b.ready()
    assert ready.values == TABLE
    assert ready.stacked_counter is None
    ids = [Request(Header.NOTE_ID, bytes((position,))) for position in range(1, 17)]
    worth = [Request(Header.SCALING, b"EU"), Request(Header.REVISION, b"EU")]
    asked = [request for request in b.requests() if request.header is not Header.NOTE_EVENTS]
    assert asked[asked.index(ids[0]) :] == [
        *ids, *worth,
        *reversed([*ids[:3], *worth]),
        Request(Header.SET_MODE, b"\x03"), Request(Header.SET_INHIBITS, b"\xff" * 8),
        Request(Header.SET_MASTER, b"\x00"),
    ]  # fmt: skip
    assert not b.device.accepts


@row("the table is compared")
def test_the_hash_of_the_table_changes_with_what_is_in_it() -> None:
    first, other = Bench(device()).ready(), device()
    other.table[TEN] = parse_money("10 USD")
    assert Bench(other).ready().table_hash != first.table_hash
    assert Bench(device()).ready().table_hash == first.table_hash


@row("249 polling priority")
def test_the_pace_of_polls_is_the_devices_unless_it_is_fixed() -> None:
    for fixed, pace in ((False, 0.2), (True, 0.5)):
        b = Bench(device(), timing=Timing(poll=0.5, poll_is_fixed=fixed))
        b.ready()
        b.run(3)
        before = len(b.times(Header.NOTE_EVENTS))
        b.run(10)
        polls = b.times(Header.NOTE_EVENTS)[before:]
        assert max(later - at for at, later in pairwise(polls)) < pace + 0.1
        assert len(polls) <= 10 / pace + 1


def test_polls_that_follow_each_other_closely_leave_room_for_everything_else() -> None:
    b = Bench(device(), timing=Timing(poll=0.005, poll_is_fixed=True))
    b.stacked()
    b.cleared()


@row("watchdog of a validator: 5 s")
def test_a_validator_is_read_often_enough_for_its_watchdog_whatever_happens() -> None:
    b = bench(proceeds=False)
    b.until(Answered)
    b.run(30)
    b.step(Proceed())
    b.enabled()
    b.run(30)
    assert b.device.accepts
    reads = b.times(Header.NOTE_EVENTS)
    assert max(later - at for at, later in pairwise(reads)) < NOTES.watchdog


def test_a_device_that_never_says_who_it_is_is_not_used_and_a_person_hears_of_it() -> None:
    b = bench()
    b.from_device = On(Header.SERIAL, b, 15, nothing)
    b.run(6)
    assert b.codes() == ["failure-no-answer-242"]
    assert b.heard(Answered) == []
    b.ready()
    assert b.codes() == ["failure-no-answer-242", "failure-no-answer-242 over"]


@row("153 3: stacker and escrow")
def test_a_validator_that_does_not_say_that_it_uses_escrow_lets_no_note_in() -> None:
    """It would stack whatever comes, and the customer could have nothing back."""
    b = bench()
    b.from_device = On(Header.SET_MODE, b, 15, nothing)
    b.run(8)
    assert b.codes() == ["failure-no-answer-153"]
    assert b.heard(Ready) == []
    b.ready()
    assert b.requests(Header.SET_MODE)[-1] == Request(Header.SET_MODE, b"\x03")


def test_a_tick_too_many_changes_nothing() -> None:
    b = bench()
    b.enabled()
    for _ in range(20):
        b.step(Tick())
    assert b.machine.phase is Phase.RUNNING
    assert b.heard(Lost) == []


def test_at_another_address_it_is_the_same() -> None:
    role = replace(NOTES, address=41)
    machine = Machine(role, Timing())
    machine.step(Opened(bytes(64)), 0.0)
    sent = machine.step(Tick(), 0.0)
    assert [getattr(output, "data", b"")[0] for output in sent] == [41]
