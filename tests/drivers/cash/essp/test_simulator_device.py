"""The simulated validator by itself: what a real one does that a driver must not be spared."""

from __future__ import annotations

import pytest

from drivers.cash.essp.events import EventCode
from drivers.cash.essp.framing import Deframer, Frame, frame
from drivers.cash.essp.keys import DEFAULT_FIXED_KEY, Dice, session_key, share
from drivers.cash.essp.messages import (
    Answer,
    Command,
    KeyShare,
    Plain,
    Polled,
    RejectCode,
    Request,
    Status,
    decode_answer,
    encode_request,
)
from drivers.cash.essp.sealing import Seal
from drivers.cash.essp.simulator_device import Says
from drivers.simulation.mechanism import Box
from drivers.simulation.notes import Place
from tests.drivers.cash.bench import damaged
from tests.drivers.cash.essp.virtual import FIVE, TABLE, TWENTY, device, events
from tests.drivers.cash.sheet import row

OK, CANNOT = Plain(Status.OK), Plain(Status.CANNOT)
POLL = frame(b"\x07", flag=False)
ALL = frozenset(range(1, 17))


class Hand:
    """Asks one validator, and lets time pass."""

    def __init__(self) -> None:
        self.device = device()
        self.now = 0.0
        self.flag = False
        self.key: bytes | None = None
        self.count = 0

    def ask(self, request: Request | Command) -> Answer | None:
        request = Request(request) if isinstance(request, Command) else request
        self.flag = True if request.command is Command.SYNC else not self.flag
        data = encode_request(request)
        if self.key is not None:
            data = Seal(self.key).close(self.count, data, bytes)
        payload = self.put(frame(data, flag=self.flag))
        if payload is None:
            return None
        if self.key is not None and payload[0] == 0x7E:
            count, payload = Seal(self.key).open(payload)
            assert count == self.count + 1
            self.count = count
        return decode_answer(request.command, payload)

    def put(self, raw: bytes) -> bytes | None:
        found = Deframer().feed(self.device.receive(raw, self.now))
        return found[0].payload if found and isinstance(found[0], Frame) else None

    def agree(self) -> None:
        """Over 64 bits, and with the other order of generator and modulus than the driver's."""
        generator, modulus, secret = 982451653, 18446744073709551557, 0xFEDCBA9876543210
        assert self.ask(Command.SYNC) == OK
        assert self.ask(Request(Command.SET_GENERATOR, generator)) == OK
        assert self.ask(Request(Command.SET_MODULUS, modulus)) == OK
        theirs = self.ask(Request(Command.KEY_EXCHANGE, share(generator, secret, modulus)))
        assert isinstance(theirs, KeyShare)
        self.key, self.count = session_key(DEFAULT_FIXED_KEY, share(theirs.number, secret, modulus)), 0

    def later(self, seconds: float = 0.31) -> None:
        self.now += seconds

    def poll(self, command: Command = Command.POLL) -> list[EventCode]:
        answer = self.ask(command)
        assert isinstance(answer, Polled)
        return [event.code for event in answer.events]

    def enabled(self) -> None:
        self.later()
        self.ask(Command.SYNC)
        self.ask(Request(Command.PROTOCOL, 8))
        self.ask(Request(Command.SET_INHIBITS, channels=ALL))
        self.ask(Command.ENABLE)
        self.later()
        self.poll()
        assert self.device.doing is Says.IDLING

    def in_escrow(self) -> None:
        self.enabled()
        self.device.insert("paper", TWENTY, self.now)
        assert self.poll() == [EventCode.READ]
        self.later()
        assert self.ask(Command.POLL) == Polled(events((EventCode.READ, TWENTY)))


@pytest.fixture
def hand() -> Hand:
    return Hand()


@row("the same flag: not carried out again")
def test_the_same_flag_is_answered_again_and_not_carried_out_again(hand: Hand) -> None:
    hand.in_escrow()
    raw = frame(b"\x07", flag=not hand.flag)
    first = hand.put(raw)
    assert hand.device.doing is Says.STACKING
    hand.later()
    hand.device.advance(hand.now)
    assert hand.put(raw) == first, "the note has arrived, and it says what it said"


