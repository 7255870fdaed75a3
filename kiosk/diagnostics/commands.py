"""``guichet-kiosk diag`` and ``guichet-kiosk journal``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.json_format import MessageToDict

from guichet.journal.chain import ChainError, Entry
from guichet.journal.checkpoint import BadCheckpoint, check_checkpoint
from guichet.journal.records import RecordError, decode, fact_of
from guichet.v1 import health_pb2, local_pb2
from kiosk.diagnostics.copy_commands import export_journal, restore_journal
from kiosk.diagnostics.local_client import TerminalNotRunning, read_journal, self_test, status
from kiosk.diagnostics.output import complain, say, until_nobody_reads
from kiosk.diagnostics.salvage_command import salvage_journal
from kiosk.journal.faults import MEND, Fault, JournalError
from kiosk.journal.key import key_file, load_key
from kiosk.journal.replay import verify_links, verify_snapshots
from kiosk.journal.retention import Base
from kiosk.journal.snapshot import SnapshotError
from kiosk.journal.store import kept_stopped, read_stopped
from kiosk.terminal.config import ConfigError, TerminalConfig, load_config
from kiosk.terminal.enrolment import EnrolmentError, load_identity


def add_diag_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of ``diag``."""
    parser.add_argument("--config", type=Path, required=True, help="the terminal's configuration")
    parser.add_argument("--json", action="store_true", help="for scripts")
    parser.add_argument("--no-self-test", action="store_true", help="only list; test nothing")
    parser.add_argument("device", nargs="*", help="only these (default: all)")


@until_nobody_reads
def diag(arguments: argparse.Namespace) -> int:
    """List devices, states and counters and run a self-test each. 0: all passed; 1: something is wrong; 2: no
    terminal or no such device.
    """
    try:
        config: TerminalConfig = load_config(arguments.config)
        now = status(config.socket)
        chosen = arguments.device or [device.name for device in now.health.devices]
        tests = {} if arguments.no_self_test else {name: self_test(config.socket, name) for name in chosen}
    except (ConfigError, TerminalNotRunning, RuntimeError) as error:
        complain("diag", error)
        return 2
    if arguments.json:
        report = {
            "status": MessageToDict(now, preserving_proto_field_name=True),
            "self_tests": {n: MessageToDict(t, preserving_proto_field_name=True) for n, t in tests.items()},
        }
        print(json.dumps(report, indent=2))
    else:
        _print_status(now, tests)
    healthy = not now.health.journal_fault and all(
        d.state in (health_pb2.DEVICE_STATE_READY, health_pb2.DEVICE_STATE_WARNING) for d in now.health.devices
    )
    return 0 if healthy and all(test.passed for test in tests.values()) else 1


def _print_status(now: local_pb2.GetStatusResponse, tests: dict[str, local_pb2.RunSelfTestResponse]) -> None:
    health = now.health
    service = health_pb2.ServiceState.Name(health.service).removeprefix("SERVICE_STATE_").replace("_", " ").lower()
    say(f"{now.terminal_id}: {service}; host {'connected' if now.host_connected else 'away'}")
    if health.journal_fault:
        say(f"journal  fault [{health.journal_fault}]  {MEND[Fault(health.journal_fault)]}")
    if health.devices or not health.journal_fault:  # Who could not open the journal knows nothing of what is in it.
        print(f"open deposits {health.open_deposits}, notes in doubt {health.notes_in_doubt}, "
              f"journal {health.journal_free_bytes // 2**20} MiB free")  # fmt: skip
    for device in health.devices:
        state = health_pb2.DeviceState.Name(device.state).removeprefix("DEVICE_STATE_").lower()
        counters = "".join(f", {counter.name} {counter.value}" for counter in device.counters)
        simulated = " (simulated)" if device.simulated else ""
        fault = f" [{device.fault}]" if device.fault else ""
        say()
        say(f"{device.name:8} {state}{fault}  {device.driver} {device.model} {device.serial}{simulated}{counters}")
        for step in tests[device.name].steps if device.name in tests else ():
            say(f"  {'ok ' if step.passed else 'BAD'} {step.name}: {step.detail}")


