"""Everything that a flow works with, made once by :mod:`kiosk.terminal.main`."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.api.card import CardReader
from drivers.api.pinpad import PinPad
from drivers.api.printer import ReceiptPrinter
from guichet.ids import SessionId
from guichet.seams import Clock, Ids, Sealer
from guichet.v1 import customer_pb2
from kiosk.journal.store import Journal
from kiosk.log import EventLog
from kiosk.settlement.replication import Replicator
from kiosk.settlement.settler import Settler
from kiosk.terminal.cash_desk import CashDesk
from kiosk.terminal.config import TerminalConfig
from kiosk.terminal.dates import stamp
from kiosk.terminal.front import Front
from kiosk.terminal.link import HostLink
from kiosk.terminal.offline_desk import OfflineDesk
from kiosk.terminal.paper import Imprint


@dataclass(frozen=True, slots=True)
class Parts:
    """A terminal's parts. ``printer`` is None where none is configured."""

    terminal_id: str
    training: bool
    config: TerminalConfig
    clock: Clock
    ids: Ids
    sealer: Sealer
    log: EventLog
    journal: Journal
    front: Front
    link: HostLink
    replicator: Replicator
    settler: Settler
    desk: CashDesk
    offline: OfflineDesk
    card: CardReader
    pinpad: PinPad
    printer: ReceiptPrinter | None

    def imprint(self) -> Imprint:
        """What a document printed now says of where and when."""
        return Imprint(self.terminal_id, stamp(self.clock), self.training)


@dataclass(frozen=True, slots=True)
class CustomerSession:
    """Someone whom the host knows. The token carries the session and prints as stars."""

    session_id: SessionId
    customer: customer_pb2.Customer
    card_masked: str

    def __repr__(self) -> str:
        return f"CustomerSession({self.session_id}, {self.card_masked})"
