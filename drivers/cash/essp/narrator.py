"""SSP in words, encrypted packets too where the recording has the connection's beginning. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from drivers.cash.essp.events import VERSIONS
from drivers.cash.essp.framing import Deframer, Frame
from drivers.cash.essp.keys import DEFAULT_FIXED_KEY, Dice, session_key, share
from drivers.cash.essp.messages import (
    Command,
    KeyShare,
    MessageError,
    Plain,
    Request,
    Status,
    decode_answer,
    decode_request,
)
from drivers.cash.essp.sealing import SEALED, Seal, SealError
from drivers.narration import FrameNarrator, describe

_SPARE_DRAWS = 32
_MOST_DRAWS = 100_000


class Narrator(FrameNarrator[Frame]):
    """A :class:`drivers.narration.Narrator`. An answer is read as one to the question before it.

    Option ``fixed_key`` as the driver has it. The negotiated half of the key is found from the connection's entropy:
    the host's secret is one of the numbers that it gives, and the host's share on the line tells which.
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        super().__init__(Frame, Deframer(), Deframer())
        fixed = options.get("fixed_key", "")
        self._fixed_key = int(fixed, 16) if re.fullmatch("[0-9A-Fa-f]{16}", fixed) else DEFAULT_FIXED_KEY
        self._dice: Dice | None = None
        self._asked = Request(Command.POLL)
        self._version = VERSIONS[0]
        self._generator = self._modulus = self._host_share = 0
        self._seal: Seal | None = None
        self._draws = _SPARE_DRAWS

    def opened(self, entropy: bytes) -> None:
        """What the keys of this connection come from."""
        self._dice, self._seal, self._draws = Dice(entropy), None, _SPARE_DRAWS

    def missed(self, count: int) -> None:
        """Packets that drew numbers were among it."""
        self._draws += count

    def question(self, found: Frame) -> str:
        """The host's command."""
        self._draws += 1
        return self._in_clear(found.payload, self._command)

    def answer(self, found: Frame) -> str:
        """The validator's answer."""
        return self._in_clear(found.payload, self._reply)

    def _in_clear(self, payload: bytes, words: Callable[[bytes], str]) -> str:
        if payload[0] != SEALED:
            return self._guarded(payload, words)
        if self._seal is None:
            return "encrypted"
        try:
            _, data = self._seal.open(payload)
        except SealError:
            return "encrypted, by another key"
        return f"{self._guarded(data, words)} (encrypted)"

    @staticmethod
    def _guarded(data: bytes, words: Callable[[bytes], str]) -> str:
        try:
            return words(data)
        except MessageError as error:
            return f"UNREADABLE: {error}"

    def _command(self, data: bytes) -> str:
        request = decode_request(data)
        self._asked = request
        match request.command:
            case Command.SET_GENERATOR:
                self._generator = request.number
            case Command.SET_MODULUS:
                self._modulus = request.number
            case Command.KEY_EXCHANGE:
                self._host_share = request.number
            case Command.SYNC:
                self._seal = None
            case _:
                pass
        return describe(request)

    def _reply(self, data: bytes) -> str:
        answer = decode_answer(self._asked.command, data, self._version)
        if self._asked.command is Command.PROTOCOL and answer == Plain(Status.OK):
            self._version = self._asked.number
        if isinstance(answer, KeyShare):
            self._seal = self._agreed(answer.number)
        return describe(answer)

    def _agreed(self, device_share: int) -> Seal | None:
        """A packet draws at most one number between two exchanges, so no more than that many are tried."""
        if self._dice is None or self._modulus < 2:
            return None
        tries, self._draws = min(self._draws, _MOST_DRAWS), _SPARE_DRAWS
        for _ in range(tries):
            secret = self._dice.secret()
            if share(self._generator, secret, self._modulus) == self._host_share:
                return Seal(session_key(self._fixed_key, share(device_share, secret, self._modulus)))
        return None