def add_journal_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of ``journal``."""
    actions = (
        "list the records; verify the whole chain; export all of it, or --from, signed, into --out; salvage what can "
        "still be read of a damaged --file into --out; restore what this disk has lost from the host's copy and --from"
    )
    parser.add_argument("action", choices=("list", "verify", "export", "salvage", "restore"), help=actions)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--config", type=Path, help="the terminal's configuration; running or stopped")
    where.add_argument("--file", type=Path, help="a journal's file; its terminal must have stopped")
    parser.add_argument("--key", type=Path, help="what --file was sealed with: journal.key among the terminal's data")
    parser.add_argument("--out", type=Path, help="a new file, for what is salvaged or exported")
    parser.add_argument(
        "--from", dest="salvaged", type=Path, help="a salvaged journal, for what this one or the host does not hold"
    )
    parser.add_argument("--json", action="store_true", help="for scripts: one object a line")


@until_nobody_reads
def journal(arguments: argparse.Namespace) -> int:
    """Do what is asked. 0: good; 1: the chain is broken, or not whole; 2: no journal to be had."""
    try:
        match arguments.action:
            case "salvage":
                return salvage_journal(arguments)
            case "export":
                return export_journal(arguments)
            case "restore":
                return restore_journal(arguments)
            case "list":
                return _list(_entries(arguments).all, as_json=arguments.json)
            case _:
                return _verify(arguments)
    except (ConfigError, JournalError, TerminalNotRunning, RuntimeError) as error:
        complain("journal", error)
        return 2


@dataclass(frozen=True, slots=True)
class _Entries:
    """``sealed``: each was compared with its seal. A terminal that runs does that before it hands one out.
    ``file``: that they were read from; None where they are a running terminal's.
    """

    all: list[Entry]
    sealed: bool
    file: Path | None = None


def _entries(arguments: argparse.Namespace, key: Path | None = None) -> _Entries:
    """What stands in the journal; its seals are looked at where a running terminal does so, or with ``key``."""
    file: Path | None = arguments.file
    if file is None:
        config = load_config(arguments.config)
        try:
            return _Entries(read_journal(config.socket), sealed=True)
        except TerminalNotRunning:
            file = config.journal
    return _Entries(read_stopped(file, None if key is None else load_key(key)), key is not None, file)


def _key(arguments: argparse.Namespace) -> Path | None:
    if arguments.config is None:
        return arguments.key
    return key_file(load_config(arguments.config).data)


def _list(entries: Iterable[Entry], *, as_json: bool) -> int:
    """Every record, one a line; what cannot be read is said in its place, and the status is 1 then."""
    unreadable = 0
    for entry in entries:
        try:
            record = decode(entry.record)
        except RecordError as error:
            unreadable += 1
            place = {"epoch": entry.epoch, "sequence": entry.sequence, "unreadable": str(error)}
            say(json.dumps(place) if as_json else f"{entry.epoch}/{entry.sequence:<6} UNREADABLE: {error}")
            continue
        fact = fact_of(record)
        body = MessageToDict(fact, preserving_proto_field_name=True)
        if as_json:
            place = {"epoch": entry.epoch, "sequence": entry.sequence, "at_us": record.recorded_at_us}
            say(json.dumps({**place, "fact": fact.DESCRIPTOR.name, **body}))
        else:
            words = " ".join(f"{key}={_short(value)}" for key, value in body.items())
            say(f"{entry.epoch}/{entry.sequence:<6} {fact.DESCRIPTOR.name:18} {words}")
    return 1 if unreadable else 0


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False).strip('"')
    return text if len(text) <= 40 else text[:37] + "..."


@dataclass(frozen=True, slots=True)
class _Verified:
    """``broken``: what is wrong, empty where nothing is; ``begins``: the place of the first entry, where earlier ones
    were removed; ``snapshots``: how many were compared, None where none could be; ``countersigned``: the base has this
    terminal's seal, and its checkpoints are signed by its host.
    """

    entries: int
    broken: str
    sealed: bool
    snapshots: int | None
    begins: str
    countersigned: bool = False

    @property
    def words(self) -> str:
        """For a person."""
        if self.broken:
            return f"BROKEN: {self.broken}"
        seals = "every seal is this terminal's" if self.sealed else "seals not looked at, for want of the key (--key)"
        compared = "" if self.snapshots is None else f", {self.snapshots} snapshots say the same"
        why = "settled and countersigned" if self.countersigned else "removed; rightly? --config tells"
        removed = f", begins at {self.begins}: what lies before was {why}" if self.begins else ""
        return f"{self.entries} entries, chain intact, {seals}{compared}{removed}"


def _verify(arguments: argparse.Namespace) -> int:
    verified = _verified(arguments)
    if arguments.json:
        told = {"entries": verified.entries, "intact": not verified.broken}
        told |= {"sealed": verified.sealed and not verified.broken, "snapshots": verified.snapshots}
        told |= {"begins": verified.begins, "countersigned": verified.countersigned}
        print(json.dumps({**told, "broken": verified.broken}))
    else:
        say(verified.words)
    return 1 if verified.broken else 0


def _verified(arguments: argparse.Namespace) -> _Verified:
    count, sealed, snapshots, begins = 0, False, None, ""
    key = _key(arguments)
    try:
        entries = _entries(arguments, key)
        count, sealed = len(entries.all), entries.sealed
        kept = None
        if entries.file is not None:  # What a running terminal keeps is in its hands; its start looked at it.
            kept = kept_stopped(entries.file, None if key is None else load_key(key))
        anchor = _anchor(entries, kept.base if kept is not None else None)
        begins = f"{anchor[0]}/{anchor[1]}" if anchor is not None else ""
        verify_links(entries.all, anchor)
        for entry in entries.all:
            decode(entry.record)
        if kept is not None:
            _check_base(kept.base, entries.all, arguments.config)
            snapshots = verify_snapshots(kept.snapshots, entries.all, kept.base)
    except (ChainError, RecordError, SnapshotError, BadCheckpoint) as error:
        return _Verified(count, str(error), sealed, None, begins)
    except (KeyError, ValueError) as error:
        broken = f"records that make no story: {type(error).__name__}: {error}"
        return _Verified(count, broken, sealed, None, begins)
    except JournalError as error:
        if error.fault is not Fault.BROKEN:
            raise
        return _Verified(count, str(error), sealed, None, begins)
    looked = kept is not None and kept.base is not None and key is not None and arguments.config is not None
    return _Verified(count, "", sealed, snapshots, begins, looked)


def _anchor(entries: _Entries, base: Base | None) -> tuple[int, int, bytes] | None:
    """What the journal begins with: its base, or what a running terminal, which looked at that, begins with."""
    if base is not None:
        return base.begins
    first = entries.all[0] if entries.all else None
    if entries.file is None and first is not None and first.sequence > 1:
        return first.epoch, first.sequence, first.hash
    return None


def _check_base(base: Base | None, entries: list[Entry], config: Path | None) -> None:
    """That the host held what was removed: its signature, where the terminal's data say whose that is; and that it
    speaks of this chain. Raises :class:`guichet.journal.checkpoint.BadCheckpoint`.
    """
    if base is None:
        return
    by = base.milestone.by.checkpoint
    held = next((entry for entry in entries if (entry.epoch, entry.sequence) == by.place), None)
    if by.place < base.place or held is None or held.hash != by.hash:
        raise BadCheckpoint(f"the host's checkpoint of {by.epoch}/{by.sequence} is not of this journal")
    if config is None:
        return
    try:
        identity = load_identity(load_config(config).data)
    except EnrolmentError as error:
        raise BadCheckpoint(f"whose the checkpoint is cannot be said: {error}") from error
    for one in (base.milestone.by, base.later):
        check_checkpoint(one.signed, identity.host_signing_key, identity.terminal_id)
