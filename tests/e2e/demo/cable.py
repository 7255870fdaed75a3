"""The cable between kiosk and host: a relay that can be pulled out and put back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine


class Cable:
    """Carries TCP from ``port`` on 127.0.0.1 to the host's port, in a thread of its own."""

    def __init__(self, host_port: int) -> None:
        self._host_port = host_port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="cable", daemon=True)
        self._lines: set[asyncio.StreamWriter] = set()
        self._carrying: set[asyncio.Task[object]] = set()
        self._plugged = True
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._carry, "127.0.0.1", 0))
        self.port = int(self._server.sockets[0].getsockname()[1])

    def _run(self, work: Coroutine[object, object, asyncio.Server]) -> asyncio.Server:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def pull(self) -> None:
        """Nothing gets through any more."""
        self._plugged = False
        self._loop.call_soon_threadsafe(self._hang_up)

    def plug_in(self) -> None:
        """It carries again."""
        self._plugged = True

    def close(self) -> None:
        """Take it away."""
        asyncio.run_coroutine_threadsafe(self._take_away(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _take_away(self) -> None:
        self._server.close()
        self._hang_up()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    def _hang_up(self) -> None:
        for line in self._lines:
            line.transport.abort()
        self._lines.clear()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._plugged:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        if task is not None:
            self._carrying.add(task)
            task.add_done_callback(self._carrying.discard)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._host_port)
        except OSError:  # Nobody is at the host's end: as good as pulled.
            writer.transport.abort()
            return
        self._lines |= {writer, far_writer}
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        self._lines -= {writer, far_writer}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass  # Pulled, or the other end is gone: both ends hear of it by the close.
    finally:
        writer.close()
