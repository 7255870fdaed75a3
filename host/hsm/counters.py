"""PIN keys in the database: each terminal's own, and no counter taken twice."""

from __future__ import annotations

from sqlalchemy import Connection, insert, update

from guichet.ids import TerminalId
from guichet.pin import Ksn
from host.hsm.schema import pin_keys


def add_key(connection: Connection, key_id: bytes, terminal: TerminalId) -> None:
    """Let ``terminal`` use the initial key ``key_id``."""
    connection.execute(insert(pin_keys).values(key_id=key_id, terminal_id=terminal, highest_counter=0))


def take_counter(connection: Connection, ksn: Ksn, terminal: TerminalId) -> bool:
    """Use a counter up. False where the key is not this terminal's, or the counter is not above all seen before."""
    fresh = (
        pin_keys.c.key_id == ksn.key_id,
        pin_keys.c.terminal_id == terminal,
        pin_keys.c.highest_counter < ksn.counter,
    )
    result = connection.execute(update(pin_keys).where(*fresh).values(highest_counter=ksn.counter))
    return result.rowcount == 1
