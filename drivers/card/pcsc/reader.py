"""A chip card reader behind PC/SC: the driver ``pcsc``.

Configuration: ``address`` is a part of the reader's PC/SC name, empty for the first reader; options ``country`` and
``currency`` are ISO 3166 and ISO 4217 numeric codes of three digits, told to chips that ask (else they hear zeros).

A reader counts as simulated when its name has ``Guichet Simulated`` (ours) or ``Virtual PCD`` (vpcd's own) in it.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from functools import partial

from drivers.api.card import Card, CardEvent, CardInserted, CardRemoved
from drivers.api.device import DeviceConfig, DeviceIdentity, DeviceState, DeviceStatus, SelfTestStep
from drivers.card.pcsc.calls import CallThread, Overdue
from drivers.card.pcsc.emv import Terminal
from drivers.card.pcsc.holder import EmvFailure
from drivers.card.pcsc.service import UNKNOWN_SLOT, Service, ServiceError, SlotState, Trouble
from drivers.card.pcsc.session import identify_card
from drivers.card.pcsc.tlv import Format, Supplied
from drivers.context import DriverContext
from drivers.errors import CardError, ConfigurationError, DeviceError, TransportError
from drivers.options import refuse_unknown
from guichet.ids import DeviceSerial

_log = logging.getLogger(__name__)

SIMULATED_NAMES = ("Guichet Simulated", "Virtual PCD")

_CALL_SECONDS = 3.0
_POLL_SECONDS = 1.0
_READ_SECONDS = 4.0
_REMOVAL_SECONDS = 0.9  # pcscd looks for the card every 0.4 s; with the reading it stays within the promised five
_COUNTRY, _CURRENCY, _UNPREDICTABLE, _TERMINAL_TYPE = 0x9F1A, 0x5F2A, 0x9F37, 0x9F35
_UNATTENDED_ONLINE_BANK = b"\x14"  # EMV Book 4, annex A1
_SERIAL = re.compile(r"\(([^()]+)\)")


def open_device(config: DeviceConfig, context: DriverContext) -> PcscReader:
    """The reader that ``config`` names. Raises :class:`drivers.errors.ConfigurationError` for options that it does not
    have.
    """
    refuse_unknown(config, "country", "currency")
    return PcscReader(config, context)


class PcscReader:
    """A :class:`drivers.api.card.CardReader`."""

    def __init__(self, config: DeviceConfig, context: DriverContext) -> None:
        self._name = config.name
        self._wanted = config.address
        self._country = _numeric(config, "country")
        self._currency = _numeric(config, "currency")
        self._random_bytes = context.random_bytes
        self._handlers: list[Callable[[CardEvent], None]] = []
        self._reader: str | None = None
        self._slot = UNKNOWN_SLOT
        self._slot_changed = asyncio.Event()
        self._state, self._fault = DeviceState.STARTING, ""
        self._counters = {"inserted": 0, "read": 0, "unreadable": 0}

    @property
    def status(self) -> DeviceStatus:
        """How the reader is now; counters since this object was made."""
        identity = _identity(self._reader) if self._reader else None
        return DeviceStatus(self._state, self._fault, identity, dict(self._counters))

    @property
    def card_inside(self) -> bool:
        """Whether a card lies in the reader."""
        return self._slot.present

    def subscribe(self, handler: Callable[[CardEvent], None]) -> None:
        """``handler`` is called on the loop for every insertion and removal."""
        self._handlers.append(handler)

    # --- watching the slot ---

    async def run(self) -> None:
        """Watch the reader until cancelled. A reader that is unplugged is waited for; a pcscd that is lost raises
        :class:`drivers.errors.TransportError` ``pcscd-lost``.
        """
        thread, service = CallThread(f"{self._name}-watch"), Service()
        try:
            await thread.call(service.open, _CALL_SECONDS)
            while True:
                await self._watch(thread, service)
                self._lose("reader-gone")
                await asyncio.sleep(_POLL_SECONDS)
        except (ServiceError, Overdue) as error:
            self._lose(Trouble.SERVICE_LOST.value)
            raise TransportError(self._name, Trouble.SERVICE_LOST.value, str(error)) from error
        finally:
            self._lose(self._fault)
            thread.post(service.close)
            thread.close()

    async def _watch(self, thread: CallThread, service: Service) -> None:
        """Watch one reader for as long as it is there."""
        self._reader = self._chosen(await thread.call(service.readers, _CALL_SECONDS))
        if self._reader is None:
            return
        try:
            while True:
                look = partial(service.wait, self._reader, self._slot, _POLL_SECONDS)
                slot = await thread.call(look, _POLL_SECONDS + _CALL_SECONDS)
                self._state, self._fault = DeviceState.READY, ""
                self._notice(slot)
        except ServiceError as error:
            if error.trouble is not Trouble.READER_GONE:
                raise

    def _chosen(self, names: tuple[str, ...]) -> str | None:
        return next((name for name in names if self._wanted in name), None)

    def _notice(self, slot: SlotState) -> None:
        """Tell what happened since the last look; a card swapped in between is a removal and an insertion."""
        before, self._slot = self._slot, slot
        swapped = slot.changes != before.changes
        if before.present and (not slot.present or swapped):
            self._tell(CardRemoved())
        if slot.present and (not before.present or swapped):
            self._counters["inserted"] += 1
            self._tell(CardInserted())
        if swapped:
            self._slot_changed.set()

    def _lose(self, fault: str) -> None:
        self._state, self._fault, self._reader = DeviceState.ABSENT, fault, None
        if self._slot is not UNKNOWN_SLOT:
            self._notice(UNKNOWN_SLOT)

    def _tell(self, event: CardEvent) -> None:
        _log.info("%s: %s", self._name, type(event).__name__)
        for handler in self._handlers:
            handler(event)

    # --- reading the card ---

    async def read(self) -> Card:
        """Identify the card, within five seconds. Raises :class:`drivers.errors.CardError` (see
        :class:`drivers.api.card.CardReader`), and :class:`drivers.errors.TransportError` when pcscd or the reader is
        lost.
        """
        if self._reader is None or not self._slot.present:
            raise CardError(self._name, "removed", "no card is in the reader")
        changes = self._slot.changes
        self._slot_changed.clear()
        try:
            async with asyncio.timeout(_READ_SECONDS):
                card = await identify_card(self._name, self._reader, self._terminal())
        except (ServiceError, EmvFailure, TimeoutError) as error:
            self._counters["unreadable"] += 1
            raise await self._explained(error, changes) from error
        if self._slot.changes != changes:
            card.pan.wipe()
            raise CardError(self._name, "removed", "the card was taken out while it was read")
        self._counters["read"] += 1
        return card

    def _terminal(self) -> Terminal:
        return Terminal(
            {
                _COUNTRY: Supplied(self._country, Format.NUMERIC),
                _CURRENCY: Supplied(self._currency, Format.NUMERIC),
                _UNPREDICTABLE: Supplied(self._random_bytes(4)),
                _TERMINAL_TYPE: Supplied(_UNATTENDED_ONLINE_BANK, Format.NUMERIC),
            }
        )

    async def _explained(self, error: ServiceError | EmvFailure | TimeoutError, changes: int) -> DeviceError:
        """The error that a caller can act on."""
        if isinstance(error, ServiceError) and error.trouble in (Trouble.SERVICE_LOST, Trouble.READER_GONE):
            return TransportError(self._name, error.trouble.value, str(error))
        if isinstance(error, EmvFailure):
            return CardError(self._name, error.reason.value, error.detail)
        gone = isinstance(error, ServiceError) and error.trouble is Trouble.CARD_GONE
        changed = gone or await self._changed_since(changes)
        if self._reader is None:
            return TransportError(self._name, self._fault, "lost while the card was read")
        if changed:
            return CardError(self._name, "removed", "the card was taken out while it was read")
        if isinstance(error, TimeoutError):
            return CardError(self._name, "unreadable", "the card does not answer")
        return CardError(self._name, "unreadable", str(error))

    async def _changed_since(self, changes: int) -> bool:
        """Whether the card has gone. To many a reader a card that was pulled out is a silent one: wait a moment for
        what the slot says.
        """
        if self._slot.changes == changes:
            try:
                async with asyncio.timeout(_REMOVAL_SECONDS):
                    await self._slot_changed.wait()
            except TimeoutError:
                return False
        return True

    # --- self-test ---

    async def self_test(self) -> tuple[SelfTestStep, ...]:
        """Whether pcscd answers, whether the reader is there, what is in it."""
        thread, service = CallThread(f"{self._name}-test"), Service()
        steps: list[SelfTestStep] = []
        try:
            await thread.call(service.open, _CALL_SECONDS)
            names = await thread.call(service.readers, _CALL_SECONDS)
            steps.append(SelfTestStep("service", True, f"pcscd answers, {len(names)} readers"))
            reader = self._chosen(names)
            steps.append(SelfTestStep("reader", reader is not None, reader or f"none has {self._wanted!r} in its name"))
            if reader is not None:
                look = partial(service.wait, reader, UNKNOWN_SLOT, _POLL_SECONDS)
                steps.extend(_slot_steps(await thread.call(look, _CALL_SECONDS)))
        except (ServiceError, Overdue) as error:
            steps.append(SelfTestStep("reader" if steps else "service", False, str(error)))
        finally:
            thread.post(service.close)
            thread.close()
        return tuple(steps)


def _slot_steps(slot: SlotState) -> list[SelfTestStep]:
    if not slot.present:
        return [SelfTestStep("card", True, "no card in the reader")]
    if slot.mute:
        return [SelfTestStep("card", False, "a card that does not answer to the reset: damaged, or upside down")]
    return [SelfTestStep("card", True, f"a card is in the reader; answer to reset {slot.atr.hex().upper()}")]


def _numeric(config: DeviceConfig, option: str) -> bytes:
    code = config.options.get(option, "000")
    if re.fullmatch(r"[0-9]{3}", code) is None:
        raise ConfigurationError(config.name, "bad-option", f"{option} is an ISO code of three digits, not {code!r}")
    return bytes.fromhex(f"0{code}")


def _identity(reader: str) -> DeviceIdentity:
    """PC/SC readers tell their serial number, if at all, in parentheses within their name, and no firmware."""
    serial = _SERIAL.search(reader)
    return DeviceIdentity(
        driver="pcsc",
        model=reader,
        serial=DeviceSerial(serial.group(1) if serial else ""),
        firmware="",
        simulated=any(name in reader for name in SIMULATED_NAMES),
    )
