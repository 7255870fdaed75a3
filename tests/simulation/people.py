"""Whoever stands in front of a kiosk: customers who do what the screen asks, more or less, and an engineer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from drivers.simulation.mechanism import Box, Step
from guichet.money import parse_money
from guichet.v1 import screen_pb2 as screen
from tests.simulation.bank import CUSTOMERS
from tests.simulation.kiosk import Kiosk
from tests.simulation.plan import End, Visit, Wish

_LOOK = 0.25
_PATIENCE = 60.0
_LONGEST = 200.0
_MEND_SECONDS = 4.0
_NOT_WITHOUT_HOST = (screen.NOTICE_OFFLINE_OTHER_CARD, screen.NOTICE_OFFLINE_USED_UP)
_OPEN_SLOT = (screen.DEPOSIT_STAGE_INSERT_FIRST, screen.DEPOSIT_STAGE_INSERT_MORE)


class Person:
    """One visit. ``on_push``: told of each note that goes in, by the visit's own count, and of the visit's end."""

    def __init__(self, kiosk: Kiosk, visit: Visit, on_push: Callable[[int], None]) -> None:
        self._kiosk, self._visit, self._on_push = kiosk, visit, on_push
        self._pushed = 0
        self._deposited = False
        self._leaves = False
        self._turned_away = False
        self._asked: set[int] = set()
        self._pushed_at = 0.0
        self._typed = 0

    async def visit(self) -> None:
        """Until the visit is over; the card is out then."""
        kiosk, loop = self._kiosk, asyncio.get_running_loop()
        began = progress = loop.time()
        seen = None
        while not self._leaves and loop.time() - began < _LONGEST and loop.time() - progress < _PATIENCE:
            if kiosk.view is not None and kiosk.view is not seen:
                seen, progress = kiosk.view, loop.time()
            self._act()
            await asyncio.sleep(_LOOK)
        if self._visit.end is End.WALKS_AWAY:
            await asyncio.sleep(12.0)
        kiosk.take_card()
        await asyncio.sleep(1.0)
        for number in range(self._pushed, len(self._visit.pushes)):
            self._on_push(number)

    def _act(self) -> None:
        kiosk = self._kiosk
        view = kiosk.view
        match view.WhichOneof("content") if view is not None else None:
            case "attract" if view is not None and kiosk.card is None and not self._deposited:
                if screen.SERVICE_DEPOSIT in view.attract.available:
                    kiosk.insert_card(CUSTOMERS[self._visit.customer])
            case "attract" if kiosk.card is None and self._deposited:
                self._leaves = True
            case "pin" if view is not None and view.view_id != self._typed:
                self._typed = view.view_id
                kiosk.type_pin(CUSTOMERS[self._visit.customer].pin)
            case "menu":
                done = self._deposited or screen.SERVICE_DEPOSIT not in view.menu.available if view else True
                self._touch("finish" if done else "deposit")
            case "notice" if view is not None:
                self._turned_away |= self._visit.away and view.notice.notice in _NOT_WITHOUT_HOST
                self._touch(view.notice.controls[0])
            case "deposit" if view is not None:
                self._deposited = True
                self._deposit(view.deposit)
            case "deposit_result" if view is not None:
                printed = view.deposit_result.receipt == screen.RECEIPT_STATE_PRINTED
                self._touch("receipt" if self._visit.end is End.RECEIPT and not printed else "done")
            case "goodbye" | "out_of_service":
                self._leaves = self._deposited or self._turned_away
                kiosk.take_card()
            case _:
                pass

    def _touch(self, control: str) -> None:
        view = self._kiosk.view
        if view is not None and view.view_id not in self._asked:
            self._asked.add(view.view_id)
            self._kiosk.touch(control)

    def _deposit(self, view: screen.DepositView) -> None:
        if view.stage in _OPEN_SLOT:
            if self._pushed < len(self._visit.pushes):
                self._push()
            elif self._quiet():
                self._leave_or("finish")
        elif view.stage == screen.DEPOSIT_STAGE_CHECKING_NOTE:
            self._in_mid_note()

    def _in_mid_note(self) -> None:
        last = self._pushed >= len(self._visit.pushes)
        if self._pushed and self._visit.pushes[self._pushed - 1].wish is Wish.GIVE_BACK:
            self._touch("give_back")
        elif last and self._visit.end is End.CANCEL:
            self._touch("cancel")
        elif last and self._visit.end is End.CARD:
            self._kiosk.take_card()
            self._leaves = True

    def _leave_or(self, control: str) -> None:
        if self._visit.end is End.WALKS_AWAY:
            self._leaves = True
        else:
            self._touch(control)

    def _push(self) -> None:
        """Where the mouth takes it: people do not look at drivers."""
        push, device, now = self._visit.pushes[self._pushed], self._kiosk.device, asyncio.get_running_loop().time()
        device.advance(now)
        if not device.powered or not device.accepts or not self._quiet():
            return
        money = parse_money(push.face) if push.face[0].isdigit() else None
        kind = device.type_of(money) if money is not None else None
        device.insert(str(money or push.face), kind or 0, now, readable=kind is not None)
        if push.wish is Wish.SECOND:
            device.metal.push_second(now)
        self._pushed_at = now
        self._pushed += 1
        self._on_push(self._pushed - 1)

    def _quiet(self) -> bool:
        metal, now = self._kiosk.device.metal, asyncio.get_running_loop().time()
        return metal.step is Step.RESTING and metal.note is None and now - self._pushed_at > 1.0


async def mend(kiosk: Kiosk) -> None:
    """An engineer who comes a few seconds after something needs hands, for ever."""
    since: float | None = None
    boxes, empty_one = 1, False
    while True:
        await asyncio.sleep(1.0)
        loop, device = asyncio.get_running_loop(), kiosk.device
        now, metal = loop.time(), device.metal
        device.advance(now)
        waiting = metal.step is Step.RETURNING and metal.due is None
        troubled = metal.step is Step.JAMMED or metal.box is not Box.IN or device.failed or waiting
        if not troubled or not device.powered:
            since = None
            continue
        since = now if since is None else since
        if now - since < _MEND_SECONDS:
            continue
        since = None
        if waiting:
            metal.take(now)
        elif metal.step is Step.JAMMED and metal.mishaps.jam is not None:
            device.free_jam(now)
        elif metal.box is Box.FULL:
            boxes, empty_one = boxes + 1, True
            device.change_box(Box.OUT, now)
        elif metal.box is Box.OUT:
            device.change_box(Box.IN, now, f"{kiosk.vault.box}-{boxes}" if empty_one else None)
            empty_one = False
        else:
            device.cut_power(now)
            device.restore_power(now)
