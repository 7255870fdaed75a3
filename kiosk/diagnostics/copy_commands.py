"""``guichet-kiosk journal export`` and ``restore``: the journal as a signed file for the host, and back from the
host.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from guichet.journal.chain import Entry
from guichet.journal.export import Head, write_export
from guichet.system import SystemClock
from kiosk.diagnostics.local_client import TerminalNotRunning, read_journal
from kiosk.diagnostics.output import complain, has_no_place, say
from kiosk.journal.faults import failed
from kiosk.journal.key import key_file, load_key
from kiosk.journal.restore import RestoreError, merged, said_of_it, write_restored
from kiosk.journal.store import read_stopped
from kiosk.terminal.config import TerminalConfig, load_config
from kiosk.terminal.copy import FetchError, fetch_journal
from kiosk.terminal.enrolment import EnrolmentError, Identity, load_identity
from kiosk.terminal.health import SOFTWARE_VERSION


def export_journal(arguments: argparse.Namespace) -> int:
    """Write the journal of ``--config``, or what ``--from`` has of another disk of its, into ``--out``, signed by the
    terminal. 0: done; 2: nothing was written.
    """
    out: Path | None = arguments.out
    if arguments.config is None or out is None:
        complain("journal", "export needs --config, for the terminal's key, and --out, a new file")
        return 2
    if has_no_place("journal", out):
        return 2
    config = load_config(arguments.config)
    try:
        identity = load_identity(config.data)
    except EnrolmentError as error:
        complain("journal", error)
        return 2
    entries = _entries(config) if arguments.salvaged is None else _of(config.data, arguments.salvaged, arguments.key)
    _write(out, identity, entries)
    if arguments.json:
        say(json.dumps({"entries": len(entries), "terminal": identity.terminal_id, "out": str(out)}))
    else:
        say(f"{len(entries)} entries of {identity.terminal_id}, signed, in {out}")
    return 0


def _entries(config: TerminalConfig) -> list[Entry]:
    try:
        return read_journal(config.socket)
    except TerminalNotRunning:
        return read_stopped(config.journal, load_key(key_file(config.data)))


def _of(data: Path, salvaged: Path, its_key: Path | None) -> list[Entry]:
    """What a file has that was sealed with this disk's key, or with ``its_key``."""
    return read_stopped(salvaged, load_key(key_file(data) if its_key is None else its_key))


def _write(out: Path, identity: Identity, entries: Sequence[Entry]) -> None:
    """All of it under its name, or nothing."""
    signer = identity.signer()
    head = Head(identity.terminal_id, SystemClock().wall_us(), SOFTWARE_VERSION, signer.public_key())
    begun = out.with_name(out.name + ".begun")
    try:
        with begun.open("wb") as file:
            file.writelines(write_export(head, entries, signer))
            file.flush()
            os.fsync(file.fileno())  # Whoever pulls the stick out now has it.
        begun.rename(out)
    except OSError as error:
        raise failed(out, error) from error


def restore_journal(arguments: argparse.Namespace) -> int:
    """Make the journal of ``--config`` anew of the host's copy and, behind it, what ``--file`` has. 0: done; 1: the two
    make no journal, or the host does not give it; 2: nothing to be done here.
    """
    if arguments.config is None:
        complain("journal", "restore needs --config, and may have --from, a salvaged journal")
        return 2
    config = load_config(arguments.config)
    try:
        restored = restore(config.data, config.host, arguments.salvaged, arguments.key)
    except (EnrolmentError, FetchError, RestoreError) as error:
        complain("journal", error)
        return 1
    if arguments.json:
        say(json.dumps(asdict(restored)))
    else:
        say(restored.words)
    return 0


@dataclass(frozen=True, slots=True)
class Restored:
    """How many entries the journal has now, how many of them the host gave, the epoch that is written next, and how
    many stay out: another disk wrote them, and a later one went on without them.
    """

    entries: int
    from_host: int
    epoch: int
    beside: int

    @property
    def words(self) -> str:
        """For a person."""
        salvaged = self.entries - self.from_host
        more = f" and {salvaged} that were salvaged" if salvaged else ""
        beside = f"; {self.beside} of another disk's are no part of it" if self.beside else ""
        restored = f"restored {self.from_host} entries from the host{more}{beside}"
        return f"{restored}; what is written now is epoch {self.epoch}"


def restore(data: Path, host: str, salvaged: Path | None = None, key_of_salvaged: Path | None = None) -> Restored:
    """Fetch, put together, write. ``host``: host:port in place of the enrolment's; empty otherwise.
    ``key_of_salvaged``: what that was sealed with, where it is of another disk. Raises
    :class:`kiosk.terminal.enrolment.EnrolmentError`, :class:`kiosk.terminal.copy.FetchError`,
    :class:`kiosk.journal.restore.RestoreError` and :class:`kiosk.journal.faults.JournalError`.
    """
    identity, key = load_identity(data), load_key(key_file(data))
    journal = data / "journal.db"
    if journal.exists():
        raise RestoreError(f"{journal} is there: move it and its log away first; nothing was done")
    own = _of(data, salvaged, key_of_salvaged) if salvaged is not None else []
    held = asyncio.run(fetch_journal(identity, host or identity.target))
    entries = merged(held, own)
    said = said_of_it(identity.writer(key), entries, SystemClock().wall_us())
    write_restored(journal, key, identity.epoch, entries, said)
    places = {(entry.epoch, entry.sequence) for entry in entries}
    from_host = sum((entry.epoch, entry.sequence) in places for entry in held)
    beside = len({(entry.epoch, entry.sequence) for entry in (*held, *own)} - places)
    return Restored(len(entries), from_host, identity.epoch, beside)
