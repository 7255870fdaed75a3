"""The host's own bytes on a one-wire bus: read back, compared, dropped. Pure."""

from __future__ import annotations


class Echo:
    """``present``: whether the line has one; USB and split wiring have none (sheet section 1)."""

    def __init__(self, *, present: bool) -> None:
        self.present = present
        self._expected = b""

    def expect(self, sent: bytes) -> None:
        """These bytes have just been sent."""
        self._expected = sent if self.present else b""

    def take(self, data: bytes) -> bytes | None:
        """What of ``data`` the device said; None: what came back is not what was sent, so two talked at once."""
        length = min(len(data), len(self._expected))
        if data[:length] != self._expected[:length]:
            self._expected = b""
            return None
        self._expected = self._expected[length:]
        return data[length:]
