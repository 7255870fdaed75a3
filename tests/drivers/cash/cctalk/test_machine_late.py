"""The host's side of ccTalk: no answer names its question, and a late one is never taken for another's."""

from __future__ import annotations

from itertools import count

import pytest

from drivers.api.cash import Answered, CashCommand, Presence, Ready, Stacked
from drivers.cash.cctalk.framing import Checksum, frame
from drivers.cash.cctalk.machine import Machine
from drivers.cash.cctalk.messages import Header, Request
from drivers.cash.cctalk.roles import NOTES
from drivers.cash.cctalk.timing import Timing
from drivers.cash.steps import Input, Opened, Received, Send, Tick
from drivers.simulation.notes import Place
from tests.drivers.cash.bench import On
from tests.drivers.cash.books import UNDECIDED, intend, keep_books
from tests.drivers.cash.cctalk.virtual import (
    CENTS,
    COIN_TABLE,
    EURO,
    FIVE,
    SERIAL,
    TABLE,
    TEN,
    TWENTY,
    WHO,
    Bench,
    bench,
    coins,
    device,
)
from tests.drivers.cash.late import come_late

POLL, SERIAL_ASKED, MAKER_ASKED, EVENTS_ASKED = "280001FED9", "280001F2E5", "280001F6E1", "2800019F38"
ACK, SERIAL_SAID, NO_EVENTS = "01002800D7", "010328004E61BC69", "010B28000000000000000000000000CC"
EVERY_QUESTION = [
    *WHO, Header.NOTE_EVENTS, Header.SELF_CHECK, Header.NOTE_ID, Header.SCALING, Header.REVISION, Header.SET_MODE,
    Header.SET_INHIBITS, Header.SET_MASTER,
]  # fmt: skip


class Line:
    """A machine and nothing else: what it sends is read here, and what it hears is said here."""

    def __init__(self) -> None:
        self.now = 0.0
        self.machine = Machine(NOTES, Timing())
        self.sent: list[str] = []
        self._put(Opened(bytes(64)))
        self._put(Tick())

    def _put(self, happened: Input) -> None:
        for output in self.machine.step(happened, self.now):
            if isinstance(output, Send):
                self.sent.append(output.data.hex().upper())

    def hears(self, *frames: str) -> str:
        """What it asks next, when it has heard that, or in good time nothing."""
        before = len(self.sent)
        for said in frames:
            self._put(Received(bytes.fromhex(said)))
        while len(self.sent) == before:
            assert self.machine.deadline is not None
            self.now = self.machine.deadline
            self._put(Tick())
        return self.sent[-1]


def test_after_an_answer_that_did_not_come_a_poll_proves_that_none_is_under_way() -> None:
    line = Line()
    assert line.sent == [POLL]
    assert line.hears(ACK) == SERIAL_ASKED
    assert line.hears() == POLL, "the answer to that carries nothing"
    assert line.hears(SERIAL_SAID, ACK) == SERIAL_ASKED, "asked again: it came too late"
    assert line.hears(SERIAL_SAID) == MAKER_ASKED


def test_after_an_acknowledgement_that_did_not_come_the_events_prove_that_none_is_under_way() -> None:
    line = Line()
    assert line.hears() == EVENTS_ASKED, "the answer to that has 11 bytes"
    assert line.hears(ACK, NO_EVENTS) == POLL
    assert line.hears(ACK) == SERIAL_ASKED


@pytest.mark.parametrize("late", [[ACK], [SERIAL_SAID, ACK]], ids=["the poll's", "both"])
def test_a_proof_that_is_late_itself_is_proven_by_one_of_another_kind(late: list[str]) -> None:
    line = Line()
    line.hears(ACK)
    assert line.hears() == POLL
    assert line.hears() == POLL, "no answer to that either"
    assert line.hears(*late) == EVENTS_ASKED, "to which of the two polls, nobody knows"
    assert line.hears(ACK, NO_EVENTS) == SERIAL_ASKED


def test_what_belongs_to_neither_kind_proves_nothing() -> None:
    line = Line()
    line.hears(ACK)
    line.hears()
    assert line.hears("01002805D2", "01002806D1") == POLL, "NAK and BUSY may answer anything"


class Lagging:
    """From the answer to ``what`` on, each comes when the question after its own is answered, ``times`` times; then
    what is left comes at once.
    """

    def __init__(self, b: Bench, what: Header, times: int) -> None:
        self._bench, self._what, self._left = b, what, times
        self._behind: list[bytes] = []

    def __call__(self, data: bytes) -> bytes:
        if not data or not (self._behind or (self._left and self._bench.sent[-1].command is self._what)):
            return data
        before, self._behind = self._behind, [data]
        if before and not self._left:
            self._behind = []
            return before[0] + data
        self._left -= bool(before)
        return b"".join(before)


