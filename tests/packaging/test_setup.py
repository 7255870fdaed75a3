"""requirements/setup, run on a copy with stand-ins for Python and apt: what it does is seen, and costs nothing."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

# A python3 that suits, makes environments that hold itself, and writes down what it is asked.
PYTHON = """#!/bin/bash
case "$*" in
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-c import pip") ;;
    -) cat >/dev/null ;;
    --version) echo "Python 3.11.0" ;;
    *"${BROKEN:-nothing}"*) echo "no such hash"; exit 1 ;;
    *) sleep "${SLOW:-0}"; echo "$*" >>"$CALLS" ;;
esac
"""
# Packages are installed once apt-get has installed them, and known once it has updated its lists.
DPKG_QUERY = """#!/bin/bash
grep -qs -- " ${!#}\\( \\|$\\)" "$INSTALLED" && echo -n installed
"""
APT_CACHE = """#!/bin/bash
[[ -e $UPDATED && $2 != "${UNKNOWN:-}" ]] && echo "  Candidate: 1.0"
"""
APT_GET = """#!/bin/bash
echo "apt-get $*" >>"$CALLS"
case "$*" in
    *update) touch "$UPDATED" ;;
    *install*) [[ -e $UPDATED ]] || exit 100; echo " $*" >>"$INSTALLED" ;;
