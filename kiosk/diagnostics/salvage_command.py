"""``guichet-kiosk journal salvage``: what can still be read of a damaged journal goes into a new file."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

from guichet.journal.chain import GENESIS, ChainError, Entry, check_link, check_seal
from kiosk.diagnostics.output import complain, has_no_place, say
from kiosk.journal.faults import JournalError, failed
from kiosk.journal.file import JournalFile, refuse_one_in_use
from kiosk.journal.key import load_key
from kiosk.journal.salvage import PAGE_BYTES, Found, salvage


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
    """``twice``: places that two entries claim, of which neither is kept. ``unsealed``: how many had only other seals
    than the terminal's; None: nobody looked. ``unread``: how many pages the disk did not give.
    """

    kept: Sequence[Found]
    epochs: Sequence[_Epoch]
    twice: Sequence[tuple[int, int]]
    unsealed: int | None
    unread: int

    @property
    def whole(self) -> bool:
        """Nothing is known to be missing."""
        return not (self.twice or self.unsealed or self.unread) and all(epoch.whole for epoch in self.epochs)


def salvage_journal(arguments: argparse.Namespace) -> int:
    """Salvage ``--file``, which stays as it is, into ``--out``. 0: whole, as far as it shows; 1: something is missing;
    2: nothing was done.
    """
    out: Path | None = arguments.out
    if arguments.file is None or out is None:
        complain("journal", "salvage needs --file, a journal that is not in use, and --out, a new file")
        return 2
    if has_no_place("journal", out):
        return 2
    refuse_one_in_use(arguments.file)
    key = None if arguments.key is None else load_key(arguments.key)
    file, unread = _pages(arguments.file)
    log, unread_of_log = _pages(arguments.file.with_name(arguments.file.name + "-wal"))
    salvaged = _sorted(salvage(memoryview(file), memoryview(log)), key, unread + unread_of_log)
    if not salvaged.kept:
        others = f"; {salvaged.unsealed} have another seal than this key's" if salvaged.unsealed else ""
        complain("journal", f"{arguments.file}: not one entry is left in it{others}")
        return 2
    _write(salvaged, out)
    _report(salvaged, arguments)
    return 0 if salvaged.whole else 1


def _write(salvaged: _Salvaged, out: Path) -> None:
    """All of it under its name, or nothing."""
    begun = out.with_name(out.name + ".begun")
    begun.unlink(missing_ok=True)
    file = JournalFile.create(begun)
    try:
        file.keep((one.entry, one.seal) for one in salvaged.kept)
        file.goes_on()
    except JournalError:
        file.close()
        begun.unlink()
        raise
    file.close()
    begun.rename(out)


def _pages(path: Path) -> tuple[bytes, int]:
    """A file's bytes, none where there is none, and how many pages of it the disk does not give: these are zeros."""
    if not path.exists():
        return b"", 0
    try:
        with path.open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            read = [_page(file.fileno(), at, min(PAGE_BYTES, size - at)) for at in range(0, size, PAGE_BYTES)]
    except OSError as error:
        raise failed(path, error) from error
    unread = sum(page is None for page in read)
    return b"".join(bytes(PAGE_BYTES) if page is None else page for page in read), unread


def _page(descriptor: int, at: int, size: int) -> bytes | None:
    try:
        return os.pread(descriptor, size, at)
    except OSError:
        return None


def _sorted(found: Sequence[Found], key: bytes | None, unread: int) -> _Salvaged:
    """What to keep. An entry may be there with several seals, of which one is right."""
    sealed = [one for one in found if key is None or _is_sealed(one, key)]
    by_place: dict[tuple[int, int], dict[bytes, Found]] = {}
    for one in sealed:
        by_place.setdefault((one.entry.epoch, one.entry.sequence), {}).setdefault(one.entry.hash, one)
    kept = [next(iter(claims.values())) for claims in by_place.values() if len(claims) == 1]
    twice = [place for place, claims in by_place.items() if len(claims) > 1]
    epochs = [_epoch([one.entry for one in of_epoch]) for _, of_epoch in groupby(kept, key=lambda one: one.entry.epoch)]
    others = {one.entry for one in found} - {one.entry for one in sealed}
    return _Salvaged(kept, epochs, twice, None if key is None else len(others), unread)


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
        more = {"twice": salvaged.twice, "unsealed": salvaged.unsealed, "unread_pages": salvaged.unread}
        print(json.dumps({**told, **more}))
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
        say(f"NOT SEALED: {salvaged.unsealed} entries have another seal than this key's, and were not kept")
    if salvaged.unsealed is None:
        say("seals not looked at, for want of the key (--key)")
    if salvaged.unread:
        say(f"UNREAD: {salvaged.unread} pages that the disk does not give")
    say(f"{len(salvaged.kept)} entries are in {arguments.out}. Whether there were later ones, only the host can tell.")
    if any(epoch.gaps for epoch in salvaged.epochs):
        say("No terminal goes on with a gap: the host's copy fills it (guichet-kiosk journal restore --from).")
    if salvaged.whole:
        name = arguments.file.name
        say(f"Before it takes the place of {name}, move that away, and {name}-wal with it.")
