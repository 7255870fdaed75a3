"""The terminal's side of the screen: the newest view wins, and old touches count for nothing."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import cast

import grpc
import pytest

from guichet.v1 import screen_pb2 as pb
from kiosk.log import EventLog
from kiosk.terminal.front import End, Front, SessionOver
from tests.kiosk.terminal.standing import TERMINAL, Clock

DEADLINE = 20.0
MENU = pb.MenuView(customer_name="Anna", available=[pb.SERVICE_STATEMENT])
NOTICE = pb.NoticeView(notice=pb.NOTICE_HOST_AWAY, code="host", controls=["back"])


class Screen:
    """A screen's connection: what it was shown, and its finger."""

    def __init__(self, front: Front) -> None:
        self.front = front
        self.shown: list[pb.View] = []
        self.happened = asyncio.Event()
        self._fingers: asyncio.Queue[pb.AttachRequest] = asyncio.Queue()
        self.task = asyncio.create_task(self._attach())

    async def _attach(self) -> None:
        context = cast("grpc.aio.ServicerContext[pb.AttachRequest, pb.AttachResponse]", None)
        async for answer in self.front.Attach(self._requests(), context):
            self.shown.append(answer.view)
            self.happened.set()

    async def _requests(self) -> AsyncIterator[pb.AttachRequest]:
        while True:
            yield await self._fingers.get()
            self._fingers.task_done()

    def touch(self, control: str, view_id: int | None = None) -> None:
        seen = self.shown[-1].view_id if view_id is None else view_id
        self._fingers.put_nowait(pb.AttachRequest(touched=pb.Touched(view_id=seen, control=control)))

    async def touched_everything(self) -> None:
        """Wait until the other side has taken every touch."""
        async with asyncio.timeout(DEADLINE):
            await self._fingers.join()

    async def sees(self, content: str) -> pb.View:
        async with asyncio.timeout(DEADLINE):
            while not self.shown or self.shown[-1].WhichOneof("content") != content:
                self.happened.clear()
                await self.happened.wait()
        return self.shown[-1]

    async def detach(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


@pytest.fixture
async def front() -> Front:
    return Front(EventLog(Clock(), TERMINAL, io.StringIO()), training=True)


@pytest.fixture
async def screen(front: Front) -> AsyncIterator[Screen]:
    screen = Screen(front)
    yield screen
    await screen.detach()


async def test_a_view_is_shown_and_its_touch_comes_back(front: Front, screen: Screen) -> None:
    choosing = asyncio.create_task(front.choose(MENU, DEADLINE))
    view = await screen.sees("menu")
    assert (view.menu.customer_name, view.training, view.language) == ("Anna", True, "en")
    screen.touch("statement")
    assert await choosing == "statement"


async def test_a_touch_on_a_view_that_is_gone_counts_for_nothing(front: Front, screen: Screen) -> None:
    await front.show(MENU)
    old = (await screen.sees("menu")).view_id
    choosing = asyncio.create_task(front.choose(NOTICE, DEADLINE))
    await screen.sees("notice")
    screen.touch("statement", old)
    screen.touch("from the future", old + 50)
    screen.touch("back")
    assert await choosing == "back"


async def test_only_the_newest_view_is_shown_to_a_screen_that_is_late(front: Front) -> None:
    for number in range(5):
        await front.show(pb.PinView(card_masked="**** 1234", digits=number))
    screen = Screen(front)
    assert (await screen.sees("pin")).pin.digits == 4
    assert len(screen.shown) == 1
    await screen.detach()


async def test_the_same_content_again_is_no_new_view(front: Front, screen: Screen) -> None:
    await front.show(MENU)
    first = (await screen.sees("menu")).view_id
    await front.show(pb.MenuView.FromString(MENU.SerializeToString()))
    await front.show(NOTICE)
    assert (await screen.sees("notice")).view_id == first + 1


async def test_a_content_without_a_word_is_a_view_all_the_same(front: Front, screen: Screen) -> None:
    await front.show(pb.GoodbyeView())
    assert (await screen.sees("goodbye")).WhichOneof("content") == "goodbye"


async def test_a_new_language_is_that_of_the_next_view(front: Front, screen: Screen) -> None:
    front.language = "lv"
    await front.show(MENU)
    assert (await screen.sees("menu")).language == "lv"


async def test_nobody_who_touches_ends_the_session(front: Front) -> None:
    with pytest.raises(SessionOver) as over:
        await front.touched(0.01)
    assert over.value.end is End.TIMEOUT
    assert await front.touched(0.01, ends_session=False) is None


async def test_a_card_that_is_taken_ends_it_for_whoever_waits_and_whoever_asks_next(front: Front) -> None:
    waiting = asyncio.create_task(front.choose(MENU, DEADLINE))
    await asyncio.sleep(0)
    front.end_session(End.CARD_TAKEN)
    for task in (waiting, asyncio.create_task(front.touched(DEADLINE))):
        with pytest.raises(SessionOver) as over:
            await task
        assert over.value.end is End.CARD_TAKEN
    front.begin_session()
    assert await front.touched(0.01, ends_session=False) is None


async def test_whoever_waits_can_be_woken_to_look_at_the_world(front: Front, screen: Screen) -> None:
    waiting = asyncio.create_task(front.touched(DEADLINE))
    await asyncio.sleep(0)
    front.wake()
    assert await waiting is None
    choosing = asyncio.create_task(front.choose(MENU, DEADLINE))
    await screen.sees("menu")
    front.wake()
    screen.touch("finish")
    assert await choosing == "finish", "a choice goes on after a wake"


async def test_a_screen_gone_mad_is_heard_no_more_than_a_little(front: Front, screen: Screen) -> None:
    await front.show(MENU)
    await screen.sees("menu")
    for number in range(1000):
        screen.touch(str(number))
    await screen.touched_everything()
    heard: list[str] = []
    while (control := await front.touched(0.05, ends_session=False)) is not None:
        heard.append(control)
    assert 0 < len(heard) <= 16
    screen.touch("still there")
    async with asyncio.timeout(DEADLINE):
        while await front.touched(DEADLINE) != "still there":
            pass


async def test_a_screen_that_comes_back_sees_what_there_is(front: Front) -> None:
    first = Screen(front)
    await front.show(MENU)
    await first.sees("menu")
    assert front.attached
    await first.detach()
    second = Screen(front)
    assert (await second.sees("menu")).view_id == first.shown[-1].view_id
    await second.detach()


async def test_a_finger_that_lands_as_the_deposit_moves_on_still_finishes_it(front: Front, screen: Screen) -> None:
    """What "finish" means does not change from stage to stage; what is given back does."""
    stage = pb.DepositView(stage=pb.DEPOSIT_STAGE_CHECKING_NOTE)
    await front.show(stage)
    before = (await screen.sees("deposit")).view_id
    await front.show(pb.DepositView(stage=pb.DEPOSIT_STAGE_INSERT_MORE))
    screen.touch("give_back", before)
    screen.touch("finish", before)
    await screen.touched_everything()
    assert await front.touched(DEADLINE) == "finish"


async def test_a_touch_of_an_earlier_deposit_does_not_end_the_next(front: Front, screen: Screen) -> None:
    await front.show(pb.DepositView(stage=pb.DEPOSIT_STAGE_INSERT_MORE))
    before = (await screen.sees("deposit")).view_id
    await front.show(MENU)
    await front.show(pb.DepositView(stage=pb.DEPOSIT_STAGE_INSERT_FIRST))
    screen.touch("finish", before)
    await screen.touched_everything()
    assert await front.touched(0.05, ends_session=False) is None


async def stirring(front: Front) -> None:
    """A device that flaps: it wakes whoever waits, all the time."""
    while True:
        front.wake()
        await asyncio.sleep(0)


@pytest.mark.parametrize("waiting", ["choose", "until_nobody"])
async def test_a_device_that_flaps_does_not_keep_a_customer_here_who_has_gone(waiting: str) -> None:
    front = Front(EventLog(Clock(), TERMINAL, io.StringIO()), training=False)
    front.begin_session()
    flapping = asyncio.create_task(stirring(front))
    try:
        async with asyncio.timeout(DEADLINE):
            with pytest.raises(SessionOver) as over:
                await (front.choose(NOTICE, 0.2) if waiting == "choose" else front.until_nobody(0.2))
    finally:
        flapping.cancel()
    assert over.value.end is End.TIMEOUT
