"""Atheris, as far as it is used here. It has wheels for few platforms, and no types.

It watches the product by a call at every branch, which costs more than all else together: 0.3 microseconds. So the
branches of an input are gathered first, at a tenth of that, and the engine is told once of each. Comparisons are not
watched: what a decoder compares with is in the seeds.
"""

from __future__ import annotations

import sys
from collections import Counter, deque
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, FunctionType, ModuleType
from typing import Protocol, cast

_WATCHED = ("drivers.", "guichet.", "tests.fuzz.planted")
# Arithmetic over every byte: nothing is learnt from its branches.
_UNWATCHED = (
    "drivers.cash.ccnet.framing:crc16",
    "drivers.cash.id003.framing:crc16",
    "drivers.cash.essp.framing:crc16",
    "drivers.cash.essp.keys:is_prime",
    "drivers.cash.essp.keys:_passes",
    "drivers.cash.cctalk.framing:crc16",
    "drivers.pinpad.framing:crc",
)
_AT_A_BRANCH = "_trace_branch"
"""What patched code calls, by its name in the engine."""
_MOST_BRANCHES = 200_000
_MOST_TIMES = 8
"""The engine knows once, twice, three times, four to seven and more often from each other: more is not told."""


class Engine(Protocol):
    """What of atheris is used here."""

    def patch_code(self, code: CodeType, trace_dataflow: bool) -> CodeType:
        """The same code, with a call of :data:`_AT_A_BRANCH` at every branch."""
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


@contextmanager
def watching(engine: Engine, packages: Sequence[str] = ()) -> Generator[None]:
    """What is imported inside is watched, where it is the product's or of one of ``packages``."""
    finder = _Finder(engine, packages)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
    for place in _UNWATCHED:
        module, _, function = place.partition(":")
        if module in finder.plain:
            _unwatch(sys.modules[module], function, finder.plain[module])


def gathered(engine: Engine, feed: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """``feed``, with the engine told afterwards where it came by."""
    tell = cast("Callable[[int], object]", getattr(engine, _AT_A_BRANCH))
    passed: deque[int] = deque(maxlen=_MOST_BRANCHES)
    setattr(engine, _AT_A_BRANCH, passed.append)

    def watched(data: bytes) -> None:
        passed.clear()
        try:
            feed(data)
        finally:
            for branch, times in Counter(passed).items():
                for _ in range(min(times, _MOST_TIMES)):
                    tell(branch)

    return watched


class _Finder(MetaPathFinder):
    """``plain``: the code of each module as it was before."""

    def __init__(self, engine: Engine, packages: Sequence[str]) -> None:
        self._engine = engine
        self._watched = (*_WATCHED, *(f"{package}." for package in packages))
        self.plain: dict[str, CodeType] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The product's modules, to be loaded so that they are watched."""
        if not f"{fullname}.".startswith(self._watched):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path, self._patched)
        return spec

    def _patched(self, name: str, code: CodeType) -> CodeType:
        self.plain[name] = code
        return self._engine.patch_code(code, False)


class _Loader(SourceFileLoader):
    """A module whose code is changed before it runs."""

    def __init__(self, name: str, path: str, changed: Callable[[str, CodeType], CodeType]) -> None:
        super().__init__(name, path)
        self._changed = changed

    def get_code(self, fullname: str) -> CodeType | None:
        """The changed code."""
        code = super().get_code(fullname)
        return None if code is None else self._changed(fullname, code)


def _unwatch(module: ModuleType, name: str, plain: CodeType) -> None:
    """Give a function of a module its own code back."""
    function = cast("FunctionType", getattr(module, name))
    function.__code__ = next(each for each in plain.co_consts if isinstance(each, CodeType) and each.co_name == name)
