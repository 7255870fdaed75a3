"""The software pad's own behaviour: keys pressed and commands in, answers out."""

from __future__ import annotations

import pytest

from drivers.pinpad import messages as m
from drivers.pinpad.framing import Frame
from drivers.pinpad.software import KeyState, SoftwarePad
from guichet.pin import Key, decode_pin_block, derive_pin_key, parse_ksn

KEY = Key(bytes.fromhex("1273671EA26AC29AFA4D1084127652A1"))
KEY_ID = bytes.fromhex("1234567890123456")
PAN = b"4761739001010010"


class Memory:
    """A store that remembers every state, and can be full."""

    def __init__(self, state: KeyState | None) -> None:
        self.saved = [state] if state else []
        self.full = False

    def load(self) -> KeyState | None:
        return self.saved[-1] if self.saved else None

    def save(self, state: KeyState) -> None:
        if self.full:
            raise OSError("no space")
        self.saved.append(state)


class Bench:
    """A pad on the table: time by hand, entropy that counts."""

    def __init__(self, state: KeyState | None = None) -> None:
        self.memory = Memory(state)
        self.now = 0.0
        self.events: list[m.EntryChanged] = []
        self.sequence = 0
        self.pad = self.switched_on()

    def switched_on(self) -> SoftwarePad:
        return SoftwarePad("S1", self.memory, lambda: self.now, lambda count: bytes(range(count)), self.events.append)

    def ask(self, command: m.Command) -> m.Message:
        self.sequence += 1
        return m.decode(self.pad.answer(m.encode(self.sequence, command)))

    def start(self) -> None:
        assert self.ask(m.EnterPin(PAN, 60)) == m.EntryStarted()


@pytest.fixture
def bench() -> Bench:
    return Bench(KeyState(KEY, KEY_ID, 0))


def opened(entry: m.Message) -> bytes:
    assert isinstance(entry, m.Entry)
    key = derive_pin_key(KEY, parse_ksn(entry.ksn))
    return decode_pin_block(key, entry.block, PAN).reveal()


def test_a_pin_becomes_a_block_that_only_the_key_opens(bench: Bench) -> None:
    bench.start()
    bench.pad.press("1234")
    bench.pad.enter()
    entry = bench.ask(m.AskEntry())
    assert opened(entry) == b"1234"
    assert bench.ask(m.AskEntry()) == entry, "asked again, the answer is the same"
    assert bench.events == [m.EntryChanged(n, False) for n in (1, 2, 3, 4)] + [m.EntryChanged(4, True)]


def test_the_counter_is_saved_before_its_key_is_used(bench: Bench) -> None:
    bench.start()
    assert [state.counter for state in bench.memory.saved] == [0, 1]
    bench.pad.press("1234")
    bench.pad.enter()
    entry = bench.ask(m.AskEntry())
    assert isinstance(entry, m.Entry)
    assert entry.ksn == KEY_ID + bytes.fromhex("00000001")


def test_a_power_cut_in_an_entry_uses_its_counter_up(bench: Bench) -> None:
    bench.start()
    bench.pad = bench.switched_on()
    assert bench.ask(m.AskEntry()) == m.Entry(m.Outcome.NONE, 0)
    bench.start()
    bench.pad.press("4321")
    bench.pad.enter()
    entry = bench.ask(m.AskEntry())
    assert isinstance(entry, m.Entry)
    assert entry.ksn == KEY_ID + bytes.fromhex("00000002")


def test_the_counter_skips_what_has_no_key() -> None:
    bench = Bench(KeyState(KEY, KEY_ID, 0x0001FFFE))
    bench.start()
    assert bench.memory.saved[-1].counter == 0x00020000


def test_a_used_up_key_is_refused() -> None:
    bench = Bench(KeyState(KEY, KEY_ID, 0xFFFF0000))
    assert bench.ask(m.EnterPin(PAN, 60)) == m.Refused(3, m.Refusal.KEY_USED_UP)


def test_a_full_disk_is_refused_before_the_customer_types(bench: Bench) -> None:
    bench.memory.full = True
    assert bench.ask(m.EnterPin(PAN, 60)) == m.Refused(3, m.Refusal.STORAGE)
    assert not bench.pad.entering
    bench.memory.full = False
    bench.start()
    assert bench.pad.status.counter == 1


