"""Which subjects a run is about: ours, or what somebody hands in from a module of his own as ``MODULE:NAME``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module
from typing import cast

from tests.conformance.subject import SUBJECTS, Subject

HELP = "a Subject of your own in the place of ours, or a tuple of them, as MODULE:NAME; may be given again"


class NoSuchSubjectError(ValueError):
    """What was asked for is not there; the text says what is."""


def handed_in(place: str) -> tuple[Subject, ...]:
    """The subjects at ``MODULE:NAME``: one, or a sequence of them. Raises :class:`NoSuchSubjectError`."""
    module, _, name = place.partition(":")
    if not module or not name:
        raise NoSuchSubjectError(f"{place!r}: a subject is handed in as MODULE:NAME")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise NoSuchSubjectError(f"{place!r}: {error}") from error
    subjects = tuple(cast("Sequence[object]", found)) if isinstance(found, tuple | list) else (found,)
    if not subjects or not all(isinstance(subject, Subject) for subject in subjects):
        raise NoSuchSubjectError(f"{place!r} is neither a {Subject.__module__}.Subject nor a tuple of them")
    return cast("tuple[Subject, ...]", subjects)


def chosen(places: Sequence[str], names: Sequence[str] = ()) -> tuple[Subject, ...]:
    """Those handed in at ``places``, or where there are none, ours; of these the ones called one of ``names``, or all.
    Raises :class:`NoSuchSubjectError`.
    """
    subjects = tuple(subject for place in places for subject in handed_in(place)) if places else SUBJECTS
    known = [subject.name for subject in subjects]
    if unknown := [name for name in names if name not in known]:
        missing = ", ".join(repr(name) for name in unknown)
        raise NoSuchSubjectError(f"no subject {missing}: there are {', '.join(repr(name) for name in known)}")
    return tuple(subject for subject in subjects if not names or subject.name in names)


def is_ours(subject: Subject) -> bool:
    """Whether drivers/README.md has its column and this package its recording."""
    return subject in SUBJECTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``--subject`` of a command."""
    parser.add_argument("--subject", action="append", default=[], metavar="MODULE:NAME", help=HELP)
