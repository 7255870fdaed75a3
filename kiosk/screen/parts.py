"""Small pieces that several presenters share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from guichet.v1 import screen_pb2 as pb
from kiosk.screen import texts
from kiosk.screen.scene import Button, ButtonKind, Offer
from kiosk.screen.words import Words

Key = TypeVar("Key", bound=int)
Value = TypeVar("Value")


def known(table: Mapping[Key, Value], key: Key) -> Value:
    """What a table says of ``key``; a value that a newer terminal knows and this screen does not reads as its zero."""
    found = table.get(key)
    return found if found is not None else next(value for number, value in table.items() if number == 0)


def reply(words: Words, text: str, **fields: str) -> str:
    """``text`` in the language, or nothing for nothing (gettext answers its own header to an empty text)."""
    return words(text, **fields) if text else ""


def button(control: str, kind: ButtonKind, words: Words, label: str = "", *, enabled: bool = True) -> Button:
    """A button for a control; a control without a text of its own is labelled by its name."""
    text = label or reply(words, texts.CONTROLS.get(control, ""))
    return Button(control, text or control.replace("_", " ").capitalize(), kind, enabled)


def offers(
    available: Iterable[pb.Service.ValueType], unavailable: Iterable[pb.Service.ValueType], words: Words
) -> tuple[Offer, ...]:
    """Services with what they do, those that work first."""
    return tuple(
        [_offer(service, True, words) for service in available]
        + [_offer(service, False, words) for service in unavailable]
    )


def _offer(service: pb.Service.ValueType, available: bool, words: Words) -> Offer:
    said = known(texts.SERVICES, service)
    return Offer(
        words(said.label), words(said.detail) if available else words("Not available just now"), said.sign, available
    )