def test_a_sync_is_always_carried_out_and_forgets_the_last_answer(hand: Hand) -> None:
    assert hand.ask(Command.SYNC) == OK
    assert hand.ask(Command.SYNC) == OK
    assert hand.put(frame(b"\x18", flag=True)) == b"\xf0", "the flag of SYNC itself: its answer again"
    assert hand.put(frame(b"\x18", flag=False)) == b"\xf5"


def test_the_poll_after_a_read_stacks_and_any_other_command_only_begins_escrow_anew(hand: Hand) -> None:
    hand.in_escrow()
    for command in (Command.HOLD, Command.SERIAL, Command.SETUP, Command.SYNC):
        hand.later(9.0)
        assert hand.ask(command) is not None
    assert hand.device.doing is Says.ESCROW
    assert hand.poll() == [EventCode.STACKING]


def test_without_hold_or_poll_a_note_comes_back_after_ten_seconds(hand: Hand) -> None:
    hand.in_escrow()
    hand.later(10.1)
    assert hand.ask(Command.HOLD) == CANNOT
    assert hand.poll() == [EventCode.REJECTING]
    hand.later()
    assert hand.poll() == [EventCode.REJECTED]
    assert hand.ask(Command.LAST_REJECT) == RejectCode(0x13)


def test_reject_gives_the_note_back_with_the_hosts_reason(hand: Hand) -> None:
    hand.in_escrow()
    assert hand.ask(Command.REJECT) == OK
    hand.later()
    assert hand.poll() == [EventCode.REJECTED]
    assert hand.ask(Command.LAST_REJECT) == RejectCode(8)
    assert hand.ask(Command.REJECT) == CANNOT


def test_disable_gives_a_note_in_escrow_back_and_leaves_the_inhibits(hand: Hand) -> None:
    hand.in_escrow()
    assert hand.ask(Command.DISABLE) == OK
    assert hand.device.doing is Says.REJECTING
    hand.later()
    hand.device.advance(hand.now)
    hand.ask(Command.ENABLE)
    assert hand.device.accepts


def test_a_plain_poll_tells_a_credit_once(hand: Hand) -> None:
    hand.in_escrow()
    hand.poll()
    hand.later()
    assert hand.poll() == [EventCode.STACKED, EventCode.CREDIT]
    assert hand.poll() == []


def test_a_poll_with_ack_tells_a_credit_until_it_is_acknowledged_through_sync_and_a_new_key(hand: Hand) -> None:
    hand.in_escrow()
    hand.poll()
    hand.later()
    hand.agree()
    assert hand.poll(Command.POLL_WITH_ACK) == [EventCode.STACKED, EventCode.CREDIT]
    assert not hand.device.accepts, "no further note while an event waits"
    hand.key = None
    hand.agree()
    assert hand.poll(Command.POLL_WITH_ACK) == [EventCode.CREDIT]
    assert hand.ask(Command.EVENT_ACK) == OK
    assert hand.poll(Command.POLL_WITH_ACK) == []
    assert hand.ask(Command.EVENT_ACK) == CANNOT


def test_an_acknowledgement_is_for_what_was_told_and_not_for_what_came_since(hand: Hand) -> None:
    hand.in_escrow()
    hand.agree()
    assert hand.poll(Command.POLL_WITH_ACK) == [EventCode.STACKING]
    hand.later()
    hand.device.advance(hand.now)
    hand.ask(Command.EVENT_ACK)
    assert [event.code for event in hand.device.waiting] == [EventCode.CREDIT]


@pytest.mark.parametrize("command", [Command.POLL_WITH_ACK, Command.EVENT_ACK])
def test_what_must_be_encrypted_is_refused_without_a_key_with_fa(hand: Hand, command: Command) -> None:
    assert hand.ask(command) == Plain(Status.NO_KEY)
    hand.key = bytes(16)
    assert hand.ask(Command.HOLD) == Plain(Status.NO_KEY)


@row("a packet of another count is ignored")
def test_a_packet_of_another_count_or_key_is_ignored_as_if_it_had_not_come(hand: Hand) -> None:
    hand.agree()
    key = hand.key
    assert key is not None
    for packet in (Seal(key).close(1, b"\x18", bytes), Seal(bytes(16)).close(0, b"\x18", bytes)):
        assert hand.put(frame(packet, flag=not hand.flag)) is None
    assert hand.ask(Command.HOLD) == CANNOT
    assert hand.count == 1


