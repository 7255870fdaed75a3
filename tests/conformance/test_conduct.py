"""Drivers that break a rule on purpose: the suite sees each of them, though the device's own count would hide it."""

from __future__ import annotations

import pytest

from drivers.api.cash import CashCommand
from drivers.cash.ccnet.framing import Frame, frame
from drivers.cash.ccnet.machine import Machine
from drivers.cash.ccnet.messages import Command, PollAnswer, Request, State
from drivers.cash.connection import Phase
from drivers.cash.steps import Do, Send
from drivers.simulation.cash_device import Order
from tests.conformance.results import run_scripted, scripted
from tests.conformance.subject import SUBJECTS, Subject

CCNET = next(subject for subject in SUBJECTS if subject.name == "ccnet")


class AcknowledgesByItself(Machine):
    def _polled(self, answer: PollAnswer, found: Frame, now: float) -> None:
        super()._polled(answer, found, now)
        if self._holding:
            self._out.insert(0, Send(frame(bytes((Command.ACK,)))))


class ResetsBeforeItReports(Machine):
    _has_reset = False

    def _send_next(self, now: float) -> None:
        if self.phase is Phase.KNOCKING and not self._has_reset:
            self._has_reset = True
            self._ask(Request(Command.RESET), now)
        else:
            super()._send_next(now)


class StacksAgainWithoutLooking(Machine):
    def _unanswered(self, asked: Request, now: float, late: float | None = None) -> None:
        super()._unanswered(asked, now, late)
        self._orders.unconfirmed = self._state_is_old = False


class StacksByItself(Machine):
    def _report_change(self, before: PollAnswer | None, answer: PollAnswer, found: Frame, now: float) -> None:
        super()._report_change(before, answer, found, now)
        if before != answer and answer.state is State.ESCROW:
            self._orders.post(Do(CashCommand.STACK, own=True))


class TellsItOnce(Machine):
    def _report_change(self, before: PollAnswer | None, answer: PollAnswer, found: Frame, now: float) -> None:
        if before != answer or answer.state is not State.STACKED:
            super()._report_change(before, answer, found, now)


class Crashes(Machine):
    def _send_next(self, now: float) -> None:
        raise ValueError(f"at {now}")


def test_a_device_says_what_it_is_ordered(subject: Subject) -> None:
    """Without that nothing of the driver's conduct can be seen."""
    expected = {Order.STACK, Order.RETURN} if subject.escrow else set[Order]()
    expected |= {Order.ACKNOWLEDGE} if subject.acknowledges else set()
    assert expected <= scripted(subject, "").orders, "simulator_device.py does not call on_order"


def broken(monkeypatch: pytest.MonkeyPatch, machine: type[Machine]) -> None:
    """The driver has this machine from here on."""
    monkeypatch.setattr("drivers.cash.ccnet.driver.Machine", machine)


@pytest.mark.parametrize(
    ("machine", "script", "seen"),
    [
        (AcknowledgesByItself, "", "acknowledge was sent, and the event was not on record"),
        (ResetsBeforeItReports, "", "reset was sent, and the first answer was not on record"),
        (StacksAgainWithoutLooking, "note 2 in stacking: lose 1", "stack was sent, and a command before it was not"),
        (StacksByItself, "", "stack was sent, and the desk wished"),
    ],
    ids=lambda part: part.__name__ if isinstance(part, type) else "",
)
def test_a_driver_that_breaks_a_rule_is_seen(
    monkeypatch: pytest.MonkeyPatch, machine: type[Machine], script: str, seen: str
) -> None:
    assert run_scripted(CCNET, script).credited == 4
    broken(monkeypatch, machine)
    with pytest.raises(AssertionError, match=seen):
        run_scripted(CCNET, script)


def test_a_driver_that_tells_an_event_once_serves_nobody_after_a_lost_acknowledgement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken(monkeypatch, TellsItOnce)
    print(run_scripted(CCNET, "ack 2: lose"))
    assert not run_scripted(CCNET, "ack 2: lose").served


def test_a_driver_that_crashes_is_named_by_its_own_error(monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, Crashes)
    with pytest.raises(BaseExceptionGroup) as raised:
        run_scripted(CCNET, "")
    assert raised.group_contains(ValueError, match="at ")
