"""A terminal's configuration: one TOML file, checked whole before anything starts."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import cast

from drivers.api.device import DeviceConfig
from guichet.money import Currency, Money, MoneyError, parse_money
from kiosk.journal.key import journal_file
from kiosk.journal.store import KEEP_DAYS

KEYS = (
    "data", "socket", "host", "late_host", "denominations", "unreplicated_cap", "keep_days", "timings", "devices",
    "record",
)  # fmt: skip
DEVICES = ("cash", "card", "pinpad", "printer")
_MOST_DAYS = 36_500
_ESCROW_HOLD_LIMIT = 8


class ConfigError(ValueError):
    """A configuration that cannot be used; the text says which key and what is expected."""


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds. ``escrow_hold``: how long a note that will be taken can still be asked back; 8 at most, for a validator
    gives a note back by itself after 10 (CashCode NET 2.6, 80; ID-003, 17 with 79). ``device_grace``: how long
    a silent cash module may take to come back before an open note is in doubt. ``customer``: without a touch.
    ``late_delivery``: without a session, before what is signed is delivered without one. ``note_taken``: how long a
    note may stay in the mouth that was handed back. ``note_moves``: how long a movement may take, before it counts as
    stuck; devices themselves allow up to 30. ``look_again``: between looks at a journal that could not be opened.
    ``retention``: between looks at what the journal may let go of.
    """

    escrow_hold: float = 1.5
    device_grace: float = 30.0
    customer: float = 60.0
    notice: float = 20.0
    settlement_wait: float = 5.0
    late_delivery: float = 60.0
    replication_wait: float = 3.0
    note_taken: float = 45.0
    note_moves: float = 60.0
    look_again: float = 30.0
    retention: float = 600.0


@dataclass(frozen=True, slots=True)
class TerminalConfig:
    """Everything a terminal is told.

    ``unreplicated_caps``: by currency, the value of notes that may lie in the box while the host is away and does not
    hold their records.
    ``keep_days``: how long the journal keeps at least what is settled and countersigned, in days of the host's clock;
    0: for ever.
    ``host`` and ``late_host``: host:port in place of the enrolment's for sessions and for delivery without one, where
    the way to the host has changed; empty otherwise.
    ``record``: the folder into which what goes over the devices' lines is recorded; None: it is not.
    ``version``: a digest of the file, named in every deposit.
    """

    data: Path
    socket: Path
    devices: Mapping[str, DeviceConfig]
    denominations: frozenset[Money]
    unreplicated_caps: Mapping[Currency, Money]
    timings: Timings = field(default_factory=Timings)
    version: str = ""
    keep_days: int = KEEP_DAYS
    host: str = ""
    late_host: str = ""
    record: Path | None = None

    def unreplicated_cap(self, currency: Currency) -> Money:
        """What may lie in the box unreplicated of ``currency``; nothing, where nobody has said."""
        return self.unreplicated_caps.get(currency, Money(0, currency))

    @property
    def journal(self) -> Path:
        """Where the journal lies."""
        return journal_file(self.data)


def load_config(path: Path) -> TerminalConfig:
    """Read ``path``. Raises :class:`ConfigError`."""
    try:
        raw = path.read_bytes()
        table = tomllib.loads(raw.decode("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    if unknown := sorted(set(table) - set(KEYS)):
        raise ConfigError(f"{path}: unknown {', '.join(unknown)}; known are {', '.join(sorted(KEYS))}")
    return TerminalConfig(
        data=Path(_text(table, "data")),
        socket=Path(_text(table, "socket")),
        devices=_devices(_table(table, "devices")),
        denominations=frozenset(_money(text, "denominations") for text in _texts(table, "denominations")),
        unreplicated_caps=_caps(table),
        timings=_timings(_table(table, "timings")),
        version=sha256(raw).hexdigest()[:12],
        keep_days=_days(table),
        host=_text(table, "host") if "host" in table else "",
        late_host=_text(table, "late_host") if "late_host" in table else "",
        record=Path(_text(table, "record")) if "record" in table else None,
    )


def _days(table: Mapping[str, object]) -> int:
    days = table.get("keep_days", KEEP_DAYS)
    if not isinstance(days, int) or isinstance(days, bool) or not 0 <= days <= _MOST_DAYS:
        raise ConfigError(f"keep_days: 0 to {_MOST_DAYS} whole days, 0 to keep everything")
    return days


def _caps(table: Mapping[str, object]) -> dict[Currency, Money]:
    """One amount, or a list of them, one a currency."""
    named = table.get("unreplicated_cap", "500 EUR")
    texts = [named] if isinstance(named, str) else _texts(table, "unreplicated_cap")
    caps = [_money(text, "unreplicated_cap") for text in texts]
    if len({cap.currency for cap in caps}) < len(caps):
        raise ConfigError("unreplicated_cap: one amount a currency")
    return {cap.currency: cap for cap in caps}


def _devices(table: Mapping[str, object]) -> dict[str, DeviceConfig]:
    if unknown := sorted(set(table) - set(DEVICES)):
        raise ConfigError(f"devices: unknown {', '.join(unknown)}; known are {', '.join(DEVICES)}")
    devices: dict[str, DeviceConfig] = {}
    for name in DEVICES:
        device = _table(table, name)
        if device:
            options = {k: str(v) for k, v in device.items() if k not in ("driver", "address")}
            try:
                devices[name] = DeviceConfig(name, _text(device, "driver"), str(device.get("address", "")), options)
            except ConfigError as error:
                raise ConfigError(f"devices.{name}.{error}") from error
    return devices


def _timings(table: Mapping[str, object]) -> Timings:
    values: dict[str, float] = {}
    for key, value in table.items():
        limit = _ESCROW_HOLD_LIMIT if key == "escrow_hold" else 3600
        if key not in Timings.__dataclass_fields__ or not isinstance(value, int | float) or not 0 <= value <= limit:
            raise ConfigError(f"timings.{key}: one of {', '.join(Timings.__dataclass_fields__)}, 0 to {limit} seconds")
        values[key] = float(value)
    return Timings(**values)


def _table(table: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = table.get(key, {})
    if not isinstance(value, dict):
        raise ConfigError(f"{key}: expected a table")
    return cast("dict[str, object]", value)


def _text(table: Mapping[str, object], key: str, default: str | None = None) -> str:
    value = table.get(key, default)
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{key}: expected a text")
    return value


def _texts(table: Mapping[str, object], key: str) -> list[str]:
    value = table.get(key)
    if not isinstance(value, list) or not value:
        raise ConfigError(f"{key}: expected a list of amounts such as '20 EUR'")
    return [str(item) for item in cast("list[object]", value)]


def _money(text: str, key: str) -> Money:
    try:
        return parse_money(text)
    except MoneyError as error:
        raise ConfigError(f"{key}: {error}") from error
