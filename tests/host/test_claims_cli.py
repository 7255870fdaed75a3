"""``guichet-host operator`` about boxes and claims, as a person and a script use it."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from guichet.system import SystemIds, SystemRandom
from host.assembly import Seams, assemble
from host.cli import main
from host.config import HostConfig
from host.console.operators import add_operator
from host.console.schema import audit_log
from host.store.engine import open_engine
from host.store.executor import InlineExecutor
from tests.host.bench import Bench, BenchClock
from tests.host.boxes import NEXT_PERIOD, THIRD_PERIOD, exchanged_box, number_of, opened, replicate
from tests.host.terminal import BOX_PERIOD, OUTCOME_IN_DOUBT, Note, deposit_id
from tests.host.test_lost import leaves_open

NOTES = (Note(1), Note(3, 500), Note(2, outcome=OUTCOME_IN_DOUBT))
WORDS = {"olga": "a password of Olga", "pavel": "a password of Pavel"}


class Office:
    """A host's directory with a box that was exchanged, two operators, and what the commands say."""

    def __init__(self, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.data = data
        self._capsys = capsys

    def run(self, *words: str) -> tuple[int, str]:
        """Exit status, and everything that was said."""
        self._capsys.readouterr()
        try:
            status = main(["operator", *words, "--data", str(self.data)])
        except SystemExit as ended:
            status = int(ended.code or 0)
        said = self._capsys.readouterr()
        return status, said.out + said.err

    def ask(self, *words: str) -> Any:
        """The JSON of a command that is done."""
        return json.loads(self.run(*words, "--json")[1])

    def count(self, *pieces: str, more: Sequence[str] = ()) -> tuple[int, str]:
        named = [word for face in pieces for word in ("--pieces", face)]
        return self.run("count", "--terminal", "T-1", "--period", BOX_PERIOD[-8:], "--by", "Eva", *named, *more)

    def decide(self, name: str, outcome: str, *, word: str | None = None) -> tuple[int, str]:
        secret = self.data / f"{name}.txt"
        secret.write_text((WORDS[name] if word is None else word) + "\n")
        wish = ("--as", outcome, "--reason", "film", "--by", name, "--password-file", str(secret))
        return self.run("decide", number_of(2), *wish)

    def look(self, read: Callable[[Bench], object]) -> object:
        """Something of the database."""
        bench = on_disk(self.data)
        try:
            return read(bench)
        finally:
            bench.host.store.close()


def on_disk(data: Path) -> Bench:
    """A bench over a directory."""
    clock, config = BenchClock(), HostConfig(data=data)
    engine = open_engine(config.database)
    seams = Seams(clock, SystemRandom(), SystemIds(clock, SystemRandom()))
    return Bench(assemble(config, seams, engine, InlineExecutor()), engine, clock)


@pytest.fixture
def office(migrated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Office:
    data = tmp_path / "data"
    shutil.copytree(migrated, data)
    bench = on_disk(data)
    exchanged_box(bench, NOTES)
    with bench.engine.begin() as connection:
        for name, word in WORDS.items():
            add_operator(connection, name, word, bench.host.seams.random, 1)
    bench.host.store.close()
    return Office(data, capsys)


def audited(bench: Bench) -> list[tuple[str, str]]:
    with bench.engine.begin() as connection:
        c = audit_log.c
        return [(row.action, row.result) for row in connection.execute(select(c.action, c.result).order_by(c.entry_no))]


def test_the_field_engineer_sees_which_box_is_to_be_counted(office: Office) -> None:
    status, said = office.run("periods")
    assert status == 0
    rows = [re.split(r"  +", line.strip()) for line in said.splitlines()]
    assert (rows[1][0], rows[1][1], rows[1][4]) == ("T-1", BOX_PERIOD[-8:].upper(), "due")
    assert re.search(r"20\.00 EUR +1 +0 +0 +1$", said, re.MULTILINE)
    assert "in place" in said
    first, second = office.ask("periods", "--terminal", "T-1")
    assert (first["box_period_id"], first["count_number"]) == (BOX_PERIOD, None)
    assert (second["box_period_id"], second["ended_at_us"]) == (NEXT_PERIOD, None)
    assert [(one["value_minor"], one["credited"], one["in_doubt"]) for one in first["denominations"]] == [
        (500, 1, 0),
        (2_000, 1, 1),
    ]
    assert (first["exchanged"], second["exchanged"]) == (True, None)
    assert "no exchange" not in said
    assert office.ask("periods", "--terminal", "T-2") == []


def test_the_field_engineer_sees_where_no_box_was_seen_to_leave(
    migrated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    shutil.copytree(migrated, data)
    bench = on_disk(data)
    terminal = exchanged_box(bench, NOTES)
    opened(terminal, THIRD_PERIOD)
    replicate(bench, terminal)
    bench.host.store.close()
    office = Office(data, capsys)
    assert [one["exchanged"] for one in office.ask("periods")] == [True, False, None]
    assert office.run("periods")[1].count("no exchange") == 1


def test_a_count_that_covers_the_claim_closes_it_and_says_so(office: Office) -> None:
    status, said = office.count("20 EUR=2", "5 EUR=1", more=("--dry-run",))
    assert (status, "would be kept" in said, "would be credited" in said) == (0, True, True)
    assert len(office.ask("claims")) == 1
    status, said = office.count("20 EUR=2", "5 EUR=1", more=("--witness", "Otto"))
    assert status == 0
    assert "count 1 kept" in said
    assert f"claim {number_of(2)}: 20.00 EUR is credited" in said
    status, said = office.count("5 EUR=1", "20 EUR=2")
    assert (status, "count 1 known already" in said) == (0, True)
    assert office.ask("claims") == []
    (closed,) = office.ask("claims", "--closed")
    assert (closed["state"], closed["outcomes"][-1]["source"]) == ("credited", "count")
    assert main(["verify", "--data", str(office.data)]) == 0
    assert main(["reconcile", "--data", str(office.data)]) == 0
    assert office.look(audited) == [("enter box count 1", "done"), ("repeat box count 1", "done")]


def test_a_script_reads_what_a_count_did(office: Office) -> None:
    status, said = office.count("20 EUR=2", "5 EUR=1", more=("--json",))
    told = json.loads(said)
    assert (status, told["count_number"], told["agrees"], told["known_already"]) == (0, 1, True, False)
    assert [one["claim_number"] for one in told["credited"]] == [number_of(2)]
    assert [one["result"] for one in told["denominations"]] == ["exact", "exact"]


def test_a_count_that_leaves_something_to_a_person_ends_with_1_and_is_kept(office: Office) -> None:
    status, said = office.count("20 EUR=1")
    assert status == 1
    assert re.search(r"5\.00 EUR .* 1 short", said)
    assert "nothing over for the doubts" in said
    assert "a person must look" in said
    assert office.ask("periods")[0]["count_number"] == 1
    status, said = office.count(more=("--empty",))
    assert (status, "it replaces count 1, which is kept too" in said) == (1, True)


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (("20EUR=1",), "not an amount"),
        (("20 EUR",), "has not the form"),
        (("20 EUR=-1",), "has not the form"),
        (("20 XXX=1",), "unknown currency"),
        (("20 EUR=1", "20.00 EUR=2"), "named twice"),
        ((), "--pieces"),
    ],
)
def test_a_count_that_is_not_one_is_wrong_usage(office: Office, pieces: tuple[str, ...], text: str) -> None:
    status, said = office.count(*pieces)
    assert (status, text in said) == (2, True), said


def test_a_count_of_a_box_that_is_in_is_refused(office: Office) -> None:
    status, said = office.run(
        "count", "--terminal", "T-1", "--period", NEXT_PERIOD, "--by", "Eva", "--pieces", "5 EUR=1"
    )
    assert (status, "has not ended" in said) == (1, True)
    assert office.run("count", "--terminal", "x", "--period", "y", "--by", "Eva", "--empty")[0] == 1


def test_two_operators_decide_a_claim(office: Office) -> None:
    status, said = office.decide("olga", "not-found")
    assert (status, "another operator must confirm it" in said) == (0, True)
    status, said = office.run("claims")
    assert (status, "proposed" in said, "not-found? olga" in said) == (0, True, True)
    status, said = office.decide("olga", "not-found")
    assert (status, "another operator must confirm it" in said) == (1, True)
    status, said = office.decide("pavel", "not-found")
    assert (status, "booked; the claim is closed" in said) == (0, True)
    status, said = office.run("claim", number_of(2))
    assert (status, "olga and pavel" in said, "not-found" in said) == (0, True, True)
    assert main(["verify", "--data", str(office.data)]) == 0
    assert office.look(audited) == [("decide claim not-found", "proposed"), ("decide claim not-found", "booked")]


def test_a_wrong_password_decides_nothing_and_is_kept(office: Office) -> None:
    for _ in range(5):
        status, said = office.decide("pavel", "credited", word="a wrong password")
        assert (status, "wrong name or password" in said) == (1, True)
    status, said = office.decide("pavel", "credited")
    assert (status, "too many wrong passwords" in said) == (1, True)
    assert office.look(audited) == [("decide claim credited", "refused")] * 5
    assert office.ask("claims")[0]["proposal"] is None


def test_a_customer_without_a_claim_number_is_helped_by_the_deposit_s(office: Office) -> None:
    (found,) = office.ask("claim", deposit_id(1)[-8:].upper())
    assert found["claim_number"] == number_of(2)
    status, said = office.run("claim", "NOBODY-KNOWS")
    assert (status, "there is no claim" in said) == (1, True)


BAD = os.fsdecode(b"\xff")
"""A byte that is no UTF-8, as Python hands it to a program."""


@pytest.mark.parametrize(
    "words",
    [
        ("claim", BAD),
        ("decide", BAD, "--as", "credited", "--reason", "film", "--by", "olga"),
        ("decide", number_of(2), "--as", "credited", "--reason", f"film {BAD}", "--by", "olga"),
        ("decide", number_of(2), "--as", "credited", "--reason", "film", "--by", BAD),
        ("count", "--terminal", "T-1", "--period", BOX_PERIOD, "--by", BAD, "--empty"),
        ("count", "--terminal", "T-1", "--period", BOX_PERIOD, "--by", "Eva", "--witness", BAD, "--empty"),
        ("count", "--terminal", "T-1", "--period", BAD, "--by", "Eva", "--empty"),
        ("count", "--terminal", "T-1", "--period", BOX_PERIOD, "--by", "Eva", "--pieces", BAD),
        ("periods", "--terminal", BAD),
        ("add", BAD),
        ("revoke", BAD),
    ],
)
def test_words_that_are_no_text_are_wrong_usage(office: Office, words: Sequence[str]) -> None:
    status, said = office.run(*words)
    assert (status, said.count("\n") < 10, "Traceback" in said) == (2, True, False), said
    assert "not UTF-8" in said or "has not the form" in said
    assert office.look(audited) == []


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"], ids=["a UTF-8 locale", "the C locale"])
def test_a_piped_password_that_is_no_text_is_refused(
    office: Office, monkeypatch: pytest.MonkeyPatch, errors: str
) -> None:
    wish = ("decide", number_of(2), "--as", "credited", "--reason", "film", "--by", "olga")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a pass\xffword\n"), "utf-8", errors))
    status, said = office.run(*wish)
    assert (status, "the password: not UTF-8" in said) == (1, True)
    assert office.look(audited) == []


def test_every_command_about_boxes_and_claims_explains_itself(office: Office) -> None:
    for command in ("count", "periods", "claims", "claim", "decide"):
        status, said = office.run(command, "--help")
        assert (status, f"usage: guichet-host operator {command}" in said) == (0, True)


# --- what a lost terminal left open -----------------------------------------------------------------------------------


def lost(bench: Bench) -> None:
    """T-2 is stolen in mid-deposit."""
    terminal = bench.enrol("T-2")
    opened(terminal, BOX_PERIOD)
    leaves_open(terminal, 7, Note(71), undecided=Note(72, 500))
    replicate(bench, terminal)


def test_what_a_lost_terminal_left_open_is_shown_and_settled_once(office: Office) -> None:
    office.look(lost)
    assert office.run("settle-lost", "T-2") == (0, "nothing is left open\n")
    assert office.run("revoke", "T-2")[0] == 0
    looked = office.ask("settle-lost", "T-2", "--look")
    assert [(note["outcome"], note["minor"]) for note in looked] == [("credited", 2_000), ("in-doubt", 500)]
    status, said = office.run("settle-lost", "T-2")
    assert (status, "credited" in said, "in-doubt" in said) == (0, True, True)
    assert office.run("settle-lost", "T-2") == (0, "nothing is left open\n")
    assert office.look(lambda bench: [action for action, _ in audited(bench)]) == ["revoke terminal", "settle lost"]


@pytest.mark.parametrize("terminal", ["t-2", BAD, "", "NOBODY"])
def test_no_terminals_name_is_refused(office: Office, terminal: str) -> None:
    status, said = office.run("settle-lost", terminal)
    assert (status != 0, "Traceback" in said) == (True, False)
