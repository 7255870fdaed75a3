"""What the terminal answers on its own machine: status, self-tests, the journal, what goes over a device's line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping

import grpc

from drivers.errors import DeviceError
from guichet.ids import MAX_NAME
from guichet.journal.export import to_message
from guichet.v1 import health_pb2
from guichet.v1 import local_pb2 as pb
from guichet.v1.local_pb2_grpc import LocalTerminalServicer
from kiosk.journal.faults import JournalError
from kiosk.journal.store import Journal
from kiosk.terminal.fitted import Fitted
from kiosk.terminal.line_follower import LineFollower

_A_FEW = 256


def _is_name(text: str) -> bool:
    return bool(text.strip()) and len(text) <= MAX_NAME and text.isprintable()


MOST_FOLLOWERS = 8
"""So many may look at the devices' lines at once: each takes memory of a process that has better to do."""


class LocalTerminal(LocalTerminalServicer):
    """The service; on the same Unix socket as the screen's. ``journal`` is None where it could not be opened."""

    def __init__(
        self,
        terminal_id: str,
        devices: Mapping[str, Fitted],
        journal: Journal | None,
        health: Callable[[], health_pb2.TerminalHealth],
        connected: Callable[[], bool],
        session_open: Callable[[], bool],
        box_was_exchanged: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._terminal_id = terminal_id
        self._devices = devices
        self._journal = journal
        self._health = health
        self._connected = connected
        self._session_open = session_open
        self._box_was_exchanged = box_was_exchanged
        self._followers = 0

    async def GetStatus(
        self,
        request: pb.GetStatusRequest,
        context: grpc.aio.ServicerContext[pb.GetStatusRequest, pb.GetStatusResponse],
    ) -> pb.GetStatusResponse:
        """How the terminal is."""
        return pb.GetStatusResponse(
            terminal_id=self._terminal_id,
            health=self._health(),
            host_connected=self._connected(),
            session_open=self._session_open(),
        )

    async def RunSelfTest(
        self,
        request: pb.RunSelfTestRequest,
        context: grpc.aio.ServicerContext[pb.RunSelfTestRequest, pb.RunSelfTestResponse],
    ) -> pb.RunSelfTestResponse:
        """One device's own test. Never under a customer's hands."""
        if request.device not in self._devices:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no device {request.device!r}: {', '.join(self._devices)}")
        if self._session_open():
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "a session is open")
        try:
            steps = await self._devices[request.device].device.self_test()
        except DeviceError as error:
            failed = pb.SelfTestStep(name="device", passed=False, detail=str(error))
            return pb.RunSelfTestResponse(passed=False, steps=[failed])
        return pb.RunSelfTestResponse(
            passed=all(step.passed for step in steps),
            steps=[pb.SelfTestStep(name=step.name, passed=step.passed, detail=step.detail) for step in steps],
        )

    async def ReadJournal(
        self,
        request: pb.ReadJournalRequest,
        context: grpc.aio.ServicerContext[pb.ReadJournalRequest, pb.ReadJournalResponse],
    ) -> AsyncIterator[pb.ReadJournalResponse]:
        """The chain from a sequence on, as it is now."""
        if request.from_sequence < 1:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "sequences begin at 1")
        if self._journal is None:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the journal could not be opened")
            return
        try:
            place = (0, 0) if request.everything else (self._journal.epoch, request.from_sequence - 1)
            # A little at a time: there may be hundreds of thousands, and a note may be on its way meanwhile.
            while some := self._journal.behind(place, _A_FEW):
                for entry in some:
                    yield pb.ReadJournalResponse(entry=to_message(entry))
                place = (some[-1].epoch, some[-1].sequence)
        except JournalError as error:
            await context.abort(grpc.StatusCode.DATA_LOSS, f"{error.fault.value}: {error.text}")

    async def RecordBoxExchange(
        self,
        request: pb.RecordBoxExchangeRequest,
        context: grpc.aio.ServicerContext[pb.RecordBoxExchangeRequest, pb.RecordBoxExchangeResponse],
    ) -> pb.RecordBoxExchangeResponse:
        """A box was exchanged that nobody saw leave."""
        if not _is_name(request.exchanged_by) or (request.witness and not _is_name(request.witness)):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"a name has 1 to {MAX_NAME} printable characters")
        if self._journal is None:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the journal could not be opened")
            return pb.RecordBoxExchangeResponse()
        if self._session_open():
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "a session is open")
        before = self._journal.fold.box_period
        witness = f", {request.witness} looked on" if request.witness else ""
        try:
            recorded = self._box_was_exchanged(f"exchanged unseen, says {request.exchanged_by}{witness}")
        except JournalError as error:
            await context.abort(grpc.StatusCode.DATA_LOSS, f"{error.fault.value}: {error.text}")
            return pb.RecordBoxExchangeResponse()
        if not recorded:
            text = "a deposit is open, or a note may still be on its way: try again when the slot is at rest"
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, text)
        period = self._journal.fold.box_period
        fresh = period is not None and period != before
        return pb.RecordBoxExchangeResponse(box_period_id=period.box_period_id if fresh and period else "")

    async def TraceLine(
        self,
        request: pb.TraceLineRequest,
        context: grpc.aio.ServicerContext[pb.TraceLineRequest, pb.TraceLineResponse],
    ) -> AsyncIterator[pb.TraceLineResponse]:
        """What went over a line, and what goes."""
        tapes = {name: one.tape for name, one in self._devices.items() if one.tape is not None}
        tape = tapes.get(request.device)
        if tape is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no line of {request.device!r}: {', '.join(tapes)}")
            return
        if self._followers >= MOST_FOLLOWERS:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"{MOST_FOLLOWERS} look at lines already: end one")
            return
        self._followers += 1
        try:
            with LineFollower(tape) as follower:
                for lines in follower.kept():
                    yield pb.TraceLineResponse(lines=lines)
                while request.follow:
                    yield pb.TraceLineResponse(lines=await follower.more())
        finally:
            self._followers -= 1
