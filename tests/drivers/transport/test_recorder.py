"""What is kept of a line, and what is not; the line itself stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from drivers.api.device import DeviceIdentity
from drivers.errors import TransportError
from drivers.transport.api import ByteTransport
from drivers.transport.memory import MemoryTransport, memory_pair
from drivers.transport.recorder import (
    FIRST,
    FIRST_BYTES,
    LATEST,
    LATEST_BYTES,
    PIECE,
    RecordedTransport,
    StepWitness,
    Tape,
    recorded,
)
from drivers.transport.recording import Header, Mark, Moment, Recording, from_lines, moment_line
from drivers.transport.shelf import Shelf
from guichet.ids import DeviceSerial

IDENTITY = DeviceIdentity("ccnet", "SM", DeviceSerial("0001"), "1.0", False)


class Line:
    """A recorded line in memory, whose device can say who it is."""

    def __init__(self, *, secret: bool = False) -> None:
        self.now = 10.0
        self.identity: DeviceIdentity | None = None
        self.began_us = 1_790_000_000_000_000
        self.tape = Tape(self._header, lambda: self.identity)
        if not secret:
            self.tape.reveal()
        self.far: MemoryTransport

    def _header(self) -> Header:
        return Header("cash", "ccnet", "memory", {}, self.began_us, self.identity)

    async def open(self) -> RecordedTransport:
        opened = await recorded(self._open, self.tape, lambda: self.now)("memory")
        assert isinstance(opened, RecordedTransport)
        return opened

    async def _open(self, address: str) -> ByteTransport:
        assert address == "memory"
        near, self.far = memory_pair("cash")
        return near

    @property
    def kept(self) -> Recording:
        so_far = self.tape.so_far()
        assert so_far is not None
        return so_far

    @property
    def lines(self) -> list[str]:
        return [moment_line(moment) for moment in self.kept.moments]


async def test_what_is_written_and_read_is_kept_with_its_time_and_passes_unchanged() -> None:
    line = Line()
    assert line.tape.so_far() is None
    near = await line.open()
    near.write(b"\x02\x03")
    assert await line.far.read() == b"\x02\x03"
    line.now = 10.25
    line.far.write(b"\x06")
    assert await near.read() == b"\x06"
    await near.drained()
    near.close()
    near.close()
    assert line.lines == ["10.0 > 02 03", "10.25 < 06", "10.25 ."]


async def test_that_nothing_was_written_is_not_kept() -> None:
    line = Line()
    near = await line.open()
    near.write(b"")
    near.write(b"\x01")
    assert line.lines == ["10.0 > 01"]


async def test_what_could_not_be_written_is_not_kept() -> None:
    line = Line()
    near = await line.open()
    line.far.close()
    with pytest.raises(TransportError):
        near.write(b"\x00")
    with pytest.raises(TransportError):
        await near.read()
    assert line.lines == []


async def test_of_a_line_with_secrets_only_the_count_is_kept() -> None:
    line = Line(secret=True)
    near = await line.open()
    near.write(b"4000000000000002")
    assert line.lines == ["10.0 > withheld 16"]
    assert not line.kept.whole


async def test_a_machine_tells_what_it_was_given() -> None:
    line = Line()
    near = await line.open()
    assert isinstance(near, StepWitness)
    near.step(9.5, "tick")
    assert line.lines == ["9.5 ! tick"]


async def test_who_the_device_is_is_kept_when_it_is_learnt_and_when_it_changes() -> None:
    line = Line()
    near = await line.open()
    near.write(b"\x01")
    line.identity = IDENTITY
    near.write(b"\x02")
    near.write(b"\x03")
    assert [moment.mark for moment in line.kept.moments] == [Mark.SENT, Mark.SENT, Mark.IDENTITY, Mark.SENT]
    assert line.kept.identity == IDENTITY
    await line.open()
    assert line.kept.header.identity == IDENTITY, "of the next connection it is known from the beginning"


async def test_the_beginning_and_the_latest_are_kept_and_between_them_a_gap_is_told() -> None:
    line = Line()
    near = await line.open()
    for number in range(FIRST + LATEST + 7):
        near.step(float(number), "tick")
    moments = line.kept.moments
    assert len(moments) == FIRST + 1 + LATEST
    assert moments[FIRST] == Moment(FIRST - 1.0, Mark.GAP, text="7 moments are not kept")
    assert (moments[FIRST - 1].at, moments[FIRST + 1].at, moments[-1].at) == (255.0, 263.0, FIRST + LATEST + 6.0)


async def test_a_device_that_babbles_fills_no_memory_and_the_gap_is_told() -> None:
    line = Line()
    near = await line.open()
    for number in range(1000):
        line.now = float(number)
        near.write(bytes(4096))
    moments = line.kept.moments
    gaps = [at for at, moment in enumerate(moments) if moment.mark is Mark.GAP]
    assert gaps == [FIRST_BYTES // 4096]
    assert len(moments) == (FIRST_BYTES + LATEST_BYTES) // 4096 + 1
    assert moments[gaps[0]].text == f"{1000 - len(moments) + 1} moments are not kept"
    assert moments[-1].at == 999.0


async def test_what_is_written_at_once_and_is_long_is_kept_in_pieces() -> None:
    line = Line()
    heard: list[Moment] = []

    class Listener:
        def began(self, header: Header) -> None:
            assert header.device == "cash"

        def heard(self, moment: Moment) -> None:
            heard.append(moment)

    line.tape.listen(Listener())
    receipt = bytes(range(256)) * 200
    (await line.open()).write(receipt)
    assert [len(moment.data) for moment in heard] == [PIECE, PIECE, PIECE, 2048]
    assert b"".join(moment.data for moment in line.kept.moments) == receipt


async def test_another_connection_begins_anew() -> None:
    line = Line()
    (await line.open()).write(b"\x01")
    (await line.open()).write(b"\x02")
    assert line.lines == ["10.0 > 02"]


# --- on disk ----------------------------------------------------------------------------------------------------------


def shelf(line: Line, place: Path, **limits: int) -> tuple[Shelf, list[str], Callable[[], None]]:
    """A shelf that listens, what it says went wrong, and how to end it."""
    failures: list[str] = []
    made = Shelf(place, "cash", failures.append, **limits)
    return made, failures, line.tape.listen(made)


def files(place: Path) -> list[Path]:
    return sorted(place.glob("*.wire"))


async def test_each_connection_is_a_file_that_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    line = Line()
    made, failures, stop = shelf(line, tmp_path / "wire")
    near = await line.open()
    near.write(b"\x01")
    (first,) = files(tmp_path / "wire")
    assert first.name == "cash-000001-20260921T141320.000000Z.wire"
    assert from_lines(first.read_text().splitlines()) == line.kept
    line.began_us += 1
    (await line.open()).write(b"\x02")
    stop()
    near.write(b"\x03")
    made.close()
    one, two = (from_lines(path.read_text().splitlines()).moments for path in files(tmp_path / "wire"))
    assert [moment.data for moment in (*one, *two)] == [b"\x01", b"\x02"]
    assert failures == []


async def test_a_full_file_is_followed_by_another_and_only_the_newest_are_kept(tmp_path: Path) -> None:
    line = Line()
    other = tmp_path / "cash-2-000001-20260921T141320.000000Z.wire"
    other.write_text("of the device cash-2")
    made, failures, _ = shelf(line, tmp_path, file_bytes=400, files=3)
    near = await line.open()
    for number in range(200):
        line.now = float(number)
        near.write(bytes((number,)))
    made.close()
    mine = [path for path in files(tmp_path) if path != other]
    assert len(mine) == 3
    assert all(path.stat().st_size < 500 for path in mine)
    parts = [from_lines(path.read_text().splitlines()) for path in mine]
    assert [part.moments[0].mark for part in parts] == [Mark.GAP] * 3
    kept = [moment.data[0] for part in parts for moment in part.moments if moment.mark is Mark.SENT]
    assert kept == list(range(kept[0], 200)), "nothing is missing between two files"
    assert (failures, other.read_text()) == ([], "of the device cash-2")


async def test_a_clock_that_went_back_makes_no_recording_older(tmp_path: Path) -> None:
    """As on a board without a battery, which begins in 1970 each time that it is started."""
    line = Line()
    for life, began_us in enumerate((1_790_000_000_000_000, 1_790_000_000_000_000, 5, 3, 1)):
        line.began_us = began_us
        made, failures, stop = shelf(line, tmp_path, files=3)
        (await line.open()).write(bytes((life,)))
        made.close()
        stop()
        assert failures == []
    kept = [from_lines(path.read_text().splitlines()) for path in files(tmp_path)]
    assert [(one.header.began_us, one.moments[0].data[0]) for one in kept] == [(5, 2), (3, 3), (1, 4)]


async def test_however_many_parts_a_connection_has_the_one_being_written_stays(tmp_path: Path) -> None:
    line = Line()
    (tmp_path / "cash-000993-20260921T141320.000000Z.wire").write_text("another life's\n")
    (tmp_path / "cash-999990-20260921T141320.000000Z.wire").write_text("another life's\n")
    made, failures, _ = shelf(line, tmp_path, file_bytes=150, files=3)
    near = await line.open()
    for number in range(60):
        near.write(bytes((number,)))
    made.close()
    kept = {int(path.name.split("-")[1]): path for path in files(tmp_path)}
    newest = max(kept)
    assert (len(kept), newest > 1_000_003) == (3, True), "past the sixth digit, which names no longer sort by"
    assert set(kept) == {newest - 2, newest - 1, newest}
    assert "> 3B" in kept[newest].read_text()
    assert failures == []


async def test_a_disk_that_refuses_ends_the_recording_and_not_the_line(tmp_path: Path) -> None:
    line = Line()
    place = tmp_path / "wire"
    place.write_text("a file where the folder should be")
    _, failures, _ = shelf(line, place)
    near = await line.open()
    near.write(b"\x01")
    near.write(b"\x02")
    assert await line.far.read() == b"\x01\x02"
    assert len(failures) == 1
    assert str(place) in failures[0]


def test_a_shelf_that_hears_nothing_writes_nothing(tmp_path: Path) -> None:
    Shelf(tmp_path, "cash", pytest.fail).close()
    assert files(tmp_path) == []
