"""The reader driver against a real pcscd, a virtual reader in it, and a card that is a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest

from drivers.api.card import CardInserted, CardRemoved
from drivers.api.device import DeviceState
from drivers.card.pcsc.private_pcscd import PrivatePcscd
from drivers.card.pcsc.service import CardHandle, Service
from drivers.errors import CardError, ConfigurationError, DeviceError, TransportError
from tests.drivers.card.conftest import DEADLINE, CardProcess, RunningReader, make_reader


async def test_a_card_is_noticed_read_and_gone_again(cards: CardProcess, reader: RunningReader) -> None:
    await cards.tell("insert anna")
    assert await reader.event() == CardInserted()
    assert reader.device.card_inside
    card = await reader.device.read()
    assert card.pan.reveal() == b"4761739001010010"
    assert (card.masked, card.expiry, card.label, card.languages) == ("**** 0010", "3112", "VISA DEBIT", ("lv", "en"))
    await cards.tell("remove")
    assert await reader.event() == CardRemoved()
    assert not reader.device.card_inside


async def test_a_card_may_be_read_twice_and_speak_t1(cards: CardProcess, reader: RunningReader) -> None:
    await cards.tell("insert boris")
    await reader.event()
    first, second = await reader.device.read(), await reader.device.read()
    assert first.pan.reveal() == second.pan.reveal() == b"5413330089020011"
    assert reader.events.empty(), "reading is no removal"


@pytest.mark.parametrize(("name", "code"), [("boris", ""), ("contradictory", "invalid")])
async def test_a_reading_is_over_when_the_card_is_given_back_however_long_that_takes(
    cards: CardProcess, reader: RunningReader, monkeypatch: pytest.MonkeyPatch, name: str, code: str
) -> None:
    """Else the next one would find it taken, by ourselves."""
    real = Service.disconnect

    def slow(service: Service, card: CardHandle) -> None:
        threading.Event().wait(0.2)
        real(service, card)

    monkeypatch.setattr(Service, "disconnect", slow)
    await cards.tell(f"insert {name}")
    await reader.event()
    for _ in range(2):
        with pytest.raises(CardError) if code else nullcontext() as refused:
            await reader.device.read()
        assert (refused.value.code if refused is not None else "") == code


async def test_an_expired_card_is_read_and_the_caller_decides(cards: CardProcess, reader: RunningReader) -> None:
    await cards.tell("insert expired")
    await reader.event()
    assert (await reader.device.read()).expiry == "2012"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("unreadable", "unreadable"),
        ("mute", "unreadable"),
        ("blocked", "blocked"),
        ("contradictory", "invalid"),
        ("foreign", "no-application"),
    ],
)
async def test_a_bad_card_is_told_apart_and_the_next_one_is_read(
    cards: CardProcess, reader: RunningReader, name: str, code: str
) -> None:
    await cards.tell(f"insert {name}")
    await reader.event()
    with pytest.raises(CardError) as caught:
        await reader.device.read()
    assert caught.value.code == code
    await cards.tell("remove")
    assert await reader.event() == CardRemoved()
    await cards.tell("insert anna")
    assert await reader.event() == CardInserted()
    assert (await reader.device.read()).masked == "**** 0010"


async def test_a_mute_card_does_not_block_the_loop(cards: CardProcess, reader: RunningReader) -> None:
    await cards.tell("insert mute")
    await reader.event()
    reading = asyncio.create_task(reader.device.read())
    turns = 0
    async with asyncio.timeout(DEADLINE):
        while not reading.done():
            turns += 1
            await asyncio.wait({reading}, timeout=0.05)
    with pytest.raises(CardError, match="unreadable"):
        await reading
    assert turns > 20


async def test_a_card_taken_out_while_it_is_read_is_removed(cards: CardProcess, reader: RunningReader) -> None:
    await cards.tell("insert mute")  # it keeps the reading going until it is taken out
    await reader.event()
    reading = asyncio.create_task(reader.device.read())
    await asyncio.wait({reading}, timeout=0.2)
    await cards.tell("remove")
    with pytest.raises(CardError) as caught:
        await reading
    assert caught.value.code == "removed"


async def test_a_cancelled_reading_gives_the_card_back(cards: CardProcess, reader: RunningReader) -> None:
    await cards.tell("insert anna")
    await reader.event()
    reading = asyncio.create_task(reader.device.read())
    await asyncio.wait({reading}, timeout=0.001)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    masked = ""
    async with asyncio.timeout(DEADLINE):
        while not masked:
            with suppress(CardError):  # until the cancelled reading's thread has closed its connection
                masked = (await reader.device.read()).masked
    assert masked == "**** 0010"


async def test_without_a_card_there_is_nothing_to_read(reader: RunningReader) -> None:
    with pytest.raises(CardError) as caught:
        await reader.device.read()
    assert caught.value.code == "removed"


async def test_a_lost_pcscd_ends_the_task_and_a_new_one_starts_it_again(
    pcscd: PrivatePcscd, cards: CardProcess, reader: RunningReader
) -> None:
    await cards.tell("insert anna")
    await reader.event()
    os.kill(pcscd.pid, signal.SIGKILL)
    with pytest.raises(TransportError) as caught:
        async with asyncio.timeout(DEADLINE):
            await reader.task
    assert caught.value.code == "pcscd-lost"
    assert await reader.event() == CardRemoved()
    assert (reader.device.status.state, reader.device.status.fault) == (DeviceState.ABSENT, "pcscd-lost")
    pcscd.stop()

    again = RunningReader(reader.device)
    with pytest.raises(TransportError, match="pcscd-lost"):
        await again.task

    pcscd.start()
    third = RunningReader(reader.device)
    cards_again = CardProcess(pcscd.port, pcscd.socket.with_name("card-again.sock"))
    try:
        await cards_again.tell("insert anna")
        assert await third.event() == CardInserted()
        assert (await third.device.read()).masked == "**** 0010"
    finally:
        cards_again.end()
        await third.end()


async def test_a_frozen_pcscd_blocks_neither_loop_nor_reading(
    pcscd: PrivatePcscd, cards: CardProcess, reader: RunningReader
) -> None:
    await cards.tell("insert anna")
    await reader.event()
    os.kill(pcscd.pid, signal.SIGSTOP)
    try:
        with pytest.raises(DeviceError) as caught:
            await reader.device.read()
        assert caught.value.code in ("unreadable", "pcscd-lost")  # whichever deadline comes first
        async with asyncio.timeout(DEADLINE):
            steps = await reader.device.self_test()
        assert [(step.name, step.passed) for step in steps] == [("service", False)]
        with pytest.raises(TransportError, match="pcscd-lost"):
            async with asyncio.timeout(DEADLINE):
                await reader.task
    finally:
        os.kill(pcscd.pid, signal.SIGCONT)


async def test_a_reader_that_is_not_there_is_waited_for(pcscd: PrivatePcscd) -> None:
    running = RunningReader(make_reader("No Such Reader"))
    try:
        async with asyncio.timeout(DEADLINE):
            while running.device.status.fault != "reader-gone":
                await asyncio.wait({running.task}, timeout=0.02)
        assert running.device.status.state is DeviceState.ABSENT
        steps = await running.device.self_test()
        assert [(step.name, step.passed) for step in steps] == [("service", True), ("reader", False)]
    finally:
        await running.end()


async def test_the_reader_is_chosen_by_a_part_of_its_name_and_known_as_simulated(
    cards: CardProcess, pcscd: PrivatePcscd
) -> None:
    running = RunningReader(make_reader("Simulated 00 00", country="428", currency="978"))
    try:
        await cards.tell("insert anna")
        await running.event()
        status = running.device.status
        assert status.state is DeviceState.READY
        assert status.identity is not None
        assert status.identity.simulated
        assert status.identity.model == "Guichet Simulated 00 00"
        assert (await running.device.read()).masked == "**** 0010"
        assert running.device.status.counters == {"inserted": 1, "read": 1, "unreadable": 0}
        steps = await running.device.self_test()
        assert [(step.name, step.passed) for step in steps] == [("service", True), ("reader", True), ("card", True)]
        assert "3B620000811F" in steps[2].detail
    finally:
        await running.end()


@pytest.mark.parametrize("options", [{"country": "LV"}, {"currency": "97"}])
def test_options_that_make_no_sense_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_reader(**options)
    assert caught.value.code == "bad-option"


async def test_nothing_that_is_logged_or_told_has_a_card_number_in_it(
    cards: CardProcess, reader: RunningReader, pcscd: PrivatePcscd, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    said = [
        await cards.tell("list"),
        await cards.tell("help"),
        await cards.tell("insert anna"),
        await cards.tell("state"),
    ]
    await reader.event()
    card = await reader.device.read()
    said += [repr(card), str(card), caplog.text, pcscd.log.read_text(errors="replace"), await cards.tell("remove")]
    assert json.loads(said[3]) == {"card": "anna"}
    assert "**** 0010" in said[0]
    for text in said:
        assert "4761739001010010" not in text
        assert "47617390" not in text.replace(" ", "")


@pytest.mark.parametrize("line", ["insert nobody", "insert", "eject", ""])
async def test_what_the_card_process_does_not_understand_it_refuses(cards: CardProcess, line: str) -> None:
    with pytest.raises(ValueError, match=r"no card|not understood"):
        await cards.tell(line)


async def test_only_one_card_goes_into_the_slot(cards: CardProcess) -> None:
    await cards.tell("insert anna")
    with pytest.raises(ValueError, match="anna is in the slot"):
        await cards.tell("insert boris")
    assert await cards.tell("remove") == "anna is out"
    assert await cards.tell("remove") == "the slot was empty"


async def test_a_card_whose_reader_is_gone_lies_on_the_floor(cards: CardProcess, pcscd: PrivatePcscd) -> None:
    await cards.tell("insert anna")
    pcscd.stop()
    async with asyncio.timeout(DEADLINE):
        while json.loads(await cards.tell("state"))["card"] is not None:
            pass
    with pytest.raises(ValueError, match="no reader"):
        await cards.tell("insert anna")


def test_the_card_process_takes_its_socket_away_at_the_end(pcscd: PrivatePcscd, run_dir: Path) -> None:
    control = run_dir / "card-end.sock"
    process = CardProcess(pcscd.port, control)
    process.end()
    assert process.process.returncode == 0
    assert not control.exists()
