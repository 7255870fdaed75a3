"""Atheris, as far as it is used here. It has wheels for few platforms, and no types."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from importlib import import_module
from inspect import getsource
from types import CodeType, FunctionType
from typing import Protocol, cast

_WATCHED = ("drivers", "guichet")
# Arithmetic over every byte: nothing is learnt from its branches, and watching it takes most of the time.
_UNWATCHED = (
    "drivers.cash.ccnet.framing:crc16",
    "drivers.cash.id003.framing:crc16",
    "drivers.cash.essp.framing:crc16",
    "drivers.cash.essp.keys:is_prime",
    "drivers.cash.essp.keys:_passes",
    "drivers.cash.cctalk.framing:crc16",
    "drivers.pinpad.framing:crc",
)


class Engine(Protocol):
    """What of atheris is used here."""

    def instrument_imports(self, include: Collection[str]) -> AbstractContextManager[None]:
        """What is imported inside is watched, where its package is one of ``include``."""
        ...

    def Setup(self, arguments: list[str], feed: Callable[[bytes], None]) -> object:
        """Take libFuzzer's own ``arguments``, the program's name first."""
        ...

    def Fuzz(self) -> None:
        """Run; ends the process."""
        ...


def load() -> Engine | None:
    """The engine; None where it is not installed."""
    try:
        return cast("Engine", import_module("atheris"))
    except ImportError:
        return None


def import_watched(engine: Engine, name: str) -> None:
    """Import a module so that every branch of the product that it comes to is seen."""
    with engine.instrument_imports(_WATCHED):
        import_module(name)
    for place in _UNWATCHED:
        module, _, function = place.partition(":")
        if module in sys.modules:
            _unwatch(cast("FunctionType", getattr(sys.modules[module], function)))


def _unwatch(function: FunctionType) -> None:
    """Give a function of a module the code back that it has without the engine."""
    tree = ast.parse(getsource(sys.modules[function.__module__]))
    node = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function.__name__)
    future = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    module = compile(ast.Module([*future, node], []), function.__code__.co_filename, "exec")
    function.__code__ = next(code for code in module.co_consts if isinstance(code, CodeType))
