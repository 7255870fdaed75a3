"""What the host's side of every protocol does alike, against its simulated validator, in memory and virtual time."""

from __future__ import annotations

from itertools import pairwise

import pytest

from drivers.api.cash import (
    Answered,
    CashCommand,
    Cleared,
    Completed,
    Escrowed,
    Lost,
    Presence,
    Ready,
    Refusal,
    Rejected,
    Returned,
    Stacked,
    Stacking,
    Trouble,
    TroubleKind,
)
from drivers.cash.steps import Acknowledge, Proceed
from drivers.simulation.mechanism import Box
from drivers.simulation.notes import Place, Vault
from tests.drivers.cash.protocols import PROTOCOLS, Protocol
from tests.drivers.cash.sheet import row

ENABLE, DISABLE, STACK, RETURN = CashCommand.ENABLE, CashCommand.DISABLE, CashCommand.STACK, CashCommand.RETURN
every = pytest.mark.parametrize("protocol", PROTOCOLS)


# --- commands -------------------------------------------------------------------------------------------------------


@every
def test_the_slot_cannot_be_opened_before_the_device_is_ready(protocol: Protocol) -> None:
    b = protocol.bench()
    b.until(Answered)
    b.command(ENABLE)
    assert b.until(Completed) == Completed(ENABLE, Refusal.NOT_READY)
    b.ready()
    b.run(3)
    assert not b.device.accepts, "and it is not done by itself later"


@every
def test_the_slot_is_shut_when_asked(protocol: Protocol) -> None:
    b = protocol.bench()
    b.enabled()
    b.command(DISABLE)
    assert b.until(Completed) == Completed(DISABLE)
    assert not b.device.accepts


@every
@pytest.mark.parametrize("command", [STACK, RETURN])
def test_a_command_that_needs_a_note_is_refused_without_one_and_nothing_is_sent(
    command: CashCommand, protocol: Protocol
) -> None:
    b = protocol.bench()
    b.enabled()
    b.command(command)
    assert b.until(Completed) == Completed(command, Refusal.NO_NOTE_IN_ESCROW)
    assert protocol.moved(b) == []


@every
@pytest.mark.parametrize("command", [STACK, RETURN])
def test_a_command_about_a_note_that_nobody_can_know_of_is_refused_and_not_kept(
    command: CashCommand, protocol: Protocol
) -> None:
    b = protocol.bench()
    b.escrowed()
    b.restart()
    b.proceeds = False
    b.command(command)
    assert b.heard(Completed)[-1] == Completed(command, Refusal.NOT_READY)
    assert b.until(Answered).presence is Presence.IN_ESCROW
    if command is STACK:
        b.command(STACK)
        assert b.heard(Completed)[-1] == Completed(STACK, Refusal.NOT_READY)
    b.step(Proceed())
    b.run(1)
    assert protocol.moved(b) == []


@every
def test_more_commands_than_anybody_can_want_are_refused(protocol: Protocol) -> None:
    b = protocol.bench()
    b.device.line.mute = True
    for _ in range(1000):
        b.command(DISABLE)
    refused = b.heard(Completed)
    assert len(refused) > 980
    assert set(refused) == {Completed(DISABLE, Refusal.NOT_READY)}


@every
def test_an_acknowledgement_or_a_proceed_out_of_season_changes_nothing(protocol: Protocol) -> None:
    b = protocol.bench()
    b.enabled()
    b.run(0.1)
    told, moved = len(b.told), len(protocol.moved(b))
    for happened in (Acknowledge(), Proceed()):
        b.step(happened)
    b.run(3)
    assert (len(b.told), len(protocol.moved(b))) == (told, moved)
    assert b.device.accepts


# --- at rest --------------------------------------------------------------------------------------------------------


@every
def test_what_says_the_same_for_a_minute_is_hardly_looked_at_and_a_note_after_that_is(protocol: Protocol) -> None:
    b = protocol.bench()
    b.enabled()
    b.run(2)
    polls, rested = len(b.commands(protocol.poll)), b.rested
    b.run(60)
    polls, rested = len(b.commands(protocol.poll)) - polls, b.rested - rested
    assert polls > 200
    # A poll is two steps: it goes out, and it is answered. ccTalk looks every two seconds, by other questions.
    assert (rested > 1.5 * polls) is protocol.says_the_same
    b.stacked()
    b.cleared()
    assert b.places() == [Place.BOX]


