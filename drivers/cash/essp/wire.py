"""The host's end of an SSP line: sequence flag, key, packet count. Pure.

A new command inverts the flag; a lost answer is asked for again with the identical bytes, which the device does not
carry out a second time but answers as before. SYNC always has the flag 1 and makes the device forget its last answer.
"""

from __future__ import annotations

from drivers.cash.essp.framing import Frame, frame
from drivers.cash.essp.keys import Dice
from drivers.cash.essp.messages import Command, Request, Status, encode_request
from drivers.cash.essp.sealing import COUNT_MODULUS, SEALED, Seal, SealError

_NO_KEY = bytes((Status.NO_KEY,))


class Wire:
    """Requests to frames, frames to what they answer. Everything is encrypted as soon as there is a key."""

    def __init__(self) -> None:
        self.dice = Dice(b"")
        self.last = b""
        self._flag = True
        self._seal: Seal | None = None
        self._count = 0
        self._proved = False

    @property
    def unproved(self) -> bool:
        """Whether there is a key, and nothing was answered with it yet."""
        return self._seal is not None and not self._proved

    def agree(self, key: bytes) -> None:
        """The key exchange is done; packets are counted from 0."""
        self._seal, self._count, self._proved = Seal(key), 0, False

    def pack(self, request: Request) -> bytes:
        """The frame of a new command; :attr:`last` is the same bytes, for asking again."""
        if request.command is Command.SYNC:
            self._flag, self._seal = True, None
        else:
            self._flag = not self._flag
        data = encode_request(request)
        if self._seal is not None:
            data = self._seal.close(self._count, data, self.dice.draw)
        self.last = frame(data, flag=self._flag)
        return self.last

    def unpack(self, found: Frame) -> bytes | None:
        """What ``found`` answers; None where it is no answer to the last command: late, of another count or key, or not
        encrypted although it should be. Only that there is no key may be said without one.
        """
        if found.flag is not self._flag:
            return None
        if self._seal is None:
            return None if found.payload[0] == SEALED else found.payload
        if found.payload == _NO_KEY:
            return found.payload
        try:
            count, data = self._seal.open(found.payload)
        except SealError:
            return None
        expected = (self._count + 1) % COUNT_MODULUS
        if count != expected:
            return None
        self._count, self._proved = expected, True
        return data
