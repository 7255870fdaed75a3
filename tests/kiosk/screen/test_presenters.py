from __future__ import annotations

import pytest
from google.protobuf.descriptor import EnumDescriptor

from guichet.v1 import screen_pb2 as pb
from guichet.v1.money_pb2 import Money
from kiosk.screen import presenters, texts
from kiosk.screen.presenters import Room
from kiosk.screen.scene import (
    Advice,
    ButtonKind,
    Choices,
    Invitation,
    Motion,
    Outcome,
    PinEntry,
    Scene,
    SceneName,
    Table,
    Tally,
    Tone,
)
from kiosk.screen.words import Words
from tests.kiosk.screen.samples import eur, notes, views

WORDS = Words("en")
VIEWS = views()
CONTRACT = pb.DESCRIPTOR


def present(view: pb.View, lines: int = 12) -> Scene:
    return presenters.present(view, Room(lines), WORDS)


def controls(scene: Scene) -> dict[str, bool]:
    """Buttons by control: whether enabled."""
    return {button.control: button.enabled for button in scene.buttons}


# ---- the contract is covered ---------------------------------------------------------------------------------------

TABLES = {
    "Service": [texts.SERVICES, texts.PURPOSES],
    "WaitReason": [texts.WAITS],
    "DepositStage": [texts.STAGES],
    "NoteBack": [texts.NOTES_BACK],
    "DepositStop": [texts.DEPOSIT_STOPS],
    "DepositState": [texts.DEPOSIT_STATES, texts.DEPOSIT_STATES_BY_CARD],
    "ReceiptState": [texts.RECEIPTS],
    "Notice": [texts.NOTICES],
}


def test_every_value_of_every_enumeration_of_the_contract_has_its_text() -> None:
    enums: list[EnumDescriptor] = list(CONTRACT.enum_types_by_name.values())
    missing = [
        value.name
        for enum in enums
        for table in TABLES[enum.name]
        for value in enum.values
        if value.number not in {int(number) for number in table}
    ]
    assert missing == []


def test_every_kind_of_view_has_a_scene_of_its_name() -> None:
    kinds = [field.name for field in CONTRACT.message_types_by_name["View"].oneofs_by_name["content"].fields]
    assert len(kinds) == 11
    for kind in kinds:
        view = pb.View(view_id=1)
        getattr(view, kind).SetInParent()
        assert present(view).name == SceneName(kind)


def test_the_samples_show_every_kind_of_view() -> None:
    kinds = {field.name for field in CONTRACT.message_types_by_name["View"].oneofs_by_name["content"].fields}
    assert {view.WhichOneof("content") for view in VIEWS.values()} == kinds | {None}


@pytest.mark.parametrize("name", VIEWS)
def test_a_scene_carries_its_views_id_has_a_title_and_says_training_where_it_is(name: str) -> None:
    scene = present(VIEWS[name])
    assert scene.view_id == VIEWS[name].view_id
    assert scene.title
    assert bool(scene.ribbon) == VIEWS[name].training


# ---- never a dead end ----------------------------------------------------------------------------------------------


def test_a_view_without_content_becomes_a_safe_scene_with_a_code() -> None:
    scene = present(pb.View(view_id=9))
    assert (scene.name, scene.view_id, scene.code) == (SceneName.UNREADABLE, 9, "Code screen-view")


def test_an_amount_that_both_ends_refuse_becomes_a_safe_scene_and_never_a_guess() -> None:
    view = pb.View(view_id=3, deposit=pb.DepositView(total=Money(minor=100, currency="ZZZ")))
    scene = present(view)
    assert (scene.name, scene.code) == (SceneName.UNREADABLE, "Code screen-amount")


def test_values_that_only_a_newer_terminal_knows_read_as_unspecified() -> None:
    wait = pb.View.FromString(pb.View(wait=pb.WaitView()).SerializeToString())
    wait.wait.MergeFromString(b"\x08\x63")  # field 1, value 99
    assert present(wait).title == "A moment, please"
    notice = pb.View(notice=pb.NoticeView(controls=["call_clerk"]))
    notice.notice.MergeFromString(b"\x08\x63")
    scene = present(notice)
    assert scene.title == "What was taken is recorded"
    assert [button.label for button in scene.buttons] == ["Call clerk"]


