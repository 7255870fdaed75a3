"""Every row of the makers' descriptions that matters to a deposit has a test that claims it.

A test claims rows with :func:`tests.drivers.cash.sheet.row`, or one in each case with ``each_row``. Rows that are read
the same whatever is on record stand once; those where the record decides stand with it. What a protocol has for
recyclers, hoppers, tickets and downloads is not listed: no deposit is made of it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.drivers.cash.sheet import each_row, row

HERE = Path(__file__).parent
ROWS: dict[str, tuple[str, ...]] = {
    "ccnet": (
        # Poll answers.
        "10 power up", "11 power up, note in validator", "12 power up, note in stacker", "13 initialize", "14 idling",
        "15 accepting", "17 stacking", "18 returning", "19 disabled", "1A holding", "1B busy", "1C rejecting",
        "30 is no RESET", "30 or FF to a question is no data", "37 and 41 are answered slowly", "41 box full",
        "42 box removed", "43 jam in validator", "44 jam in box", "45 cheated", "46 pause", "47 failure",
        "5B counter of stacked notes", "80 escrow", "81 and 82 are repeated until they are acknowledged",
        "81 stacked",
        "81 without 80", "82 returned", "84 and 90 are not ours",
        # Sequences.
        "sequence: communication lost", "sequence: accept with escrow", "sequence: time-out", "sequence: reject",
        "sequence: no escrow bit", "sequence: disable during a note", "sequence: power-up and initialise",
        "sequence: jam", "sequence: cheat", "sequence: box removed and replaced", "sequence: return",
        "sequence: box full",
        # Windows in which power or the line goes.
        "window: STACK sent, no ACK read", "window: power cut after stacking, before 81 was acknowledged",
        "window: 12 and 81 again of a note that is credited", "window: jam during stacking",
        # Acknowledgements, commands, tables.
        "record, then ACK", "ACK lost: the same event again", "silence counts as NAK", "NAK to a command",
        "a stale answer is none", "bad CRC: NAK, and the data at the next poll",
        "an answer with data is acknowledged, an ACK is not", "STACK only in escrow",
        "RESET never while a note moves",
        "addresses", "NAK to a poll", "the first poll on record before RESET", "masks: types 23 to 16 first",
        "note table: holes, and a first type that is not 0", "note table: scale", "note table: country",
        "note table: type 23 is a bar code",
        # The line, and what else is said.
        "STACK to 81 within 30 s", "37 part, serial and asset number", "late ACK: strict and lenient",
        "38 hold leaves 1A",
    ),
    "id003": (
        # Status codes.
        "11 idling", "12 accepting", "13 escrow", "14 stacking", "15 is repeated until it is acknowledged",
        "15 vend valid", "15 with a byte", "16 stacked", "17 rejecting", "18 returning", "19 holding", "1A disabled",
        "1B initialize", "1C busy, 1D end, 1E returned", "40 power up", "41 power up, note in acceptor",
        "42 power up, note in stacker", "42 with power recovery", "42 without power recovery", "43 stacker full",
        "44 stacker open", "45 jam in acceptor", "46 jam in stacker", "47 pause", "48 cheated", "49 failure",
        "4A and 4B are no states", "4C recycler failure", "8A, 88 and 91 before RESET", "C3 00 after every RESET",
        "C5 02 00 first in every INITIALIZE",
        # Sequences.
        "7.1 power-up, initialise, enable", "7.2 accept, escrow, stack", "7.3 return", "7.4 reject",
        "7.5 disable during a note", "7.6 stacker full", "7.7 stacker removed and replaced", "7.8 jam",
        "7.9 pause and cheat", "7.10 failure", "7.11 communication lost",
        # Ambiguous windows.
        "W1 STACK sent, answer lost", "W2 host died between 15 and its record",
        "W3 ACK lost, or the host died before it", "W4 power cut before 15 was acknowledged",
        "W5 host and device lose power together", "W6 RESET while 15 waits", "W7 42 after ACK, and a second 15",
        "W8 jam in the stacker, note taken by hand",
        # What is on record, and the first status.
        "stack sent, 11", "stack sent, 17", "none, 40", "none, 41", "none, 42", "none, 42 and 15", "escrow, 40",
        "escrow, 41", "escrow, 42", "stack sent, 14", "stack sent, 15", "stack sent, 18", "stack sent, 41",
        "stack sent, 42 and 15", "stack sent, 42 without 15", "stack sent, 46", "stack sent, 40", "stack sent, 1A",
        "credited, 15", "credited, 42 and 15", "credited, 40", "credited, 11", "credited, 1A", "credited, 16",
        "credited, 41", "credited, 17", "credited, 18", "return sent, 18", "return sent, 11", "return sent, 1A",
        "return sent, 40", "return sent, 41", "return sent, 42", "return sent, 15", "escrow, 13", "stack sent, 13",
        "return sent, 13",
        # Acknowledgements, commands, tables.
        "record, then ACK", "ACK is for 15 alone", "late ACK: the unit hangs", "stray ENQ 05",
        "STACK-2, never STACK-1", "escrow code 6F is a ticket", "escrow codes are the firmware's own",
        "settings are echoed, or refused by 4B", "currency table: value, exponent, empty slot",
        "currency table: any number of records",
        # The line, and what else is said.
        "91 serial number", "C0: a bit that is set disables", "escrow without a command: 17 79", "silence after RESET",
    ),
    "essp": (
        # Events.
        "B0 jam recovery", "B6 initialising", "CC stacking", "DB and payout events are no note of a deposit",
        "E0 path open", "E1 and E2 after a reset that is told", "E1 cleared from the front", "E2 cleared to the box",
        "E3 and E4 box", "E5 and D1 bar code", "E6 fraud", "E7 full", "E8 disabled and B5 all disabled",
        "E9 unsafe jam", "EA safe jam is no credit", "EB stacked is no credit", "ED rejecting and EC rejected",
        "EE credit", "EE repeats under 56 until 57", "EF 00 is no note in escrow", "EF 03", "F1 slave reset",
        "F5 to 57: nothing waited", "F6 software error",
        # Exchanges.
        "exchange: note accepted", "exchange: keys", "exchange: disable while a note is in escrow", "exchange: start",
        "exchange: host refuses",
        # What is on record, and the first answer.
        "none, E8", "none, EE 03", "none, E2 03", "none, E1 00", "in escrow, E8", "in escrow, E1 03",
        "in escrow, E1 00", "in escrow, EC", "in escrow, EE of another channel", "in escrow, CC", "polled, EE 03",
        "polled, CC and EE 03", "polled, CC, then EE 03", "polled, EE of another channel", "polled, E2 03",
        "polled, E2 00", "polled, E2 of another channel", "polled, CA", "polled, CB", "polled, CE", "polled, E1 03",
        "polled, E1 00", "polled, ED", "polled, EC", "polled, EB", "polled, EA", "polled, E9", "polled, E0",
        "polled, E8 without counters", "polled, E8, counted the same", "polled, E8, counted one more",
        "polled, E8, counted two more", "credited, EE 03", "credited, E2 03", "credited, EE 02", "credited, E2 02",
        "credited, E2 00", "credited, E1 03", "credited, E8", "return sent, E8", "return sent, EC",
        "return sent, E1 03", "return sent, EE 03", "return sent, E2 03", "return sent, CC", "in escrow, read",
        "polled, no answer",
        # Flags, commands, rules.
        "rule: persist, then 57", "reply lost: the identical frame again", "20 repeats, then lost",
        "58 counters before and after", "18 hold restarts 10 s", "the poll after EF is the stack command",
        "escrow timeout: 13", "before EF: no credit", "double-credit trap: EE credited, then E2 of the same note",
        "FA: no key", "an unknown event ends the reading", "F2, F5, F7, F8, F9 to a poll", "SYNC after a lost reply",
        "one event at a time: no further note while one waits", "17 last reject code", "SYNC always with flag 1",
        "a new command inverts the flag", "06 protocol version: lower on F8", "CA, CB and CE at a reset",
        "0C serial number after each reconnect", "02 inhibits mask", "event lengths by version",
        "05 setup: channel values", "the same flag: not carried out again", "a packet of another count is ignored",
        # The line, and what else is said.
        "09 disable and 0A enable", "wrong key: packets dropped", "F3 and F4 to a command", "7F is sent twice",
    ),
    "cctalk": (
        # What is on record, and the events that were missed.
        "stack sent, (0,21)", "no number on record, counter not 0", "no number on record, counter 0",
        "none, nothing new", "none, (3,0)", "none, counter 0", "escrowed, (0,1)", "escrowed, (3,0)",
        "escrowed, (2,0)",
        "escrowed, nothing new and escrow empty", "escrowed, counter 0", "stack sent, (3,0)",
        "stack sent, (3,0) at number 1 after 255", "stack sent, (3,0) as the fifth event",
        "stack sent, (3,0) as the sixth event", "stack sent, (2,0)", "stack sent, (0,1)", "stack sent, (0,6)",
        "stack sent, (0,7)", "stack sent, (0,8)", "stack sent, (0,9)", "stack sent, (0,15)", "stack sent, (0,16)",
        "stack sent, nothing new and escrow empty", "stack sent, counter 0", "credited, nothing new",
        "credited, counter 0", "return sent, (0,1)", "return sent, (3,0)", "return sent, counter 0",
        # Exchanges.
        "exchange: coin start", "exchange: bill with escrow", "exchange: bill start",
        # The route command.
        "154 255 restarts the time of escrow", "154 answers 254: escrow empty", "154 is never sent again blindly",
        "154 answers 255: failed",
        # Counter, events, watchdogs, values.
        "a coin credit", "watchdog of a coin acceptor: 1 s", "counter 0: restarted", "the ring of 255",
        "every bill event", "every coin event", "a pair that is in no table", "232 fault codes",
        "159 may be repeated",
        "the simple checksum is weak", "BUSY and NAK", "the echo is read back", "note in escrow at reset",
        "reset injected by noise: a spontaneous restart is a memory lost", "host died between read and record",
        "note stacked while the host was down", "1 to 5 missed: oldest first", "more than 5 missed: lost",
        "another serial number", "(255,0) and (255,1) coupon", "(0,0) master inhibit active",
        "watchdog of a validator: 5 s", "249 polling priority", "reset has no data",
        "157 and 156: what a bill is worth", "184: what a coin is worth",
        # The line, and what else is said.
        "CRC-16", "no answer to a wrong checksum, address or header", "153 3: stacker and escrow", "248 coin status",
        "213 CVF: a credit is a value", "three tries", "a start-up event", "the table is compared",
        "227: is the slot as it should be",
    ),
}  # fmt: skip


def claims(file: Path) -> Iterator[tuple[str, str]]:
    """Each row that a test of ``file`` claims, and the test."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    tables = dict(_tables(tree))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            for decorator in node.decorator_list:
                for claimed in _claimed(decorator, tables):
                    yield claimed, node.name


