"""Hands on a simulated device: one line asks, one line answers, whatever the line is."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drivers.simulation.control import ask, serve_control


async def act(line: str) -> str:
    match line:
        case "fail":
            raise ValueError("no\nway")
        case "missing":
            raise KeyError("thing")
        case "nothing":
            return ""
        case _:
            return f"did {line}"


@pytest.fixture
async def control(run_dir: Path) -> AsyncIterator[Path]:
    path = run_dir / "control-test"
    server = await serve_control(path, act)
    yield path
    server.close()
    await server.wait_closed()


async def asked(path: Path, line: str) -> str:
    return await asyncio.to_thread(ask, path, line)


async def test_a_line_is_done_and_answered(control: Path) -> None:
    assert await asked(control, "  grüße 漢 ") == "did grüße 漢"
    assert await asked(control, "nothing") == ""


async def test_a_line_that_fails_says_why_in_one_line(control: Path) -> None:
    with pytest.raises(ValueError, match=r"^no way$"):
        await asked(control, "fail")
    with pytest.raises(ValueError, match="thing"):
        await asked(control, "missing")


async def test_a_line_too_long_is_refused(control: Path) -> None:
    with pytest.raises(ValueError, match="line too long"):
        await asked(control, "x" * 100_000)
    assert await asked(control, "still there") == "did still there"


async def test_bytes_that_are_no_text_are_refused_and_the_next_line_is_heard(control: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(control)
    writer.write(b"\xff\xfe\nnext\n")
    assert (await reader.readline()).startswith(b"error ")
    assert await reader.readline() == b"ok did next\n"
    writer.close()
    await writer.wait_closed()


async def test_nobody_there_is_an_os_error(run_dir: Path) -> None:
    with pytest.raises(OSError, match="nobody answers: No such file"):
        await asked(run_dir / "nobody", "x")


async def test_a_file_is_not_replaced_by_the_socket(run_dir: Path) -> None:
    file = run_dir / "thesis.txt"
    file.write_text("years of work")
    with pytest.raises(FileExistsError, match="stays as it is"):
        await serve_control(file, act)
    assert file.read_text() == "years of work"


async def test_whoever_answers_already_goes_on_doing_so(control: Path) -> None:
    with pytest.raises(OSError, match="somebody answers there already"):
        await serve_control(control, act)
    assert await asked(control, "still there") == "did still there"


async def test_what_a_dead_process_left_is_removed(run_dir: Path) -> None:
    path = run_dir / "left"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    server = await serve_control(path, act)
    assert await asked(path, "hello") == "did hello"
    server.close()
    await server.wait_closed()


async def test_someone_who_hangs_up_at_once_is_no_answer(run_dir: Path) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_unix_server(hang_up, run_dir / "rude")
    with pytest.raises((ValueError, OSError)):
        await asked(run_dir / "rude", "x")
    server.close()
    await server.wait_closed()
