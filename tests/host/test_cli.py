"""``guichet-host`` as a person and a script use it: real processes, a real directory, real ports."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from host.cli import main

DEADLINE = 30.0


@dataclass
class Running:
    """A server as a process."""

    process: subprocess.Popen[bytes]
    data: Path
    ports: dict[str, int]


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> dict[str, int]:
    end = time.monotonic() + DEADLINE
    while not path.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.02)
    return json.loads(path.read_text())


def start(data: Path, *more: str, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "host.cli", "serve", "--data", str(data), "--port", "0", "--enrol-port", "0"]
    return subprocess.Popen(
        [*command, "--console-port", "0", *more],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ | (environment or {}),
    )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    data = tmp_path_factory.mktemp("serve") / "data"
    process = start(data, "--demo")
    try:
        yield Running(process, data, wait_for(data / "ports.json", process))
    finally:
        process.terminate()
        process.communicate(timeout=DEADLINE)


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Generator[None]:
    """The process is told to end afterwards, whatever became of the test."""
    try:
        yield
    finally:
        process.terminate()
        process.communicate(timeout=DEADLINE)


def run(*arguments: str | Path) -> int:
    return main([str(argument) for argument in arguments])


def handshake(port: int, data: Path, version: ssl.TLSVersion) -> str | None:
    context = ssl.create_default_context(cafile=data / "keys" / "authority.pem")
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as wire,
        context.wrap_socket(wire, server_hostname="localhost") as secured,
    ):
        return secured.version()


@pytest.mark.parametrize("port", ["port", "enrol_port"])
def test_both_ports_speak_tls_1_3_and_nothing_older(running: Running, port: str) -> None:
    assert handshake(running.ports[port], running.data, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(running.ports[port], running.data, ssl.TLSVersion.TLSv1_2)


def test_enrol_beside_a_running_server_writes_a_ticket_for_the_engineer(
    running: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ticket = tmp_path / "ticket.json"
    assert run("enrol", "--data", running.data, "--terminal", "T-1", "--training", "--ticket", ticket) == 0
    said, written = capsys.readouterr().out, json.loads(ticket.read_text())
    assert written["code"] in said
    assert written["fingerprint"] in said
    assert len(written["fingerprint"]) == 64
    assert (written["port"], written["enrol_port"]) == (running.ports["port"], running.ports["enrol_port"])
    assert written["address"] == "localhost"
    assert written["authority_pem"].startswith("-----BEGIN CERTIFICATE-----")
    assert ticket.stat().st_mode & 0o077 == 0


def test_a_terminal_s_name_has_its_form(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("enrol", "--data", running.data, "--terminal", "my terminal") == 1
    assert "not a terminal id" in capsys.readouterr().err


@pytest.mark.parametrize("question", ["terminals", "deposits", "in-doubt", "incidents"])
def test_operator_lists_for_people_and_for_scripts(
    running: Running, question: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("operator", question, "--data", running.data) == 0
    assert capsys.readouterr().out.strip()
    assert run("operator", question, "--data", running.data, "--json") == 0
    assert json.loads(capsys.readouterr().out) == []


def test_verify_and_reconcile_beside_a_running_server(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", "--data", running.data) == 0
    assert "the books are good" in capsys.readouterr().out
    assert run("verify", "--data", running.data, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["good"]
    assert report["counted"]["transactions"] > 100
    assert run("reconcile", "--data", running.data) == 0
    assert "no note has been taken" in capsys.readouterr().out
    assert run("reconcile", "--data", running.data, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"agrees": True, "piles": []}


def test_operator_add_takes_a_password_from_a_file_and_not_twice(
    running: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "password"
    secret.write_text("correct horse battery\n")
    assert run("operator", "add", "anna.o", "--data", running.data, "--password-file", secret) == 0
    assert run("operator", "add", "anna.o", "--data", running.data, "--password-file", secret) == 1
    assert run("operator", "add", "other", "--data", running.data, "--password-file", tmp_path / "none") == 1
    said = capsys.readouterr()
    assert "correct horse" not in said.out + said.err


def test_revoking_a_terminal_that_is_not_there_says_so(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("operator", "revoke", "NOBODY", "--data", running.data) == 1
    assert "no certificate in use" in capsys.readouterr().err


def test_a_second_server_on_the_same_port_ends_with_a_clear_message(running: Running, tmp_path: Path) -> None:
    data = tmp_path / "other"
    process = start(data, "--demo", "--port", str(running.ports["port"]))
    _, said = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    assert b"cannot listen on" in said


def test_one_corrupted_posting_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("migrate", "--data", tmp_path, "--demo") == 0
    assert run("verify", "--data", tmp_path) == 0
    with sqlite3.connect(tmp_path / "host.db") as connection:
        connection.execute("DROP TRIGGER postings_no_update")
        connection.execute("UPDATE postings SET amount_minor = amount_minor + 1 WHERE posting_no = 77")
    connection.close()
    capsys.readouterr()
    assert run("verify", "--data", tmp_path) == 1
    said = capsys.readouterr().out
    assert "sums to 1 minor units of EUR" in said
    assert "NOT good" in said


def test_migrating_twice_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("migrate", "--data", tmp_path) == 0
    assert run("migrate", "--data", tmp_path) == 0
    assert "already" in capsys.readouterr().out
    assert (tmp_path / "host.db").exists()


def test_without_a_database_every_reader_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (("verify",), ("reconcile",), ("operator", "terminals"), ("enrol", "--terminal", "T-1")):
        assert run(*command, "--data", tmp_path / "nothing") == 2
        assert "guichet-host migrate" in capsys.readouterr().err


def test_serving_a_database_that_was_not_migrated_is_refused(tmp_path: Path) -> None:
    process = start(tmp_path)
    _, said = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    assert b"run guichet-host migrate" in said


def test_a_misspelt_setting_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "host.toml"
    for content in ("prot = 1", 'port = "7443"', "port = 99999", 'zone = "Mars/Olympus"', "names = []", "= ="):
        config.write_text(content)
        assert run("migrate", "--config", config) == 2
    assert "no such setting" in capsys.readouterr().err


def test_systemd_is_told_and_a_term_signal_ends_everything(tmp_path: Path) -> None:
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(tmp_path / "notify"))
    manager.settimeout(DEADLINE)
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
    process = start(tmp_path / "data", "--demo", environment=environment)
    with manager:
        assert manager.recv(100) == b"READY=1"
        assert manager.recv(100) == b"WATCHDOG=1"
        assert manager.recv(100) == b"WATCHDOG=1"
        process.send_signal(signal.SIGTERM)
        while (message := manager.recv(100)) == b"WATCHDOG=1":
            pass
        assert message == b"STOPPING=1"
    _, said = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
    assert not (tmp_path / "data" / "ports.json").exists()
    events = [json.loads(line)["event"] for line in said.decode().splitlines()]
    assert [name for name in events if name.startswith("host.")] == ["host.ready", "host.stopping"]


def test_a_host_stays_alive_while_another_process_holds_the_database(tmp_path: Path) -> None:
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(tmp_path / "notify"))
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
    process = start(tmp_path / "data", "--demo", environment=environment)
    with manager, ended(process):
        manager.settimeout(DEADLINE)
        assert manager.recv(100) == b"READY=1"
        command = sqlite3.connect(tmp_path / "data" / "host.db", isolation_level=None)
        command.execute("BEGIN IMMEDIATE")
        manager.settimeout(5)  # A ping that waits for the lock would wait for ten.
        assert [manager.recv(100) for _ in range(20)] == [b"WATCHDOG=1"] * 20
        command.execute("ROLLBACK")
        command.close()
    assert process.returncode == 0


@pytest.mark.parametrize("command", ["", "serve", "migrate", "enrol", "operator", "reconcile", "verify"])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(*([command] if command else []), "--help")
    assert ended.value.code == 0
    assert "usage: guichet-host" in capsys.readouterr().out
