"""What the terminal knows and keeps for deposits that begin while its host is away: what the host has signed, what time
it is, and which cards have deposited today. It decides nothing: that is in :mod:`kiosk.terminal.offline`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from drivers.api.card import Card
from guichet.ids import DepositId, TerminalId
from guichet.journal.records import Fact
from guichet.money import Currency
from guichet.offline import DAY_US, Limits, OfflineError, OfflineStart, pan_purpose, parse_limits
from guichet.seams import BootClock, Domain, Sealer
from guichet.signing import BadSignature, verify
from guichet.v1 import journal_pb2, offline_pb2
from guichet.v1 import terminal_link_pb2 as link_pb
from kiosk.journal.faults import JournalError
from kiosk.journal.store import Journal
from kiosk.log import EventLog
from kiosk.settlement.courier import Courier
from kiosk.settlement.replication import Replicator
from kiosk.terminal.cash_desk import CashDesk
from kiosk.terminal.config import TerminalConfig
from kiosk.terminal.dates import month_of
from kiosk.terminal.offline import (
    BIN_DIGITS,
    Allowed,
    Holder,
    Opening,
    Reason,
    Standing,
    allowance,
    mark_of,
    open_to_some,
)

_CARD_KEY = b"guichet/v1/offline-card"
_KEY_BYTES = 32
# What the host says of the time is written down when it is news: off by so much, or so old.
_NEWS_US = 2_000_000
_OLD_US = 3_600_000_000


def card_key(journal_key: bytes) -> bytes:
    """The key of the cards' marks, 32 bytes, derived from the journal's (HKDF-SHA256): one secret file is enough."""
    return HKDF(hashes.SHA256(), _KEY_BYTES, salt=None, info=_CARD_KEY).derive(journal_key)


@dataclass(frozen=True, slots=True)
class Rights:
    """Who this terminal is to its host. ``host_key`` verifies what the host signs; ``certificate_until_us``: when the
    terminal's certificate is over, microseconds since 1970.
    """

    terminal_id: TerminalId
    host_key: bytes
    certificate_until_us: int
    card_key: bytes

    def __repr__(self) -> str:
        return f"Rights({self.terminal_id}, key ****)"


class OfflineDesk:
    """Hears the host, and answers for it while it is away."""

    def __init__(
        self,
        rights: Rights,
        journal: Journal,
        desk: CashDesk,
        link: Courier,
        replicator: Replicator,
        config: TerminalConfig,
        boot: BootClock,
        sealer: Sealer,
        log: EventLog,
    ) -> None:
        self._rights = rights
        self._journal = journal
        self._desk = desk
        self._link = link
        self._replicator = replicator
        self._config = config
        self._boot = boot
        self._boot_id = _boot_id(boot, log)
        self._sealer = sealer
        self._log = log
        self._refused: set[bytes] = set()
        replicator.on_progress(self._end_if_doubted)

    # --- what the host says -----------------------------------------------------------------------------------------

    def on_link(self, welcome: link_pb.Welcome | None) -> None:
        """The host is there, or gone. Where it is there and lets this terminal in no more, it is not away, and what it
        allowed for that time is over, also when it cannot be reached later.
        """
        if welcome is None or self._replicator.doubted:
            if self._link.refused:
                self._end()
            self._end_if_doubted()
            return
        self._guarded(partial(self._trust, welcome.host_time_us))
        if welcome.HasField("offline_limits"):
            self._guarded(partial(self._take, welcome.offline_limits))

    def _end_if_doubted(self) -> None:
        """Also where a batch's answer says so, and no welcome: a process that dies now must not begin without it."""
        if self._replicator.doubted:
            self._end()

    def _end(self) -> None:
        trusted = self._journal.fold.offline.trusted
        if trusted is not None and trusted.boot_id:
            self._guarded(lambda: self._record(journal_pb2.TimeTrusted()))

    def on_noted(self, noted: link_pb.Noted) -> None:
        """The host has answered a heartbeat, and may have a newer list."""
        if noted.HasField("offline_limits"):
            self._guarded(partial(self._take, noted.offline_limits))

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except JournalError as error:
            self._log.event("journal.failed", reason=str(error))

    def _record(self, fact: Fact) -> None:
        self._journal.append(fact)

    def _trust(self, host_time_us: int) -> None:
        """The host's time is written down with this boot's, which a process that dies does not end."""
        if not self._boot_id:
            return
        since, trusted = self._boot.since_boot_us(), self._journal.fold.offline.trusted
        expected = trusted.now_us(self._boot_id, since) if trusted is not None else None
        old = trusted is None or since - trusted.since_boot_us > _OLD_US
        if expected is None or old or abs(expected - host_time_us) > _NEWS_US:
            self._record(journal_pb2.TimeTrusted(boot_id=self._boot_id, since_boot_us=since, host_time_us=host_time_us))

    def _take(self, signed: offline_pb2.SignedOfflineLimits) -> None:
        """A list that is the host's, for this terminal, and newer than the one that is known, is kept verbatim."""
        if signed.content in (self._journal.fold.offline.limits, *self._refused):
            return
        try:
            verify(self._rights.host_key, Domain.OFFLINE_LIMITS, signed.content, signed.signature)
            limits = parse_limits(signed.content)
            self._require_newer(limits)
        except (BadSignature, OfflineError) as error:
            self._refused.add(signed.content)
            self._log.event("offline.limits-refused", reason=str(error))
            text = f"limits for deposits without the host: {error}"
            self._record(journal_pb2.Incident(code="offline-limits-refused", device="terminal", text=text))
            return
        self._record(journal_pb2.OfflineLimitsReceived(content=signed.content, signature=signed.signature))
        self._log.event("offline.limits", number=limits.number, limits=len(limits.limits))

    def _require_newer(self, limits: Limits) -> None:
        known = self.limits
        if limits.terminal_id != self._rights.terminal_id:
            raise OfflineError(f"they are for {limits.terminal_id}")
        if known is not None and limits.number <= known.number:
            raise OfflineError(f"number {limits.number} does not follow {known.number}")

    # --- what holds now ---------------------------------------------------------------------------------------------

    @property
    def limits(self) -> Limits | None:
        """The newest list; None for none."""
        content = self._journal.fold.offline.limits
        return parse_limits(content) if content else None

    @property
    def now_us(self) -> int | None:
        """The host's time, microseconds since 1970; None where nobody knows it. Never before what was recorded once."""
        offline = self._journal.fold.offline
        if offline.trusted is None or not self._boot_id:
            return None
        now_us = offline.trusted.now_us(self._boot_id, self._boot.since_boot_us())
        return None if now_us is None else max(now_us, offline.latest_us)

    def closed_because(self) -> Reason | None:
        """Why no card at all may deposit without the host; None: some may."""
        return open_to_some(self._standing())

    def allowance(self, card: Card) -> Allowed | Reason:
        """Whether ``card`` may deposit without the host, and how much."""
        standing, holder = self._standing(), self._holder(card)
        return allowance(standing, holder, month_of(standing.now_us or 0))

    def opening(self, card: Card, allowed: Allowed) -> Opening:
        """What a deposit by ``allowed`` begins with; the card number goes into it sealed."""
        holder = self._holder(card)

        def start(deposit: DepositId) -> OfflineStart:
            return OfflineStart(
                sealed_pan=self._sealer.seal(card.pan.reveal(), pan_purpose(deposit)),
                card_masked=card.masked,
                limits_number=allowed.limits_number,
                bin=allowed.limit.bin,
                currency=allowed.limit.currency,
                started_at_us=allowed.now_us,
                card_mark=holder.mark,
            )

        return Opening(allowed.left, start)

    def _standing(self) -> Standing:
        now_us, notes = self.now_us, self._config.denominations & self._desk.values
        return Standing(
            # A device that takes without asking cannot keep to a limit.
            limits=self.limits if self._desk.asks_first else None,
            now_us=now_us,
            certificate_until_us=self._rights.certificate_until_us,
            uses=self._journal.fold.offline_uses(now_us // DAY_US) if now_us is not None else {},
            notes=notes,
            full={currency for currency in {note.currency for note in notes} if self._is_full(currency)},
            closed_day=self._journal.fold.offline.closed_day,
        )

    def _is_full(self, currency: Currency) -> bool:
        cap = self._config.unreplicated_cap(currency)
        return self._replicator.unreplicated(currency).minor >= cap.minor

    def _holder(self, card: Card) -> Holder:
        digits = card.pan.reveal()
        keyed = hmac.HMAC(self._rights.card_key, hashes.SHA256())
        keyed.update(digits)
        return Holder(digits[:BIN_DIGITS].decode("ascii"), mark_of(keyed.finalize()), card.expiry)


def _boot_id(boot: BootClock, log: EventLog) -> str:
    """Empty where the machine does not tell: then no time is trusted."""
    try:
        return boot.boot_id()
    except OSError as error:
        log.event("boot.unknown", reason=str(error))
        return ""
