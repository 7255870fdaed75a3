# pyright: basic
"""What fills the light page, one builder for each kind of body."""

from __future__ import annotations

from typing import assert_never

from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from kiosk.screen import deposit_bodies, drawings, theme
from kiosk.screen.motion import Dots
from kiosk.screen.pieces import at_right, drawing_side, heading, middle, on_top
from kiosk.screen.scene import (
    Advice,
    Body,
    Busy,
    Choice,
    Choices,
    Invitation,
    Line,
    Offer,
    Outcome,
    PinEntry,
    PinKey,
    PinKeyTone,
    Sign,
    Table,
    Tally,
)
from kiosk.screen.theme import Metrics
from kiosk.screen.widgets import (
    ChoiceCard,
    Column,
    OnTouch,
    Picture,
    Row,
    Scrolled,
    Single,
    Text,
    centred,
    ground,
    sign,
    stacked,
)


def build(body: Body, sizes: Metrics, on_touch: OnTouch) -> Widget:
    """The widget of a body; takes all the height that is left."""
    match body:
        case Invitation():
            return _invitation(body, sizes)
        case Busy():
            return middle(Dots(sizes))
        case PinEntry():
            return _pin(body, sizes)
        case Choices():
            return _choices(body, sizes, on_touch)
        case Tally():
            return deposit_bodies.tally(body, sizes)
        case Outcome():
            return deposit_bodies.outcome(body, sizes)
        case Table():
            return _table(body, sizes)
        case Advice():
            return _advice(body, sizes)
    assert_never(body)


# ---- attract, goodbye ------------------------------------------------------------------------------------------------


def _invitation(body: Invitation, sizes: Metrics) -> Widget:
    holder = BoxLayout(orientation="vertical", spacing=sizes.gap)
    if body.motion is not None:
        holder.add_widget(Picture(drawings.card_at_slot(body.motion, drawing_side(sizes))))
    elif not body.offers:
        holder.add_widget(Picture(drawings.sign(Sign.DONE, round(sizes.sign * 2.4), theme.GOOD_SOFT, theme.GOOD)))
    if body.offers:
        holder.add_widget(_offers(body.offers, sizes))
    if body.motion is None and body.offers:
        holder.add_widget(Widget())
    return holder


def _offers(offers: tuple[Offer, ...], sizes: Metrics) -> Widget:
    return Column(*[_offer(offer, sizes) for offer in offers], spacing=round(sizes.gap * 0.7))


def _offer(offer: Offer, sizes: Metrics) -> Widget:
    ink = theme.INK if offer.available else theme.MUTED
    disc = sign(offer.sign, sizes.sign, theme.INK if offer.available else theme.FAINT, theme.ON_INK)
    name = Text(offer.label, sizes.body, ink, bold=True)
    detail = Text(offer.detail, sizes.small, theme.MUTED)
    row = Row(
        centred(disc),
        stacked(name, detail, spacing=0),
        height=round(sizes.sign * 1.5),
        spacing=sizes.gap,
        padding=[sizes.gap, 0],
    )
    ground(row, theme.CARD if offer.available else theme.PAPER, sizes.radius, theme.HAIRLINE)
    return row


# ---- PIN -------------------------------------------------------------------------------------------------------------


def _pin(body: PinEntry, sizes: Metrics) -> Widget:
    side = round(min(sizes.sign * 0.62, sizes.page / (body.places * 1.8 + 1)))
    dots = Row(*[_place(index < body.digits, side) for index in range(body.places)], height=side, spacing=side * 0.8)
    field = BoxLayout(size_hint_y=None, height=round(sizes.sign * 2), padding=[0, round(sizes.sign - side / 2)])
    ground(field, theme.CARD, sizes.radius, theme.HAIRLINE)
    field.add_widget(_across(dots))
    keys = Row(*[_key(key, sizes) for key in body.keys], height=sizes.row, spacing=sizes.gap * 2)
    return middle(
        Text(body.instruction, sizes.body, theme.INK, align="center"),
        field,
        _across(keys),
        spacing=round(sizes.gap * 1.6),
    )


def _across(row: Row) -> Widget:
    """A row as wide as its children, in the middle of the page's width."""
    row.size_hint_x = None
    row.bind(minimum_width=row.setter("width"))
    return Row(Widget(), row, Widget(), height=row.height)


def _place(filled: bool, side: int) -> Widget:
    dot = Widget(size_hint=(None, None), size=(side, side))
    ground(dot, theme.INK if filled else theme.PAPER, side / 2, theme.INK if filled else theme.FAINT)
    return dot


