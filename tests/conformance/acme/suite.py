"""What is handed to the suite: ``pytest tests/conformance --subject tests.conformance.acme.suite:ACME``."""

from __future__ import annotations

from drivers.api.cash import Presence
from kiosk.terminal.recovery import LastRecord
from tests.conformance.doubts import NEVER_ANOTHER_NOTE, NEVER_FORGOTTEN, never
from tests.conformance.subject import Subject

_HELD = never(
    "what became of a note is held until it is acknowledged, also without power",
    (LastRecord.ESCROWED, LastRecord.RETURN_INTENDED, LastRecord.STACK_INTENDED),
    Presence.PATH_EMPTY,
)

ACME = Subject(
    "acme",
    driver="acme",
    simulator="tests.conformance.acme.simulator",
    never=(NEVER_FORGOTTEN, NEVER_ANOTHER_NOTE, _HELD),
)
