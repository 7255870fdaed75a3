"""``guichet-host operator offline-limits``, as a person and a script use it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from guichet.offline import DAY_US, parse_limits
from host.cli import main
from host.config import HostConfig
from host.store.engine import open_engine
from host.store.migrate import migrate

LIMIT = (
    "--bin",
    "476173",
    "--currency",
    "EUR",
    "--per-card",
    "200 EUR",
    "--per-terminal",
    "2000 EUR",
    "--deposits",
    "2",
)
Run = Callable[..., int]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A host's directory that knows a live terminal and a training one."""
    data = tmp_path / "host"
    data.mkdir()
    engine = open_engine(HostConfig(data=data).database)
    migrate(engine)
    engine.dispose()
    with closing(sqlite3.connect(data / "host.db")) as connection:
        for name, ledger in (("K001", "training"), ("K002", "live")):
            row = (name, ledger, "a kiosk", 1)
            connection.execute("INSERT INTO terminals VALUES (?, ?, ?, ?)", row)
        connection.commit()
    return data


@pytest.fixture
def run(data: Path) -> Run:
    def run(verb: str, *words: str, terminal: str = "K001") -> int:
        return main(["operator", "offline-limits", verb, "--data", str(data), "--terminal", terminal, *words])

    return run


@pytest.mark.parametrize("terminal", ["K001", "K002"])
def test_a_list_is_set_shown_and_withdrawn(
    run: Run, terminal: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("set", *LIMIT, "--days", "7", terminal=terminal) == 0
    assert "476173  200.00 EUR    2000.00 EUR         2" in capsys.readouterr().out
    assert run("show", terminal=terminal) == 0
    told = capsys.readouterr().out
    number = int(told.split(": list ")[1].split(",")[0])
    assert f"{terminal}: list {number}, good until" in told
    assert run("show", "--json", terminal=terminal) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["terminal"], shown["number"], shown["good"]) == (terminal, number, True)
    assert shown["expires_at_us"] - shown["issued_at_us"] == 7 * DAY_US
    assert shown["limits"] == [
        {
            "bin": "476173", "currency": "EUR", "per_card_day_minor": 20_000, "per_terminal_day_minor": 200_000,
            "deposits_per_card_day": 2,
        }
    ]  # fmt: skip
    assert run("withdraw", "--json", terminal=terminal) == 0
    withdrawn = json.loads(capsys.readouterr().out)
    assert (withdrawn["number"] > number, withdrawn["good"], withdrawn["limits"]) == (True, False, [])
    assert run("show", terminal=terminal) == 0
    assert f"list {withdrawn['number']}, withdrawn" in capsys.readouterr().out
    with closing(sqlite3.connect(data / "host.db")) as connection:
        audit = connection.execute("SELECT action, subject, result FROM audit_log").fetchall()
    assert audit == [
        ("set offline limits", f"{terminal}, list {number}", "done"),
        ("withdraw offline limits", f"{terminal}, list {withdrawn['number']}", "done"),
    ]


def test_a_new_list_takes_the_place_of_the_old_one_or_adds_to_it(run: Run, data: Path) -> None:
    assert run("set", *LIMIT, "--days", "7") == 0
    assert run("set", *LIMIT, "--bin", "541333", "--days", "1", "--add") == 0
    assert run("set", *(word.replace("476173", "601111") for word in LIMIT), "--days", "1") == 0
    with closing(sqlite3.connect(data / "host.db")) as connection:
        rows = connection.execute("SELECT content FROM offline_limits ORDER BY number").fetchall()
    bins = [[limit.bin for limit in parse_limits(content).limits] for (content,) in rows]
    assert bins == [["476173"], ["476173", "541333"], ["601111"]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"476173": "4761"}, "6 to 8 digits"),
        ({"200 EUR": "200"}, "not an amount"),
        ({"200 EUR": "2001 EUR"}, "a card's not more"),
        ({"200 EUR": "200 USD"}, "two currencies"),
        ({"EUR": "USD"}, "--currency USD"),
        ({"2": "0"}, "1 to 100"),
        ({"7": "32"}, "--days: 1 to 31"),
        ({"K001": "K009"}, "no terminal K009"),
        ({"K001": "k 1"}, "not a terminal id"),
    ],
)
def test_limits_that_cannot_be_signed_are_refused_with_the_reason(
    run: Run, data: Path, change: dict[str, str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [change.get(word, word) for word in (*LIMIT, "--days", "7")]
    assert run("set", *words, terminal=change.get("K001", "K001")) == 1
    assert said in capsys.readouterr().err
    with closing(sqlite3.connect(data / "host.db")) as connection:
        assert connection.execute("SELECT count(*) FROM offline_limits").fetchone() == (0,)


def test_a_terminal_without_a_list_is_status_one(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show") == 1
    assert "never had" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["set"], ["set", "--terminal", "K001"], [], ["frobnicate"]])
def test_wrong_usage_is_status_two(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["operator", "offline-limits", *words])
    assert ended.value.code == 2


@pytest.mark.parametrize("verb", ["set", "show", "withdraw"])
def test_each_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["operator", "offline-limits", verb, "--help"])
    assert ended.value.code == 0
    assert "--terminal" in capsys.readouterr().out
