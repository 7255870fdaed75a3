"""The network between terminals and host: gRPC's own stubs and servicers over messages that are delayed, lost with
their connection, held by a partition, repeated, or overtaken.

A connection is a process of nobody's: what was sent arrives also when its sender is dead by then.
"""

from __future__ import annotations

import asyncio
import random
import traceback
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, cast

import grpc
from grpc.aio import Metadata

from tests.simulation.loop import Life, WorldLoop, life_now, require_alive

_KEEPALIVE_SECONDS = 13.0
_HOST_KEEPALIVE_SECONDS = 50.0
_CONNECT_SECONDS = 20.0
# Timers of one moment go off in any order.
_APART = 1e-6
_END = object()

Handler = Callable[[Any, Any], Any]


@dataclass(slots=True)
class Weather:
    """How a terminal's way to the host is. ``down``: nothing gets through, and nobody hears of it. Probabilities, of a
    message: ``repeats`` to arrive twice, ``overtakes`` to arrive before the one in front of it.
    """

    latency: float = 0.01
    jitter: float = 0.01
    down: bool = False
    repeats: float = 0.0
    overtakes: float = 0.0


class Route:
    """One terminal's way to the host."""

    def __init__(self, loop: WorldLoop, dice: random.Random, on_send: Callable[[str, bytes], None]) -> None:
        self.loop = loop
        self.dice = dice
        self.weather = Weather()
        self.on_send = on_send
        self.connections: list[Connection] = []

    def delay(self) -> float:
        """Seconds that a message is under way now."""
        return self.weather.latency + self.dice.random() * self.weather.jitter

    def cut(self) -> None:
        """Nothing gets through from now on; each end finds out after its own time."""
        self.weather.down = True

    def heal(self) -> None:
        """What waited goes on, where the connection still stands."""
        self.weather.down = False
        for connection in list(self.connections):
            connection.flush()

    def reset(self) -> None:
        """Every connection breaks, with all that is under way on it."""
        for connection in list(self.connections):
            connection.break_off("reset")

    def host_died(self) -> None:
        """Whoever is connected hears it, as soon as anything gets through."""
        for connection in list(self.connections):
            connection.lost_by("host")

    def terminal_died(self, *, silently: bool) -> None:
        """The terminal's process is gone; ``silently``: with its machine, so that nobody says so."""
        for connection in list(self.connections):
            connection.lost_by("terminal", silently=silently)


class Connection:
    """One HTTP/2 connection: messages both ways, each way in order unless the weather says otherwise."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self.open = True
        self._held: list[tuple[Callable[..., None], tuple[object, ...]]] = []
        self._last = {"up": 0.0, "down": 0.0}
        self._broken: list[Callable[[str], None]] = []
        self._gone: list[Callable[[], None]] = []
        self._doomed = False
        route.connections.append(self)

    def on_break(self, terminal: Callable[[str], None], host: Callable[[], None]) -> None:
        """What each end does when it finds the connection gone."""
        self._broken.append(terminal)
        self._gone.append(host)

    def send(self, way: str, deliver: Callable[..., None], *arguments: object, last: bool = False) -> None:
        """Let ``deliver`` be called at the other end; what is ``last`` overtakes nothing."""
        route, weather = self._route, self._route.weather
        now = route.loop.time()
        when = max(now + route.delay(), self._last[way] + _APART)
        if weather.overtakes and not last and route.dice.random() < weather.overtakes:
            when = now + weather.latency / 2
        self._last[way] = max(when, self._last[way])
        route.loop.at(when, self._arrive, deliver, arguments)
        if weather.repeats and not last and route.dice.random() < weather.repeats:
            route.loop.at(when + route.delay(), self._arrive, deliver, arguments)

    def _arrive(self, deliver: Callable[..., None], arguments: tuple[object, ...]) -> None:
        if not self.open:
            return
        if not self._route.weather.down:
            deliver(*arguments)
            return
        self._held.append((deliver, arguments))
        self._notice_later()

    def _notice_later(self) -> None:
        if not self._doomed:
            self._doomed = True
            now = self._route.loop.time()
            self._route.loop.at(now + _KEEPALIVE_SECONDS, self._keepalive, "terminal")
            self._route.loop.at(now + _HOST_KEEPALIVE_SECONDS, self._keepalive, "host")

    def _keepalive(self, end: str) -> None:
        if not self._held:
            self._doomed = False
        elif end == "terminal":
            self._tell_terminal("keepalive timed out")
        else:
            self.break_off("keepalive timed out")

    def flush(self) -> None:
        """What was held arrives now."""
        held, self._held = self._held, []
        self._doomed = False
        for deliver, arguments in held:
            if self.open:
                deliver(*arguments)

    def _tell_terminal(self, why: str) -> None:
        told, self._broken = self._broken, []
        for tell in told:
            tell(why)

    def break_off(self, why: str) -> None:
        """It is over for both ends."""
        if self.open:
            self.open = False
            self._route.connections.remove(self)
            self._tell_terminal(why)
            for tell in self._gone:
                tell()

    def lost_by(self, end: str, *, silently: bool = False) -> None:
        """A process at an end is gone. Its machine says so to the other, unless it is gone too."""
        loop = self._route.loop
        wait = _HOST_KEEPALIVE_SECONDS if silently or self._route.weather.down else self._route.delay()
        if end == "host" and self._route.weather.down:
            wait = _KEEPALIVE_SECONDS
        loop.at(loop.time() + wait, self.break_off, f"the {end} is gone")


class _Rpc:
    """One call as both ends have it: queues in between."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.requests: asyncio.Queue[Any] = asyncio.Queue()
        self.answers: asyncio.Queue[Any] = asyncio.Queue()
        self.task: asyncio.Task[None] | None = None
        self.life: Life | None = None
        connection.on_break(self.lost, self.stop)

    def lost(self, why: str) -> None:
        """The terminal hears that nothing more comes."""
        self.answers.put_nowait(_error(grpc.StatusCode.UNAVAILABLE, why))

    def stop(self) -> None:
        """The host stops working on it."""
        if self.task is not None and self.life is not None:
            self.life.soon(self.task.cancel)