@every
def test_a_device_that_is_unplugged_or_muted_at_rest_is_missed_and_found_again(protocol: Protocol) -> None:
    b = protocol.bench()
    b.enabled()
    b.run(5)
    b.device.line.mute = True
    b.until(Lost)
    b.device.line.mute = False
    b.until(Ready)
    b.run(5)
    b.device.cut_power(b.now)
    b.run(0.5)
    b.device.restore_power(b.now)
    assert b.until(Answered).presence in (Presence.PATH_EMPTY, Presence.FORGOTTEN)
    b.until(Ready)


@every
def test_a_command_that_comes_while_an_answer_is_missed_at_rest_is_done_next(protocol: Protocol) -> None:
    b = protocol.bench()
    b.enabled()
    b.run(5)
    b.device.line.lost = 1
    b.run(0.3)
    b.command(DISABLE)
    b.run(10)
    assert b.heard(Completed)[-1] == Completed(DISABLE)
    assert not b.device.accepts


@every
def test_a_process_that_finds_its_device_at_rest_does_nothing_to_it_before_the_first_answer_is_on_record(
    protocol: Protocol,
) -> None:
    b = protocol.bench()
    b.enabled()
    b.run(5)
    b.proceeds = False
    b.restart()
    b.until(Answered)
    b.run(1)
    sent = len(b.sent)
    b.run(10)
    allowed = {protocol.poll} if protocol.name == "cctalk" else set[object]()  # Its events are read and stay there.
    assert {each.command for each in b.sent[sent:]} <= allowed
    assert b.device.accepts
    b.step(Proceed())
    b.until(Ready)


@every
def test_what_stands_on_the_line_behind_an_answer_at_rest_is_no_part_of_the_next_news(protocol: Protocol) -> None:
    b = protocol.bench()
    b.enabled()
    b.run(5)
    tails = [protocol.noise[1]]
    b.from_device = lambda data: data + tails.pop() if data and tails else data
    b.run(30)
    assert not tails
    b.insert()
    began = b.now
    b.until(Escrowed)
    assert b.now - began < 2.0
    assert b.troubles() == []


@every
def test_what_is_asked_after_a_note_is_asked_again_where_its_answer_was_missed(protocol: Protocol) -> None:
    b = protocol.bench()
    b.stacked()
    b.wait("open", lambda: b.device.accepts)
    b.device.line.lost = 2
    b.run(10)
    assert len(b.heard(Cleared)) == 1
    b.insert(b.kind("5 EUR"))
    b.until(Escrowed)
    b.command(STACK)
    b.run(10)
    assert len(b.heard(Cleared)) == 2


# --- a note ---------------------------------------------------------------------------------------------------------


@row("sequence: return", "exchange: host refuses")
@every
def test_a_note_is_given_back_when_asked(protocol: Protocol) -> None:
    b = protocol.bench()
    b.escrowed()
    b.command(RETURN)
    assert b.cleared().stacked_counter in (None, 0)
    assert len(b.heard(Returned)) == 1
    assert not b.heard(Stacked)
    assert not b.heard(Rejected), "it had come to escrow"
    assert b.places() == [Place.HAND]
    assert len(protocol.moved(b)) == 1


@every
def test_many_notes_go_in_one_after_the_other(protocol: Protocol) -> None:
    b = protocol.bench()
    faces = ("5 EUR", "10 EUR", "20 EUR", "5 EUR")
    for number, face in enumerate(faces, 1):
        assert b.escrowed(b.kind(face)).note_type == b.kind(face)
        b.command(STACK)
        assert b.cleared().stacked_counter in (None, number)
    assert [event.note_type for event in b.heard(Stacked)] in ([b.kind(face) for face in faces], [None] * 4)
    assert b.device.vault.counter == 4


@every
def test_two_stacks_in_a_row_are_one(protocol: Protocol) -> None:
    b = protocol.bench()
    b.escrowed()
    b.command(STACK)
    b.command(STACK)
    b.cleared()
    assert [event.refused for event in b.heard(Completed)[-2:]] == [None, Refusal.NO_NOTE_IN_ESCROW]
    assert len(protocol.moved(b)) == (0 if protocol.name == "essp" else 1), "for SSP it is a poll that stacks"
    assert b.places() == [Place.BOX]


