"""The operations page as an operator's browser meets it."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncGenerator, Mapping
from enum import Enum
from pathlib import Path

import httpx
import pytest
from PIL import Image
from sqlalchemy import select
from starlette.types import ASGIApp, Receive, Scope, Send

from guichet.v1 import health_pb2
from host.claims.box import Verdict
from host.claims.deciding import Wish, decide_claim
from host.claims.views import ClaimState
from host.console import pages
from host.console.app import build_app
from host.console.login import SESSION_COOKIE
from host.console.operators import OperatorError, add_operator
from host.console.operators import log_in as log_in_operator
from host.console.schema import audit_log, operators
from host.fleet.health import keep_health
from host.fleet.incidents import Incident, open_incidents
from host.fleet.overview import Device, Service
from host.ledger.kinds import Outcome
from host.ledger.overview import DepositState
from host.server import console
from tests.host.bench import ANNA, Bench
from tests.host.boxes import count, exchanged_box, number_of
from tests.host.terminal import OUTCOME_IN_DOUBT, OUTCOME_RETURNED, BenchTerminal, Note, deposit_id
from tests.host.test_settlement import answer

NAME, PASSWORD = "oskars", "correct horse battery"
ACCENT = (15, 118, 110)
DEVICES = (
    ("cash", health_pb2.DEVICE_STATE_READY, ""),
    ("card", health_pb2.DEVICE_STATE_READY, ""),
    ("printer", health_pb2.DEVICE_STATE_WARNING, "paper-near-end"),
    ("pinpad", health_pb2.DEVICE_STATE_READY, ""),
)


@pytest.fixture
def operator(bench: Bench) -> None:
    with bench.engine.begin() as connection:
        add_operator(connection, NAME, PASSWORD, bench.host.seams.random, bench.clock.now_us)


@pytest.fixture
async def browser(bench: Bench) -> AsyncGenerator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=build_app(bench.host))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


def form_token(page: httpx.Response) -> str:
    found = re.search(r'name="form_token" value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


async def log_in(browser: httpx.AsyncClient, password: str = PASSWORD, name: str = NAME) -> httpx.Response:
    token = form_token(await browser.get("/login"))
    return await browser.post("/login", data={"name": name, "password": password, "form_token": token})


def a_day_s_work(bench: Bench, journal_fault: str = "") -> BenchTerminal:
    """A terminal with a heartbeat, deposits of every kind, and a conflict."""
    terminal = bench.enrol("RIGA-01")
    devices = [
        health_pb2.DeviceHealth(name=name, state=state, fault=fault, model="M", simulated=True)
        for name, state, fault in DEVICES
    ]
    health = health_pb2.TerminalHealth(
        service=health_pb2.SERVICE_STATE_REDUCED,
        devices=devices,
        open_deposits=1,
        notes_in_doubt=1,
        terminal_time_us=bench.clock.now_us,
        software_version="0.1.0",
    )
    if journal_fault:
        health = health_pb2.TerminalHealth(
            service=health_pb2.SERVICE_STATE_OUT_OF_SERVICE,
            terminal_time_us=bench.clock.now_us,
            journal_fault=journal_fault,
        )
    with bench.engine.begin() as connection:
        keep_health(connection, terminal.name, health, bench.clock.now_us)
    answer(bench, terminal.advice(1, [Note(1, 2_000), Note(2, 5_000), Note(3, 1_000, OUTCOME_RETURNED)], account=ANNA))
    answer(bench, terminal.advice(2, [Note(4, 10_000), Note(5, 2_000, OUTCOME_IN_DOUBT)], account=ANNA))
    answer(bench, terminal.advice(1, [Note(1, 5_000)], account=ANNA))
    return terminal


@pytest.mark.parametrize("page", ["/", "/fleet", "/deposits", "/claims", "/incidents"])
async def test_nobody_sees_a_page_without_a_log_in(browser: httpx.AsyncClient, page: str) -> None:
    response = await browser.get(page, follow_redirects=True)
    assert response.url.path == "/login"
    assert "Password" in response.text


@pytest.mark.usefixtures("operator")
async def test_a_log_in_sets_a_cookie_that_no_script_and_no_other_site_can_use(browser: httpx.AsyncClient) -> None:
    response = await log_in(browser)
    assert (response.status_code, response.headers["location"]) == (303, "/fleet")
    cookies = [value for name, value in response.headers.multi_items() if name == "set-cookie"]
    (session,) = [cookie for cookie in cookies if cookie.startswith("guichet_operator=")]
    assert "HttpOnly" in session
    assert "samesite=strict" in session.lower()
    page = await browser.get("/fleet")
    assert page.status_code == 200
    assert NAME in page.text


@pytest.mark.usefixtures("operator")
async def test_a_wrong_name_and_a_wrong_password_are_refused_alike(browser: httpx.AsyncClient) -> None:
    wrong_password, wrong_name = await log_in(browser, "wrong password"), await log_in(browser, name="nobody")
    assert wrong_password.status_code == wrong_name.status_code == 401
    assert "Wrong name or password." in wrong_password.text
    assert "Wrong name or password." in wrong_name.text
    assert (await browser.get("/fleet")).status_code == 303


@pytest.mark.usefixtures("operator")
async def test_a_form_of_another_site_logs_nobody_in(browser: httpx.AsyncClient) -> None:
    fields = {"name": NAME, "password": PASSWORD}
    await browser.get("/login")
    for token in ({}, {"form_token": ""}, {"form_token": "guessed"}):
        assert (await browser.post("/login", data=fields | token)).status_code == 403
    browser.cookies.clear()
    assert (await browser.post("/login", data=fields | {"form_token": ""})).status_code == 403


@pytest.mark.usefixtures("operator")
async def test_guessing_passwords_is_slowed_down_until_a_quarter_of_an_hour_has_passed(
    bench: Bench, browser: httpx.AsyncClient
) -> None:
    for _ in range(5):
        assert (await log_in(browser, "wrong password")).status_code == 401
    assert (await log_in(browser)).status_code == 429
    bench.clock.now_us += 15 * 60 * 1_000_000
    assert (await log_in(browser)).status_code == 303


@pytest.mark.usefixtures("operator")
async def test_a_log_out_ends_the_session_and_only_from_our_own_form(browser: httpx.AsyncClient) -> None:
    await log_in(browser)
    token = form_token(await browser.get("/fleet"))
    assert (await browser.post("/logout", data={"form_token": "guessed"})).status_code == 403
    kept = dict(browser.cookies)
    assert (await browser.post("/logout", data={"form_token": token})).headers["location"] == "/login"
    browser.cookies.update(kept)
    assert (await browser.get("/fleet")).status_code == 303


@pytest.mark.usefixtures("operator")
async def test_a_session_is_over_after_eight_hours(bench: Bench, browser: httpx.AsyncClient) -> None:
    await log_in(browser)
    bench.clock.now_us += 8 * 3600 * 1_000_000
    assert (await browser.get("/fleet")).status_code == 303


@pytest.mark.usefixtures("operator")
async def test_log_ins_are_in_the_audit_log_and_no_password_is_anywhere(
    bench: Bench, browser: httpx.AsyncClient
) -> None:
    await log_in(browser, "wrong password")
    await log_in(browser)
    with bench.engine.begin() as connection:
        entries = connection.execute(select(audit_log.c.actor, audit_log.c.action, audit_log.c.result)).all()
        kept = repr([tuple(row) for table in (operators, audit_log) for row in connection.execute(select(table))])
    assert entries == [(NAME, "log in", "refused"), (NAME, "log in", "done")]
    assert PASSWORD not in kept
    assert "wrong password" not in kept


@pytest.mark.usefixtures("operator")
async def test_every_answer_forbids_scripts_frames_and_foreign_content(browser: httpx.AsyncClient) -> None:
    await log_in(browser)
    for page in ("/login", "/fleet", "/deposits", "/claims", "/incidents", "/static/console.css", "/nowhere"):
        response = await browser.get(page)
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "http://" not in response.text.replace("http://www.w3.org/2000/svg", "")
        assert "style=" not in response.text


async def test_a_request_under_another_name_is_refused(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/login", headers={"host": "evil.example"})).status_code == 400


@pytest.mark.usefixtures("operator")
async def test_the_fleet_shows_devices_states_and_claims(bench: Bench, browser: httpx.AsyncClient) -> None:
    a_day_s_work(bench)
    await log_in(browser)
    page = (await browser.get("/fleet")).text
    for text in ("RIGA-01", "reduced", "paper near end", "in doubt", "simulated", "training"):
        assert text in page
    bench.clock.now_us += 40_000_000
    assert "offline" in (await browser.get("/fleet")).text


@pytest.mark.usefixtures("operator")
async def test_a_journal_that_cannot_be_used_stands_among_the_devices(bench: Bench, browser: httpx.AsyncClient) -> None:
    a_day_s_work(bench, journal_fault="journal-read-only")
    await log_in(browser)
    page = (await browser.get("/fleet")).text
    assert "<b>journal</b>" in page
    assert "<dt>To settle</dt><dd>unknown</dd>" in page
    assert "read only" in page
    assert "No heartbeat has come yet" not in page
    assert "<b>0</b><span>in full service</span>" in page


@pytest.mark.usefixtures("operator")
async def test_deposits_show_outcomes_bookings_claims_and_conflicts_and_can_be_filtered(
    bench: Bench, browser: httpx.AsyncClient
) -> None:
    a_day_s_work(bench)
    await log_in(browser)
    first, second = deposit_id(1), deposit_id(2)
    every = (await browser.get("/deposits")).text
    assert first in every
    assert second in every
    assert "known with other content" in every
    assert "**** 4711" in every
    conflicts = (await browser.get("/deposits", params={"state": "conflict"})).text
    assert (first in conflicts, second in conflicts) == (True, False)
    doubts = (await browser.get("/deposits", params={"terminal": "RIGA-01", "state": "claim open"})).text
    assert (first in doubts, second in doubts) == (False, True)
    assert "No deposit fits" in (await browser.get("/deposits", params={"terminal": "OTHER"})).text


@pytest.mark.usefixtures("operator")
async def test_claims_are_shown_with_their_state_and_with_the_counts_that_close_them(
    bench: Bench, browser: httpx.AsyncClient
) -> None:
    await log_in(browser)
    assert "No claim is open." in (await browser.get("/claims")).text
    exchanged_box(bench, [Note(1), *(Note(number, 5_000, OUTCOME_IN_DOUBT) for number in (2, 3))])
    host = bench.host
    with bench.engine.begin() as connection:
        wish = Wish(number_of(2), Outcome.NOT_FOUND, "<b>not</b> on the film", NAME)
        decide_claim(connection, wish, host.keys.signer, host.resolver, host.now_us())
    page = (await browser.get("/claims")).text
    assert number_of(2) in page
    assert f"not found, by {NAME}: &lt;b&gt;not&lt;/b&gt; on the film" in page
    assert "Counts of cash boxes" not in page
    count(bench, {"20 EUR": 1, "50 EUR": 2}, by="Eva")
    page = (await browser.get("/claims")).text
    assert "count 1 · Eva ·" in page
    assert "covers the doubts" in page
    assert "count: number 1 of box period" in page
    assert "No claim is open." in page
    assert "outcome 2, by the host" in (await browser.get("/deposits")).text


@pytest.mark.usefixtures("operator")
async def test_a_count_that_persons_must_decide_about_says_why(bench: Bench, browser: httpx.AsyncClient) -> None:
    await log_in(browser)
    exchanged_box(bench, [Note(1), *(Note(number, 5_000, OUTCOME_IN_DOUBT) for number in (2, 3))])
    count(bench, {"20 EUR": 1, "50 EUR": 1}, by="Eva")
    assert "persons decide" not in (page := (await browser.get("/claims")).text)
    assert "more than was counted before" not in page
    count(bench, {"20 EUR": 1, "50 EUR": 2}, by="Eva")
    page = (await browser.get("/claims")).text
    assert "persons decide" in page
    assert "more than was counted before" in page


@pytest.mark.parametrize(
    ("tones", "states"),
    [
        (pages.SERVICE_TONES, Service),
        (pages.DEVICE_TONES, Device),
        (pages.DEPOSIT_TONES, DepositState),
        (pages.CLAIM_TONES, ClaimState),
        (pages.VERDICT_TONES, Verdict),
    ],
)
def test_every_state_has_its_tone(tones: Mapping[Enum, pages.Tone], states: type[Enum]) -> None:
    """A page with one that has none is an error page, on the day on which it is needed."""
    assert set(tones) == set(states)


@pytest.mark.usefixtures("operator")
async def test_what_a_terminal_says_is_shown_as_text_and_never_as_markup(
    bench: Bench, browser: httpx.AsyncClient
) -> None:
    incident = Incident("<b>x</b>", "T-1", "<i>", "<script>alert(1)</script>", "1")
    with bench.engine.begin() as connection:
        open_incidents(connection, (incident,), bench.clock.now_us)
    await log_in(browser)
    page = (await browser.get("/incidents")).text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_names_and_passwords_have_their_form(bench: Bench) -> None:
    random, now_us = bench.host.seams.random, bench.clock.now_us
    with bench.engine.begin() as connection:
        add_operator(connection, NAME, PASSWORD, random, now_us)
        for name, password in (("X", PASSWORD), ("a b", PASSWORD), (NAME, PASSWORD), ("other", "short")):
            with pytest.raises(OperatorError):
                add_operator(connection, name, password, random, now_us)


class LoggedIn:
    """The console as it is for somebody who has logged in: the browser of the pictures cannot type."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._cookie = (b"cookie", f"{SESSION_COOKIE}={token}".encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "headers": [*scope["headers"], self._cookie]}, receive, send)


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize("size", [(1280, 900), (500, 1000)], ids=["desk", "telephone"])
async def test_the_pages_look_like_something_in_a_real_browser(
    bench: Bench, tmp_path: Path, size: tuple[int, int]
) -> None:
    a_day_s_work(bench)
    with bench.engine.begin() as connection:
        random, now_us = bench.host.seams.random, bench.clock.now_us
        session = log_in_operator(connection, NAME, PASSWORD, "here", random, now_us)
    assert session is not None
    app = build_app(bench.host)
    for page, served in (("login", app), ("fleet", LoggedIn(app, session.token))):
        picture = tmp_path / f"{page}.png"
        async with console(bench.host.config, served) as port:
            await screenshot(f"http://127.0.0.1:{port}/{page}", picture, tmp_path / "profile", size)
        with Image.open(picture) as image:
            assert image.size == size
            colours = image.convert("RGB").getcolors(maxcolors=1_000_000) or []
        # The accent is there: the style sheet was let in by the policy that keeps everything else out.
        assert any(colour == ACCENT and count > 150 for count, colour in colours), page


async def screenshot(address: str, picture: Path, profile: Path, size: tuple[int, int]) -> None:
    process = await asyncio.create_subprocess_exec(
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
        f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}", f"--screenshot={picture}", address,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    async with asyncio.timeout(60):
        assert await process.wait() == 0
