"""The short form of the soak; the long one is ``python -m tests.conformance.soak``."""

from __future__ import annotations

from tests.conformance.soak import soak
from tests.conformance.subject import Subject


def test_some_hundred_notes_with_a_fault_every_twenty_are_all_accounted_for(subject: Subject) -> None:
    count = soak(subject, 300, seed=7)
    assert count.notes == 300
    assert count.credited > 150
    assert count.in_doubt <= 10
    assert sum(count.faults.values()) >= 8