_KEYS = {
    PinKeyTone.GREEN: theme.KEY_GREEN,
    PinKeyTone.YELLOW: theme.KEY_YELLOW,
    PinKeyTone.RED: theme.KEY_RED,
}


def _key(key: PinKey, sizes: Metrics) -> Widget:
    cap = Widget(size_hint=(None, None), size=(round(sizes.row * 0.9), round(sizes.row * 0.56)))
    ground(cap, _KEYS[key.tone], sizes.radius * 0.4)
    row = Row(
        centred(cap), at_right(key.label, sizes.small, theme.INK), height=sizes.row, spacing=round(sizes.gap * 0.6)
    )
    row.size_hint_x = None
    row.bind(minimum_width=row.setter("width"))
    return row


# ---- menu, accounts --------------------------------------------------------------------------------------------------


_FEW = 3


def _choices(body: Choices, sizes: Metrics, on_touch: OnTouch) -> Widget:
    height = round(sizes.choice * (1.25 if len(body.items) <= _FEW else 1))
    return Scrolled(Column(*[_choice(item, sizes, height, on_touch) for item in body.items], spacing=sizes.gap), sizes)


def _choice(item: Choice, sizes: Metrics, height: int, on_touch: OnTouch) -> Widget:
    card = ChoiceCard(item.control, on_touch, sizes, height=height, enabled=item.enabled)
    ink = theme.INK if item.enabled else theme.MUTED
    if item.sign is not None:
        disc = theme.INK if item.enabled else theme.FAINT
        card.add_widget(centred(sign(item.sign, round(sizes.sign * 1.15), disc, theme.ON_INK)))
    name = Single(item.label, sizes.heading, ink, bold=True)
    name.size_hint_y, name.height = None, round(sizes.heading * 1.25)
    texts = [name]
    if item.detail:
        detail = Single(item.detail, sizes.small, theme.MUTED)
        detail.size_hint_y, detail.height = None, round(sizes.small * 1.3)
        texts.append(detail)
    card.add_widget(stacked(*texts, spacing=0))
    if item.value:
        card.add_widget(at_right(item.value, sizes.body, ink))
    return card


# ---- statement -------------------------------------------------------------------------------------------------------


def _table(body: Table, sizes: Metrics) -> Widget:
    lines = [_balance(body.opening_label, body.opening, sizes), _rule()]
    if body.gap:
        lines += [_gap(body.gap, sizes), _rule()]
    lines += [_line(line, sizes) for line in body.lines]
    closing = _balance(body.closing_label, body.closing, sizes, strong=True)
    return on_top(Column(*lines), closing, spacing=round(sizes.gap * 0.5))


def _gap(text: str, sizes: Metrics) -> Widget:
    return Row(Single(text, sizes.tiny, theme.MUTED, align="center"), height=round(sizes.row * 0.8))


def _balance(label: str, value: str, sizes: Metrics, *, strong: bool = False) -> Widget:
    size = sizes.body if strong else sizes.small
    row = Row(
        Single(label, size, theme.INK if strong else theme.MUTED, bold=strong),
        at_right(value, size, theme.INK),
        height=round(sizes.row * (1.3 if strong else 1.0)),
        spacing=sizes.gap,
        padding=[sizes.gap, 0],
    )
    if strong:
        ground(row, theme.CALM_SOFT, sizes.radius * 0.6)
    return row


def _line(line: Line, sizes: Metrics) -> Widget:
    date = Single(line.date, sizes.small, theme.MUTED)
    date.size_hint_x, date.width = None, sizes.small * 4
    value = at_right(line.amount, sizes.small, theme.GOOD if line.incoming else theme.INK)
    row = Row(
        date,
        Single(line.text, sizes.small, theme.INK),
        value,
        height=sizes.row,
        spacing=sizes.gap,
        padding=[sizes.gap, 0],
    )
    return Column(row, _rule())


def _rule() -> Widget:
    rule = Widget(size_hint_y=None, height=1)
    ground(rule, theme.HAIRLINE)
    return rule


# ---- notice, out of service ------------------------------------------------------------------------------------------


def _advice(body: Advice, sizes: Metrics) -> Widget:
    disc = sign(body.sign, round(sizes.sign * 1.3), theme.CALM_SOFT, theme.INK)
    parts: list[Widget] = [
        Row(disc, height=disc.height),
        Text(body.heading, sizes.heading, theme.INK, bold=True),
        Text(body.text, sizes.body, theme.INK),
    ]
    if body.offers:
        parts += [heading(body.offers_title, sizes), _offers(body.offers, sizes)]
    return on_top(*parts, spacing=sizes.gap)
