"""Which row of the maker's description a test holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

F = TypeVar("F", bound=Callable[..., None])


def row(*names: str) -> Callable[[F], F]:
    """Claim these rows, by the names that ``test_sheet_rows.py`` lists."""
    assert names

    def claim(test: F) -> F:
        return test

    return claim
