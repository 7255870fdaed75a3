"""A terminal whose journal cannot be opened: no device is touched and nobody is served. It says why, on its screen and
to its host, and looks again now and then: somebody may have made room.
"""

from __future__ import annotations

import asyncio

from guichet.system import SystemIds
from guichet.v1 import health_pb2
from guichet.v1 import screen_pb2 as pb
from guichet.v1 import terminal_link_pb2 as link_pb
from kiosk.journal.faults import JournalError
from kiosk.journal.key import key_file, load_key
from kiosk.notify import Notifier
from kiosk.terminal.config import TerminalConfig
from kiosk.terminal.enrolment import load_identity
from kiosk.terminal.front import Front
from kiosk.terminal.health import SOFTWARE_VERSION, without_journal
from kiosk.terminal.heartbeat import heartbeats
from kiosk.terminal.link import HostAddress
from kiosk.terminal.local import LocalTerminal
from kiosk.terminal.seams import Seams
from kiosk.terminal.serving import Orders, watchdog
from kiosk.terminal.supervisor import keep_running


class OutOfService:
    """One such time, which began with ``error``. Raises :class:`kiosk.terminal.enrolment.EnrolmentError`."""

    def __init__(self, config: TerminalConfig, seams: Seams, error: JournalError) -> None:
        self._config = config
        self._seams = seams
        self._error = error
        identity = self._identity = load_identity(config.data)
        self._log = seams.make_log(seams.clock, identity.terminal_id)
        self._front = Front(self._log, training=identity.training)
        address = HostAddress(config.host or identity.target, identity.channel_credentials())
        ids = SystemIds(seams.clock, seams.random)
        self._link = seams.make_link(address, self._hello, ids, seams.random, self._log)

    async def run(self, orders: Orders) -> None:
        """Until the journal can be opened and a note's records fit, or ``orders`` say stop."""
        name, link = self._identity.terminal_id, self._link
        local = LocalTerminal(name, {}, None, self._health, lambda: link.connected, lambda: False)
        notifier = Notifier(failed=lambda error: self._log.event("notify.failed", reason=str(error)))
        await self._tell()
        server = await self._seams.serve(self._config.socket, self._front, local)
        running = [
            asyncio.create_task(keep_running("link", link.run, self._seams.clock.monotonic, self._log)),
            asyncio.create_task(heartbeats(link, self._health, self._log)),
            asyncio.create_task(watchdog(notifier)),
        ]
        notifier.ready(f"out of service: {self._error.fault.value}")
        try:
            await self._mended_or(orders.stop)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            await server.stop(0.5)

    async def _mended_or(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                async with asyncio.timeout(self._config.timings.look_again):
                    await stop.wait()
                return
            except TimeoutError:
                pass
            try:
                if self._look():
                    self._log.event("journal.mended")
                    return
            except JournalError as error:
                self._error = error
                await self._tell()

    def _look(self) -> bool:
        writer = self._identity.writer(load_key(key_file(self._config.data)))
        journal = self._seams.open_journal(self._config.journal, writer, self._seams.clock)
        try:
            journal.ends()  # A start reads them too.
            return journal.can_take_a_note()
        finally:
            journal.close()

    async def _tell(self) -> None:
        self._log.event("journal.failed", reason=str(self._error), fault=self._error.fault.value)
        await self._front.show(pb.OutOfServiceView(code=self._error.fault.value))

    def _hello(self) -> link_pb.Hello:
        fault = self._error.fault.value
        return link_pb.Hello(software_version=SOFTWARE_VERSION, epoch=self._identity.epoch, journal_fault=fault)

    def _health(self) -> health_pb2.TerminalHealth:
        return without_journal(self._error.fault, self._seams.clock)
