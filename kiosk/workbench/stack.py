"""A host, a terminal, its simulated devices and its screen: real processes on this machine, joined as in the field."""

from __future__ import annotations

import fcntl
import json
import secrets
import signal
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, cast

from drivers.card.pcsc.private_pcscd import READER_NAME, PrivatePcscd
from drivers.simulation.control import ask
from kiosk.workbench.processes import Process, StartError, tool

TERMINAL = "K001"
OPERATOR = "operator"
DENOMINATIONS = ("5 EUR", "10 EUR", "20 EUR", "50 EUR", "100 EUR", "200 EUR")


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the host listens, on 127.0.0.1."""

    link: int
    enrol: int
    console: int


class Stack:
    """All of it, in one directory. ``base`` keeps what outlives a run: books, journal, the notes in the box. Sockets'
    paths are short of 108 bytes, so ``base`` must not be too deep. A context manager; leaving it ends everything that
    was started, and nothing else.
    """

    def __init__(self, base: Path, *, pace: float = 0.3, poll_ms: int = 200, timings: str = "") -> None:
        self.base = base.resolve()
        self._pace = pace
        self._poll_ms = poll_ms
        self._timings = timings
        self._lock: TextIO | None = None
        self._processes: list[Process] = []
        self.pcscd = PrivatePcscd(self.base / "run" / "pcscd")
        self.host = self._process("host", (tool("guichet-host"), "serve", "--config", str(self.base / "host.toml")))
        self.terminal = self._process("terminal", (tool("guichet-kiosk"), "terminal", "--config", str(self.config)))
        self.terminal.stop_signal = signal.SIGINT  # Whoever presses Ctrl-C does not wait for a customer to finish.
        self.screen: Process | None = None
        self.ports = Ports(0, 0, 0)

    # --- places -----------------------------------------------------------------------------------------------------

    @property
    def config(self) -> Path:
        """The terminal's configuration."""
        return self.base / "terminal.toml"

    @property
    def notes(self) -> Path:
        """Where the simulated validator keeps what it physically holds. The product never opens this file."""
        return self.base / "metal" / "cash.json"

    @property
    def paper(self) -> Path:
        """Where printed documents fall, as PNG and text."""
        return self.base / "paper"

    @property
    def operator_password(self) -> Path:
        """The file with the password of the operator of the operations page."""
        return self.base / "operator.txt"

    def control(self, device: str) -> Path:
        """The control socket of ``cash``, ``card``, ``pinpad``, ``printer`` or ``hand``."""
        return self.base / "run" / f"{device}.ctl"

    def tell(self, device: str, line: str) -> str:
        """Act on a simulated device. Raises ValueError with what it objects to."""
        return ask(self.control(device), line)

    def _answers(self, device: str) -> bool:
        """Whether the control socket listens; its file is there a moment earlier."""
        try:
            self.tell(device, "help")
        except OSError:
            return False
        return True

    def _process(self, name: str, command: Sequence[str]) -> Process:
        return Process(name, command, self.base / "log" / f"{name}.log")

    # --- starting ---------------------------------------------------------------------------------------------------

    def __enter__(self) -> Stack:
        for part in ("run/pcscd", "metal", "paper", "log"):
            (self.base / part).mkdir(parents=True, exist_ok=True)
        self._take_lock()
        try:
            self._start_host()
            self._start_devices()
            self._enrol()
            self.start_terminal()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything that was started, last first."""
        for process in reversed(self._processes):
            process.stop()
        self._processes.clear()
        self.pcscd.stop()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _take_lock(self) -> None:
        lock = (self.base / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise StartError(f"{self.base} is in use by another run; end that one first, or use --base") from error
        self._lock = lock

    @contextmanager
    def locked(self) -> Generator[None]:
        """Hold the directory without starting anything. Raises :class:`StartError` where another run has it."""
        self._take_lock()
        try:
            yield
        finally:
            self.close()

    def process(self, name: str) -> Process:
        """The newest of that name that was started: ``host``, ``cash``, ``card``, ... Raises KeyError."""
        for process in reversed(self._processes):
            if process.name == name:
                return process
        raise KeyError(name)

    def ended(self) -> list[Process]:
        """Those that were started and do not run any more."""
        return [process for process in self._processes if not process.running]

    def start_again(self, processes: Sequence[Process]) -> None:
        """Start some that have ended, as systemd would, and unplug their lines first, as udev would: what a killed
        simulator left under its name may be another one's line by now.
        """
        for process in processes:
            (self.base / "run" / f"{process.name}.tty").unlink(missing_ok=True)
        for process in processes:
            if process is self.terminal:
                self.start_terminal()
            elif process is self.host:
                self.start_host()
            else:
                process.start()

    def _start(self, process: Process) -> Process:
        process.start()
        if process not in self._processes:
            self._processes.append(process)
        return process

    def _start_host(self) -> None:
        self._write_host_config(Ports(0, 0, 0))
        self.start_host()
        table = cast("dict[str, int]", json.loads(self._ports_file.read_text(encoding="utf-8")))
        self.ports = Ports(table["port"], table["enrol_port"], table["console_port"])
        # From here on the same ports, so that a host that is started again is found again.
        self._write_host_config(self.ports)
        if not self.operator_password.exists():
            self.operator_password.write_text(secrets.token_urlsafe(9) + "\n", encoding="utf-8")
            self.operator_password.chmod(0o600)
            self._run("guichet-host", "operator", "add", OPERATOR, "--password-file", str(self.operator_password))

    def start_host(self) -> None:
        """Start the host, or start it again; returns when it listens."""
        self._ports_file.unlink(missing_ok=True)
        self._start(self.host).wait_for(self._ports_file.exists, "listening ports")

    @property
    def _ports_file(self) -> Path:
        return self.base / "host" / "ports.json"

    def _write_host_config(self, ports: Ports) -> None:
        lines = (
            f'data = "{self.base / "host"}"',
            f"port = {ports.link}",
            f"enrol_port = {ports.enrol}",
            f"console_port = {ports.console}",
            "demo = true",
        )
        (self.base / "host.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _start_devices(self) -> None:
        self.pcscd.start()
        metal, paper = self.base / "metal", str(self.paper)
        self._simulator("cash", "ccnet", "--state", str(self.notes), "--pace", str(self._pace))
        self._simulator("pinpad", "pinpad", "--state", str(metal / "pinpad.json"))
        self._simulator("printer", "printer", "--paper", paper)
        card = self._process(
            "card", (*self._sim("card", "card"), "--vpcd", f"127.0.0.1:{self.pcscd.port}")
        )  # fmt: skip
        self._start(card).wait_for(lambda: self._answers("card"), "control socket")

    def _sim(self, device: str, name: str) -> tuple[str, ...]:
        self.control(device).unlink(missing_ok=True)
        return (tool("guichet-sim"), name, "--control", str(self.control(device)))

    def _simulator(self, device: str, name: str, *options: str) -> None:
        line = self.base / "run" / f"{device}.tty"
        line.unlink(missing_ok=True)
        process = self._process(device, (*self._sim(device, name), "--pty", str(line), *options))
        self._start(process).wait_for(lambda: line.exists() and self._answers(device), "line and control socket")

    def _enrol(self) -> None:
        data = self.base / "kiosk"
        if not (data / "identity.json").exists():
            ticket = self.base / "ticket.json"
            self._run("guichet-host", "enrol", "--terminal", TERMINAL, "--training", "--ticket", str(ticket))
            _call(tool("guichet-kiosk"), "enrol", "--ticket", str(ticket), "--data", str(data))
            ticket.unlink()
        self.write_terminal_config(self.ports.link)

    def write_terminal_config(self, host_port: int) -> None:
        """The terminal's configuration, with the way to the host through ``host_port`` of this machine."""
        run = self.base / "run"
        amounts = ", ".join(f'"{amount}"' for amount in DENOMINATIONS)
        self.config.write_text(
            f"""data = "{self.base / "kiosk"}"
socket = "{run / "terminal.sock"}"
host = "127.0.0.1:{host_port}"
late_host = "127.0.0.1:{self.ports.enrol}"
denominations = [{amounts}]
unreplicated_cap = "500 EUR"
record = "{self.base / "wire"}"

[timings]
{self._timings}

[devices.cash]
driver = "ccnet"
address = "{run / "cash.tty"}"
poll_ms = {self._poll_ms}

[devices.card]
driver = "pcsc"
address = "{READER_NAME}"

[devices.pinpad]
driver = "epp"
address = "{run / "pinpad.tty"}"

[devices.printer]
driver = "escpos"
address = "{run / "printer.tty"}"
""",
            encoding="utf-8",
        )

    def _run(self, command: str, *words: str) -> None:
        _call(tool(command), *words, "--config", str(self.base / "host.toml"))

    def start_terminal(self) -> None:
        """Start the terminal, or start it again; returns when its socket answers."""
        (self.base / "run" / "terminal.sock").unlink(missing_ok=True)
        self.terminal.environment = self.pcscd.environment
        self._start(self.terminal).wait_for((self.base / "run" / "terminal.sock").exists, "socket")

    def start_screen(self, size: str, *, environment: dict[str, str]) -> Process:
        """Start the screen, with a hand that can touch it; returns when the hand's socket is there."""
        self.control("hand").unlink(missing_ok=True)
        command = (tool("guichet-kiosk"), "screen", "--socket", str(self.base / "run" / "terminal.sock"))
        screen = self._process("screen", (*command, "--size", size, "--hand", str(self.control("hand"))))
        screen.environment = environment
        self._start(screen).wait_for(lambda: self._answers("hand"), "window")
        self.screen = screen
        return screen


def _call(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise StartError(f"{' '.join(command[:3])} ended with {done.returncode}: {done.stderr or done.stdout}")
