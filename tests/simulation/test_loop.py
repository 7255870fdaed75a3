"""Lives on the world's loop: they end between any two steps, and no ``finally`` of theirs runs."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import pytest

from tests.simulation.loop import Dead, Life, NothingLeft, WorldLoop, bury_world, require_alive, silence


def nobody(_: Life) -> None:
    """A death of which nobody hears."""


def run(main: Coroutine[None, None, None]) -> WorldLoop:
    loop = WorldLoop()
    try:
        loop.run_until_complete(loop.world.run(loop.create_task, main))
    finally:
        with silence():
            bury_world(loop)
        loop.close()
    return loop


def test_time_passes_only_when_nothing_else_is_left_to_do() -> None:
    times: list[float] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        await asyncio.gather(asyncio.sleep(3600), asyncio.sleep(1))
        times.append(loop.time())

    run(main())
    assert times == [3600.0]


def test_a_world_in_which_everybody_waits_for_nothing_says_so() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(NothingLeft):
        run(main())


def test_a_life_that_dies_runs_no_further_and_no_finally() -> None:
    done: list[str] = []

    async def process() -> None:
        try:
            done.append("began")
            await asyncio.sleep(1)
            done.append("went on")
        finally:
            done.append("tidied up")

    async def main() -> None:
        life = Life("one", nobody)
        life.start(process())
        await asyncio.sleep(0.5)
        life.die()
        await asyncio.sleep(10)
        assert done == ["began"]
        life.bury()

    run(main())


@pytest.mark.parametrize("steps", range(1, 6))
def test_it_can_die_at_any_of_its_steps(steps: int) -> None:
    done: list[int] = []

    async def process() -> None:
        for number in range(10):
            done.append(number)
            await asyncio.sleep(0)

    async def main() -> None:
        life = Life("one", nobody)
        life.dies_at_callback(steps)
        life.start(process())
        await asyncio.sleep(1)
        assert not life.alive
        life.bury()

    run(main())
    assert done == list(range(steps - 1))


def test_what_still_unwinds_finds_every_effect_refused() -> None:
    refused: list[str] = []

    async def process(life: Life) -> None:
        try:
            life.effect()
            life.effected()
        finally:
            try:
                require_alive()
            except Dead:
                refused.append("an effect")

    async def main() -> None:
        life = Life("one", nobody)
        life.dies_at_effect(2)
        life.start(process(life))
        await asyncio.sleep(1)
        assert life.effects == 1
        life.bury()

    run(main())
    assert refused == ["an effect"]


def test_tasks_of_a_group_are_cancelled_in_the_order_of_their_making() -> None:
    ended: list[int] = []

    async def wait(number: int) -> None:
        try:
            await asyncio.sleep(100)
        finally:
            ended.append(number)

    async def fifty() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(50):
                group.create_task(wait(number))
            await asyncio.sleep(1)
            raise ValueError("over")

    async def main() -> None:
        with pytest.raises(ExceptionGroup):
            await fifty()

    run(main())
    assert ended == sorted(ended)


def test_what_a_living_process_lets_fall_is_kept() -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(1)

    assert "ZeroDivisionError" in run(main()).crashes[0]
