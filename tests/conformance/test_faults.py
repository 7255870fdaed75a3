"""Every fault of the script, in a deposit of five notes of which one is not taken: the books and the paper agree
afterwards, without a doubt more than the fault leaves.
"""

from __future__ import annotations

import pytest

from tests.conformance.cases import each_script
from tests.conformance.results import run_scripted, scripted
from tests.conformance.rows import Row, Then
from tests.conformance.subject import Subject

# Faults after which everything is known all the same.
CERTAIN = (
    "ack 2: lose", "ack 2: late 1", "ack 2: late 8", "ack 2: repeat",
    "note 2: lose 1", "note 2: lose 5", "note 2: wrong crc 1", "note 2: wrong crc 6",
    "note 2 in escrow: lose 3", "note 2 in escrow: wrong crc 3", "note 2 in stacking: lose 4",
    "note 2 in stacking: wrong crc 4", "note 2: noise 00 FF 02 03 7F FC 28 55", "note 2 in stacking: noise 7F 7F 02",
    "note 2: mute 3", "note 2 in stacking: mute 3", "note 2 in escrow: mute 2", "note 2: slow 0.05",
    "note 2: slow 0.3", "note 2: late 1.5", "note 2 in escrow: late 1.5", "note 2 in stacking: late 1.5",
    "note 2: cheat", "note 2 in escrow: second note", "note 2 in stacking: second note",
    "note 3: not taken", "note 3: box full", "note 3: box removed",
    "note 2 in drawing-in: power off 2", "note 2 in escrow: power off 2",
    "note 2: jam in head", "note 2: loose jam in head", "note 2: unknown denomination", "note 3: box swapped BOX-2",
    "note 3 in escrow: mouth shut 5",
)  # fmt: skip
# Faults that take the knowledge of one note away, at most.
LEAVES_A_DOUBT = (
    "note 2 in stacking: power off 2", "note 2 in stacking: power off 20", "note 2 in stacking: mute 20",
    "note 2: jam in transport", "note 2: jam in box", "note 2: loose jam in transport", "note 2: loose jam in box",
    "note 2 in stacking: fail", "note 2 in escrow: fail",
    "note 2 in stacking: box removed", "note 2 in stacking: box swapped BOX-2",
    "note 2: unknown denomination\nnote 2: unasked", "note 2 in stacking: serial OTHER-1",
    "note 2 in escrow: serial OTHER-1",
    "note 2 in stacking: cheat", "note 2 in escrow: slips", "note 3 in returning: slips",
    "note 3 in escrow: mouth shut 100",
)  # fmt: skip


@each_script(*CERTAIN)
def test_a_fault_that_hides_nothing_leaves_nothing_in_doubt(subject: Subject, script: str) -> None:
    tally = scripted(subject, script)
    assert tally.served
    assert tally.over, "the fault never came"
    assert tally.in_doubt == 0
    assert not (subject.escrow and tally.found), "a note that was given up and lies in the box"
    assert tally.credited == tally.box >= 2


@each_script(*LEAVES_A_DOUBT)
def test_a_fault_that_hides_a_note_leaves_that_one_in_doubt_at_most(subject: Subject, script: str) -> None:
    tally = scripted(subject, script)
    assert tally.served
    assert tally.over, "the fault never came"
    assert tally.in_doubt <= 1
    assert tally.credited >= 2


@each_script("note 2: loose jam in transport", "note 2: loose jam in box")
def test_a_note_that_a_reset_or_the_power_sets_free_is_in_doubt_only_where_a_power_cut_leaves_it_so(
    subject: Subject, script: str
) -> None:
    tally = scripted(subject, script)
    assert tally.box == 4, "it went on to the box"
    assert tally.in_doubt <= (subject.doubt(Row.STACK_SENT, Then.POWER_CUT) != "")
    assert tally.credited + tally.found + tally.in_doubt == 4


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_power_cut_at_any_byte_of_the_device_loses_and_doubles_nothing(subject: Subject, when: str) -> None:
    """The long form cuts at every byte: ``make soak ARGS=--cuts``; here at some thirty of them."""
    count = scripted(subject, "").bytes_sent
    assert count > 200
    for byte in range(1, count, max(1, count // 15)):
        tally = run_scripted(subject, f"{when} byte {byte}: power off 3")
        assert tally.served
        assert tally.over
        assert tally.in_doubt <= 1