# ---- views ---------------------------------------------------------------------------------------------------------


def test_attract_invites_and_says_what_does_not_work_and_that_there_is_no_paper() -> None:
    scene = present(VIEWS["attract-no-paper-no-cash"])
    assert isinstance(scene.body, Invitation)
    assert scene.title == "Insert your card"
    assert [(offer.label, offer.available) for offer in scene.body.offers] == [
        ("Account statement", True),
        ("Deposit cash", False),
    ]
    assert [band.text for band in scene.bands] == ["No paper just now: receipts are shown on the screen."]
    assert present(VIEWS["attract"]).bands == ()


def test_attract_without_any_service_does_not_ask_for_a_card() -> None:
    scene = present(VIEWS["attract-nothing"])
    assert isinstance(scene.body, Invitation)
    assert (scene.title, scene.body.motion) == ("Not available just now", None)


def test_the_pin_shows_how_many_digits_and_never_which() -> None:
    scene = present(VIEWS["pin"])
    assert isinstance(scene.body, PinEntry)
    assert (scene.body.digits, scene.body.places) == (2, 4)
    assert scene.lead == "Card ••••\xa04417"
    assert scene.bands == ()


def test_a_wrong_pin_says_how_many_tries_are_left_and_a_software_pad_warns() -> None:
    texts_of = [band.text for band in present(VIEWS["pin-wrong-software"]).bands]
    assert texts_of[0] == "That PIN was not right. You have one more try."
    assert "Never enter the PIN of a real card" in texts_of[1]
    two = pb.View(pin=pb.PinView(tries_left=2))
    assert "2 more tries" in present(two).bands[0].text


def test_the_menu_offers_what_works_and_shows_the_rest_without_touch() -> None:
    scene = present(VIEWS["menu-long-name"])
    assert isinstance(scene.body, Choices)
    assert [(item.control, item.enabled) for item in scene.body.items] == [("statement", True), ("deposit", False)]
    assert controls(scene) == {"finish": True}


def test_accounts_are_touched_by_their_ids_and_say_their_balance_where_the_host_did() -> None:
    silent = pb.AccountChoice(account_id="a3", masked_number="****1", product="")
    view = pb.View(accounts=pb.AccountsView(accounts=[*VIEWS["accounts"].accounts.accounts, silent]))
    scene = present(view)
    assert isinstance(scene.body, Choices)
    assert [(item.control, item.label, item.value) for item in scene.body.items] == [
        ("a1", "Current account", "€2,549.85"),
        ("a2", "Savings", "€18,400.00"),
        ("a3", "Account", ""),
    ]
    assert controls(scene) == {"back": True}


def test_before_the_first_note_the_deposit_says_that_notes_are_not_given_back() -> None:
    scene = present(VIEWS["deposit-first"])
    assert isinstance(scene.body, Tally)
    assert scene.body.promise == "Notes taken are credited to your account and are not given back."
    assert (scene.hero, scene.body.stage, scene.body.motion) == ("€0.00", "Insert your first note", Motion.IN)
    assert controls(scene) == {"cancel": True}


STAGES = [
    # stage, notes so far, a note in escrow -> controls
    (pb.DEPOSIT_STAGE_INSERT_FIRST, False, False, {"cancel": True}),
    (pb.DEPOSIT_STAGE_INSERT_MORE, True, False, {"finish": True}),
    (pb.DEPOSIT_STAGE_INSERT_MORE, False, False, {"finish": True}),
    (pb.DEPOSIT_STAGE_CHECKING_NOTE, False, False, {"give_back": False, "cancel": False}),
    (pb.DEPOSIT_STAGE_CHECKING_NOTE, True, True, {"give_back": True, "finish": False}),
    (pb.DEPOSIT_STAGE_STACKING, True, True, {"finish": False}),
    (pb.DEPOSIT_STAGE_RETURNING, True, True, {"finish": False}),
    (pb.DEPOSIT_STAGE_RETURNING, False, True, {"cancel": False}),
    (pb.DEPOSIT_STAGE_HOLD_ON, True, False, {"finish": True}),
    (pb.DEPOSIT_STAGE_HOLD_ON, False, False, {"cancel": True}),
    (pb.DEPOSIT_STAGE_UNSPECIFIED, True, False, {"finish": False}),
]


