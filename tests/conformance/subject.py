"""A driver under test and the device that it is for, found by name, as a terminal and ``guichet-sim`` find them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from drivers.api.cash import CashModule
from drivers.api.device import DeviceConfig
from drivers.cli import simulators
from drivers.context import DriverContext
from drivers.registry import open_device
from drivers.simulation.cash_device import SimulatedCash
from drivers.simulation.notes import Vault
from tests.conformance.doubts import (
    ALWAYS,
    ANOTHER_DEVICE,
    BESIDE_ANOTHER,
    CCTALK_COUNTER_0,
    CCTALK_SLIPS,
    HIDDEN,
    HIDDEN_BESIDE_A_DOUBT,
    HIDDEN_UNNAMED,
    ID003_GIVES_BACK_NAMELESS,
    ID003_GIVES_BACK_UNSEEN,
    ID003_NO_RECOVERY,
    ID003_NO_TRANSIENTS,
    ID003_NOT_TO_BE_STACKED,
    ID003_REMEMBERS,
    MISTAKEN,
    MISTAKEN_UNNAMED,
    NEVER_A_COIN,
    NEVER_ANOTHER_NOTE,
    NEVER_CCTALK,
    NEVER_FORGOTTEN,
    NEVER_NAMELESS,
    NEVER_SSP_JAMMED,
    SILENCE,
    SLIPPED_BACKWARDS,
    SSP_NO_CHANNEL,
    STICKS,
    WITHOUT_A_COUNT,
    WITHOUT_A_NAME,
    Never,
    Reason,
)
from tests.conformance.rows import IN_DOUBT, UNDECIDED, Row, Then

_VECTORS = Path(__file__).parent / "vectors"
MakeDevice = Callable[[Vault, argparse.Namespace], SimulatedCash]
AddArguments = Callable[[argparse.ArgumentParser], None]


@dataclass(frozen=True, slots=True)
class Subject:
    """``driver`` by its registered name; ``simulator`` is a module with ``add_arguments`` and ``make``; ``words`` are
    further words of the simulator's command line; ``options`` are the driver's own. ``escrow``: a note waits to be
    decided about. ``acknowledges``: events are acknowledged on the wire. ``numbered``: its units have serial numbers.
    ``truthful``: a note is in the box when its event says so. ``faces``: what a customer pushes in; the first and the
    last are taken. ``vectors``: a file with published frames of the protocol (:mod:`tests.conformance.test_vectors`).

    What its protocol cannot do, each with its reason (:mod:`tests.conformance.doubts`): ``doubts``, say what became of
    a note; ``hidden``, tell of one more note in the box; ``mistaken``, tell that one from the one on record; ``never``,
    come to a cell of the start-up table.
    """

    name: str
    driver: str
    simulator: str
    words: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    escrow: bool = True
    acknowledges: bool = True
    numbered: bool = True
    doubts: tuple[Reason, ...] = ALWAYS
    hidden: tuple[Reason, ...] = ()
    mistaken: tuple[Reason, ...] = ()
    never: tuple[Never, ...] = (NEVER_FORGOTTEN,)
    truthful: bool = True
    faces: tuple[str, ...] = ("20 EUR", "50 EUR", "20 USD", "5 EUR", "10 EUR")
    vectors: Path | None = None

    def doubt(self, row: Row, then: Then) -> str:
        """Why that cell is left in doubt; empty where it is not."""
        return next((reason.why for reason in self.doubts if reason.covers(row, then)), "")

    def hides(self, row: Row, then: Then) -> bool:
        """Whether one more note may lie in the box then, of which nobody can tell."""
        return any(reason.covers(row, then) for reason in self.hidden)

    def mistakes(self, row: Row, then: Then) -> bool:
        """Whether another note is taken for the one on record then, and nobody can tell."""
        return any(reason.covers(row, then) for reason in self.mistaken)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """For all that is not known."""
        return (*self.doubts, *self.hidden, *self.mistaken)

    def has(self, row: Row) -> bool:
        """Whether a note of this device comes to such a record in a way of its own: a coin is never in escrow."""
        if row is Row.ACKNOWLEDGED:
            return self.acknowledges
        return self.escrow or row not in UNDECIDED | IN_DOUBT

    def applies(self, script: str) -> bool:
        """Whether such a fault can happen to this device at all."""
        if script.startswith("ack") and not self.acknowledges:
            return False
        return self.escrow or not any(word in script for word in ("escrow", "not taken", "second note", "slips"))

    def device(self, vault: Vault, script: Path | None = None, serial: str | None = None) -> SimulatedCash:
        """The device, with its paper in ``vault``."""
        module = import_module(self.simulator)
        parser = argparse.ArgumentParser()
        cast("AddArguments", module.add_arguments)(parser)
        words = ["--pty", "unused", "--control", "unused", *self.words]
        words += ["--script", str(script)] if script is not None else []
        serial = serial if self.numbered else "0"
        words += ["--serial", serial] if serial is not None else []
        return cast("MakeDevice", module.make)(vault, parser.parse_args(words))

    def module(self, context: DriverContext) -> CashModule:
        """The driver's own end."""
        device = open_device(DeviceConfig("cash", self.driver, "memory", self.options), context)
        assert isinstance(device, CashModule), f"{self.driver} is no cash module"
        return device


def _of(name: str, *words: str, called: str = "", vectors: str = "", **more: Any) -> Subject:
    file = vectors or ("" if called else name)
    path = _VECTORS / f"{file}.txt" if file else None
    return Subject(called or name, name, simulators()[name].module, words, vectors=path, **more)


