"""The options of a driver, of which a misspelt one must not be ignored in silence. Pure."""

from __future__ import annotations

from drivers.api.device import DeviceConfig
from drivers.errors import ConfigurationError


def refuse_unknown(config: DeviceConfig, *known: str) -> None:
    """Raise :class:`drivers.errors.ConfigurationError` where ``config`` has an option that is not one of ``known``,
    all that the driver has. Every driver calls it before it reads its options.
    """
    unknown = sorted(config.options.keys() - set(known))
    if unknown:
        names = ", ".join(known) or "none"
        raise ConfigurationError(config.name, "unknown-option", f"{', '.join(unknown)} (known: {names})")
