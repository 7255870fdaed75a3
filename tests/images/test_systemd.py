"""The systemd units: well formed for systemd itself, sandboxed, and true to the product's rules."""

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

UNITS = ("guichet-terminal.service", "guichet-screen.service", "guichet-host.service")
EXPOSURE = 20
"""Tenths: systemd's own measure of what a service could do, from 0 to 100."""

Unit = dict[str, list[str]]


@pytest.fixture
def units(repository: Path) -> dict[str, Unit]:
    return {name: read_unit(repository / "images" / "systemd" / name) for name in UNITS}


def read_unit(path: Path) -> Unit:
    """``Section.Key`` to its values, in order. Strict: a line is a comment, a section or an assignment."""
    values: defaultdict[str, list[str]] = defaultdict(list)
    section = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if found := re.fullmatch(r"\[(\w+)\]", line):
            section = found[1]
            continue
        assignment = re.fullmatch(r"([A-Z]\w+)=(.*)", line)
        assert assignment is not None, line
        assert section in ("Unit", "Service", "Install"), line
        values[f"{section}.{assignment[1]}"].append(assignment[2])
    return dict(values)


def with_a_program_that_exists(repository: Path, folder: Path) -> list[Path]:
    """Copies that systemd can check on a machine where Guichet is not installed."""
    copies: list[Path] = []
    for name in UNITS:
        text = (repository / "images" / "systemd" / name).read_text(encoding="utf-8")
        copy = folder / name
        copy.write_text(re.sub(r"/opt/guichet/bin/\S+", "/bin/true", text), encoding="utf-8")
        copies.append(copy)
    return copies


def systemd_analyze() -> str:
    path = shutil.which("systemd-analyze")
    if path is None:
        pytest.skip("no systemd-analyze here (Debian package systemd)")
    return path


def test_systemd_finds_nothing_to_say_about_the_units(repository: Path, tmp_path: Path) -> None:
    copies = with_a_program_that_exists(repository, tmp_path)
    command = [systemd_analyze(), "verify", "--man=no", *map(str, copies)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "guichet-" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


@pytest.mark.parametrize("name", UNITS)
def test_what_a_service_could_do_stays_below_the_threshold(repository: Path, tmp_path: Path, name: str) -> None:
    with_a_program_that_exists(repository, tmp_path)
    command = [systemd_analyze(), "security", "--offline=yes", f"--threshold={EXPOSURE}", "--no-pager", tmp_path / name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Overall exposure level" in done.stdout


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("guichet-terminal.service", "/opt/guichet/bin/guichet-kiosk terminal --config /etc/guichet/terminal.toml"),
        ("guichet-screen.service", "/opt/guichet/bin/guichet-kiosk screen --socket /run/guichet/terminal.sock"),
        ("guichet-host.service", "/opt/guichet/bin/guichet-host serve --config /etc/guichet/host.toml"),
    ],
)
def test_each_unit_starts_its_command_watches_it_and_never_gives_up(
    units: dict[str, Unit], name: str, command: str
) -> None:
    unit = units[name]
    assert unit["Service.ExecStart"] == [command]
    assert unit["Service.Type"] == ["notify"]
    assert unit["Service.Restart"] == ["always"]
    assert unit["Unit.StartLimitIntervalSec"] == ["0"]
    assert 5 <= int(unit["Service.WatchdogSec"][0]) <= 60


@pytest.mark.parametrize("name", UNITS)
def test_every_service_is_locked_in(units: dict[str, Unit], name: str) -> None:
    unit = units[name]
    for key in (
        "NoNewPrivileges",
        "ProtectHome",
        "PrivateTmp",
        "RestrictNamespaces",
        "RestrictSUIDSGID",
        "LockPersonality",
    ):
        assert unit[f"Service.{key}"] == ["yes"], key
    assert unit["Service.ProtectSystem"] == ["strict"]
    assert unit["Service.CapabilityBoundingSet"] == [""]
    assert unit["Service.SystemCallFilter"][0] == "@system-service"
    assert unit["Service.LimitCORE"] == ["0"]
    assert unit["Service.User"] == unit["Service.Group"] == [name.removesuffix(".service")]


