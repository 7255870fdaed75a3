"""What the contract's enumerations say to a person, in English: the sources of translation.

Every value of every enumeration stands here, its zero included; a test goes through the contract's descriptors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from guichet.v1 import screen_pb2 as pb
from kiosk.screen.scene import Sign
from kiosk.screen.words import N_


@dataclass(frozen=True, slots=True)
class Said:
    """A title and what goes with it."""

    title: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ServiceText:
    """A service, what it does, and its sign."""

    label: str
    detail: str
    sign: Sign


@dataclass(frozen=True, slots=True)
class NoticeText:
    """The money first, then what happened, then what to do next."""

    money: str
    event: str
    next_step: str


@dataclass(frozen=True, slots=True)
class StageText:
    """What the deposit does now and what the person does."""

    stage: str
    hint: str
    sign: Sign


SERVICES: Final = {
    pb.SERVICE_UNSPECIFIED: ServiceText(N_("Another service"), N_("Ask at the counter"), Sign.INFO),
    pb.SERVICE_STATEMENT: ServiceText(
        N_("Account statement"), N_("The newest entries of your account"), Sign.STATEMENT
    ),
    pb.SERVICE_DEPOSIT: ServiceText(N_("Deposit cash"), N_("Into your own account"), Sign.DEPOSIT),
}

PURPOSES: Final = {
    pb.SERVICE_UNSPECIFIED: N_("Which account?"),
    pb.SERVICE_STATEMENT: N_("A statement of which account?"),
    pb.SERVICE_DEPOSIT: N_("Deposit into which account?"),
}

WAITS: Final = {
    pb.WAIT_REASON_UNSPECIFIED: Said(N_("A moment, please")),
    pb.WAIT_REASON_STARTING: Said(N_("Getting ready"), N_("A moment, please. This terminal is starting.")),
    pb.WAIT_REASON_READING_CARD: Said(N_("Reading your card"), N_("Please leave it in the reader.")),
    pb.WAIT_REASON_CHECKING_PIN: Said(N_("Checking your PIN"), N_("This takes a moment.")),
    pb.WAIT_REASON_FETCHING_STATEMENT: Said(N_("Fetching your statement"), N_("This takes a moment.")),
    pb.WAIT_REASON_PRINTING: Said(N_("Printing"), N_("Please wait until the paper stops.")),
    pb.WAIT_REASON_FINISHING_DEPOSIT: Said(N_("Finishing your deposit"), N_("Every note is recorded.")),
    pb.WAIT_REASON_PREPARING_CASH: Said(N_("Opening the note slot"), N_("Please do not insert notes yet.")),
}

STAGES: Final = {
    pb.DEPOSIT_STAGE_UNSPECIFIED: StageText(N_("A moment, please"), N_("Please do not insert a note now."), Sign.BUSY),
    pb.DEPOSIT_STAGE_INSERT_FIRST: StageText(
        N_("Insert your first note"), N_("One at a time, flat, without clips."), Sign.IN
    ),
    pb.DEPOSIT_STAGE_INSERT_MORE: StageText(N_("Insert the next note"), N_("Or finish the deposit."), Sign.IN),
    pb.DEPOSIT_STAGE_CHECKING_NOTE: StageText(N_("Checking your note"), N_("You can still have it back."), Sign.BUSY),
    pb.DEPOSIT_STAGE_STACKING: StageText(
        N_("Taking your note"), N_("Please wait before you insert the next one."), Sign.BUSY
    ),
    pb.DEPOSIT_STAGE_RETURNING: StageText(
        N_("Please take your note back"), N_("It is at the slot. It has not been credited."), Sign.OUT
    ),
    pb.DEPOSIT_STAGE_HOLD_ON: StageText(N_("A moment, please"), N_("Please do not insert a note now."), Sign.BUSY),
}

NOTES_BACK: Final = {
    pb.NOTE_BACK_UNSPECIFIED: "",
    pb.NOTE_BACK_NOT_RECOGNISED: N_("It could not be read. Try once more, flat, the other way round."),
    pb.NOTE_BACK_NOT_ACCEPTED: N_("Notes like the last one are not taken here. It was given back."),
    pb.NOTE_BACK_OTHER_CURRENCY: N_("The last note was of another currency. It was given back."),
    pb.NOTE_BACK_ASKED: N_("The last note was given back, as you asked."),
    pb.NOTE_BACK_LIMIT: N_("The last note would go over the limit. It was given back."),
}

DEPOSIT_STATES: Final = {
    pb.DEPOSIT_STATE_UNSPECIFIED: Said(
        N_("Your deposit is recorded"), N_("Every note that was taken is recorded. Keep the reference below.")
    ),
    pb.DEPOSIT_STATE_CREDITED: Said(N_("The money is in your account"), N_("Booked to account {account}.")),
    pb.DEPOSIT_STATE_PROVISIONAL: Said(
        N_("Your deposit is recorded"),
        N_("Our bank system does not answer just now. The money goes to account {account} as soon as it does."),
    ),
    pb.DEPOSIT_STATE_EMPTY: Said(N_("Nothing was deposited"), N_("Account {account} has not changed.")),
}

DEPOSIT_STATES_BY_CARD: Final = {
    pb.DEPOSIT_STATE_UNSPECIFIED: N_("Every note that was taken is recorded. Keep the reference below."),
    pb.DEPOSIT_STATE_CREDITED: N_("Booked to the account of card {card}."),
    pb.DEPOSIT_STATE_PROVISIONAL: N_(
        "Our bank system does not answer just now. The money goes to the account of card {card} as soon as it does."
    ),
    pb.DEPOSIT_STATE_EMPTY: N_("No account has changed."),
}
"""The same of a deposit that began while the host was away: whose account it is, nobody here knows."""

DEPOSIT_STOPS: Final = {
    pb.DEPOSIT_STOP_UNSPECIFIED: "",
    pb.DEPOSIT_STOP_DEVICE: N_("The note slot stopped, which ended the deposit."),
    pb.DEPOSIT_STOP_TIMEOUT: N_("No note came for a while, which ended the deposit."),
    pb.DEPOSIT_STOP_LIMIT: N_("The limit of one deposit is reached."),
    pb.DEPOSIT_STOP_RESTART: N_("The machine was interrupted, which ended the deposit."),
}

RECEIPTS: Final = {
    pb.RECEIPT_STATE_UNSPECIFIED: "",
    pb.RECEIPT_STATE_OFFERED: "",
    pb.RECEIPT_STATE_PRINTED: N_("Your receipt is printed. Please take it."),
    pb.RECEIPT_STATE_ON_SCREEN: N_("There is no paper receipt: please note the reference below."),
}

_UNMOVED = N_("Your money has not moved")

NOTICES: Final = {
    pb.NOTICE_UNSPECIFIED: NoticeText(
        N_("What was taken is recorded"),
        N_("Something did not work as it should."),
        N_("Please take your card. If you have a question, the code below helps us to answer it."),
    ),
    pb.NOTICE_CARD_UNREADABLE: NoticeText(
        _UNMOVED,
        N_("We could not read your card."),
        N_("Take it out, check which way round it goes, and try again. If that does not help, try another card."),
    ),
    pb.NOTICE_CARD_EXPIRED: NoticeText(
        _UNMOVED,
        N_("This card has expired."),
        N_("Please use your new card. If none has reached you, your branch will help."),
    ),
    pb.NOTICE_CARD_UNKNOWN: NoticeText(
        _UNMOVED,
        N_("This card cannot be used here."),
        N_("Please try another card of this bank."),
    ),
    pb.NOTICE_CARD_BLOCKED: NoticeText(
        _UNMOVED,
        N_("This card is blocked."),
        N_("Please take it with you. Your branch, or the number on its back, will help."),
    ),
    pb.NOTICE_PIN_BLOCKED: NoticeText(
        _UNMOVED,
        N_("The PIN was wrong too many times."),
        N_("To protect you, this card is now blocked. Your branch, or the number on its back, will help."),
    ),
    pb.NOTICE_HOST_AWAY: NoticeText(
        _UNMOVED,
        N_("Our bank system does not answer just now."),
        N_("Please try again in a few minutes, or use another terminal."),
    ),
    pb.NOTICE_OFFLINE_DEPOSIT: NoticeText(
        N_("Notes can be taken up to"),
        N_("Our bank system does not answer just now."),
        N_(
            "Notes taken are recorded here, and booked to your account when it does. No PIN is needed; balance and "
            "statement are not possible until then. Do you want to deposit?"
        ),
    ),
    pb.NOTICE_OFFLINE_OTHER_CARD: NoticeText(
        _UNMOVED,
        N_("Our bank system does not answer just now."),
        N_("Without it, this card cannot be used here. Please try again in a few minutes, or use another terminal."),
    ),
    pb.NOTICE_OFFLINE_USED_UP: NoticeText(
        _UNMOVED,
        N_("Our bank system does not answer just now."),
        N_("What can be deposited without it today has been deposited. Please try again later."),
    ),
    pb.NOTICE_NO_RECEIPT: NoticeText(
        N_("No note has been taken yet"),
        N_("There will be no paper receipt."),
        N_("At the end this screen shows your receipt as a code for your phone. Do you want to deposit?"),
    ),
    pb.NOTICE_CASH_OUT: NoticeText(
        _UNMOVED,
        N_("Deposits are not possible just now."),
        N_("Please use another terminal, or try again later."),
    ),
    pb.NOTICE_PRINT_FAILED: NoticeText(
        N_("Your money is not affected"),
        N_("Printing did not work."),
        N_("Only the paper is missing. You can go on without it."),
    ),
    pb.NOTICE_STATEMENT_FAILED: NoticeText(
        _UNMOVED,
        N_("Your statement could not be fetched."),
        N_("Please try again in a few minutes, or ask at your branch."),
    ),
    pb.NOTICE_PIN_PAD_OUT: NoticeText(
        _UNMOVED,
        N_("The PIN pad does not work just now."),
        N_("Please take your card and use another terminal."),
    ),
}

CONTROLS: Final = {
    "back": N_("Back"),
    "cancel": N_("Cancel"),
    "continue": N_("Continue"),
    "deposit": N_("Deposit cash"),
    "done": N_("Done"),
    "finish": N_("Finish"),
    "give_back": N_("Give the note back"),
    "no": N_("No"),
    "print": N_("Print"),
    "receipt": N_("Print receipt"),
    "statement": N_("Account statement"),
}
"""Labels of controls by the names of the contract."""
