"""Log-in and log-out: the only forms of the console, each with a token that another site cannot know."""

from __future__ import annotations

import hmac
import logging

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from host.assembly import Host
from host.console.operators import LIFE_US, OperatorSession, TooManyFailures, find_session, log_in, log_out
from host.console.render import Renderer
from host.log import event

SESSION_COOKIE = "guichet_operator"
FORM_COOKIE = "guichet_form"
_MAX_FIELD = 200

_log = logging.getLogger(__name__)


async def logged_in(host: Host, request: Request) -> OperatorSession | None:
    """Who is logged in; None for nobody."""
    token = request.cookies.get(SESSION_COOKIE, "")
    if not token or len(token) > _MAX_FIELD:
        return None
    now_us = host.now_us()
    return await host.store.run(lambda connection: find_session(connection, token, now_us))


class LoginPages:
    """The log-in's form, what it is sent to, and the way out."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._renderer = Renderer(host.config.zone)

    async def show(self, request: Request) -> Response:
        """The form."""
        if await logged_in(self._host, request) is not None:
            return RedirectResponse("/fleet", status_code=303)
        return self._form(request, "", 200)

    async def log_in(self, request: Request) -> Response:
        """Check name and password; on success, a session in a cookie that no script and no other site can use."""
        form = await request.form(max_files=0, max_fields=8)
        if not _same(request.cookies.get(FORM_COOKIE, ""), _field(form, "form_token")):
            return self._form(request, "This form was too old. Please try again.", 403)
        name, password, origin = _field(form, "name"), _field(form, "password"), _origin(request)
        now_us, random = self._host.now_us(), self._host.seams.random
        try:
            session = await self._host.store.run(lambda c: log_in(c, name, password, origin, random, now_us))
        except TooManyFailures:
            event(_log, "console.throttled", level=logging.WARNING, origin=origin)
            return self._form(request, "Too many wrong passwords. Wait a quarter of an hour.", 429)
        if session is None:
            event(_log, "console.refused", level=logging.WARNING, origin=origin)
            return self._form(request, "Wrong name or password.", 401)
        event(_log, "console.logged-in", operator=session.operator)
        response = RedirectResponse("/fleet", status_code=303)
        _set(response, request, SESSION_COOKIE, session.token, LIFE_US // 1_000_000)
        response.delete_cookie(FORM_COOKIE)
        return response

    async def log_out(self, request: Request) -> Response:
        """End the session."""
        session = await logged_in(self._host, request)
        form = await request.form(max_files=0, max_fields=8)
        response = RedirectResponse("/login", status_code=303)
        if session is None:
            return response
        if not _same(session.form_token, _field(form, "form_token")):
            return Response("This form was too old.", status_code=403)
        now_us, origin = self._host.now_us(), _origin(request)
        await self._host.store.run(lambda connection: log_out(connection, session, origin, now_us))
        event(_log, "console.logged-out", operator=session.operator)
        response.delete_cookie(SESSION_COOKIE)
        return response

    def _form(self, request: Request, problem: str, status: int) -> Response:
        token = self._host.seams.random.bytes(24).hex()
        response = self._renderer.page("login.html", {"problem": problem, "form_token": token}, status)
        _set(response, request, FORM_COOKIE, token, 3600)
        return response


def _set(response: Response, request: Request, name: str, value: str, seconds: int) -> None:
    secure = request.url.scheme == "https"
    response.set_cookie(name, value, max_age=seconds, httponly=True, samesite="strict", secure=secure)


def _field(form: FormData, name: str) -> str:
    value = form.get(name)
    return value[:_MAX_FIELD] if isinstance(value, str) else ""


def _same(expected: str, given: str) -> bool:
    return bool(expected) and hmac.compare_digest(expected.encode(), given.encode())


def _origin(request: Request) -> str:
    return request.client.host if request.client is not None else "unknown"
