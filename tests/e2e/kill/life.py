"""A nursery of terminals: one process that has everything imported and forks a life at a time.

A life is the real terminal: its journal, its link over mTLS, its CCNET driver on a pty, its sessions and flows. Only
the card, the PIN pad and the customer are of the test, and what the host would say to the PIN. It talks to the test by
lines of JSON: it says when it has recovered and waits for ``go`` or ``stop``.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import cast

import grpc

from drivers.api.card import Card, CardEvent, CardInserted, CardRemoved, Pan
from drivers.api.device import Device, DeviceConfig, DeviceState, DeviceStatus, SelfTestStep
from drivers.api.document import Document
from drivers.api.pinpad import PinBlock
from drivers.api.printer import Paper, PrinterState
from drivers.context import DriverContext
from drivers.registry import open_device
from guichet.v1 import customer_pb2
from guichet.v1 import screen_pb2 as screen
from guichet.v1.screen_pb2_grpc import ScreenStub
from kiosk.journal.folds import NotePhase
from kiosk.terminal.config import load_config
from kiosk.terminal.main import Terminal
from kiosk.terminal.queries import CustomerQueries
from kiosk.terminal.seams import Seams
from tests.e2e.kill.gates import Gate, gated_journal, gated_link, gated_transports

NOTES = ("20 EUR", "20 USD", "50 EUR")
ACCOUNT = "test-account"


class TestCardReader:
    """A reader with a card that the test puts in and takes out."""

    status = DeviceStatus(DeviceState.READY)

    def __init__(self) -> None:
        self.card_inside = False
        self._handlers: list[Callable[[CardEvent], None]] = []

    def subscribe(self, handler: Callable[[CardEvent], None]) -> None:
        self._handlers.append(handler)

    def put(self, *, inside: bool) -> None:
        self.card_inside = inside
        for handler in self._handlers:
            handler(CardInserted() if inside else CardRemoved())

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def self_test(self) -> tuple[SelfTestStep, ...]:
        return ()

    async def read(self) -> Card:
        pan = Pan(b"4761739001010010")
        return Card(pan, pan.masked, "9912", "TEST")


class TestPinPad:
    """A pad on which someone has typed already."""

    status = DeviceStatus(DeviceState.READY)

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def self_test(self) -> tuple[SelfTestStep, ...]:
        return ()

    async def enter_pin(self, pan: Pan, on_digits: Callable[[int], None]) -> PinBlock:
        return PinBlock(bytes(16), bytes(12))


class TestPrinter:
    """A printer that is out of paper, so that the customer is asked whether to go on."""

    status = DeviceStatus(DeviceState.FAULT, "paper-out")

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def self_test(self) -> tuple[SelfTestStep, ...]:
        return ()

    async def state(self) -> PrinterState:
        return PrinterState(online=True, paper=Paper.OUT, cover_open=False)

    async def print(self, document: Document) -> None:
        raise AssertionError(f"nobody prints {document.title} without paper")


class Answers:
    """The host's answer to the PIN, given here; the account is a real one of the host's."""

    def __init__(self, account_id: str) -> None:
        self._account_id = account_id

    async def Authenticate(
        self, request: customer_pb2.AuthenticateRequest, timeout: float
    ) -> customer_pb2.AuthenticateResponse:
        account = customer_pb2.Account(
            account_id=self._account_id, masked_number="**** 0001", currency="EUR", takes_deposits=True
        )
        customer = customer_pb2.Customer(session_token="-", display_name="Test", accounts=[account])
        return customer_pb2.AuthenticateResponse(customer=customer)


class Customer:
    """Touches what a customer would, over the screen's own contract, and puts in the notes one after another."""

    def __init__(self, cash: Path) -> None:
        self._cash = cash
        self._notes = list(NOTES)
        self._deposited = False
        self._touches: asyncio.Queue[screen.AttachRequest] = asyncio.Queue()
        self.finished = asyncio.Event()

    async def attend(self, socket: Path) -> None:
        async with grpc.aio.insecure_channel(f"unix:{socket}") as channel:
            async for response in ScreenStub(channel).Attach(self._events()):
                await self._see(response.view)

    async def _events(self) -> AsyncIterator[screen.AttachRequest]:
        while True:
            yield await self._touches.get()

    def _touch(self, view: screen.View, control: str) -> None:
        touched = screen.Touched(view_id=view.view_id, control=control)
        self._touches.put_nowait(screen.AttachRequest(touched=touched))

    async def _see(self, view: screen.View) -> None:
        match view.WhichOneof("content"):
            case "menu":
                self._touch(view, "finish" if self._deposited else "deposit")
                self._deposited = True
            case "notice":
                self._touch(view, view.notice.controls[0])
            case "deposit" if view.deposit.stage in (
                screen.DEPOSIT_STAGE_INSERT_FIRST,
                screen.DEPOSIT_STAGE_INSERT_MORE,
            ):
                await self._insert_or_finish(view)
            case "deposit_result":
                self._touch(view, "done")
            case "goodbye":
                self.finished.set()
            case _:
                pass

    async def _insert_or_finish(self, view: screen.View) -> None:
        if not self._notes:
            self._touch(view, "finish")
            return
        reader, writer = await asyncio.open_unix_connection(self._cash)
        writer.write(f"insert {self._notes[0]}\n".encode())
        answer = await reader.readline()
        writer.close()
        if answer.startswith(b"ok"):
            self._notes.pop(0)