_CRC = ("--checksum", "crc16")
_COINS = ("0.50 EUR", "2 EUR", "0.20 EUR", "1 EUR")
_UNCOUNTED = (*ALWAYS, *WITHOUT_A_COUNT)

# What is true of every device of a protocol, unless something else is said of one.
_CCNET: dict[str, Any] = {"never": (NEVER_FORGOTTEN, NEVER_ANOTHER_NOTE)}
_ID003: dict[str, Any] = {
    "doubts": (*_UNCOUNTED, *ID003_GIVES_BACK_UNSEEN, ID003_NOT_TO_BE_STACKED),
    "hidden": (HIDDEN_UNNAMED, HIDDEN_BESIDE_A_DOUBT),
    "mistaken": (MISTAKEN_UNNAMED,),
}
_SSP: dict[str, Any] = {
    "doubts": (*ALWAYS, *BESIDE_ANOTHER),
    "mistaken": (MISTAKEN,),
    "never": (NEVER_FORGOTTEN, NEVER_ANOTHER_NOTE, NEVER_SSP_JAMMED),
}
_CCTALK: dict[str, Any] = {
    "doubts": (SILENCE, ANOTHER_DEVICE, STICKS, SLIPPED_BACKWARDS, CCTALK_SLIPS, CCTALK_COUNTER_0),
    "never": NEVER_CCTALK,
    "acknowledges": False,
}
_COIN: dict[str, Any] = {
    "doubts": (), "never": NEVER_A_COIN, "escrow": False, "acknowledges": False, "faces": _COINS,
}  # fmt: skip


def _but(usual: dict[str, Any], **more: tuple[Any, ...]) -> dict[str, Any]:
    """The same, and ``more`` of some of it."""
    besides: dict[str, Any] = {name: (*usual.get(name, ()), *values) for name, values in more.items()}
    return usual | besides


SUBJECTS: tuple[Subject, ...] = (
    _of("ccnet", **_CCNET),
    _of("ccnet", "--no-counter", called="ccnet, no counter", doubts=_UNCOUNTED, hidden=(HIDDEN,), **_CCNET),
    _of("ccnet", "--remembers", called="ccnet, remembers", **_CCNET),
    _of("id003", **_ID003),
    _of("id003", "--no-recovery", called="id003, no recovery", **_but(_ID003, doubts=(ID003_NO_RECOVERY,))),
    _of("essp", **_SSP),
    _of("cctalk", **_CCTALK),
    _of("cctalk-coin", **_COIN),
)

EARLY_CREDIT = "essp, early credit"
_CCNET_NAMELESS = _but(_CCNET, never=NEVER_NAMELESS, doubts=(*ALWAYS, *WITHOUT_A_NAME), hidden=(HIDDEN,))
_SSP_NAMELESS = _but(_SSP, never=NEVER_NAMELESS, doubts=WITHOUT_A_NAME, hidden=(HIDDEN,))
_ID003_NAMELESS = _but(
    _ID003, never=(NEVER_FORGOTTEN, *NEVER_NAMELESS), doubts=(*WITHOUT_A_NAME, *ID003_GIVES_BACK_NAMELESS)
)
_ID003_REMEMBERS: dict[str, Any] = _ID003 | {
    "doubts": (*ALWAYS, ID003_REMEMBERS, *ID003_GIVES_BACK_UNSEEN, ID003_NOT_TO_BE_STACKED)
}

VARIANTS: tuple[Subject, ...] = (
    _of("ccnet", "--strict", called="ccnet, strict", **_CCNET),
    _of("ccnet", called="ccnet, no serial", numbered=False, **_CCNET_NAMELESS),
    _of("id003", "--no-serial", called="id003, no serial", numbered=False, **_ID003_NAMELESS),
    _of("id003", "--no-serial", "--silent", called="id003, silent", numbered=False, **_ID003_NAMELESS),
    _of("id003", "--remembers", called="id003, remembers", **_ID003_REMEMBERS),
    _of("id003", "--no-transients", called="id003, no transients", **_but(_ID003, doubts=(ID003_NO_TRANSIENTS,))),
    _of("id003", "--ack-patience", "2", called="id003, impatient", **_ID003),
    _of("essp", "--highest-version", "6", called="essp, version 6", **_SSP),
    _of("essp", "--no-counter", called="essp, no counter", **_but(_SSP, doubts=WITHOUT_A_COUNT, hidden=(HIDDEN,))),
    _of("essp", called="essp, no serial", numbered=False, **_SSP_NAMELESS),
    _of("essp", "--remembers", called="essp, remembers", **_SSP),
    _of("essp", "--forgets-channel", called="essp, forgets channel", **_but(_SSP, doubts=(SSP_NO_CHANNEL,))),
    _of("essp", "--early-credit", called=EARLY_CREDIT, truthful=False, **_SSP),
    _of(
        "cctalk", *_CRC, called="cctalk, crc16", vectors="cctalk-crc16", options={"checksum": "crc16"}, **_CCTALK,
    ),
    _of("cctalk", "--echo", called="cctalk, echo", options={"echo": "yes"}, **_CCTALK),
    _of("cctalk", "--silent-start", called="cctalk, silent start", **_CCTALK),
    _of("cctalk-coin", "--value-credits", called="cctalk-coin, value credits", **_COIN),
    _of(
        "cctalk-coin", *_CRC, "--echo", called="cctalk-coin, crc16, echo",
        options={"checksum": "crc16", "echo": "yes"}, **_COIN,
    ),
)  # fmt: skip
"""Other kinds of the same devices. The suite runs a few things with them (``test_variants.py``), and everything with
``--subject tests.conformance.subject:VARIANTS``.
"""
