"""``guichet-host operator claims``, ``claim`` and ``decide``: claims, their stories, and what two operators decide."""

from __future__ import annotations

import argparse
from pathlib import Path

from sqlalchemy import Connection

from guichet.ids import short
from host.assembly import Seams, system_seams
from host.bankdays import Calendar, in_words
from host.claims.deciding import DECIDABLE, Decided, DecisionError, Wish, decide_claim
from host.claims.numbers import claim_number
from host.claims.views import ClaimView, find_claims, list_claims
from host.commands.common import (
    CommandError,
    Json,
    Questions,
    add_question,
    config_of,
    print_json,
    print_table,
    read_password,
    reading,
    writing,
)
from host.config import HostConfig
from host.console.operators import Action, TooManyFailures, keep_action, prove
from host.ledger.kinds import Booking, Outcome
from host.ledger.resolving import NotInDoubt, Resolved, Resolver
from host.pki.keys import open_keys

_HEADINGS = ("CLAIM", "STATE", "BECAUSE", "AMOUNT", "TERMINAL", "BOX PERIOD", "DEPOSIT", "ACCOUNT", "SINCE", "SAID")
_STORY_HEADINGS = ("OUTCOME", "WHAT", "BOOKED TO", "ON", "BY", "WHICH")


def add_questions(questions: Questions) -> None:
    """The three commands."""
    listed = add_question(questions, "claims", "claims and where they stand", ask_claims)
    listed.add_argument("--closed", action="store_true", help="those that are closed, the newest first")
    one = add_question(questions, "claim", "one claim with its story", ask_claim)
    one.add_argument("number", metavar="NUMBER", help="its number, or a deposit's id or the last eight of it")
    decide = add_question(questions, "decide", "propose what becomes of a claim in doubt, or confirm it", decide_one)
    decide.description = (
        "Propose what becomes of a claim in doubt. When another operator gives the same command, that confirms it, and "
        "it is booked. Exit status: 0 proposed or booked; 1 refused."
    )
    decide.add_argument("number", metavar="NUMBER", help="the claim's number")
    choices = [outcome.value for outcome in DECIDABLE]
    decide.add_argument("--as", dest="outcome", required=True, choices=choices, help="what became of the note")
    decide.add_argument("--reason", required=True, metavar="TEXT", help="why, for the books; at most 400 characters")
    decide.add_argument("--by", required=True, metavar="NAME", help="the operator who decides")
    decide.add_argument("--password-file", type=Path, metavar="FILE", help="the operator's password, FILE's first line")


def ask_claims(arguments: argparse.Namespace) -> int:
    """List claims, the open ones oldest first."""
    config = config_of(arguments)
    with reading(config) as connection:
        found = list_claims(connection, closed=arguments.closed)
    if arguments.json:
        print_json([claim_json(claim) for claim in found])
        return 0
    nothing = "no claim was closed yet" if arguments.closed else "no claim is open"
    print_table(_HEADINGS, [_row(claim, config.zone) for claim in found], nothing)
    return 0


def _row(claim: ClaimView, zone: str) -> tuple[str, ...]:
    return (
        claim.claim_number, claim.state.value, claim.reason.value, str(claim.value), claim.terminal_id,
        short(claim.box_period_id), short(claim.deposit_id), claim.account, in_words(claim.opened_at_us, zone),
        _said(claim),
    )  # fmt: skip


def _said(claim: ClaimView) -> str:
    if claim.proposal is not None:
        proposal = claim.proposal.proposal
        return f"{proposal.outcome.value}? {proposal.proposed_by}"
    return f"{claim.outcomes[-1].source.value} {claim.outcomes[-1].said}"


def ask_claim(arguments: argparse.Namespace) -> int:
    """Show a claim, or those of a deposit, with everything that happened to its note."""
    config = config_of(arguments)
    with reading(config) as connection:
        found = find_claims(connection, arguments.number)
    if not found:
        raise CommandError(f"there is no claim {arguments.number}, and no deposit of this id has one")
    if arguments.json:
        print_json([claim_json(claim) for claim in found])
        return 0
    for claim in found:
        _show(claim, config.zone)
    return 0


