"""Whether an answer can be a late one to another question: answers name no question, so only their order tells. Pure.

A device answers each question at most once, and in the order in which they were asked. So after a question that was not
answered in time, a proof comes first: a simple poll, whose answer carries nothing, where what may still come carries
data; a read of the events, whose answer has 11 bytes, where what may still come has none. When the proof is answered,
whatever came before it in the line has come, or never will. Only then is anything asked that is to be believed.
"""

from __future__ import annotations

from enum import Enum, auto

from drivers.cash.cctalk.framing import Frame
from drivers.cash.cctalk.messages import COMMANDS, REPLY, SLOTS, Header

_BUFFER = 1 + 2 * SLOTS


class Kind(Enum):
    """What an answer is told apart by. EMPTY: an ACK, or to a route one byte. DATA: anything else, 11 bytes too."""

    EMPTY = auto()
    DATA = auto()


_OTHER = {Kind.EMPTY: Kind.DATA, Kind.DATA: Kind.EMPTY}


def kind_of(asked: Header) -> Kind:
    """What ``asked`` is answered by."""
    return Kind.EMPTY if asked in COMMANDS else Kind.DATA


def kind_heard(answer: Frame) -> Kind | None:
    """What ``answer`` proves; None: it may be of either kind, as NAK is, and proves nothing."""
    if answer.header != REPLY:
        return None
    return {0: Kind.EMPTY, _BUFFER: Kind.DATA}.get(len(answer.data))


class UnderWay:
    """The kinds of the answers that may still be under way, oldest first; of each kind that follows another any number.
    With proofs as :attr:`proof` names them there are at most two.
    """

    def __init__(self) -> None:
        self._late: list[Kind] = []

    @property
    def proof(self) -> Kind | None:
        """By an answer of which kind the next question must prove that nothing is under way; None: nothing is."""
        if len(self._late) > 1:
            return self._late[-1]
        return _OTHER[self._late[0]] if self._late else None

    def missed(self, asked: Header) -> None:
        """``asked`` was not answered in time, or by what is no answer to it: its own may still come."""
        kind = kind_of(asked)
        if self._late[-1:] != [kind]:
            self._late.append(kind)

    def proves(self, answer: Frame) -> bool:
        """Whether ``answer`` is certainly to the question that was asked last, and nothing else is under way."""
        kind = kind_heard(answer)
        if not self._late:
            return True
        if kind in self._late:
            del self._late[: self._late.index(kind)]
            return False
        if kind is not None:
            self._late.clear()
        return kind is not None
