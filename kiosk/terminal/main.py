"""The terminal process: everything made once, joined, and kept running until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import replace

from drivers.api.device import DeviceConfig
from guichet.limits import CLOCK_TOLERANCE_US
from guichet.system import SystemIds
from guichet.v1 import health_pb2
from guichet.v1 import journal_pb2 as journal_pb
from guichet.v1 import terminal_link_pb2 as link_pb
from kiosk.journal.faults import Fault, JournalError
from kiosk.journal.key import key_file, load_key
from kiosk.journal.store import DAY_US
from kiosk.notify import Notifier
from kiosk.settlement.replication import Replicator
from kiosk.settlement.settler import Settler
from kiosk.terminal.cash_desk import CashDesk
from kiosk.terminal.config import TerminalConfig
from kiosk.terminal.enrolment import Identity, load_identity
from kiosk.terminal.fitted import Fitted, Workshop, places_of
from kiosk.terminal.front import Front
from kiosk.terminal.health import SOFTWARE_VERSION, terminal_health
from kiosk.terminal.heartbeat import heartbeats
from kiosk.terminal.link import HostAddress
from kiosk.terminal.local import LocalTerminal
from kiosk.terminal.note_book import NoteBook
from kiosk.terminal.offline_desk import OfflineDesk, Rights, card_key
from kiosk.terminal.out_of_service import OutOfService
from kiosk.terminal.parts import Parts
from kiosk.terminal.seams import Seams
from kiosk.terminal.serving import Orders, watchdog
from kiosk.terminal.session import Sessions
from kiosk.terminal.supervisor import keep_running

# systemd waits longer than these two together before it kills: see images/systemd.
_SESSION_SECONDS = 140.0
_NOTE_SECONDS = 20.0
_BREATH_SECONDS = 0.2


class Terminal:
    """One terminal. Raises :class:`kiosk.terminal.config.ConfigError`,
    :class:`kiosk.terminal.enrolment.EnrolmentError` or :class:`kiosk.journal.store.JournalError` where it cannot
    begin.
    """

    def __init__(self, config: TerminalConfig, seams: Seams) -> None:
        self._config = config
        self._seams = seams
        self._identity = load_identity(config.data)
        self._ids = SystemIds(seams.clock, seams.random)
        self.log = seams.make_log(seams.clock, self._identity.terminal_id)
        identity = self._identity
        key = load_key(key_file(config.data))
        writer = identity.writer(key)
        self.journal = seams.open_journal(config.journal, writer, seams.clock)
        self.journal.keep_us = config.keep_days * DAY_US
        try:
            self._devices = self._open_devices()
            self.parts = self._assemble(identity, card_key(key))
        except BaseException:
            self.journal.close()  # Whoever looks again would find it taken, by ourselves.
            raise
        self.sessions = Sessions(self.parts, self.journal.fold.session)
        self._incident_clock_off = False
        self.parts.link.on_change(self._compare_clocks)
        self.parts.link.on_change(self.parts.offline.on_link)

    def _open_devices(self) -> dict[str, Fitted]:
        seams = self._seams
        workshop = Workshop(seams.clock, seams.random, self.log, seams.open_device, self._config.record)
        return {
            name: workshop.fit(self._with_key(config), seams.open_transport(name))
            for name, config in self._config.devices.items()
        }

    def _with_key(self, config: DeviceConfig) -> DeviceConfig:
        """The software pad of a training terminal is given its key at enrolment."""
        key_file = self._config.data / "pin_key.json"
        if config.name != "pinpad" or not key_file.exists():
            return config
        return replace(config, options={"initial_key_file": str(key_file), **config.options})

    def _assemble(self, identity: Identity, key: bytes) -> Parts:
        seams, signer = self._seams, identity.signer()
        address = HostAddress(self._config.host or identity.target, identity.channel_credentials())
        link = seams.make_link(address, self._hello, self._ids, seams.random, self.log)
        book = NoteBook(identity.terminal_id, self.journal, seams.clock, self._ids, signer)
        places, sealer = places_of(self._devices), seams.make_sealer(identity.host_sealing_key)
        desk = CashDesk(places.cash, book)
        replicator = Replicator(self.journal, link, identity.terminal_id, identity.host_signing_key, self.log)
        rights = Rights(identity.terminal_id, identity.host_signing_key, identity.certificate_until_us, key)
        return Parts(
            terminal_id=identity.terminal_id,
            training=identity.training,
            config=self._config,
            clock=seams.clock,
            ids=self._ids,
            sealer=sealer,
            log=self.log,
            journal=self.journal,
            front=Front(self.log, training=identity.training),
            link=link,
            replicator=replicator,
            settler=Settler(
                self.journal,
                link,
                seams.make_late(self._config.late_host or identity.late_target, identity.authority_pem),
                replicator,
                identity.host_signing_key,
                seams.clock,
                seams.random,
                self.log,
                self._config.timings.late_delivery,
            ),
            desk=desk,
            offline=OfflineDesk(
                rights, self.journal, desk, link, replicator, self._config, seams.boot, sealer, self.log
            ),
            card=places.card,
            pinpad=places.pinpad,
            printer=places.printer,
        )

    def _hello(self) -> link_pb.Hello:
        last = self.journal.last
        return link_pb.Hello(
            software_version=SOFTWARE_VERSION,
            epoch=self._identity.epoch,
            last_sequence=last.sequence if last is not None else 0,
        )

    def health(self) -> health_pb2.TerminalHealth:
        """How it is now."""
        return terminal_health(self._devices, self.parts.desk.view, self.journal, self._seams.clock)

    def _compare_clocks(self, welcome: link_pb.Welcome | None) -> None:
        if welcome is None:
            return
        off = self._seams.clock.wall_us() - welcome.host_time_us
        was_off, self._incident_clock_off = self._incident_clock_off, abs(off) > CLOCK_TOLERANCE_US
        if self._incident_clock_off and not was_off:
            self.log.event("clock.off", seconds=off // 1_000_000)
            self._incident("clock-off", f"{off // 1_000_000} s from the host's clock")

    def _incident(self, code: str, text: str) -> None:
        try:
            self.journal.append(journal_pb.Incident(code=code, device="terminal", text=text))
        except JournalError as error:
            self.log.event("journal.failed", reason=str(error))

    # --- life -------------------------------------------------------------------------------------------------------

    async def run(self, orders: Orders | None = None) -> None:
        """Serve until ``orders`` say stop, then end when the session is over and no note is on its way; without
        ``orders``, until SIGTERM. SIGINT, a developer's Ctrl-C, does not wait for the session.

        Raises :class:`kiosk.journal.faults.JournalError` where not even its first record can be written, for nothing
        has been begun then; and when one cannot be written later, at the end of the session and of the note that moves.
        """
        orders = orders or Orders.of_signals()
        try:
            self._begin()
            server = await self._seams.serve(self._config.socket, self.parts.front, self._local())
        except BaseException:
            self.journal.close()
            raise
        notifier = Notifier(failed=lambda error: self.log.event("notify.failed", reason=str(error)))
        try:
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(self._keep(name, run), name=name) for name, run in self._tasks().items()]
                running.append(tasks.create_task(watchdog(notifier), name="watchdog"))
                notifier.ready()
                self.log.event("terminal.ready", socket=str(self._config.socket))
                await first_of(orders.stop.wait(), self._journal_has_failed())
                if orders.stop.is_set():
                    notifier.stopping()
                await self._come_to_rest(orders.hurry)
                for task in running:
                    task.cancel()
        finally:
            await server.stop(0.5)
            self.journal.close()
            self.log.event("terminal.stopped")
        if self.journal.failure is not None and not orders.stop.is_set():
            raise self.journal.failure

    async def _journal_has_failed(self) -> None:
        """Until nothing can be recorded any more: only another start can say what is in the file."""
        while self.journal.failure is None:  # noqa: ASYNC110 - nobody waits for it to the second
            await asyncio.sleep(self._config.timings.look_again)

    def _begin(self) -> None:
        started = journal_pb.TerminalStarted(software_version=SOFTWARE_VERSION, config_version=self._config.version)
        before = self.journal.ends() if self.journal.last is None else []
        if before:
            started.last_epoch, started.last_sequence = before[-1].epoch, before[-1].sequence
        self.journal.append(started)
        session = self.journal.fold.session
        if session is not None:
            closed = journal_pb.SessionClosed(session_id=session, end=journal_pb.SESSION_END_RESTART)
            self.journal.append(closed)
        # Also where the cash module never says a word: its last customer must not wait for its repair.
        self.parts.desk.close_orphan()

    def _tasks(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        parts = self.parts
        services = {
            "link": parts.link.run,
            "replication": parts.replicator.run,
            "settlement": parts.settler.run,
            "heartbeat": lambda: heartbeats(parts.link, self.health, self.log, parts.offline.on_noted),
            "grace": self._device_grace,
            "retention": self._retention,
            "sessions": self.sessions.run,
        }
        return {**{name: one.device.run for name, one in self._devices.items()}, **services}

    async def _keep(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        await keep_running(name, run, self._seams.clock.monotonic, self.log)

    def _local(self) -> LocalTerminal:
        return LocalTerminal(
            self._identity.terminal_id,
            self._devices,
            self.journal,
            self.health,
            lambda: self.parts.link.connected,
            lambda: self.sessions.open,
            self.parts.desk.box_was_exchanged,
        )

    async def _come_to_rest(self, hurry: asyncio.Event) -> None:
        """No planned stop with a session open or a note on its way: nobody new is served, and what moves may finish.
        Where nothing can be recorded any more, nothing is decided in this life: the next one asks the device.
        """
        self.sessions.serve_no_more()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SESSION_SECONDS):
                await first_of(self.sessions.idle.wait(), hurry.wait())
        self.parts.desk.close_slot()
        moved = asyncio.Event()
        self.parts.desk.on_change(moved.set)
        try:
            async with asyncio.timeout(_NOTE_SECONDS):
                while self.parts.desk.undecided and self.journal.failure is None:
                    moved.clear()
                    await moved.wait()
        except TimeoutError:
            self.log.event("terminal.note-on-its-way", detail="stopping all the same; the next start decides")

    async def _retention(self) -> None:
        """Now and then, while nobody is served, the journal lets go of what is settled, countersigned and old; a little
        at a time, for nobody is to wait for it.
        """
        while self._config.keep_days:
            await asyncio.sleep(self._config.timings.retention)
            try:
                while self.journal.fold.at_rest and self.journal.failure is None and (count := self.journal.retire()):
                    self.log.event("journal.retired", entries=count)
                    await asyncio.sleep(_BREATH_SECONDS)
            except JournalError as error:
                # It takes no record any more: who waits for that ends this life.
                self.log.event("journal.failed", reason=str(error))

    async def _device_grace(self) -> None:
        """A note that nobody looks after, and whose device does not come back in time, is in doubt; its deposit closes.
        One that the device keeps, though it was told to give it back, it is told so again.
        While a deposit is being made, its own flow looks after it.
        """
        while True:
            await asyncio.sleep(self._config.timings.device_grace)
            if self.parts.desk.attended:
                continue
            if self.parts.desk.keeps_note:
                self.parts.desk.return_again()
            elif not self.parts.desk.view.ready:
                self.parts.desk.no_answer()


async def run_terminal(config: TerminalConfig, seams: Seams, orders: Orders | None = None) -> None:
    """Be the terminal until ``orders``, or the process's signals, say stop; as long as its journal cannot be opened,
    say so, and look again.

    Raises :class:`kiosk.terminal.config.ConfigError` and :class:`kiosk.terminal.enrolment.EnrolmentError`, and
    :class:`kiosk.journal.faults.JournalError` where another process has the journal, for then that is the terminal.
    """
    orders = orders or Orders.of_signals()
    while not orders.stop.is_set():
        try:
            await Terminal(config, seams).run(orders)
        except JournalError as error:
            if error.fault is Fault.LOCKED:
                raise
            await OutOfService(config, seams, error).run(orders)
        else:
            return


async def first_of(*waiting: Coroutine[object, object, object]) -> None:
    """Return when the first of ``waiting`` is done; the others are given up."""
    tasks = [asyncio.ensure_future(one) for one in waiting]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
