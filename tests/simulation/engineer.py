"""Whoever has a kiosk's disk in his hands: edits the journal, puts another disk in, puts an old image of it back."""

from __future__ import annotations

import asyncio

from guichet.ids import TerminalId
from guichet.journal.chain import Entry
from guichet.journal.export import Head, write_export
from kiosk.journal.faults import JournalError
from kiosk.journal.restore import merged, said_of_it, write_restored
from kiosk.journal.store import read_stopped
from kiosk.terminal.copy import FetchError, fetch_journal
from tests.simulation.bank import Bank
from tests.simulation.editing import edited
from tests.simulation.kiosk import Kiosk
from tests.simulation.loop import Life

_RESTORE_AGAIN = 5.0
_AT_THE_BENCH = 3.0
_JOURNAL = ("journal.db", "journal.db-wal")


class Engineer:
    """Of one kiosk. ``old_disk``: what the last disk still had that was taken out, exported; empty where it could not
    be read.
    """

    def __init__(self, kiosk: Kiosk, bank: Bank) -> None:
        self._kiosk, self._bank, self._loop, self._disk = kiosk, bank, kiosk.loop, kiosk.disk
        self.old_disk = b""
        self._image: dict[str, bytes | None] = {}
        self._image_epoch = 0

    # --- the journal is edited ----------------------------------------------------------------------------------------

    def edit_journal(self, seconds: float) -> None:
        """The process dies, and somebody edits its journal before the next one; the old one is put back after a while,
        unless the terminal has taken the edited one for its own.
        """
        self._kiosk.restart_seconds = 1.0
        self._kiosk.kill()
        self._loop.at(self._loop.time() + 0.01, self._edit, seconds)

    def _edit(self, seconds: float) -> None:
        if self._kiosk.life is not None and self._kiosk.life.alive:
            return
        before = {name: self._disk.contents(name) for name in _JOURNAL}
        file, log = before.values()
        changed = edited(file, log) if file else None
        if changed is None:
            return
        self._put(dict(zip(_JOURNAL, (changed, None), strict=True)))
        self._kiosk.note("the journal was edited")
        self._loop.at(self._loop.time() + seconds, self._put_back, before)

    def _put_back(self, before: dict[str, bytes | None]) -> None:
        if self._kiosk.has_journal:
            return
        self._kiosk.note("the journal was put back")
        self._put(before)

    def _put(self, files: dict[str, bytes | None]) -> None:
        for name, content in files.items():
            self._disk.put(name, content)

    # --- the disk goes back -------------------------------------------------------------------------------------------

    def take_image(self) -> None:
        """Keep what a power cut right now would leave, as a snapshot of the volume does."""
        self._image = {name: self._disk.synced_contents(name) for name in _JOURNAL}
        self._image_epoch = self._kiosk.identity.epoch

    def put_image_back(self) -> None:
        """The machine goes dark, and comes back with its disk as it was when the image was taken. Not where the disk is
        another one by now, or another person has it.
        """
        kiosk = self._kiosk
        if not kiosk.powered or kiosk.open_for_work or self._image_epoch != kiosk.identity.epoch:
            return
        kiosk.switch_off()
        self._loop.at(self._loop.time() + _AT_THE_BENCH, self._goes_back)

    def _goes_back(self) -> None:
        kiosk = self._kiosk
        self._put(self._image)
        try:
            entries = read_stopped(self._disk.folder / _JOURNAL[0], kiosk.journal_key())
        except JournalError as error:
            kiosk.note(f"the image cannot be read: {error}")  # Its terminal does not begin either: see exchange_disk.
        else:
            kiosk.note(f"the disk went back, to {len(entries)} entries")
            kiosk.observer.went_back(kiosk, entries)
        kiosk.switch_on(open_for_work=False)
        kiosk.begin()

    # --- another disk -------------------------------------------------------------------------------------------------

    def exchange_disk(self, seconds: float) -> None:
        """The disk is gone. An engineer puts another one in, and enrols it under the old name."""
        if not self._kiosk.open_for_work:
            self._kiosk.switch_off()
            self._loop.at(self._loop.time() + seconds, self._new_disk)

    def _new_disk(self) -> None:
        kiosk = self._kiosk
        self.old_disk = self._exported()
        self._disk.wipe()
        self._disk.mended()
        kiosk.take_identity(*self._bank.enrol_again(kiosk.name))
        kiosk.switch_on(open_for_work=True)
        life = Life(f"{kiosk.name}/engineer", lambda _: None)
        kiosk.graves.append(life)
        life.start(self._restore())

    def _exported(self) -> bytes:
        """What the old disk still has, signed; nothing where it cannot be read."""
        kiosk = self._kiosk
        try:
            entries = read_stopped(self._disk.folder / _JOURNAL[0], kiosk.journal_key())
        except JournalError as error:
            kiosk.note(f"the old disk cannot be read: {error}")
            return b""
        signer = kiosk.identity.signer()
        head = Head(TerminalId(kiosk.name), kiosk.clock.wall_us(), "simulated", signer.public_key())
        return b"".join(write_export(head, entries, signer))

    async def _restore(self) -> None:
        """As the enrolment command does it, again and again until the host gives the journal."""
        kiosk, journal = self._kiosk, self._disk.folder / _JOURNAL[0]
        identity = kiosk.identity
        writer = identity.writer(kiosk.journal_key())
        while True:
            try:
                held = await fetch_journal(identity, identity.target, kiosk.open_channel)
                entries: list[Entry] = merged(held, ())
                said = said_of_it(writer, entries, kiosk.clock.wall_us())
                write_restored(journal, writer.key, writer.epoch, entries, said)
                break
            except (FetchError, JournalError) as error:
                kiosk.note(f"not restored: {error}")
                for name in ("journal.db.begun", "journal.db.begun-wal"):
                    self._disk.put(name, None)
                await asyncio.sleep(_RESTORE_AGAIN)
        self._disk.put(journal.name, journal.read_bytes())
        kiosk.note(f"restored {len(entries)} entries")
        kiosk.observer.restored(kiosk, [*entries, *said])
        kiosk.open_for_work = False
        self._loop.at(self._loop.time(), kiosk.begin)
