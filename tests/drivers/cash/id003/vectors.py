"""Frames of the published captures and of public drivers' own code and logs (protocols/id003, section 2)."""

from __future__ import annotations

from drivers.cash.id003.messages import (
    Acknowledged,
    Answer,
    Command,
    Invalid,
    Request,
    SerialNumber,
    Setting,
    State,
    Status,
    decode_note_table,
)

TABLE_DATA = bytes.fromhex(
    "61000000 62E00500 63E00A00 64E01400 65E03200 66E00A01 67E01401 68E03201"
)  # fmt: skip

REQUESTS = {
    "FC 05 11 27 56": Request(Command.STATUS),
    "FC 05 40 2B 15": Request(Command.RESET),
    "FC 05 41 A2 04": Request(Command.STACK_1),
    "FC 05 42 39 36": Request(Command.STACK_2),
    "FC 05 43 B0 27": Request(Command.RETURN),
    "FC 06 44 FF B8 18": Request(Command.HOLD, b"\xff"),
    "FC 05 50 AA 05": Request(Command.ACK),
    "FC 05 83 BC E1": Request(Command.GET_INHIBIT),
    "FC 06 C3 00 04 D6": Request(Command.SET_INHIBIT, b"\x00"),
    "FC 06 C3 01 8D C7": Request(Command.SET_INHIBIT, b"\x01"),
    "FC 07 C0 00 00 2D B5": Request(Command.SET_DENOMINATIONS, b"\x00\x00"),
    "FC 07 C0 FF 00 ED 4A": Request(Command.SET_DENOMINATIONS, b"\xff\x00"),
    "FC 07 C0 82 00 51 0A": Request(Command.SET_DENOMINATIONS, b"\x82\x00"),
    "FC 07 C1 00 00 F1 EF": Request(Command.SET_SECURITY, b"\x00\x00"),
    "FC 06 C2 01 55 DE": Request(Command.SET_COMMUNICATION, b"\x01"),
    "FC 06 C4 00 0C 9B": Request(Command.SET_DIRECTION, b"\x00"),
    "FC 07 C5 00 00 90 8C": Request(Command.SET_OPTIONS, b"\x00\x00"),
    "FC 07 C6 01 12 BF 49": Request(Command.SET_BARCODE, b"\x01\x12"),
    "FC 06 C7 00 64 B1": Request(Command.SET_BAR_INHIBIT, b"\x00"),
    "FC 06 C7 FC 87 8C": Request(Command.SET_BAR_INHIBIT, b"\xfc"),
    "FC 05 88 6F 5F": Request(Command.VERSION),
    "FC 05 8A 7D 7C": Request(Command.NOTE_TABLE),
    "FC 05 91 2F D2": Request(Command.SERIAL),
}

ANSWERS: dict[str, tuple[Command, Answer]] = {
    "FC 05 11 27 56": (Command.STATUS, Status(State.IDLING)),
    "FC 05 12 BC 64": (Command.STATUS, Status(State.ACCEPTING)),
    "FC 06 13 63 A2 D8": (Command.STATUS, Status(State.ESCROW, b"\x63")),
    "FC 06 13 64 1D AC": (Command.STATUS, Status(State.ESCROW, b"\x64")),
    "FC 05 15 03 10": (Command.STATUS, Status(State.VEND_VALID)),
    "FC 05 1A F4 E8": (Command.STATUS, Status(State.DISABLED)),
    "FC 05 1B 7D F9": (Command.STATUS, Status(State.INITIALIZE)),
    "FC 05 40 2B 15": (Command.STATUS, Status(State.POWER_UP)),
    "FC 05 41 A2 04": (Command.STATUS, Status(State.POWER_UP_NOTE_IN_ACCEPTOR)),
    "FC 05 42 39 36": (Command.STATUS, Status(State.POWER_UP_NOTE_IN_STACKER)),
    "FC 05 43 B0 27": (Command.STATUS, Status(State.BOX_FULL)),
    "FC 05 4B F8 AB": (Command.STACK_2, Invalid()),
    "FC 05 50 AA 05": (Command.STACK_2, Acknowledged()),
    "FC 06 83 01 EB 81": (Command.GET_INHIBIT, Setting(Command.GET_INHIBIT, b"\x01")),
    "FC 06 C3 00 04 D6": (Command.SET_INHIBIT, Setting(Command.SET_INHIBIT, b"\x00")),
    "FC 07 C0 00 00 2D B5": (Command.SET_DENOMINATIONS, Setting(Command.SET_DENOMINATIONS, b"\x00\x00")),
    "FC 25 8A 61 00 00 00 62 E0 05 00 63 E0 0A 00 64 E0 14 00 65 E0 32 00 66 E0 0A 01 67 E0 14 01 68 E0 32 01 05 C1": (
        Command.NOTE_TABLE,
        decode_note_table(TABLE_DATA),
    ),
    "FC 11 91 32 33 31 30 30 30 37 36 30 34 34 33 7C 7C": (Command.SERIAL, SerialNumber("231000760443")),
}

OF_A_RECYCLER = (
    "FC 07 F0 20 93 A2 B6", "FC 07 F0 20 A2 A8 96", "FC 07 F0 20 90 39 84", "FC 07 F0 20 92 2B A7",
    "FC 0B F0 20 92 05 00 0A 00 D1 64", "FC 08 F0 20 D1 01 0D 88", "FC 08 F0 20 D2 1E 13 4A",
    "FC 0D F0 20 D0 02 00 01 08 00 02 BA 42", "FC 0A F0 20 D2 32 00 01 0D D2", "FC 0A F0 20 D2 05 00 01 A6 D8",
    "FC 0A F0 20 E2 02 00 01 51 18", "FC 09 F0 20 4A 01 02 8B 5C", "FC 07 F0 20 4D 51 89",
)  # fmt: skip
"""Good frames, and no messages of ours."""

UNDOCUMENTED = "FC 05 70 A8 24"
