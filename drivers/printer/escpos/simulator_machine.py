"""The simulated printer: bytes come in, answers go out, paper moves.

Two stages, as in a real one. Real-time requests are seen the moment they arrive, wherever they stand; everything else
waits in the receive buffer until the printer can print. Who loads a new roll finds the rest of the old document in it,
unless the buffer was cleared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import assert_never

from drivers.api.document import Align
from drivers.api.printer import Paper
from drivers.printer.escpos import simulator_commands as commands
from drivers.printer.escpos.simulator_paper import (
    CELL_WIDTH,
    LINE,
    LONGEST,
    Blank,
    Piece,
    PrintedCode,
    PrintedLine,
    PrintedPicture,
    Span,
    Strip,
)
from drivers.printer.escpos.status import (
    CLEAR_BUFFERS,
    DLE_EOT,
    STATUS_FIXED,
    ErrorBits,
    Fact,
    OfflineBits,
    PaperBits,
    PrinterBits,
    Query,
)

MODEL = "GUICHET SIMULATED PRINTER"
_FACTS = {Fact.FIRMWARE: "1.0", Fact.MAKER: "GUICHET", Fact.MODEL: MODEL, Fact.SERIAL: "SIM-0001"}

# Epson's numbering of the code pages that Python knows.
_PAGES = {
    0: "cp437", 1: "cp932", 2: "cp850", 3: "cp860", 4: "cp863", 5: "cp865", 13: "cp857", 14: "cp737", 15: "iso8859-7",
    16: "cp1252", 17: "cp866", 18: "cp852", 19: "cp858", 32: "cp720", 33: "cp775", 34: "cp855", 35: "cp861",
    36: "cp862", 37: "cp864", 38: "cp869", 39: "iso8859-2", 40: "iso8859-15", 44: "cp1125", 45: "cp1250", 46: "cp1251",
    47: "cp1253", 48: "cp1254", 49: "cp1255", 50: "cp1256", 51: "cp1257", 52: "cp1258", 53: "kz1048",
}  # fmt: skip


BUFFER = 2 * commands.LARGEST
"""Bytes that wait for being printed, at most. What comes to a full buffer is lost, as on a printer whose host does not
heed that it is busy.
"""
_PORTION = 4096
_MODULES = range(1, 17)


class Fault(Enum):
    """What can be wrong with the mechanism, as its bit of DLE EOT 3."""

    NONE = 0
    MECHANICAL = ErrorBits.RECOVERABLE.value
    CUTTER = ErrorBits.CUTTER.value
    UNRECOVERABLE = ErrorBits.UNRECOVERABLE.value
    OVERHEATED = ErrorBits.AUTO_RECOVERABLE.value


@dataclass(frozen=True, slots=True)
class _Style:
    page: int = 0
    align: Align = Align.LEFT
    bold: bool = False
    width: int = 1
    height: int = 1


class Machine:
    """``eject`` is given every strip that leaves the printer."""

    def __init__(self, columns: int, eject: Callable[[Strip], None]) -> None:
        self._columns = columns
        self._eject = eject
        self._incoming = bytearray()
        self._buffer = bytearray()
        self._walked = 0
        self._answers = bytearray()
        self._style = _Style()
        self._spans: list[Span] = []
        self._strip = Strip(columns)
        self._hanging = 0
        self._code = (b"", 3, 48)
        self.paper = Paper.ADEQUATE
        self.cover_open = False
        self.offline = False
        self.fault = Fault.NONE
        self._lines_left = 0
        self._then: Callable[[], None] | None = None

    # --- the outside --------------------------------------------------------------------------------------------------

    @property
    def stopped(self) -> bool:
        """Whether it prints nothing now."""
        return self.cover_open or self.offline or self.paper is Paper.OUT or self.fault is not Fault.NONE

    @property
    def buffered(self) -> int:
        """Bytes that wait for being printed."""
        return len(self._buffer)

    def load(self, paper: Paper) -> None:
        """Change how much paper there is. A new roll after the end of the old one takes the torn strip with it."""
        if self.paper is Paper.OUT and paper is not Paper.OUT:
            self._leave(complete=False)
        self.paper = paper

    def after_lines(self, count: int, happening: Callable[[], None]) -> None:
        """When ``count`` more lines of paper have gone by, ``happening``, in the middle of whatever is printed then."""
        self._lines_left, self._then = count, happening

    def resume(self) -> bytes:
        """Something may have been put right: go on with what waits. Returns what the printer says."""
        self._work()
        return self._said()

    def receive(self, data: bytes) -> bytes:
        """Bytes arrived. Returns what the printer says."""
        self._incoming += data
        while (at := self._incoming.find(0x10)) >= 0:
            self._keep(self._take(at))
            if not self._real_time():
                break
        else:
            self._keep(self._take(len(self._incoming)))
        self._work()
        return self._said()

    def _take(self, count: int) -> bytes:
        taken = bytes(self._incoming[:count])
        del self._incoming[:count]
        return taken

    def _keep(self, data: bytes) -> None:
        for at in range(0, len(data), _PORTION):
            self._buffer += data[at : at + min(_PORTION, BUFFER - len(self._buffer))]
            if len(data) > _PORTION:
                self._work()

    def _said(self) -> bytes:
        said = bytes(self._answers)
        self._answers.clear()
        return said

    # --- real time ----------------------------------------------------------------------------------------------------

    def _real_time(self) -> bool:
        """Deal with the DLE at the beginning of what came in. False while it is not known what it is."""
        start = bytes(self._incoming[: len(CLEAR_BUFFERS)])
        if CLEAR_BUFFERS.startswith(start) and len(start) < len(CLEAR_BUFFERS):
            return False
        if DLE_EOT.startswith(start[:2]) and len(start) < 3:
            return False
        if start.startswith(CLEAR_BUFFERS):
            self._take(len(CLEAR_BUFFERS))
            self._clear()
            return True
        taken = 3 if start.startswith(DLE_EOT) else 1
        request = taken == 3 and start[2] in list(Query)
        self._take(taken)
        if not (request and self._between_commands()):
            self._keep(start[:taken])
        if request:
            self._work()
            self._answers.append(self._status(Query(start[2])))
        return True

    def _between_commands(self) -> bool:
        """Whether what comes next begins a command: inside a picture, the same bytes are the picture's."""
        while self._walked < len(self._buffer) and (found := self._command_at(self._walked)) is not None:
            self._walked += found[1]
        return self._walked == len(self._buffer)

    def _command_at(self, place: int) -> tuple[commands.Command, int] | None:
        """Most commands are short: not all that waits is looked at for each of them."""
        found = commands.next_command(bytes(self._buffer[place : place + _PORTION]))
        if found is None and len(self._buffer) - place > _PORTION:
            found = commands.next_command(bytes(self._buffer[place:]))
        return found

    def _clear(self) -> None:
        self._work()
        self._buffer.clear()
        self._walked = 0
        self._spans.clear()
        self._answers += b"\x37\x25\x00"

    def _status(self, query: Query) -> int:
        bits = 0
        match query:
            case Query.PRINTER:
                bits = PrinterBits.OFFLINE if self.stopped else 0
            case Query.OFFLINE_CAUSE:
                bits |= OfflineBits.COVER_OPEN if self.cover_open else 0
                bits |= OfflineBits.PAPER_END_STOP if self.paper is Paper.OUT else 0
                bits |= OfflineBits.ERROR if self.fault is not Fault.NONE else 0
            case Query.ERROR_CAUSE:
                bits = self.fault.value
            case Query.PAPER:
                bits |= PaperBits.NEAR_END if self.paper in (Paper.NEAR_END, Paper.OUT) else 0
                bits |= PaperBits.END if self.paper is Paper.OUT else 0
            case _:
                assert_never(query)
        return STATUS_FIXED | bits

    # --- in turn ------------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while not self.stopped and (found := self._command_at(0)) is not None:
            command, length = found
            del self._buffer[:length]
            self._walked = max(0, self._walked - length)
            self._do(command)

    def _do(self, command: commands.Command) -> None:
        match command:
            case commands.Initialise():
                self._style = _Style()
                self._spans.clear()
            case commands.Characters(data):
                self._write(self._span(data))
            case commands.Feed(lines, dots):
                self._feed(lines, dots)
            case commands.SetAlign(align):
                self._style = replace(self._style, align=align)
            case commands.SetBold(bold):
                self._style = replace(self._style, bold=bold)
            case commands.SetSize(width, height):
                self._style = replace(self._style, width=width, height=height)
            case commands.SelectPage(page):
                self._style = replace(self._style, page=page)
            case commands.Cut(dots):
                self._feed(0, dots)
                self._leave(complete=True)
            case commands.CodeFunction(function, data):
                self._code_function(function, data)
            case commands.Raster():
                self._raster(command)
            case commands.AskPaper() | commands.AskProcessId() | commands.AskIdentity():
                self._answer(command)
            case commands.Ignored():
                pass
            case _:
                assert_never(command)

    def _span(self, data: bytes) -> Span:
        text = data.decode(_PAGES.get(self._style.page, "ascii"), errors="replace")
        return Span(text, self._style.bold, self._style.width, self._style.height)

    def _write(self, span: Span) -> None:
        """A line that is full is printed, and the text goes on in the next."""
        while span.text:
            free = self._columns * CELL_WIDTH - sum(each.dots for each in self._spans)
            room = free // (CELL_WIDTH * span.width)
            if room < 1 and self._spans:
                self._feed(1, 0)
                continue
            self._spans.append(replace(span, text=span.text[: max(room, 1)]))
            span = replace(span, text=span.text[max(room, 1) :])

    def _feed(self, lines: int, dots: int) -> None:
        if self._spans:
            line = PrintedLine(tuple(self._spans), self._style.align)
            self._spans.clear()
            self._put(line, 1)
            lines -= 1
        blank = max(lines, 0) * LINE + dots
        if blank:
            self._put(Blank(blank), blank // LINE)

    def _code_function(self, function: int, data: bytes) -> None:
        content, module, level = self._code
        match function:
            case 67 if data and data[0] in _MODULES:
                module = data[0]
            case 69 if data:
                level = data[0]
            case 80:
                content = data
            case 81 if content:
                code = PrintedCode(content, module, level, self._style.align)
                if code.height:
                    self._put(code, code.height // LINE)
            case _:
                return
        self._code = (content, module, level)

    def _raster(self, raster: commands.Raster) -> None:
        scale = (raster.wide, raster.high)
        picture = PrintedPicture(raster.bytes_per_row * 8, raster.rows, raster.data, scale, self._style.align)
        self._put(picture, picture.height // LINE)

    def _answer(self, command: commands.AskPaper | commands.AskProcessId | commands.AskIdentity) -> None:
        match command:
            case commands.AskPaper():
                self._answers.append(0x03 if self.paper is Paper.NEAR_END else 0x00)
            case commands.AskProcessId(process_id):
                self._answers += b"\x37\x22" + process_id + b"\0"
            case commands.AskIdentity(fact):
                if fact in list(Fact):
                    self._answers += b"\x5f" + _FACTS[Fact(fact)].encode("ascii") + b"\0"
            case _:
                assert_never(command)

    def _put(self, piece: Piece, lines: int) -> None:
        self._strip.pieces.append(piece)
        self._hanging += piece.height
        self._use_paper(lines)
        if self._hanging > LONGEST:
            self._leave(complete=False)

    def _use_paper(self, lines: int) -> None:
        self._lines_left -= lines
        if self._then is not None and self._lines_left <= 0:
            happening, self._then = self._then, None
            happening()

    def _leave(self, *, complete: bool) -> None:
        strip, self._strip = self._strip, Strip(self._columns)
        self._hanging = 0
        strip.complete = complete
        if strip.inked:
            self._eject(strip)
