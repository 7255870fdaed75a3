"""The udev rules: strictly formed, and right about the devices that a terminal may have."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.udev.rules import Event, Rule, RuleError, parse, parse_line, run

FILES = ("68-guichet-hardware.rules", "69-guichet-site.rules.example", "70-guichet.rules")


@pytest.fixture
def rules(repository: Path) -> dict[str, list[Rule]]:
    return {name: parse(repository / "udev" / name) for name in FILES}


def bridge(vendor: str, serial: str = "", path: str = "", kernel: str = "ttyUSB0") -> Event:
    properties = {"ID_BUS": "usb", "ID_VENDOR_ID": vendor, "ID_SERIAL_SHORT": serial, "ID_PATH": path}
    return Event("add", kernel, "tty", properties)


def usb_printer(vendor: str) -> Event:
    imported = {"usb_id": {"ID_VENDOR_ID": vendor}, "path_id": {"ID_PATH": "pci-0000:00:14.0-usb-0:4:1.0"}}
    return Event("add", "lp0", "usbmisc", {"ID_BUS": "usb"}, imported)


def usb_device(interfaces: str) -> Event:
    return Event("add", "1-3", "usb", {"ID_BUS": "usb", "DEVTYPE": "usb_device", "ID_USB_INTERFACES": interfaces})


def after(rules: dict[str, list[Rule]], event: Event, *site: str) -> Event:
    """``event`` behind our rules, with the site's own lines between them."""
    lines = [parse_line(line, "site") for line in site]
    return run([rules[FILES[0]], lines, rules[FILES[2]]], event)


def test_every_file_is_there_and_nothing_else(repository: Path) -> None:
    assert sorted(path.name for path in (repository / "udev").iterdir()) == sorted([*FILES, "README.md"])


@pytest.mark.parametrize("vendor", ["0403", "067b", "10c4", "1a86"])
def test_a_bridge_that_nobody_assigned_is_shown_as_such(rules: dict[str, list[Rule]], vendor: str) -> None:
    event = after(rules, bridge(vendor, "AH06N3QX"))
    assert event.links == ["guichet/unassigned-ttyUSB0"]
    assert (event.group, event.mode) == ("guichet", "0660")
    assert event.properties["ID_MM_DEVICE_IGNORE"] == "1"


def test_the_site_says_which_bridge_is_which_by_serial_number_or_by_port(rules: dict[str, list[Rule]]) -> None:
    by_serial = 'ENV{GUICHET_KIND}=="serial-bridge", ENV{ID_SERIAL_SHORT}=="AH06N3QX", ENV{GUICHET_ROLE}="cash"'
    by_port = 'ENV{GUICHET_KIND}=="serial-bridge", ENV{ID_PATH}=="pci-0-usb-0:3:1.0", ENV{GUICHET_ROLE}="printer"'
    cash = after(rules, bridge("0403", "AH06N3QX"), by_serial, by_port)
    printer = after(rules, bridge("1a86", path="pci-0-usb-0:3:1.0", kernel="ttyUSB1"), by_serial, by_port)
    third = after(rules, bridge("1a86", path="pci-0-usb-0:9:1.0", kernel="ttyUSB2"), by_serial, by_port)
    assert (cash.links, cash.tags) == (["guichet/cash"], ["systemd"])
    assert (printer.links, printer.tags) == (["guichet/printer"], ["systemd"])
    assert third.links == ["guichet/unassigned-ttyUSB2"]


def test_the_example_lines_do_what_they_say(rules: dict[str, list[Rule]]) -> None:
    files = [rules[name] for name in FILES]
    assert run(files, bridge("0403", "AH06N3QX")).links == ["guichet/cash"]
    assert run(files, bridge("1a86", path="pci-0000:00:14.0-usb-0:3:1.0")).links == ["guichet/printer"]
    assert run(files, Event("add", "ttyS1", "tty", {})).links == ["guichet/cash"]
    assert run(files, Event("add", "ttyS0", "tty", {})).links == []
    reader = usb_device(":0b0000:")
    reader.properties["ID_SERIAL_SHORT"] = "0A1B2C3D"
    assert run(files, reader).links == []


@pytest.mark.parametrize("vendor", ["04b8", "0519", "1d90", "2730", "0dd4", "1504", "154f"])
def test_a_receipt_printer_has_its_name_without_anyones_doing(rules: dict[str, list[Rule]], vendor: str) -> None:
    for event in (after(rules, usb_printer(vendor)), after(rules, bridge(vendor, kernel="ttyACM0"))):
        assert event.links == ["guichet/printer"]
        assert (event.group, event.mode, event.tags) == ("guichet", "0660", ["systemd"])


