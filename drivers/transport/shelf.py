"""Recordings of one device's line on disk: a file a connection, begun anew when it is full, the newest kept.

Files are numbered on and on, and the number alone says which is newer: a clock can go back, and one that was never set
begins in 1970. The time in a name, when the connection began, is for whoever looks for it.

A line that is being recorded must work as one that is not: when the disk refuses, recording ends, and says so once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from drivers.transport.recording import Header, Mark, Moment, head_lines, moment_line

FILE_BYTES = 16 << 20
"""A file is not much larger: some hours of an idle validator."""
FILES = 8
"""So many are kept of a device."""
SUFFIX = ".wire"


class Shelf:
    """A :class:`drivers.transport.recorder.Listener` that writes files into ``folder``, named by the device, a
    number, and the time at which their connection began. ``failed`` is told why it ended.
    """

    def __init__(
        self, folder: Path, device: str, failed: Callable[[str], None], file_bytes: int = FILE_BYTES, files: int = FILES
    ) -> None:
        self._folder = folder
        self._device = device
        self._name = re.compile(
            rf"{re.escape(device)}-([0-9]{{6,12}})-[0-9]{{8}}T[0-9]{{6}}\.[0-9]{{6}}Z{re.escape(SUFFIX)}"
        )
        self._failed = failed
        self._file_bytes = file_bytes
        self._files = files
        self._header: Header | None = None
        self._part = 0
        self._file: TextIO | None = None
        self._written = 0
        self._broken = False

    def began(self, header: Header) -> None:
        """A connection begins: another file."""
        self._header, self._part = header, 0
        self._guarded(self._begin)

    def heard(self, moment: Moment) -> None:
        """Write one moment. It is with the system when this returns, so the death of this process loses none."""
        self._guarded(lambda: self._write(moment))

    def close(self) -> None:
        """Nothing more will come."""
        self._guarded(self._end)

    def _begin(self) -> None:
        self._end()
        if self._header is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        self._part += 1
        began = datetime.fromtimestamp(self._header.began_us / 1_000_000, UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        older = self._mine()
        path = self._folder / f"{self._device}-{max(older, default=0) + 1:06}-{began}{SUFFIX}"
        self._file = path.open("x", encoding="ascii", buffering=1)
        path.chmod(0o640)
        self._written = sum(self._file.write(f"{line}\n") for line in head_lines(self._header))
        for number in sorted(older)[: max(0, len(older) + 1 - self._files)]:
            older[number].unlink(missing_ok=True)

    def _write(self, moment: Moment) -> None:
        if self._written >= self._file_bytes:
            self._begin()
            self._put(Moment(moment.at, Mark.GAP, text=f"part {self._part} of a connection"))
        self._put(moment)

    def _put(self, moment: Moment) -> None:
        if self._file is not None:
            self._written += self._file.write(f"{moment_line(moment)}\n")

    def _end(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _mine(self) -> dict[int, Path]:
        """This device's files by their numbers; others are not touched."""
        found = ((self._name.fullmatch(path.name), path) for path in self._folder.iterdir())
        return {int(name[1]): path for name, path in found if name is not None}

    def _guarded(self, do: Callable[[], None]) -> None:
        if self._broken:
            return
        try:
            do()
        except OSError as error:
            self._broken, self._file = True, None
            self._failed(f"{self._folder}: {error}")
