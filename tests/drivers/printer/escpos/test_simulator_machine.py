"""The simulated printer by its bytes alone: what Epson's reference says of each command."""

import time

import pytest

from drivers.api.document import Align
from drivers.api.printer import Paper
from drivers.printer.escpos.simulator_commands import Command, Cut, Feed, Ignored, Raster, SetSize, next_command
from drivers.printer.escpos.simulator_machine import BUFFER, Fault, Machine
from drivers.printer.escpos.simulator_paper import LONGEST, PrintedCode, PrintedLine, PrintedPicture, Strip

CLEAR = bytes.fromhex("10 14 08 01 03 14 01 06 02 08")


def machine() -> tuple[Machine, list[Strip]]:
    strips: list[Strip] = []
    return Machine(48, strips.append), strips


@pytest.mark.parametrize(
    ("paper", "cover", "offline", "fault", "answers"),
    [
        (Paper.ADEQUATE, False, False, Fault.NONE, "12 12 12 12"),
        (Paper.NEAR_END, False, False, Fault.NONE, "12 12 12 1E"),
        (Paper.OUT, False, False, Fault.NONE, "1A 32 12 7E"),
        (Paper.ADEQUATE, True, False, Fault.NONE, "1A 16 12 12"),
        (Paper.ADEQUATE, False, True, Fault.NONE, "1A 12 12 12"),
        (Paper.ADEQUATE, False, False, Fault.CUTTER, "1A 52 1A 12"),
        (Paper.ADEQUATE, False, False, Fault.UNRECOVERABLE, "1A 52 32 12"),
    ],
)
def test_the_status_bytes_follow_the_metal(
    paper: Paper, cover: bool, offline: bool, fault: Fault, answers: str
) -> None:
    printer, _ = machine()
    printer.paper, printer.cover_open, printer.offline, printer.fault = paper, cover, offline, fault
    assert printer.receive(bytes.fromhex("10 04 01 10 04 02 10 04 03 10 04 04")) == bytes.fromhex(answers)


def test_a_request_in_pieces_is_answered_when_it_is_whole() -> None:
    printer, _ = machine()
    assert [printer.receive(bytes([byte])) for byte in b"\x10\x04\x01"] == [b"", b"", b"\x12"]


def test_asking_an_offline_printer_for_hours_fills_no_buffer() -> None:
    printer, _ = machine()
    printer.cover_open = True
    printer.receive(b"text\n")
    assert [printer.receive(b"\x10\x04\x02") for _ in range(100)] == [b"\x16"] * 100
    assert printer.buffered == len(b"text\n")


def test_status_is_answered_at_once_and_identity_in_its_turn() -> None:
    printer, _ = machine()
    printer.cover_open = True
    assert printer.receive(b"text\n\x1dI\x43\x10\x04\x01") == b"\x1a"
    printer.cover_open = False
    assert printer.resume() == b"\x5fGUICHET SIMULATED PRINTER\x00"


def test_the_rest_of_a_document_comes_out_on_the_new_roll_unless_it_was_cleared() -> None:
    for cleared in (False, True):
        printer, strips = machine()
        printer.after_lines(1, lambda printer=printer: printer.load(Paper.OUT))
        printer.receive(b"first\nsecond\n\x1dV\x00")
        if cleared:
            assert printer.receive(CLEAR) == b"\x37\x25\x00"
        printer.load(Paper.ADEQUATE)
        printer.resume()
        printer.receive(b"next\n\x1dV\x00")
        texts = [strip.text() for strip in strips]
        assert texts[0] == "first\n~ torn off here ~\n"
        assert texts[1:] == (["next\n"] if cleared else ["second\n", "next\n"])


def test_text_is_read_in_the_code_page_that_was_selected() -> None:
    printer, strips = machine()
    printer.receive(b"\x1bt\x11\x8f\xe0\xa8\xa2\xa5\xe2 \x1bt\x21\x83 \x1bt\x13\xd5\x1bt\xc8\x80\n\x1dV\x00")
    assert strips[0].text() == "Привет ā €\ufffd\n"


def test_styles_end_with_initialise_and_stand_on_their_own_spans() -> None:
    printer, strips = machine()
    printer.receive(b"\x1ba\x01\x1bE\x01A\x1bE\x00\x1d!\x11B\n\x1b@C\n\x1dV\x00")
    first, second = (piece for piece in strips[0].pieces if isinstance(piece, PrintedLine))
    assert first.align is Align.CENTRE
    assert [(span.text, span.bold, span.width, span.height) for span in first.spans] == [
        ("A", True, 1, 1),
        ("B", False, 2, 2),
    ]
    assert (second.align, second.spans[0].bold, second.spans[0].width) == (Align.LEFT, False, 1)


def test_a_code_is_stored_and_printed() -> None:
    printer, strips = machine()
    printer.receive(
        b"\x1d(k\x04\x001A2\x00\x1d(k\x03\x001C\x05\x1d(k\x03\x001E1\x1d(k\x06\x001P0abc\x1d(k\x03\x001Q0\n\x1dV\x00"
    )
    [code] = (piece for piece in strips[0].pieces if isinstance(piece, PrintedCode))
    assert (code.content, code.module, code.level) == (b"abc", 5, 49)


