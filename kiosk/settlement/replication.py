"""The journal's copy at the host: entries go up in order, earlier epochs first, until the host holds all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator

from guichet.ids import TerminalId
from guichet.journal.chain import Entry
from guichet.journal.checkpoint import BadCheckpoint, check_checkpoint
from guichet.journal.export import to_message
from guichet.limits import MAX_MESSAGE_BYTES, MAX_RECORDS_PER_BATCH
from guichet.money import Currency, Money
from guichet.v1 import journal_pb2, replication_pb2
from guichet.v1 import terminal_link_pb2 as pb
from kiosk.journal.faults import JournalError
from kiosk.journal.folds import Place
from kiosk.journal.retention import Countersigned
from kiosk.journal.store import Journal
from kiosk.log import EventLog
from kiosk.settlement.comparison import Comparison, Standing, compare
from kiosk.settlement.courier import Courier, HostAway, HostRefused
from kiosk.settlement.waiting import Backoff

_RETRY_SECONDS = 2.0
# A new connection costs whoever stands at the terminal an answer: it is tried more and more rarely.
_HELLO = Backoff(first=2.0, longest=600.0)


class Replicator:
    """Sends what the host does not hold, and keeps what it countersigns."""

    def __init__(
        self, journal: Journal, link: Courier, terminal: TerminalId, host_signing_key: bytes, log: EventLog
    ) -> None:
        """Raises :class:`kiosk.journal.faults.JournalError`."""
        self._journal = journal
        self._link = link
        self._terminal = terminal
        self._host_key = host_signing_key
        self._log = log
        self._moved = asyncio.Event()
        self._change = asyncio.Condition()
        self._ends = {end.epoch: end.sequence for end in journal.ends() if end.epoch < journal.epoch}
        self._held: dict[int, int] = {}
        self._comparison = Comparison(Standing.CONTINUES)
        self._branch: _Branch | None = None
        self._welcomed = False
        self._again = False
        self._refusal: pb.RefusalCode.ValueType | None = None
        self._hello_due: float | None = None
        self._hello_wait: float | None = None
        self._reported: set[str] = set()
        self._listeners: list[Callable[[], None]] = []
        journal.observe(lambda _entry, _fact: self._moved.set())
        link.on_change(self._on_link)

    def _on_link(self, welcome: pb.Welcome | None) -> None:
        self._welcomed, self._hello_due = welcome is not None, None
        if welcome is not None:
            self._held = {held.epoch: held.sequence for held in welcome.earlier}
            self._held[self._journal.epoch] = welcome.held_sequence
            self._stand(self._compared(welcome))
            if not self.forked and self._behind is None:
                self._refusal = None
        self._moved.set()
        self._tell()

    def _compared(self, welcome: pb.Welcome) -> Comparison:
        try:
            comparison = compare(welcome, self._journal)
            if comparison.standing is not Standing.FORKED and welcome.HasField("checkpoint"):
                self._keep(welcome.checkpoint)
        except JournalError as error:
            self._log.event("journal.failed", reason=str(error))
            # Nobody can tell. Nothing more is written, and what is there is sent as far as it can be read.
            return Comparison(Standing.CONTINUES)
        return comparison

    def _stand(self, comparison: Comparison) -> None:
        self._comparison = comparison
        self._branch = None
        place = f"{comparison.epoch}/{comparison.sequence}"
        match comparison.standing:
            case Standing.CONTINUES:
                return
            case Standing.FORKED:
                last = min(comparison.sequence, self._last_of(comparison.epoch))
                self._branch = _Branch(comparison.epoch, max(1, last - MAX_RECORDS_PER_BATCH + 1))
                code, text = "journal-forked", f"the host holds another entry at {place}, or this disk went back"
            case Standing.LACKING:
                code, text = "journal-lacking", f"the host holds entries up to {place} that this disk has not"
            case Standing.CONTESTED:
                code, text = "journal-contested", f"another disk writes this journal, too, from {place} on"
        self._log.event(code.replace("-", ".", 1), place=place)
        self._report(code, text)

    @property
    def forked(self) -> bool:
        """The host has other entries in our places: a person must look, and the terminal takes no money."""
        return self._comparison.standing is Standing.FORKED

    @property
    def doubted(self) -> bool:
        """The host holds other entries in our places, also beside ours, or more than this disk: whose the money is that
        came since, nobody knows.
        """
        return self._comparison.standing is not Standing.CONTINUES

    @property
    def refused(self) -> bool:
        """Whether this terminal may take no money, although the host is there: it did not take the last batch, for
        another reason than being busy; or whose journal it is, is in :attr:`doubted`.
        """
        return self.doubted or self._refusal is not None

    @property
    def held_place(self) -> Place:
        """The host holds everything up to here; (epoch, 0) for nothing of an epoch."""
        for epoch, last in self._ends.items():
            if (held := self._held.get(epoch, 0)) < last:
                return epoch, held
        return self._journal.epoch, self._held.get(self._journal.epoch, 0)

    def holds(self, place: Place) -> bool:
        """As :class:`kiosk.settlement.courier.JournalCopy` says."""
        return self.refused or self.held_place >= place

    def on_progress(self, listener: Callable[[], None]) -> None:
        """As :class:`kiosk.settlement.courier.JournalCopy` says."""
        self._listeners.append(listener)

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

    def unreplicated(self, currency: Currency) -> Money:
        """What the notes are worth that only this machine knows of."""
        return self._journal.fold.value_decided_after(self.held_place, currency)

    async def run(self) -> None:
        """Replicate until cancelled."""
        while True:
            await self._wait()
            async with self._change:
                self._change.notify_all()  # A welcome, too, says what is held.
            self._again = False
            self._say_hello_if_due()
            try:
                await self._send()
            except HostAway:
                self._again = True  # Where the connection is gone, the next welcome says where to go on.
            except HostRefused as error:
                self._refused(error)
            except JournalError as error:
                # It takes no record any more, and this terminal no money. What could be read is at the host.
                self._log.event("journal.failed", reason=str(error))
                self._welcomed = False

    async def _send(self) -> None:
        while self._welcomed and not self.forked and (epoch := self._behind) is not None:
            await self._send_batch(epoch)
        while self._welcomed and self._branch is not None and (some := self._of_branch(self._branch)):
            await self._send_branch(self._branch, some)

    async def _wait(self) -> None:
        """Until there may be something to send; not for ever while a batch is still to be sent again."""
        due = self._hello_due
        if self._again and self._welcomed:
            due = asyncio.get_running_loop().time() + _RETRY_SECONDS
        try:
            async with asyncio.timeout_at(due):
                await self._moved.wait()
        except TimeoutError:
            return
        self._moved.clear()

    @property
    def _behind(self) -> int | None:
        """The first epoch of which the host does not hold everything; None: it holds all."""
        epoch, held = self.held_place
        return epoch if self._last_of(epoch) > held else None

    def _first_of(self, epoch: int) -> int:
        """The first sequence that we have there."""
        base = self._journal.base
        return base.place[1] if base is not None and base.place[0] == epoch else 1

    def _last_of(self, epoch: int) -> int:
        """The last sequence that we have there."""
        if epoch != self._journal.epoch:
            return self._ends.get(epoch, 0)
        return self._journal.last.sequence if self._journal.last is not None else 0

    async def _send_batch(self, epoch: int) -> None:
        held = self._held.get(epoch, 0)
        entries = list(_that_fit(self._journal.of_epoch(epoch, held + 1, MAX_RECORDS_PER_BATCH)))
        countersign = epoch == self._journal.epoch and self._journal.wants_checkpoint
        answer = (await self._link.request(_batch(entries, countersign=countersign))).journal_held
        if answer.sequence <= held:
            raise HostAway("the host holds no more than before")
        self._refusal, self._hello_wait = None, None
        if answer.forked_sequence and epoch == self._journal.epoch and not self.doubted:
            self._stand(Comparison(Standing.CONTESTED, epoch, answer.forked_sequence))
        if countersign and answer.HasField("checkpoint"):
            self._keep(answer.checkpoint)
        async with self._change:
            self._held[epoch] = max(held, answer.sequence)
            self._change.notify_all()
        self._tell()
        if epoch == self._journal.epoch and not held and self._comparison.standing is Standing.LACKING:
            # It knows only now what this epoch goes on from: what it has beside that may be a former disk's.
            self._link.begin_again()

    def _keep(self, signed: replication_pb2.SignedCheckpoint) -> None:
        """The host's word about an entry of ours; another is none, and none is of use while it lacks earlier ones."""
        if self.held_place[0] != self._journal.epoch:
            return
        try:
            checkpoint = check_checkpoint(signed, self._host_key, self._terminal)
        except BadCheckpoint as error:
            self._refuse_checkpoint(str(error))
            return
        ours = self._journal.at(*checkpoint.place)
        if ours is None or ours.hash != checkpoint.hash:
            self._refuse_checkpoint(f"there is no such entry at {checkpoint.epoch}/{checkpoint.sequence}")
            return
        self._journal.keep_checkpoint(Countersigned(checkpoint, signed.content, signed.signature))

    def _refuse_checkpoint(self, reason: str) -> None:
        self._log.event("checkpoint.refused", reason=reason)
        self._report("checkpoint-refused", reason)

    def _of_branch(self, branch: _Branch) -> list[Entry]:
        return list(_that_fit(self._journal.of_epoch(branch.epoch, branch.next, MAX_RECORDS_PER_BATCH)))

    async def _send_branch(self, branch: _Branch, entries: list[Entry]) -> None:
        """What this disk has where the host holds something else. The host keeps it, and takes none of it for its own:
        each batch is refused as a fork, and says where the two part.
        """
        first, last = entries[0].sequence, entries[-1].sequence
        try:
            await self._link.request(_batch(entries, countersign=False))
        except HostRefused as error:
            if error.code != pb.REFUSAL_CODE_FORK:
                raise
            if error.sequence == first > self._first_of(branch.epoch) and not branch.found:
                branch.next = max(1, first - MAX_RECORDS_PER_BATCH)  # They part before it, perhaps.
                return
        branch.next, branch.found = last + 1, True

    def _refused(self, error: HostRefused) -> None:
        if error.code == pb.REFUSAL_CODE_FORK:
            self._stand(Comparison(Standing.FORKED, self.held_place[0], error.sequence))
            self._moved.set()
        elif error.code == pb.REFUSAL_CODE_BUSY:
            self._again = True
        else:
            self._wait_for_hello(error)
        self._tell()
        hello_seconds = self._hello_wait if self._hello_due is not None else None
        self._log.event("journal.refused", reason=str(error), hello_seconds=hello_seconds)

    def _wait_for_hello(self, error: HostRefused) -> None:
        """Only a new hello can tell where to go on, and nobody else causes one: the connection itself is well."""
        self._welcomed, self._refusal = False, error.code
        self._hello_wait = _HELLO.after(self._hello_wait)
        self._hello_due = asyncio.get_running_loop().time() + self._hello_wait
        code = pb.RefusalCode.Name(error.code).removeprefix("REFUSAL_CODE_").lower().replace("_", "-")
        self._report(f"journal-refused-{code}", str(error))

    def _report(self, code: str, text: str) -> None:
        """A person should look; once in this process's life."""
        if code in self._reported:
            return
        self._reported.add(code)
        try:
            self._journal.append(journal_pb2.Incident(code=code, device="terminal", text=text))
        except JournalError as error:
            self._log.event("journal.failed", reason=str(error))

    def _say_hello_if_due(self) -> None:
        if self._hello_due is not None and asyncio.get_running_loop().time() >= self._hello_due:
            self._hello_due = None
            self._link.begin_again()

    async def wait_held(self, sequence: int, seconds: float) -> bool:
        """Whether the host holds everything up to ``sequence`` of this epoch, waiting up to ``seconds`` for it."""
        place = self._journal.epoch, sequence
        try:
            async with asyncio.timeout(seconds), self._change:
                await self._change.wait_for(lambda: self.held_place >= place)
        except TimeoutError:
            return False
        return True


def _that_fit(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The first of ``entries``, as many as one message takes with room to spare; at least one."""
    size = 0
    for entry in entries:
        size += len(entry.record)
        if size > MAX_MESSAGE_BYTES // 2 and size > len(entry.record):
            return
        yield entry


class _Branch:
    """Where sending a branch is: ``next`` to go; ``found``: it is known where it parts from what the host holds."""

    def __init__(self, epoch: int, begin: int) -> None:
        self.epoch = epoch
        self.next = begin
        self.found = False


def _batch(entries: list[Entry], *, countersign: bool) -> pb.ConnectRequest:
    batch = pb.JournalBatch(entries=[to_message(entry) for entry in entries], countersign=countersign)
    return pb.ConnectRequest(journal=batch)