esac
"""
SUDO = """#!/bin/bash
echo "sudo $*" >>"$CALLS"
exec "$@"
"""
# What a script may expect of any Debian.
TOOLS = [
    *("bash", "cat", "cp", "dirname", "env", "flock", "grep", "mkdir", "rm"),
    *("sed", "sha256sum", "sleep", "tail", "touch", "tr", "true"),
]
NOBODY = 65534
SETPRIV = shutil.which("setpriv") or "setpriv"  # of util-linux: on every Debian


@dataclass
class Machine:
    """A machine of stand-ins, and a checkout on it."""

    root: Path
    environment: dict[str, str]
    user: int = field(default_factory=os.geteuid)

    def start(self, purpose: str = "run", **environment: str) -> subprocess.Popen[str]:
        # Not Popen's own ``user``: with it Python forks instead of calling vfork, and the fork of a process in which
        # other tests left gRPC threads dies now and then before it starts anything.
        become = [] if self.user == os.geteuid() else [SETPRIV, f"--reuid={self.user}", "--clear-groups", "--"]
        return subprocess.Popen(
            [*become, self.root / "checkout/requirements/setup", purpose],
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def setup(self, purpose: str = "run", **environment: str) -> tuple[int, str]:
        """Exit status, and what a person sees."""
        process = self.start(purpose, **environment)
        output, _ = process.communicate(timeout=60)
        return process.returncode, output

    def calls(self, word: str) -> list[str]:
        """What pip and apt-get were asked, of those calls that hold this word."""
        calls = self.root / "calls"
        return [line for line in calls.read_text().splitlines() if word in line] if calls.exists() else []


@pytest.fixture
def machine(repository: Path) -> Iterator[Machine]:
    # Not in pytest's directories: only their owner may enter those.
    with tempfile.TemporaryDirectory(prefix="guichet-") as directory:
        yield furnish(Path(directory), repository)


def furnish(root: Path, repository: Path) -> Machine:
    """Put a checkout and the stand-ins there."""
    checkout, programs = root / "checkout", root / "programs"
    checkout.mkdir()
    programs.mkdir()
    shutil.copytree(repository / "requirements", checkout / "requirements")
    for name in ("pyproject.toml", "hatch_build.py"):
        shutil.copy(repository / name, checkout / name)
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, f"{tool} is not on this machine"
        (programs / tool).symlink_to(found)
    for name, text in {
        "python3": PYTHON,
        "dpkg-query": DPKG_QUERY,
        "apt-cache": APT_CACHE,
        "apt-get": APT_GET,
        "sudo": SUDO,
    }.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    names = {"CALLS": "calls", "INSTALLED": "installed", "UPDATED": "updated"}
    return Machine(root, {"PATH": str(programs)} | {key: str(root / name) for key, name in names.items()})


def test_a_new_machine_gets_everything_and_is_told_what_and_why(machine: Machine) -> None:
    status, output = machine.setup("test")
    assert status == 0, output
    assert "libpcsclite-dev" in output
    assert "builds pyscard" in output
    assert "tests with a real window" in output
    assert len(machine.calls("update")) == 1
    installed = machine.calls("apt-get -qq")[-1]
    assert "pcscd" in installed
    assert "xvfb" in installed
    assert [call.rpartition("/")[2] for call in machine.calls("--require-hashes")] == ["build.txt", "dev.txt"]
    assert len(machine.calls("--editable")) == 1


def test_a_second_call_does_nothing_and_says_nothing(machine: Machine) -> None:
    assert machine.setup()[0] == 0
    before = machine.calls("")
    begin = time.monotonic()
    assert machine.setup() == (0, "")
    assert time.monotonic() - begin < 1
    assert machine.calls("") == before


def test_running_installs_nothing_that_only_tests_need(machine: Machine) -> None:
    assert machine.setup()[0] == 0
    assert machine.calls("xvfb") == []
    assert machine.setup("test")[0] == 0
    assert len(machine.calls("xvfb")) == 1
    assert len(machine.calls("dev.txt")) == 1, "the Python packages were there already"


def test_a_changed_lock_is_installed(machine: Machine) -> None:
    assert machine.setup()[0] == 0
    with (machine.root / "checkout/requirements/dev.txt").open("a") as lock:
        lock.write("# changed\n")
    status, output = machine.setup()
    assert status == 0
    assert "Python packages" in output
    assert len(machine.calls("dev.txt")) == 2


def test_a_lost_environment_is_made_again(machine: Machine) -> None:
    assert machine.setup()[0] == 0
    shutil.rmtree(machine.root / "checkout/.venv")
    assert machine.setup()[0] == 0
    assert len(machine.calls("dev.txt")) == 2


def test_what_fails_is_shown_and_the_next_call_tries_again(machine: Machine) -> None:
    status, output = machine.setup(BROKEN="dev.txt")
    assert status == 1
    assert "no such hash" in output
    assert "set-up stopped" in output
    status, output = machine.setup()
    assert status == 0, output


def test_two_at_once_install_once(machine: Machine) -> None:
    both = [machine.start(SLOW="0.3"), machine.start(SLOW="0.3")]
    outputs = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert len(machine.calls("dev.txt")) == 1


def test_elsewhere_than_debian_it_says_what_is_needed(machine: Machine) -> None:
    for name in ("dpkg-query", "apt-get"):
        (machine.root / "programs" / name).unlink()
    status, output = machine.setup()
    assert status == 1
    assert "not Debian" in output
    assert "libpcsclite-dev" in output
    assert machine.calls("") == []
    assert machine.setup(GUICHET_SKIP_APT="1")[0] == 0


@pytest.fixture
def unprivileged(machine: Machine) -> Machine:
    """The same, used by someone who is not root."""
    if machine.user == 0:
        machine.user = NOBODY
        for path in (machine.root, *machine.root.rglob("*")):
            if not path.is_symlink():
                shutil.chown(path, NOBODY)
    return machine


def test_who_is_not_root_is_told_that_sudo_is_used(unprivileged: Machine) -> None:
    status, output = unprivileged.setup()
    assert status == 0, output
    assert "(with sudo)" in output
    assert len(unprivileged.calls("sudo env DEBIAN_FRONTEND=noninteractive apt-get")) == 2


def test_without_sudo_it_says_what_root_should_run(unprivileged: Machine) -> None:
    (unprivileged.root / "programs/sudo").unlink()
    status, output = unprivileged.setup()
    assert status == 1
    assert "As root, run: apt-get install" in output


def test_a_package_that_can_be_done_without_is(machine: Machine) -> None:
    status, output = machine.setup("test", UNKNOWN="chromium")
    assert status == 0, output
    assert "apt has no chromium here" in output
    assert machine.calls("chromium") == []
    assert machine.calls("xvfb")


def test_an_unknown_purpose_is_refused(machine: Machine) -> None:
    status, output = machine.setup("everything")
    assert status == 2
    assert "usage" in output
