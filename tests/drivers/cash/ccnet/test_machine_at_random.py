"""CCNET with people, faults and power cuts in any order."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import initialize

from drivers.cash.ccnet.messages import Command, Request, State
from drivers.cash.connection import Phase
from tests.drivers.cash.at_random import SETTINGS, notes_move_in
from tests.drivers.cash.callers import States
from tests.drivers.cash.ccnet.virtual import Bench, device
from tests.drivers.cash.visits import VISIT, Visit


class Days(States[Bench]):
    """One validator and one process after the other."""

    noise_before = b"\x02\x55"
    stack, give_back, reset = Request(Command.STACK), Request(Command.RETURN), Request(Command.RESET)
    poll, ack = Request(Command.POLL), Request(Command.ACK)
    held, let_go = State.STACKED, frozenset({State.STACKED, State.RETURNED})
    escrowed = frozenset({State.ESCROW})
    may_be_reset = frozenset({
        State.POWER_UP, State.POWER_UP_NOTE_IN_VALIDATOR, State.POWER_UP_NOTE_IN_STACKER,
        State.JAM_VALIDATOR, State.JAM_BOX, State.FAILURE,
    })  # fmt: skip

    @initialize(remembers=st.booleans(), counts=st.booleans(), visit=VISIT)
    def firmware(self, remembers: bool, counts: bool, visit: Visit) -> None:
        self.join(Bench(device(), proceeds=False, acknowledges=False))
        self.bench.device.remembers_credit = remembers
        self.bench.device.forgets_count = not counts
        self.a_visit(visit)

    def state(self) -> State:
        return self.bench.device.state

    def may_proceed(self) -> bool:
        return self.bench.machine.phase is Phase.REPORTED


TestDays = Days.TestCase
TestDays.settings = SETTINGS


def test_notes_are_decided_about_let_go_and_left_behind_in_these_days() -> None:
    notes_move_in(Days)
