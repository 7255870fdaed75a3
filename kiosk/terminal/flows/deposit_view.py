"""What the screen shows of a deposit on its way. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from guichet.journal.records import to_wire
from guichet.money import Money, total
from guichet.v1 import screen_pb2 as pb
from kiosk.journal.folds import Deposit, Note
from kiosk.terminal.desk_view import Back, DeskView, Stage

_BACKS = {
    Back.NONE: pb.NOTE_BACK_UNSPECIFIED,
    Back.NOT_RECOGNISED: pb.NOTE_BACK_NOT_RECOGNISED,
    Back.NOT_ACCEPTED: pb.NOTE_BACK_NOT_ACCEPTED,
    Back.OTHER_CURRENCY: pb.NOTE_BACK_OTHER_CURRENCY,
    Back.ASKED: pb.NOTE_BACK_ASKED,
    Back.LIMIT: pb.NOTE_BACK_LIMIT,
}


def view_of(
    deposit: Deposit, notes: Iterable[Note], desk: DeskView, left: Money | None, *, host_away: bool, no_receipt: bool
) -> pb.DepositView:
    """``notes``: those of the deposit; ``left``: how much it may still take, None where it has no limit. The total is
    what goes to the account. A note of another currency that went into the box all the same is not among it: the
    receipt has it as an inquiry.
    """
    values = [note.value for note in notes if note.credited and note.value is not None]
    credited = [value for value in values if value.currency == deposit.currency]
    counts = sorted(Counter(credited).items(), key=lambda item: -item[0].minor)
    view = pb.DepositView(
        stage=_stage(desk.stage, first=not credited, ready=desk.ready),
        account_masked=deposit.account_masked,
        total=to_wire(total(credited, deposit.currency)),
        notes=[pb.NoteCount(value=to_wire(value), count=count) for value, count in counts],
        host_away=host_away,
        note_back=_BACKS[desk.back],
        no_receipt=no_receipt,
        card_masked=deposit.offline.card_masked if deposit.offline is not None else "",
    )
    if left is not None:
        view.left.CopyFrom(to_wire(max(left, Money(0, left.currency))))
    if desk.note is not None:
        view.current_note.CopyFrom(to_wire(desk.note))
    return view


def _stage(stage: Stage, *, first: bool, ready: bool) -> pb.DepositStage.ValueType:
    match stage:
        case Stage.OPEN:
            return pb.DEPOSIT_STAGE_INSERT_FIRST if first else pb.DEPOSIT_STAGE_INSERT_MORE
        case Stage.DRAWING_IN | Stage.ESCROW:
            return pb.DEPOSIT_STAGE_CHECKING_NOTE
        case Stage.STACKING | Stage.CLEARING:
            return pb.DEPOSIT_STAGE_STACKING
        case Stage.RETURNING:
            return pb.DEPOSIT_STAGE_RETURNING
        case Stage.CLOSED:
            return pb.DEPOSIT_STAGE_HOLD_ON if ready else pb.DEPOSIT_STAGE_STACKING
