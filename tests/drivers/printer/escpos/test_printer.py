"""The driver against the simulated printer over a wire in memory: what comes out, what is said when nothing does."""

import asyncio
from pathlib import Path

import pytest

from drivers.api.device import DeviceConfig, DeviceState
from drivers.api.document import Document, QrCode, Row, Space, Text
from drivers.api.printer import Paper
from drivers.errors import ConfigurationError, DeviceFault, NoAnswer, Refused, TransportError
from drivers.printer.escpos.printer import open_device
from drivers.registry import open_device as open_by_name
from drivers.transport.api import ByteTransport
from tests.drivers.printer.escpos import samples
from tests.drivers.printer.escpos.standing import DEADLINE, context, eventually, standing

SHORT = Document("short", (Text("one"), Row("two", "2.00"), Text("three")))
LONG = Document("long", tuple(Row(f"line {index}", "1.00") for index in range(200)))
QUICK = "drivers.printer.escpos.printer"


async def opens_nothing(address: str) -> ByteTransport:
    raise TransportError("printer", "absent", address)


async def test_a_document_comes_out_whole_before_print_returns(tmp_path: Path) -> None:
    async with standing(tmp_path) as bench:
        await bench.driver.print(SHORT)
        assert await bench.texts() == [f"one\ntwo{'2.00':>45}\nthree\n"]
        assert bench.driver.status.counters == {"documents": 1}


@pytest.mark.parametrize("rows", [20, 60, 200])
async def test_the_printer_is_never_asked_in_the_middle_of_a_command(tmp_path: Path, rows: int) -> None:
    """It would answer, and take the question for the command's parameters, too: text or pictures come out torn."""
    content = tuple(Row(f"line {index}", "1.00") for index in range(rows))
    document = Document("long", (*content, QrCode("https://example.com/" + "r" * 200), *content))
    async with standing(tmp_path) as bench:
        bench.sent.clear()
        await bench.driver.print(document)
        (text,) = await bench.texts()
        lines = [line for line in text.split("\n") if line and "[" not in line]
        assert lines == [f"{f'line {index}':<44}1.00" for index in (*range(rows), *range(rows))]
        assert bench.sent.count(b"\x10\x04\x01") >= 2 + rows // 20


async def test_the_bytes_say_that_it_is_simulated(tmp_path: Path) -> None:
    async with standing(tmp_path) as bench:
        identity = bench.driver.status.identity
        assert identity is not None
        assert (identity.model, identity.firmware, identity.serial) == ("GUICHET SIMULATED PRINTER", "1.0", "SIM-0001")
        assert identity.simulated


async def test_the_driver_is_found_by_its_name(tmp_path: Path) -> None:
    async with standing(tmp_path, start=False) as bench:
        config = DeviceConfig("printer", "escpos", "memory", {})
        assert type(open_by_name(config, context(opens_nothing))) is type(bench.driver)


@pytest.mark.parametrize("completion", ["process-id", "in-turn", "auto"])
async def test_the_printer_confirms_a_document_either_way(tmp_path: Path, completion: str) -> None:
    async with standing(tmp_path, completion=completion) as bench:
        bench.sent.clear()
        await bench.driver.print(SHORT)
        assert (b"\x1d(H\x06\x00\x30\x30" in bench.sent) == (completion != "in-turn")
        assert (b"\x1dr\x01" in bench.sent) == (completion == "in-turn")
        assert len(await bench.texts()) == 1


async def test_text_of_all_three_languages_arrives(tmp_path: Path) -> None:
    async with standing(tmp_path) as bench:
        await bench.driver.print(
            Document("languages", (Text("Thank you"), Text("Спасибо, ёлка №5"), Text("Paldies, šķūņģļāž")))
        )
        assert await bench.texts() == ["Thank you\nСпасибо, ёлка №5\nPaldies, šķūņģļāž\n"]


async def test_what_no_code_page_has_is_a_question_mark_and_spoils_nothing_else(tmp_path: Path) -> None:
    async with standing(tmp_path) as bench:
        await bench.driver.print(Document("odd", (Row("饭店 Ресторан Rīga − 5", "1.00"),)))
        assert (await bench.texts())[0].startswith("?? Ресторан Rīga - 5  ")


async def test_a_merchants_escape_sequences_reach_the_printer_as_nothing(tmp_path: Path) -> None:
    evil = (
        "EVIL\x1b@\x1dV\x00\x10\x14\x01\x00\x05\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08\x1bp0\x19\x19\nCredited\u202e"
    )
    async with standing(tmp_path) as bench:
        bench.sent.clear()
        await bench.driver.print(Document("evil", (Text(evil), Row(evil, "1.00"), QrCode(evil))))
        [text] = await bench.texts()
        assert text.splitlines()[0] == "EVIL@Vp0 Credited"
        assert [line for line in text.splitlines() if line.startswith("Credited")] == []
        assert b"\x10\x14" not in bench.sent
        assert b"\x1bp" not in bench.sent
        assert bench.sent.count(b"\x1b@") == 1
        assert bench.sent.count(b"\x1dV") == 1


