"""The private smart-card service: its own, without root where that is possible, and gone at the end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from drivers.card.pcsc import private_pcscd
from drivers.card.pcsc.private_pcscd import PcscdUnavailable, PrivatePcscd

DEADLINE = 30.0

LIST_READERS = """
from smartcard.scard import SCARD_SCOPE_USER, SCardEstablishContext, SCardListReaders
code, context = SCardEstablishContext(SCARD_SCOPE_USER)
assert code == 0, code
print("|".join(SCardListReaders(context, [])[1]))
"""


def readers(service: PrivatePcscd) -> str:
    environment = {**os.environ, **service.environment}
    done = subprocess.run(
        [sys.executable, "-c", LIST_READERS], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_it_has_a_virtual_reader_and_leaves_nothing_behind(tmp_path: Path, run_dir: Path) -> None:
    before = sorted(Path("/run").iterdir())
    with PrivatePcscd(run_dir) as service:
        assert readers(service).split("|") == ["Guichet Simulated 00 00", "Guichet Simulated 00 01"]
        pid = service.pid
        assert sorted(Path("/run").iterdir()) == before
    assert not Path(f"/proc/{pid}").exists()
    assert not service.socket.exists()
    service.stop()


def test_two_at_once_take_different_ports(tmp_path: Path, run_dir: Path) -> None:
    (run_dir / "a").mkdir()
    (run_dir / "b").mkdir()
    with PrivatePcscd(run_dir / "a") as one, PrivatePcscd(run_dir / "b") as other:
        assert abs(one.port - other.port) >= 2
        assert readers(one) == readers(other) != ""


def test_it_dies_with_whoever_started_it(run_dir: Path) -> None:
    (run_dir / "dies").mkdir()
    program = (
        "import sys, time; from pathlib import Path; from drivers.card.pcsc.private_pcscd import PrivatePcscd;"
        "s = PrivatePcscd(Path(sys.argv[1])); s.start(); print(s.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(run_dir / "dies")], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert "pcscd" in Path(f"/proc/{pid}/comm").read_text()
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + DEADLINE
    while _runs(pid):
        assert time.monotonic() < deadline, "the service outlives its starter"
        time.sleep(0.02)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    """Whether it is there and not a zombie that its new parent has still to bury."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run it without root already")
def test_it_needs_no_root() -> None:
    namespaces = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    allowed = subprocess.run([*namespaces, *private_pcscd.OWN_USER, "true"], capture_output=True, check=False)
    if allowed.returncode != 0:
        pytest.skip("this kernel lets nobody but root make namespaces")
    # Another user cannot read this environment, so Debian's Python runs the module by itself.
    source = Path(private_pcscd.__file__).read_text("utf-8")
    program = source + "\nimport sys\nwith PrivatePcscd(Path(sys.argv[1])) as s: print(s.log.read_text())\n"
    directory = Path("/tmp/guichet-nobody")
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    os.chown(directory, 65534, 65534)
    try:
        done = subprocess.run(
            [*namespaces, "/usr/bin/python3", "-c", program, str(directory)],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            timeout=DEADLINE,
        )
    finally:
        shutil.rmtree(directory)
    assert done.returncode == 0, done.stderr
    assert "daemon ready" in done.stdout


INSIDE = """
import sys
from pathlib import Path
from drivers.card.pcsc import private_pcscd
if sys.argv[2] == "share":
    private_pcscd.OWN_MOUNTS = private_pcscd.OWN_USER = ("false",)
with private_pcscd.PrivatePcscd(Path(sys.argv[1])) as service:
    print("|".join(path.name for path in Path("/run/pcscd").iterdir()))
"""


@pytest.mark.parametrize(("way", "touched"), [("hide", ""), ("share", "pcscd.pid")])
def test_the_machines_own_directory_is_hidden_or_else_shared(run_dir: Path, way: str, touched: str) -> None:
    """In a namespace where /run/pcscd exists, as on a machine whose own pcscd runs."""
    directory = run_dir / f"way-{way}"
    directory.mkdir()
    namespace = private_pcscd.OWN_MOUNTS if os.geteuid() == 0 else private_pcscd.OWN_USER
    script = 'mount -t tmpfs none /run && mkdir /run/pcscd && exec "$@"'
    done = subprocess.run(
        [*namespace, "sh", "-c", script, "sh", sys.executable, "-c", INSIDE, str(directory), way],
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == touched


def test_without_pcscd_it_says_what_to_install(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private_pcscd, "VPCD", Path("/nonexistent/libifdvpcd.so"))
    with pytest.raises(PcscdUnavailable, match="apt-get install pcscd vsmartcard-vpcd"):
        PrivatePcscd(run_dir).start()


def test_a_socket_path_that_is_too_long_is_said(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    with pytest.raises(PcscdUnavailable, match="too long"):
        PrivatePcscd(deep).start()
