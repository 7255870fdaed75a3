"""What the terminal keeps for the time without its host, over a real journal: lists, time, use; across restarts."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from drivers.api.card import Card, Pan
from drivers.api.cash import CashCapabilities, Presence, Shut
from guichet.ids import DepositId, SessionId, TerminalId
from guichet.money import Currency, Money, parse_money
from guichet.offline import DAY_US, Limit, Limits, limits_bytes, pan_purpose, start_of
from guichet.sealing import BadSeal, HpkeSealer, unseal
from guichet.seams import Domain
from guichet.signing import EcdsaSigner
from guichet.v1 import customer_pb2, offline_pb2
from guichet.v1 import journal_pb2 as pb
from guichet.v1 import terminal_link_pb2 as link_pb
from kiosk.log import EventLog
from kiosk.settlement.replication import Replicator
from kiosk.terminal.config import TerminalConfig
from kiosk.terminal.desk_view import Back
from kiosk.terminal.offline import Allowed, Reason
from kiosk.terminal.offline_desk import OfflineDesk, Rights, card_key
from tests.kiosk.settlement.standing import HOST, Host
from tests.kiosk.terminal.standing import TAKEN, TEN, TERMINAL, TWENTY, WRITER, Clock, Rig, identity

EUR = Currency("EUR")
NOON = 20_000 * DAY_US + DAY_US // 2
HOUR = 3_600_000_000
LIMIT = Limit("476173", parse_money("60 EUR"), parse_money("90 EUR"), 2)
LIMITS = Limits(TERMINAL, 4, NOON - HOUR, NOON + 3 * DAY_US, (LIMIT,))
PAN = b"4761739001010010"
UNSEALS = X25519PrivateKey.generate()


class Boot:
    """A boot of the machine that tests move."""

    def __init__(self, name: str = "first boot", since_us: int = 1_000_000) -> None:
        self.name, self.since = name, since_us

    def boot_id(self) -> str:
        if not self.name:
            raise OSError("no /proc here")
        return self.name

    def since_boot_us(self) -> int:
        return self.since


def card(pan: bytes = PAN, expiry: str = "3112") -> Card:
    held = Pan(pan)
    return Card(held, held.masked, expiry, "VISA")


def signed(
    limits: Limits = LIMITS, signer: EcdsaSigner = HOST, domain: Domain = Domain.OFFLINE_LIMITS
) -> offline_pb2.SignedOfflineLimits:
    content = limits_bytes(limits)
    return offline_pb2.SignedOfflineLimits(content=content, signature=signer.sign(domain, content))


def welcome(time_us: int = NOON, limits: offline_pb2.SignedOfflineLimits | None = None) -> link_pb.Welcome:
    return link_pb.Welcome(host_time_us=time_us, offline_limits=limits)


@dataclass
class Standing:
    """A rig and its desk for the time without the host."""

    rig: Rig
    boot: Boot
    desk: OfflineDesk
    link: Host
    replicator: Replicator

    def restarted(self) -> Standing:
        """The process dies; the machine does not."""
        return standing(self.rig.restarted(), self.boot)

    def rebooted(self) -> Standing:
        return standing(self.rig.restarted(), Boot("second boot", 2_000_000))

    def deposits(self, *kinds: int, whose: Card | None = None) -> DepositId:
        """A whole deposit without the host; its id."""
        whose = whose or card()
        allowed = self.desk.allowance(whose)
        assert isinstance(allowed, Allowed), allowed
        account = customer_pb2.Account(currency="EUR")
        if not self.rig.desk.shut:
            self.rig.tell(Shut())
        deposit = self.rig.desk.open_deposit(SessionId("s"), account, TAKEN, "v", self.desk.opening(whose, allowed))
        self.rig.desk.accept()
        for kind in kinds:
            self.rig.one_note(kind, counter=None)
        self.rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
        return deposit

    def forgets(self) -> None:
        """The host answers, and the next session begins: what is done with goes."""
        for digest, advice in list(self.rig.journal.fold.outbox.items()):
            self.rig.journal.append(pb.Settled(deposit_id=advice.deposit_id, answer=b"", advice_hash=digest))
        self.rig.journal.append(pb.SessionOpened(session_id="next"), pb.SessionClosed(session_id="next"))


def standing(rig: Rig, boot: Boot, cap: str = "500 EUR") -> Standing:
    rights = Rights(TERMINAL, HOST.public_key(), NOON + 10 * DAY_US, card_key(WRITER.key))
    log = EventLog(Clock(), TERMINAL, io.StringIO())
    config = TerminalConfig(Path(), Path("s"), {}, TAKEN, {EUR: parse_money(cap)})
    sealer = HpkeSealer(UNSEALS.public_key().public_bytes_raw())
    link = Host()
    replicator = Replicator(rig.journal, link, TERMINAL, HOST.public_key(), log)
    desk = OfflineDesk(rights, rig.journal, rig.desk, link, replicator, config, boot, sealer, log)
    link.on_change(desk.on_link)
    rig.ready()
    return Standing(rig, boot, desk, link, replicator)


@pytest.fixture
def alone(tmp_path: Path) -> Standing:
    """The host was here at noon, and is gone."""
    made = standing(Rig(tmp_path / "journal.db"), Boot())
    made.desk.on_link(welcome(limits=signed()))
    made.desk.on_link(None)
    return made


def left(desk: OfflineDesk, whose: Card | None = None) -> Money | Reason:
    found = desk.allowance(whose or card())
    return found.left if isinstance(found, Allowed) else found


# --- lists ----------------------------------------------------------------------------------------------------------


def test_a_list_of_the_hosts_is_kept_verbatim_and_once(alone: Standing) -> None:
    for _ in range(3):
        alone.desk.on_link(welcome(limits=signed()))
    (received,) = alone.rig.records("OfflineLimitsReceived")
    assert isinstance(received, pb.OfflineLimitsReceived)
    assert (received.content, received.signature) == (signed().content, signed().signature)
    assert left(alone.desk) == parse_money("60 EUR")
    assert alone.desk.closed_because() is None


@pytest.mark.parametrize(
    "bad",
    [
        signed(replace(LIMITS, number=5), EcdsaSigner(ec.generate_private_key(ec.SECP256R1()))),
        signed(replace(LIMITS, number=5), domain=Domain.SETTLEMENT_ANSWER),
        signed(replace(LIMITS, number=5, terminal_id=TerminalId("OTHER"))),
        signed(replace(LIMITS, number=3)),
        signed(replace(LIMITS, limits=())),
        offline_pb2.SignedOfflineLimits(content=b"?", signature=HOST.sign(Domain.OFFLINE_LIMITS, b"?")),
    ],
    ids=["another signer", "another purpose", "another terminal", "an older one", "the number again", "nonsense"],
)
def test_any_other_list_is_refused_with_one_incident_and_the_one_before_stays(
    alone: Standing, bad: offline_pb2.SignedOfflineLimits
) -> None:
    for _ in range(3):
        alone.desk.on_link(welcome(limits=bad))
    assert [fact.code for fact in alone.rig.records("Incident") if isinstance(fact, pb.Incident)] == [
        "offline-limits-refused"
    ]
    assert alone.desk.limits == LIMITS


def test_an_empty_newer_list_ends_it_with_the_next_heartbeat(alone: Standing) -> None:
    empty = signed(replace(LIMITS, number=5, limits=()))
    alone.desk.on_noted(link_pb.Noted())
    assert alone.desk.closed_because() is None
    alone.desk.on_noted(link_pb.Noted(offline_limits=empty))
    assert left(alone.desk) is Reason.OFF
    assert left(alone.restarted().desk) is Reason.OFF


def test_without_a_list_nobody_deposits(tmp_path: Path) -> None:
    made = standing(Rig(tmp_path / "journal.db"), Boot())
    made.desk.on_link(welcome())
    assert made.desk.closed_because() is Reason.OFF


def test_a_journal_that_takes_no_record_takes_no_list_and_ends_nothing(alone: Standing) -> None:
    alone.rig.fails()
    alone.desk.on_link(welcome(NOON + HOUR, signed(replace(LIMITS, number=9))))
    assert alone.desk.limits == LIMITS


# --- time -----------------------------------------------------------------------------------------------------------


def test_time_goes_on_with_the_boot_through_a_restart_of_the_process(alone: Standing) -> None:
    alone.boot.since += 5 * HOUR
    again = alone.restarted()
    assert again.desk.now_us == NOON + 5 * HOUR
    assert left(again.desk) == parse_money("60 EUR")


def test_after_a_reboot_nobody_knows_the_time_until_the_host_says_it(alone: Standing) -> None:
    again = alone.rebooted()
    assert left(again.desk) is Reason.NO_TRUSTED_TIME
    again.desk.on_link(welcome(NOON + HOUR))
    assert left(again.desk) == parse_money("60 EUR")


def test_a_host_that_holds_another_journal_ends_it_also_for_the_next_process(alone: Standing) -> None:
    """Whose the money would be that came onto one branch of two, nobody could say."""
    other = welcome()
    other.held_sequence, other.held_hash = 1, bytes(32)
    alone.link.connect(other)
    alone.link.disconnect()
    assert left(alone.desk) is Reason.NO_TRUSTED_TIME
    again = alone.restarted()
    assert left(again.desk) is Reason.NO_TRUSTED_TIME


def test_a_host_that_is_there_and_refuses_this_terminal_ends_it_until_it_lets_it_in_again(alone: Standing) -> None:
    alone.link.refuse()
    alone.link.disconnect()
    assert left(alone.desk) is Reason.NO_TRUSTED_TIME
    again = alone.restarted()
    assert left(again.desk) is Reason.NO_TRUSTED_TIME, "and a restart forgets none of it"
    again.link.refuse()
    assert len(again.rig.records("TimeTrusted")) == 2, "and it is written down once"
    again.link.connect(welcome(NOON + HOUR))
    assert left(again.desk) == parse_money("60 EUR")


def test_a_machine_that_does_not_name_its_boots_trusts_no_time(tmp_path: Path) -> None:
    made = standing(Rig(tmp_path / "journal.db"), Boot(""))
    made.desk.on_link(welcome(limits=signed()))
    assert left(made.desk) is Reason.NO_TRUSTED_TIME
    assert made.rig.records("TimeTrusted") == []


def test_the_hosts_time_is_written_down_where_it_is_news_and_not_at_every_connection(alone: Standing) -> None:
    def told(after_us: int, off_us: int = 0) -> int:
        alone.boot.since += after_us
        alone.desk.on_link(welcome(NOON + alone.boot.since - 1_000_000 + off_us))
        return len(alone.rig.records("TimeTrusted"))

    assert told(60_000_000) == 1
    assert told(60_000_000, off_us=1_500_000) == 1
    assert told(60_000_000, off_us=2_500_000) == 2
    assert told(2 * HOUR, off_us=2_500_000) == 3


def test_a_list_is_over_when_the_hosts_time_says_so_and_the_certificate_with_it(alone: Standing) -> None:
    alone.boot.since += 3 * DAY_US
    assert left(alone.desk) is Reason.EXPIRED


def test_after_a_restore_without_its_end_nobody_deposits_without_the_host_before_the_next_day(alone: Standing) -> None:
    """What the old disk wrote last may be deposits of this very day, by any card."""
    alone.rig.journal.append(pb.JournalRestored(entries=4))
    assert left(alone.desk) is Reason.NO_TRUSTED_TIME
    alone.desk.on_link(welcome(NOON + HOUR))
    assert left(alone.desk) is Reason.JOURNAL_RESTORED
    again = alone.restarted()
    again.boot.since += HOUR
    assert left(again.desk) is Reason.JOURNAL_RESTORED, "a restart forgets none of it"
    again.boot.since += 11 * HOUR
    assert left(again.desk) == parse_money("60 EUR")


def test_after_a_restore_the_day_of_a_known_deposit_is_not_open_though_the_hosts_clock_went_back(
    alone: Standing,
) -> None:
    alone.deposits(TWENTY)
    alone.rig.journal.append(pb.JournalRestored(entries=9))
    alone.desk.on_link(welcome(NOON - DAY_US))
    assert left(alone.desk) is Reason.JOURNAL_RESTORED


def test_the_day_of_a_deposit_stays_the_day_though_the_hosts_clock_goes_back(alone: Standing) -> None:
    alone.desk.on_link(welcome(NOON + DAY_US))
    alone.deposits(TWENTY)
    alone.desk.on_link(welcome(NOON))
    assert alone.desk.now_us == NOON + DAY_US
    assert left(alone.desk) == parse_money("40 EUR")


# --- use ------------------------------------------------------------------------------------------------------------


def at_once(made: Standing) -> Standing:
    return made


def forgotten(made: Standing) -> Standing:
    made.forgets()
    return made


def forgotten_and_restarted(made: Standing) -> Standing:
    return forgotten(made).restarted()


@pytest.mark.parametrize(
    "after",
    [at_once, Standing.restarted, forgotten, forgotten_and_restarted],
    ids=["at once", "after a restart", "forgotten", "forgotten, after a restart"],
)
def test_what_a_card_has_deposited_is_counted(alone: Standing, after: Callable[[Standing], Standing]) -> None:
    alone.deposits(TWENTY, TEN)
    then = after(alone)
    assert left(then.desk) == parse_money("30 EUR")
    assert left(then.desk, card(b"4761730000000000")) == parse_money("60 EUR"), "another card, of the same BIN"
    then.deposits(TWENTY, whose=card(b"4761730000000000"))
    then.deposits(TEN)
    last = after(then)
    assert left(last.desk) is Reason.CARD_USED_UP, "two deposits a day"
    assert left(last.desk, card(b"4761730000000018")) == parse_money("30 EUR"), "of the terminal's"


def test_another_day_begins_anew(alone: Standing) -> None:
    alone.deposits(TWENTY, TWENTY, TWENTY)
    assert left(alone.desk) is Reason.CARD_USED_UP
    alone.boot.since += DAY_US
    assert left(alone.desk) == parse_money("60 EUR")


def test_a_deposit_without_a_note_has_used_nothing(alone: Standing) -> None:
    for _ in range(3):
        alone.deposits()
    assert left(alone.desk) == parse_money("60 EUR")


def test_what_only_this_machine_knows_of_keeps_to_its_cap(tmp_path: Path) -> None:
    made = standing(Rig(tmp_path / "journal.db"), Boot(), cap="20 EUR")
    made.desk.on_link(welcome(limits=signed()))
    made.deposits(TWENTY)
    assert left(made.desk) is Reason.TERMINAL_USED_UP


def test_a_module_that_takes_without_asking_keeps_to_no_limit_and_takes_nothing(alone: Standing) -> None:
    alone.rig.cash.capabilities = CashCapabilities(escrow=False)
    alone.rig.answered(Presence.PATH_EMPTY, who=identity())
    alone.rig.ready()
    assert left(alone.desk) is Reason.OFF


# --- a deposit ------------------------------------------------------------------------------------------------------


def test_a_note_over_the_limit_goes_back_from_escrow_and_a_smaller_one_is_taken(alone: Standing) -> None:
    allowed = alone.desk.allowance(card())
    assert isinstance(allowed, Allowed)
    rig, opening = alone.rig, alone.desk.opening(card(), replace(allowed, left=parse_money("35 EUR")))
    rig.desk.open_deposit(SessionId("s"), customer_pb2.Account(currency="EUR"), TAKEN, "v", opening)
    rig.desk.accept()
    rig.one_note(TWENTY)
    assert rig.desk.left == parse_money("15 EUR")
    assert rig.escrowed(TWENTY) == ["disable", "NoteEscrowed", "ReturnIntended", "return"]
    assert rig.desk.view.back is Back.LIMIT
    (intended,) = rig.records("ReturnIntended")
    assert isinstance(intended, pb.ReturnIntended)
    assert intended.reason == pb.RETURN_REASON_LIMIT
    assert rig.does(rig.desk.take) == [], "it cannot be stacked any more"
    assert rig.desk.left == parse_money("15 EUR")
    rig.returned()
    rig.cleared()
    rig.desk.accept()
    rig.one_note(TEN)
    assert rig.desk.left == parse_money("5 EUR")


def test_its_record_and_its_advices_name_no_account_but_a_card_that_only_the_host_reads(alone: Standing) -> None:
    deposit = alone.deposits(TWENTY, TEN)
    (opened,) = alone.rig.records("DepositOpened")
    assert isinstance(opened, pb.DepositOpened)
    (advice,) = alone.rig.advices()
    start = start_of(opened.offline)
    assert start_of(advice.offline) == start
    assert (opened.account_id, advice.account_id, opened.account_masked) == ("", "", "")
    assert (start.card_masked, start.limits_number, start.bin) == ("**** 0010", 4, "476173")
    assert start.started_at_us == NOON
    assert unseal(UNSEALS, start.sealed_pan, pan_purpose(deposit)) == PAN
    assert advice.deposit_id == deposit
    with pytest.raises(BadSeal):
        unseal(UNSEALS, start.sealed_pan, b"pan")
    for fact in alone.rig.facts:
        assert PAN not in fact.SerializeToString()


def test_a_later_outcome_is_told_of_with_the_same_card(alone: Standing) -> None:
    allowed = alone.desk.allowance(card())
    assert isinstance(allowed, Allowed)
    rig = alone.rig
    rig.desk.open_deposit(
        SessionId("s"), customer_pb2.Account(currency="EUR"), TAKEN, "v", alone.desk.opening(card(), allowed)
    )
    rig.desk.accept()
    rig.escrowed(TWENTY)
    rig.desk.take()
    rig.desk.no_answer()
    rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE)
    rig.stacked(TWENTY)
    first, second = rig.advices()
    assert [first.notes[0].outcome_number, second.notes[0].outcome_number] == [1, 2]
    assert first.offline == second.offline
    assert first.offline.sealed_pan


def test_the_marks_key_is_not_the_journals() -> None:
    assert card_key(WRITER.key) != WRITER.key
    assert card_key(WRITER.key) == card_key(WRITER.key)
    assert len(card_key(WRITER.key)) == 32


async def test_a_batchs_answer_that_another_disk_writes_too_ends_it_also_for_the_next_process(alone: Standing) -> None:
    """The connection is well, and no welcome says so."""
    alone.link.connect(welcome(limits=signed()))
    assert not isinstance(left(alone.desk), Reason)
    running = asyncio.create_task(alone.replicator.run())
    alone.link.branch.add((1, b"another disk's"))
    alone.rig.journal.append(pb.Incident(code="something to send"))
    await alone.link.until(lambda: alone.replicator.doubted)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert isinstance(left(alone.restarted().desk), Reason)