async def test_without_paper_it_says_so_before_anything_is_sent(tmp_path: Path) -> None:
    async with standing(tmp_path, "paper out") as bench:
        assert not (await bench.driver.state()).can_print
        assert (bench.driver.status.state, bench.driver.status.fault) == (DeviceState.FAULT, "paper-out")
        bench.sent.clear()
        with pytest.raises(DeviceFault) as caught:
            await bench.driver.print(SHORT)
        assert caught.value.code == "paper-out"
        assert b"one" not in bench.sent


async def test_little_paper_is_a_warning_and_prints(tmp_path: Path) -> None:
    async with standing(tmp_path, "paper near-end") as bench:
        await bench.driver.print(SHORT)
        assert (await bench.driver.state()).paper is Paper.NEAR_END
        assert (bench.driver.status.state, bench.driver.status.fault) == (DeviceState.WARNING, "paper-near-end")
        assert len(await bench.texts()) == 1


@pytest.mark.parametrize("document", [SHORT, LONG])
async def test_paper_that_ends_in_the_middle_is_told_and_the_rest_never_comes_out(
    tmp_path: Path, document: Document
) -> None:
    async with standing(tmp_path, "lines 2 then paper out") as bench:
        with pytest.raises(DeviceFault) as caught:
            await bench.driver.print(document)
        assert caught.value.code == "paper-out"
        assert bench.driver.status.counters == {"documents": 0}
        assert await bench.buffered() == 0
        await bench.tell("paper adequate")
        await eventually(lambda: bench.driver.status.state is DeviceState.READY)
        await bench.driver.print(Document("next", (Text("for the next customer"),)))
        torn, following = await bench.texts()
        assert torn.endswith("~ torn off here ~\n")
        assert torn.count("\n") == 3
        assert following == "for the next customer\n"


async def test_a_document_that_broke_off_under_an_open_cover_is_cut_off_before_the_next(tmp_path: Path) -> None:
    async with standing(tmp_path, "lines 3 then cover open") as bench:
        with pytest.raises(DeviceFault) as caught:
            await bench.driver.print(LONG)
        assert caught.value.code == "cover-open"
        await bench.tell("cover closed")
        await eventually(lambda: bench.driver.status.state is DeviceState.READY)
        await bench.driver.print(SHORT)
        broken, whole = await bench.texts()
        assert [line.split("  ")[0] for line in broken.splitlines()] == ["line 0", "line 1", "line 2"]
        assert whole.startswith("one\n")


@pytest.mark.parametrize(
    ("happening", "code"),
    [
        ("cover open", "cover-open"),
        ("offline", "offline"),
        ("fault cutter", "cutter"),
        ("fault mechanical", "mechanical"),
        ("fault unrecoverable", "unrecoverable"),
        ("fault overheated", "overheated"),
    ],
)
async def test_a_printer_that_cannot_says_why(tmp_path: Path, happening: str, code: str) -> None:
    async with standing(tmp_path) as bench:
        await bench.tell(happening)
        with pytest.raises(DeviceFault) as caught:
            await bench.driver.print(SHORT)
        assert caught.value.code == code
        assert (bench.driver.status.state, bench.driver.status.fault) == (DeviceState.FAULT, code)
        assert await bench.texts() == []


async def test_a_mute_printer_is_no_answer_within_a_second_and_then_lost(tmp_path: Path) -> None:
    async with standing(tmp_path) as bench:
        await bench.tell("mute")
        with pytest.raises(NoAnswer):
            await bench.driver.state()
        with pytest.raises(NoAnswer):
            await bench.driver.print(SHORT)
        assert bench.running is not None
        with pytest.raises(NoAnswer):
            await asyncio.wait_for(bench.running, DEADLINE)
        assert (bench.driver.status.state, bench.driver.status.fault) == (DeviceState.ABSENT, "no-answer")
        assert await bench.texts() == []


async def test_a_printer_that_falls_silent_in_mid_document_is_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{QUICK}._BUSY_ANSWER_SECONDS", 0.2)
    async with standing(tmp_path, poll_seconds="60") as bench:
        assert bench.near is not None

        def silence(data: bytes) -> bytes:
            return data if len(data) < 20 else b""

        bench.near.disturb = silence
        printing = asyncio.ensure_future(bench.driver.print(SHORT))
        await bench.tell("state")
        await eventually(lambda: bench.driver.status.state is DeviceState.READY)
        bench.near.disturb = lambda data: b"" if data else data
        with pytest.raises(NoAnswer):
            await printing
        assert bench.driver.status.counters == {"documents": 0}


async def test_a_late_answer_is_not_taken_for_the_next_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{QUICK}._ANSWER_SECONDS", 0.2)
    async with standing(tmp_path, poll_seconds="60") as bench:
        await bench.tell("stall")
        with pytest.raises(NoAnswer):
            await bench.driver.state()
        await bench.tell("cover open")
        assert bench.near is not None
        deliver, arrived = bench.near.deliver, asyncio.Event()

        def late(data: bytes) -> None:
            deliver(data)
            arrived.set()

        monkeypatch.setattr(bench.near, "deliver", late)
        await bench.tell("go")
        await asyncio.wait_for(arrived.wait(), DEADLINE)
        state = await bench.driver.state()
        assert (state.online, state.cover_open, state.paper, state.fault) == (False, True, Paper.ADEQUATE, "")


