"""All decoders that are fuzzed. The first word of a decoder's name is the module here that has it; whole machines and
devices, which need more of the product, are in another one with ``_whole`` behind. A module from outside, named by
whoever runs this, has its own in ``DECODERS``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import cast

from tests.fuzz.decoder import Decoder

WORDS = ("ccnet", "id003", "essp", "cctalk", "pinpad", "card", "printer", "scripts", "wire")


@dataclass(frozen=True, slots=True)
class Outside:
    """``modules``: with ``DECODERS`` of somebody else, in the place of ours. ``watched``: packages whose branches guide
    the inputs, beside those that the modules are in.
    """

    modules: tuple[str, ...] = ()
    watched: tuple[str, ...] = ()

    @property
    def packages(self) -> tuple[str, ...]:
        """All that is to be watched."""
        return tuple(dict.fromkeys([*(module.partition(".")[0] for module in self.modules), *self.watched]))

    @property
    def words(self) -> list[str]:
        """The same as words of a command line."""
        modules = [word for module in self.modules for word in ("--from", module)]
        return modules + [word for package in self.watched for word in ("--watch", package)]


NOBODY = Outside()


def add_outside(parser: argparse.ArgumentParser) -> None:
    """The part of a command line that says where decoders from outside are."""
    parser.add_argument(
        "--from",
        dest="modules",
        action="append",
        default=[],
        metavar="MODULE",
        help="a module with DECODERS of your own, in the place of ours; may be given again",
    )
    parser.add_argument(
        "--watch", dest="watched", action="append", default=[], metavar="PACKAGE",
        help="a package whose branches guide the inputs, beside the one that MODULE is in; may be given again",
    )  # fmt: skip


def outside_of(arguments: argparse.Namespace) -> Outside:
    """What it says."""
    return Outside(tuple(arguments.modules), tuple(arguments.watched))


def decoders(outside: Outside = NOBODY) -> tuple[Decoder, ...]:
    """All of them: ours, or those from outside. Raises LookupError where a module from there has none."""
    if outside.modules:
        return tuple(each for module in outside.modules for each in _brought_by(module))
    return tuple(each for word in WORDS for module in _homes(word) for each in _decoders_of(module))


def decoder(name: str, outside: Outside = NOBODY) -> Decoder:
    """The one of that name; no more is imported than must be. Raises LookupError."""
    if outside.modules:
        found = {each.name: each for each in decoders(outside)}
        if name not in found:
            raise LookupError(f"no decoder {name!r} in {', '.join(outside.modules)}: there are {', '.join(found)}")
        return found[name]
    for module in _homes(name.partition("-")[0]):
        for each in _decoders_of(module):
            if each.name == name:
                return each
    raise LookupError(f"no decoder {name!r}: see --list")


def _brought_by(module: str) -> tuple[Decoder, ...]:
    try:
        found = tuple(cast("Iterable[object]", import_module(module).DECODERS))
    except (ImportError, AttributeError, TypeError) as error:
        raise LookupError(f"no DECODERS in {module!r}: {error}") from error
    if not found or not all(isinstance(each, Decoder) for each in found):
        raise LookupError(f"DECODERS of {module!r} is no tuple of {Decoder.__module__}.Decoder")
    return cast("tuple[Decoder, ...]", found)


def _homes(word: str) -> Iterator[str]:
    for module in (word, f"{word}_whole"):
        if find_spec(f"{__package__}.{module}") is not None:
            yield module


def _decoders_of(module: str) -> tuple[Decoder, ...]:
    return cast("tuple[Decoder, ...]", getattr(import_module(f"{__package__}.{module}"), "DECODERS", ()))
