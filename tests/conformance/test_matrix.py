"""The matrix in drivers/README.md is what the drivers do, not what somebody said that they do."""

from __future__ import annotations

import pytest

from tests.conformance.matrix import PAGE, page_with_matrix


def test_the_matrix_of_the_page_is_the_one_that_was_computed(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--subject", default=None):
        pytest.skip("the page has our own drivers only")
    page = PAGE.read_text(encoding="utf-8")
    assert page_with_matrix(page) == page, "write it anew: python -m tests.conformance.matrix"
