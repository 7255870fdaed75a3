"""Acting on a simulated device from outside: one line asks, one line answers, over a Unix socket.

The first word of an answer is ``ok`` or ``error``; what follows is for people or, where a command says so, JSON. Where
it has several lines, a vertical tab stands between two of them.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

_MAX_LINE = 64 * 1024
_ANSWER_SECONDS = 30.0
_KNOCK_SECONDS = 1.0
_NEW_LINE = "\v"

HandleLine = Callable[[str], Awaitable[str]]
"""Takes a line without its end, gives the answer's text; raises ValueError for what it does not understand."""


async def serve_control(path: Path, handle: HandleLine) -> asyncio.Server:
    """Answer lines at ``path`` until the server is closed. Raises OSError where that is a file, or where somebody else
    answers already.
    """

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write((await _answer(handle, line)).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            writer.write(b"error line too long\n")
        finally:
            writer.close()

    _make_room(path)
    return await asyncio.start_unix_server(converse, path, limit=_MAX_LINE)


def _make_room(path: Path) -> None:
    """Remove what a dead process has left there, and nothing else."""
    if not path.is_socket():
        if path.exists():
            raise FileExistsError(errno.EEXIST, "there is something else, which stays as it is", str(path))
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.settimeout(_KNOCK_SECONDS)
        try:
            other.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except OSError:
            pass  # Somebody is there, and has too much to do to answer.
    raise OSError(errno.EADDRINUSE, "somebody answers there already", str(path))


async def _answer(handle: HandleLine, line: bytes) -> str:
    try:
        answer = await handle(line.decode("utf-8").strip())
    except (ValueError, LookupError, OSError) as error:
        return f"error {error}".replace("\n", " ")
    return f"ok {answer}".rstrip().replace("\n", _NEW_LINE)


def ask(path: Path, line: str) -> str:
    """Send one line and return what follows ``ok``. Raises ValueError with the text of an ``error`` answer, and OSError
    where nobody listens. Blocks; for tests, scripts and the command line.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line_to:
        line_to.settimeout(_ANSWER_SECONDS)
        try:
            line_to.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError) as error:
            raise type(error)(error.errno, f"nobody answers: {error.strerror}", str(path)) from error
        line_to.sendall(line.encode() + b"\n")
        with line_to.makefile("rb") as answers:
            answer = answers.readline().decode().strip()
    verdict, _, text = answer.partition(" ")
    if verdict != "ok":
        raise ValueError(text or "no answer")
    return text.replace(_NEW_LINE, "\n")
