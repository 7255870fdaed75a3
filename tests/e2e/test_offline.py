"""The host is away before anybody comes: a card that its limits allow deposits, and the money finds its account."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from guichet.offline import parse_limits
from guichet.v1 import journal_pb2 as journal
from host.customers.demo import PEOPLE, account_id
from tests.e2e.secrets_search import Search
from tests.e2e.test_secrets import SEARCH
from tests.e2e.test_start_up import readmit
from tests.e2e.whole_kiosk import Books, Kiosk

BINS = ("476173", "541333")
ANNAS = account_id(PEOPLE[0].current)
LIMITS = (
    "--currency", "EUR", "--per-card", "40 EUR", "--per-terminal", "200 EUR", "--deposits", "2",
    "--days", "1",
)  # fmt: skip
CARDS = Search(SEARCH.pans, ())


def operator(kiosk: Kiosk, verb: str, *words: str) -> None:
    """The operator has a list signed, and the terminal has it when it has answered its next heartbeat."""
    before = newest(kiosk)
    done = kiosk.host("operator", "offline-limits", verb, "--terminal", "K001", *words)
    assert done.returncode == 0, done.stderr
    kiosk.until(lambda: newest(kiosk) > before, "the terminal to have the list")


def newest(kiosk: Kiosk) -> int:
    received = kiosk.facts(journal.OfflineLimitsReceived)
    return parse_limits(received[-1].content).number if received else 0


@pytest.fixture(scope="module", autouse=True)
def cards_that_may(shared_kiosk: Kiosk) -> Iterator[None]:
    """Anna's and Boris's BINs have limits. What a card has used stays used for the day: one test deposits with each."""
    operator(shared_kiosk, "set", *(word for prefix in BINS for word in ("--bin", prefix)), *LIMITS)
    yield
    operator(shared_kiosk, "withdraw")


@contextmanager
def away(kiosk: Kiosk) -> Generator[None]:
    """The host cannot be reached; afterwards it can, and the terminal is with it again."""
    kiosk.stack.pull_cables()
    kiosk.until(lambda: not kiosk.connected(), "the terminal to notice")
    try:
        yield
    finally:
        kiosk.person.take_card()
        kiosk.stack.plug_cables_in()
        kiosk.until(kiosk.connected, "the host to be there again")


def may_deposit(kiosk: Kiosk, card: str, amount: str) -> None:
    """Somebody puts a card in, and reads how much can be deposited."""
    kiosk.person.card(card)
    seen = kiosk.person.wait_view("notice")
    assert seen.says("Notes can be taken up to"), seen
    assert seen.says(amount), seen


def test_a_deposit_that_begins_while_the_host_is_away_is_provisional_and_then_booked_to_the_cards_account(
    kiosk: Kiosk,
) -> None:
    before, person = kiosk.books(), kiosk.person
    with away(kiosk):
        assert person.wait_until(lambda seen: seen.says("does not answer"), "what works").name == "attract"
        may_deposit(kiosk, "anna", "€40.00")
        person.touch("continue")
        assert kiosk.to_open_slot().says("To the account of card")
        person.insert("20 EUR")
        kiosk.sees_total("€20")
        person.insert("50 EUR")
        person.wait_until(lambda seen: seen.says("would go over the limit"), "the note to come back")
        person.wait_until(lambda seen: seen.says("Insert the next note"), "the slot to open")
        person.insert("10 EUR")
        kiosk.sees_total("€30")
        result = kiosk.finish()
        assert result.says("Your deposit is recorded")
        assert result.says("0010")
        person.touch("receipt")
        person.wait_until(lambda seen: seen.says("Your receipt is printed"), "the receipt")
        deposit = kiosk.facts(journal.DepositOpened)[-1]
        assert_provisional(max(kiosk.stack.paper.glob("*.txt")).read_text(encoding="utf-8"), deposit.deposit_id)
        assert deposit.account_id == ""
        person.touch("done")
        kiosk.leave()
    expected = Counter({"20.00 EUR": 1, "10.00 EUR": 1})
    assert kiosk.books().since(before) == Books(expected, expected, Counter())
    assert booked_to(kiosk, deposit.deposit_id) == {ANNAS}
    for command in ("verify", "reconcile"):
        done = kiosk.host(command)
        assert done.returncode == 0, done.stdout
    found = {str(path): secrets for path in left(kiosk) if (secrets := CARDS.in_bytes(path.read_bytes()))}
    assert not found


def assert_provisional(receipt: str, deposit: str) -> None:
    assert "PROVISIONAL RECEIPT" in receipt
    assert deposit in "".join(receipt.split())
    assert "**** 0010" in receipt


def test_what_has_been_used_and_the_hosts_time_outlive_the_terminals_process(kiosk: Kiosk) -> None:
    with away(kiosk):
        may_deposit(kiosk, "boris", "€40.00")
        kiosk.person.touch("continue")
        kiosk.to_open_slot()
        kiosk.person.insert("20 EUR")
        kiosk.sees_total("€20")
        kiosk.person.insert("20 EUR")
        assert kiosk.person.wait_view("deposit_result").says("The limit of one deposit is reached.")
        kiosk.person.touch("done")
        kiosk.leave()
        kiosk.stack.terminal.kill()
        kiosk.stack.start_again([kiosk.stack.terminal])
        kiosk.until(lambda: kiosk.status() is not None, "the terminal to be back")
        kiosk.person.wait_until(lambda seen: seen.says("Some cards can deposit"), "what works")
        kiosk.person.card("boris")
        assert kiosk.person.wait_view("notice").says("What can be deposited without it today has been deposited.")
        kiosk.person.touch("done")
        kiosk.leave()


def test_a_card_of_another_bin_is_told_that_it_cannot_be_served_now(kiosk: Kiosk) -> None:
    with away(kiosk):
        kiosk.person.card("unknown")
        assert kiosk.person.wait_view("notice").says("Without it, this card cannot be used here.")
        kiosk.person.touch("done")
        kiosk.leave()


def test_a_revoked_terminal_serves_nobody_also_when_its_host_is_away_afterwards(kiosk: Kiosk) -> None:
    person = kiosk.person
    with away(kiosk):
        person.wait_until(lambda seen: seen.says("Some cards can deposit"), "what works")
        done = kiosk.host("operator", "revoke", "K001")
        assert done.returncode == 0, done.stderr
        try:
            kiosk.stack.plug_cables_in()
            person.wait_until(lambda seen: seen.says("Code host-refused"), "the code of a refused terminal")
            kiosk.stack.pull_cables()
            seen = person.wait_until(lambda seen: "Code host" in seen.texts, "the code of a host that is away")
            assert seen.name == "out_of_service"
        finally:
            kiosk.stack.plug_cables_in()
            readmit(kiosk)


def booked_to(kiosk: Kiosk, deposit: str) -> set[str]:
    path = kiosk.stack.base / "host" / "host.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return {
            row[0] for row in database.execute("SELECT account_id FROM note_outcomes WHERE deposit_id = ?", (deposit,))
        }


def left(kiosk: Kiosk) -> list[Path]:
    """What terminal and host have written, the journal and the database with their logs."""
    base = kiosk.stack.base
    tops = (base / "kiosk", base / "host", base / "log", base / "wire", base / "paper")
    return [path for top in tops for path in top.rglob("*") if path.is_file()]
