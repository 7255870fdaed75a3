"""The host's configuration: a TOML file, overridden by the command line. Every key has a default; unknown ones are
errors, because a misspelt safety setting is worse than a refused start.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

_DAY_US = 24 * 3600 * 1_000_000


class ConfigError(ValueError):
    """A configuration that cannot be used. The text names the key."""


@dataclass(frozen=True, slots=True)
class HostConfig:
    """How a host runs.

    ``data``: its directory. ``address``: where the terminals' ports listen; ``names``: what the certificate and the
    console's Host check allow. Ports: 0 takes a free one. ``demo``: migrate and add demo customers at start.
    ``zone``: IANA name of the bank's time zone. ``certificate_days``: how long a terminal's certificate is good.
    """

    data: Path = Path("var/host")
    address: str = "127.0.0.1"
    port: int = 7443
    enrol_port: int = 7444
    console_address: str = "127.0.0.1"
    console_port: int = 7480
    names: tuple[str, ...] = ("localhost", "127.0.0.1")
    zone: str = "UTC"
    certificate_days: int = 30
    demo: bool = False

    def __post_init__(self) -> None:
        for name in ("port", "enrol_port", "console_port"):
            if not 0 <= getattr(self, name) <= 65535:
                raise ConfigError(f"{name}: a port is 0 to 65535")
        if not 1 <= self.certificate_days <= 366:
            raise ConfigError("certificate_days: 1 to 366")
        if not self.names:
            raise ConfigError("names: at least one")
        try:
            ZoneInfo(self.zone)
        except (LookupError, ValueError, OSError) as error:
            raise ConfigError(f"zone: no time zone {self.zone!r}") from error

    @property
    def database(self) -> Path:
        """The database's file."""
        return self.data / "host.db"

    @property
    def keys(self) -> Path:
        """The directory of the keys."""
        return self.data / "keys"

    @property
    def ports_file(self) -> Path:
        """Where a running server says which ports it has."""
        return self.data / "ports.json"

    @property
    def certificate_life_us(self) -> int:
        """How long a terminal's certificate is good, in microseconds."""
        return self.certificate_days * _DAY_US


def load_config(path: Path | None, overrides: dict[str, object]) -> HostConfig:
    """The file's settings (None: the defaults), with ``overrides`` that are not None on top.

    Raises :class:`ConfigError` for a file that is missing or no TOML, an unknown key, or a value of another type.
    """
    values = {} if path is None else _read(path)
    values.update({key: value for key, value in overrides.items() if value is not None})
    known = {field.name for field in fields(HostConfig)}
    config = HostConfig()
    for key, value in values.items():
        if key not in known:
            raise ConfigError(f"{key}: no such setting; there are {', '.join(sorted(known))}")
        config = replace(config, **{key: _as(getattr(config, key), key, value)})
    return config


def _read(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error


def _as(default: object, key: str, value: object) -> object:
    """``value`` as the type of ``default``."""
    if isinstance(default, Path) and isinstance(value, str | Path):
        return Path(value)
    kind = type(default)
    if kind is tuple and isinstance(value, list | tuple):
        return tuple(str(item) for item in cast("Iterable[object]", value))
    if type(value) is not kind:
        raise ConfigError(f"{key}: {value!r} is not a {kind.__name__}")
    return cast("object", value)
