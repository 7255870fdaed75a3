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
from tests.conformance.rows import Row

_VECTORS = Path(__file__).parent / "vectors"
_STACK_ROWS = (Row.STACK_INTENDED, Row.STACK_SENT, Row.EVENT_HEARD)

MakeDevice = Callable[[Vault, argparse.Namespace], SimulatedCash]
AddArguments = Callable[[argparse.ArgumentParser], None]


@dataclass(frozen=True, slots=True)
class Subject:
    """``driver`` by its registered name; ``simulator`` is a module with ``add_arguments`` and ``make``; ``words`` are
    further words of the simulator's command line; ``options`` are the driver's own. ``certain``: the protocol still
    says what became of a note after a power cut at any moment. ``escrow``: a note waits to be decided about.
    ``ambiguous``: cells, by row and event, in which the protocol leaves a doubt though the device never lost its power.
    ``acknowledges``: events are acknowledged on the wire. ``numbered``: its units have serial numbers. ``faces``: what
    a customer pushes in; the first and the last are taken. ``vectors``: a file with published frames of the protocol
    (:mod:`tests.conformance.test_vectors`).
    """

    name: str
    driver: str
    simulator: str
    words: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    certain: bool = True
    escrow: bool = True
    ambiguous: frozenset[tuple[Row, str]] = frozenset()
    acknowledges: bool = True
    numbered: bool = True
    faces: tuple[str, ...] = ("20 EUR", "50 EUR", "20 USD", "5 EUR", "10 EUR")
    vectors: Path | None = None

    def has(self, row: Row) -> bool:
        """Whether a note of this device comes to such a record in a way of its own: a coin is never in escrow."""
        return self.escrow or row not in (Row.ESCROWED, Row.RETURN_INTENDED, Row.RETURN_SENT, *_STACK_ROWS)

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


def _of(name: str, *words: str, called: str = "", **more: Any) -> Subject:
    vectors = None if called else _VECTORS / f"{name}.txt"
    return Subject(called or name, name, simulators()[name].module, words, vectors=vectors, **more)


_CRC = ("--checksum", "crc16")
_COINS = ("0.50 EUR", "2 EUR", "0.20 EUR", "1 EUR")
# A note that was never stacked and that ID-003 gave back by itself leaves no trace: sheet 8.4, "ambiguous".
_UNSEEN = frozenset({(Row.STACK_INTENDED, "half a minute passes")})

SUBJECTS: tuple[Subject, ...] = (
    _of("ccnet"),
    _of("ccnet", "--no-counter", called="ccnet, no counter", certain=False),
    _of("ccnet", "--remembers", called="ccnet, remembers"),
    _of("id003", certain=False, ambiguous=_UNSEEN),
    _of("id003", "--no-recovery", called="id003, no recovery", certain=False, ambiguous=_UNSEEN),
    _of("essp"),
    _of("cctalk", certain=False, acknowledges=False),
    _of("cctalk-coin", certain=False, escrow=False, acknowledges=False, faces=_COINS),
)

EARLY_CREDIT = "essp, early credit"

VARIANTS: tuple[Subject, ...] = (
    _of("ccnet", "--strict", called="ccnet, strict"),
    _of("ccnet", called="ccnet, no serial", certain=False, numbered=False),
    _of("id003", "--no-serial", called="id003, no serial", certain=False, numbered=False, ambiguous=_UNSEEN),
    _of("id003", "--no-serial", "--silent", called="id003, silent", certain=False, numbered=False, ambiguous=_UNSEEN),
    _of("id003", "--remembers", called="id003, remembers", certain=False, ambiguous=_UNSEEN),
    _of("id003", "--no-transients", called="id003, no transients", certain=False, ambiguous=_UNSEEN),
    _of("id003", "--ack-patience", "2", called="id003, impatient", certain=False, ambiguous=_UNSEEN),
    _of("essp", "--highest-version", "6", called="essp, version 6"),
    _of("essp", "--no-counter", called="essp, no counter", certain=False),
    _of("essp", called="essp, no serial", certain=False, numbered=False),
    _of("essp", "--remembers", called="essp, remembers"),
    _of("essp", "--forgets-channel", called="essp, forgets channel", certain=False),
    _of("essp", "--early-credit", called=EARLY_CREDIT),
    _of("cctalk", *_CRC, called="cctalk, crc16", certain=False, acknowledges=False, options={"checksum": "crc16"}),
    _of("cctalk", "--echo", called="cctalk, echo", certain=False, acknowledges=False, options={"echo": "yes"}),
    _of("cctalk", "--silent-start", called="cctalk, silent start", certain=False, acknowledges=False),
    _of(
        "cctalk-coin", "--value-credits", called="cctalk-coin, value credits", certain=False, escrow=False,
        acknowledges=False, faces=_COINS,
    ),
    _of(
        "cctalk-coin", *_CRC, "--echo", called="cctalk-coin, crc16, echo", certain=False, escrow=False,
        acknowledges=False, faces=_COINS, options={"checksum": "crc16", "echo": "yes"},
    ),
)  # fmt: skip
"""Other kinds of the same devices. The suite runs a few things with them (``test_variants.py``), and everything with
``--subject tests.conformance.subject:VARIANTS``.
"""
