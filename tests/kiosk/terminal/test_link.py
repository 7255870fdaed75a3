"""The one connection to the host, against a host of a few lines on a real socket."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Coroutine

import grpc
import pytest

from guichet.v1 import customer_pb2
from guichet.v1 import terminal_link_pb2 as pb
from guichet.v1.customer_pb2_grpc import CustomerQueriesServicer, add_CustomerQueriesServicer_to_server
from guichet.v1.terminal_link_pb2_grpc import TerminalLinkServicer, add_TerminalLinkServicer_to_server
from kiosk.log import EventLog
from kiosk.settlement.courier import HostAway, HostRefused
from kiosk.settlement.waiting import Backoff
from kiosk.terminal.link import HostAddress, HostLink
from tests.kiosk.terminal.standing import TERMINAL, Clock, Ids

DEADLINE = 20.0
HEARTBEAT = pb.ConnectRequest(heartbeat=pb.Heartbeat())


class Half:
    """Randomness that is none."""

    def bytes(self, count: int) -> bytes:
        return bytes(count)


class Host(TerminalLinkServicer):
    """Answers hello with a welcome and everything else as the test says: a response, None for silence, or an end."""

    def __init__(self) -> None:
        self.items: list[pb.ConnectRequest] = []
        self.ends: asyncio.Queue[grpc.StatusCode | None] = asyncio.Queue()
        self.answer: Callable[[pb.ConnectRequest], pb.ConnectResponse | None] = lambda _: pb.ConnectResponse(
            noted=pb.Noted()
        )
        self.refuse_hello = False
        self.welcome = lambda: pb.Welcome(held_sequence=7)
        self.desk = SlowDesk()
        self.server = grpc.aio.server()
        add_CustomerQueriesServicer_to_server(self.desk, self.server)
        add_TerminalLinkServicer_to_server(self, self.server)
        self.port = self.server.add_secure_port("127.0.0.1:0", grpc.local_server_credentials())

    async def Connect(
        self,
        request_iterator: AsyncIterator[pb.ConnectRequest],
        context: grpc.aio.ServicerContext[pb.ConnectRequest, pb.ConnectResponse],
    ) -> AsyncIterator[pb.ConnectResponse]:
        async for item in request_iterator:
            self.items.append(item)
            if item.WhichOneof("item") == "hello":
                response: pb.ConnectResponse | None = pb.ConnectResponse(welcome=self.welcome())
                if self.refuse_hello:
                    await context.abort(grpc.StatusCode.PERMISSION_DENIED, "revoked")
            else:
                response = self.answer(item)
            if response is not None:
                response.answers_item_id = response.answers_item_id or item.item_id
                yield response
            # Not after hello: what it is about may be put there only once hello was answered.
            if item.WhichOneof("item") != "hello" and not self.ends.empty():
                code = self.ends.get_nowait()
                if code is None:
                    return
                await context.abort(code, "end")


class SlowDesk(CustomerQueriesServicer):
    """Begins to answer every question and then takes its time over it."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def _for_ever(self) -> None:
        self.asked.set()
        await asyncio.Event().wait()

    async def Authenticate(
        self,
        request: customer_pb2.AuthenticateRequest,
        context: grpc.aio.ServicerContext[customer_pb2.AuthenticateRequest, customer_pb2.AuthenticateResponse],
    ) -> customer_pb2.AuthenticateResponse:
        await self._for_ever()
        return customer_pb2.AuthenticateResponse()

    async def GetBalance(
        self,
        request: customer_pb2.GetBalanceRequest,
        context: grpc.aio.ServicerContext[customer_pb2.GetBalanceRequest, customer_pb2.GetBalanceResponse],
    ) -> customer_pb2.GetBalanceResponse:
        await self._for_ever()
        return customer_pb2.GetBalanceResponse()

    async def StreamStatement(
        self,
        request: customer_pb2.StreamStatementRequest,
        context: grpc.aio.ServicerContext[customer_pb2.StreamStatementRequest, customer_pb2.StreamStatementResponse],
    ) -> AsyncIterator[customer_pb2.StreamStatementResponse]:
        yield customer_pb2.StreamStatementResponse()
        await self._for_ever()


