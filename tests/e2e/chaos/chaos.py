"""A run from beginning to end: the machine comes up, things go wrong, everything is compared, nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.chaos.books import Wrong
from tests.e2e.chaos.machine import Machine, NoSmallDisk, SmallDisk
from tests.e2e.chaos.plan import Kind, mishaps
from tests.e2e.chaos.run import Run, Tally
from tests.e2e.demo.books import compare, own_checks


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a run is to be. ``counter``: whether the validator counts what it stacks. Without it, a note can be in doubt
    after a power cut; with it, none may be.
    """

    kills: int
    seed: int
    counter: bool = True
    screen: bool = True

    def words(self) -> str:
        """As the command line has them."""
        flags = ("" if self.counter else " --no-counter") + ("" if self.screen else " --no-screen")
        return f"--kills {self.kills} --seed {self.seed}{flags}"


def chaos(base: Path, wishes: Wishes, tell: Callable[[str], None]) -> Tally:
    """Run it in the folder ``base``. ``tell`` hears each thing that happens. What was wrong is in the tally. Raises
    :class:`kiosk.workbench.processes.StartError` where the machine does not come up.
    """
    with _small_disk(base / "kiosk", wishes.kills, tell) as disk:
        machine = Machine(base, counter=wishes.counter, screen=wishes.screen)
        with machine:
            tally = _go_wrong(machine, wishes, disk, tell)
        if not tally.found:
            tally.found = "; ".join(_checks(base, wishes, tally))
    return tally


def _go_wrong(machine: Machine, wishes: Wishes, disk: SmallDisk | None, tell: Callable[[str], None]) -> Tally:
    cannot = {Kind.FILL_DISK: disk is None, Kind.KILL_SCREEN: not wishes.screen}
    without = frozenset(kind for kind, true in cannot.items() if true)
    run = Run(machine, wishes.seed, disk, tell, counter=wishes.counter)
    try:
        for mishap in mishaps(wishes.seed, wishes.kills, without):
            run.go_wrong(mishap)
        run.come_to_rest()
    except Wrong as wrong:
        run.tally.found = str(wrong)
    finally:
        run.close()
    return run.tally


def _checks(base: Path, wishes: Wishes, tally: Tally) -> Iterator[str]:
    """When everything has stopped: the five counts of the demo, where the device counts and nothing is in doubt; else
    what the product's own checks find.
    """
    yield from compare(base).findings if wishes.counter and not tally.in_doubt else own_checks(base)


@contextmanager
def _small_disk(folder: Path, kills: int, tell: Callable[[str], None]) -> Generator[SmallDisk | None]:
    try:
        disk = SmallDisk(folder, kills)
    except NoSmallDisk as why:
        tell(f"the disk is never full: {why}")
        yield None
        return
    try:
        yield disk
    finally:
        disk.close()
