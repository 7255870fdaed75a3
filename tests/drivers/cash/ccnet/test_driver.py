"""The driver around the machine: over a wire in memory, with a simulated validator at its other end."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress

import pytest

from drivers.api.cash import (
    CashCommand,
    Cleared,
    Completed,
    Escrowed,
    Lost,
    Ready,
    Returned,
    Stacked,
    Trouble,
)
from drivers.api.device import DeviceConfig, DeviceState
from drivers.cash.ccnet.driver import open_device
from drivers.cash.ccnet.messages import State
from drivers.cash.ccnet.simulator_device import Validator
from drivers.context import DriverContext
from drivers.errors import ConfigurationError, TransportError
from drivers.simulation.mechanism import Box
from drivers.simulation.notes import Place
from drivers.transport.api import ByteTransport
from tests.drivers.cash.ccnet.virtual import SERIAL, TWENTY, device, trouble
from tests.drivers.cash.standing import DEADLINE, Standing, virtually

virtual = virtually("ccnet", lambda: device(pace=0.02))


@virtual
async def test_a_note_goes_all_the_way(standing: Standing[Validator]) -> None:
    standing.run()
    await standing.slot_open()
    standing.insert(TWENTY)
    await standing.until(Escrowed)
    standing.driver.stack()
    assert (await standing.until(Stacked)).note_type == TWENTY
    assert (await standing.until(Cleared)).stacked_counter == 1
    assert [note.place for note in standing.device.vault.notes] == [Place.BOX]
    status = standing.driver.status
    assert (status.state, status.fault, dict(status.counters)) == (DeviceState.READY, "", {"stacked": 1})
    assert status.identity is not None
    assert status.identity.serial == SERIAL


@virtual
async def test_a_command_from_inside_an_event_is_done_after_what_the_event_came_with(
    standing: Standing[Validator],
) -> None:
    standing.reactions[Escrowed] = standing.driver.return_note
    standing.run()
    await standing.slot_open()
    standing.insert(TWENTY)
    await standing.until(Returned)
    await standing.until(Cleared)
    assert [note.place for note in standing.device.vault.notes] == [Place.HAND]


@virtual
async def test_an_event_that_is_not_recorded_is_not_acknowledged(standing: Standing[Validator]) -> None:
    del standing.reactions[Stacked]
    standing.run()
    await standing.slot_open()
    standing.insert(TWENTY)
    await standing.until(Escrowed)
    standing.driver.stack()
    await standing.until(Stacked, 10)
    assert standing.device.state is State.STACKED
    standing.driver.acknowledge()
    standing.reactions[Stacked] = standing.driver.acknowledge
    await standing.until(Cleared)


@virtual
async def test_a_port_that_is_not_there_is_said_in_the_status(standing: Standing[Validator]) -> None:
    standing.absent = True
    with pytest.raises(TransportError, match="absent"):
        await standing.driver.run()
    assert (standing.driver.status.state, standing.driver.status.fault) == (DeviceState.ABSENT, "absent")


@virtual
async def test_a_line_that_hangs_up_ends_the_run_and_the_next_run_begins_anew(standing: Standing[Validator]) -> None:
    running = standing.run()
    await standing.until(Ready)
    standing.lines[0][0].close()
    with pytest.raises(TransportError) as error:
        async with asyncio.timeout(DEADLINE):
            await running
    assert (error.value.code, error.value.money_at_risk) == ("hung-up", True)
    assert standing.events[-1] == Lost("hung-up")
    assert standing.driver.status.state is DeviceState.ABSENT
    standing.run()
    await standing.until(Ready, 2)
    assert standing.driver.status.state is DeviceState.READY


@virtual
async def test_a_write_that_fails_inside_an_event_ends_the_run_too(standing: Standing[Validator]) -> None:
    """The acknowledgement cannot be sent: the line is gone, the record is not."""
    running = standing.run()
    await standing.slot_open()

    def hang_up_and_acknowledge() -> None:
        standing.lines[0][0].close()
        standing.driver.acknowledge()

    standing.reactions[Stacked] = hang_up_and_acknowledge
    standing.insert(TWENTY)
    await standing.until(Escrowed)
    standing.driver.stack()
    with pytest.raises(TransportError):
        async with asyncio.timeout(DEADLINE):
            await running
    standing.reactions[Stacked] = standing.driver.acknowledge
    standing.run()
    await standing.until(Ready, 2)


@virtual
async def test_an_error_in_a_handler_ends_the_run_and_is_seen(standing: Standing[Validator]) -> None:
    def fail() -> None:
        raise KeyError("defect")

    standing.reactions[Ready] = fail
    running = standing.run()
    with pytest.raises(ExceptionGroup) as error:
        async with asyncio.timeout(DEADLINE):
            await running
    assert error.group_contains(KeyError)
    del standing.reactions[Ready]
    standing.run()
    await standing.until(Ready, 2)


@virtual
async def test_commands_to_a_device_that_is_not_there_do_nothing(standing: Standing[Validator]) -> None:
    for command in (
        standing.driver.stack,
        standing.driver.return_note,
        standing.driver.enable,
        standing.driver.proceed,
    ):
        command()
    standing.driver.disable()
    standing.driver.acknowledge()
    assert standing.events == []


@virtual
async def test_a_run_can_be_cancelled_and_gives_the_line_up(standing: Standing[Validator]) -> None:
    running = standing.run()
    await standing.until(Ready)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    with pytest.raises(TransportError):
        standing.lines[0][0].write(b"x")


@virtual
async def test_noise_on_the_wire_delays_and_loses_nothing(standing: Standing[Validator]) -> None:
    standing.run()
    await standing.slot_open()
    near, far = standing.lines[0]
    dice = random.Random(7)

    def noisy(data: bytes) -> bytes:
        return b"\x02\x03" + data[:-1] + bytes((data[-1] ^ 1,)) if dice.random() < 0.2 else data

    near.disturb = far.disturb = noisy
    standing.insert(TWENTY)
    await standing.until(Escrowed)
    standing.driver.stack()
    await standing.until(Cleared)
    assert [note.place for note in standing.device.vault.notes] == [Place.BOX]


@virtual
async def test_the_status_shows_trouble_and_its_end(standing: Standing[Validator]) -> None:
    standing.run()
    await standing.until(Ready)
    standing.device.metal.stage_seconds = 0.3
    trouble(standing.device, State.CHEATED, standing.now())
    await standing.until(Trouble)
    assert standing.driver.status.state is DeviceState.READY, "it passes by itself"
    await standing.until(Trouble, 2)
    standing.device.change_box(Box.OUT, standing.now())
    await standing.until(Trouble, 3)
    assert (standing.driver.status.state, standing.driver.status.fault) == (DeviceState.FAULT, "box-removed")
    standing.device.change_box(Box.IN, standing.now(), "BOX-1")
    await standing.until(Ready, 2)
    assert (standing.driver.status.state, standing.driver.status.fault) == (DeviceState.READY, "")


@virtual
async def test_a_self_test_says_what_the_connection_has_shown(standing: Standing[Validator]) -> None:
    before = await standing.driver.self_test()
    assert [step.passed for step in before] == [False, False, True, False]
    standing.run()
    await standing.until(Ready)
    after = {step.name: (step.passed, step.detail) for step in await standing.driver.self_test()}
    assert after["connected"] == (True, "memory")
    assert after["identified"] == (True, f"GUICHET-SIM-CC {SERIAL}")
    assert after["no fault"] == (True, "none")
    assert after["counter"] == (True, "0")


@pytest.mark.parametrize("value", ["0", "4", "1001", "fast", "", "-5", "5.5"])
def test_an_option_out_of_its_range_is_refused(value: str) -> None:
    config = DeviceConfig("cash", "ccnet", "/dev/x", {"poll_ms": value})

    async def unused(address: str) -> ByteTransport:
        raise AssertionError(address)

    with pytest.raises(ConfigurationError, match="poll_ms"):
        open_device(config, DriverContext(time.monotonic, bytes, unused))


@virtual
async def test_every_command_ends_in_one_completion(standing: Standing[Validator]) -> None:
    standing.run()
    await standing.until(Ready)
    for command in (
        standing.driver.enable,
        standing.driver.disable,
        standing.driver.stack,
        standing.driver.return_note,
    ):
        command()
    await standing.until(Completed, 4)
    done = [event.command for event in standing.events if isinstance(event, Completed)]
    assert done == [CashCommand.ENABLE, CashCommand.DISABLE, CashCommand.STACK, CashCommand.RETURN]
