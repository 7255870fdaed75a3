"""From the contract's view to a scene. Pure: the same view and room give the same scene.

Never a dead end: a view without content, of a kind that this build does not know, or with an amount that both ends
refuse becomes a safe scene with a code for the engineer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from guichet.money import MoneyError
from guichet.v1 import screen_pb2 as pb
from kiosk.screen import deposit_presenters, formats, texts
from kiosk.screen.parts import button, known, offers, reply
from kiosk.screen.scene import (
    Advice,
    Band,
    Body,
    Busy,
    ButtonKind,
    Choice,
    Choices,
    Invitation,
    Line,
    Motion,
    PinEntry,
    PinKey,
    PinKeyTone,
    Scene,
    SceneName,
    Sign,
    Table,
    Tone,
)
from kiosk.screen.words import Words

_PIN_PLACES = 4


@dataclass(frozen=True, slots=True)
class Room:
    """How much the glass holds: lines of a statement."""

    statement_lines: int = 12


def present(view: pb.View, room: Room, words: Words) -> Scene:
    """The scene of ``view`` in the language of ``words`` (that of the view; passed in because catalogues are files)."""
    try:
        scene = _scene(view, room, words)
    except MoneyError:
        scene = unreadable("screen-amount", words)
    ribbon = words("Training: no real money moves here") if view.training else ""
    return replace(scene, view_id=view.view_id, ribbon=ribbon)


def _scene(view: pb.View, room: Room, words: Words) -> Scene:
    match view.WhichOneof("content"):
        case "attract":
            return attract(view.attract, words)
        case "wait":
            return wait(view.wait, words)
        case "pin":
            return pin(view.pin, words)
        case "menu":
            return menu(view.menu, words)
        case "accounts":
            return accounts(view.accounts, words)
        case "deposit":
            return deposit_presenters.deposit(view.deposit, words)
        case "deposit_result":
            return deposit_presenters.deposit_result(view.deposit_result, words)
        case "statement":
            return statement(view.statement, room, words)
        case "notice":
            return notice(view.notice, words)
        case "goodbye":
            return goodbye(view.goodbye, words)
        case "out_of_service":
            return out_of_service(view.out_of_service, words)
        case None:
            return unreadable("screen-view", words)


def _plain(name: SceneName, words: Words, title: str, body: Body) -> Scene:
    return Scene(None, name, words.language, title, body)


def away(words: Words) -> Scene:
    """The terminal process does not answer."""
    return replace(
        _plain(SceneName.AWAY, words, words("A moment, please"), Busy()),
        lead=words("This terminal is coming back. What it has taken is recorded."),
    )


def unreadable(code: str, words: Words) -> Scene:
    """A view that cannot be shown. It promises nothing that this screen cannot know."""
    said = known(texts.NOTICES, pb.NOTICE_UNSPECIFIED)
    body = Advice(words(said.event), words(said.next_step))
    return replace(_plain(SceneName.UNREADABLE, words, words(said.money), body), code=_for_engineer(code, words))


def attract(view: pb.AttractView, words: Words) -> Scene:
    """Nobody is here."""
    bands = () if view.paper else (Band(words("No paper just now: receipts are shown on the screen."), Tone.CAUTION),)
    some = bool(view.available)
    title = words("Insert your card") if some else words("Not available just now")
    lead = words("Then choose what you would like to do.") if some else words("Please use another terminal.")
    if some and view.host_away:
        lead = words("Our bank system does not answer just now. Some cards can deposit all the same.")
    body = Invitation(Motion.IN if some else None, offers(view.available, view.unavailable, words))
    return replace(_plain(SceneName.ATTRACT, words, title, body), lead=lead, bands=bands)


def wait(view: pb.WaitView, words: Words) -> Scene:
    """Something takes time."""
    said = known(texts.WAITS, view.reason)
    return replace(_plain(SceneName.WAIT, words, words(said.title), Busy()), lead=reply(words, said.detail))


def pin(view: pb.PinView, words: Words) -> Scene:
    """The PIN, which nobody sees: only how many digits there are."""
    keys = (
        PinKey(words("Confirm"), PinKeyTone.GREEN),
        PinKey(words("Correct"), PinKeyTone.YELLOW),
        PinKey(words("Cancel"), PinKeyTone.RED),
    )
    instruction = words("Use the keys of the PIN pad. Cover your hand.")
    body = PinEntry(view.digits, max(_PIN_PLACES, view.digits), instruction, keys)
    bands: list[Band] = []
    if view.HasField("tries_left"):
        bands.append(Band(_wrong_pin(view.tries_left, words), Tone.CAUTION, Sign.CAUTION))
    if view.software_pad:
        text = words("This PIN pad is a program, for training. Never enter the PIN of a real card.")
        bands.append(Band(text, Tone.CAUTION, Sign.CAUTION))
    scene = _plain(SceneName.PIN, words, words("Enter your PIN"), body)
    lead = words("Card {card}", card=formats.masked(view.card_masked)) if view.card_masked else ""
    return replace(scene, lead=lead, bands=tuple(bands))


def _wrong_pin(tries: int, words: Words) -> str:
    return words.count(
        "That PIN was not right. You have one more try.", "That PIN was not right. You have {number} more tries.", tries
    )


def menu(view: pb.MenuView, words: Words) -> Scene:
    """What the card opens."""
    items = [_service_choice(service, True, words) for service in view.available]
    items += [_service_choice(service, False, words) for service in view.unavailable]
    known_items = tuple(item for item in items if item is not None)
    name = view.customer_name
    title = words("Hello, {name}", name=name) if name else words("Hello")
    return replace(
        _plain(SceneName.MENU, words, title, Choices(known_items)),
        lead=words("What would you like to do?"),
        buttons=(button("finish", ButtonKind.SECONDARY, words, words("Finish and take card")),),
    )


_SERVICE_CONTROLS = {pb.SERVICE_STATEMENT: "statement", pb.SERVICE_DEPOSIT: "deposit"}


def _service_choice(service: pb.Service.ValueType, available: bool, words: Words) -> Choice | None:
    control = _SERVICE_CONTROLS.get(service)
    if control is None:
        return None  # the contract has no control for it, so a touch could not say what was meant
    said = texts.SERVICES[service]
    detail = words(said.detail) if available else words("Not available just now")
    return Choice(control, words(said.label), detail, sign=said.sign, enabled=available)


def accounts(view: pb.AccountsView, words: Words) -> Scene:
    """Which account it is about."""
    items = tuple(
        Choice(
            account.account_id,
            account.product or words("Account"),
            formats.masked(account.masked_number),
            value=formats.amount(formats.money(account.balance)) if account.HasField("balance") else "",
        )
        for account in view.accounts
    )
    title = words(known(texts.PURPOSES, view.purpose))
    scene = _plain(SceneName.ACCOUNTS, words, title, Choices(items))
    lead = words("Touch the account.") if items else words("There is no account here that this is possible for.")
    return replace(scene, lead=lead, buttons=(button("back", ButtonKind.SECONDARY, words),))


def statement(view: pb.StatementView, room: Room, words: Words) -> Scene:
    """The newest lines of an account, and paper where there is some."""
    shown = view.lines[max(0, len(view.lines) - room.statement_lines) :]
    hidden = max(view.lines_in_all, len(view.lines)) - len(shown)
    gap = words.count("One earlier line is not shown", "{number} earlier lines are not shown", hidden) if hidden else ""
    body = Table(
        words("Balance on {day}", day=formats.day(view.from_date)),
        formats.amount(formats.money(view.opening_balance)) if view.HasField("opening_balance") else "",
        gap,
        tuple(_line(line) for line in shown),
        words("Balance on {day}", day=formats.day(view.to_date)),
        formats.amount(formats.money(view.closing_balance)) if view.HasField("closing_balance") else "",
    )
    buttons = [button("back", ButtonKind.SECONDARY, words)]
    if view.paper and not view.printed:
        buttons.append(button("print", ButtonKind.PRIMARY, words))
    scene = _plain(SceneName.STATEMENT, words, words("Your statement"), body)
    lead = words("Account {account}", account=formats.masked(view.account_masked))
    lead = f"{view.holder}\n{lead}" if view.holder else lead
    return replace(scene, lead=lead, bands=_paper_bands(view, words), buttons=tuple(buttons))


def _paper_bands(view: pb.StatementView, words: Words) -> tuple[Band, ...]:
    if view.printed:
        return (Band(words("Printed. Please take the paper."), Tone.GOOD, Sign.DONE),)
    if not view.paper:
        return (Band(words("No paper just now: this statement cannot be printed."), Tone.CAUTION),)
    return ()


def _line(line: pb.StatementViewLine) -> Line:
    value = formats.money(line.amount) if line.HasField("amount") else None
    text = formats.signed(value) if value is not None else ""
    return Line(formats.short_day(line.date), line.text, text, incoming=value is not None and value.minor > 0)


def notice(view: pb.NoticeView, words: Words) -> Scene:
    """Something to know: the money first, what to do next second, the code last."""
    said = known(texts.NOTICES, view.notice)
    scene = _plain(SceneName.NOTICE, words, words(said.money), Advice(words(said.event), words(said.next_step)))
    hero = formats.amount(formats.money(view.amount)) if view.HasField("amount") else ""
    wanted = tuple(view.controls)
    buttons = tuple(
        button(control, _notice_kind(control, wanted), words, _notice_label(view.notice, control, words))
        for control in wanted
    )
    return replace(scene, hero=hero, buttons=buttons, code=_for_engineer(view.code, words))


def _for_engineer(code: str, words: Words) -> str:
    return words("Code {code}", code=code) if code else ""


def _notice_kind(control: str, controls: tuple[str, ...]) -> ButtonKind:
    forward = next((name for name in ("continue", "done", "back") if name in controls), controls[0])
    return ButtonKind.PRIMARY if control == forward else ButtonKind.SECONDARY


def _notice_label(which: pb.Notice.ValueType, control: str, words: Words) -> str:
    if which == pb.NOTICE_OFFLINE_DEPOSIT and control in ("continue", "back"):
        return words("Yes, deposit") if control == "continue" else words("No, take card")
    if which == pb.NOTICE_NO_RECEIPT and control == "continue":
        return words("Yes, go on")
    if which == pb.NOTICE_NO_RECEIPT and control == "no":
        return words("No, do not deposit")
    return ""


def goodbye(view: pb.GoodbyeView, words: Words) -> Scene:
    """The session is over."""
    if view.card_inside:
        scene = _plain(SceneName.GOODBYE, words, words("Please take your card"), Invitation(Motion.OUT))
        return replace(scene, lead=words("Thank you. Have a good day."))
    scene = _plain(SceneName.GOODBYE, words, words("Thank you"), Invitation(None))
    return replace(scene, lead=words("Have a good day."))


def out_of_service(view: pb.OutOfServiceView, words: Words) -> Scene:
    """Nobody can be served fully; says what still works."""
    still = offers(view.still_works, (), words)
    heading = words("We are sorry.")
    text = words("This terminal cannot serve you just now. Please use another one, or come back a little later.")
    body = Advice(heading, text, Sign.CAUTION, still, words("This still works") if still else "")
    return replace(
        _plain(SceneName.OUT_OF_SERVICE, words, words("Out of service"), body), code=_for_engineer(view.code, words)
    )
