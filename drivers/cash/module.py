"""The thin input and output around a cash protocol's machine: the same for all of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NoReturn

from drivers.api.cash import (
    Answered,
    BoxState,
    CashCapabilities,
    CashCommand,
    CashEvent,
    CashStorage,
    Cleared,
    LastMark,
    Lost,
    Ready,
    Trouble,
    TroubleKind,
)
from drivers.api.device import DeviceConfig, DeviceState, DeviceStatus, SelfTestStep
from drivers.cash.alarm import Alarm
from drivers.cash.replay import step_text
from drivers.cash.steps import (
    Acknowledge,
    CashMachine,
    Do,
    Emit,
    Input,
    Opened,
    Proceed,
    Recall,
    Recalled,
    Received,
    Send,
    Tick,
)
from drivers.context import DriverContext
from drivers.errors import ConfigurationError, TransportError
from drivers.transport.api import ByteTransport
from drivers.transport.listen import listen
from drivers.transport.recorder import StepWitness

_TICK = Tick()
_STARTING = DeviceStatus(DeviceState.STARTING)
_ENTROPY_BYTES = 64


def poll_seconds(config: DeviceConfig, default_ms: int) -> float:
    """Option ``poll_ms``, milliseconds between polls, 5 to 1000, in seconds. Raises
    :class:`drivers.errors.ConfigurationError`.
    """
    text = config.options.get("poll_ms", str(default_ms))
    if not text.isdecimal() or not 5 <= int(text) <= 1000:
        raise ConfigurationError(config.name, "bad-option", f"poll_ms {text!r}: 5 to 1000")
    return int(text) / 1000


@dataclass(slots=True)
class _Connection:
    machine: CashMachine
    transport: ByteTransport
    witness: StepWitness | None
    alarm: Alarm
    failed: asyncio.Future[NoReturn]


class CashDevice:
    """A :class:`drivers.api.cash.CashModule`: one device on one line. ``make_machine`` gives a new one a connection."""

    def __init__(self, config: DeviceConfig, context: DriverContext, make_machine: Callable[[], CashMachine]) -> None:
        self._config = config
        self._context = context
        self._make_machine = make_machine
        self._capabilities = make_machine().capabilities
        self._handlers: list[Callable[[CashEvent], None]] = []
        self._last_mark: LastMark = _nothing_remembered
        self._inputs: deque[Input] = deque()
        self._draining = False
        self._connection: _Connection | None = None
        self._status: DeviceStatus = _STARTING
        self._box = BoxState.UNKNOWN

    # --- what the terminal calls ------------------------------------------------------------------------------------

    @property
    def status(self) -> DeviceStatus:
        """How the device is now."""
        return self._status

    @property
    def capabilities(self) -> CashCapabilities:
        """What it can do."""
        return self._connection.machine.capabilities if self._connection is not None else self._capabilities

    @property
    def storage(self) -> CashStorage:
        """Its cash box, as far as it has said."""
        return CashStorage(self._box, self._status.counters.get("stacked"))

    def subscribe(self, handler: Callable[[CashEvent], None]) -> None:
        """``handler`` is called for every event, before the device is answered."""
        self._handlers.append(handler)

    def remember_by(self, last_mark: LastMark) -> None:
        """Where a device's marks are kept."""
        self._last_mark = last_mark

    def proceed(self) -> None:
        """The first answer is on record."""
        self._put(Proceed())

    def enable(self) -> None:
        """Take the next note into escrow."""
        self._put(Do(CashCommand.ENABLE))

    def disable(self) -> None:
        """Take no further note."""
        self._put(Do(CashCommand.DISABLE))

    def stack(self) -> None:
        """Move the escrowed note to the box."""
        self._put(Do(CashCommand.STACK))

    def return_note(self) -> None:
        """Give the escrowed note back."""
        self._put(Do(CashCommand.RETURN))

    def acknowledge(self) -> None:
        """The held event is on record."""
        self._put(Acknowledge())

    async def self_test(self) -> tuple[SelfTestStep, ...]:
        """What the connection has shown so far; nothing is moved."""
        status = self._status
        name = f"{status.identity.model} {status.identity.serial}" if status.identity is not None else "not yet"
        return (
            SelfTestStep("connected", self._connection is not None, self._config.address),
            SelfTestStep("identified", status.identity is not None, name),
            SelfTestStep("no fault", not status.fault, status.fault or "none"),
            SelfTestStep("counter", "stacked" in status.counters, str(status.counters.get("stacked", "not supported"))),
        )

    def new_machine(self) -> CashMachine:
        """A machine as each connection gets one: to replay a recording of this device with."""
        return self._make_machine()

    # --- owning the device ------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Talk to the device until cancelled; raises :class:`drivers.errors.TransportError` when the line goes."""
        self._status = _STARTING
        try:
            transport = await self._context.open_transport(self._config.address)
        except TransportError as error:
            self._status = DeviceStatus(DeviceState.ABSENT, error.code)
            raise
        witness = transport if isinstance(transport, StepWitness) else None
        alarm = Alarm(self._context.monotonic, self._tick)
        failed: asyncio.Future[NoReturn] = asyncio.get_running_loop().create_future()
        self._connection = _Connection(self._make_machine(), transport, witness, alarm, failed)
        self._inputs.clear()
        lost: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                self._put(Opened(self._context.random_bytes(_ENTROPY_BYTES)))
                self._tick()
                tasks.create_task(listen(transport, self._receive))
                await failed
        except* TransportError as group:
            lost = group.exceptions[0]
        finally:
            self._connection = None
            alarm.stop()
            transport.close()
        if lost is not None:  # Raised out here: from inside except* some versions of Python wrap it in a group again.
            raise self._hung_up(lost) from lost

    def _hung_up(self, error: BaseException) -> TransportError:
        code = error.code if isinstance(error, TransportError) else "hung-up"
        self._status = DeviceStatus(DeviceState.ABSENT, code, self._status.identity)
        self._tell(Lost(code))
        return TransportError(self._config.name, code, self._config.address, money_at_risk=True)

    def _tick(self) -> None:
        self._happens(_TICK)

    def _receive(self, data: bytes) -> None:
        self._happens(Received(data))

    def _happens(self, happened: Input) -> None:
        """For what the loop calls: an error, of a handler for one, ends :meth:`run`."""
        connection = self._connection
        if connection is None:
            return
        try:
            self._put(happened)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            connection.failed.set_exception(error)

    def _put(self, happened: Input) -> None:
        """Run the machine. An event's handler may put more; that is done after what the event came with. Once one has
        failed, nothing goes to the device any more: what it was told is perhaps not on record.
        """
        connection = self._connection
        if connection is None or connection.failed.done():
            return
        self._inputs.append(happened)
        if self._draining:
            return
        self._draining = True
        try:
            while self._inputs:
                self._carry_out(connection, self._inputs.popleft())
        finally:
            self._draining = False
            connection.alarm.set(connection.machine.deadline)

    def _carry_out(self, connection: _Connection, happened: Input) -> None:
        now = self._context.monotonic()
        if connection.witness is not None:
            connection.witness.step(now, step_text(happened))
        for output in connection.machine.step(happened, now):
            match output:
                case Emit(event):
                    self._note(event)
                    self._tell(event)
                case Send(data):
                    connection.transport.write(data)
                case Recall(serial):
                    # Answered before anything that the events of this step have led to.
                    self._inputs.appendleft(Recalled(self._last_mark(serial)))

    def _tell(self, event: CashEvent) -> None:
        for handler in self._handlers:
            handler(event)

    def _note(self, event: CashEvent) -> None:
        status = self._status
        match event:
            case Ready(identity, _, _, counter):
                counters = {} if counter is None else {"stacked": counter}
                self._status = DeviceStatus(DeviceState.READY, "", identity, counters)
                self._box = BoxState.IN
            case Cleared(counter, _) if counter is not None:
                self._status = replace(status, counters={**status.counters, "stacked": counter})
            case Trouble(kind, _, over) if kind.stops_acceptance:
                state = DeviceState.STARTING if over else DeviceState.FAULT
                self._status = replace(status, state=state, fault="" if over else event.code)
                self._box = _box_after(kind, over=over) or self._box
            case Lost(code):
                self._status = replace(status, state=DeviceState.ABSENT, fault=code)
                self._box = BoxState.UNKNOWN
            case Answered():
                self._status = replace(status, state=DeviceState.STARTING, fault="")
            case _:
                pass


def _box_after(kind: TroubleKind, *, over: bool) -> BoxState | None:
    match kind:
        case TroubleKind.BOX_FULL | TroubleKind.BOX_REMOVED if over:
            return BoxState.IN
        case TroubleKind.BOX_FULL:
            return BoxState.FULL
        case TroubleKind.BOX_REMOVED:
            return BoxState.REMOVED
        case _:
            return None


def _nothing_remembered(_: object) -> None:
    return None