def _tables(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=table):
                yield name, table
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as table):
                yield name, table
            case _:
                pass


def _claimed(decorator: ast.expr, tables: Mapping[str, ast.expr]) -> Iterator[str]:
    if not (isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name)):
        return
    if decorator.func.id == row.__name__:
        yield from map(_text, decorator.args)
    elif decorator.func.id == each_row.__name__:
        yield from _first_of_each(decorator.args[1], tables)


def _first_of_each(table: ast.expr, tables: Mapping[str, ast.expr]) -> Iterator[str]:
    match table:
        case ast.Name(id=name):
            yield from _first_of_each(tables[name], tables)
        case ast.Call(func=ast.Attribute(value=table, attr="items")):
            yield from _first_of_each(table, tables)
        case ast.Dict(keys=keys):
            yield from (_text(key) for key in keys if key is not None)
        case ast.List(elts=cases):
            yield from (_text(case.elts[0]) for case in cases if isinstance(case, ast.Tuple))
        case _:
            raise AssertionError(f"line {table.lineno}: rows stand in a dict's keys, or first in a list's tuples")


def _text(node: ast.expr) -> str:
    return str(ast.literal_eval(node))


@cache
def claimed_of(protocol: str) -> frozenset[str]:
    """All rows that tests of this protocol claim."""
    return frozenset(claimed for file in (HERE / protocol).glob("test_*.py") for claimed, _ in claims(file))


