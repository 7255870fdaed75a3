"""A host that comes back from a backup: what it has lost comes again from the terminals, and nothing is given twice."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from sqlalchemy import update

from guichet.ids import TerminalId
from guichet.v1 import enrolment_pb2, enrolment_pb2_grpc, journal_pb2, settlement_pb2
from guichet.v1 import terminal_link_pb2 as pb
from host.fleet.standing import keys_of, withdraw
from host.journal.records import UnknownEpoch
from host.ledger.kinds import AccountState, Ledger
from host.ledger.schema import accounts
from host.ledger.settlement import Refusal
from host.pki.authority import Authority, BadRequest, Bearer
from host.pki.schema import Withdrawal
from host.services.server import Ports
from tests.host.bench import ANNA, Bench
from tests.host.terminal import BenchTerminal, Note, deposit_id
from tests.host.test_journal_copies import advised, held, incidents
from tests.host.test_link import DEADLINE
from tests.host.test_settlement import answer, settle
from tests.host.test_verify import findings

HOUR_US = 3_600 * 1_000_000


def enrolled_since_the_backup(bench: Bench) -> tuple[BenchTerminal, pb.SignedAdvice]:
    """A terminal whose second enrolment, with a deposit in its journal, the host has forgotten."""
    bench.enrol("T-1")
    backup = bench.backup()
    bench.clock.now_us += HOUR_US
    terminal = bench.enrol("T-1")
    signed = advised(terminal, 1, Note(1))
    held(bench, terminal)
    assert answer(bench, signed).notes[0].booking == settlement_pb2.BOOKING_CUSTOMER
    bench.come_back_from(backup)
    return terminal, signed


def test_a_forgotten_enrolment_is_known_again_by_its_certificate(bench: Bench) -> None:
    terminal, signed = enrolled_since_the_backup(bench)
    with pytest.raises(UnknownEpoch):
        held(bench, terminal)
    again = bench.enrol("T-1", former=(terminal,))
    assert (terminal.epoch, again.epoch) == (2, 3), "an epoch is never given twice"
    held(bench, terminal)
    said = answer(bench, signed)
    assert [note.booking for note in said.notes] == [settlement_pb2.BOOKING_CUSTOMER]
    ((code, text),) = incidents(bench)
    assert code == "enrolment-forgotten"
    assert "enrolled for epoch 2" in text


def test_what_it_signed_is_nobodys_before_it_shows_its_certificate(bench: Bench) -> None:
    """And its epoch is given again to whoever shows none, such as an empty disk."""
    _terminal, signed = enrolled_since_the_backup(bench)
    assert isinstance(settle(bench, signed)[0], Refusal)
    assert bench.enrol("T-1").epoch == 2


def test_enrolments_that_the_host_knows_bring_nothing_back(bench: Bench) -> None:
    first = bench.enrol("T-1")
    second = bench.enrol("T-1", former=(first, first))
    assert bench.enrol("T-1", former=(first, second, second)).epoch == 3
    assert incidents(bench) == []


def test_two_disks_that_were_given_one_epoch_are_both_known(bench: Bench) -> None:
    """The host gave epoch 2 to an empty disk before the one came that had it first: their journals are a fork."""
    terminal, signed = enrolled_since_the_backup(bench)
    empty = bench.enrol("T-1")
    advised(empty, 2, Note(2))
    held(bench, empty)
    assert bench.enrol("T-1", former=(terminal, terminal)).epoch == 3
    held(bench, terminal)
    assert answer(bench, signed).notes[0].booking == settlement_pb2.BOOKING_SUSPENSE
    assert {code for code, _ in incidents(bench)} == {"enrolment-forgotten", "journal-fork", "deposit-of-a-fork"}


def test_what_a_terminal_signed_before_it_was_revoked_comes_with_an_incident_though_it_was_forgotten(
    bench: Bench,
) -> None:
    """The revocation, which the backup had not, was made again before the disk was enrolled again."""
    terminal, signed = enrolled_since_the_backup(bench)
    bench.clock.now_us += HOUR_US
    with bench.engine.begin() as connection:
        withdraw(connection, terminal.name, Withdrawal.REVOKED, bench.clock.now_us)
    bench.clock.now_us += HOUR_US
    again = bench.enrol("T-1", former=(terminal,))
    with bench.engine.begin() as connection:
        keys = keys_of(connection, [terminal.name])[terminal.name]
    revoked = {key.public_key: key.revoked for key in keys}
    assert (revoked[terminal.signer.public_key()], revoked[again.signer.public_key()]) == (True, False)
    answer(bench, signed)
    assert "advice-after-revocation" in {code for code, _ in incidents(bench)}


def test_one_that_was_enrolled_after_it_was_revoked_is_not_revoked(bench: Bench) -> None:
    bench.enrol("T-1")
    with bench.engine.begin() as connection:
        withdraw(connection, TerminalId("T-1"), Withdrawal.REVOKED, bench.clock.now_us)
    bench.clock.now_us += HOUR_US
    terminal, _signed = enrolled_since_the_backup(bench)
    bench.enrol("T-1", former=(terminal,))
    with bench.engine.begin() as connection:
        keys = keys_of(connection, [terminal.name])[terminal.name]
    assert {key.public_key: key.revoked for key in keys}[terminal.signer.public_key()] is False


def test_a_forgotten_terminal_does_not_change_its_ledger(bench: Bench) -> None:
    """Its live money would be booked as training money."""
    backup = bench.backup()
    terminal = bench.enrol("T-1", Ledger.LIVE)
    bench.come_back_from(backup)
    with pytest.raises(BadRequest, match="T-1 was enrolled for the live ledger"):
        bench.enrol("T-1", Ledger.TRAINING, former=(terminal,))
    assert bench.enrol("T-1", Ledger.LIVE, former=(terminal,)).epoch == 2


# --- what is no former certificate ----------------------------------------------------------------------------------


async def refusal(bench: Bench, ports: Ports, code: str, *former: str) -> grpc.aio.AioRpcError:
    credentials = grpc.ssl_channel_credentials(bench.host.authority.pem)
    csr = BenchTerminal(TerminalId("T-1")).csr()
    request = enrolment_pb2.EnrolRequest(code=code, csr_pem=csr, former_certificates=former)
    async with grpc.aio.secure_channel(f"localhost:{ports.enrol_port}", credentials) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await enrolment_pb2_grpc.EnrolmentStub(channel).Enrol(request, timeout=DEADLINE)
    return caught.value


async def test_a_former_certificate_that_is_not_this_terminals_is_refused_and_the_code_stays_unused(
    bench: Bench, ports: Ports
) -> None:
    code = bench.code("T-1")
    own, other = bench.enrol("T-1").certificate.decode(), bench.enrol("T-2").certificate.decode()
    _key, server = bench.host.authority.server_credentials(["localhost"], bench.clock.now_us)
    changed = own.replace(own[400:404], own[404:408])
    not_ours = "a former certificate that this host did not give"
    for former, words in (
        ([other], "a former certificate of T-2, not of T-1"),
        ([own, "junk"], not_ours),
        ([changed], not_ours),
        ([server.decode()], not_ours),
        ([own] * 33, "too many or too long"),
        ([own + " " * 9_000], "too many or too long"),
    ):
        error = await refusal(bench, ports, code, *former)
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert words in (error.details() or "")
    assert bench.enrol("T-1").epoch == 2, "nothing of these was an enrolment"


async def test_a_certificate_of_another_host_is_refused(bench: Bench, ports: Ports, tmp_path: Path) -> None:
    terminal = BenchTerminal(TerminalId("T-1"))
    another, now_us = Authority(tmp_path, bench.clock.now_us), bench.clock.now_us
    theirs = another.issue(terminal.csr(), Bearer(terminal.name, "training", 5), now_us, HOUR_US).pem.decode()
    error = await refusal(bench, ports, bench.code("T-1"), theirs)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert bench.enrol("T-1").epoch == 1


@pytest.mark.parametrize("blocked", [True, False])
def test_an_answer_that_a_terminal_has_from_before_the_backup_and_that_booked_otherwise_is_found(
    bench: Bench, blocked: bool
) -> None:
    """The account was blocked meanwhile: the note is in suspense, and its customer has a receipt that says credited."""
    terminal = bench.enrol("T-1")
    backup = bench.backup()
    signed = advised(terminal, 1, Note(1))
    first = answer(bench, signed)
    terminal.write(
        journal_pb2.Settled(
            deposit_id=deposit_id(1), answer=first.SerializeToString(), signature=b"ours", advice_hash=first.advice_hash
        )
    )
    bench.come_back_from(backup)
    bench.clock.now_us += 48 * HOUR_US
    if blocked:
        with bench.engine.begin() as connection:
            connection.execute(update(accounts).where(accounts.c.account_id == ANNA).values(state=AccountState.BLOCKED))
    held(bench, terminal)
    second = answer(bench, signed)
    assert second.business_date != first.business_date
    assert [finding.check for finding in findings(bench)] == (["answer"] if blocked else [])
