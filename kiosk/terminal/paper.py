"""What is printed: the deposit receipt and the statement, as documents; pure. And the receipt as a short text for the
code on the screen, where there is no paper.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from drivers.api.document import Align, Block, Document, QrCode, Row, Rule, Space, Text
from guichet.ids import DepositId, short
from guichet.journal.records import from_wire
from guichet.money import Money, MoneyError, total
from guichet.v1 import customer_pb2, settlement_pb2
from kiosk.journal.folds import Deposit, Note, NotePhase

_NOT_ON_THE_ACCOUNT = frozenset({settlement_pb2.BOOKING_SUSPENSE, settlement_pb2.BOOKING_CONFLICT})

# A stack intent without an outcome is left where the journal failed in that moment: the note is on its way.
_MAY_BE_IN_THE_BOX = frozenset({NotePhase.IN_DOUBT, NotePhase.STACK_INTENDED})


_WITHOUT_BANK = (
    "Recorded at this terminal while the bank could not be reached, without your PIN. "
    "It is booked to the account of this card as soon as it can be. Keep this receipt until then."
)


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A note whose money is not on the account. ``interrupted``: where it went is not known, or not yet; otherwise it
    is in the box, stacked or found there during the deposit, and the bank keeps its value in suspense. ``claim``: the
    host's number to ask by, empty while it has given none; the deposit's number serves until then.
    """

    value: Money
    claim: str
    interrupted: bool


@dataclass(frozen=True, slots=True)
class DepositPaper:
    """What a deposit amounts to for the person who made it. ``answer`` is None while the host has not answered."""

    deposit: Deposit
    credited: Money
    counts: tuple[tuple[Money, int], ...]
    inquiries: tuple[Inquiry, ...]
    answer: settlement_pb2.SettlementAnswer | None

    @property
    def card_masked(self) -> str:
        """The card, where the deposit began while the host was away; empty otherwise."""
        return self.deposit.offline.card_masked if self.deposit.offline is not None else ""


def summarise(deposit: Deposit, notes: Sequence[Note], answer: settlement_pb2.SettlementAnswer | None) -> DepositPaper:
    """The deposit as its receipt tells it. A claim number is the host's: until it has answered, there is none."""
    answers = {note.note_id: note for note in answer.notes} if answer is not None else {}
    credited: list[Money] = []
    inquiries: list[Inquiry] = []
    for note in notes:
        told = answers.get(note.note_id)
        claim = told.claim_number if told is not None else ""
        if note.value is None:
            continue
        foreign = note.value.currency != deposit.currency
        kept = told is not None and told.booking in _NOT_ON_THE_ACCOUNT
        if note.phase in _MAY_BE_IN_THE_BOX:
            inquiries.append(Inquiry(note.value, claim, interrupted=True))
        elif note.phase is NotePhase.FOUND or (note.credited and (kept or foreign)):
            inquiries.append(Inquiry(note.value, claim, interrupted=False))
        elif note.credited:
            credited.append(note.value)
    counts = tuple(sorted(Counter(credited).items(), key=lambda item: -item[0].minor))
    return DepositPaper(deposit, total(credited, deposit.currency), counts, tuple(inquiries), answer)


@dataclass(frozen=True, slots=True)
class Imprint:
    """What every document says of where and when it was printed. ``training``: nothing on it is real money."""

    terminal: str
    when: str
    training: bool


def _heading(title: str, imprint: Imprint) -> list[Block]:
    blocks: list[Block] = [
        Text("Guichet", Align.CENTRE, bold=True, large=True),
        Text(title, Align.CENTRE, bold=True),
    ]
    if imprint.training:
        blocks.append(Text("TRAINING - NO REAL MONEY", Align.CENTRE))
    return [*blocks, Space()]


def deposit_receipt(paper: DepositPaper, imprint: Imprint) -> Document:
    """The receipt of a deposit: credited, provisional, or with notes in doubt."""
    deposit, provisional = paper.deposit, paper.answer is None
    blocks: list[Block] = [
        *_heading("PROVISIONAL RECEIPT" if provisional else "CASH DEPOSIT", imprint),
        Row("Terminal", imprint.terminal),
        Row("Date", imprint.when),
        Row("Card", paper.card_masked) if paper.card_masked else Row("Account", deposit.account_masked),
        Row("Deposit", short(deposit.deposit_id)),
        *([Text(deposit.deposit_id)] if paper.card_masked else []),
        Rule(),
        *(Row(f"{count} x {value}", str(value * count)) for value, count in paper.counts),
        Rule(),
        Row("Total", str(paper.credited), bold=True),
        Space(),
    ]
    if paper.answer is not None:
        blocks.append(Row("Booked on", paper.answer.business_date))
        blocks.append(Row("Value date", paper.answer.value_date))
    elif paper.card_masked:
        blocks.append(Text(_WITHOUT_BANK))
    else:
        blocks.append(Text("Recorded at this terminal. Your account is credited as soon as the bank can be reached."))
    blocks.extend(_under_inquiry(paper.inquiries, deposit.deposit_id))
    blocks.extend((Space(), QrCode(receipt_code(paper, imprint)), Text("Thank you", Align.CENTRE)))
    return Document(f"deposit {short(deposit.deposit_id)}", tuple(blocks))


