"""Secrets as files: made once, readable by their owner only, never overwritten by accident."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

_OTHERS = 0o077


class KeyFileError(Exception):
    """A key file that is missing, or that others than its owner may read."""


def read_secret(path: Path) -> bytes:
    """The bytes in ``path``. Raises :class:`KeyFileError` where anybody but the owner may read or write it."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise KeyFileError(f"no key at {path}") from error
    if mode & _OTHERS:
        raise KeyFileError(f"others may read {path}: chmod 600 it, and consider the key known")
    return path.read_bytes()


def write_secret(path: Path, content: bytes) -> None:
    """Write a new file of mode 0600 and sync it. Raises :class:`FileExistsError` where there is one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def kept_secret(path: Path, make: Callable[[], bytes]) -> bytes:
    """The secret in ``path``, made first where there is none yet."""
    if not path.exists():
        write_secret(path, make())
    return read_secret(path)
