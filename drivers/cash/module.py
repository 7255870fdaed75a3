"""The thin input and output around a cash protocol's machine: the same for all of them."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import cast

from drivers.api.cash import (
    Answered,
    BoxState,
    CashCapabilities,
    CashCommand,
    CashEvent,
    CashStorage,
    Cleared,
    Completed,
    LastMark,
    Lost,
    Ready,
    Refusal,
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
from drivers.errors import ConfigurationError, DeviceError, TransportError
from drivers.transport.api import ByteTransport
from drivers.transport.listen import listen
from drivers.transport.recorder import StepWitness

_TICK = Tick()
_STARTING = DeviceStatus(DeviceState.STARTING)
_ENTROPY_BYTES = 64
CRASHED = "crashed"
"""The code of :class:`drivers.api.cash.Lost` where a defect of this program ended it: the device may be well."""


def poll_seconds(config: DeviceConfig, default_ms: int) -> float:
    """Option ``poll_ms``, milliseconds between polls, 5 to 1000, in seconds. Raises
    :class:`drivers.errors.ConfigurationError`.
    """
    text = config.options.get("poll_ms", str(default_ms))
    if re.fullmatch("[0-9]{1,4}", text) is None or not 5 <= int(text) <= 1000:
        raise ConfigurationError(config.name, "bad-option", f"poll_ms {text[:20]!r}: 5 to 1000")
    return int(text) / 1000


@dataclass(slots=True)
class _Connection:
    """``failed``: with what ended it, other than the line. ``posted``: commands that are not completed yet."""

    machine: CashMachine
    transport: ByteTransport
    witness: StepWitness | None
    alarm: Alarm
    failed: asyncio.Future[BaseException]
    posted: list[CashCommand] = field(default_factory=list[CashCommand])


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
        self._post(CashCommand.ENABLE)

    def disable(self) -> None:
        """Take no further note."""
        self._post(CashCommand.DISABLE)

    def stack(self) -> None:
        """Move the escrowed note to the box."""
        self._post(CashCommand.STACK)

    def return_note(self) -> None:
        """Give the escrowed note back."""
        self._post(CashCommand.RETURN)

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
        """Talk to the device until cancelled. Raises :class:`drivers.errors.TransportError` when the line goes;
        anything else is a defect. Unless it was cancelled, every command is completed then, and ``Lost`` is told.
        """
        self._status = _STARTING
        try:
            transport = await self._context.open_transport(self._config.address)
        except Exception as error:
            self._note(Lost(error.code if isinstance(error, DeviceError) else CRASHED))
            raise
        witness = transport if isinstance(transport, StepWitness) else None
        alarm = Alarm(self._context.monotonic, self._tick)
        failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        connection = self._connection = _Connection(self._make_machine(), transport, witness, alarm, failed)
        self._inputs.clear()
        ended = await self._talk(connection)
        line = _only_the_line(ended)
        if line is None:
            raise self._end(connection, CRASHED, ended)
        hung_up = TransportError(self._config.name, line.code, self._config.address, money_at_risk=True)
        raise self._end(connection, line.code, hung_up) from line

    async def _talk(self, connection: _Connection) -> BaseException:
        """Until it ends; the answer is why. An error raised inside ``except*`` some versions of Python wrap anew."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._put(Opened(self._context.random_bytes(_ENTROPY_BYTES)))
                self._tick()
                tasks.create_task(listen(connection.transport, self._receive))
                raise await connection.failed
        except BaseExceptionGroup as group:
            return group
        except asyncio.CancelledError:
            if connection.failed.cancelled() or not connection.failed.done():
                raise
            return connection.failed.result()  # A handler's own, perhaps, and nobody's order.
        finally:
            self._connection = None
            connection.alarm.stop()
            connection.transport.close()

    def _end(self, connection: _Connection, code: str, first: BaseException) -> BaseException:
        """What :meth:`run` raises. Everybody is told, also by handlers of which one has just failed; what these raise
        now stands beside ``first`` and never in its place.
        """
        self._note(Lost(code))
        errors: list[BaseException] = [first]
        for event in (*(Completed(command, Refusal.LOST) for command in connection.posted), Lost(code)):
            for handler in self._handlers:
                try:
                    handler(event)
                except Exception as error:
                    errors.append(error)
        if len(errors) == 1:
            return first
        return BaseExceptionGroup("the device's task ended, and handlers failed when they were told so", errors)

    def _tick(self) -> None:
        self._put(_TICK)

    def _receive(self, data: bytes) -> None:
        self._put(Received(data))

    def _post(self, command: CashCommand) -> None:
        if self._connection is not None:
            self._connection.posted.append(command)
            self._put(Do(command))

    def _put(self, happened: Input) -> None:
        """Run the machine. An event's handler may put more; that is done after what the event came with. An error, of a
        handler for one, ends :meth:`run`, whoever called, and from then on nothing goes to the device any more: what it
        was told is perhaps not on record.
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
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            if connection.failed.done():  # The handler has cancelled the task before it failed.
                raise
            connection.failed.set_result(error)
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
            case Completed(command) if self._connection is not None and command in self._connection.posted:
                self._connection.posted.remove(command)
            case Lost(code):
                state = DeviceState.FAULT if code == CRASHED else DeviceState.ABSENT
                self._status = replace(status, state=state, fault=code)
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


def _only_the_line(ended: BaseException) -> TransportError | None:
    """What the line said, where nothing else went wrong."""
    if isinstance(ended, ExceptionGroup):
        errors = [_only_the_line(each) for each in cast("ExceptionGroup[Exception]", ended).exceptions]
        return errors[0] if all(errors) else None
    return ended if isinstance(ended, TransportError) else None


def _nothing_remembered(_: object) -> None:
    return None