class Log(io.StringIO):
    """A log that can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.written = asyncio.Event()

    def write(self, text: str, /) -> int:
        self.written.set()
        return super().write(text)


class Line:
    """A link and its host."""

    def __init__(self) -> None:
        self.host = Host()
        self.log = Log()
        self.heard: list[pb.Welcome | None] = []
        self.happened = asyncio.Event()
        address = HostAddress(f"127.0.0.1:{self.host.port}", grpc.local_channel_credentials())
        self.link = HostLink(
            address,
            lambda: pb.Hello(software_version="1", epoch=1),
            Ids(),
            Half(),
            EventLog(Clock(), TERMINAL, self.log),
        )
        self.link.on_change(self._hear)
        self.task: asyncio.Task[None] | None = None

    def _hear(self, welcome: pb.Welcome | None) -> None:
        self.heard.append(welcome)
        self.happened.set()

    async def until(self, count: int) -> None:
        """Until the link has changed ``count`` times."""
        async with asyncio.timeout(DEADLINE):
            while len(self.heard) < count:
                self.happened.clear()
                await self.happened.wait()

    async def said(self, word: str, count: int = 1) -> None:
        """Until the log says ``word`` that often."""
        async with asyncio.timeout(DEADLINE):
            while self.log.getvalue().count(word) < count:
                self.log.written.clear()
                await self.log.written.wait()

    async def connected(self) -> None:
        await self.host.server.start()
        self.task = asyncio.create_task(self.link.run())
        await self.until(1)


@pytest.fixture
async def line(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Line]:
    monkeypatch.setattr("kiosk.terminal.link._RETRY", Backoff(0.02, 30.0))
    monkeypatch.setattr("kiosk.terminal.link._HELLO_SECONDS", 1.0)
    line = Line()
    yield line
    if line.task is not None:
        line.task.cancel()
        await asyncio.gather(line.task, return_exceptions=True)
    await line.host.server.stop(0)


async def test_hello_is_the_first_item_and_the_welcome_is_heard(line: Line) -> None:
    with pytest.raises(HostAway):
        await line.link.request(HEARTBEAT)
    await line.connected()
    assert line.link.connected
    welcome = line.heard[0]
    assert welcome is not None
    assert welcome.held_sequence == 7
    assert [item.WhichOneof("item") for item in line.host.items] == ["hello"]


async def test_every_item_gets_its_own_result_in_whatever_order_they_come(line: Line) -> None:
    await line.connected()
    waiting: list[pb.ConnectRequest] = []
    held_back = asyncio.Event()

    def hold_the_first(item: pb.ConnectRequest) -> pb.ConnectResponse | None:
        waiting.append(item)
        held_back.set()
        if len(waiting) == 1:
            return None
        held = pb.JournalHeld(sequence=len(waiting))
        return pb.ConnectResponse(journal_held=held)

    line.host.answer = hold_the_first
    first = asyncio.create_task(line.link.request(pb.ConnectRequest(heartbeat=pb.Heartbeat())))
    async with asyncio.timeout(DEADLINE):
        await held_back.wait()
    second = await line.link.request(pb.ConnectRequest(heartbeat=pb.Heartbeat()))
    assert second.journal_held.sequence == 2
    assert not first.done()
    line.host.answer = lambda _: pb.ConnectResponse(answers_item_id=waiting[0].item_id, noted=pb.Noted())
    third = asyncio.create_task(line.link.request(pb.ConnectRequest(heartbeat=pb.Heartbeat())))
    assert (await first).WhichOneof("item") == "noted"
    third.cancel()
    assert len({item.item_id for item in line.host.items}) == len(line.host.items)


async def test_a_refused_item_says_why(line: Line) -> None:
    await line.connected()
    line.host.answer = lambda _: pb.ConnectResponse(refused=pb.ItemRefused(code=pb.REFUSAL_CODE_GAP, text="say hello"))
    with pytest.raises(HostRefused, match="REFUSAL_CODE_GAP: say hello") as error:
        await line.link.request(HEARTBEAT)
    assert error.value.code == pb.REFUSAL_CODE_GAP
    assert line.link.connected


async def test_an_item_that_stays_without_an_answer_is_given_up(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.terminal.link._ITEM_SECONDS", 0.05)
    await line.connected()
    line.host.answer = lambda _: None
    with pytest.raises(HostAway, match="in time"):
        await line.link.request(HEARTBEAT)
    assert line.link.connected
    line.host.answer = lambda _: pb.ConnectResponse(noted=pb.Noted())
    await line.link.request(HEARTBEAT)


@pytest.mark.parametrize("end", [None, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL], ids=str)
async def test_a_lost_connection_is_heard_and_made_again(line: Line, end: grpc.StatusCode | None) -> None:
    await line.connected()
    line.host.ends.put_nowait(end)
    line.host.answer = lambda _: None
    with pytest.raises(HostAway):
        await line.link.request(HEARTBEAT)
    await line.until(3)
    assert line.heard[1] is None
    assert line.heard[2] is not None
    assert line.link.connected
    assert [item.WhichOneof("item") for item in line.host.items] == ["hello", "heartbeat", "hello"]


async def test_a_host_that_lets_nobody_in_is_tried_again_and_that_is_told_once(line: Line) -> None:
    line.host.refuse_hello = True
    await line.host.server.start()
    line.task = asyncio.create_task(line.link.run())
    await line.said("PERMISSION_DENIED: revoked", 2)
    assert line.heard == [None]
    assert line.link.refused
    with pytest.raises(HostAway):
        _ = line.link.queries
    line.host.refuse_hello = False
    await line.until(2)
    assert line.link.connected
    assert not line.link.refused
    assert line.link.queries is not None


async def test_a_host_that_is_not_there_is_waited_for(line: Line) -> None:
    line.task = asyncio.create_task(line.link.run())
    await line.said("host.away")
    await line.host.server.start()
    await line.until(1)


async def test_the_order_to_stop_ends_it(line: Line) -> None:
    await line.connected()
    assert line.task is not None
    line.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await line.task


# --- the customer's questions ---------------------------------------------------------------------------------------


async def authenticate(link: HostLink) -> None:
    await link.queries.Authenticate(customer_pb2.AuthenticateRequest(), timeout=DEADLINE)


async def balance(link: HostLink) -> None:
    await link.queries.GetBalance(customer_pb2.GetBalanceRequest(), timeout=DEADLINE)


async def statement(link: HostLink) -> None:
    received = 0
    async for _ in link.queries.StreamStatement(customer_pb2.StreamStatementRequest(), timeout=DEADLINE):
        received += 1
        assert received == 1


QUESTIONS = (authenticate, balance, statement)
Question = Callable[[HostLink], Coroutine[None, None, None]]


async def asking(line: Line, question: Question) -> asyncio.Task[None]:
    """A question that the host has got and not answered."""
    await line.connected()
    task = asyncio.create_task(question(line.link))
    async with asyncio.timeout(DEADLINE):
        await line.host.desk.asked.wait()
    return task


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_question_that_is_open_when_only_the_stream_is_lost_ends_as_host_away(
    line: Line, question: Question
) -> None:
    task = await asking(line, question)
    line.host.ends.put_nowait(grpc.StatusCode.UNKNOWN)
    line.host.answer = lambda _: None
    with pytest.raises(HostAway):
        await line.link.request(HEARTBEAT)
    async with asyncio.timeout(DEADLINE / 2):
        with pytest.raises(HostAway):
            await task


@pytest.mark.parametrize("question", QUESTIONS)
async def test_whoever_asks_can_be_cancelled_and_the_connection_stays(line: Line, question: Question) -> None:
    task = await asking(line, question)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await line.link.request(HEARTBEAT)
    assert line.heard.count(None) == 0


async def test_questions_of_a_connection_that_is_over_are_not_asked(line: Line) -> None:
    await line.connected()
    old = line.link.queries
    line.link.begin_again()
    await line.until(3)
    with pytest.raises(HostAway):
        await old.GetBalance(customer_pb2.GetBalanceRequest(), timeout=DEADLINE)
    assert not line.host.desk.asked.is_set()


# --- beginning again ------------------------------------------------------------------------------------------------


async def test_it_can_be_told_to_say_hello_again(line: Line) -> None:
    await line.connected()
    line.link.begin_again()
    await line.until(3)
    assert line.heard[1] is None
    assert line.heard[2] is not None
    assert [item.WhichOneof("item") for item in line.host.items] == ["hello", "hello"]
    assert "told to begin again" in line.log.getvalue()


async def test_without_a_connection_there_is_nothing_to_begin_again(line: Line) -> None:
    line.link.begin_again()
    said_hello = line.host.welcome

    def welcome() -> pb.Welcome:
        line.link.begin_again()  # Just before it hears that it is let in.
        return said_hello()

    line.host.welcome = welcome
    await line.connected()
    await line.link.request(HEARTBEAT)
    assert line.heard.count(None) == 0


@pytest.mark.parametrize("at", ["welcome", "loss"])
async def test_a_listener_that_fails_leaves_no_link_that_only_looks_connected(line: Line, at: str) -> None:
    after = list[pb.Welcome | None]()

    def fails(welcome: pb.Welcome | None) -> None:
        if (welcome is None) is (at == "loss"):
            raise ValueError("a defect")

    line.link.on_change(fails)
    line.link.on_change(after.append)
    await line.connected()
    assert line.task is not None
    line.link.begin_again()
    with pytest.raises(ExceptionGroup) as error:
        await line.task
    assert error.group_contains(ValueError, match="a defect")
    assert not line.link.connected
    with pytest.raises(HostAway):
        await line.link.request(HEARTBEAT)
    with pytest.raises(HostAway):
        _ = line.link.queries
    assert line.heard[-1] is None
    assert after == line.heard


async def test_the_end_of_it_is_heard_too(line: Line) -> None:
    await line.connected()
    assert line.task is not None
    line.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await line.task
    assert not line.link.connected
    assert line.heard[1:] == [None]
