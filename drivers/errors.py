"""What can go wrong with a device.

DeviceError
├── TransportError      the wire: cannot be opened, hung up
├── NoAnswer            the device keeps silent past its deadline
├── ProtocolError       it answers, but not what its protocol allows
├── Refused             it understood and will not (wrong state, unsupported)
├── DeviceFault         it reports a fault of its own: jam, failure, cover open, no paper
├── CardError           a card that cannot be read or used
└── ConfigurationError  the configuration names something that is not there
"""

from __future__ import annotations


class DeviceError(Exception):
    """The root. ``code`` is short and stable, for logs, screens and tests; the text is for the engineer.

    ``retryable``: the same call may succeed later without a person. ``money_at_risk``: a note may be in a place that
    the journal does not say.
    """

    retryable = False

    def __init__(self, device: str, code: str, text: str = "", *, money_at_risk: bool = False) -> None:
        super().__init__(f"{device}: {code}" + (f": {text}" if text else ""))
        self.device = device
        self.code = code
        self.text = text
        self.money_at_risk = money_at_risk


class TransportError(DeviceError):
    """The port is not there, is taken, or hung up in mid-word."""

    retryable = True


class NoAnswer(DeviceError):
    """Silence where the protocol promises an answer."""

    retryable = True


class ProtocolError(DeviceError):
    """An answer that the protocol does not allow here."""

    retryable = True


class Refused(DeviceError):
    """The device said no: not in this state, or it does not know the command."""


class DeviceFault(DeviceError):
    """The device reports that something in it is wrong; a person may have to come."""


class CardError(DeviceError):
    """The card, not the reader: unreadable, no application that we know, taken out too early."""


class ConfigurationError(DeviceError):
    """A driver, port or option that does not exist."""
