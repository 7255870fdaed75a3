"""Claim numbers: short, easy to read out, the same for a note however often it is asked."""

from __future__ import annotations

import hashlib

from host.readable import base32, grouped


def claim_number(terminal_id: str, deposit_id: str, note_id: str) -> str:
    """Twelve letters in three groups: 60 bits of a hash, two of a million notes share one with odds below 1e-6."""
    digest = hashlib.sha256("\0".join(("claim", terminal_id, deposit_id, note_id)).encode()).digest()
    return grouped(base32(digest, 12))