def test_a_terminal_is_asked_to_stop_and_has_the_time_that_a_note_needs(units: dict[str, Unit]) -> None:
    terminal = units["guichet-terminal.service"]
    assert terminal["Service.KillSignal"] == ["SIGTERM"]
    assert terminal["Service.KillMode"] == ["mixed"]
    assert terminal["Service.TimeoutStopSec"] == ["3min"]


def test_only_the_terminal_may_open_money_devices(units: dict[str, Unit]) -> None:
    allowed = {name: set(unit.get("Service.DeviceAllow", [])) for name, unit in units.items()}
    assert {"char-ttyUSB rw", "char-ttyACM rw", "char-usb rw"} <= allowed["guichet-terminal.service"]
    for name in ("guichet-screen.service", "guichet-host.service"):
        assert not any("ttyUSB" in device or "ttyACM" in device or "usb" in device for device in allowed[name])
        assert "guichet" not in " ".join(units[name].get("Service.SupplementaryGroups", [])).split()
    assert units["guichet-terminal.service"]["Service.DevicePolicy"] == ["closed"]
    assert units["guichet-screen.service"]["Service.DevicePolicy"] == ["closed"]
    assert units["guichet-host.service"]["Service.PrivateDevices"] == ["yes"]


def test_the_screen_has_no_network_and_does_not_fall_with_the_terminal(units: dict[str, Unit]) -> None:
    screen = units["guichet-screen.service"]
    assert screen["Service.RestrictAddressFamilies"] == ["AF_UNIX AF_NETLINK"]
    assert screen["Service.IPAddressDeny"] == ["any"]
    for binding in ("Requires", "BindsTo", "PartOf", "Requisite"):
        assert f"Unit.{binding}" not in screen
        assert f"Unit.{binding}" not in units["guichet-terminal.service"]


def test_every_user_and_group_that_a_unit_names_is_made(repository: Path, units: dict[str, Unit]) -> None:
    made: set[str] = {"root", "video", "render", "input"}
    for path in (repository / "images" / "systemd" / "sysusers.d").iterdir():
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        made |= {words[1] for words in lines if words[0] in ("u", "g")}
    for unit in units.values():
        named = {unit["Service.User"][0], *" ".join(unit.get("Service.SupplementaryGroups", [])).split()}
        assert named <= made
    for path in (repository / "images" / "systemd" / "tmpfiles.d").iterdir():
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line.startswith("#"):
                assert set(line.split()[3:5]) <= made, line


def test_the_directory_of_the_socket_is_the_screens_to_enter_and_nobody_elses(repository: Path) -> None:
    text = (repository / "images" / "systemd" / "tmpfiles.d" / "guichet-kiosk.conf").read_text(encoding="utf-8")
    assert "d /run/guichet 2750 guichet-terminal guichet-screen -" in text.splitlines()


@pytest.mark.parametrize("program", ["systemd-sysusers", "systemd-tmpfiles"])
def test_systemd_makes_users_and_directories_from_the_snippets(repository: Path, tmp_path: Path, program: str) -> None:
    """Into a root directory of the test's own."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"no {program} here (Debian package systemd)")
    (tmp_path / "etc").mkdir()
    snippets = repository / "images" / "systemd"
    users = ["systemd-sysusers", f"--root={tmp_path}", *map(str, sorted((snippets / "sysusers.d").iterdir()))]
    subprocess.run(users, check=True, capture_output=True, timeout=60)
    passwd = (tmp_path / "etc" / "passwd").read_text(encoding="utf-8")
    assert all(f"{name.removesuffix('.service')}:" in passwd for name in UNITS)
    assert re.search(
        r"^guichet:.*:guichet-terminal$", (tmp_path / "etc/group").read_text(encoding="utf-8"), re.MULTILINE
    )
    if program == "systemd-tmpfiles":
        make = [path, "--create", f"--root={tmp_path}", *map(str, sorted((snippets / "tmpfiles.d").iterdir()))]
        subprocess.run(make, check=True, capture_output=True, timeout=60)
        assert (tmp_path / "run" / "guichet").stat().st_mode & 0o7777 == 0o2750
