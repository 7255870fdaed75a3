"""A session without the host: what was allowed when the card came is asked for again when the customer has decided."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import cast

import pytest

from drivers.api.card import Card, Pan
from guichet.ids import SessionId
from guichet.money import parse_money
from guichet.offline import Limit
from kiosk.log import EventLog
from kiosk.terminal.config import Timings
from kiosk.terminal.flows import offline as flow
from kiosk.terminal.offline import Allowed, Reason
from kiosk.terminal.parts import Parts
from kiosk.terminal.refusal import Refused
from tests.kiosk.terminal.standing import TERMINAL, Clock

LIMIT = Limit("476173", parse_money("100 EUR"), parse_money("1000 EUR"), 2)
ALLOWED = Allowed(LIMIT, 3, 1, parse_money("100 EUR"))
CARD = Card(Pan(b"4761739001010010"), "**** 0010", "3112", "VISA")


class Asked:
    """What the desk answers, one after the other; and whether a deposit was begun."""

    def __init__(self, *answers: Allowed | Reason) -> None:
        self.answers, self.begun = list(answers), 0

    def allowance(self, card: Card) -> Allowed | Reason:
        assert card is CARD
        return self.answers.pop(0)

    def opening(self, card: Card, allowed: Allowed) -> None:
        assert (card, allowed) == (CARD, ALLOWED)

    async def choose(self, view: object, seconds: float) -> str:
        return "continue"

    async def ready(self, parts: Parts) -> bool:
        return True

    async def deposit(self, *_: object) -> None:
        self.begun += 1


async def begun(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "cash_is_ready", asked.ready)
    monkeypatch.setattr(flow, "make_deposit", asked.deposit)
    log = EventLog(Clock(), TERMINAL, io.StringIO())
    parts = SimpleNamespace(offline=asked, front=asked, log=log, config=SimpleNamespace(timings=Timings()))
    await flow.offline_flow(cast("Parts", parts), CARD, SessionId("s"))


async def test_what_is_still_allowed_is_deposited(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(ALLOWED, ALLOWED)
    await begun(asked, monkeypatch)
    assert asked.begun == 1


async def test_what_ran_out_while_the_customer_read_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(ALLOWED, Reason.NO_TRUSTED_TIME)
    with pytest.raises(Refused) as refused:
        await begun(asked, monkeypatch)
    assert refused.value.code == "offline-no-time"
    assert asked.begun == 0
