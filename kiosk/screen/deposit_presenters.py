"""The two views of a deposit: while notes come in, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable

import segno

from guichet.v1 import money_pb2
from guichet.v1 import screen_pb2 as pb
from kiosk.screen import formats, texts
from kiosk.screen.parts import button, known, reply
from kiosk.screen.scene import (
    Band,
    Button,
    ButtonKind,
    Code,
    Doubt,
    Motion,
    NoteTile,
    Outcome,
    Scene,
    SceneName,
    Sign,
    Tally,
    Tone,
)
from kiosk.screen.words import Words

_IDLE_STAGES = (pb.DEPOSIT_STAGE_INSERT_FIRST, pb.DEPOSIT_STAGE_INSERT_MORE, pb.DEPOSIT_STAGE_HOLD_ON)


_MOTIONS = {Sign.IN: Motion.IN, Sign.OUT: Motion.OUT}


def deposit(view: pb.DepositView, words: Words) -> Scene:
    """Notes come in, one at a time."""
    said = known(texts.STAGES, view.stage)
    current = _tile(view.current_note) if view.HasField("current_note") else None
    stage, hint = words(said.stage), _reason_back(view, words) or words(said.hint)
    return Scene(
        None,
        SceneName.DEPOSIT,
        words.language,
        words("Deposit cash"),
        Tally(
            stage,
            hint,
            said.sign,
            _MOTIONS.get(said.sign),
            current,
            _tiles(view.notes),
            words("Taken so far"),
            _promise(view, words),
        ),
        hero=_total(view.total, view.HasField("total")),
        hero_label=words("Total"),
        lead=_whose(view, words),
        bands=_deposit_bands(view, words),
        buttons=_deposit_buttons(view, words),
    )


def _whose(view: pb.DepositView, words: Words) -> str:
    if not view.card_masked:
        return words("To account {account}", account=formats.masked(view.account_masked))
    card = words("To the account of card {card}", card=formats.masked(view.card_masked))
    if not view.HasField("left"):
        return card
    return f"{card}\n" + words("Up to {amount} more", amount=formats.amount(formats.money(view.left)))


def _total(total: money_pb2.Money, present: bool) -> str:
    return formats.amount(formats.money(total)) if present else ""


_AFTER_A_NOTE = (pb.DEPOSIT_STAGE_INSERT_FIRST, pb.DEPOSIT_STAGE_INSERT_MORE, pb.DEPOSIT_STAGE_RETURNING)


def _reason_back(view: pb.DepositView, words: Words) -> str:
    """Why the last note came back; of no interest any more while another is looked at."""
    return reply(words, known(texts.NOTES_BACK, view.note_back)) if view.stage in _AFTER_A_NOTE else ""


def _promise(view: pb.DepositView, words: Words) -> str:
    if _before_first(view):
        return words("Notes taken are credited to your account and are not given back.")
    return "" if view.host_away else words("Notes taken are credited to your account.")


def _before_first(view: pb.DepositView) -> bool:
    return not view.notes and view.total.minor == 0 and view.stage != pb.DEPOSIT_STAGE_INSERT_MORE


def _deposit_bands(view: pb.DepositView, words: Words) -> tuple[Band, ...]:
    bands: list[Band] = []
    if view.host_away:
        text = words(
            "Our bank system does not answer just now. Notes taken are recorded here, and credited when it does."
        )
        bands.append(Band(text, Tone.CAUTION, Sign.INFO))
    if view.no_receipt:
        bands.append(Band(words("No paper: your receipt will be a code on the screen."), Tone.CALM, Sign.INFO))
    return tuple(bands)


def _deposit_buttons(view: pb.DepositView, words: Words) -> tuple[Button, ...]:
    idle = view.stage in _IDLE_STAGES
    buttons: list[Button] = []
    if view.stage == pb.DEPOSIT_STAGE_CHECKING_NOTE:
        buttons.append(button("give_back", ButtonKind.SECONDARY, words, enabled=view.HasField("current_note")))
    if _before_first(view):
        buttons.append(button("cancel", ButtonKind.SECONDARY, words, enabled=idle))
    else:
        buttons.append(button("finish", ButtonKind.PRIMARY, words, enabled=idle))
    return tuple(buttons)


def deposit_result(view: pb.DepositResultView, words: Words) -> Scene:
    """What became of the deposit: the money first."""
    said = known(texts.DEPOSIT_STATES, view.state)
    empty = view.state == pb.DEPOSIT_STATE_EMPTY
    return Scene(
        None,
        SceneName.DEPOSIT_RESULT,
        words.language,
        words(said.title) if not (empty and view.in_doubt) else words("Nothing is credited yet"),
        _outcome(view, words),
        hero="" if empty else _total(view.total, view.HasField("total")),
        lead=_where(view, said.detail, words),
        bands=_result_bands(view, words),
        buttons=_result_buttons(view, words),
        code=words("Reference {reference}", reference=view.deposit_id[-8:].upper()) if view.deposit_id else "",
    )


def _where(view: pb.DepositResultView, detail: str, words: Words) -> str:
    """Where the money goes: to an account, or to that of a card, where nobody here knows which that is."""
    account, card = formats.masked(view.account_masked), formats.masked(view.card_masked)
    text = known(texts.DEPOSIT_STATES_BY_CARD, view.state) if card else detail
    fields = {name: value for name, value in {"account": account, "card": card}.items() if f"{{{name}}}" in text}
    return words(text, **fields)


def _outcome(view: pb.DepositResultView, words: Words) -> Outcome:
    doubts = tuple(Doubt(formats.note(formats.money(note.value)), note.claim_number) for note in view.in_doubt)
    title = words.count("One note could not be confirmed", "{number} notes could not be confirmed", len(doubts))
    text = words("We count the cash box and answer you. Nothing is lost: please keep the number.")
    return Outcome(
        _tiles(view.notes),
        words("Notes taken") if view.notes else "",
        ",  ".join(f"{tile.count_text.removeprefix('× ')} × {tile.label}" for tile in _tiles(view.notes)),
        doubts,
        title if doubts else "",
        text if doubts else "",
        words("Claim number") if doubts else "",
        _code(view, words),
    )


def _code(view: pb.DepositResultView, words: Words) -> Code | None:
    if view.receipt != pb.RECEIPT_STATE_ON_SCREEN or not view.receipt_code:
        return None
    try:
        code = segno.make_qr(view.receipt_code, error="l")
    except segno.DataOverflowError:
        return None  # more text than a code holds; the reference at the foot of the page still finds the deposit
    rows = tuple(tuple(bool(module) for module in row) for row in code.matrix)
    return Code(rows, words("No paper: this code is your receipt. Scan it with your phone."))


def _result_bands(view: pb.DepositResultView, words: Words) -> tuple[Band, ...]:
    bands: list[Band] = []
    if stop := reply(words, known(texts.DEPOSIT_STOPS, view.stop)):
        bands.append(Band(stop, Tone.CAUTION, Sign.INFO))
    receipt = reply(words, known(texts.RECEIPTS, view.receipt))
    if receipt and _code(view, words) is None:
        printed = view.receipt == pb.RECEIPT_STATE_PRINTED
        bands.append(Band(receipt, Tone.GOOD if printed else Tone.CALM, Sign.DONE if printed else Sign.INFO))
    return tuple(bands)


def _result_buttons(view: pb.DepositResultView, words: Words) -> tuple[Button, ...]:
    done = button("done", ButtonKind.PRIMARY, words)
    if view.receipt == pb.RECEIPT_STATE_OFFERED:
        return (button("receipt", ButtonKind.SECONDARY, words), done)
    return (done,)


def _tiles(notes: Iterable[pb.NoteCount]) -> tuple[NoteTile, ...]:
    """The largest value first; counts of none are left out."""
    counted = [note for note in notes if note.count]
    counted.sort(key=lambda note: -note.value.minor)
    return tuple(_tile(note.value, note.count) for note in counted)


def _tile(message: money_pb2.Money, count: int = 0) -> NoteTile:
    value = formats.money(message)
    return NoteTile(formats.note(value), formats.face(value), f"× {count}" if count else "")