def test_without_a_key_nothing_is_entered() -> None:
    bench = Bench()
    assert bench.ask(m.EnterPin(PAN, 60)) == m.Refused(3, m.Refusal.NO_KEY)
    assert bench.ask(m.AskStatus()) == m.Status(m.PadState.IDLE, False, bytes(8), 0)
    assert bench.ask(m.LoadKey(KEY_ID, KEY.value)) == m.KeyLoaded()
    assert bench.ask(m.AskStatus()) == m.Status(m.PadState.IDLE, True, KEY_ID, 0)


def test_the_same_key_id_again_keeps_its_counter_and_another_begins_anew(bench: Bench) -> None:
    bench.start()
    assert bench.ask(m.LoadKey(KEY_ID, KEY.value)) == m.Refused(6, m.Refusal.BUSY)
    bench.ask(m.CancelEntry())
    assert bench.ask(m.LoadKey(KEY_ID, KEY.value)) == m.KeyLoaded()
    assert bench.pad.status.counter == 1
    assert bench.ask(m.LoadKey(KEY_ID[::-1], KEY.value)) == m.KeyLoaded()
    assert (bench.pad.status.key_id, bench.pad.status.counter) == (KEY_ID[::-1], 0)


def test_clear_begins_again_and_short_or_long_pins_are_held_to_their_bounds(bench: Bench) -> None:
    bench.start()
    bench.pad.press("999")
    bench.pad.enter()
    assert bench.pad.entering, "three digits are no PIN"
    bench.pad.clear()
    assert bench.pad.digits == 0
    bench.pad.press("1234567890123")
    assert bench.pad.digits == 12
    bench.pad.enter()
    assert opened(bench.ask(m.AskEntry())) == b"123456789012"


@pytest.mark.parametrize("end", ["key", "command", "time"])
def test_an_entry_that_ends_without_a_pin_leaves_no_digits(bench: Bench, end: str) -> None:
    bench.start()
    bench.pad.press("12")
    if end == "key":
        bench.pad.cancel()
    elif end == "command":
        assert bench.ask(m.CancelEntry()) == m.EntryCancelled()
    else:
        bench.now = 59.9
        bench.pad.tick()
        assert bench.pad.entering
        bench.now = 60.0
        bench.pad.tick()
    outcome = m.Outcome.TIMED_OUT if end == "time" else m.Outcome.CANCELLED
    assert bench.ask(m.AskEntry()) == m.Entry(outcome, 2)
    assert bench.pad.digits == 0
    assert bench.events[-1] == m.EntryChanged(2, True)


def test_keys_outside_of_an_entry_do_nothing(bench: Bench) -> None:
    for key in (bench.pad.enter, bench.pad.clear, bench.pad.cancel, bench.pad.tick):
        key()
    bench.pad.press("1234")
    assert (bench.pad.digits, bench.events) == (0, [])


def test_a_repeated_command_is_answered_again_and_done_once(bench: Bench) -> None:
    frame = m.encode(7, m.EnterPin(PAN, 60))
    assert bench.pad.answer(frame) == bench.pad.answer(frame)
    assert bench.pad.status.counter == 1
    assert m.decode(bench.pad.answer(m.encode(8, m.EnterPin(PAN, 60)))) == m.Refused(3, m.Refusal.BUSY)


@pytest.mark.parametrize(
    ("frame", "refused"),
    [
        (Frame(1, 0x06, b"short"), m.Refused(6, m.Refusal.BAD_BODY)),
        (Frame(1, 0x77), m.Refused(0x77, m.Refusal.BAD_BODY)),
        (Frame(1, 0x83), m.Refused(0x83, m.Refusal.UNKNOWN_COMMAND)),
    ],
)
def test_what_it_does_not_understand_it_refuses(bench: Bench, frame: Frame, refused: m.Refused) -> None:
    assert m.decode(bench.pad.answer(frame)) == refused


def test_it_says_that_it_is_software(bench: Bench) -> None:
    assert bench.ask(m.Identify()) == m.Identity(True, "SOFTWARE PIN PAD", "S1", "1")