def _error(code: grpc.StatusCode, details: str) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, Metadata(), Metadata(), details)


class _Abort(Exception):
    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code, self.details = code, details


class _Context:
    """What a servicer sees of a call."""

    def __init__(self, certificate: bytes) -> None:
        self._certificate = certificate

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        return {"x509_pem_cert": (self._certificate,)} if self._certificate else {}

    def peer(self) -> str:
        return "ipv4:192.0.2.7:40112"

    async def abort(self, code: grpc.StatusCode, details: str = "") -> NoReturn:
        raise _Abort(code, details)


class HostServer:
    """One life's services, under the names that gRPC has for them."""

    def __init__(self, life: Life, on_crash: Callable[[str], None]) -> None:
        self.life = life
        self.on_crash = on_crash
        self._handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    def add_generic_rpc_handlers(self, handlers: Sequence[object]) -> None:
        """The generated code registers each service twice; the second time has the names."""

    def add_registered_method_handlers(self, service: str, methods: Mapping[str, Any]) -> None:
        """The methods of a service."""
        self._handlers.update({f"/{service}/{name}": handler for name, handler in methods.items()})

    def begin(self, method: str, rpc: _Rpc, certificate: bytes) -> None:
        """Work on a call."""
        rpc.life = self.life
        self.life.soon(self._start, method, rpc, certificate)

    def _start(self, method: str, rpc: _Rpc, certificate: bytes) -> None:
        rpc.task = asyncio.get_running_loop().create_task(self._work(self._handlers[method], rpc, certificate))

    async def _work(self, handler: Any, rpc: _Rpc, certificate: bytes) -> None:
        context = _Context(certificate)
        try:
            if handler.stream_stream is not None:
                async for answer in handler.stream_stream(_requests(handler, rpc), context):
                    self._answer(rpc, handler.response_serializer(answer))
            elif handler.unary_stream is not None:
                request = handler.request_deserializer(await rpc.requests.get())
                async for answer in handler.unary_stream(request, context):
                    self._answer(rpc, handler.response_serializer(answer))
            else:
                request = handler.request_deserializer(await rpc.requests.get())
                self._answer(rpc, handler.response_serializer(await handler.unary_unary(request, context)))
        except _Abort as abort:
            self._answer(rpc, _error(abort.code, abort.details))
        except Exception as error:  # As gRPC does; that it came so far is a defect.
            self.on_crash(traceback.format_exc())
            self._answer(rpc, _error(grpc.StatusCode.UNKNOWN, repr(error)))
        else:
            self._answer(rpc, _END)

    def _answer(self, rpc: _Rpc, answer: object) -> None:
        self.life.effect()
        last = not isinstance(answer, bytes)
        rpc.connection.send("down", rpc.answers.put_nowait, answer, last=last)
        self.life.effected()


async def _requests(handler: Any, rpc: _Rpc) -> AsyncIterator[Any]:
    while True:
        data = await rpc.requests.get()
        if data is _END:
            return
        yield handler.request_deserializer(data)


class Exchange:
    """Where channels find the host's life of the moment, by the port that they ask for."""

    def __init__(self) -> None:
        self.servers: dict[str, HostServer] = {}

    def server(self, target: str) -> HostServer | None:
        """Who listens there now."""
        server = self.servers.get(target)
        return server if server is not None and server.life.alive else None


