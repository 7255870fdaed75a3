"""The pages that an operator reads: fleet, deposits, claims, incidents. Who is not logged in is led to the log-in."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TypeVar

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from host.assembly import Host
from host.claims.box import Verdict
from host.claims.views import ClaimState, list_claims, list_counts
from host.console.login import logged_in
from host.console.operators import OperatorSession
from host.console.render import Renderer
from host.fleet.incidents import list_incidents
from host.fleet.overview import Device, Service, TerminalView, list_terminals
from host.ledger.overview import DepositState, list_deposits, open_claims

T = TypeVar("T")

_REFRESH_SECONDS = 10
_CLOSED_SHOWN = 20


class Tone(Enum):
    """How a state looks: a colour and a mark, never the colour alone."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    QUIET = "quiet"


SERVICE_TONES = {
    Service.IN_SERVICE: Tone.GOOD,
    Service.REDUCED: Tone.WARN,
    Service.OUT_OF_SERVICE: Tone.BAD,
    Service.STARTING: Tone.QUIET,
    Service.UNKNOWN: Tone.QUIET,
}
DEVICE_TONES = {
    Device.READY: Tone.GOOD,
    Device.WARNING: Tone.WARN,
    Device.FAULT: Tone.BAD,
    Device.ABSENT: Tone.BAD,
    Device.STARTING: Tone.QUIET,
    Device.UNKNOWN: Tone.QUIET,
}
DEPOSIT_TONES = {
    DepositState.SETTLED: Tone.GOOD,
    DepositState.CLAIM_OPEN: Tone.WARN,
    DepositState.CONFLICT: Tone.BAD,
}
CLAIM_TONES = {
    ClaimState.OPEN: Tone.WARN,
    ClaimState.PROPOSED: Tone.WARN,
    ClaimState.SUSPENSE: Tone.WARN,
    ClaimState.CREDITED: Tone.GOOD,
    ClaimState.RETURNED: Tone.QUIET,
    ClaimState.NOT_FOUND: Tone.QUIET,
}
VERDICT_TONES = {
    Verdict.EXACT: Tone.GOOD,
    Verdict.COVERED: Tone.GOOD,
    Verdict.NOT_ALL: Tone.WARN,
    Verdict.NOTHING_OVER: Tone.WARN,
    Verdict.PERSONS: Tone.WARN,
    Verdict.WAITING: Tone.QUIET,
    Verdict.SHORT: Tone.BAD,
    Verdict.OVER: Tone.BAD,
}


def service_tone(terminal: TerminalView) -> Tone:
    """What an offline terminal said last is not how it is now."""
    return SERVICE_TONES[terminal.service] if terminal.online else Tone.QUIET


class Pages:
    """The console's pages over a host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._renderer = Renderer(host.config.zone)

    async def front(self, request: Request) -> Response:
        """There is no other front page than the fleet."""
        return RedirectResponse("/fleet", status_code=303)

    async def fleet(self, request: Request) -> Response:
        """Every terminal with its devices, and what asks for a person."""
        session = await logged_in(self._host, request)
        if session is None:
            return RedirectResponse("/login", status_code=303)
        now_us = self._host.now_us()
        terminals = await self._read(lambda connection: list_terminals(connection, now_us))
        claims = await self._read(open_claims)
        return self._page(
            "fleet.html", session, "fleet", terminals=terminals, claims=claims, service_tone=service_tone,
            device_tones=DEVICE_TONES, now_us=now_us,
        )  # fmt: skip

    async def deposits(self, request: Request) -> Response:
        """Deposits with their notes; filtered by terminal and state."""
        session = await logged_in(self._host, request)
        if session is None:
            return RedirectResponse("/login", status_code=303)
        now_us = self._host.now_us()
        terminal = request.query_params.get("terminal", "")[:16] or None
        state = _state(request.query_params.get("state", ""))
        found = await self._read(lambda connection: list_deposits(connection, terminal=terminal, state=state))
        terminals = await self._read(lambda connection: list_terminals(connection, now_us))
        return self._page(
            "deposits.html", session, "deposits", deposits=found, terminals=terminals, terminal=terminal, state=state,
            states=list(DepositState), deposit_tones=DEPOSIT_TONES,
        )  # fmt: skip

    async def claims(self, request: Request) -> Response:
        """Claims and where they stand, and the counts of cash boxes that close them."""
        session = await logged_in(self._host, request)
        if session is None:
            return RedirectResponse("/login", status_code=303)
        still_open = await self._read(list_claims)
        closed = await self._read(lambda connection: list_claims(connection, closed=True, limit=_CLOSED_SHOWN))
        counts = await self._read(list_counts)
        return self._page(
            "claims.html", session, "claims", still_open=still_open, closed=closed, counts=counts,
            claim_tones=CLAIM_TONES, verdict_tones=VERDICT_TONES,
        )  # fmt: skip

    async def incidents(self, request: Request) -> Response:
        """What a person should look at, the newest first."""
        session = await logged_in(self._host, request)
        if session is None:
            return RedirectResponse("/login", status_code=303)
        now_us = self._host.now_us()
        found = await self._read(list_incidents)
        return self._page("incidents.html", session, "incidents", incidents=found, now_us=now_us)

    async def _read(self, operation: Callable[[Connection], T]) -> T:
        return await self._host.store.read(operation)

    def _page(self, template: str, session: OperatorSession, here: str, **values: object) -> Response:
        common: dict[str, object] = {
            "operator": session.operator,
            "form_token": session.form_token,
            "here": here,
            "refresh": _REFRESH_SECONDS,
            "shown_at_us": self._host.now_us(),
        }
        return self._renderer.page(template, common | values)


def _state(text: str) -> DepositState | None:
    return next((state for state in DepositState if state.value == text), None)