def test_numbers_that_are_no_primes_and_an_exchange_without_them_are_refused(hand: Hand) -> None:
    assert hand.ask(Request(Command.KEY_EXCHANGE, 5)) == Plain(Status.FAIL)
    assert hand.ask(Request(Command.SET_GENERATOR, 15)) == Plain(Status.OUT_OF_RANGE)
    assert hand.ask(Request(Command.SET_MODULUS, 15)) == Plain(Status.OUT_OF_RANGE)


def test_a_version_that_it_does_not_have_is_refused(hand: Hand) -> None:
    assert hand.ask(Request(Command.PROTOCOL, 9)) == Plain(Status.FAIL)
    assert hand.ask(Request(Command.PROTOCOL, 8)) == OK


def test_what_it_does_not_know_is_f2_and_what_is_malformed_f3(hand: Hand) -> None:
    assert hand.put(frame(b"\x66", flag=False)) == b"\xf2"
    assert hand.put(frame(b"\x06", flag=True)) == b"\xf3"
    assert hand.put(damaged(POLL)) is None
    assert hand.put(frame(b"\x07", flag=False, address=0x10)) is None
    hand.agree()
    assert hand.key is not None
    packet = hand.put(frame(Seal(hand.key).close(0, b"\x66", bytes), flag=not hand.flag))
    assert packet is not None
    assert Seal(hand.key).open(packet) == (1, b"\xf2")


def test_a_power_cut_forgets_everything_but_the_paper(hand: Hand) -> None:
    hand.in_escrow()
    hand.agree()
    hand.device.cut_power(hand.now)
    hand.device.restore_power(hand.now)
    assert hand.ask(Command.POLL_WITH_ACK) == Plain(Status.NO_KEY)
    hand.key = None
    hand.ask(Request(Command.PROTOCOL, 8))
    assert hand.poll() == [EventCode.SLAVE_RESET, EventCode.DISABLED]
    hand.later()
    assert hand.ask(Command.POLL) == Polled(events((EventCode.CLEARED_FROM_FRONT, TWENTY), EventCode.DISABLED))
    assert hand.device.vault.notes[0].place is Place.HAND


def test_below_version_5_nothing_is_said_of_a_note_that_was_cleared(hand: Hand) -> None:
    hand.in_escrow()
    hand.device.cut_power(hand.now)
    hand.device.restore_power(hand.now)
    hand.later()
    assert hand.poll() == [EventCode.SLAVE_RESET, EventCode.DISABLED]
    hand.ask(Request(Command.PROTOCOL, 5))
    assert hand.poll() == [EventCode.CLEARED_FROM_FRONT, EventCode.DISABLED]


def test_a_reset_by_the_host_is_like_a_power_cut(hand: Hand) -> None:
    hand.enabled()
    assert hand.ask(Command.RESET) == OK
    hand.flag = True
    assert EventCode.SLAVE_RESET in hand.poll()
    assert not hand.device.accepts


def test_an_enabled_device_with_every_channel_inhibited_says_so(hand: Hand) -> None:
    hand.enabled()
    hand.ask(Request(Command.SET_INHIBITS))
    assert hand.poll() == [EventCode.ALL_DISABLED]
    hand.ask(Request(Command.PROTOCOL, 6))
    assert hand.poll() == [EventCode.DISABLED]


def test_the_slot_is_shut_without_power_and_when_nothing_is_enabled(hand: Hand) -> None:
    with pytest.raises(ValueError, match="initialising"):
        hand.device.insert("paper", FIVE, 0.0)
    hand.enabled()
    hand.device.change_box(Box.OUT, hand.now)
    assert hand.poll() == [EventCode.BOX_REMOVED, EventCode.DISABLED]
    with pytest.raises(ValueError, match="box_removed"):
        hand.device.insert("paper", FIVE, hand.now)
    hand.device.cut_power(hand.now)
    with pytest.raises(ValueError, match="no power"):
        hand.device.insert("paper", FIVE, hand.now)


def test_a_serial_that_is_no_number_makes_one(hand: Hand) -> None:
    assert hand.device.number == 1873452
    hand.device.serial = "OTHER"
    assert 0 <= hand.device.number < 2**32
    assert hand.device.number != 1873452
    assert TABLE.unit_type == 0
    assert Dice(b"x").draw(3) == Dice(b"x").draw(3)
