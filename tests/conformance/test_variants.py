"""Other kinds of our own devices, by their simulators' options: a few faults and a few cells each.

All of the suite runs with them by ``--subject tests.conformance.subject:VARIANTS``.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from drivers.simulation.mechanism import Box
from drivers.simulation.notes import Place
from guichet.money import parse_money
from tests.conformance.cases import name
from tests.conformance.people import Customer
from tests.conformance.results import cell, scripted
from tests.conformance.rig import Rig
from tests.conformance.rows import POWER_CUTS, UNDECIDED, Row, Then
from tests.conformance.subject import EARLY_CREDIT, VARIANTS, Subject
from tests.conformance.test_faults import CERTAIN
from tests.conformance.test_vectors import every_frame_is_found_and_read, no_frame_with_one_bit_wrong_is_taken_for_one
from tests.virtual_time import run_virtually

SCRIPTS = ("ack 2: lose", "note 2: lose 5", "note 2 in stacking: power off 2", "note 2: jam in transport")
ROWS = (Row.STACK_SENT, Row.EVENT_HEARD)

each_variant = pytest.mark.parametrize("variant", VARIANTS, ids=name)


@each_variant
def test_a_deposit_under_faults_comes_to_its_end_and_the_next_customer_is_served(variant: Subject) -> None:
    for script in filter(variant.applies, SCRIPTS):
        if variant.name == EARLY_CREDIT and "jam" in script:
            continue  # Nobody is served then: below.
        tally = scripted(variant, script)
        assert (tally.over, tally.served) == (True, True), script
        assert tally.in_doubt <= (script not in CERTAIN), script
        assert tally.credited >= 2, script


@pytest.mark.parametrize("variant", [one for one in VARIANTS if one.vectors is not None], ids=name)
def test_what_is_published_of_a_variant_is_found_and_read_and_nothing_else_is(variant: Subject) -> None:
    assert variant.vectors is not None
    assert every_frame_is_found_and_read(variant, variant.vectors) == 6
    no_frame_with_one_bit_wrong_is_taken_for_one(variant, variant.vectors)


def test_a_note_that_was_credited_early_and_sticks_stays_credited_and_stops_the_next(tmp_path: Path) -> None:
    """The device has said that it is in the box, and its count says that it is not: an engineer has it in his hand."""
    (variant,) = [one for one in VARIANTS if one.name == EARLY_CREDIT]
    run_virtually(_credited_early(variant, tmp_path))


async def _credited_early(variant: Subject, place: Path) -> None:
    script = place / "script"
    script.write_text("note 2: jam in transport\n", encoding="utf-8")
    rig = Rig(variant, place, script)
    rig.begin()
    await Customer(rig, variant.faces[:2]).deposit()
    await rig.sleep(60.0)
    rig.device.free_jam(rig.now)
    await rig.sleep(30.0)
    assert [str(note.face) for note in rig.vault.notes if note.place is Place.CUSTODY] == ["50.00 EUR"]
    assert rig.credited == Counter({parse_money("20 EUR"): 1, parse_money("50 EUR"): 1})
    assert (rig.desk.view.ready, rig.desk.view.fault) == (False, "counter-disagrees")
    rig.device.change_box(Box.OUT, rig.now)
    await rig.sleep(5.0)
    rig.device.change_box(Box.IN, rig.now, "BOX-2")
    await rig.sleep(10.0)
    assert (rig.desk.view.ready, rig.desk.view.fault) == (True, "")
    await rig.kill()


@each_variant
def test_a_power_cut_while_the_terminal_is_dead_leaves_a_doubt_only_where_the_protocol_does(variant: Subject) -> None:
    for row in filter(variant.has, ROWS):
        for then in POWER_CUTS:
            result = cell(variant, row, then)
            assert result.was_in_doubt is (variant.doubt(row, then) != ""), f"{row.value}, {then.value}"


@pytest.mark.parametrize("variant", [one for one in VARIANTS if not one.numbered], ids=name)
@pytest.mark.parametrize("row", [row for row in Row if row in UNDECIDED], ids=name)
def test_another_device_says_nothing_of_a_note_where_none_has_a_serial_number(variant: Subject, row: Row) -> None:
    """Its path is empty, and its count would prove the note if it were the same one."""
    result = cell(variant, row, Then.ANOTHER_DEVICE)
    assert (result.word(), result.was_in_doubt) == ("in doubt", True)
