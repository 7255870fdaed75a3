"""What is done to the machine, and taken back again; processes are killed elsewhere."""

from __future__ import annotations

import signal

from tests.e2e.chaos.machine import Machine, SmallDisk
from tests.e2e.chaos.plan import Kind, Mishap


class Faults:
    """The hands that do it. ``disk``: what can be filled up, if anything."""

    def __init__(self, machine: Machine, disk: SmallDisk | None) -> None:
        self._machine = machine
        self._disk = disk

    def do(self, mishap: Mishap) -> None:
        """Raises ValueError for what cannot be done here."""
        match mishap.kind:
            case Kind.CUT_POWER:
                self._machine.power_off()
            case Kind.STOP_TERMINAL | Kind.STOP_HOST:
                self._machine.process(mishap.kind.stops).signal(signal.SIGSTOP)
            case Kind.CUT_NETWORK:
                self._machine.pull_cables()
            case Kind.FILL_DISK if self._disk is not None:
                self._disk.fill()
            case Kind.MOVE_CLOCK:
                self._machine.move_clock(mishap.hours)
            case _:
                raise ValueError(f"nobody can do that here: {mishap.kind.value}")

    def undo(self, kind: Kind) -> None:
        """As it was before. A validator whose simulator has died has its power with the next one."""
        match kind:
            case Kind.CUT_POWER:
                self._machine.power_on()
            case Kind.STOP_TERMINAL | Kind.STOP_HOST:
                self._machine.process(kind.stops).signal(signal.SIGCONT)
            case Kind.CUT_NETWORK:
                self._machine.plug_cables_in()
            case Kind.FILL_DISK if self._disk is not None:
                self._disk.make_room()
            case Kind.MOVE_CLOCK:
                self._machine.move_clock(0)
            case _:
                pass
