"""The journal's copy at the host: entries go up in order until the host holds all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from guichet.journal.chain import GENESIS, Entry
from guichet.limits import MAX_MESSAGE_BYTES, MAX_RECORDS_PER_BATCH
from guichet.money import Currency, Money
from guichet.v1 import journal_pb2
from guichet.v1 import terminal_link_pb2 as pb
from kiosk.journal.faults import JournalError
from kiosk.journal.store import Journal
from kiosk.log import EventLog
from kiosk.settlement.courier import Courier, HostAway, HostRefused

_RETRY_SECONDS = 2.0
# A new connection costs whoever stands at the terminal an answer: it is tried more and more rarely.
_FIRST_HELLO_SECONDS = 2.0
_RAREST_HELLO_SECONDS = 600.0


class Replicator:
    """Sends what the host does not hold. ``forked``: the host has other entries in our places; nothing goes up until a
    person has looked, and the terminal takes no money.
    """

    def __init__(self, journal: Journal, link: Courier, log: EventLog) -> None:
        self._journal = journal
        self._link = link
        self._log = log
        self._moved = asyncio.Event()
        self._held = asyncio.Condition()
        self.held_sequence = 0
        self.forked = False
        self._welcomed = False
        self._again = False
        self._refusal: pb.RefusalCode.ValueType | None = None
        self._hello_due: float | None = None
        self._hello_wait = 0.0
        self._reported: set[pb.RefusalCode.ValueType] = set()
        journal.observe(lambda _entry, _fact: self._moved.set())
        link.on_change(self._on_link)

    def _on_link(self, welcome: pb.Welcome | None) -> None:
        self._welcomed, self._hello_due = welcome is not None, None
        if welcome is not None:
            self.held_sequence = welcome.held_sequence
            self.forked = not self._continues(welcome)
            if self.forked:
                self._log.event("journal.forked", held_sequence=welcome.held_sequence)
            elif not self._behind:
                self._refusal = None
        self._moved.set()

    def _continues(self, welcome: pb.Welcome) -> bool:
        """Whether what the host holds is the beginning of what we have."""
        if welcome.held_sequence == 0:
            return True
        try:
            entry = next(self._journal.entries(welcome.held_sequence, 1), None)
        except JournalError as error:
            self._log.event("journal.failed", reason=str(error))
            return True  # Nobody can tell. Nothing more is written, and what is there is sent as far as it can be read.
        return entry is not None and entry.hash == (welcome.held_hash or GENESIS)

    @property
    def refused(self) -> bool:
        """Whether the host does not take what goes up, so that nothing of it moves although the host is there: it
        refused the last batch, for another reason than being busy, or the journal is forked.
        """
        return self.forked or self._refusal is not None

    def unreplicated(self, currency: Currency) -> Money:
        """What the notes are worth that only this machine knows of."""
        return self._journal.fold.value_decided_after((self._journal.epoch, self.held_sequence), currency)

    async def run(self) -> None:
        """Replicate until cancelled."""
        while True:
            await self._wait()
            async with self._held:
                self._held.notify_all()  # A welcome, too, says what is held.
            self._again = False
            self._say_hello_if_due()
            try:
                while self._welcomed and not self.forked and self._behind:
                    await self._send_batch()
            except HostAway:
                self._again = True  # Where the connection is gone, the next welcome says where to go on.
            except HostRefused as error:
                self._refused(error)
            except JournalError as error:
                # It takes no record any more, and this terminal no money. What could be read is at the host.
                self._log.event("journal.failed", reason=str(error))
                self._welcomed = False

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
    def _behind(self) -> bool:
        return self._journal.last is not None and self._journal.last.sequence > self.held_sequence

    async def _send_batch(self) -> None:
        entries = [
            journal_pb2.JournalEntry(
                epoch=entry.epoch,
                sequence=entry.sequence,
                previous_hash=entry.previous_hash,
                hash=entry.hash,
                record=entry.record,
            )
            for entry in _that_fit(self._journal.entries(self.held_sequence + 1, MAX_RECORDS_PER_BATCH))
        ]
        answer = await self._link.request(pb.ConnectRequest(journal=pb.JournalBatch(entries=entries)))
        if answer.journal_held.sequence <= self.held_sequence:
            raise HostAway("the host holds no more than before")
        self._refusal, self._hello_wait = None, 0.0
        async with self._held:
            self.held_sequence = max(self.held_sequence, answer.journal_held.sequence)
            self._held.notify_all()

    def _refused(self, error: HostRefused) -> None:
        if error.code == pb.REFUSAL_CODE_FORK:
            self.forked = True
        elif error.code == pb.REFUSAL_CODE_BUSY:
            self._again = True
        else:
            self._wait_for_hello(error)
        hello_seconds = self._hello_wait if self._hello_due is not None else None
        self._log.event("journal.refused", reason=str(error), hello_seconds=hello_seconds)

    def _wait_for_hello(self, error: HostRefused) -> None:
        """Only a new hello can tell where to go on, and nobody else causes one: the connection itself is well."""
        self._welcomed, self._refusal = False, error.code
        self._hello_wait = min(self._hello_wait * 2, _RAREST_HELLO_SECONDS) or _FIRST_HELLO_SECONDS
        self._hello_due = asyncio.get_running_loop().time() + self._hello_wait
        if error.code not in self._reported:
            self._reported.add(error.code)
            code = pb.RefusalCode.Name(error.code).removeprefix("REFUSAL_CODE_").lower().replace("_", "-")
            self._report(f"journal-refused-{code}", str(error))

    def _report(self, code: str, text: str) -> None:
        try:
            self._journal.append(journal_pb2.Incident(code=code, device="terminal", text=text))
        except JournalError as error:
            self._log.event("journal.failed", reason=str(error))

    def _say_hello_if_due(self) -> None:
        if self._hello_due is not None and asyncio.get_running_loop().time() >= self._hello_due:
            self._hello_due = None
            self._link.begin_again()

    async def wait_held(self, sequence: int, seconds: float) -> bool:
        """Whether the host holds everything up to ``sequence``, waiting up to ``seconds`` for it."""
        try:
            async with asyncio.timeout(seconds), self._held:
                await self._held.wait_for(lambda: self.held_sequence >= sequence)
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
