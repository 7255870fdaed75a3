"""How much an object holds on to."""

from __future__ import annotations

import gc
from types import BuiltinFunctionType, FunctionType, ModuleType

_SHARED = (type, ModuleType, FunctionType, BuiltinFunctionType)


def held(root: object) -> int:
    """Bytes of all buffers and texts, and one for every other object, that can be reached from ``root``; classes,
    functions and modules, which everything shares, left out.
    """
    seen: set[int] = set()
    waiting = [root]
    total = 0
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, _SHARED):
            continue
        seen.add(id(item))
        if isinstance(item, bytes | bytearray | str):
            total += len(item)
        else:
            total += 1
            waiting += gc.get_referents(item)
    return total