class Channel(grpc.aio.Channel):
    """A terminal's connection, as the generated stubs use one. ``certificate``: what TLS shows the host."""

    def __init__(self, route: Route, exchange: Exchange, target: str, certificate: bytes) -> None:
        self._route, self._exchange, self._target = route, exchange, target
        self._certificate = certificate
        self._connection: Connection | None = None
        self._calls: list[_Call] = []

    async def connect(self) -> tuple[Connection, HostServer]:
        """The connection, made at the first call. Raises AioRpcError where nobody answers."""
        require_alive()
        loop = self._route.loop
        if self._route.weather.down:
            await asyncio.sleep(_CONNECT_SECONDS)
            raise _error(grpc.StatusCode.UNAVAILABLE, "connect timed out")
        await asyncio.sleep(2 * self._route.delay())
        server = self._exchange.server(self._target)
        if server is None or self._route.weather.down:
            raise _error(grpc.StatusCode.UNAVAILABLE, "connection refused")
        if self._connection is None or not self._connection.open:
            self._connection = Connection(self._route)
        del loop
        return self._connection, server

    def _method(self, name: str, encode: Any, decode: Any) -> Any:
        def call(request: Any, *, timeout: float | None = None, **_: object) -> _Call:
            require_alive()
            made = _Call(self, name, self._certificate, encode, decode, request, timeout, self._route.on_send)
            self._calls.append(made)
            return made

        return call

    def unary_unary(
        self,
        method: str,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: bool | None = False,
    ) -> Any:
        return self._method(method, request_serializer, response_deserializer)

    unary_stream = stream_unary = stream_stream = unary_unary

    async def close(self, grace: float | None = None) -> None:
        for call in self._calls:
            call.closed()
        if self._connection is not None and self._connection.open:
            connection, self._connection = self._connection, None
            connection.send("up", connection.break_off, "closed by the terminal", last=True)

    async def __aenter__(self) -> Channel:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        raise NotImplementedError

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        raise NotImplementedError

    async def channel_ready(self) -> None:
        raise NotImplementedError


class _Call:
    """A call in progress: awaited for its one answer, or gone through for many."""

    def __init__(
        self,
        channel: Channel,
        method: str,
        certificate: bytes,
        encode: Any,
        decode: Any,
        request: Any,
        timeout: float | None,
        on_send: Callable[[str, bytes], None],
    ) -> None:
        self._channel, self._method, self._certificate = channel, method, certificate
        self._encode, self._decode, self._request = encode, decode, request
        self._on_send = on_send
        self._answers: asyncio.Queue[Any] = asyncio.Queue()
        self._over = False
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(timeout, self._time_out) if timeout is not None else None
        self._sending = loop.create_task(self._send())

    async def _send(self) -> None:
        try:
            connection, server = await self._channel.connect()
        except grpc.aio.AioRpcError as error:
            self._answers.put_nowait(error)
            return
        rpc = _Rpc(connection)
        rpc.answers = self._answers
        connection.send("up", server.begin, self._method, rpc, self._certificate, last=True)
        if hasattr(self._request, "__aiter__"):
            async for message in self._request:
                self._put(connection, rpc, message)
        else:
            self._put(connection, rpc, self._request)

    def _put(self, connection: Connection, rpc: _Rpc, message: Any) -> None:
        life = life_now()
        data = self._encode(message)
        if life is not None:
            life.effect()
        self._on_send(self._method, data)
        connection.send("up", rpc.requests.put_nowait, data)
        if life is not None:
            life.effected()

    def _time_out(self) -> None:
        self._answers.put_nowait(_error(grpc.StatusCode.DEADLINE_EXCEEDED, "deadline exceeded"))

    def closed(self) -> None:
        """The channel is closed: gRPC ends what is open on it like this."""
        if not self._over:
            self._answers.put_nowait(asyncio.CancelledError())
            self._end()

    def cancel(self) -> bool:
        """Nobody wants the answer any more."""
        self.closed()
        return True

    def _end(self) -> None:
        self._over = True
        self._sending.cancel()
        if self._timer is not None:
            self._timer.cancel()

    async def _next(self) -> Any:
        answer = await self._answers.get()
        if isinstance(answer, BaseException):
            self._end()
            raise answer
        if answer is _END:
            self._end()
            return _END
        return self._decode(answer)

    def __await__(self) -> Any:
        return self._next().__await__()

    async def __aiter__(self) -> AsyncIterator[Any]:
        while (answer := await self._next()) is not _END:
            yield answer


def as_server(server: HostServer) -> grpc.aio.Server:
    """``server`` where the product's registration wants gRPC's own."""
    return cast("grpc.aio.Server", server)
