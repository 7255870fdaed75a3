"""A smart-card service of one's own, with a virtual reader in it: for development, the demo and tests.

It leaves the machine's pcscd, its readers and /run alone, needs no root where it can help it, and ends with whoever
started it. The virtual reader is vpcd (vsmartcard); :mod:`drivers.card.pcsc.simulator` puts cards into it.

How: pcscd takes its listening socket from systemd (sd_listen_fds), so we hand it one at a path of ours. What remains is
that it writes /run/pcscd and looks for real readers: both are hidden in a mount namespace, which root may always make
and others where the kernel lets them make user namespaces.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

READER_NAME = "Guichet Simulated"
"""What the reader's PC/SC name begins with; the reader driver knows a simulated one by it."""

VPCD = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
_RUN = Path("/run/pcscd")
_READY = b"daemon ready"
_START_SECONDS = 15.0
_STOP_SECONDS = 5.0
_PORTS = range(41000, 49000, 2)
_ATTEMPTS = 5
_MAX_SOCKET_PATH = 107

# $1 hide or share, $2 pcscd, further its arguments. The socket comes as standard input, because a shell can name no
# descriptor above 9. --pdeathsig: the service dies with whoever started it, even if that one was killed.
_LAUNCH = """
exec 3<&0 </dev/null
if [ "$1" = hide ]; then
    [ -d /run/pcscd ] || { mount -t tmpfs none /run && mkdir /run/pcscd; } || exit 1
    mount -t tmpfs none /run/pcscd || exit 1
    for bundle in /usr/lib/pcsc/drivers/*.bundle; do
        [ ! -d "$bundle" ] || mount -t tmpfs none "$bundle" || exit 1
    done
fi
shift
export LISTEN_FDS=1 LISTEN_PID=$$
exec setpriv --pdeathsig KILL "$@"
"""

OWN_MOUNTS = ("unshare", "--mount", "--propagation", "private")
OWN_USER = ("unshare", "--user", "--map-root-user", "--mount", "--propagation", "private")


class PcscdUnavailable(RuntimeError):
    """No private pcscd can run here; the text says what is missing and how to get it."""


class PrivatePcscd:
    """One service with one virtual reader; a context manager, or :meth:`start` and :meth:`stop`.

    ``directory`` gets the socket, configuration and log (``pcscd.log``: no card data in it); its path must be short, as
    a Unix socket's has at most 107 bytes, and outside of /run where /run/pcscd does not exist.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory.resolve()
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """Where the virtual reader waits for a card, on 127.0.0.1. The next port is taken as well."""
        return self._port

    @property
    def socket(self) -> Path:
        """Where PC/SC clients connect."""
        return self._directory / "pcscd.comm"

    @property
    def environment(self) -> dict[str, str]:
        """What a client process needs in its environment. The library reads it at its first call, then never again."""
        return {"PCSCLITE_CSOCK_NAME": str(self.socket)}

    @property
    def log(self) -> Path:
        """What the service had to say."""
        return self._directory / "pcscd.log"

    @property
    def pid(self) -> int:
        """The service's process. Raises RuntimeError when it was not started."""
        if self._process is None:
            raise RuntimeError("this pcscd was not started")
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it is ready. Call it from a thread that lives as long as the service shall.

        Raises :class:`PcscdUnavailable`.
        """
        if len(os.fsencode(self.socket)) > _MAX_SOCKET_PATH:
            raise PcscdUnavailable(f"the path is too long for a Unix socket: {self.socket}")
        pcscd = _find_pcscd()
        way = _find_way()
        for _ in range(_ATTEMPTS):
            self._port = _free_ports()
            self._launch(pcscd, way)
            if self._wait_until_ready():
                return
            self.stop()
        raise PcscdUnavailable(f"pcscd does not start: see {self.log}")

    def stop(self) -> None:
        """End it; may be called twice."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        self.socket.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _launch(self, pcscd: str, way: tuple[str, ...]) -> None:
        configuration = self._directory / "reader.conf.d"
        configuration.mkdir(parents=True, exist_ok=True)
        (configuration / "vpcd").write_text(
            f'FRIENDLYNAME "{READER_NAME}"\nDEVICENAME /dev/null:{self._port}\nLIBPATH {VPCD}\nCHANNELID {self._port}\n'
        )
        self.socket.unlink(missing_ok=True)
        arguments = [pcscd, "--foreground", "--debug", "--config", str(configuration)]
        if "--disable-polkit" in _run(pcscd, "--help"):
            arguments.append("--disable-polkit")
        with socket.socket(socket.AF_UNIX) as listener, self.log.open("wb") as log:
            listener.bind(str(self.socket))
            listener.listen(16)
            launch = [*way, "sh", "-c", _LAUNCH, "pcscd", "hide" if way else "share", *arguments]
            self._process = subprocess.Popen(
                launch, stdin=listener.fileno(), stdout=log, stderr=log, start_new_session=True
            )

    def _wait_until_ready(self) -> bool:
        """Whether the service is up and waits on its port, which somebody may have taken meanwhile."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process is not None and self._process.poll() is None:
            if _READY in self.log.read_bytes():
                return _listening(self._port)
            time.sleep(0.02)
        return False


def _find_pcscd() -> str:
    pcscd = shutil.which("pcscd", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin")))
    if pcscd is None or not VPCD.exists():
        raise PcscdUnavailable("pcscd or its virtual reader is missing: apt-get install pcscd vsmartcard-vpcd")
    return pcscd


def _find_way() -> tuple[str, ...]:
    """The command that makes a namespace for it; empty where none is possible and none is needed."""
    for way in (OWN_MOUNTS, OWN_USER) if os.geteuid() == 0 else (OWN_USER,):
        tried = subprocess.run([*way, "mount", "-t", "tmpfs", "none", "/tmp"], capture_output=True, check=False)  # noqa: S108
        if tried.returncode == 0:
            return way
    if _RUN.is_dir():
        return ()
    raise PcscdUnavailable(
        "a virtual card reader needs root, or user namespaces, or the directory /run/pcscd: sudo install -d /run/pcscd"
    )


def _free_ports() -> int:
    """A port that nobody has, nor its neighbour: vpcd takes both, and is silently absent where it cannot."""
    start = os.getpid() * 2 % len(_PORTS)
    for port in (*_PORTS[start:], *_PORTS[:start]):
        if _bindable(port) and _bindable(port + 1):
            return port
    raise PcscdUnavailable(f"no two free ports from {_PORTS.start} to {_PORTS.stop}")


def _bindable(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 — vpcd binds all addresses, so all must be free
        except OSError:
            return False
    return True


def _listening(port: int) -> bool:
    """Whether anybody listens on ``port``. Asked of the kernel: to connect would be to insert a card."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if int(fields[1].rpartition(":")[2], 16) == port and fields[3] == "0A":
                return True
    return False


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, check=False, text=True).stdout
