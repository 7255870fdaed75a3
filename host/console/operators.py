"""Operators: their passwords, their log-ins, and the record of what they did."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, replace

from sqlalchemy import Connection, delete, insert, select

from guichet.seams import Random
from host.console.schema import audit_log, operator_sessions, operators
from host.store.throttle import WRONG_PASSWORDS, exhausted, failed, succeeded

LIFE_US = 8 * 3600 * 1_000_000
MIN_PASSWORD = 10
_MAX_PASSWORD = 200
_SALT_BYTES = 16
_NAME = re.compile(r"[a-z][a-z0-9._-]{1,31}", re.ASCII)
_NO_SALT, _NO_HASH = bytes(_SALT_BYTES), bytes(32)


class OperatorError(ValueError):
    """A name or a password that cannot be one, or a name that is taken."""


class TooManyFailures(Exception):
    """Too many wrong passwords for this name or from this place: wait."""


@dataclass(frozen=True, slots=True)
class Action:
    """One entry of the audit log. ``origin``: an address, or ``command line``."""

    actor: str
    action: str
    subject: str
    result: str
    origin: str


@dataclass(frozen=True, slots=True, repr=False)
class OperatorSession:
    """A log-in. ``token`` is the cookie, ``form_token`` goes into every form."""

    operator: str
    token: str
    form_token: str

    def __repr__(self) -> str:
        return f"OperatorSession({self.operator}, ****)"


def add_operator(connection: Connection, name: str, password: str, random: Random, now_us: int) -> None:
    """Let ``name`` log in. Raises :class:`OperatorError`."""
    if _NAME.fullmatch(name) is None:
        raise OperatorError("a name is 2 to 32 of a-z, 0-9, '.', '_', '-', beginning with a letter")
    if not MIN_PASSWORD <= len(password) <= _MAX_PASSWORD:
        raise OperatorError(f"a password has {MIN_PASSWORD} to {_MAX_PASSWORD} characters")
    if connection.execute(select(operators.c.name).where(operators.c.name == name)).first() is not None:
        raise OperatorError(f"there is an operator {name} already")
    salt = random.bytes(_SALT_BYTES)
    values = {"name": name, "salt": salt, "password_hash": _scrypt(password, salt), "created_at_us": now_us}
    connection.execute(insert(operators).values(values))


def log_in(
    connection: Connection, name: str, password: str, origin: str, random: Random, now_us: int
) -> OperatorSession | None:
    """A new session, or None for a wrong name or password, which is counted. Raises :class:`TooManyFailures`.

    A name that nobody has takes as long as one that somebody has.
    """
    if not prove(connection, Action(name, "log in", "console", "done", origin), password, now_us):
        return None
    keep_action(connection, Action(name, "log in", "console", "done", origin), now_us)
    return _open(connection, name, random, now_us)


def prove(connection: Connection, action: Action, password: str, now_us: int) -> bool:
    """Whether ``password`` is that of the one who wants to do ``action``. A wrong one is counted, and the action kept
    as refused. Raises :class:`TooManyFailures`.
    """
    name = action.actor
    buckets = (f"console/name/{name[:32]}", f"console/origin/{action.origin}")
    if any(exhausted(connection, bucket, WRONG_PASSWORDS, now_us) for bucket in buckets):
        raise TooManyFailures
    query = select(operators.c.salt, operators.c.password_hash).where(operators.c.name == name)
    row = connection.execute(query).first()
    salt, expected = (_NO_SALT, _NO_HASH) if row is None else row
    right = hmac.compare_digest(_scrypt(password[:_MAX_PASSWORD], salt), expected)
    if row is None or not right:
        for bucket in buckets:
            failed(connection, bucket, WRONG_PASSWORDS, now_us)
        keep_action(connection, replace(action, actor=name[:32], result="refused"), now_us)
        return False
    for bucket in buckets:
        succeeded(connection, bucket)
    return True


def _open(connection: Connection, name: str, random: Random, now_us: int) -> OperatorSession:
    session = OperatorSession(name, _token(random), _token(random))
    connection.execute(delete(operator_sessions).where(operator_sessions.c.expires_at_us <= now_us))
    values = {
        "token_hash": _hash(session.token),
        "operator": name,
        "form_token": session.form_token,
        "expires_at_us": now_us + LIFE_US,
    }
    connection.execute(insert(operator_sessions).values(values))
    return session


def find_session(connection: Connection, token: str, now_us: int) -> OperatorSession | None:
    """The log-in that a cookie stands for; None where it is unknown or over."""
    c = operator_sessions.c
    query = select(c.operator, c.form_token).where(c.token_hash == _hash(token), c.expires_at_us > now_us)
    row = connection.execute(query).first()
    return None if row is None else OperatorSession(row[0], token, row[1])


def log_out(connection: Connection, session: OperatorSession, origin: str, now_us: int) -> None:
    """End a log-in; its cookie opens nothing any more."""
    connection.execute(delete(operator_sessions).where(operator_sessions.c.token_hash == _hash(session.token)))
    keep_action(connection, Action(session.operator, "log out", "console", "done", origin), now_us)


def keep_action(connection: Connection, action: Action, now_us: int) -> None:
    """Add an entry to the audit log, which nobody can change or remove."""
    values = {
        "at_us": now_us,
        "actor": action.actor,
        "action": action.action,
        "subject": action.subject,
        "result": action.result,
        "origin": action.origin[:64],
    }
    connection.execute(insert(audit_log).values(values))


def _scrypt(password: str, salt: bytes) -> bytes:
    # 32 MiB and some 0.1 s a try, behind a throttle of five tries in a quarter of an hour.
    return hashlib.scrypt(password.encode(), salt=salt, n=2**15, r=8, p=1, maxmem=64 * 2**20, dklen=32)


def _token(random: Random) -> str:
    return base64.urlsafe_b64encode(random.bytes(32)).decode("ascii").rstrip("=")


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