async def test_a_hang_up_is_told_and_running_again_brings_it_back(tmp_path: Path) -> None:
    async with standing(tmp_path) as bench:
        assert bench.near is not None
        assert bench.running is not None
        bench.near.close()
        with pytest.raises(TransportError) as caught:
            await asyncio.wait_for(bench.running, DEADLINE)
        assert caught.value.code == "hung-up"
        assert bench.driver.status.state is DeviceState.ABSENT
        with pytest.raises(TransportError):
            await bench.driver.print(SHORT)
        with pytest.raises(TransportError):
            await bench.driver.state()
        await bench.start()
        await bench.driver.print(SHORT)
        assert len(await bench.texts()) == 1


async def test_what_an_earlier_life_left_in_the_printer_does_not_come_out(tmp_path: Path) -> None:
    async with standing(tmp_path, "cover open", start=False) as bench:
        stale = await bench.driver._context.open_transport("memory")  # pyright: ignore[reportPrivateUsage]
        stale.write(b"somebody else's balance\n\x1dV\x00")
        await bench.until_buffered()
        await bench.start()
        await bench.tell("cover closed")
        await eventually(lambda: bench.driver.status.identity is not None)
        await bench.driver.print(SHORT)
        assert [text.splitlines()[0] for text in await bench.texts()] == ["one"]


async def test_cancelling_a_print_clears_what_is_left_of_it(tmp_path: Path) -> None:
    async with standing(tmp_path, completion="in-turn") as bench:
        assert bench.near is not None
        recorded = bench.near.disturb
        asked = asyncio.Event()

        def lose_the_question(data: bytes) -> bytes:
            if data == b"\x1dr\x01":
                asked.set()
                return b""
            return recorded(data)

        bench.near.disturb = lose_the_question
        printing = asyncio.ensure_future(bench.driver.print(SHORT))
        await asyncio.wait_for(asked.wait(), DEADLINE)
        bench.sent.clear()
        printing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await printing
        bench.near.disturb = recorded
        await eventually(lambda: b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08" in bench.sent)
        await bench.driver.print(SHORT)
        assert len(await bench.texts()) == 2


async def test_two_documents_at_once_come_out_one_after_the_other(tmp_path: Path) -> None:
    async with standing(tmp_path) as bench:
        await asyncio.gather(bench.driver.print(LONG), bench.driver.print(SHORT), bench.driver.print(LONG))
        assert [text.count("\n") for text in await bench.texts()] == [200, 3, 200]


async def test_the_state_can_be_asked_while_it_prints(tmp_path: Path) -> None:
    async with standing(tmp_path) as bench:
        printing = asyncio.ensure_future(bench.driver.print(LONG))
        asked = 0
        while not printing.done():
            assert (await bench.driver.state()).can_print
            asked += 1
            await asyncio.sleep(0)
        await printing
        assert asked > 0


async def test_a_document_that_fits_no_paper_is_refused(tmp_path: Path) -> None:
    async with standing(tmp_path) as bench:
        for blocks in ((QrCode("x" * 301),), (Space(5000),)):
            with pytest.raises(Refused) as caught:
                await bench.driver.print(Document("bad", blocks))
            assert caught.value.code == "unprintable"
        assert await bench.texts() == []


async def test_the_self_test_names_what_is_wrong(tmp_path: Path) -> None:
    async with standing(tmp_path) as bench:
        assert all(step.passed for step in await bench.driver.self_test())
        await bench.tell("cover open")
        await bench.tell("paper out")
        failed = {step.name: step.detail for step in await bench.driver.self_test() if not step.passed}
        assert failed == {"cover": "open", "paper": "out", "online": "offline"}
        await bench.tell("mute")
        [step] = await bench.driver.self_test()
        assert not step.passed
        assert "no-answer" in step.detail


async def test_narrow_paper_gets_narrow_lines(tmp_path: Path) -> None:
    async with standing(tmp_path, paper_columns=32, columns="32") as bench:
        await bench.driver.print(samples.statement())
        [text] = await bench.texts()
        assert max(len(line) for line in text.splitlines()) == 32


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"columns": "40"}, "bad-option"),
        ({"columns": "wide"}, "bad-option"),
        ({"profile": "no-such-printer"}, "bad-option"),
        ({"completion": "hope"}, "bad-option"),
        ({"poll-seconds": "0"}, "bad-option"),
        ({"poll-seconds": "nan"}, "bad-option"),
        ({"colour": "red"}, "unknown-option"),
    ],
)
async def test_a_wrong_option_is_told_at_once(options: dict[str, str], code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_device(DeviceConfig("printer", "escpos", "memory", options), context(opens_nothing))
    assert caught.value.code == code
