"""A test that holds rows of a maker's description has them in its name."""

from __future__ import annotations

import pytest

from tests.drivers.cash.sheet import ROW


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{ROW}(*names): the rows of a maker's description that a test holds")


@pytest.fixture(autouse=True)
def _rows() -> None:
    """Nothing but a place in the test's name."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    mark = metafunc.definition.get_closest_marker(ROW)
    if mark is not None:
        metafunc.parametrize("_rows", [None], ids=["; ".join(mark.args)], indirect=True)
