"""Views as a terminal sends them: every kind, the usual and the extreme. Names become picture names."""

from __future__ import annotations

from guichet.v1 import screen_pb2 as pb
from guichet.v1.money_pb2 import Money


def eur(cents: int) -> Money:
    return Money(minor=cents, currency="EUR")


def notes(**counts: int) -> list[pb.NoteCount]:
    """``notes(e50=2)``: two fifties."""
    return [pb.NoteCount(value=eur(int(name[1:]) * 100), count=count) for name, count in counts.items()]


_BOTH = [pb.SERVICE_DEPOSIT, pb.SERVICE_STATEMENT]
_LINES = [
    ("2025-11-01", "Salary, Observatoire de Riga", 284_012),
    ("2025-11-01", "Rent November", -92_000),
    ("2025-11-03", "Card payment, Bakery at the Corner", -640),
    ("2025-11-04", "Card payment, Central Market Fish Pavilion", -2_385),
    ("2025-11-05", "Direct debit, Electricity", -6_120),
    ("2025-11-07", "Cash deposit at terminal", 15_000),
    ("2025-11-09", "Card payment, Bookshop", -2_190),
    ("2025-11-11", "Transfer from A. Liepiņa", 4_500),
    ("2025-11-12", "Direct debit, Telephone and internet", -3_499),
    ("2025-11-14", "Card payment, Pharmacy", -1_275),
    ("2025-11-15", "Standing order, Savings account", -25_000),
    ("2025-11-16", "Card payment, National Opera", -5_800),
    ("2025-11-18", "Card payment, Hardware and Garden Supplies of the Northern Suburbs", -4_935),
    ("2025-11-19", "Interest", 12),
    ("2025-11-20", "Card payment, Tram", -150),
]
_NUMBER = "*************4417"
_CARD = "**** 0010"
_CLAIM = "C-7F3A-20931"
_RECEIPT = (
    "GUICHET RECEIPT\nTerminal RIGA-017\nDeposit 4F2A91C7\n2025-11-21 14:32\nAccount ****4417\n"
    "2 x 50.00 EUR\n1 x 20.00 EUR\nTotal 120.00 EUR\nProvisional: credited when the host answers\n"
    "Signature MEUCIQDx2y7pVb0o1a6uFJ2rKk3mN8eJpW4L5yQwT9HcS0Zv1AIgYk0T7tqX2mB9cR4nV6sD8fG1hJ3kL5pQ7wE9rT2yU4iO=="
)


def _statement(lines: int = 15, *, paper: bool = True, printed: bool = False) -> pb.StatementView:
    return pb.StatementView(
        account_masked=_NUMBER,
        holder="Ieva Kalniņa",
        from_date="2025-11-01",
        to_date="2025-11-21",
        opening_balance=eur(120_455),
        closing_balance=eur(254_985),
        lines=[pb.StatementViewLine(date=date, text=text, amount=eur(cents)) for date, text, cents in _LINES[:lines]],
        lines_in_all=38 if lines == len(_LINES) else lines,
        paper=paper,
        printed=printed,
    )


def views() -> dict[str, pb.View]:
    """Name -> view, with ids from 1; every third one is of a training terminal."""
    made: dict[str, pb.View] = {}
    for number, (name, view) in enumerate(_contents().items(), start=1):
        view.view_id, view.language, view.training = number, "en", number % 3 == 1
        made[name] = view
    return made


