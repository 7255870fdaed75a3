"""What stands on the glass, as plain values: every word final, every amount formatted, nothing left to decide."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class SceneName(Enum):
    """Which picture it is. The values of the contract's views are their field names in ``View.content``."""

    ATTRACT = "attract"
    WAIT = "wait"
    PIN = "pin"
    MENU = "menu"
    ACCOUNTS = "accounts"
    DEPOSIT = "deposit"
    DEPOSIT_RESULT = "deposit_result"
    STATEMENT = "statement"
    NOTICE = "notice"
    GOODBYE = "goodbye"
    OUT_OF_SERVICE = "out_of_service"
    AWAY = "away"
    """The terminal process does not answer; made by the screen itself."""
    UNREADABLE = "unreadable"
    """A view that this screen cannot show; made by the screen itself."""


class ButtonKind(Enum):
    """How strongly a button asks to be touched."""

    PRIMARY = auto()
    SECONDARY = auto()
    QUIET = auto()


class Tone(Enum):
    """How a line should feel."""

    CALM = auto()
    GOOD = auto()
    CAUTION = auto()


class Sign(Enum):
    """A small drawing beside a line of text."""

    IN = auto()
    OUT = auto()
    BUSY = auto()
    DONE = auto()
    INFO = auto()
    CAUTION = auto()
    DEPOSIT = auto()
    STATEMENT = auto()


class Motion(Enum):
    """What the drawn card or note does at its slot."""

    IN = auto()
    OUT = auto()


@dataclass(frozen=True, slots=True)
class Button:
    """Something to touch at the foot of the glass. ``control`` is the contract's name for it."""

    control: str
    label: str
    kind: ButtonKind = ButtonKind.SECONDARY
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Band:
    """A line across the page that stays until its reason goes."""

    text: str
    tone: Tone = Tone.CALM
    sign: Sign = Sign.INFO


@dataclass(frozen=True, slots=True)
class NoteTile:
    """Banknotes of one value. ``face``, the value in major units, decides the colour; a single note has no text."""

    label: str
    face: int
    count_text: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """A service on the attract view."""

    label: str
    detail: str
    sign: Sign
    available: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """A large card to touch: a service, an account."""

    control: str
    label: str
    detail: str = ""
    value: str = ""
    sign: Sign | None = None
    enabled: bool = True


class PinKeyTone(Enum):
    """The colours that PIN pads use everywhere."""

    GREEN = auto()
    YELLOW = auto()
    RED = auto()


@dataclass(frozen=True, slots=True)
class PinKey:
    """A key of the PIN pad, by its usual colour."""

    label: str
    tone: PinKeyTone


@dataclass(frozen=True, slots=True)
class Doubt:
    """A note that nobody can vouch for yet, with the number to ask by."""

    value: str
    claim: str


@dataclass(frozen=True, slots=True)
class Code:
    """A QR code: rows of modules from the top, True is dark; no quiet zone."""

    rows: tuple[tuple[bool, ...], ...]
    caption: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a statement."""

    date: str
    text: str
    amount: str
    incoming: bool


# ---- what fills the page: one of these -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Invitation:
    """Nobody is here: a card at its slot, and what it would open. Also the goodbye, without offers."""

    motion: Motion | None
    offers: tuple[Offer, ...] = ()
    offers_title: str = ""


@dataclass(frozen=True, slots=True)
class Busy:
    """Something takes time."""


@dataclass(frozen=True, slots=True)
class PinEntry:
    """Digits entered out of places shown, and what the pad's keys do."""

    digits: int
    places: int
    instruction: str
    keys: tuple[PinKey, ...]


@dataclass(frozen=True, slots=True)
class Choices:
    """Cards to choose from."""

    items: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """A deposit in progress. ``stage`` says what to do now; ``promise`` what happens to notes that are taken."""

    stage: str
    hint: str
    sign: Sign
    motion: Motion | None
    current: NoteTile | None
    notes: tuple[NoteTile, ...]
    notes_title: str
    promise: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a deposit. ``notes_text`` says the notes in a line, where there is no room for their tiles."""

    notes: tuple[NoteTile, ...]
    notes_title: str
    notes_text: str
    doubts: tuple[Doubt, ...]
    doubts_title: str
    doubts_text: str
    claim_label: str
    code: Code | None


@dataclass(frozen=True, slots=True)
class Table:
    """A statement: the newest lines, oldest first. ``gap`` tells how many earlier ones are left out."""

    opening_label: str
    opening: str
    gap: str
    lines: tuple[Line, ...]
    closing_label: str
    closing: str


@dataclass(frozen=True, slots=True)
class Advice:
    """What happened and what to do next. Services that still work may follow."""

    heading: str
    text: str
    sign: Sign = Sign.INFO
    offers: tuple[Offer, ...] = ()
    offers_title: str = ""


Body = Invitation | Busy | PinEntry | Choices | Tally | Outcome | Table | Advice


@dataclass(frozen=True, slots=True)
class Scene:
    """A whole picture. ``view_id`` is that of the view it was made from, None for the screen's own pictures."""

    view_id: int | None
    name: SceneName
    language: str
    title: str
    body: Body
    hero: str = ""
    hero_label: str = ""
    lead: str = ""
    ribbon: str = ""
    bands: tuple[Band, ...] = ()
    buttons: tuple[Button, ...] = ()
    code: str = ""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a person sees: texts from the top down, and what can be touched. For the hand of demonstrations."""

    view_id: int | None
    name: SceneName
    controls: tuple[str, ...]
    disabled: tuple[str, ...]
    texts: tuple[str, ...]
