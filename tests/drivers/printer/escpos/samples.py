"""Documents such as the terminal prints, to look at and to test with."""

from __future__ import annotations

from drivers.api.document import Align, Block, Document, QrCode, Row, Rule, Space, Text

_CLAIM = "https://bank.example/claim/7Q2K-4410"


def _head(place: str) -> tuple[Block, ...]:
    return (
        Text("BALTIC EXAMPLE BANK", Align.CENTRE, bold=True, large=True),
        Text(place, Align.CENTRE),
        Space(),
    )


def deposit() -> Document:
    """Three denominations, credited."""
    return Document(
        "deposit",
        (
            *_head("Brīvības iela 12, Rīga"),
            Row("22.11.2026  14:07:31", "Terminal RIX-0042"),
            Row("Card", "**** 4417"),
            Row("Account", "LV80 BANK **** 1234"),
            Rule(),
            Text("CASH DEPOSIT", bold=True),
            Row("3 x 50.00 EUR", "150.00"),
            Row("2 x 20.00 EUR", "40.00"),
            Row("1 x 5.00 EUR", "5.00"),
            Rule(),
            Row("Credited to your account", "195.00 EUR", bold=True),
            Row("Balance", "1 204.18 EUR"),
            Space(),
            Row("Deposit", "7C01E5A9"),
            QrCode("guichet:deposit:7C01E5A9:195.00EUR"),
            Text("Thank you. Keep this receipt.", Align.CENTRE),
        ),
    )


def provisional() -> Document:
    """In Russian: the host could not be reached."""
    return Document(
        "provisional",
        (
            *_head("улица Бривибас 12, Рига"),
            Row("22.11.2026  14:07:31", "Терминал RIX-0042"),
            Row("Карта", "**** 4417"),
            Rule(),
            Text("ВЗНОС НАЛИЧНЫХ", bold=True),
            Row("1 x 100.00 EUR", "100.00"),
            Row("1 x 20.00 EUR", "20.00"),
            Rule(),
            Row("Принято", "120.00 EUR", bold=True),
            Space(),
            Text("ПРЕДВАРИТЕЛЬНАЯ КВИТАНЦИЯ", Align.CENTRE, bold=True),
            Text(
                "Связи с банком сейчас нет. Деньги приняты и записаны; они будут зачислены на ваш счёт, когда связь "
                "восстановится. Сохраните эту квитанцию: её подпись подтверждает сумму.",
            ),
            QrCode("GUICHET1:RIX-0042:7C01E5B0:12000EUR:" + "MEUCIQDk3v9xQ2b7fT1pZ8sLw0aYcR5nHj6mG4uVtXeKoP=" * 3),
            Text("Взнос 7C01E5B0", Align.CENTRE),
        ),
    )


def in_doubt() -> Document:
    """In Latvian: one note's place is not known; the customer has a claim."""
    return Document(
        "in doubt",
        (
            *_head("Brīvības iela 12, Rīga"),
            Row("22.11.2026  14:07:31", "Terminālis RIX-0042"),
            Rule(),
            Text("SKAIDRAS NAUDAS IEMAKSA", bold=True),
            Row("2 x 50.00 EUR", "100.00"),
            Row("Ieskaitīts jūsu kontā", "100.00 EUR", bold=True),
            Rule(),
            Text("VIENA BANKNOTE TIEK PĀRBAUDĪTA", bold=True),
            Row("1 x 20.00 EUR", "nav ieskaitīta"),
            Text(
                "Ierīce apstājās, kamēr banknote bija ceļā. Mēs saskaitīsim kasti un atbildēsim jums desmit dienu "
                "laikā. Saglabājiet šo kvīti.",
            ),
            Space(),
            Text("Prasības numurs", Align.CENTRE),
            Text("7Q2K-4410", Align.CENTRE, bold=True, large=True),
            QrCode(_CLAIM),
        ),
    )


def statement() -> Document:
    """Thirty lines, some of them too long for one line of paper."""
    names = ("Maxima XX, Rīga", "Salary ACME Baltic SIA, November", "Rīgas satiksme", "Cash deposit RIX-0042",
             "Direct debit Latvenergo AS, electricity, contract 448-2210-77", "Кафе «Ёлка»")  # fmt: skip
    rows = tuple(
        Row(f"{1 + index:02}.11 {names[index % len(names)]}", f"{'+' if index % 6 in (1, 3) else '-'}{amount}")
        for index, amount in enumerate(f"{17 * index * index % 1900 + 3}.{index * 37 % 100:02}" for index in range(30))
    )
    return Document(
        "statement",
        (
            *_head("Brīvības iela 12, Rīga"),
            Text("ACCOUNT STATEMENT", Align.CENTRE, bold=True),
            Row("Account", "LV80 BANK **** 1234"),
            Row("Period", "01.11.2026 - 30.11.2026"),
            Rule(),
            Row("Opening balance", "2 310.77 EUR", bold=True),
            *rows,
            Rule(),
            Row("Closing balance", "1 204.18 EUR", bold=True),
            Space(),
            Text("Amounts in EUR. Page 1 of 1.", Align.CENTRE),
        ),
    )


ALL = (deposit, provisional, in_doubt, statement)
