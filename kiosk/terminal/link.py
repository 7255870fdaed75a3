"""The terminal's one connection to its host: items go up with ids, each gets its own result."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass

import grpc

from guichet.ids import ItemId
from guichet.limits import MAX_MESSAGE_BYTES
from guichet.seams import Ids, Random
from guichet.v1 import terminal_link_pb2 as pb
from guichet.v1.terminal_link_pb2_grpc import TerminalLinkStub
from kiosk.log import EventLog
from kiosk.settlement.courier import HostAway, HostRefused
from kiosk.settlement.waiting import Backoff, jittered
from kiosk.terminal.channels import OpenChannel, open_channel
from kiosk.terminal.queries import CustomerQueries, cancelled_by_its_own_task_only

_RETRY = Backoff(first=0.5, longest=30.0)
_HELLO_SECONDS = 10.0
_ITEM_SECONDS = 10.0
_REFUSALS = frozenset({grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED})
# Found out within seconds that a cable was pulled, instead of after TCP's own quarter of an hour.
_OPTIONS = (
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
)


@dataclass(frozen=True, slots=True)
class HostAddress:
    """Where the host is and as whom to come; ``credentials`` carry the terminal's certificate."""

    target: str
    credentials: grpc.ChannelCredentials


class HostLink:
    """Keeps the stream up for as long as it runs; everything else waits for it or does without.

    ``refused``: the host is there and does not let this terminal in: its certificate is over or was withdrawn.
    """

    def __init__(
        self,
        address: HostAddress,
        hello: Callable[[], pb.Hello],
        ids: Ids,
        random: Random,
        log: EventLog,
        open_channel: OpenChannel = open_channel,
    ) -> None:
        self._open_channel = open_channel
        self._address = address
        self._hello = hello
        self._ids = ids
        self._random = random
        self._log = log
        self._outgoing: asyncio.Queue[pb.ConnectRequest] = asyncio.Queue(maxsize=64)
        self._waiting: dict[ItemId, asyncio.Future[pb.ConnectResponse]] = {}
        self._listeners: list[Callable[[pb.Welcome | None], None]] = []
        self._queries: CustomerQueries | None = None
        self._leave = asyncio.Event()
        self._retry = _RETRY.first
        self.connected = False
        self.refused = False

    def on_change(self, listener: Callable[[pb.Welcome | None], None]) -> None:
        """``listener`` hears the host's welcome at every connection, and None when it is lost or first refused."""
        self._listeners.append(listener)

    @property
    def queries(self) -> CustomerQueries:
        """The customer's questions, over the same connection. Raises :class:`HostAway` while there is none."""
        if self._queries is None or not self.connected:
            raise HostAway("not connected")
        return self._queries

    def begin_again(self) -> None:
        """End this connection and say hello over a new one. Does nothing while there is none."""
        if self.connected:
            self._leave.set()

    async def request(self, item: pb.ConnectRequest) -> pb.ConnectResponse:
        """Send ``item`` and return its result. Raises :class:`kiosk.settlement.courier.HostAway` and
        :class:`kiosk.settlement.courier.HostRefused`.
        """
        if not self.connected:
            raise HostAway("not connected")
        return await self._exchange(item, _ITEM_SECONDS)

    async def _exchange(self, item: pb.ConnectRequest, seconds: float) -> pb.ConnectResponse:
        item.item_id = self._ids.new()
        result: asyncio.Future[pb.ConnectResponse] = asyncio.get_running_loop().create_future()
        self._waiting[ItemId(item.item_id)] = result
        try:
            async with asyncio.timeout(seconds):
                await self._outgoing.put(item)
                response = await result
        except TimeoutError as error:
            raise HostAway("no answer in time") from error
        finally:
            self._waiting.pop(ItemId(item.item_id), None)
        if response.WhichOneof("item") == "refused":
            raise HostRefused(response.refused.code, response.refused.text, response.refused.sequence)
        return response

    # --- keeping it up ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Connect, and connect again, until cancelled. Raises ExceptionGroup with what its listeners raised."""
        while True:
            try:
                address = self._address
                async with self._open_channel(address.target, address.credentials, _OPTIONS) as channel:
                    await self._use(channel)
            except* (grpc.aio.AioRpcError, HostAway, HostRefused) as group:
                self._log.event("host.away", reason=_reason(group), retry_seconds=round(self._retry, 1))
            await asyncio.sleep(jittered(self._retry, self._random))
            self._retry = _RETRY.after(self._retry)

    async def _use(self, channel: grpc.aio.Channel) -> None:
        """Hold the stream until it ends, by whatever error; nobody takes a connection that is over for one."""
        refused = False
        try:
            await self._hold(channel)
        except* grpc.aio.AioRpcError as group:
            refused = _refuses(group)
            raise
        finally:
            self._lose(refused=refused)

    async def _hold(self, channel: grpc.aio.Channel) -> None:
        self._queries = CustomerQueries(channel)
        self._outgoing = asyncio.Queue(maxsize=64)
        self._leave.clear()
        call = TerminalLinkStub(channel).Connect(self._items())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read(call))
            response = await self._exchange(pb.ConnectRequest(hello=self._hello()), _HELLO_SECONDS)
            self.connected, self.refused, self._retry = True, False, _RETRY.first
            self._log.event("host.connected", held_sequence=response.welcome.held_sequence)
            self._tell(response.welcome)
            await self._leave.wait()
            raise HostAway("told to begin again")

    async def _items(self) -> AsyncIterator[pb.ConnectRequest]:
        while True:
            yield await self._outgoing.get()

    async def _read(self, call: AsyncIterable[pb.ConnectResponse]) -> None:
        with cancelled_by_its_own_task_only():
            async for response in call:
                waiting = self._waiting.get(ItemId(response.answers_item_id))
                if waiting is not None and not waiting.done():
                    waiting.set_result(response)
        raise HostAway("the host ended the connection")

    def _lose(self, *, refused: bool) -> None:
        news = self.connected or (refused and not self.refused)
        self.connected, self.refused = False, refused
        if self._queries is not None:
            self._queries.end()
            self._queries = None
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(HostAway("the connection was lost"))
        if news:
            self._tell(None)

    def _tell(self, welcome: pb.Welcome | None) -> None:
        """Everyone hears it, also after one who fails; then what failed is raised."""
        errors: list[Exception] = []
        for listener in self._listeners:
            try:
                listener(welcome)
            except Exception as error:  # Raised below.
                errors.append(error)
        if errors:
            raise ExceptionGroup("told of the connection", errors)


def _refuses(group: BaseExceptionGroup[BaseException]) -> bool:
    """Whether the host said, in any of these errors, that this terminal may not come in."""
    return group.subgroup(lambda e: isinstance(e, grpc.aio.AioRpcError) and e.code() in _REFUSALS) is not None


def _reason(group: BaseExceptionGroup[BaseException]) -> str:
    """The first real cause in what may be groups in groups."""
    error: BaseException = group
    while True:
        match error:
            case BaseExceptionGroup():
                inner: tuple[BaseException, ...] = error.exceptions
                error = inner[0]
            case grpc.aio.AioRpcError():
                return f"{error.code().name}: {error.details()}"
            case _:
                return str(error)
