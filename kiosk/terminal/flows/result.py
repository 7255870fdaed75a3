"""The end of a deposit: what became of the money, and the receipt in one form or another."""

from __future__ import annotations

from guichet.ids import short
from guichet.journal.records import to_wire
from guichet.v1 import screen_pb2 as pb
from kiosk.journal.folds import Deposit
from kiosk.terminal.flows.printing import can_print, print_document
from kiosk.terminal.paper import DepositPaper, Imprint, deposit_receipt, receipt_code, summarise
from kiosk.terminal.parts import Parts


async def show_result(parts: Parts, deposit: Deposit, stop: pb.DepositStop.ValueType) -> None:
    """Wait a little for the host's answer, then say what is true, and give a receipt."""
    notes = parts.journal.fold.notes_of(deposit.deposit_id)
    booked = any(advice.deposit_id == deposit.deposit_id for advice in parts.journal.fold.outbox.values())
    answer = None
    if booked or deposit.deposit_id in parts.journal.fold.answers:
        await parts.front.show(pb.WaitView(reason=pb.WAIT_REASON_FINISHING_DEPOSIT))
        answer = await parts.settler.wait_settled(deposit.deposit_id, parts.config.timings.settlement_wait)
    paper = summarise(deposit, notes, answer)
    if not paper.counts and not paper.inquiries:
        await parts.front.choose(
            result_view(paper, parts.imprint(), stop, pb.RECEIPT_STATE_UNSPECIFIED), parts.config.timings.notice
        )
        return
    receipt = pb.RECEIPT_STATE_OFFERED if await can_print(parts) else pb.RECEIPT_STATE_ON_SCREEN
    while True:
        control = await parts.front.choose(
            result_view(paper, parts.imprint(), stop, receipt), parts.config.timings.customer
        )
        if control != "receipt":
            return
        await parts.front.show(pb.WaitView(reason=pb.WAIT_REASON_PRINTING))
        printed = await print_document(parts, deposit_receipt(paper, parts.imprint()))
        receipt = pb.RECEIPT_STATE_PRINTED if printed else pb.RECEIPT_STATE_ON_SCREEN


def result_view(
    paper: DepositPaper, imprint: Imprint, stop: pb.DepositStop.ValueType, receipt: pb.ReceiptState.ValueType
) -> pb.DepositResultView:
    """What the screen shows of a deposit that has ended."""
    if not paper.counts:
        state = pb.DEPOSIT_STATE_EMPTY
    elif paper.answer is None:
        state = pb.DEPOSIT_STATE_PROVISIONAL
    else:
        state = pb.DEPOSIT_STATE_CREDITED
    return pb.DepositResultView(
        deposit_id=paper.deposit.deposit_id,
        account_masked=paper.deposit.account_masked,
        total=to_wire(paper.credited),
        notes=[pb.NoteCount(value=to_wire(value), count=count) for value, count in paper.counts],
        state=state,
        in_doubt=[
            # Until the host has given a claim number, it is asked by the deposit's.
            pb.DoubtfulNote(value=to_wire(note.value), claim_number=note.claim or short(paper.deposit.deposit_id))
            for note in paper.inquiries
        ],
        receipt=receipt,
        receipt_code=receipt_code(paper, imprint),
        stop=stop,
        card_masked=paper.card_masked,
    )
