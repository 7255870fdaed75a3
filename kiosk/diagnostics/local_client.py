"""Asking the running terminal over its Unix socket."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

import grpc

from guichet.journal.chain import Entry
from guichet.v1 import local_pb2 as pb
from guichet.v1.local_pb2_grpc import LocalTerminalStub
from kiosk.journal.faults import Fault, JournalError

Answer = TypeVar("Answer")
_SECONDS = 30.0


class TerminalNotRunning(Exception):
    """Nobody answers at the socket, or who did stopped before the answer was whole."""


@contextmanager
def local_terminal(socket: Path) -> Generator[LocalTerminalStub]:
    """The running terminal's service. Raises :class:`TerminalNotRunning`, :class:`kiosk.journal.faults.JournalError`
    where the terminal finds its journal broken and, for what is refused or takes too long, RuntimeError.
    """
    if not socket.exists():
        raise TerminalNotRunning(f"no terminal at {socket}")
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        try:
            yield LocalTerminalStub(channel)
        except grpc.RpcError as error:
            if not isinstance(error, grpc.Call):
                raise
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                raise TerminalNotRunning(f"no terminal answers at {socket}") from error
            # Nobody on this side cancels a call: a terminal that ends does so with those that it has not answered.
            if error.code() is grpc.StatusCode.CANCELLED:
                raise TerminalNotRunning(f"the terminal at {socket} stopped before it had answered") from error
            if error.code() is grpc.StatusCode.DATA_LOSS:
                raise _journal_error(error.details() or "") from error
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise RuntimeError(f"the terminal runs, and had not answered in full within {_SECONDS:g} s") from error
            raise RuntimeError(f"{error.code().name}: {error.details()}") from error


def _journal_error(details: str) -> JournalError:
    """What a terminal says of its journal, in which a version to come may know other faults."""
    code, _, text = details.partition(": ")
    try:
        return JournalError(Fault(code), text)
    except ValueError:
        return JournalError(Fault.DAMAGED, details)


def status(socket: Path) -> pb.GetStatusResponse:
    """How the terminal is."""
    with local_terminal(socket) as terminal:
        return terminal.GetStatus(pb.GetStatusRequest(), timeout=_SECONDS)


def self_test(socket: Path, device: str) -> pb.RunSelfTestResponse:
    """Let the terminal test one device."""
    with local_terminal(socket) as terminal:
        return terminal.RunSelfTest(pb.RunSelfTestRequest(device=device), timeout=_SECONDS)


def record_box_exchange(socket: Path, exchanged_by: str, witness: str) -> str:
    """Tell the terminal that its box was exchanged unseen; gives the period that has begun, nothing where it begins
    later.
    """
    request = pb.RecordBoxExchangeRequest(exchanged_by=exchanged_by, witness=witness)
    with local_terminal(socket) as terminal:
        return terminal.RecordBoxExchange(request, timeout=_SECONDS).box_period_id


def read_journal(socket: Path) -> list[Entry]:
    """All that is in the terminal's journal, of every epoch."""
    request = pb.ReadJournalRequest(from_sequence=1, everything=True)
    with local_terminal(socket) as terminal:
        answers = terminal.ReadJournal(request, timeout=_SECONDS)
        entries = [answer.entry for answer in answers]
    return [Entry(e.epoch, e.sequence, e.previous_hash, e.hash, e.record) for e in entries]


def trace_line(socket: Path, device: str, *, follow: bool) -> Iterator[list[str]]:
    """A recording's lines of what goes over a device's line, as they come; first what is kept, perhaps nothing."""
    with local_terminal(socket) as terminal:
        timeout = None if follow else _SECONDS
        for answer in _aside(terminal.TraceLine(pb.TraceLineRequest(device=device, follow=follow), timeout=timeout)):
            yield list(answer.lines)


def _aside(answers: Iterator[Answer]) -> Iterator[Answer]:
    """``answers``, for which another thread waits, never one ahead: Ctrl-C, by which people end this, may not fall into
    the middle of gRPC's locks, for they do not survive that.
    """
    goes_on: SimpleQueue[bool] = SimpleQueue()
    came: SimpleQueue[Answer | _End] = SimpleQueue()

    def wait() -> None:
        end = _End()
        try:
            for answer in answers:
                came.put(answer)
                if not goes_on.get():
                    return
        except BaseException as error:  # Whatever it is, it is raised where somebody hears it.
            end.why = error
        came.put(end)

    Thread(target=wait, daemon=True).start()
    try:
        while not isinstance(one := came.get(), _End):
            yield one
            goes_on.put(True)
        if one.why is not None:
            raise one.why
    finally:
        goes_on.put(False)


@dataclass
class _End:
    """There are no more answers."""

    why: BaseException | None = None