@pytest.mark.parametrize("vendor", ["191c", "0bed", "106f"])
def test_a_validator_with_usb_of_its_own_is_the_cash_module(rules: dict[str, list[Rule]], vendor: str) -> None:
    assert after(rules, bridge(vendor, kernel="ttyACM0")).links == ["guichet/cash"]


@pytest.mark.parametrize("interfaces", [":0b0000:", ":030000:0b0000:", ":0b0000:030101:"])
def test_any_ccid_reader_is_the_card_reader(rules: dict[str, list[Rule]], interfaces: str) -> None:
    event = after(rules, usb_device(interfaces))
    assert (event.links, event.group, event.mode) == (["guichet/card"], "guichet", "0660")


@pytest.mark.parametrize(
    "event",
    [
        usb_device(":030101:"),
        usb_device(":080650:"),
        usb_printer("03f0"),
        bridge("2341", kernel="ttyACM0"),
        Event("add", "tty1", "tty", {}),
        Event("add", "sda", "block", {"ID_BUS": "usb", "ID_VENDOR_ID": "0403"}),
    ],
)
def test_what_is_not_the_terminals_is_left_alone(rules: dict[str, list[Rule]], event: Event) -> None:
    done = after(rules, event)
    assert (done.links, done.group, done.mode, done.tags) == ([], "root", "0600", [])


def test_a_device_that_goes_is_not_named_again(rules: dict[str, list[Rule]]) -> None:
    leaving = bridge("191c", kernel="ttyACM0")
    leaving.action = "remove"
    assert after(rules, leaving).links == []


def test_no_rule_gives_a_device_to_everyone(rules: dict[str, list[Rule]]) -> None:
    named = [rule for file in rules.values() for rule in file if rule.assigned("SYMLINK")]
    assert len(named) == 4
    for rule in named:
        assert (rule.assigned("GROUP"), rule.assigned("MODE")) == (["guichet"], ["0660"]), rule.where
        assert all(link.startswith("guichet/") for link in rule.assigned("SYMLINK"))
    for file in rules.values():
        for rule in file:
            assert all(mode == "0660" for mode in rule.assigned("MODE")), rule.where


@pytest.mark.parametrize(
    "line",
    [
        'SUBSYSTEM="tty", SYMLINK+="x"',
        'SUBSYSTEM=="tty" SYMLINK+="x"',
        'SUBSYSTEM=="tty", SYMLINK+="x",',
        "SUBSYSTEM=='tty', SYMLINK+=\"x\"",
        'SUBSYSTEMM=="tty", SYMLINK+="x"',
        'ENV=="tty", SYMLINK+="x"',
        'SYMLINK{x}+="x"',
        'SYMLINK="x"',
        'MODE="660"',
        'MODE="0668"',
        'MODE=="0660"',
        'GROUP+="guichet"',
        'IMPORT{program}="/bin/sh"',
        'IMPORT{builtin}="usb-id"',
        'SYMLINK+="x", SUBSYSTEM=="tty"',
        'ENV{A=="x", MODE="0660"',
    ],
)
def test_the_parser_refuses_what_udev_would_misunderstand(line: str) -> None:
    with pytest.raises(RuleError):
        parse_line(line, "line")


def test_udev_itself_finds_nothing_to_say_about_the_rules(repository: Path, tmp_path: Path) -> None:
    """``udevadm test`` applies what it finds, so it gets a /dev and a /run of its own."""
    udevadm = shutil.which("udevadm", path=f"{os.environ.get('PATH', '')}:/sbin:/bin")
    if udevadm is None:
        pytest.skip("no udevadm here (Debian package udev)")
    if os.geteuid() != 0:
        pytest.skip("a mount namespace of its own takes root")
    for name in FILES:
        shutil.copy(repository / "udev" / name, tmp_path / name.removesuffix(".example"))
    script = (
        "mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /dev && mkdir -p /run/udev/rules.d"
        f" && cp {tmp_path}/*.rules /run/udev/rules.d/ && exec {udevadm} test --action=add /sys/class/mem/null"
    )
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    said = done.stdout + done.stderr
    if "unshare failed" in said:
        pytest.skip(f"no mount namespaces here: {said.strip()}")
    assert done.returncode == 0, said
    for name in FILES:
        assert f"Reading rules file: /run/udev/rules.d/{name.removesuffix('.example')}" in said
    complaints = [line for line in said.splitlines() if re.search(r"guichet[^ ]*\.rules:\d+", line)]
    assert [line for line in complaints if "Unknown group" not in line] == []