def test_a_picture_may_hold_bytes_that_look_like_a_request() -> None:
    printer, strips = machine()
    picture = b"\x10\x04\x01\x10\x04\x01"
    said = printer.receive(b"\x1dv0\x00\x03\x00\x02\x00" + picture + b"\x1dV\x00")
    [piece] = (piece for piece in strips[0].pieces if isinstance(piece, PrintedPicture))
    assert (piece.width, piece.rows, piece.data) == (24, 2, picture)
    assert said == b"\x12\x12"


def test_a_blank_strip_is_no_document() -> None:
    printer, strips = machine()
    printer.receive(b"\x1b@\x1bd\x06\x1dV\x00")
    assert strips == []


# --- what no host of ours sends -------------------------------------------------------------------------------------


def printed(data: bytes) -> str:
    printer, strips = machine()
    printer.receive(data + b"\x1dV\x00")
    return "".join(strip.text() for strip in strips)


def test_a_stopped_printer_keeps_no_more_than_its_buffer_and_still_says_how_it_is() -> None:
    printer, strips = machine()
    printer.cover_open = True
    for _ in range(16):
        printer.receive((b"t" * 47 + b"\n") * 2000)
    assert printer.buffered == BUFFER
    assert printer.receive(b"\x10\x04\x02") == b"\x16"
    printer.cover_open = False
    printer.resume()
    assert printer.buffered == 0
    assert strips


def test_a_line_that_is_full_goes_on_in_the_next() -> None:
    assert printed(b"A" * 48 + b"\n" + b"B" * 100 + b"\n") == f"{'A' * 48}\n{'B' * 48}\n{'B' * 48}\n{'B' * 4}\n"
    assert printed(b"\x1d!\x70" + b"C" * 13 + b"\n") == "CCCCCC\nCCCCCC\nC\n"


def test_paper_that_nobody_cuts_tears_off_at_last() -> None:
    printer, strips = machine()
    printer.receive(b"line\n" * 2000)
    printer.receive(b"\x1bd\xff" * 100)
    assert len(strips) > 2
    assert all(sum(piece.height for piece in strip.pieces) < 2 * LONGEST for strip in strips)
    assert not any(strip.complete for strip in strips)


@pytest.mark.parametrize(
    "command",
    [
        "1D 76 30 00 FF FF FF FF",
        "1D 76 30 00 01 00 00 09",
        "1D 76 30 00 00 00 10 00",
        "1D 76 30 00 10 00 00 00",
        "1B 44 " + "01 " * 33,
        "1D 6B 04 " + "31 " * 256,
        "1D 28 6B 03 00 31 43 00",
        "1D 28 6B 03 00 31 43 11",
    ],
)
def test_a_command_that_no_printer_carries_out_holds_up_nothing(command: str) -> None:
    assert printed(bytes.fromhex(command) + b"\nafter\n").endswith("after\n")


def test_a_code_that_has_no_room_for_what_is_in_it_is_not_printed() -> None:
    content = b"x" * 3000
    store = b"\x1d(k" + (len(content) + 3).to_bytes(2, "little") + b"1P0" + content
    assert printed(store + b"\x1d(k\x03\x001Q0" + b"after\n") == "after\n"


@pytest.mark.parametrize(
    "data", [b"\n", b"\x10", b"\x10\x04\x01", b"\n\x10\x04\x01", b"\x1bE\x01", b"\x1d(k\x03\x001Q0"]
)
@pytest.mark.parametrize("stopped", [False, True])
def test_what_comes_takes_a_printer_time_in_proportion(data: bytes, stopped: bool) -> None:
    def seconds(size: int) -> float:
        printer, _ = machine()
        printer.cover_open = stopped
        began = time.process_time()
        printer.receive((data * size)[:size])
        return time.process_time() - began

    once = min(seconds(1 << 13) for _ in range(3))
    assert seconds(1 << 17) < 4 * 16 * max(once, 0.002)


@pytest.mark.parametrize(
    ("data", "command", "length"),
    [
        ("0A", Feed(1), 1),
        ("1B 64 06", Feed(6), 3),
        ("1B 4A 10", Feed(0, 16), 3),
        ("1D 21 31", SetSize(4, 2), 3),
        ("1B 21 30", SetSize(2, 2), 3),
        ("1D 56 00", Cut(0), 3),
        ("1D 56 42 0A", Cut(10), 4),
        ("1B 69", Cut(0), 2),
        ("1D 76 30 03 01 00 02 00 FF 00", Raster(1, 2, 2, 2, b"\xff\0"), 10),
        ("1B 70 30 19 19 41", Ignored(), 5),
        ("1B 2A 21 02 00 01 02 03 04 05 06 41", Ignored(), 11),
        ("1B 44 08 10 00 41", Ignored(), 5),
        ("1D 6B 49 03 41 42 43 44", Ignored(), 7),
        ("1D 6B 04 41 42 00 44", Ignored(), 6),
        ("1D 28 4C 02 00 30 32 41", Ignored(), 7),
        ("1D 4C 00 00 41", Ignored(), 4),
        ("1C 2E 41", Ignored(), 2),
        ("10 14 01 00 05 41", Ignored(), 5),
        ("10 04 01 41", Ignored(), 3),
        ("07 41", Ignored(), 1),
    ],
)
def test_every_command_is_walked_by_its_own_length(data: str, command: Command, length: int) -> None:
    received = bytes.fromhex(data)
    assert next_command(received) == (command, length)
    if length > 1:
        assert next_command(received[: length - 1]) is None