@cache
def common() -> frozenset[str]:
    """The rows that are claimed for all protocols at once."""
    return frozenset(claimed for claimed, _ in claims(HERE / "test_every_machine.py"))


@pytest.mark.parametrize("protocol", ROWS)
def test_every_row_has_a_test(protocol: str) -> None:
    assert set(ROWS[protocol]) - claimed_of(protocol) - common() == set()


@pytest.mark.parametrize("protocol", ROWS)
def test_every_row_that_a_test_claims_is_listed_once(protocol: str) -> None:
    assert claimed_of(protocol) - set(ROWS[protocol]) == set()
    assert len(set(ROWS[protocol])) == len(ROWS[protocol])


def test_every_row_that_is_claimed_for_all_protocols_is_listed_for_one() -> None:
    assert common() - {listed for rows in ROWS.values() for listed in rows} == set()


def test_every_row_that_the_page_points_to_is_listed(repository: Path) -> None:
    page = (repository / "drivers" / "README.md").read_text(encoding="utf-8")
    table = page.partition("| what a driver does |")[2].partition("\n\n")[0]
    held_by = [line.split("|")[4].strip().partition(": ") for line in table.splitlines()[2:]]
    assert len(held_by) > 15
    assert [text for protocol, _, text in held_by if text not in ROWS[protocol]] == []
