"""A recording plays the device's part."""

from __future__ import annotations

import asyncio

import pytest

from drivers.errors import TransportError
from drivers.transport.player import PlayerTransport
from drivers.transport.recording import Diverged, Header, Mark, Moment, NotPlayable, Recording
from tests.virtual_time import run_virtually

HEADER = Header("cash", "ccnet", "memory")
QUESTION, ANSWER = bytes.fromhex("02030633DA81"), bytes.fromhex("0203061043C7")
EXCHANGE = (
    Moment(100.0, Mark.STEP, text="tick"),
    Moment(100.0, Mark.SENT, QUESTION),
    Moment(100.5, Mark.RECEIVED, ANSWER),
    Moment(101.0, Mark.SENT, b"\x00"),
    Moment(103.0, Mark.RECEIVED, b"\x01"),
)


def player(*moments: Moment) -> PlayerTransport:
    return PlayerTransport(Recording(HEADER, moments or EXCHANGE), asyncio.sleep)


def test_the_device_says_what_it_said_when_the_host_does_and_as_late() -> None:
    async def play() -> None:
        line, loop = player(), asyncio.get_running_loop()
        line.write(QUESTION[:2])
        line.write(QUESTION[2:])
        assert (await line.read(), loop.time()) == (ANSWER, 0.5)
        assert not line.finished.is_set()
        line.write(b"\x00")
        assert (await line.read(), loop.time()) == (b"\x01", 2.5)
        await line.drained()
        await line.finished.wait()

    run_virtually(play())


def test_it_waits_for_what_was_said_before_its_answer() -> None:
    async def play() -> None:
        line = player()
        reading = asyncio.ensure_future(line.read())
        await asyncio.sleep(60)
        assert not reading.done()
        line.write(QUESTION)
        assert await reading == ANSWER

    run_virtually(play())


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (QUESTION[:-1] + b"\x00", r"moment 1: recorded > 02 03 06 33 DA 81, now > 02 03 06 33 DA 00 \(byte 6\)"),
        (QUESTION + b"\x55", r"moment 2: recorded < 02 03 06 10 43 C7, now > 02 03 06 33 DA 81 55 \(byte 7\)"),
    ],
    ids=["another byte", "a byte too many"],
)
def test_the_first_byte_that_differs_ends_the_line(said: bytes, why: str) -> None:
    async def play() -> None:
        line = player()
        with pytest.raises(TransportError, match="diverged: " + why):
            line.write(said)
        assert isinstance(line.diverged, Diverged)
        with pytest.raises(TransportError, match="diverged"):
            await line.read()

    run_virtually(play())


def test_what_is_written_past_the_end_differs_too() -> None:
    async def play() -> None:
        line = player(EXCHANGE[1])
        line.write(QUESTION)
        assert line.finished.is_set()
        with pytest.raises(TransportError, match="moment 2: recorded nothing more"):
            line.write(QUESTION)

    run_virtually(play())


def test_it_hangs_up_where_the_line_was_closed_and_when_it_is_closed() -> None:
    async def play() -> None:
        line = player(Moment(5.0, Mark.CLOSED))
        with pytest.raises(TransportError, match="hung-up"):
            await line.read()
        silent = player(EXCHANGE[1])
        reading = asyncio.ensure_future(silent.read())
        await asyncio.sleep(1)
        silent.close()
        with pytest.raises(TransportError, match="closed"):
            await reading

    run_virtually(play())


@pytest.mark.parametrize("moment", [Moment(1.0, Mark.GAP, text="7"), Moment(1.0, Mark.SENT, withheld=6)])
def test_a_recording_that_is_not_whole_is_not_played(moment: Moment) -> None:
    with pytest.raises(NotPlayable, match="not whole"):
        player(*EXCHANGE, moment)


def test_moments_without_a_byte_are_no_part_of_the_conversation() -> None:
    async def play() -> None:
        line = player(Moment(1.0, Mark.SENT), Moment(1.0, Mark.RECEIVED), *EXCHANGE)
        line.write(QUESTION)
        assert await line.read() == ANSWER

    run_virtually(play())
