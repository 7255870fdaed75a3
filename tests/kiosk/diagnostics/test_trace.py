"""``guichet-kiosk diag trace`` and ``diag replay`` of a recording."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from drivers.api.device import DeviceIdentity
from drivers.cash.ccnet.framing import frame as ccnet_frame
from drivers.transport.recording import Mark, identity_moment, moment_line
from guichet.ids import DeviceSerial
from kiosk.cli import main
from kiosk.diagnostics.trace_view import Entry, Folding
from tests.conformance.recordings import HERE
from tests.elsewhere import installed

CCNET = HERE / "ccnet.wire"
ESSP = HERE / "essp.wire"


# --- from a file ------------------------------------------------------------------------------------------------------


def test_a_recording_is_shown_with_names_and_hex_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diag", "trace", "--file", str(CCNET)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("cash: ccnet at memory, from 1970-01-01 00:00:00 UTC\n")
    assert "  >  02 03 06 33 DA 81                                poll\n" in out
    assert "  <  02 03 07 81 04 70 6C                             stacked, detail 4\n" in out
    assert "  !                                                   acknowledge\n" in out


def test_what_repeats_itself_is_folded_unless_every_line_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diag", "trace", "--file", str(CCNET)]) == 0
    folded = capsys.readouterr().out.splitlines()
    assert main(["diag", "trace", "--file", str(CCNET), "--every"]) == 0
    every = capsys.readouterr().out.splitlines()
    said = [line for line in folded if "... the same" in line]
    assert said
    assert not any("... the same" in line for line in every)
    assert len(every) > len(folded)


def test_for_scripts_every_moment_is_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diag", "trace", "--file", str(CCNET), "--json"]) == 0
    first, *moments = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert first == {"device": "cash", "driver": "ccnet", "address": "memory", "began_us": 0}
    assert moments[1] == {"at": 0.0, "what": "sent", "hex": "02030633da81", "words": "poll"}
    assert {moment["what"] for moment in moments} >= {"sent", "received", "step", "identity"}


def test_a_recording_can_be_written_down_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "copy.wire"
    assert main(["diag", "trace", "--file", str(CCNET), "--record", str(copy)]) == 0
    assert copy.read_text() == CCNET.read_text()
    assert main(["diag", "trace", "--file", str(CCNET), "--record", str(copy)]) == 2
    assert "File exists" in capsys.readouterr().err
    assert copy.read_text() == CCNET.read_text()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "No such file"),
        ("", "a recording begins with 'guichet wire recording 1'"),
        ("\x00\xff", "codec can't decode"),
        ("guichet wire recording 1\n{}\n", "a header has options"),
        ("guichet wire recording 1\nHEAD\n1.0 > 0\n", "not hexadecimal"),
    ],
)
def test_what_is_no_recording_ends_with_2_and_says_why(
    text: str | None, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.wire"
    if text is not None:
        head = CCNET.read_text().splitlines()[1]
        path.write_bytes(text.replace("HEAD", head).encode("latin-1"))
    for command in (["trace", "--file"], ["replay"]):
        assert main(["diag", *command, str(path)]) == 2
        assert why in capsys.readouterr().err


def test_times_that_no_clock_says_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.wire"
    path.write_text("\n".join([*CCNET.read_text().splitlines()[:2], "-1e308 .", "1e308 ."]) + "\n")
    assert main(["diag", "trace", "--file", str(path), "--json"]) == 2
    assert capsys.readouterr().err == "guichet-kiosk diag trace: no time: -1e308\n"


def test_a_line_with_a_key_of_its_own_is_read_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    show = ["diag", "trace", "--file", str(ESSP)]
    assert main([*show, "--option", "fixed_key=1111111111111111"]) == 0
    assert "polled events" not in capsys.readouterr().out
    assert main([*show, "--option", "fixed_key=0123456701234567"]) == 0
    assert "polled events" in capsys.readouterr().out
    assert main([*show, "--option", "fixed_key"]) == 2
    assert "--option 'fixed_key': NAME=VALUE" in capsys.readouterr().err


def test_a_device_that_comes_and_goes_uses_one_file_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "flapping.wire"
    head = CCNET.read_text().splitlines(keepends=True)[:2]
    path.write_text("".join([*head, "1.0 .\n"] * 300))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 50, hard))
    try:
        assert main(["diag", "trace", "--file", str(path), "--record", str(tmp_path / "copy.wire")]) == 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (tmp_path / "copy-300.wire").read_text() == "".join([*head, "1.0 .\n"])


def test_bytes_that_were_not_kept_are_stars(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pinpad.wire"
    head = CCNET.read_text().splitlines()[:2]
    path.write_text("\n".join([*head, "1.0 > withheld 28", "2.0 ~ 12 moments are not kept", "3.0 ."]) + "\n")
    assert main(["diag", "trace", "--file", str(path)]) == 0
    out = capsys.readouterr().out
    assert "**** 28 bytes that are not kept" in out
    assert "GAP: 12 moments are not kept" in out
    assert out.endswith("closed\n")


def test_what_a_device_says_does_not_command_the_terminal_that_shows_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rude.wire"
    head = CCNET.read_text().splitlines()[:2]
    part = b"\x1b]0;rude\x07".ljust(15)
    answer = ccnet_frame(part + b"SERIAL".ljust(12) + bytes(7)).hex(" ")
    rude = DeviceIdentity("ccnet", "\x1b[2J", DeviceSerial("1\r\n2"), "", False)
    lines = [
        *head,
        f"1.0 > {ccnet_frame(bytes((0x37,))).hex(' ')}",
        f"1.1 < {answer}",
        moment_line(identity_moment(1.2, rude)),
    ]
    path.write_text("\n".join(lines) + "\n")
    assert main(["diag", "trace", "--file", str(path)]) == 0
    out = capsys.readouterr().out
    assert "\\x1b]0;rude\\x07" in out
    assert "\\x1b[2J 1\\x0d\\x0a2" in out
    assert not any(sign != "\n" and not sign.isprintable() for sign in out)


@pytest.mark.parametrize("words", ["trace --every --file", "replay --events"])
def test_a_reader_that_has_seen_enough_ends_it_quietly(words: str) -> None:
    command = [sys.executable, "-c", "import sys; from kiosk.cli import main; sys.exit(main())"]
    process = subprocess.Popen(
        [*command, "diag", *words.split(), str(ESSP)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, b"")


def folded(*words: str) -> list[str]:
    """What folding shows of entries with these words."""
    folding, shown = Folding(), list[Entry | int]()
    for number, word in enumerate(words):
        shown += folding.fold(Entry(float(number), Mark.SENT, b"", word))
    shown += folding.rest()
    return [each.words if isinstance(each, Entry) else f"x{each}" for each in shown]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("a b a b a b a b c", "a b a b x2 c"),
        ("a b a b a b a c", "a b a b x1 a c"),
        ("a b a b a b", "a b a b x1"),
        ("a b a b a", "a b a b a"),
        ("a b c a b c a b c d e d e d e", "a b c a b c x1 d e d e x1"),
        ("a a a a a a", "a a a a x1"),
        ("a b c d", "a b c d"),
    ],
)
def test_two_rounds_are_shown_and_the_rest_is_counted(words: str, shown: str) -> None:
    assert folded(*words.split()) == shown.split()


# --- replay -----------------------------------------------------------------------------------------------------------


def test_a_recording_is_replayed_on_todays_driver(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diag", "replay", str(ESSP), "--events"]) == 0
    *events, last, _ = capsys.readouterr().out.splitlines()
    assert last.startswith("the same: ")
    assert any(" stacked note type 3, value 20.00 EUR" in line for line in events)


@pytest.mark.parametrize(("last", "lines"), [("", 2), ("99 . closed\n", 1)])
def test_a_recording_that_may_have_been_cut_short_is_said_to_have_no_end(
    last: str, lines: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "some.wire"
    path.write_text(ESSP.read_text(encoding="ascii") + last, encoding="ascii")
    assert main(["diag", "replay", str(path)]) == 0
    same, *no_end = capsys.readouterr().out.splitlines()
    assert same.startswith("the same:")
    assert ["the end of the line is not in the recording" in line for line in no_end] == [True] * (lines - 1)


def test_a_driver_that_cannot_be_loaded_is_told_and_its_line_is_shown_as_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = {"acme": "acme_gone:it"}
    installed(tmp_path, "acme", {"guichet.drivers": entry, "guichet.narrators": entry})
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    path = tmp_path / "acme.wire"
    path.write_text(CCNET.read_text().replace('"driver": "ccnet"', '"driver": "acme"', 1))
    assert main(["diag", "replay", str(path)]) == 2
    error = "cash: cannot-load: driver 'acme', acme_gone:it: No module named 'acme_gone'"
    assert capsys.readouterr().err == f"guichet-kiosk diag replay: {error}\n"
    assert main(["diag", "trace", "--file", str(path)]) == 0
    assert "02 03 06 33 DA 81" in capsys.readouterr().out


def test_a_driver_that_says_something_else_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "other.wire"
    path.write_text(CCNET.read_text().replace("> 02 03 06 35 EC E4", "> 02 03 06 36 77 D6", 1))
    assert main(["diag", "replay", str(path)]) == 1
    out = capsys.readouterr().out
    assert out.startswith("DIFFERENT: moment ")
    assert out.endswith("recorded > 02 03 06 36 77 D6, now > 02 03 06 35 EC E4\n")


@pytest.mark.parametrize(
    ("change", "words", "why"),
    [
        (('"driver": "ccnet"', '"driver": "abacus"'), (), "'abacus' is not one of"),
        (('"driver": "ccnet"', '"driver": "escpos"'), (), "escpos is no cash module"),
        (('"options": {}', '"options": {"poll_ms": "never"}'), (), "poll_ms 'never'"),
        (('"options": {}', '"options": {"fixed_key": "****"}'), (), "--option is needed for fixed_key"),
        (('"options": {}', '"options": {"poll_ms": "' + "9" * 5000 + '"}'), (), "poll_ms '9999"),
        (('"driver": "ccnet"', '"driver": "\\u001b[2Jccnet"'), (), "\\x1b[2Jccnet"),
        (('"options": {}', '"options": {"\\u001b[2Jkey": "****"}'), (), "--option is needed for \\x1b[2Jkey"),
        (("! proceed", "! go ahead"), (), "no step: 'go ahead'"),
        (("", ""), ("--option", "poll_ms"), "--option 'poll_ms': NAME=VALUE"),
        (("", ""), ("--option", "poll_ms=0"), "poll_ms '0'"),
    ],
)
def test_what_cannot_be_replayed_ends_with_2_and_says_why(
    change: tuple[str, str], words: tuple[str, ...], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.wire"
    path.write_text(CCNET.read_text().replace(*change, 1))
    assert main(["diag", "replay", str(path), *words]) == 2
    assert why in capsys.readouterr().err


@pytest.mark.parametrize("cut", ["1.39 ~ 3 moments are not kept", "1.39 > withheld 4"])
def test_a_recording_that_is_not_whole_cannot_be_tried(
    cut: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.wire"
    path.write_text(CCNET.read_text() + cut + "\n")
    assert main(["diag", "replay", str(path)]) == 2
    assert "not whole" in capsys.readouterr().err


def test_a_recording_from_the_middle_cannot_be_tried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.wire"
    lines = CCNET.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2] + lines[40:]))
    assert main(["diag", "replay", str(path)]) == 2
    assert "no steps from the opening of the line on" in capsys.readouterr().err
