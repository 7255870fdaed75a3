"""The suite's command line: whose drivers it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance import cases
from tests.conformance.choice import HELP, NoSuchSubjectError, chosen
from tests.conformance.subject import Subject


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance", "conformance of a cash driver")
    group.addoption("--subject", action="append", metavar="MODULE:NAME", help=HELP)
    group.addoption(
        "--recordings", type=Path, metavar="FOLDER", help="where python -m tests.conformance.recordings put those of it"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{cases.EACH}(argument, cases): what a test is about, for each subject")
    subjects_of(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    cases.parametrize(metafunc, subjects_of(metafunc.config))


def subjects_of(config: pytest.Config) -> tuple[Subject, ...]:
    """Whom the run is about. The options are there only where pytest was pointed at this folder or into it."""
    try:
        return chosen(config.getoption("--subject", default=None) or [])
    except NoSuchSubjectError as error:
        raise pytest.UsageError(f"--subject {error}") from error


@pytest.fixture
def recordings(request: pytest.FixtureRequest) -> Path | None:
    """Where recordings of subjects that are not ours are, if anywhere."""
    return request.config.getoption("--recordings", default=None)
