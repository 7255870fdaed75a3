"""What is known of an SSP device, and what must still be asked of it. Pure.

The greeting of a device that came back: SYNC; HOLD, which keeps a note in escrow and says whether there is one, where a
poll would stack it; the protocol version, which a poll cannot be read without; who it is; its table; and the key
exchange, without which it holds no event until it is acknowledged. None of these moves a note.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from hashlib import sha256

from drivers.api.device import DeviceIdentity
from drivers.cash.essp.events import VERSIONS
from drivers.cash.essp.keys import DEFAULT_FIXED_KEY, Dice, session_key, share
from drivers.cash.essp.messages import (
    Answer,
    Command,
    Counters,
    KeyShare,
    Plain,
    RejectCode,
    Request,
    SerialNumber,
    Setup,
    Status,
    Version,
)
from guichet.ids import DeviceSerial
from guichet.money import Money

COUNTER_MODULUS = 1 << 32
_SIMULATED = "GUICHET-SIM"
_EXCHANGE = (Command.SET_GENERATOR, Command.SET_MODULUS, Command.KEY_EXCHANGE)
# What a device may say no to and still be a good one: a name, a lamp, a count, a reason.
_MAY_BE_REFUSED = frozenset({Command.FIRMWARE, Command.DISPLAY_ON, Command.COUNTERS, Command.LAST_REJECT})


class Knowledge:
    """Who it is, what its channels are worth, how many notes it took, and the key that was agreed on."""

    def __init__(self, fixed_key: int = DEFAULT_FIXED_KEY) -> None:
        self.key: bytes | None = None
        self.version = VERSIONS[0]
        self.stacked: int | None = None
        self._fixed_key = fixed_key
        self._serial: int | None = None
        self._firmware = ""
        self._setup: Setup | None = None
        self._questions: deque[Request] = deque()
        self._modulus = self._secret = 0

    # --- what is known ----------------------------------------------------------------------------------------------

    @property
    def identity(self) -> DeviceIdentity | None:
        """Who it is, once it has said so."""
        if self._serial is None or self._setup is None:
            return None
        model = self._firmware or f"SSP-{self._setup.unit_type:02X}"
        simulated = self._firmware.startswith(_SIMULATED)
        return DeviceIdentity("essp", model, DeviceSerial(str(self._serial)), self._setup.firmware, simulated)

    @property
    def values(self) -> Mapping[int, Money]:
        """What its channels are worth."""
        return self._setup.values if self._setup is not None else {}

    @property
    def table_hash(self) -> bytes:
        """The SHA-256 of its table as it was sent."""
        return sha256(self._setup.raw).digest() if self._setup is not None else b""

    @property
    def channels(self) -> frozenset[int]:
        """All of them, those without a value too: one that is not taken comes back through escrow, with a reason."""
        return frozenset(range(1, self._setup.channels + 1)) if self._setup is not None else frozenset()

    # --- questions --------------------------------------------------------------------------------------------------

    @property
    def asking(self) -> bool:
        """Whether anything must still be asked."""
        return bool(self._questions)

    def greet(self, dice: Dice) -> None:
        """Ask everything from the beginning: what comes back may be another device, and nothing holds for it."""
        self.__init__(self._fixed_key)
        generator, self._modulus, self._secret = dice.prime(), dice.prime(), dice.secret()
        numbers = {
            Command.PROTOCOL: self.version,
            Command.SET_GENERATOR: generator,
            Command.SET_MODULUS: self._modulus,
            Command.KEY_EXCHANGE: share(generator, self._secret, self._modulus),
        }
        greeting = (Command.SYNC, Command.HOLD, Command.PROTOCOL, Command.SERIAL, Command.FIRMWARE, Command.SETUP)
        self.want(*(Request(command, numbers.get(command, 0)) for command in (*greeting, *_EXCHANGE)))

    def want(self, *questions: Request) -> None:
        """Ask these, in this order, after what is to be asked already. The counters come last in a round."""
        self._questions.extend(questions)

    def next(self) -> Request:
        """The next question; it stays until :meth:`learn` has had its answer."""
        return self._questions[0]

    def drop(self) -> None:
        """The device is not at rest any more: what it is will be asked when it is so again."""
        self._questions.clear()

    def put_off(self, question: Request) -> bool:
        """Take ``question`` out until it is wanted again. Gives whether it was to be asked."""
        wanted = question in self._questions
        if wanted:
            self._questions.remove(question)
        return wanted

    # --- answers ----------------------------------------------------------------------------------------------------

    def learn(self, asked: Request, answer: Answer | None) -> bool:
        """Take the answer to the next question, None where it cannot be read. Gives whether it goes on: else it was no
        answer, and must be asked again.
        """
        if not self._taken(asked, answer):
            return self._asks_lower(asked, answer)
        self._questions.popleft()
        return True

    def _taken(self, asked: Request, answer: Answer | None) -> bool:
        match answer:
            case SerialNumber(number):
                self._serial = number
            case Version(text):
                self._firmware = text
            case Setup():
                self._setup = answer
            case Counters(stacked, stored):
                self.stacked = (stacked + stored) % COUNTER_MODULUS
            case KeyShare(number):
                self.key = session_key(self._fixed_key, share(number, self._secret, self._modulus))
            case RejectCode():
                pass
            case Plain(status) if asked.command is Command.COUNTERS:
                self.stacked = None
                return status is not Status.CANNOT
            case Plain(status):
                return status is Status.OK or asked.command in _MAY_BE_REFUSED or asked.command is Command.HOLD
            case _:
                return False
        return True

    def _asks_lower(self, asked: Request, answer: Answer | None) -> bool:
        if asked.command is Command.PROTOCOL and answer == Plain(Status.FAIL) and asked.number > VERSIONS[-1]:
            self.version = VERSIONS[VERSIONS.index(asked.number) + 1]
            self._questions[0] = Request(Command.PROTOCOL, self.version)
            return True
        return False


def begins_anew(asked: Command) -> bool:
    """Whether a refusal of ``asked`` means to greet again: other numbers, or a version that it understands."""
    return asked in _EXCHANGE or asked is Command.PROTOCOL