def _contents() -> dict[str, pb.View]:
    return {
        "attract": pb.View(attract=pb.AttractView(available=_BOTH, paper=True)),
        "attract-no-paper-no-cash": pb.View(
            attract=pb.AttractView(available=[pb.SERVICE_STATEMENT], unavailable=[pb.SERVICE_DEPOSIT])
        ),
        "attract-nothing": pb.View(attract=pb.AttractView(unavailable=_BOTH, paper=True)),
        "wait": pb.View(wait=pb.WaitView(reason=pb.WAIT_REASON_CHECKING_PIN)),
        "pin": pb.View(pin=pb.PinView(card_masked="************4417", digits=2)),
        "pin-wrong-software": pb.View(
            pin=pb.PinView(card_masked="************4417", digits=0, tries_left=1, software_pad=True)
        ),
        "pin-long": pb.View(pin=pb.PinView(card_masked="************4417", digits=12)),
        "menu": pb.View(menu=pb.MenuView(customer_name="Ieva Kalniņa", available=_BOTH)),
        "menu-long-name": pb.View(
            menu=pb.MenuView(
                customer_name="Maximiliana Alexandra von Hohenstein-Rittersberg",
                available=[pb.SERVICE_STATEMENT],
                unavailable=[pb.SERVICE_DEPOSIT],
            )
        ),
        "accounts": pb.View(
            accounts=pb.AccountsView(
                purpose=pb.SERVICE_DEPOSIT,
                accounts=[
                    pb.AccountChoice(
                        account_id="a1", masked_number=_NUMBER, product="Current account", balance=eur(254_985)
                    ),
                    pb.AccountChoice(
                        account_id="a2", masked_number="*************0932", product="Savings", balance=eur(1_840_000)
                    ),
                ],
            )
        ),
        "accounts-many": pb.View(
            accounts=pb.AccountsView(
                purpose=pb.SERVICE_STATEMENT,
                accounts=[
                    pb.AccountChoice(
                        account_id=f"a{number}",
                        masked_number=f"*************{number:04d}",
                        product="A savings account with a remarkably long name" if number == 2 else "Current account",
                        balance=eur(-123_456_789_00 if number == 2 else number * 10_050),
                    )
                    for number in range(1, 10)
                ],
            )
        ),
        "deposit-first": pb.View(
            deposit=pb.DepositView(stage=pb.DEPOSIT_STAGE_INSERT_FIRST, account_masked=_NUMBER, total=eur(0))
        ),
        "deposit-checking": pb.View(
            deposit=pb.DepositView(
                stage=pb.DEPOSIT_STAGE_CHECKING_NOTE,
                account_masked=_NUMBER,
                total=eur(7_000),
                notes=notes(e50=1, e20=1),
                current_note=eur(5_000),
            )
        ),
        "deposit-more": pb.View(
            deposit=pb.DepositView(
                stage=pb.DEPOSIT_STAGE_INSERT_MORE,
                account_masked=_NUMBER,
                total=eur(47_000),
                notes=notes(e200=1, e100=1, e50=2, e20=2, e10=2, e5=2),
            )
        ),
        "deposit-returning": pb.View(
            deposit=pb.DepositView(
                stage=pb.DEPOSIT_STAGE_RETURNING,
                account_masked=_NUMBER,
                total=eur(0),
                note_back=pb.NOTE_BACK_NOT_RECOGNISED,
            )
        ),
        "deposit-everything": pb.View(
            deposit=pb.DepositView(
                stage=pb.DEPOSIT_STAGE_CHECKING_NOTE,
                account_masked=_NUMBER,
                total=eur(1_234_500),
                notes=notes(e500=15, e200=12, e100=10, e50=12, e20=13, e10=6, e5=1),
                current_note=eur(50_000),
                host_away=True,
                no_receipt=True,
                note_back=pb.NOTE_BACK_OTHER_CURRENCY,
            )
        ),
        "result-credited": pb.View(
            deposit_result=pb.DepositResultView(
                deposit_id="0193-7f3a4f2a91c7",
                account_masked=_NUMBER,
                total=eur(12_000),
                notes=notes(e50=2, e20=1),
                state=pb.DEPOSIT_STATE_CREDITED,
                receipt=pb.RECEIPT_STATE_OFFERED,
            )
        ),
        "result-provisional-code": pb.View(
            deposit_result=pb.DepositResultView(
                deposit_id="0193-7f3a4f2a91c7",
                account_masked=_NUMBER,
                total=eur(12_000),
                notes=notes(e50=2, e20=1),
                state=pb.DEPOSIT_STATE_PROVISIONAL,
                receipt=pb.RECEIPT_STATE_ON_SCREEN,
                receipt_code=_RECEIPT,
            )
        ),
        "result-everything": pb.View(
            deposit_result=pb.DepositResultView(
                deposit_id="0193-7f3a4f2a91c7",
                account_masked=_NUMBER,
                total=eur(83_500),
                notes=notes(e500=1, e200=1, e100=1, e20=1, e10=1, e5=1),
                state=pb.DEPOSIT_STATE_PROVISIONAL,
                in_doubt=[
                    pb.DoubtfulNote(value=eur(5_000), claim_number=_CLAIM),
                    pb.DoubtfulNote(value=eur(2_000), claim_number="C-7F3A-20932"),
                ],
                receipt=pb.RECEIPT_STATE_ON_SCREEN,
                receipt_code=_RECEIPT,
                stop=pb.DEPOSIT_STOP_DEVICE,
            )
        ),
        "result-doubt-printed": pb.View(
            deposit_result=pb.DepositResultView(
                deposit_id="0193-7f3a4f2a91c7",
                account_masked=_NUMBER,
                total=eur(2_000),
                notes=notes(e20=1),
                state=pb.DEPOSIT_STATE_CREDITED,
                in_doubt=[pb.DoubtfulNote(value=eur(5_000), claim_number=_CLAIM)],
                receipt=pb.RECEIPT_STATE_PRINTED,
                stop=pb.DEPOSIT_STOP_DEVICE,
            )
        ),
        "result-empty": pb.View(
            deposit_result=pb.DepositResultView(
                deposit_id="0193-7f3a4f2a91c7",
                account_masked=_NUMBER,
                total=eur(0),
                state=pb.DEPOSIT_STATE_EMPTY,
                stop=pb.DEPOSIT_STOP_TIMEOUT,
            )
        ),
        "statement": pb.View(statement=_statement()),
        "statement-no-paper": pb.View(statement=_statement(paper=False)),
        "statement-printed-short": pb.View(statement=_statement(4, printed=True)),
        "notice": pb.View(notice=pb.NoticeView(notice=pb.NOTICE_CARD_EXPIRED, code="card-expired", controls=["done"])),
        "notice-no-receipt": pb.View(
            notice=pb.NoticeView(notice=pb.NOTICE_NO_RECEIPT, code="printer-paper-out", controls=["continue", "no"])
        ),
        "goodbye-card": pb.View(goodbye=pb.GoodbyeView(card_inside=True)),
        "goodbye": pb.View(goodbye=pb.GoodbyeView()),
        "out-of-service": pb.View(
            out_of_service=pb.OutOfServiceView(code="cash-jam", still_works=[pb.SERVICE_STATEMENT])
        ),
        "out-of-service-all": pb.View(out_of_service=pb.OutOfServiceView(code="journal-full")),
        "unreadable": pb.View(),
        "attract-host-away": pb.View(
            attract=pb.AttractView(
                available=[pb.SERVICE_DEPOSIT], unavailable=[pb.SERVICE_STATEMENT], paper=True, host_away=True
            )
        ),
        "attract-host-away-no-paper": pb.View(
            attract=pb.AttractView(available=[pb.SERVICE_DEPOSIT], unavailable=[pb.SERVICE_STATEMENT], host_away=True)
        ),
        "notice-offline-deposit": pb.View(
            notice=pb.NoticeView(
                notice=pb.NOTICE_OFFLINE_DEPOSIT, code="host", controls=["continue", "back"], amount=eur(1_234_550)
            )
        ),
        "notice-offline-other-card": pb.View(
            notice=pb.NoticeView(notice=pb.NOTICE_OFFLINE_OTHER_CARD, code="offline-other-bin", controls=["done"])
        ),
        "notice-offline-used-up": pb.View(
            notice=pb.NoticeView(notice=pb.NOTICE_OFFLINE_USED_UP, code="offline-card-used-up", controls=["done"])
        ),
        "deposit-offline-first": pb.View(
            deposit=pb.DepositView(
                stage=pb.DEPOSIT_STAGE_INSERT_FIRST,
                card_masked=_CARD,
                total=eur(0),
                left=eur(20_000),
                host_away=True,
                no_receipt=True,
            )
        ),
        "deposit-offline-limit": pb.View(
            deposit=pb.DepositView(
                stage=pb.DEPOSIT_STAGE_RETURNING,
                card_masked=_CARD,
                total=eur(18_500),
                notes=notes(e100=1, e50=1, e20=1, e10=1, e5=1),
                left=eur(1_500),
                host_away=True,
                note_back=pb.NOTE_BACK_LIMIT,
            )
        ),
        "result-offline": pb.View(
            deposit_result=pb.DepositResultView(
                deposit_id="0193-7f3a4f2a91c7",
                card_masked=_CARD,
                total=eur(12_000),
                notes=notes(e50=2, e20=1),
                state=pb.DEPOSIT_STATE_PROVISIONAL,
                receipt=pb.RECEIPT_STATE_OFFERED,
                stop=pb.DEPOSIT_STOP_LIMIT,
            )
        ),
        "result-offline-code": pb.View(
            deposit_result=pb.DepositResultView(
                deposit_id="0193-7f3a4f2a91c7",
                card_masked=_CARD,
                total=eur(12_000),
                notes=notes(e50=2, e20=1),
                state=pb.DEPOSIT_STATE_PROVISIONAL,
                receipt=pb.RECEIPT_STATE_ON_SCREEN,
                receipt_code=_RECEIPT,
            )
        ),
        "result-offline-booked": pb.View(
            deposit_result=pb.DepositResultView(
                deposit_id="0193-7f3a4f2a91c7",
                card_masked=_CARD,
                total=eur(12_000),
                notes=notes(e50=2, e20=1),
                state=pb.DEPOSIT_STATE_CREDITED,
                receipt=pb.RECEIPT_STATE_PRINTED,
            )
        ),
        "result-offline-empty": pb.View(
            deposit_result=pb.DepositResultView(
                deposit_id="0193-7f3a4f2a91c7", card_masked=_CARD, total=eur(0), state=pb.DEPOSIT_STATE_EMPTY
            )
        ),
    }
