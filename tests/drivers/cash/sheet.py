"""Which row of the maker's description a test holds: the row stands in the test's name, ``pytest --collect-only`` finds
it, and ``-k`` runs it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import pytest

ROW = "row"
"""The mark of a test that holds rows."""


def row(*names: str) -> pytest.MarkDecorator:
    """The test holds each of these rows, by the names that ``test_sheet_rows.py`` lists."""
    assert names
    return getattr(pytest.mark, ROW)(*names)


def each_row(arguments: Sequence[str], cases: Iterable[tuple[object, ...]]) -> pytest.MarkDecorator:
    """It runs with each of ``cases``, and each holds the row that stands first in it; several of one are numbered."""
    rows = [(str(first), values) for first, *values in cases]
    often, seen = Counter(name for name, _ in rows), Counter[str]()
    params: list[object] = []
    for name, values in rows:
        seen[name] += 1
        number = f", {seen[name]}" if often[name] > 1 else ""
        params.append(pytest.param(*values, id=f"{name}{number}", marks=row(name)))
    return pytest.mark.parametrize(arguments, params)