@pytest.mark.parametrize("times", [1, 2, 4])
@pytest.mark.parametrize("header", EVERY_QUESTION)
def test_a_line_that_lags_by_one_answer_changes_neither_who_it_is_nor_what_notes_are_worth(
    header: Header, times: int
) -> None:
    b = bench()
    b.from_device = Lagging(b, header, times)
    ready = b.ready()
    assert (ready.identity.serial, ready.identity.simulated, ready.values) == (SERIAL, True, TABLE)
    assert ready.table_hash == bench().ready().table_hash
    assert b.heard(Answered)[-1].presence is Presence.PATH_EMPTY
    b.stacked()
    b.cleared()


def test_a_table_is_only_believed_when_it_is_read_alike_forward_and_backward() -> None:
    """20 EUR is said of the position of 5 EUR, once."""
    b = bench()
    b.from_device = On(Request(Header.NOTE_ID, b"\x01"), b, 1, lambda _: bytes.fromhex("01 07 28 00 45553030323041 33"))
    assert b.ready().values == TABLE
    assert b.requests(Header.NOTE_ID).count(Request(Header.NOTE_ID, b"\x01")) == 4, "it was begun anew"


@pytest.mark.parametrize(
    ("header", "lie"),
    [(Header.SCALING, "01 03 28 00 E803 02 E7"), (Header.SERIAL, "01 03 28 00 312E30 45")],
    ids=["scaling 1000", "another's number"],
)
def test_what_money_and_identity_hang_on_is_only_believed_when_it_is_said_twice(header: Header, lie: str) -> None:
    b = bench()
    b.from_device = On(header, b, 1, lambda _: bytes.fromhex(lie))
    ready = b.ready()
    assert (ready.identity.serial, ready.values) == (SERIAL, TABLE)
    assert {answered.identity for answered in b.heard(Answered)} == {ready.identity}


def test_a_device_that_never_says_the_same_twice_is_not_used_and_a_person_hears_of_it() -> None:
    b = bench()
    numbers = count()
    b.from_device = On(Header.SERIAL, b, 40, lambda _: frame(1, 0, bytes((next(numbers), 0, 0)), source=40))
    b.run(20)
    assert b.codes()[0] == "failure-not-identified"
    b.ready()
    assert b.codes()[-1] == "failure-not-identified over"


@pytest.mark.parametrize("said", ["", "00", "......", "GUICHET-SIM", "EU20A"])
def test_what_is_no_identifier_names_no_position_and_shifts_none(said: str) -> None:
    b = bench()
    answer = frame(1, 0, said.encode(), source=40)
    b.from_device = On(Request(Header.NOTE_ID, bytes((TEN,))), b, 1000, lambda _: answer)
    assert b.ready().values == {kind: value for kind, value in TABLE.items() if kind != TEN}


@pytest.mark.parametrize("seed", range(25))
def test_whole_deposits_over_a_line_that_is_up_to_a_second_late_have_the_books_right(seed: int) -> None:
    b = Bench(device(), checksum=list(Checksum)[seed % 2])
    books = keep_books(b)
    come_late(b, seed, 1.0)
    taken = [TWENTY, FIVE, TEN]
    for kind in taken:
        assert b.escrowed(kind).value == TABLE[kind]
        intend(b, books, CashCommand.STACK)
        b.wait("decided", lambda: books.row not in UNDECIDED)
    b.run(10)
    assert {ready.identity.serial for ready in b.heard(Ready)} == {SERIAL}
    assert books.credited + books.found <= b.places().count(Place.BOX) <= books.credited + books.found + books.doubts
    assert [stacked.value for stacked in b.heard(Stacked)] == [TABLE[kind] for kind in taken]


@pytest.mark.parametrize("seed", range(25))
def test_coins_over_a_line_that_is_up_to_a_second_late_are_worth_what_they_are(seed: int) -> None:
    b = Bench(coins(), checksum=list(Checksum)[seed % 2])
    come_late(b, seed, 1.0)
    for kind in (EURO, CENTS, EURO):
        b.enabled()
        b.insert(kind)
        assert b.until(Stacked).value == COIN_TABLE[kind]
    assert {ready.identity.serial for ready in b.heard(Ready)} == {SERIAL}
    assert len(b.heard(Stacked)) == b.places().count(Place.BOX) == 3