def _show(claim: ClaimView, zone: str) -> None:
    print(f"claim {claim.claim_number}: {claim.state.value}")
    print(f"  {claim.value}, {claim.terminal_id}, box period {claim.box_period_id}, {claim.ledger.value}")
    print(f"  deposit {claim.deposit_id}, note {claim.note_id}, account {claim.account}")
    closed = "" if claim.closed_at_us is None else f", closed {in_words(claim.closed_at_us, zone)}"
    print(f"  open since {in_words(claim.opened_at_us, zone)}{closed}")
    if claim.proposal is not None:
        proposal = claim.proposal.proposal
        print(f"  {proposal.proposed_by} proposes {proposal.outcome.value}: {proposal.reason}")
    rows = [
        (str(one.number), one.outcome.value, one.booking.value, one.booked_on, one.source.value, one.said)
        for one in claim.outcomes
    ]
    print_table(_STORY_HEADINGS, rows, "")


def claim_json(claim: ClaimView) -> Json:
    """A claim with its story."""
    proposal = None if claim.proposal is None else claim.proposal.proposal
    return {
        "claim_number": claim.claim_number,
        "state": claim.state.value,
        "reason": claim.reason.value,
        "value_minor": claim.value.minor,
        "currency": claim.value.currency.code,
        "terminal_id": claim.terminal_id,
        "box_period_id": claim.box_period_id,
        "deposit_id": claim.deposit_id,
        "note_id": claim.note_id,
        "ledger": claim.ledger.value,
        "account": claim.account,
        "opened_at_us": claim.opened_at_us,
        "closed_at_us": claim.closed_at_us,
        "proposal": None
        if proposal is None
        else {
            "outcome": proposal.outcome.value,
            "reason": proposal.reason,
            "proposed_by": proposal.proposed_by,
            "proposed_at_us": proposal.proposed_at_us,
        },
        "outcomes": [
            {
                "outcome_number": one.number,
                "outcome": one.outcome.value,
                "booking": one.booking.value,
                "business_date": one.booked_on,
                "source": one.source.value,
                "said": one.said,
            }
            for one in claim.outcomes
        ],
    }


# --- four eyes --------------------------------------------------------------------------------------------------------


def decide_one(arguments: argparse.Namespace) -> int:
    """Propose, or confirm what another operator proposed."""
    config, seams = config_of(arguments), system_seams()
    wish = Wish(arguments.number.upper(), Outcome(arguments.outcome), arguments.reason, arguments.by)
    password = read_password(arguments.password_file, again=False)
    try:
        decided = writing(config, lambda connection: _decide(connection, wish, password, config, seams))
    except TooManyFailures as error:
        raise CommandError("too many wrong passwords: wait a quarter of an hour") from error
    except (DecisionError, NotInDoubt) as error:
        raise CommandError(str(error)) from error
    if decided is None:
        raise CommandError("wrong name or password")
    if arguments.json:
        print_json(_decided_json(decided))
        return 0
    print(f"claim {wish.claim_number}: {_in_words(decided)}")
    for one in decided.also:
        print(f"claim {_number(one)}: {one.settled.note.value}, too, for now the count covers all that is in doubt")
    return 0


def _decide(connection: Connection, wish: Wish, password: str, config: HostConfig, seams: Seams) -> Decided | None:
    """None for a wrong name or password: that it was tried is kept."""
    now_us = seams.clock.wall_us()
    action = f"decide claim {wish.outcome.value}"
    if not prove(connection, Action(wish.operator, action, wish.claim_number, "", "command line"), password, now_us):
        return None
    signer = open_keys(config.keys, seams.random).signer
    resolver = Resolver(signer, seams.ids, Calendar(seams.clock, config.zone))
    decided = decide_claim(connection, wish, signer, resolver, now_us)
    result = "proposed" if decided.resolved is None else "booked"
    keep_action(connection, Action(wish.operator, action, wish.claim_number, result, "command line"), now_us)
    return decided


def _number(resolved: Resolved) -> str:
    key = resolved.resolution.key
    return claim_number(key.terminal_id, key.deposit_id, key.note_id)


def _in_words(decided: Decided) -> str:
    proposal, resolved = decided.proposal, decided.resolved
    if resolved is None:
        return f"{proposal.proposed_by} proposes {proposal.outcome.value}; another operator must confirm it"
    if resolved.settled.booking is Booking.SUSPENSE:
        return "credited, and its account takes no deposits: in suspense, the claim stays open"
    return f"{resolved.settled.note.outcome.value}, booked; the claim is closed"


def _decided_json(decided: Decided) -> Json:
    proposal, resolved = decided.proposal, decided.resolved
    return {
        "claim_number": proposal.claim_number,
        "outcome": proposal.outcome.value,
        "proposed_by": proposal.proposed_by,
        "booked": resolved is not None,
        "outcome_number": None if resolved is None else resolved.settled.note.outcome_number,
        "booking": None if resolved is None else resolved.settled.booking.value,
        "credited_by_count": [_number(one) for one in decided.also],
    }
