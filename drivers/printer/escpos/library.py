"""python-escpos, as much of it as we use, with types, and without what its import does to a process.

Its import calls ``logging.basicConfig`` and leaves a directory behind in /tmp. We use its commands and its code pages;
never its status calls: ``paper_status`` says "adequate" where no answer came.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import tempfile
from importlib import import_module
from typing import Protocol, cast

_CACHE_VARIABLE = "ESCPOS_CAPABILITIES_PICKLE_DIR"


class _Encoder(Protocol):
    codepages: dict[str, str]

    def can_encode(self, encoding: str, char: str) -> bool: ...


class _Magic(Protocol):
    encoder: _Encoder


class _Profile(Protocol):
    def supports(self, feature: str) -> bool | None: ...


class Composer(Protocol):
    """The library's printer that only collects the bytes."""

    magic: _Magic
    profile: _Profile

    @property
    def output(self) -> bytes:
        """All bytes so far."""
        ...

    def set(
        self, *, align: str, bold: bool, custom_size: bool, width: int, height: int, font: str | None = None
    ) -> None:
        """ESC a, ESC E, GS !."""
        ...

    def textln(self, txt: str) -> None:
        """A line in whatever code pages hold its characters (ESC t)."""
        ...

    def qr(self, content: str, *, ec: int, size: int, native: bool, center: bool) -> None:
        """GS ( k, or a picture by GS v 0."""
        ...

    def print_and_feed(self, n: int) -> None:
        """ESC d."""
        ...

    def cut(self, mode: str) -> None:
        """Feed, then GS V."""
        ...


class _MakeComposer(Protocol):
    def __call__(self, *, profile: str) -> Composer: ...


def composer(profile: str) -> Composer:
    """A new collector of bytes for a printer of the library's database; ``default`` fits most. Raises KeyError for a
    profile that the database does not have.
    """
    module = _load()
    try:
        return module(profile=profile)
    except (KeyError, AttributeError) as error:
        raise KeyError(profile) from error


def _load() -> _MakeComposer:
    name = "escpos.printer.dummy"
    if name not in sys.modules:
        _import_quietly(name)
    return cast("_MakeComposer", sys.modules[name].Dummy)


def _import_quietly(name: str) -> None:
    root = logging.getLogger()
    handlers, before = list(root.handlers), os.environ.get(_CACHE_VARIABLE)
    with tempfile.TemporaryDirectory(prefix="guichet-escpos-") as scratch:
        os.environ[_CACHE_VARIABLE] = scratch
        try:
            import_module(name)
        finally:
            root.handlers[:] = handlers
            os.environ.pop(_CACHE_VARIABLE)
            if before is not None:
                os.environ[_CACHE_VARIABLE] = before


def encodable(printer: Composer, character: str) -> bool:
    """Whether one of the printer's code pages has ``character``."""
    encoder = printer.magic.encoder
    return any(encoder.can_encode(page, character) for page in encoder.codepages)


def put_code(printer: Composer, content: str, *, correction: int, dots: int) -> None:
    """A QR code, drawn by the printer where its profile says that it can, else sent as a picture.

    ``correction``: 0 to 3 for L, M, Q, H; ``dots``: of one module. The picture stands where ESC a puts it: the library
    centres only on paper whose width its database knows, and says so on stdout, which is not its place.
    """
    native = bool(printer.profile.supports("qrCode"))
    with contextlib.redirect_stdout(io.StringIO()):
        printer.qr(content, ec=correction, size=dots, native=native, center=False)
