"""Every table of every room, for migrations and for the test that compares them."""

from __future__ import annotations

import host.claims.schema
import host.console.schema
import host.customers.schema
import host.fleet.schema
import host.hsm.schema
import host.journal.schema
import host.ledger.schema
import host.offline.schema
import host.pki.schema
import host.store.schema
from host.store.metadata import metadata

ROOMS = (
    host.claims.schema,
    host.console.schema,
    host.customers.schema,
    host.fleet.schema,
    host.hsm.schema,
    host.journal.schema,
    host.ledger.schema,
    host.offline.schema,
    host.pki.schema,
    host.store.schema,
)

__all__ = ["ROOMS", "metadata"]
