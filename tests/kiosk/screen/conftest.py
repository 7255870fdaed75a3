"""A window off screen for tests in this process, and a terminal that is nothing but its end of the contract."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc.aio
import pytest

from drivers.simulation.control import ask
from guichet.v1 import screen_pb2 as pb
from guichet.v1.screen_pb2_grpc import ScreenServicer, add_ScreenServicer_to_server

DEADLINE = 30.0
DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")


class FakeTerminal(ScreenServicer):
    """Sends the views that a test shows and keeps what the screen sends."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._view = pb.View()
        self._changed = asyncio.Event()
        self._server: grpc.aio.Server | None = None
        self.received: asyncio.Queue[pb.AttachRequest] = asyncio.Queue()

    async def start(self, view: pb.View) -> None:
        self._view = view
        self._server = grpc.aio.server()
        add_ScreenServicer_to_server(self, self._server)
        self._server.add_insecure_port(f"unix:{self._socket}")
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(None)
        self._server = None

    async def Attach(self, request_iterator, context):  # pyright: ignore
        reader = asyncio.create_task(self._read(request_iterator))  # pyright: ignore
        try:
            while True:
                sent = self._view
                yield pb.AttachResponse(view=sent)
                while self._view is sent:
                    await self._changed.wait()
        finally:
            reader.cancel()

    async def _read(self, requests: AsyncIterator[pb.AttachRequest]) -> None:
        async for request in requests:
            self.received.put_nowait(request)

    def show(self, view: pb.View) -> None:
        self._view = view
        self._changed.set()
        self._changed = asyncio.Event()

    async def receive(self, kind: str) -> pb.AttachRequest:
        """The next event of a kind; others before it are passed over."""
        async with asyncio.timeout(DEADLINE):
            while True:
                request = await self.received.get()
                if request.WhichOneof("event") == kind:
                    return request

    async def shown(self, view: pb.View) -> None:
        """Show a view and wait until the screen says that it is on the glass."""
        self.show(view)
        while (await self.receive("shown")).shown.view_id != view.view_id:
            pass


class ScreenProcess:
    """A real screen process with a hand."""

    def __init__(self, process: asyncio.subprocess.Process, hand: Path) -> None:
        self.process = process
        self._hand = hand

    async def hand(self, line: str) -> str:
        return await asyncio.to_thread(ask, self._hand, line)


@asynccontextmanager
async def screen_process(directory: Path, size: str, **environment: str) -> AsyncGenerator[ScreenProcess]:
    """The screen of the terminal at ``directory``/terminal, ended by SIGTERM, which it must obey."""
    arguments = ["--socket", str(directory / "terminal"), "--hand", str(directory / "hand"), "--size", size]
    inherited = {name: value for name, value in os.environ.items() if name not in DISPLAYS}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "kiosk.screen.main", *arguments, env=inherited | environment
    )
    try:
        yield ScreenProcess(process, directory / "hand")
        process.terminate()
        async with asyncio.timeout(DEADLINE):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
def place(run_dir: Path, request: pytest.FixtureRequest) -> Path:
    """A directory of the test's own with a short path, for sockets."""
    path = run_dir / f"screen-{abs(hash(request.node.nodeid)) % 10**8}"
    path.mkdir()
    return path


@pytest.fixture
async def terminal(place: Path) -> AsyncIterator[FakeTerminal]:
    fake = FakeTerminal(place / "terminal")
    yield fake
    await fake.stop()


@pytest.fixture(scope="session")
def window(run_dir: Path) -> Iterator[None]:
    """Kivy's one window of this process, off screen. Kivy may be imported by tests that ask for this."""
    from kiosk.screen.window import prepare

    before = dict(os.environ)
    for name in DISPLAYS:
        os.environ.pop(name, None)
    (run_dir / "kivy").mkdir()
    prepare(540, 960, run_dir / "kivy")
    from kivy.base import runTouchApp  # pyright: ignore
    from kivy.uix.widget import Widget

    from kiosk.screen.app import ScreenApp

    app = ScreenApp(Widget())
    app._run_prepare()  # pyright: ignore
    runTouchApp(embedded=True)  # everything but the loop, which the tests turn
    os.environ.clear()
    os.environ.update(before)  # other processes' windows are their own affair
    yield
    app.stop()  # pyright: ignore
