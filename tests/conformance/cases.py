"""For each subject of a run, what a test is about: the words with which a test says so, and the test's name for it.

A test that asks for ``subject`` runs once for each; ``tests/conformance/conftest.py`` sees to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.conformance.recordings import file_of
from tests.conformance.rows import Row
from tests.conformance.subject import Subject

EACH = "each"
"""The mark of a test with cases of its own for each subject."""

Case = Row | str | Path
CasesOf = Callable[[Subject], Iterable[Case]]


def each(argument: str, cases: CasesOf) -> pytest.MarkDecorator:
    """A test runs with every subject and every one of its ``cases``, as ``argument``."""
    return getattr(pytest.mark, EACH)(argument, cases)


def each_script(*scripts: str) -> pytest.MarkDecorator:
    """Every fault that can happen to a subject's device, as ``script``."""
    return each("script", lambda subject: [script for script in scripts if subject.applies(script)])


def each_row() -> pytest.MarkDecorator:
    """Every record that a note of a subject's can come to, as ``row``; none where its events are not always true."""
    return each("row", lambda subject: [row for row in Row if subject.truthful and subject.has(row)])


def each_file() -> pytest.MarkDecorator:
    """The name of the file with its recording, as ``file``; none for another kind of a driver's device."""
    return each("file", lambda subject: [name] if (name := file_of(subject)) is not None else [])


def each_vector_file() -> pytest.MarkDecorator:
    """The file with the published frames of its protocol, as ``file``; none for another kind of a driver's device."""
    return each("file", lambda subject: [subject.vectors] if subject.vectors is not None else [])


def name(part: Subject | Case) -> str:
    """A test's name for it."""
    if isinstance(part, Subject | Path):
        return part.name
    return part.value if isinstance(part, Row) else part


def parametrize(metafunc: pytest.Metafunc, subjects: Iterable[Subject]) -> None:
    """Give a test that asks for ``subject`` its cases."""
    if "subject" not in metafunc.fixturenames:
        return
    mark = metafunc.definition.get_closest_marker(EACH)
    if mark is None:
        metafunc.parametrize("subject", list(subjects), ids=name)
        return
    argument, cases = mark.args
    asked = list(subjects)
    pairs = [
        pytest.param(subject, case, id=f"{name(subject)}-{name(case)}") for subject in asked for case in cases(subject)
    ]
    nothing = [
        pytest.param(subject, None, id=name(subject), marks=pytest.mark.skip(f"{subject.name} brings no {argument}"))
        for subject in asked
    ]
    metafunc.parametrize(("subject", argument), pairs or nothing)