def _under_inquiry(inquiries: Iterable[Inquiry], deposit_id: DepositId) -> Iterable[Block]:
    for inquiry in inquiries:
        yield Rule()
        yield Text("NOTE UNDER INQUIRY", bold=True)
        yield Row(str(inquiry.value), f"claim {inquiry.claim}" if inquiry.claim else "no claim number yet")
        if not inquiry.claim:
            yield Text(f"The bank has not given it a claim number yet. Ask by deposit {short(deposit_id)}.")
        if inquiry.interrupted:
            yield Text("The terminal was interrupted with this note inside. It is looked for when the box is counted.")
        else:
            yield Text("This note is in the box. It could not be booked to the account; the bank keeps it for you.")


def receipt_code(paper: DepositPaper, imprint: Imprint) -> str:
    """The receipt as a text of at most 300 characters; what may be cut off last is the list of notes."""
    notes = ",".join(f"{count}x{value.major}" for value, count in paper.counts)
    claims = ",".join(inquiry.claim for inquiry in paper.inquiries if inquiry.claim)
    state = "provisional" if paper.answer is None else f"booked {paper.answer.business_date}"
    title = "GUICHET TRAINING DEPOSIT" if imprint.training else "GUICHET DEPOSIT"
    where = (imprint.terminal, imprint.when)
    lines = (title, paper.deposit.deposit_id, *where, str(paper.credited), state, claims, notes)
    return "\n".join(line for line in lines if line)[:300]


@dataclass(frozen=True, slots=True)
class Statement:
    """A whole statement, checked: opening balance plus lines is closing balance."""

    opening: customer_pb2.StatementOpening
    lines: tuple[customer_pb2.StatementLine, ...]
    closing: customer_pb2.StatementClosing


class StatementError(ValueError):
    """What the host sent is not a statement: parts missing, or sums that do not agree."""


def assemble(parts: Sequence[customer_pb2.StreamStatementResponse]) -> Statement:
    """A statement from its parts in order. Raises :class:`StatementError`."""
    try:
        return _assemble(parts)
    except MoneyError as error:
        raise StatementError(str(error)) from error


def _assemble(parts: Sequence[customer_pb2.StreamStatementResponse]) -> Statement:
    kinds = [part.WhichOneof("part") for part in parts]
    if len(parts) < 2 or kinds[0] != "opening" or kinds[-1] != "closing" or set(kinds[1:-1]) - {"line"}:
        raise StatementError("the statement is not whole")
    statement = Statement(parts[0].opening, tuple(part.line for part in parts[1:-1]), parts[-1].closing)
    balance = from_wire(statement.opening.opening_balance)
    for line in statement.lines:
        balance = balance + from_wire(line.amount)
        if balance != from_wire(line.balance):
            raise StatementError(f"the balance of {line.booking_date} does not follow from the one before")
    if balance != from_wire(statement.closing.closing_balance):
        raise StatementError("opening balance and lines do not give the closing balance")
    return statement


def statement_document(statement: Statement, imprint: Imprint) -> Document:
    """The statement on paper."""
    opening, closing = statement.opening, statement.closing
    blocks: list[Block] = [
        *_heading("ACCOUNT STATEMENT", imprint),
        Row("Account", opening.account_masked),
        Row("Holder", opening.holder),
        Row("Period", f"{opening.from_date} to {opening.to_date}"),
        Rule(),
        Row("Opening balance", str(from_wire(opening.opening_balance)), bold=True),
        Rule(),
    ]
    for line in statement.lines:
        blocks.append(Row(f"{line.booking_date} {line.text}", str(from_wire(line.amount))))
    blocks += [
        Rule(),
        Row("Paid in", str(from_wire(closing.total_in))),
        Row("Paid out", str(from_wire(closing.total_out))),
        Row("Closing balance", str(from_wire(closing.closing_balance)), bold=True),
        Space(),
        Row("Printed", f"{imprint.when} {imprint.terminal}"),
        Row("Statement", short(DepositId(opening.statement_id))),
    ]
    return Document(f"statement {short(opening.statement_id)}", tuple(blocks))
