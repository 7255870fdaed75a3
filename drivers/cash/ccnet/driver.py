"""The thin input and output around :mod:`drivers.cash.ccnet.machine`."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from drivers.api import (
    Answered,
    CashCommand,
    CashEvent,
    Cleared,
    DeviceConfig,
    DeviceState,
    DeviceStatus,
    Lost,
    Ready,
    SelfTestStep,
    Trouble,
)
from drivers.cash.ccnet.machine import Machine, Timing
from drivers.cash.steps import Acknowledge, Do, Emit, Input, Proceed, Received, Tick
from drivers.context import DriverContext
from drivers.errors import ConfigurationError, TransportError
from drivers.transport.api import ByteTransport

_STARTING = DeviceStatus(DeviceState.STARTING)
# A box that is nearly in order still takes notes; these do not.
_PASSING_TROUBLE = frozenset({"cheated", "pause"})


def open_device(config: DeviceConfig, context: DriverContext) -> CcnetValidator:
    """The validator at ``config.address``. Option ``poll_ms``: milliseconds between polls, 5 to 1000."""
    text = config.options.get("poll_ms", "200")
    if not text.isdecimal() or not 5 <= int(text) <= 1000:
        raise ConfigurationError(config.name, "bad-option", f"poll_ms {text!r}: 5 to 1000")
    return CcnetValidator(config, context, replace(Timing(), poll=int(text) / 1000))


@dataclass(slots=True)
class _Connection:
    machine: Machine
    transport: ByteTransport


class CcnetValidator:
    """A :class:`drivers.api.CashModule`: one validator on one line."""

    def __init__(self, config: DeviceConfig, context: DriverContext, timing: Timing) -> None:
        self._config = config
        self._context = context
        self._timing = timing
        self._handlers: list[Callable[[CashEvent], None]] = []
        self._inputs: deque[Input] = deque()
        self._draining = False
        self._connection: _Connection | None = None
        self._moved = asyncio.Event()
        self._status: DeviceStatus = _STARTING

    # --- what the terminal calls ------------------------------------------------------------------------------------

    @property
    def status(self) -> DeviceStatus:
        """How the validator is now."""
        return self._status

    def subscribe(self, handler: Callable[[CashEvent], None]) -> None:
        """``handler`` is called for every event, before the device is answered."""
        self._handlers.append(handler)

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

    # --- owning the device ------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Talk to the validator until cancelled; raises :class:`drivers.errors.TransportError` when the line goes."""
        self._status = _STARTING
        try:
            transport = await self._context.open_transport(self._config.address)
        except TransportError as error:
            self._status = DeviceStatus(DeviceState.ABSENT, error.code)
            raise
        self._connection = _Connection(Machine(self._timing), transport)
        self._inputs.clear()
        lost: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(transport))
                tasks.create_task(self._keep_time())
        except* TransportError as group:
            lost = group.exceptions[0]
        finally:
            self._connection = None
            transport.close()
        if lost is not None:  # Raised out here: from inside except* some versions of Python wrap it in a group again.
            raise self._hung_up(lost) from lost

    def _hung_up(self, error: BaseException) -> TransportError:
        code = error.code if isinstance(error, TransportError) else "hung-up"
        self._status = DeviceStatus(DeviceState.ABSENT, code, self._status.identity)
        self._tell(Lost(code))
        return TransportError(self._config.name, code, self._config.address, money_at_risk=True)

    async def _read(self, transport: ByteTransport) -> None:
        while True:
            self._put(Received(await transport.read()))

    async def _keep_time(self) -> None:
        """Gives the machine its ticks: at its deadline, or at once when an input has moved the deadline."""
        self._put(Tick())
        while self._connection is not None:
            deadline = self._connection.machine.deadline
            self._moved.clear()
            try:
                async with asyncio.timeout(None if deadline is None else max(0, deadline - self._context.monotonic())):
                    await self._moved.wait()
            except TimeoutError:
                self._put(Tick())

    def _put(self, happened: Input) -> None:
        """Run the machine. An event's handler may put more; that is done after what the event came with."""
        if self._connection is None:
            return
        self._inputs.append(happened)
        if self._draining:
            return
        self._draining = True
        try:
            while self._inputs and (connection := self._connection):
                self._carry_out(connection, self._inputs.popleft())
        finally:
            self._draining = False
            self._moved.set()

    def _carry_out(self, connection: _Connection, happened: Input) -> None:
        for output in connection.machine.step(happened, self._context.monotonic()):
            if isinstance(output, Emit):
                self._note_status(output.event)
                self._tell(output.event)
            else:
                connection.transport.write(output.data)

    def _tell(self, event: CashEvent) -> None:
        for handler in self._handlers:
            handler(event)

    def _note_status(self, event: CashEvent) -> None:
        status = self._status
        match event:
            case Ready(identity, _, _, counter):
                counters = {} if counter is None else {"stacked": counter}
                self._status = DeviceStatus(DeviceState.READY, "", identity, counters)
            case Cleared(counter, _) if counter is not None:
                self._status = replace(status, counters={**status.counters, "stacked": counter})
            case Trouble(code, over) if code not in _PASSING_TROUBLE:
                state = DeviceState.READY if over else DeviceState.FAULT
                self._status = replace(status, state=state, fault="" if over else code)
            case Lost(code):
                self._status = replace(status, state=DeviceState.ABSENT, fault=code)
            case Answered():
                self._status = replace(status, state=DeviceState.STARTING, fault="")
            case _:
                pass