@pytest.mark.parametrize(("stage", "some", "escrow", "expected"), STAGES)
def test_a_stage_of_the_deposit_has_the_buttons_that_mean_something_in_it(
    stage: pb.DepositStage.ValueType, some: bool, escrow: bool, expected: dict[str, bool]
) -> None:
    view = pb.DepositView(stage=stage, total=eur(5_000 if some else 0), notes=notes(e50=1) if some else [])
    if escrow:
        view.current_note.CopyFrom(eur(2_000))
    assert controls(present(pb.View(deposit=view))) == expected


def test_the_deposit_counts_notes_by_value_largest_first() -> None:
    scene = present(VIEWS["deposit-everything"])
    assert isinstance(scene.body, Tally)
    assert [(tile.label, tile.count_text) for tile in scene.body.notes][:3] == [
        ("€500", "× 15"),
        ("€200", "× 12"),
        ("€100", "× 10"),
    ]
    assert scene.hero == "€12,345.00"
    assert scene.body.current is not None
    assert scene.body.current.label == "€500"


def test_the_reason_for_a_returned_note_stays_until_the_next_is_looked_at() -> None:
    view = pb.DepositView(stage=pb.DEPOSIT_STAGE_RETURNING, note_back=pb.NOTE_BACK_OTHER_CURRENCY)
    returned = present(pb.View(deposit=view)).body
    view.stage = pb.DEPOSIT_STAGE_CHECKING_NOTE
    checked = present(pb.View(deposit=view)).body
    assert isinstance(returned, Tally)
    assert isinstance(checked, Tally)
    assert returned.hint == "The last note was of another currency. It was given back."
    assert checked.hint == "You can still have it back."


def test_a_host_that_is_away_and_missing_paper_are_said_during_the_deposit() -> None:
    bands = present(VIEWS["deposit-everything"]).bands
    assert [band.tone for band in bands] == [Tone.CAUTION, Tone.CALM]
    assert bands[0].text.startswith("Our bank system does not answer")


@pytest.mark.parametrize(
    ("name", "title", "hero", "expected"),
    [
        ("result-credited", "The money is in your account", "€120.00", {"receipt": True, "done": True}),
        ("result-provisional-code", "Your deposit is recorded", "€120.00", {"done": True}),
        ("result-empty", "Nothing was deposited", "", {"done": True}),
    ],
)
def test_the_result_says_first_what_happened_to_the_money(
    name: str, title: str, hero: str, expected: dict[str, bool]
) -> None:
    scene = present(VIEWS[name])
    assert (scene.title, scene.hero, controls(scene)) == (title, hero, expected)
    assert scene.code == "Reference 4F2A91C7"


def test_a_note_in_doubt_has_its_claim_number_also_where_nothing_was_credited() -> None:
    view = pb.DepositResultView(
        state=pb.DEPOSIT_STATE_EMPTY, in_doubt=VIEWS["result-everything"].deposit_result.in_doubt
    )
    scene = present(pb.View(deposit_result=view))
    assert isinstance(scene.body, Outcome)
    assert scene.title == "Nothing is credited yet"
    assert [(doubt.value, doubt.claim) for doubt in scene.body.doubts] == [
        ("€50", "C-7F3A-20931"),
        ("€20", "C-7F3A-20932"),
    ]
    assert scene.body.doubts_title == "2 notes could not be confirmed"


def test_a_receipt_on_the_screen_is_a_square_code_and_too_long_a_one_points_to_the_reference() -> None:
    body = present(VIEWS["result-provisional-code"]).body
    assert isinstance(body, Outcome)
    assert body.code is not None
    assert {len(row) for row in body.code.rows} == {len(body.code.rows)}
    too_long = pb.DepositResultView(receipt=pb.RECEIPT_STATE_ON_SCREEN, receipt_code="x" * 4000, deposit_id="12345678")
    scene = present(pb.View(deposit_result=too_long))
    assert isinstance(scene.body, Outcome)
    assert scene.body.code is None
    assert [band.text for band in scene.bands] == ["There is no paper receipt: please note the reference below."]


