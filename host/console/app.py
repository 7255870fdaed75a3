"""The operations console as a web application: pages that are read, a log-in, a log-out."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from host.assembly import Host
from host.console.login import LoginPages
from host.console.pages import Pages

_HERE = Path(__file__).parent

# Nothing is loaded from elsewhere, nothing runs, no other page can frame or post to this one.
_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        b"frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


class StrictHeaders:
    """Adds the headers to every answer, also to errors."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def build_app(host: Host) -> Starlette:
    """The application over a host. Only requests to the configured names are answered (DNS rebinding)."""
    pages, login = Pages(host), LoginPages(host)
    return Starlette(
        routes=[
            Route("/", pages.front, methods=["GET"]),
            Route("/login", login.show, methods=["GET"]),
            Route("/login", login.log_in, methods=["POST"]),
            Route("/logout", login.log_out, methods=["POST"]),
            Route("/fleet", pages.fleet, methods=["GET"]),
            Route("/deposits", pages.deposits, methods=["GET"]),
            Route("/claims", pages.claims, methods=["GET"]),
            Route("/incidents", pages.incidents, methods=["GET"]),
            Mount("/static", StaticFiles(directory=_HERE / "static")),
        ],
        middleware=[
            Middleware(StrictHeaders),
            Middleware(TrustedHostMiddleware, allowed_hosts=[*host.config.names, host.config.console_address]),
        ],
    )