async def live(order: dict[str, str]) -> None:
    gate = Gate(order["kill_at"], armed=order["from_the_start"] == "yes")
    config = load_config(Path(order["config"]))
    card = TestCardReader()

    def open_one(device: DeviceConfig, context: DriverContext) -> Device:
        match device.name:
            case "cash":
                return open_device(device, context)
            case "card":
                return card
            case "pinpad":
                return TestPinPad()
            case _:
                return TestPrinter()

    class Link(gated_link(gate)):
        @property
        def queries(self) -> CustomerQueries:
            return cast("CustomerQueries", Answers(order["account"]))

    seams = Seams(
        open_transport=gated_transports(gate),
        open_journal=gated_journal(gate),
        make_link=Link,
        open_device=open_one,
    )
    terminal = Terminal(config, seams)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(terminal.run())
        tasks.create_task(_perform(terminal, gate, card, order, serving))


async def _perform(
    terminal: Terminal, gate: Gate, card: TestCardReader, order: dict[str, str], serving: asyncio.Task[None]
) -> None:
    await _recovered(terminal, session=order["session"] == "yes")
    gate.armed = False  # What comes from here on is no recovery any more.
    fold = terminal.journal.fold
    in_box = fold.box_counts().elements()
    credited = sorted(str(value) for _, value, kind in in_box if kind is NotePhase.CLEARED)
    doubtful = sorted(str(note.value) for note in fold.in_doubt)
    found = {"credited": credited, "in_doubt": doubtful, "open": fold.open_note is not None}
    say({"recovered": {**found, "passed": list(gate.passed)}})
    if (await asyncio.to_thread(hear))["then"] == "go":
        gate.armed = True
        customer = Customer(Path(order["cash"]))
        attending = asyncio.create_task(customer.attend(terminal.parts.config.socket))
        card.put(inside=True)
        await customer.finished.wait()
        card.put(inside=False)
        await _recovered(terminal, session=True)
        gate.armed = False
        attending.cancel()
        say({"passed": list(gate.passed)})
    os.kill(os.getpid(), signal.SIGTERM)
    await serving


async def _recovered(terminal: Terminal, *, session: bool) -> None:
    """Everything of an earlier life is decided, closed and settled; with a ``session``, also replicated."""
    parts, journal = terminal.parts, terminal.journal

    def at_rest() -> bool:
        held = parts.replicator.held_place == (journal.epoch, journal.last.sequence if journal.last else 0)
        decided = parts.desk.view.ready and journal.fold.open_deposit is None and not journal.fold.outbox
        return parts.link.connected is session and held is session and decided and not terminal.sessions.open

    async with asyncio.timeout(30):
        while not at_rest():  # noqa: ASYNC110  It looks into five rooms at once, and none of them tells of all.
            await asyncio.sleep(0.005)


def say(message: dict[str, object]) -> None:
    os.write(1, json.dumps(message).encode() + b"\n")


def hear() -> dict[str, str]:
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            os._exit(0)
        line += byte
    return cast("dict[str, str]", json.loads(line))


def main() -> None:
    while True:
        order = hear()
        child = os.fork()
        if child == 0:
            asyncio.run(live(order))
            sys.stderr.flush()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        say({"ended": -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)})


if __name__ == "__main__":
    main()
