"""All decoders that are fuzzed. The first word of a decoder's name is the module here that has it; whole machines and
devices, which need more of the product, are in another one with ``_whole`` behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import cast

from tests.fuzz.decoder import Decoder

WORDS = ("ccnet", "id003", "essp", "cctalk", "pinpad", "card", "printer", "scripts", "wire")


def decoders() -> tuple[Decoder, ...]:
    """All of them."""
    return tuple(each for word in WORDS for module in _homes(word) for each in _decoders_of(module))


def decoder(name: str) -> Decoder:
    """The one of that name; no more is imported than must be. Raises LookupError."""
    for module in _homes(name.partition("-")[0]):
        for each in _decoders_of(module):
            if each.name == name:
                return each
    raise LookupError(f"no decoder {name!r}: see --list")


def _homes(word: str) -> Iterator[str]:
    for module in (word, f"{word}_whole"):
        if find_spec(f"{__package__}.{module}") is not None:
            yield module


def _decoders_of(module: str) -> tuple[Decoder, ...]:
    return cast("tuple[Decoder, ...]", getattr(import_module(f"{__package__}.{module}"), "DECODERS", ()))
