"""Every deposit under a fault script, recorded from the line, happens again from the recording: byte for byte."""

from __future__ import annotations

import time

import pytest

from drivers.api.cash import Stacked
from drivers.api.device import DeviceConfig
from drivers.cash.module import CashDevice
from drivers.cash.replay import replay
from drivers.context import DriverContext
from drivers.registry import open_device
from drivers.transport.api import ByteTransport
from drivers.transport.recording import Diverged, Mark, Moment, Recording, from_lines, to_text
from tests.conformance.recordings import RECORDED, path_of, words_of
from tests.conformance.results import scripted
from tests.conformance.subject import SUBJECTS, Subject
from tests.conformance.test_faults import CERTAIN, LEAVES_A_DOUBT, cases, name


async def no_line(address: str) -> ByteTransport:
    raise AssertionError(address)


def device_of(recording: Recording) -> CashDevice:
    """The driver that made a recording, by its header alone."""
    header = recording.header
    config = DeviceConfig(header.device, header.driver, header.address, header.options)
    device = open_device(config, DriverContext(time.monotonic, bytes, no_line))
    assert isinstance(device, CashDevice)
    return device


@pytest.mark.parametrize(("subject", "script"), cases((*CERTAIN, *LEAVES_A_DOUBT)), ids=name)
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


@pytest.mark.parametrize("subject", SUBJECTS, ids=name)
def test_a_replay_that_differs_in_one_byte_says_where(subject: Subject) -> None:
    recording = scripted(subject, "").recordings[0]
    at = max(number for number, moment in enumerate(recording.moments) if moment.mark is Mark.SENT)
    moments = list(recording.moments)
    last = moments[at]
    moments[at] = Moment(last.at, last.mark, last.data[:-1] + bytes((last.data[-1] ^ 1,)))
    with pytest.raises(Diverged, match=r"^moment \d+: recorded > .*, now > "):
        replay(device_of(recording).new_machine(), Recording(recording.header, tuple(moments)))


@pytest.mark.parametrize("subject", SUBJECTS, ids=name)
def test_a_replay_in_which_the_device_said_something_else_differs(subject: Subject) -> None:
    """A recorder that lost the answers would replay nothing but time-outs: the answers matter."""
    recording = scripted(subject, "").recordings[0]
    heard = [number for number, moment in enumerate(recording.moments) if moment.mark is Mark.RECEIVED]
    moments = [moment for number, moment in enumerate(recording.moments) if number != heard[2]]
    with pytest.raises(Diverged):
        replay(device_of(recording).new_machine(), Recording(recording.header, tuple(moments)))


@pytest.mark.parametrize("subject", RECORDED, ids=name)
def test_a_driver_says_what_it_said_when_it_was_recorded(subject: Subject) -> None:
    """Red after a change of a driver: look at the difference, and make the recordings anew where it is meant."""
    with path_of(subject).open(encoding="ascii") as file:
        recording = from_lines(file)
    done = replay(device_of(recording).new_machine(), recording)
    assert sum(isinstance(event, Stacked) for _, event in done.events) == 4
    assert recording.identity is not None
    assert recording.identity.driver == subject.driver


@pytest.mark.parametrize("subject", RECORDED, ids=name)
def test_a_recording_is_shown_in_words(subject: Subject) -> None:
    path = path_of(subject)
    words = words_of(path)
    assert words == path.with_suffix(".txt").read_text(encoding="ascii")
    assert "UNREADABLE" not in words
    assert not any(line.rstrip().endswith("encrypted") for line in words.splitlines())
