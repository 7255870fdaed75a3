"""The four protocols side by side, for what every one of them must do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from drivers.cash.ccnet.messages import Command as Ccnet
from drivers.cash.cctalk.messages import Header
from drivers.cash.essp.messages import Command as Essp
from drivers.cash.id003.messages import Command as Id003
from drivers.simulation.notes import Vault
from tests.drivers.cash.bench import AnyBench
from tests.drivers.cash.ccnet import virtual as ccnet
from tests.drivers.cash.cctalk import virtual as cctalk
from tests.drivers.cash.essp import virtual as essp
from tests.drivers.cash.id003 import virtual as id003


@dataclass(frozen=True, slots=True)
class Protocol:
    """``make``: a new bench over paper. ``poll``: the command that asks for news. ``moves``: the commands and requests
    that move a note. ``noise``: what may stand before and after an answer, and looks like the beginning of one.
    ``rejects_unnamed``: its device takes no note of a type that its table does not name. ``says_the_same``: nothing new
    is the same bytes each time.
    """

    name: str
    make: Callable[[Vault], AnyBench]
    poll: object
    moves: frozenset[object]
    noise: tuple[bytes, bytes]
    rejects_unnamed: bool = False
    says_the_same: bool = True

    def bench(self, vault: Vault | None = None) -> AnyBench:
        """A new machine and a new device, over paper that may be there already."""
        return self.make(vault or Vault(None))

    def moved(self, bench: AnyBench) -> list[object]:
        """What was sent that moves a note."""
        return [sent.request for sent in bench.sent if {sent.request, sent.command} & self.moves]


PROTOCOLS = [
    pytest.param(protocol, id=protocol.name)
    for protocol in (
        Protocol(
            "ccnet", lambda vault: ccnet.Bench(ccnet.device(vault)), Ccnet.POLL,
            frozenset({Ccnet.STACK, Ccnet.RETURN}), (b"\x00\xff\x02", b"\x02\x03\x55"),
        ),
        Protocol(
            "id003", lambda vault: id003.Bench(id003.device(vault)), Id003.STATUS,
            frozenset({Id003.STACK_1, Id003.STACK_2, Id003.RETURN}), (b"\x00\xff\x02", b"\xfc\x06\x55"),
        ),
        Protocol(
            "essp", lambda vault: essp.Bench(essp.device(vault)), Essp.POLL_WITH_ACK,
            frozenset({Essp.REJECT}), (b"\x00\xff\x7f", b"\x7f\x80\x55"), rejects_unnamed=True, says_the_same=False,
        ),
        Protocol(
            "cctalk", lambda vault: cctalk.Bench(cctalk.device(vault)), Header.NOTE_EVENTS,
            frozenset({cctalk.STACK, cctalk.RETURN}), (b"\x00\xff\x28", b"\x01\x0b\x55"),
        ),
    )
]  # fmt: skip
