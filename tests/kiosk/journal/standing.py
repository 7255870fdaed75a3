"""What the journal's tests share: a journal and the connection that it works with."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import apsw

from guichet.v1 import journal_pb2 as pb
from kiosk.journal.folds import Fold
from kiosk.journal.restore import write_restored
from kiosk.journal.store import SNAPSHOT_EVERY, Journal
from tests.kiosk.terminal.standing import WRITER, Clock


def incident(text: str) -> pb.Incident:
    """A record that says ``text``."""
    return pb.Incident(code="test", device="cash", text=text)


@contextmanager
def opened(
    path: Path, epoch: int = 1, snapshot_every: int = SNAPSHOT_EVERY, clock: Clock | None = None
) -> Generator[tuple[Journal, apsw.Connection]]:
    """A journal and the connection that it works with."""
    if epoch > 1 and not path.exists():
        write_restored(path, WRITER.key, epoch, [])
    connections: list[apsw.Connection] = []
    apsw.connection_hooks.append(connections.append)
    try:
        journal = Journal.open(path, replace(WRITER, epoch=epoch), clock or Clock(), snapshot_every)
    finally:
        apsw.connection_hooks.remove(connections.append)
    try:
        yield journal, connections[0]
    finally:
        journal.close()


class Memory(Fold):
    """A fold that keeps everything that ever was."""

    def _forget(self) -> None:
        """Not this one."""
