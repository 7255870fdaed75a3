"""What the screen shows of a deposit while notes come in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.api.cash import Accepting, Trouble, TroubleKind
from guichet.journal.records import from_wire
from guichet.money import parse_money
from guichet.v1 import screen_pb2 as pb
from kiosk.terminal.desk_view import Back, DeskView, Stage
from kiosk.terminal.flows.deposit_view import view_of
from tests.kiosk.terminal.standing import DOLLARS, TWENTY, Rig, euros


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path / "journal.db")
    yield rig
    rig.journal.close()


def shown(rig: Rig) -> pb.DepositView:
    return view_of(rig.deposits[0], rig.notes, rig.desk.view, rig.desk.left, host_away=False, no_receipt=False)


def test_a_note_of_another_currency_that_was_found_meanwhile_is_no_part_of_the_total(rig: Rig) -> None:
    rig.begin()
    rig.tell(Accepting())
    rig.stacked(DOLLARS)
    rig.one_note(TWENTY)
    assert {note.value for note in rig.notes} == {euros(2000), parse_money("20 USD")}
    view = shown(rig)
    assert from_wire(view.total) == euros(2000)
    assert [(from_wire(one.value), one.count) for one in view.notes] == [(euros(2000), 1)]


def test_a_note_of_another_currency_that_is_credited_is_none_either(rig: Rig) -> None:
    """It was to go back, stuck, and the device says that it has stacked it."""
    rig.begin()
    rig.tell(Accepting())
    rig.escrowed(DOLLARS)
    rig.tell(Trouble(TroubleKind.JAM, "box"))
    rig.stacked(DOLLARS)
    assert [note.credited for note in rig.notes] == [True]
    assert from_wire(shown(rig).total) == euros(0)


@pytest.mark.parametrize(
    ("desk", "stage"),
    [
        (DeskView(ready=True, stage=Stage.OPEN), pb.DEPOSIT_STAGE_INSERT_FIRST),
        (DeskView(ready=True, stage=Stage.ESCROW, note=euros(500)), pb.DEPOSIT_STAGE_CHECKING_NOTE),
        (DeskView(ready=True, stage=Stage.STACKING), pb.DEPOSIT_STAGE_STACKING),
        (DeskView(ready=True, stage=Stage.RETURNING, back=Back.ASKED), pb.DEPOSIT_STAGE_RETURNING),
        (DeskView(ready=True, stage=Stage.CLOSED), pb.DEPOSIT_STAGE_HOLD_ON),
        (DeskView(ready=False, stage=Stage.CLOSED), pb.DEPOSIT_STAGE_STACKING),
    ],
)
def test_every_stage_of_a_note_has_its_own(rig: Rig, desk: DeskView, stage: pb.DepositStage.ValueType) -> None:
    rig.begin()
    view = view_of(rig.deposits[0], rig.notes, desk, euros(-500), host_away=True, no_receipt=True)
    assert view.stage == stage
    assert (view.host_away, view.no_receipt, from_wire(view.left)) == (True, True, euros(0))
    assert view.HasField("current_note") is (desk.note is not None)
