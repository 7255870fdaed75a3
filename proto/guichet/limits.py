"""Bounds that both ends keep: what is larger is refused with a clear error, never half taken."""

from __future__ import annotations

# At so many notes, finds included, the terminal opens the slot no more.
MAX_NOTES_PER_DEPOSIT = 200
# What may still join a full deposit: finds, and what a device drew in before it heard that the slot is closed.
_LATE_NOTES = 20
MAX_NOTES_PER_ADVICE = MAX_NOTES_PER_DEPOSIT + _LATE_NOTES
# An advice lists outcomes, not notes. A terminal gives a note two at most, in doubt and then what it was, and a find
# one: so many are enough if every note of a full deposit was in doubt first. The answer, which is longer, then still
# fits one journal record, as it must to be kept.
MAX_OUTCOMES_PER_ADVICE = 2 * MAX_NOTES_PER_DEPOSIT + _LATE_NOTES
MAX_RECORD_BYTES = 32 * 1024
MAX_RECORDS_PER_BATCH = 256
MAX_MESSAGE_BYTES = 4 * 1024 * 1024
MAX_FORMER_CERTIFICATES = 32
MAX_STATEMENT_LINES = 5_000
MAX_STATEMENT_DAYS = 366
HEARTBEAT_SECONDS = 10.0
# A terminal's clock further off than this from the host's is an incident; its records are kept all the same.
CLOCK_TOLERANCE_US = 120 * 1_000_000