def test_a_statement_shows_the_newest_lines_that_fit_and_says_how_many_it_leaves_out() -> None:
    body = present(VIEWS["statement"], lines=5).body
    assert isinstance(body, Table)
    assert [line.text for line in body.lines][-1] == "Card payment, Tram"
    assert (len(body.lines), body.gap) == (5, "33 earlier lines are not shown")
    assert body.lines[-2].incoming
    whole = present(VIEWS["statement-printed-short"]).body
    assert isinstance(whole, Table)
    assert (len(whole.lines), whole.gap) == (4, "")


def test_a_statement_is_printed_once_and_only_where_there_is_paper() -> None:
    assert controls(present(VIEWS["statement"])) == {"back": True, "print": True}
    assert controls(present(VIEWS["statement-no-paper"])) == {"back": True}
    assert controls(present(VIEWS["statement-printed-short"])) == {"back": True}
    assert present(VIEWS["statement-printed-short"]).bands[0].text == "Printed. Please take the paper."


@pytest.mark.parametrize("notice", pb.Notice.values())
def test_a_notice_says_the_money_first_then_the_next_step_then_the_code(notice: pb.Notice.ValueType) -> None:
    scene = present(pb.View(notice=pb.NoticeView(notice=notice, code="x-1", controls=["continue", "no"])))
    assert isinstance(scene.body, Advice)
    assert any(word in scene.title.lower() for word in ("money", "note", "taken"))
    assert scene.body.heading
    assert scene.body.text
    assert scene.code == "Code x-1"
    assert [button.control for button in scene.buttons] == ["continue", "no"]
    assert [button.kind for button in scene.buttons] == [ButtonKind.PRIMARY, ButtonKind.SECONDARY]


def test_goodbye_asks_for_the_card_to_be_taken_only_while_it_is_inside() -> None:
    inside, gone = present(VIEWS["goodbye-card"]), present(VIEWS["goodbye"])
    assert inside.body == Invitation(Motion.OUT)
    assert gone.body == Invitation(None)
    assert (inside.title, gone.title) == ("Please take your card", "Thank you")


def test_out_of_service_says_what_still_works() -> None:
    body = present(VIEWS["out-of-service"]).body
    assert isinstance(body, Advice)
    assert ([offer.label for offer in body.offers], body.offers_title) == (["Account statement"], "This still works")
    nothing = present(VIEWS["out-of-service-all"]).body
    assert isinstance(nothing, Advice)
    assert (nothing.offers, nothing.offers_title) == ((), "")


def test_while_the_terminal_is_away_there_is_nothing_to_touch() -> None:
    scene = presenters.away(WORDS)
    assert (scene.name, scene.view_id, scene.buttons, scene.title) == (SceneName.AWAY, None, (), "A moment, please")


# ---- while the host is away ----------------------------------------------------------------------------------------


def test_nobody_is_here_and_the_host_is_away_says_what_works_and_what_does_not() -> None:
    scene = present(VIEWS["attract-host-away"])
    assert scene.title == "Insert your card"
    assert "bank system does not answer" in scene.lead
    assert isinstance(scene.body, Invitation)
    assert [(offer.label, offer.available) for offer in scene.body.offers] == [
        ("Deposit cash", True),
        ("Account statement", False),
    ]


def test_before_a_deposit_without_the_host_the_amount_is_the_largest_thing_and_going_on_is_asked() -> None:
    scene = present(VIEWS["notice-offline-deposit"])
    assert (scene.title, scene.hero) == ("Notes can be taken up to", "€12,345.50")
    assert {button.control: button.label for button in scene.buttons} == {
        "continue": "Yes, deposit",
        "back": "No, take card",
    }


def test_a_deposit_without_the_host_names_the_card_and_what_is_left() -> None:
    scene = present(VIEWS["deposit-offline-limit"])
    assert scene.lead == "To the account of card ••••\N{NO-BREAK SPACE}0010\nUp to €15.00 more"
    assert isinstance(scene.body, Tally)
    assert "over the limit" in scene.body.hint


@pytest.mark.parametrize(
    ("name", "lead"),
    [
        ("result-offline", "The money goes to the account of card ••••\N{NO-BREAK SPACE}0010 as soon as it does."),
        ("result-offline-booked", "Booked to the account of card ••••\N{NO-BREAK SPACE}0010."),
        ("result-offline-empty", "No account has changed."),
    ],
)
def test_its_result_names_the_card_because_nobody_here_knows_the_account(name: str, lead: str) -> None:
    assert present(VIEWS[name]).lead.endswith(lead)
