"""``guichet-kiosk journal salvage``: what can still be read of a damaged journal goes into a new file."""

from __future__ import annotations

import argparse
import json
import mmap
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

from guichet.journal.chain import GENESIS, ChainError, Entry, check_link, check_seal
from kiosk.diagnostics.output import say
from kiosk.journal.faults import Fault, JournalError, failed
from kiosk.journal.file import JournalFile, refuse_one_in_use
from kiosk.journal.key import load_key
from kiosk.journal.salvage import Found, salvage


@dataclass(frozen=True, slots=True)
class _Epoch:
    """What was found of one. ``gaps``: first and last sequence of each that is missing; ``breaks``: entries that do not
    continue from the one before them.
    """

    epoch: int
    count: int
    last: int
    gaps: tuple[tuple[int, int], ...]
    breaks: tuple[int, ...]

    @property
    def whole(self) -> bool:
        """From its first entry to the last that was found."""
        return not self.gaps and not self.breaks


@dataclass(frozen=True, slots=True)
class _Salvaged:
    """``twice``: places that two entries claim, of which neither is kept. ``unsealed``: how many had another seal than
    the terminal's; None: nobody looked.
    """

    kept: Sequence[Found]
    epochs: Sequence[_Epoch]
    twice: Sequence[tuple[int, int]]
    unsealed: int | None

    @property
    def whole(self) -> bool:
        """Nothing is known to be missing."""
        return bool(self.kept) and not self.twice and not self.unsealed and all(epoch.whole for epoch in self.epochs)


def salvage_journal(arguments: argparse.Namespace) -> int:
    """Salvage ``--file``, which stays as it is, into ``--out``. 0: whole, as far as it shows; 1: something is missing;
    2: nothing was done.
    """
    if arguments.file is None or arguments.out is None:
        say("guichet-kiosk journal: salvage needs --file, a journal that is not in use, and --out, a new file")
        return 2
    refuse_one_in_use(arguments.file)
    key = None if arguments.key is None else load_key(arguments.key)
    salvaged = _sorted(list(_found(arguments.file)), key)
    if not salvaged.kept:
        raise JournalError(Fault.DAMAGED, f"{arguments.file}: not one entry is left in it")
    out = JournalFile.create(arguments.out)
    try:
        out.keep((one.entry, one.seal) for one in salvaged.kept)
    finally:
        out.close()
    _report(salvaged, arguments)
    return 0 if salvaged.whole else 1


def _found(path: Path) -> list[Found]:
    log = path.with_name(path.name + "-wal")
    try:
        with _mapped(path) as file, _mapped(log) as of_log:
            return salvage(file, of_log)
    except OSError as error:
        raise failed(path, error) from error


@contextmanager
def _mapped(path: Path) -> Generator[memoryview]:
    """A file's bytes, none where there is none."""
    if not path.exists() or not path.stat().st_size:
        yield memoryview(b"")
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        view = memoryview(mapped)
        try:
            yield view
        finally:
            view.release()


def _sorted(found: Sequence[Found], key: bytes | None) -> _Salvaged:
    sealed = [one for one in found if key is None or _is_sealed(one, key)]
    by_place = [list(claims) for _, claims in groupby(sealed, key=lambda one: (one.entry.epoch, one.entry.sequence))]
    kept = [claims[0] for claims in by_place if len(claims) == 1]
    twice = [(claims[0].entry.epoch, claims[0].entry.sequence) for claims in by_place if len(claims) > 1]
    epochs = [_epoch([one.entry for one in of_epoch]) for _, of_epoch in groupby(kept, key=lambda one: one.entry.epoch)]
    return _Salvaged(kept, epochs, twice, None if key is None else len(found) - len(sealed))


def _is_sealed(one: Found, key: bytes) -> bool:
    try:
        check_seal(one.entry, key, one.seal)
    except ChainError:
        return False
    return True


def _epoch(entries: Sequence[Entry]) -> _Epoch:
    before = Entry(entries[0].epoch, 0, GENESIS, GENESIS, b"")
    gaps: list[tuple[int, int]] = []
    breaks: list[int] = []
    for one, after in pairwise([before, *entries]):
        if after.sequence != one.sequence + 1:
            gaps.append((one.sequence + 1, after.sequence - 1))
        elif not _continues(after, one):
            breaks.append(after.sequence)
    return _Epoch(before.epoch, len(entries), entries[-1].sequence, tuple(gaps), tuple(breaks))


def _continues(entry: Entry, before: Entry) -> bool:
    try:
        check_link(entry, before.epoch, before.sequence, before.hash)
    except ChainError:
        return False
    return True


def _report(salvaged: _Salvaged, arguments: argparse.Namespace) -> None:
    if arguments.json:
        epochs = [
            {"epoch": e.epoch, "entries": e.count, "last": e.last, "missing": e.gaps, "breaks": e.breaks}
            for e in salvaged.epochs
        ]
        told = {"entries": len(salvaged.kept), "whole": salvaged.whole, "epochs": epochs}
        print(json.dumps({**told, "twice": salvaged.twice, "unsealed": salvaged.unsealed}))
        return
    for epoch in salvaged.epochs:
        say(f"epoch {epoch.epoch}: {epoch.count} entries, the last {epoch.epoch}/{epoch.last}")
        for first, last in epoch.gaps:
            say(f"  MISSING: {first} to {last}" if first != last else f"  MISSING: {first}")
        for sequence in epoch.breaks:
            say(f"  BROKEN: {sequence} does not continue from the entry before it")
    for epoch_number, sequence in salvaged.twice:
        say(f"TWICE: two entries claim {epoch_number}/{sequence}; neither was kept")
    if salvaged.unsealed:
        say(f"FORGED: {salvaged.unsealed} entries were not sealed with this key, and were not kept")
    say(f"{len(salvaged.kept)} entries are in {arguments.out}. Whether there were later ones, only the host can tell.")
