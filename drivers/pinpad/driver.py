"""The PIN pad's driver, ``epp``: the terminal's end of :mod:`drivers.pinpad.messages`.

Configuration: ``address`` is the serial port; option ``initial_key_file`` names the file that enrolment wrote for a
software pad, JSON ``{"key": 32 hex digits, "key_id": 16 hex digits}``. The key goes to a pad that has another one or
none, and only to one that says it is a program: hardware gets its keys under keys of its own, never in clear.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import cast

from drivers.api.card import Pan
from drivers.api.device import DeviceConfig, DeviceIdentity, DeviceState, DeviceStatus, SelfTestStep
from drivers.api.pinpad import PinBlock
from drivers.context import DriverContext
from drivers.errors import ConfigurationError, DeviceError, NoAnswer
from drivers.options import refuse_unknown
from drivers.pinpad import messages as m
from drivers.pinpad.line import PadLine
from drivers.transport.api import ByteTransport
from guichet.ids import DeviceSerial

_log = logging.getLogger(__name__)

ENTRY_SECONDS = 60
_HEARTBEAT_SECONDS = 2.0
_ENTRY_POLL_SECONDS = 0.5


def open_device(config: DeviceConfig, context: DriverContext) -> SerialPinPad:
    """The pad that ``config`` names. Raises :class:`drivers.errors.ConfigurationError` for options that it has not."""
    refuse_unknown(config, "initial_key_file")
    return SerialPinPad(config, context)


class SerialPinPad:
    """A :class:`drivers.api.pinpad.PinPad`."""

    def __init__(self, config: DeviceConfig, context: DriverContext) -> None:
        self._name = config.name
        self._address = config.address
        self._open = context.open_transport
        key_file = config.options.get("initial_key_file")
        self._key_file = Path(key_file) if key_file else None
        self._line: PadLine | None = None
        self._identity: DeviceIdentity | None = None
        self._state, self._fault = DeviceState.STARTING, ""
        self._counters = {"blocks": 0, "cancelled": 0, "timed-out": 0}
        self._changed = asyncio.Event()

    @property
    def status(self) -> DeviceStatus:
        """How the pad is; ``no-key`` is the fault of one that cannot encrypt yet."""
        return DeviceStatus(self._state, self._fault, self._identity, dict(self._counters))

    async def run(self) -> None:
        """Own the pad until cancelled: know it, give it its key, hear its heartbeat. Raises
        :class:`drivers.errors.DeviceError` when it is lost; an entry that goes on then fails too.
        """
        self._state, self._fault = DeviceState.STARTING, ""
        try:
            transport = await self._open(self._address)
            try:
                await self._own(transport)
            finally:
                transport.close()
        except DeviceError as error:
            self._fault = error.code
            raise
        finally:
            self._state = DeviceState.ABSENT

    async def _own(self, transport: ByteTransport) -> None:
        line = PadLine(self._name, transport, self._heard)
        listener = asyncio.create_task(line.listen(), name=f"{self._name}-listener")
        try:
            await self._introduce(line)
            self._line = line
            while True:
                await asyncio.wait({listener}, timeout=_HEARTBEAT_SECONDS)
                await self._heartbeat(line)
        finally:
            self._line = None
            listener.cancel()
            with suppress(asyncio.CancelledError, DeviceError):
                await listener

    async def _introduce(self, line: PadLine) -> None:
        """Who is there? An entry that was left behind by an earlier run is ended."""
        who = await line.ask(m.Identify(), m.Identity)
        self._identity = DeviceIdentity("epp", who.model, DeviceSerial(who.serial), who.firmware, who.software)
        await line.ask(m.CancelEntry(), m.EntryCancelled)
        await self._heartbeat(line, first=True)

    async def _heartbeat(self, line: PadLine, *, first: bool = False) -> None:
        status = await line.ask(m.AskStatus(), m.Status)
        key = self._initial_key() if first or not status.key_loaded else None
        if key is not None and (not status.key_loaded or status.key_id != key.key_id):
            await self._load_key(line, key)
            status = await line.ask(m.AskStatus(), m.Status)
        self._counters["key-counter"] = status.counter
        if status.state is m.PadState.FAULT:
            self._state, self._fault = DeviceState.FAULT, "pad-fault"
        elif not status.key_loaded:
            self._state, self._fault = DeviceState.FAULT, "no-key"
        else:
            self._state, self._fault = DeviceState.READY, ""

    # --- the initial key of a software pad ---

    def _initial_key(self) -> m.LoadKey | None:
        """What the key file says; None while there is none, before enrolment."""
        if self._key_file is None or not self._key_file.exists():
            return None
        try:
            content = cast("dict[str, str]", json.loads(self._key_file.read_text("ascii")))
            key = m.LoadKey(bytes.fromhex(content["key_id"]), bytes.fromhex(content["key"]))
        except (OSError, ValueError, LookupError, TypeError):
            key = None  # the cause is not passed on: it may quote the key
        if key is None or len(key.key) != m.KEY_BYTES or len(key.key_id) != m.KEY_ID_BYTES:
            raise ConfigurationError(self._name, "bad-key-file", str(self._key_file))
        return key

    async def _load_key(self, line: PadLine, key: m.LoadKey) -> None:
        if self._identity is None or not self._identity.simulated:
            raise ConfigurationError(self._name, "clear-key", "a key in clear goes to a software pad only")
        await line.ask(key, m.KeyLoaded)
        _log.info("%s: initial key %s loaded", self._name, key.key_id.hex())

    # --- entering a PIN ---

    async def enter_pin(self, pan: Pan, on_digits: Callable[[int], None]) -> PinBlock | None:
        """Let the customer type a PIN; ``on_digits`` hears how many digits there are, at least once with 0.

        None: the customer pressed cancel, or let 60 seconds pass. Cancelling the task ends the entry at the pad. Raises
        :class:`drivers.errors.DeviceError`: ``busy``, ``no-key`` and the like, or when the pad is lost.
        """
        if self._line is None:
            raise NoAnswer(self._name, "absent", "the PIN pad is not there")
        line, over = self._line, False
        self._changed.clear()
        try:
            await line.ask(m.EnterPin(pan.reveal(), ENTRY_SECONDS), m.EntryStarted)
            entry = await self._wait_for_end(line, on_digits)
            over = True
            return self._result(entry)
        finally:
            if not over:
                with suppress(DeviceError):  # it is on its way out with an error, or with a cancellation, already
                    await line.ask(m.CancelEntry(), m.EntryCancelled)

    async def _wait_for_end(self, line: PadLine, on_digits: Callable[[int], None]) -> m.Entry:
        """Ask how the entry stands whenever the pad says that something changed, and now and then in case that got
        lost.
        """
        known = -1
        while True:
            self._changed.clear()
            entry = await line.ask(m.AskEntry(), m.Entry)
            if entry.outcome is not m.Outcome.ENTERING:
                return entry
            if entry.digits != known:
                known = entry.digits
                on_digits(known)
            with suppress(TimeoutError):
                async with asyncio.timeout(_ENTRY_POLL_SECONDS):
                    await self._changed.wait()

    def _heard(self, event: m.EntryChanged) -> None:
        self._changed.set()

    def _result(self, entry: m.Entry) -> PinBlock | None:
        match entry.outcome:
            case m.Outcome.BLOCK:
                self._counters["blocks"] += 1
                return PinBlock(entry.block, entry.ksn)
            case m.Outcome.CANCELLED:
                self._counters["cancelled"] += 1
                return None
            case m.Outcome.TIMED_OUT:
                self._counters["timed-out"] += 1
                return None
            case m.Outcome.NONE | m.Outcome.ENTERING:
                raise NoAnswer(self._name, "entry-lost", "the PIN pad was restarted during the entry")

    async def self_test(self) -> tuple[SelfTestStep, ...]:
        """Whether the pad answers, who it is, whether it has a key."""
        line = self._line
        if line is None:
            return (SelfTestStep("answer", False, self._fault or "the PIN pad is not there"),)
        try:
            who = await line.ask(m.Identify(), m.Identity)
            status = await line.ask(m.AskStatus(), m.Status)
        except DeviceError as error:
            return (SelfTestStep("answer", False, str(error)),)
        key = f"key id {status.key_id.hex().upper()}, counter {status.counter}" if status.key_loaded else "no key"
        return (
            SelfTestStep("answer", True, f"{who.model}, serial {who.serial}, firmware {who.firmware}"),
            SelfTestStep("state", status.state is not m.PadState.FAULT, status.state.name.lower()),
            SelfTestStep("key", status.key_loaded, key),
        )
