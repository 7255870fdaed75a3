"""Pages from templates: everything that comes out of the database is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from guichet.ids import short
from guichet.money import Money
from host.bankdays import in_words


class Renderer:
    """Renders for a bank in ``zone`` (an IANA name)."""

    def __init__(self, zone: str) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        filters = self._environment.filters
        filters["moment"] = partial(_moment, zone)
        filters["money"] = _money
        filters["short"] = short
        filters["ago"] = ago

    def page(self, template: str, values: Mapping[str, object], status: int = 200) -> HTMLResponse:
        """The page of ``template`` with ``values``."""
        return HTMLResponse(self._environment.get_template(template).render(values), status_code=status)


def _moment(zone: str, wall_us: int) -> str:
    return in_words(wall_us, zone)


def _money(money: Money) -> str:
    """An amount for people: 1 234.50 EUR, with narrow no-break spaces between thousands."""
    whole, point, cents = money.major.partition(".")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    grouped = f"{int(digits):,}".replace(",", "\u202f")
    return f"{sign}{grouped}{point}{cents}\u00a0{money.currency.code}"


def ago(span_us: int) -> str:
    """How long ago something was: 12 s, 5 min, 3 h, 2 d."""
    seconds = max(span_us, 0) // 1_000_000
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size}\u00a0{unit}"
    return f"{seconds}\u00a0s"
