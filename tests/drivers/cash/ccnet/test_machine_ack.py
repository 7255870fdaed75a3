"""The host's side of CCNET: the acknowledgement."""

from __future__ import annotations

import pytest

from drivers.api.cash import CashCommand, Cleared, Returned, Stacked
from drivers.cash.ccnet.messages import Command, State
from drivers.cash.steps import Acknowledge
from tests.drivers.cash.bench import damaged
from tests.drivers.cash.ccnet.virtual import bench
from tests.drivers.cash.sheet import row

STACK, RETURN = CashCommand.STACK, CashCommand.RETURN


@row("81 and 82 are repeated until they are acknowledged")
@pytest.mark.parametrize("command", [STACK, RETURN])
def test_an_event_is_repeated_at_every_poll_until_it_is_acknowledged(command: CashCommand) -> None:
    b = bench()
    b.acknowledges = False
    b.escrowed()
    b.command(command)
    kind = Stacked if command is STACK else Returned
    b.until(kind)
    b.run(10)
    assert len(b.heard(kind)) >= 40
    assert not b.heard(Cleared), "a device that holds an event is not done"
    assert b.device.state in (State.STACKED, State.RETURNED)
    b.acknowledges = True
    b.cleared()
    told = len(b.heard(kind))
    b.run(5)
    assert len(b.heard(kind)) == told, "once acknowledged, it is over"


@row("record, then ACK")
def test_no_acknowledgement_is_sent_for_an_event_that_is_not_on_record() -> None:
    b = bench()
    b.acknowledges = False
    b.escrowed()
    b.command(STACK)
    b.until(Stacked)
    before = len(b.sent)
    b.run(5)
    assert set(b.commands()[before:]) == {Command.POLL}


@row("ACK lost: the same event again")
def test_an_acknowledgement_that_is_lost_brings_the_event_again() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.until_state(State.STACKED)
    lost = [3]

    def lose_ack(data: bytes) -> bytes:
        if data[3] == Command.ACK and lost[0] and b.device.state is State.STACKED:
            lost[0] -= 1
            return damaged(data)
        return data

    b.to_device = lose_ack
    b.cleared()
    assert len(b.heard(Stacked)) == 4
    assert b.device.vault.counter == 1


@row("late ACK: strict and lenient")
@pytest.mark.parametrize(("strict", "told"), [(0.01, 2), (None, 1)], ids=["strict", "lenient"])
@pytest.mark.parametrize("command", [STACK, RETURN])
def test_a_record_that_takes_longer_than_the_unit_waits_is_told_of_again_and_acknowledged_at_once(
    command: CashCommand, strict: float | None, told: int
) -> None:
    """Silence for 10 ms counts as NAK by the letter, and no disk is sure to be quicker: the second time it is known."""
    b = bench()
    b.device.ack_within, b.acknowledges = strict, False
    b.escrowed()
    b.command(command)
    kind = Stacked if command is STACK else Returned
    b.until(kind)
    b.run(0.03)
    b.step(Acknowledge())
    b.acknowledges = True
    b.cleared()
    assert len(b.heard(kind)) == told
    assert b.device.vault.counter == (command is STACK)


def test_an_acknowledgement_out_of_season_is_not_sent() -> None:
    b = bench()
    b.enabled()
    before = len(b.sent)
    b.step(Acknowledge())
    assert len(b.sent) == before
