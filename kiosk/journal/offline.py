"""What the journal remembers for deposits that begin while the host is away: the limits, the host's time, and what has
been used of a day. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from guichet.offline import DAY_US, OfflineStart


@dataclass(frozen=True, slots=True)
class TrustedTime:
    """The host said ``host_time_us`` when this boot of the machine was ``since_boot_us`` old; both microseconds."""

    boot_id: str
    since_boot_us: int
    host_time_us: int

    def now_us(self, boot_id: str, since_boot_us: int) -> int | None:
        """The host's time by now; None in another boot, of which nobody can tell when it was."""
        passed = since_boot_us - self.since_boot_us
        return self.host_time_us + passed if boot_id == self.boot_id and passed >= 0 else None


@dataclass(frozen=True, slots=True, order=True)
class Card:
    """A card as the journal tells it from others: the BIN of its limit, and its mark."""

    bin: str
    currency: str
    mark: int

    @classmethod
    def of(cls, start: OfflineStart) -> Card:
        """The card of a deposit."""
        return cls(start.bin, start.currency.code, start.card_mark)

    def shares_bin(self, prefix: str) -> bool:
        """Whether it may be a card of ``prefix``. BINs of two lists may be of different lengths."""
        return self.bin.startswith(prefix) or prefix.startswith(self.bin)


@dataclass(frozen=True, slots=True)
class Use:
    """What was deposited: minor units that are in the box or may be, and in how many deposits."""

    minor: int = 0
    deposits: int = 0

    def __add__(self, other: Use) -> Use:
        return Use(self.minor + other.minor, self.deposits + other.deposits)

    @classmethod
    def of_deposit(cls, minor: int) -> Use:
        """Of one deposit; one without a note is none."""
        return cls(minor, 1) if minor else cls()


@dataclass(slots=True)
class Offline:
    """``limits``: the newest list, verbatim, empty for none. ``trusted``: what the host last said of the time.
    ``latest_us``: when the last deposit without the host began: trusted time never goes back behind it, so that a day
    that has begun stays the day. ``forgotten``: what deposits of that day used that are not remembered any more.
    ``closed_day``: up to this day nobody knows what was used, for the journal was restored without its end;
    ``day_unknown``: it was, and which day that is, the host has still to say.
    """

    limits: bytes = b""
    trusted: TrustedTime | None = None
    latest_us: int = 0
    forgotten: dict[Card, Use] = field(default_factory=dict[Card, Use])
    closed_day: int = -1
    day_unknown: bool = False

    @property
    def day(self) -> int:
        """The day of the last deposit without the host, whose use is remembered."""
        return self.latest_us // DAY_US

    def lost_its_end(self) -> None:
        """What came last is not here, and so not what cards have used without the host."""
        self.trusted, self.day_unknown = None, True

    def trust(self, trusted: TrustedTime) -> None:
        """The host said what time it is; an empty boot: none of its time is trusted."""
        self.trusted = trusted
        if self.day_unknown and trusted.boot_id:
            # The host's clock may have gone back since: the day of a deposit that is known stays the day.
            self.closed_day, self.day_unknown = max(trusted.host_time_us, self.latest_us) // DAY_US, False

    def began(self, start: OfflineStart) -> None:
        """A deposit began. What was used on days before it is of no interest any more."""
        if start.day > self.day:
            self.forgotten = {}
        self.latest_us = max(self.latest_us, start.started_at_us)

    def forget(self, start: OfflineStart, minor: int) -> None:
        """A deposit goes that used ``minor``; what it used stays for as long as its day does."""
        use = Use.of_deposit(minor)
        if start.day == self.day and use != Use():
            card = Card.of(start)
            self.forgotten[card] = self.forgotten.get(card, Use()) + use
