"""Every deposit under a fault script, recorded from the line, happens again from the recording: byte for byte."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from drivers.api.cash import Stacked
from drivers.api.device import DeviceConfig
from drivers.cash.module import CashDevice
from drivers.cash.replay import replay
from drivers.context import DriverContext
from drivers.registry import open_device
from drivers.transport.api import ByteTransport
from drivers.transport.recording import Diverged, Mark, Moment, Recording, from_lines, to_text
from tests.conformance.cases import each_file, each_script
from tests.conformance.choice import is_ours
from tests.conformance.recordings import HERE, text_of, words_of
from tests.conformance.results import scripted
from tests.conformance.subject import Subject
from tests.conformance.test_faults import CERTAIN, LEAVES_A_DOUBT


async def no_line(address: str) -> ByteTransport:
    raise AssertionError(address)


def device_of(recording: Recording) -> CashDevice:
    """The driver that made a recording, by its header alone."""
    header = recording.header
    config = DeviceConfig(header.device, header.driver, header.address, header.options)
    device = open_device(config, DriverContext(time.monotonic, bytes, no_line))
    assert isinstance(device, CashDevice)
    return device


@each_script(*CERTAIN, *LEAVES_A_DOUBT)
def test_a_recorded_deposit_happens_again_byte_for_byte(subject: Subject, script: str) -> None:
    recordings = scripted(subject, script).recordings
    stacked = 0
    for recording in recordings:
        assert from_lines(to_text(recording).splitlines()) == recording
        done = replay(device_of(recording).new_machine(), recording)
        sent = sum(len(moment.data) for moment in recording.moments if moment.mark is Mark.SENT)
        assert done.sent == sent > 0
        stacked += sum(isinstance(event, Stacked) for _, event in done.events)
    assert stacked >= 1


def test_a_replay_that_differs_in_one_byte_says_where(subject: Subject) -> None:
    recording = scripted(subject, "").recordings[0]
    at = max(number for number, moment in enumerate(recording.moments) if moment.mark is Mark.SENT)
    moments = list(recording.moments)
    last = moments[at]
    moments[at] = Moment(last.at, last.mark, last.data[:-1] + bytes((last.data[-1] ^ 1,)))
    with pytest.raises(Diverged, match=r"^moment \d+: recorded > .*, now > "):
        replay(device_of(recording).new_machine(), Recording(recording.header, tuple(moments)))


def test_a_replay_in_which_the_device_said_something_else_differs(subject: Subject) -> None:
    """A recorder that lost the answers would replay nothing but time-outs: the answers matter."""
    recording = scripted(subject, "").recordings[0]
    heard = [number for number, moment in enumerate(recording.moments) if moment.mark is Mark.RECEIVED]
    moments = [moment for number, moment in enumerate(recording.moments) if number != heard[2]]
    with pytest.raises(Diverged):
        replay(device_of(recording).new_machine(), Recording(recording.header, tuple(moments)))


# --- recordings that are kept -----------------------------------------------------------------------------------------


@pytest.fixture
def kept(file: str, subject: Subject, recordings: Path | None) -> Path:
    """The recording of a subject that was made once. Ours is there; somebody else's may be."""
    if is_ours(subject):
        return HERE / file
    if recordings is None:
        pytest.skip(f"no recording of {subject.driver} here: --recordings FOLDER says where it is")
    if not (recordings / file).exists():
        pytest.skip(f"{recordings} has no {file}: python -m tests.conformance.recordings --subject ... --into it")
    return recordings / file


@each_file()
def test_a_driver_says_what_it_said_when_it_was_recorded(subject: Subject, file: str, kept: Path) -> None:
    """Red after a change of a driver: look at the difference, and make the recordings anew where it is meant."""
    with kept.open(encoding="ascii") as lines:
        recording = from_lines(lines)
    done = replay(device_of(recording).new_machine(), recording)
    assert sum(isinstance(event, Stacked) for _, event in done.events) == 5
    assert recording.identity is not None
    assert recording.identity.driver == subject.driver


@each_file()
def test_the_recording_that_is_kept_is_the_one_that_would_be_made_today(
    subject: Subject, file: str, kept: Path
) -> None:
    """Red after a change of a driver, a simulator or the rig: ``python -m tests.conformance.recordings``."""
    assert text_of(subject) == kept.read_text(encoding="ascii")


@each_file()
def test_a_recording_is_shown_in_words(subject: Subject, file: str, kept: Path) -> None:
    words = words_of(kept)
    assert words == kept.with_suffix(".txt").read_text(encoding="ascii")
    assert "UNREADABLE" not in words
    assert not any(line.rstrip().endswith("encrypted") for line in words.splitlines())
