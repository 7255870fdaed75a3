"""The host's side of SSP: opening and shutting the slot."""

from __future__ import annotations

import pytest

from drivers.api.cash import CashCommand, Cleared, Completed, Refusal, Trouble
from drivers.cash.essp.messages import Command, Plain, Status
from drivers.simulation.mechanism import Spot
from drivers.simulation.notes import Place
from tests.drivers.cash.essp.virtual import bench, say
from tests.drivers.cash.sheet import row

STACK, RETURN, ENABLE, DISABLE = CashCommand.STACK, CashCommand.RETURN, CashCommand.ENABLE, CashCommand.DISABLE
POLL, HOLD, REJECT, ACK = Command.POLL_WITH_ACK, Command.HOLD, Command.REJECT, Command.EVENT_ACK


@row("09 disable and 0A enable")
def test_a_slot_that_the_device_does_not_open_is_refused() -> None:
    b = bench()
    b.ready()
    say(b, Plain(Status.FAIL), to=Command.ENABLE)
    b.command(ENABLE)
    assert b.until(Completed) == Completed(ENABLE, Refusal.REFUSED)


@row("exchange: disable while a note is in escrow")
@pytest.mark.parametrize("decision", [STACK, RETURN])
def test_disable_waits_while_a_note_is_in_escrow(decision: CashCommand) -> None:
    """No text says what a device does with the note then: the simulated one gives it back."""
    b = bench()
    b.escrowed()
    b.command(DISABLE)
    b.run(5)
    assert b.places() == [Place.ESCROW]
    b.sent.clear()
    b.command(decision)
    b.cleared()
    assert b.places() == [Place.BOX if decision is STACK else Place.HAND]
    assert b.heard(Completed)[-2:] == [Completed(decision), Completed(DISABLE)]
    assert b.heard(Cleared)[-1].enabled is False
    if decision is STACK:
        sent = b.commands()
        assert sent.index(Command.DISABLE) < sent.index(ACK), "shut before the acknowledgement lets the next one in"


@pytest.mark.parametrize(("command", "refused"), [(ENABLE, Refusal.NOT_READY), (DISABLE, None)])
def test_the_slots_commands_do_not_wait_for_a_note_that_sticks(command: CashCommand, refused: Refusal | None) -> None:
    """Nothing more becomes of it until a person frees it, and every command ends in one completion."""
    b = bench()
    b.device.jam(Spot.BOX)
    b.escrowed()
    b.command(STACK)
    b.until(Trouble)
    b.command(command)
    assert b.until(Completed, 5.0) == Completed(command, refused)
    b.run(35)
    assert b.places() == [Place.TRANSPORT]
