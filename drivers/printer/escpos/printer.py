"""A receipt printer that speaks ESC/POS, on a serial port, a USB-serial port or TCP.

:func:`open_device` is the driver's entry point. :meth:`EscposPrinter.run` owns the line; printing and questions take
turns on it. Whether a document came out is never concluded from having sent it: the printer says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from drivers.api.device import DeviceConfig, DeviceIdentity, DeviceState, DeviceStatus, SelfTestStep
from drivers.api.document import Document
from drivers.api.printer import Paper, PrinterState
from drivers.context import DriverContext
from drivers.errors import DeviceError, DeviceFault, NoAnswer, Refused, TransportError
from drivers.printer.escpos.exchange import Exchange
from drivers.printer.escpos.layout import LayoutError
from drivers.printer.escpos.options import Completion, Options, read_options
from drivers.printer.escpos.render import blank_strip, render
from drivers.printer.escpos.selftest import steps
from drivers.printer.escpos.status import (
    INITIALISE,
    NO_AUTOMATIC_STATUS,
    TRANSMIT_PAPER_STATUS,
    Fact,
    obstacle,
    process_id_request,
)
from guichet.ids import DeviceSerial

_ANSWER_SECONDS = 0.8
"""For the four status bytes of an idle printer: they come in milliseconds."""
_STATE_SECONDS = 0.95
_BUSY_ANSWER_SECONDS = 5.0
"""The same while printing: the question waits on the line behind the document."""
_STALL_SECONDS = 5.0
_PRINT_SECONDS = 60.0
_LOOK_SECONDS = 0.25
_IDENTITY_SECONDS = 0.5
_CLEAR_SECONDS = 0.5
_CHUNK = 1024
_MISSES = 2

_SIMULATED = "GUICHET SIMULATED"
_TOLERANT_MAKERS = frozenset({"EPSON", "GUICHET"})


def open_device(config: DeviceConfig, context: DriverContext) -> EscposPrinter:
    """The printer at ``config.address``; nothing is opened before :meth:`EscposPrinter.run`. Options: see
    :func:`drivers.printer.escpos.options.read_options`. Raises :class:`drivers.errors.ConfigurationError`.
    """
    return EscposPrinter(config, read_options(config), context)


class EscposPrinter:
    """A :class:`drivers.api.printer.ReceiptPrinter`."""

    def __init__(self, config: DeviceConfig, options: Options, context: DriverContext) -> None:
        self._name = config.name
        self._address = config.address
        self._options = options
        self._context = context
        self._turn = asyncio.Lock()
        self._wake = asyncio.Event()
        self._exchange: Exchange | None = None
        self._lost: DeviceError | None = None
        self._state: PrinterState | None = None
        self._absence = ""
        self._identity: DeviceIdentity | None = None
        self._identified = False
        self._process_ids = options.completion is Completion.PROCESS_ID
        self._printing = False
        self._dirty = False
        self._torn = False
        self._documents = 0

    # --- the device ---------------------------------------------------------------------------------------------------

    @property
    def status(self) -> DeviceStatus:
        """How it is now, by the last answer. A printer low on paper is a warning."""
        state, fault = self._condition()
        return DeviceStatus(state, fault, self._identity, {"documents": self._documents})

    def _condition(self) -> tuple[DeviceState, str]:
        if self._absence:
            return DeviceState.ABSENT, self._absence
        if self._state is None:
            return DeviceState.STARTING, ""
        if fault := obstacle(self._state):
            return DeviceState.FAULT, fault
        if self._state.paper is Paper.NEAR_END:
            return DeviceState.WARNING, "paper-near-end"
        return DeviceState.READY, ""

    async def run(self) -> None:
        """Open the line, look at the printer every few seconds.

        Raises :class:`drivers.errors.DeviceError` when the line or the printer is lost; run it again to have it back.
        """
        self._lost, self._state, self._absence = None, None, ""
        try:
            transport = await self._context.open_transport(self._address)
            try:
                await self._own(Exchange(self._name, transport))
            finally:
                self._exchange = None
                transport.close()
        except DeviceError as error:
            self._absence = error.code
            raise

    async def _own(self, exchange: Exchange) -> None:
        await self._greet(exchange)
        self._exchange = exchange
        misses = 0
        while True:
            try:
                async with self._turn:
                    await self._look(exchange)
                misses = 0
            except NoAnswer:
                misses += 1
                if misses == _MISSES:
                    raise
            await self._rest()
            if self._lost is not None:
                raise self._lost

    async def _greet(self, exchange: Exchange) -> None:
        """What an earlier life of this process left in the printer must not come out in front of the next customer."""
        await exchange.clear(_CLEAR_SECONDS)
        await exchange.send(INITIALISE + NO_AUTOMATIC_STATUS, _STALL_SECONDS)
        self._state = await exchange.status(_ANSWER_SECONDS)
        self._identified = False

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(self._options.poll_seconds):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def _look(self, exchange: Exchange) -> None:
        """One look at the idle printer, and what could not be done before: identify it, clear away a torn document."""
        self._state = await exchange.status(_ANSWER_SECONDS)
        await self._tidy(exchange)
        if self._state.can_print and not self._identified:
            await self._identify(exchange)

    async def _tidy(self, exchange: Exchange) -> None:
        if self._dirty:
            await exchange.clear(_CLEAR_SECONDS)
            self._dirty = False
        if self._torn and self._state is not None and self._state.can_print:
            await exchange.send(blank_strip(self._options.paper), _STALL_SECONDS)
            self._torn = False

    # --- identity -----------------------------------------------------------------------------------------------------

    async def _identify(self, exchange: Exchange) -> None:
        """Ask who it is; a printer that keeps silent to the first question is not asked the others."""
        self._identified = True
        model = await self._fact(exchange, Fact.MODEL)
        maker, firmware, serial = "", "", ""
        if model:
            maker = await self._fact(exchange, Fact.MAKER)
            firmware = await self._fact(exchange, Fact.FIRMWARE)
            serial = await self._fact(exchange, Fact.SERIAL)
        name = model if not maker or model.startswith(maker) else f"{maker} {model}"
        simulated = model.startswith(_SIMULATED)
        self._identity = DeviceIdentity("escpos", name or "ESC/POS", DeviceSerial(serial), firmware, simulated)
        if self._options.completion is Completion.AUTO:
            self._process_ids = maker in _TOLERANT_MAKERS and await exchange.knows_process_ids(_IDENTITY_SECONDS)

    async def _fact(self, exchange: Exchange, fact: Fact) -> str:
        try:
            return await exchange.identify(fact, _IDENTITY_SECONDS)
        except NoAnswer:
            return ""

    # --- what it is for -----------------------------------------------------------------------------------------------

    async def state(self) -> PrinterState:
        """Ask the printer now; while it prints, what it answered a moment ago. Raises :class:`drivers.errors.NoAnswer`
        within a second, and :class:`drivers.errors.TransportError` where no line is open.
        """
        exchange = self._open_exchange()
        if self._printing and self._state is not None:
            return self._state
        try:
            async with asyncio.timeout(_STATE_SECONDS), self._turn:
                self._state = await exchange.status(_ANSWER_SECONDS)
                return self._state
        except TimeoutError as error:
            if self._printing and self._state is not None:
                return self._state
            raise NoAnswer(self._name, "no-answer", "the line was busy for a second") from error

    async def print(self, document: Document) -> None:
        """Print and cut. Raises :class:`drivers.errors.DeviceFault` (``paper-out``, ``cover-open``, ``offline``,
        ``cutter``, ``overheated``, ``mechanical``, ``unrecoverable``), :class:`drivers.errors.NoAnswer`,
        :class:`drivers.errors.TransportError`: then what came out, if anything, is not a whole document. Raises
        :class:`drivers.errors.Refused` for a document that no paper holds.
        """
        try:
            parts = render(document, self._options.paper)
        except LayoutError as error:
            raise Refused(self._name, "unprintable", str(error)) from error
        async with self._turn:
            exchange = self._open_exchange()
            self._state = await exchange.status(_ANSWER_SECONDS)
            self._stop_for(obstacle(self._state))
            await self._tidy(exchange)
            await self._deliver(exchange, parts)
        self._documents += 1

    async def _deliver(self, exchange: Exchange, parts: tuple[bytes, ...]) -> None:
        self._printing = self._dirty = self._torn = True
        try:
            await self._send_and_wait(exchange, parts)
        except (NoAnswer, TransportError) as error:
            self._lost = error
            raise
        finally:
            self._printing = False
            self._wake.set()

    async def _send_and_wait(self, exchange: Exchange, parts: tuple[bytes, ...]) -> None:
        try:
            await self._send(exchange, parts)
            await self._until_done(exchange)
            self._dirty = self._torn = False
        except DeviceFault as error:
            # Whoever puts in a new roll takes the torn strip out with the old one.
            self._torn = error.code != "paper-out"
            await self._tidy(exchange)
            raise

    async def _send(self, exchange: Exchange, parts: tuple[bytes, ...]) -> None:
        """The document in pieces, the printer looked at between them; then the question whose answer ends it.

        A printer takes a question in the middle of a command for the command's parameters, too, so there is none.
        """
        for piece in _pieces(parts):
            for start in range(0, len(piece), _CHUNK):
                await exchange.send(piece[start : start + _CHUNK], _STALL_SECONDS)
            self._state = await exchange.status(_BUSY_ANSWER_SECONDS)
            self._stop_for(obstacle(self._state), waiting_helps=True)
        process_id = _process_id(self._context.random_bytes) if self._process_ids else None
        exchange.expect_done(process_id)
        question = TRANSMIT_PAPER_STATUS if process_id is None else process_id_request(process_id)
        await exchange.send(question, _STALL_SECONDS)

    async def _until_done(self, exchange: Exchange) -> None:
        deadline = self._context.monotonic() + _PRINT_SECONDS
        while not await exchange.wait_done(_LOOK_SECONDS):
            self._state = await exchange.status(_BUSY_ANSWER_SECONDS)
            if exchange.done:
                break
            self._stop_for(obstacle(self._state), waiting_helps=True)
            if self._context.monotonic() > deadline:
                raise NoAnswer(self._name, "unfinished", f"not done within {_PRINT_SECONDS:g} s")
        self._state = await exchange.status(_BUSY_ANSWER_SECONDS)
        if self._state.fault and self._state.fault != "overheated":
            self._stop_for(self._state.fault)

    def _stop_for(self, fault: str, *, waiting_helps: bool = False) -> None:
        """``waiting_helps``: a hot head cools by itself and the printer goes on."""
        if fault and not (waiting_helps and fault == "overheated"):
            raise DeviceFault(self._name, fault)

    def _open_exchange(self) -> Exchange:
        if self._lost is not None:
            raise self._lost
        if self._exchange is None:
            raise TransportError(self._name, "closed", f"{self._address} is not open")
        return self._exchange

    async def self_test(self) -> tuple[SelfTestStep, ...]:
        """The line, the status bytes, paper, cover, faults, identity; nothing is printed."""
        try:
            state = await self.state()
        except DeviceError as error:
            return (SelfTestStep("answers", passed=False, detail=str(error)),)
        return steps(self._address, state, self._identity, process_ids=self._process_ids)


def _pieces(parts: tuple[bytes, ...]) -> Iterator[bytes]:
    """Whole parts, together as long as one chunk or a little more."""
    piece = b""
    for part in parts:
        piece += part
        if len(piece) >= _CHUNK:
            yield piece
            piece = b""
    if piece:
        yield piece


def _process_id(random_bytes: Callable[[int], bytes]) -> bytes:
    """Four printable characters that the last documents did not have."""
    return bytes(0x21 + byte % 0x5D for byte in random_bytes(4))
