"""The device's end of an SSP line: sequence memory, keys, packet counts. Pure.

It does not carry out a packet with the flag of the last one but sends its last answer again; SYNC is always carried
out. A packet of another key or count is ignored, as if it had never arrived.
"""

from __future__ import annotations

from collections.abc import Callable

from drivers.cash.essp.framing import Deframer, Frame, frame
from drivers.cash.essp.keys import Dice, is_prime, session_key, share
from drivers.cash.essp.messages import (
    ONLY_ENCRYPTED,
    Answer,
    Command,
    KeyShare,
    MessageError,
    Plain,
    Request,
    Status,
    decode_request,
    encode_answer,
)
from drivers.cash.essp.sealing import COUNT_MODULUS, SEALED, Seal, SealError

_NO_KEY = bytes((Status.NO_KEY,))


class DeviceWire:
    """Frames to requests, answers to frames. ``carry_out`` answers a request; None: it never arrived."""

    def __init__(self, fixed_key: int, dice: Dice, carry_out: Callable[[Request], Answer | None]) -> None:
        self._fixed_key = fixed_key
        self._dice = dice
        self._carry_out = carry_out
        self._deframer = Deframer()
        self.forget()

    def forget(self) -> None:
        """The power was gone."""
        self.deafen()
        self._last: tuple[bool, bytes] | None = None
        self._generator = self._modulus = 0
        self._seal: Seal | None = None
        self._count = 0
        self._forgot = True

    def deafen(self) -> None:
        """Forget a frame that has begun to arrive."""
        self._deframer.clear()

    def hear(self, data: bytes) -> list[bytes]:
        """One answer to each good frame; none to what is damaged or for somebody else."""
        found = [item for item in self._deframer.feed(data) if isinstance(item, Frame)]
        return [answer for item in found if (answer := self._answer(item))]

    def _answer(self, found: Frame) -> bytes:
        is_sync = found.payload == bytes((Command.SYNC,))
        if self._last is not None and self._last[0] is found.flag and not is_sync:
            return self._last[1]
        self._forgot = False
        payload = self._open_sealed(found.payload) if found.payload[0] == SEALED else self._open_clear(found.payload)
        if payload is None:
            return b""
        answer = frame(payload, flag=found.flag)
        if not self._forgot:  # A reset was carried out: it answers, and remembers nothing of it.
            self._last = (found.flag, answer)
        return answer

    def _open_clear(self, payload: bytes) -> bytes | None:
        try:
            request = decode_request(payload)
        except MessageError:
            return _refusal(payload)
        if request.command in ONLY_ENCRYPTED:
            return _NO_KEY
        answer = self._exchange(request) or self._carry_out(request)
        return None if answer is None else encode_answer(answer)

    def _open_sealed(self, payload: bytes) -> bytes | None:
        if self._seal is None:
            return _NO_KEY
        try:
            count, data = self._seal.open(payload)
        except SealError:
            return None
        if count != self._count:
            return None
        seal = self._seal
        try:
            answer = self._carry_out(decode_request(data))
            told = None if answer is None else encode_answer(answer)
        except MessageError:
            told = _refusal(data)
        if told is None:
            return None
        self._count = (count + 1) % COUNT_MODULUS
        return seal.close(self._count, told, self._dice.draw)

    def _exchange(self, request: Request) -> Answer | None:
        match request.command:
            case Command.SET_GENERATOR if is_prime(request.number):
                self._generator = request.number
            case Command.SET_MODULUS if is_prime(request.number):
                self._modulus = request.number
            case Command.SET_GENERATOR | Command.SET_MODULUS:
                return Plain(Status.OUT_OF_RANGE)
            case Command.KEY_EXCHANGE if self._generator and self._modulus:
                secret = self._dice.number()
                agreed = share(request.number, secret, self._modulus)
                self._seal, self._count = Seal(session_key(self._fixed_key, agreed)), 0
                return KeyShare(share(self._generator, secret, self._modulus))
            case Command.KEY_EXCHANGE:
                return Plain(Status.FAIL)
            case _:
                return None
        return Plain(Status.OK)


def _refusal(data: bytes) -> bytes:
    known = data[:1] and data[0] in set(Command)
    return bytes((Status.WRONG_PARAMETERS if known else Status.UNKNOWN_COMMAND,))
