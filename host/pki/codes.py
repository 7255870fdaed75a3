"""Enrolment codes: made for one terminal, kept as a hash, good for a day and for one use."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from guichet.ids import TerminalId
from guichet.seams import Random
from host.fleet.schema import terminals
from host.ledger.kinds import Ledger
from host.pki.schema import enrolment_codes
from host.readable import base32, grouped

LIFE_US = 24 * 3600 * 1_000_000
_LETTERS = 16
_MISREAD = str.maketrans({"I": "1", "L": "1", "O": "0", "-": "", " ": ""})


class WrongLedger(Exception):
    """The terminal belongs to the other ledger, and a terminal never changes its ledger."""


@dataclass(frozen=True, slots=True)
class NewCode:
    """A code as it is shown once. ``expires_at_us``: microseconds since 1970."""

    text: str
    terminal_id: TerminalId
    expires_at_us: int

    def __repr__(self) -> str:
        return f"NewCode(****, {self.terminal_id})"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a code that was taken stands for."""

    terminal_id: TerminalId
    ledger: Ledger


def code_hash(text: str) -> bytes:
    """The hash of a code as a person typed it: case, hyphens and spaces do not matter, nor 0 for O or 1 for I and L."""
    return hashlib.sha256(text.upper().translate(_MISREAD).encode()).digest()


def new_code(connection: Connection, terminal: TerminalId, ledger: Ledger, random: Random, now_us: int) -> NewCode:
    """Make a code for ``terminal``. Raises :class:`WrongLedger` where it is enrolled for the other one."""
    known = connection.execute(select(terminals.c.ledger).where(terminals.c.terminal_id == terminal)).scalar()
    if known is not None and known is not ledger:
        raise WrongLedger(f"{terminal} is enrolled for the {known.value} ledger: take another name for it")
    code = NewCode(grouped(base32(random.bytes(10), _LETTERS)), terminal, now_us + LIFE_US)
    values = {
        "code_hash": code_hash(code.text),
        "terminal_id": terminal,
        "ledger": ledger,
        "created_at_us": now_us,
        "expires_at_us": code.expires_at_us,
    }
    connection.execute(insert(enrolment_codes).values(values))
    return code


def take_code(connection: Connection, text: str, now_us: int) -> Grant | None:
    """Use a code up. None where it is unknown, used or too old; of two that come at once, one gets it."""
    good = (
        enrolment_codes.c.code_hash == code_hash(text),
        enrolment_codes.c.used_at_us.is_(None),
        enrolment_codes.c.expires_at_us > now_us,
    )
    taken = update(enrolment_codes).where(*good).values(used_at_us=now_us)
    row = connection.execute(taken.returning(enrolment_codes.c.terminal_id, enrolment_codes.c.ledger)).first()
    return None if row is None else Grant(TerminalId(row[0]), row[1])
