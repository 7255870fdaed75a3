"""What a configuration may say about an ESC/POS printer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from drivers.api.device import DeviceConfig
from drivers.errors import ConfigurationError
from drivers.options import refuse_unknown
from drivers.printer.escpos import library
from drivers.printer.escpos.layout import COLUMNS
from drivers.printer.escpos.render import Paper

_POLL_SECONDS = (0.05, 60.0)


class Completion(Enum):
    """How a printer tells that a document is finished.

    ``PROCESS_ID``: GS ( H, answered when the last dot is on paper; all Epson TM since the T88IV have it. ``IN_TURN``:
    GS r, which every ESC/POS printer answers when it has worked its way to it. ``AUTO``: ask the printer which, where
    its maker is known to ignore what it does not know; others print unknown commands as text.
    """

    AUTO = "auto"
    PROCESS_ID = "process-id"
    IN_TURN = "in-turn"


@dataclass(frozen=True, slots=True)
class Options:
    """``poll_seconds``: between two looks at the printer while it is idle."""

    paper: Paper
    completion: Completion
    poll_seconds: float


def read_options(config: DeviceConfig) -> Options:
    """The options ``columns`` (32, 42, 48), ``profile`` (of python-escpos), ``completion`` (auto, process-id, in-turn)
    and ``poll-seconds``. Raises :class:`drivers.errors.ConfigurationError` for any other, and for other values.
    """
    known = {"columns": "48", "profile": "default", "completion": "auto", "poll-seconds": "2"}
    refuse_unknown(config, *known)
    values = known | dict(config.options)
    try:
        columns = int(values["columns"])
        seconds = float(values["poll-seconds"])
        completion = Completion(values["completion"])
        library.composer(values["profile"])
    except (ValueError, KeyError) as error:
        raise ConfigurationError(config.name, "bad-option", str(error)) from error
    if columns not in COLUMNS or not _POLL_SECONDS[0] <= seconds <= _POLL_SECONDS[1]:
        raise ConfigurationError(config.name, "bad-option", f"columns {columns}, poll-seconds {seconds:g}")
    return Options(Paper(values["profile"], columns), completion, seconds)
