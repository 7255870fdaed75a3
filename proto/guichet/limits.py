"""Bounds that both ends keep: what is larger is refused with a clear error, never half taken."""

from __future__ import annotations

MAX_NOTES_PER_DEPOSIT = 200
MAX_RECORD_BYTES = 32 * 1024
MAX_RECORDS_PER_BATCH = 256
MAX_MESSAGE_BYTES = 4 * 1024 * 1024
MAX_STATEMENT_LINES = 5_000
MAX_STATEMENT_DAYS = 366
HEARTBEAT_SECONDS = 10.0
# A terminal's clock further off than this from the host's is an incident; its records are kept all the same.
CLOCK_TOLERANCE_US = 120 * 1_000_000
