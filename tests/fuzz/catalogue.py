"""All decoders that are fuzzed. The first word of a decoder's name is the module here that has it."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from tests.fuzz.decoder import Decoder

MODULES = ("ccnet", "id003", "essp", "cctalk", "pinpad", "card", "printer", "scripts")


def decoders() -> tuple[Decoder, ...]:
    """All of them."""
    return tuple(each for module in MODULES for each in _decoders_of(module))


def decoder(name: str) -> Decoder:
    """The one of that name; nothing else is imported. Raises LookupError."""
    try:
        return next(each for each in _decoders_of(name.partition("-")[0]) if each.name == name)
    except (ImportError, AttributeError, StopIteration):
        raise LookupError(f"no decoder {name!r}: see --list") from None


def _decoders_of(module: str) -> tuple[Decoder, ...]:
    return cast("tuple[Decoder, ...]", import_module(f"{__package__}.{module}").DECODERS)