# --- the line -------------------------------------------------------------------------------------------------------


@every
def test_the_poll_comes_at_its_pace_and_never_on_the_heels_of_an_answer(protocol: Protocol) -> None:
    b = protocol.bench()
    b.ready()
    b.run(1)
    b.sent.clear()
    b.run(10)
    gaps = [after - before for before, after in pairwise(b.times(protocol.poll))]
    assert min(gaps) >= 0.2
    assert max(gaps) < 0.3


@every
def test_garbage_around_the_answers_is_ignored(protocol: Protocol) -> None:
    b = protocol.bench()
    before, after = protocol.noise
    b.from_device = lambda data: before + data + after if data else data
    b.escrowed()
    b.command(STACK)
    b.cleared()
    assert b.places() == [Place.BOX]


@every
def test_a_device_that_was_never_there_is_lost_too(protocol: Protocol) -> None:
    b = protocol.bench()
    b.device.cut_power(b.now)
    assert b.until(Lost) == Lost("silent")
    b.device.restore_power(b.now)
    b.ready()


@every
def test_what_was_wanted_of_a_device_that_is_gone_ends_as_lost(protocol: Protocol) -> None:
    b = protocol.bench()
    b.escrowed()
    b.device.cut_power(b.now)
    b.command(STACK)
    b.command(DISABLE)
    b.until(Lost)
    assert set(b.heard(Completed)[-2:]) == {Completed(STACK, Refusal.LOST), Completed(DISABLE, Refusal.LOST)}


# --- another process, another device --------------------------------------------------------------------------------


@every
def test_a_note_that_an_earlier_process_left_in_escrow_can_be_given_back(protocol: Protocol) -> None:
    b = protocol.bench()
    b.escrowed()
    b.told.clear()
    b.sent.clear()
    b.proceeds = False
    b.restart()
    assert b.until(Answered).presence is Presence.IN_ESCROW
    b.command(RETURN)
    assert protocol.moved(b) == []
    b.go_on()
    b.until(Ready)
    assert b.heard(Returned)
    assert b.places() == [Place.HAND]
    assert not b.heard(Escrowed), "it is not announced as a new note"


@every
def test_a_device_that_is_enabled_already_is_shut_by_a_new_process(protocol: Protocol) -> None:
    b = protocol.bench()
    b.enabled()
    b.restart()
    assert b.until(Answered).presence is Presence.PATH_EMPTY
    b.until(Ready)
    assert not b.device.accepts


@every
def test_a_vault_outlives_the_power_and_a_new_device_stands_where_the_old_one_stood(protocol: Protocol) -> None:
    vault = Vault(None)
    b = protocol.bench(vault)
    b.escrowed()
    b.command(STACK)
    b.until(Stacking)
    again = protocol.bench(vault)
    again.ready()
    assert again.places() == [Place.BOX]
    assert vault.counter == 1


# --- the box --------------------------------------------------------------------------------------------------------


@every
def test_a_box_that_is_taken_out_and_put_back_leads_to_a_device_that_is_ready_anew(protocol: Protocol) -> None:
    b = protocol.bench()
    b.enabled()
    b.device.change_box(Box.OUT, b.now)
    assert b.until(Trouble) == Trouble(TroubleKind.BOX_REMOVED)
    b.run(5)
    assert (len(b.troubles()), len(b.heard(Ready))) == (1, 1)
    b.device.change_box(Box.IN, b.now, "BOX-2")
    b.until(Ready)
    assert b.troubles()[-1] == Trouble(TroubleKind.BOX_REMOVED, over=True)
    assert not b.device.accepts


@row("sequence: box full")
@every
def test_a_box_that_was_full_and_is_not_any_more_makes_the_device_ready_anew(protocol: Protocol) -> None:
    b = protocol.bench()
    b.ready()
    b.device.change_box(Box.FULL, b.now)
    assert b.until(Trouble) == Trouble(TroubleKind.BOX_FULL)
    b.run(3)
    assert (len(b.troubles()), len(b.heard(Ready))) == (1, 1)
    b.device.change_box(Box.IN, b.now)
    b.until(Ready)
    assert Trouble(TroubleKind.BOX_FULL, over=True) in b.troubles()
