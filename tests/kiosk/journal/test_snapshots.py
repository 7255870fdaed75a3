"""A start goes on from a snapshot, and believes none that it has not compared; whoever edits one is found."""

# apsw's own stubs leave type parameters of execute() open.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guichet.ids import DepositId, DeviceSerial
from guichet.journal.chain import Entry, entry_hash, entry_seal, snapshot_seal
from guichet.journal.records import Fact, decode, encode, fact_of
from guichet.money import MAX_MINOR, Currency, Money
from guichet.offline import OfflineStart
from guichet.v1 import journal_pb2 as pb
from kiosk.journal import snapshot
from kiosk.journal.faults import Fault, JournalError
from kiosk.journal.file import SNAPSHOTS_KEPT
from kiosk.journal.folds import Advice, BoxPeriod, Deposit, Fold, Note, NotePhase
from kiosk.journal.offline import Card, Offline, TrustedTime, Use
from kiosk.journal.snapshot import VERSION, Snapshot, SnapshotError
from kiosk.journal.store import Journal, kept_stopped, read_stopped
from tests.kiosk.journal.standing import incident, opened
from tests.kiosk.journal.stories import Story
from tests.kiosk.terminal.standing import TERMINAL, WRITER

EVERY = 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def live(path: Path, transactions: Sequence[Sequence[Fact]], epoch: int = 1, every: int = EVERY) -> Fold:
    """A life that writes ``transactions``; its fold at the end."""
    with opened(path, epoch, every) as (journal, connection):
        connection.execute("PRAGMA synchronous=OFF")  # Speed; what is read does not depend on it.
        for facts in transactions:
            journal.append(*facts)
        return journal.fold


@pytest.fixture
def days(path: Path) -> Fold:
    """A journal of some hundreds of entries with its snapshots, and the fold that it ended with."""
    return live(path, list(Story(1).days(30)))


def places(path: Path) -> list[int]:
    return [one.sequence for one in kept_stopped(path, WRITER.key).snapshots]


@dataclass
class Reading:
    """What a start has read: ``sequences`` of entries."""

    sequences: list[int]


@contextmanager
def reading(monkeypatch: pytest.MonkeyPatch) -> Generator[Reading]:
    """Who opens a journal in here is watched."""
    seen = Reading([])
    apply = Fold.apply

    def watched(self: Fold, entry: Entry, fact: Fact) -> None:
        seen.sequences.append(entry.sequence)
        apply(self, entry, fact)

    with monkeypatch.context() as patch:
        patch.setattr(Fold, "apply", watched)
        yield seen


# --- the state as bytes ---------------------------------------------------------------------------------------------

TEXT = st.text(max_size=5)
NUMBER = st.integers(-(2**63), 2**64)
BYTES = st.binary(max_size=5)
PHASE = st.sampled_from(NotePhase)
MONEY = st.builds(Money, st.integers(-MAX_MINOR, MAX_MINOR), st.sampled_from([Currency("EUR"), Currency("JPY")]))
NOTE = st.builds(
    Note, TEXT, TEXT, PHASE, st.none() | MONEY, NUMBER, TEXT, TEXT, st.none() | NUMBER, NUMBER, NUMBER,
    st.tuples(NUMBER, NUMBER), st.lists(st.tuples(NUMBER, PHASE), max_size=2).map(tuple), st.booleans(),
)  # fmt: skip
START = st.builds(
    OfflineStart, st.binary(min_size=1, max_size=5), st.just("**** 1234"), st.integers(1, 2**63 - 1),
    st.sampled_from(["476173", "54133300"]), st.just(Currency("EUR")), st.integers(0, 2**60), st.integers(0, 1023),
)  # fmt: skip
DEPOSIT = st.builds(
    Deposit, TEXT, TEXT, TEXT, TEXT, st.just(Currency("EUR")), TEXT, TEXT, st.booleans(),
    st.lists(TEXT, max_size=2).map(tuple), st.booleans(), st.booleans(), st.none() | START,
)  # fmt: skip
CARD = st.builds(Card, TEXT, TEXT, NUMBER)
OFFLINE = st.builds(
    Offline, BYTES, st.none() | st.builds(TrustedTime, TEXT, NUMBER, NUMBER), NUMBER,
    st.dictionaries(CARD, st.builds(Use, NUMBER, NUMBER), max_size=3),
    st.integers(-1, 10**6), st.booleans(),
)  # fmt: skip
ADVICE = st.builds(Advice, TEXT, BYTES, BYTES, NUMBER)
FOLD = st.builds(
    Fold,
    st.none() | TEXT,
    st.none() | st.builds(BoxPeriod, TEXT, TEXT),
    st.lists(NOTE, max_size=3).map(lambda notes: {note.note_id: note for note in notes}),
    st.lists(DEPOSIT, max_size=3).map(lambda deposits: {deposit.deposit_id: deposit for deposit in deposits}),
    st.lists(ADVICE, max_size=3).map(lambda advices: {advice.digest: advice for advice in advices}),
    st.dictionaries(TEXT, BYTES, max_size=3),
    st.dictionaries(TEXT, NUMBER, max_size=3),
    st.dictionaries(TEXT, st.dictionaries(NUMBER, MONEY, max_size=3), max_size=2),
    st.dictionaries(TEXT, BYTES, max_size=2),
    st.sets(TEXT, max_size=2),
    st.dictionaries(st.tuples(MONEY, PHASE), st.integers(1, 9), max_size=3).map(Counter),
    st.none() | TEXT,
    st.none() | TEXT,
    st.booleans(), st.booleans(), st.booleans(), st.booleans(),
    OFFLINE,
)  # fmt: skip


@given(FOLD)
@settings(max_examples=150, deadline=None)
def test_every_fold_comes_back_as_it_was_in_its_own_order_and_is_encoded_alike(fold: Fold) -> None:
    state = snapshot.encode(fold)
    back = snapshot.decode(state)
    assert back == fold
    for name in ("notes", "deposits", "outbox", "answers"):
        assert list(getattr(back, name)) == list(getattr(fold, name)), name
    assert snapshot.encode(back) == state


def test_nothing_of_a_fold_is_left_out() -> None:
    """Whoever gives the fold a field gives the snapshot one."""
    assert len(FOLD_FIELDS) == len(Fold.__dataclass_fields__)
    assert len(OFFLINE_FIELDS) == len(Offline.__dataclass_fields__)
    assert len(snapshot.encode(Fold()).split(b'":')) == len(FOLD_FIELDS) + len(OFFLINE_FIELDS) + 1


FOLD_FIELDS = (
    "session", "box_period", "notes", "deposits", "outbox", "answers", "marks", "tables", "table_hashes", "simulated",
    "forgotten", "last_note", "open_deposit_id", "moved_since_cleared", "box_was_out", "count_due", "end_is_lost",
    "offline",
)  # fmt: skip
OFFLINE_FIELDS = ("limits", "trusted", "latest_us", "forgotten", "closed_day", "day_unknown")


def test_who_changes_what_a_fold_comes_to_counts_the_version_up(days: Fold) -> None:
    """A terminal would find its own snapshots wrong, and stop. Where this is red, see kiosk.journal.snapshot.VERSION,
    and then put the new figures here.
    """
    assert (VERSION, sha256(snapshot.encode(days)).hexdigest()[:16]) == (5, "105e93a766b7cc5d")


HEAD, OTHER = b"%d\n" % VERSION, b"%d\n" % (VERSION + 1)


@pytest.mark.parametrize(
    "change",
    [
        (HEAD, OTHER), (HEAD, b""), (b'"session"', b'"sessions"'), (b'"notes":[', b'"notes":{'),
        (b'"count_due":false', b'"count_due":0'), (b'"end_is_lost":', b'"end":'),
        (b'"phase":"', b'"phase":"X'), (b'"minor":', b'"minor":1.0,"x":'),
        (b'"currency":"EUR"', b'"currency":"XXX"'), (b'"answer":"', b'"answer":"*'),
        (b'"simulated":["', b'"simulated":[1,"'),
        (b"}", b""), (b'"outbox":', b'"outbox":[1],"x":'),
    ],
)  # fmt: skip
def test_what_is_no_state_is_refused(days: Fold, change: tuple[bytes, bytes]) -> None:
    days.outbox[b""] = Advice(DepositId("d"), b"x", b"y")
    days.answers[DepositId("d")] = b"answer"
    state = snapshot.encode(days)
    assert change[0] in state
    with pytest.raises(SnapshotError):
        snapshot.decode(state.replace(*change, 1))


# --- when they are taken --------------------------------------------------------------------------------------------


def test_the_newest_three_are_kept_and_each_is_of_a_quiet_place(path: Path, days: Fold) -> None:
    kept = kept_stopped(path, WRITER.key).snapshots
    assert len(kept) == SNAPSHOTS_KEPT
    assert all(snapshot.decode(one.state).at_rest for one in kept)
    gaps = [after.sequence - one.sequence for one, after in pairwise(kept)]
    assert all(EVERY <= gap < 4 * EVERY + 40 for gap in gaps)
    assert read_stopped(path)[-1].sequence - kept[-1].sequence < 200


def test_where_nothing_comes_to_rest_one_is_taken_all_the_same(path: Path) -> None:
    live(path, [[pb.SessionOpened(session_id="s")], *([incident("x")] for _ in range(4 * EVERY + 1))])
    assert places(path) == [4 * EVERY]


def test_the_more_there_is_to_remember_the_rarer_they_are(path: Path) -> None:
    advices = [[pb.AdviceSigned(deposit_id=f"d{n}", content=b"%d" % n)] for n in range(10 * EVERY)]
    live(path, advices)
    assert places(path) == [EVERY], "as many entries later as there are things to remember, and there were ever more"
    live(path, [[incident("x")]] * (EVERY + 1))
    assert places(path) == [EVERY, 11 * EVERY]


def test_one_is_written_in_the_transaction_of_the_next_entry_and_waits_for_no_disk_of_its_own(path: Path) -> None:
    with opened(path, snapshot_every=EVERY) as (journal, connection):
        for _ in range(EVERY):
            journal.append(incident("x"))
        connection.execute(
            "CREATE TEMP TRIGGER no BEFORE INSERT ON main.snapshots BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
        with pytest.raises(JournalError):
            journal.append(incident("with it"))
        assert journal.failure is not None
        assert [entry.sequence for entry in journal.entries(1)][-1] == EVERY


def test_an_entry_that_cannot_be_written_leaves_no_snapshot(path: Path) -> None:
    with opened(path, snapshot_every=EVERY) as (journal, connection):
        for _ in range(EVERY):
            journal.append(incident("x"))
        connection.execute("CREATE TEMP TRIGGER no AFTER INSERT ON main.snapshots BEGIN "
                           "INSERT INTO entries SELECT * FROM entries; END")  # fmt: skip
        with pytest.raises(JournalError):
            journal.append(incident("with it"))
    assert places(path) == []


# --- a start --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_whenever_it_stops_it_goes_on_as_if_it_had_read_everything(path: Path, seed: int) -> None:
    transactions, epoch = list(Story(seed).days(40)), 1
    before = Fold()
    while transactions:
        many = 1 + (seed * 37 + len(transactions) * 11) % 60
        epoch += len(transactions) % 5 == 0
        before = live(path, transactions[:many], epoch)
        del transactions[:many]
        entries, everything = read_stopped(path), Fold()
        for entry in entries:
            everything.apply(entry, fact_of(decode(entry.record)))
        with opened(path, epoch, EVERY) as (journal, _):
            assert snapshot.encode(journal.fold) == snapshot.encode(before) == snapshot.encode(everything)
            assert journal.last == entries[-1]


def test_a_start_reads_from_the_snapshot_before_the_newest_on(
    path: Path, days: Fold, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, before, _ = places(path)
    last = read_stopped(path)[-1].sequence
    with reading(monkeypatch) as read, opened(path, snapshot_every=EVERY) as (journal, _):
        assert read.sequences == list(range(before + 1, last + 1))
        assert journal.fold == days


def test_what_an_earlier_epoch_left_unsettled_is_in_a_snapshot_of_a_later_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(path, [[pb.AdviceSigned(deposit_id="d", content=b"of the first epoch")]])
    live(path, [[incident("x")]] * (3 * EVERY), epoch=2)
    with reading(monkeypatch) as read, opened(path, 2, EVERY) as (journal, _):
        assert [advice.content for advice in journal.fold.outbox.values()] == [b"of the first epoch"]
        assert len(read.sequences) < 3 * EVERY
        assert journal.last is not None
        assert journal.append(incident("y")).sequence == 3 * EVERY + 1


def test_an_epoch_that_begins_after_the_last_snapshot_begins_its_own_chain(path: Path, days: Fold) -> None:
    live(path, [[incident("x")]], epoch=2)
    with opened(path, 2, EVERY) as (journal, _):
        assert journal.last is not None
        assert (journal.last.epoch, journal.last.sequence) == (2, 1)
    with opened(path, 3, EVERY) as (journal, _):
        assert journal.last is None


def test_a_snapshot_of_a_later_enrolment_is_refused_like_its_entries(path: Path) -> None:
    live(path, [[incident("x")]] * (3 * EVERY), epoch=2)
    with pytest.raises(JournalError, match="enrol anew") as refused:
        live(path, [])
    assert refused.value.fault is Fault.OTHER_FORM


# --- damage and edits -----------------------------------------------------------------------------------------------


@contextmanager
def edited(path: Path) -> Generator[apsw.Connection]:
    """As someone with the file in hands."""
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    for table, what in (("entries", "changed"), ("entries", "removed"), ("snapshots", "changed")):
        connection.execute(f"DROP TRIGGER {table}_are_never_{what}")
    yield connection
    connection.close()


def put(connection: apsw.Connection, one: Snapshot, *, key: bytes = WRITER.key) -> None:
    """A snapshot in the place of that of its entry."""
    seal = snapshot_seal(key, one.epoch, one.sequence, one.hash, one.state)
    connection.execute("DELETE FROM snapshots WHERE sequence = ?", (one.sequence,))
    row = (one.epoch, one.sequence, one.hash, one.state, seal)
    connection.execute("INSERT INTO snapshots (epoch, sequence, hash, state, seal) VALUES (?, ?, ?, ?, ?)", row)


def refused(path: Path, match: str) -> None:
    with pytest.raises(JournalError, match=match) as error:
        live(path, [])
    assert error.value.fault is Fault.BROKEN


def richer(one: Snapshot) -> Snapshot:
    """Another box."""
    fold = snapshot.decode(one.state)
    fold.forgotten[Money(50_000, Currency("EUR")), NotePhase.CLEARED] += 1
    return Snapshot(one.epoch, one.sequence, one.hash, snapshot.encode(fold))


@pytest.mark.parametrize("which", range(3))
@pytest.mark.parametrize("key", [bytes(32), b""], ids=["a key of their own", "no key"])
def test_who_edits_a_snapshot_without_the_terminals_key_is_found(
    path: Path, days: Fold, which: int, key: bytes
) -> None:
    one = kept_stopped(path).snapshots[which]
    with edited(path) as connection:
        if key:
            put(connection, richer(one), key=key)
        else:
            connection.execute("UPDATE snapshots SET state = ? WHERE sequence = ?", (richer(one).state, one.sequence))
    refused(path, f"entry {one.sequence}: its snapshot was not sealed")


@pytest.mark.parametrize("column", ["epoch", "sequence", "hash", "seal"])
def test_a_snapshot_moved_to_another_entry_is_found(path: Path, days: Fold, column: str) -> None:
    older, newer = kept_stopped(path).snapshots[:2]
    value = {"epoch": 7, "sequence": older.sequence + 1, "hash": newer.hash, "seal": bytes(32)}[column]
    with edited(path) as connection:
        connection.execute(f"UPDATE snapshots SET {column} = ? WHERE sequence = ?", (value, older.sequence))  # noqa: S608
    refused(path, "its snapshot was not sealed")


@pytest.mark.parametrize("column", ["hash", "seal"])
def test_a_snapshot_in_another_form_is_found(path: Path, days: Fold, column: str) -> None:
    with edited(path) as connection:
        connection.execute(f"UPDATE snapshots SET {column} = x'00'")  # noqa: S608
    refused(path, "not in the journal's form")


def test_the_newest_is_compared_with_what_the_records_come_to(path: Path, days: Fold) -> None:
    """Also where its seal is good: nothing is believed because it is sealed."""
    newest = kept_stopped(path).snapshots[-1]
    with edited(path) as connection:
        put(connection, richer(newest))
    refused(path, "its snapshot says something else than the records up to it")


def test_the_first_of_all_is_compared_too(path: Path) -> None:
    live(path, [[incident("x")]] * (EVERY + 1))
    (first,) = kept_stopped(path).snapshots
    with edited(path) as connection:
        put(connection, richer(first))
    refused(path, "its snapshot says something else")


def test_entries_that_a_snapshot_knows_and_that_are_gone_are_missed(path: Path, days: Fold) -> None:
    """A rewound file, which no link shows."""
    newest = places(path)[-1]
    with edited(path) as connection:
        connection.execute("DELETE FROM entries WHERE sequence >= ?", (newest,))
    refused(path, f"entry {newest}: epoch 1 has a snapshot of it, and it is not there")


def test_the_entry_after_a_snapshot_follows_the_one_that_it_is_of(path: Path, days: Fold) -> None:
    """Another history from there on, by someone who has even the key."""
    _, before, _ = places(path)
    record = encode(TERMINAL, 0, incident("forged"))
    previous = bytes(32)
    digest = entry_hash(1, before + 1, previous, record)
    forged = (previous, digest, entry_seal(WRITER.key, digest), record, before + 1)
    with edited(path) as connection:
        connection.execute("UPDATE entries SET previous_hash=?, hash=?, seal=?, record=? WHERE sequence=?", forged)
    refused(path, f"entry {before + 1}: does not continue from the entry before it")


def test_an_old_record_that_was_altered_is_found_when_it_is_read_and_when_it_is_verified(
    path: Path, days: Fold
) -> None:
    """A start reads only the last of it, in a journal of any size."""
    with edited(path) as connection:
        connection.execute("UPDATE entries SET record = x'00' WHERE sequence = 3")
    with opened(path, snapshot_every=EVERY) as (journal, _):
        assert journal.fold == days
        with pytest.raises(JournalError, match="entry 3: was altered"):
            list(journal.entries(1))
        with pytest.raises(JournalError):
            journal.append(incident("no more"))


# --- what is not used -----------------------------------------------------------------------------------------------


def test_snapshots_of_another_version_are_not_used_and_new_ones_are_taken(
    path: Path, days: Fold, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an upgrade everything is read once."""
    kept = kept_stopped(path).snapshots
    with edited(path) as connection:
        for one in kept:
            put(connection, Snapshot(one.epoch, one.sequence, one.hash, OTHER + b"who knows what"))
    last = read_stopped(path)[-1].sequence
    with reading(monkeypatch) as read, opened(path, snapshot_every=EVERY) as (journal, _):
        assert read.sequences == list(range(1, last + 1))
        assert journal.fold == days
        journal.append(incident("the first after the upgrade"))
    newest = kept_stopped(path, WRITER.key).snapshots[-1]
    assert (newest.sequence, newest.is_of_this_version) == (last, True)


def test_one_that_cannot_be_read_though_its_seal_is_good_is_not_gone_by(path: Path, days: Fold) -> None:
    before = kept_stopped(path).snapshots[1]
    with edited(path) as connection:
        put(connection, Snapshot(before.epoch, before.sequence, before.hash, HEAD + b"{}"))
    assert live(path, []) == days


def test_without_its_snapshots_a_journal_is_read_from_the_first_entry(path: Path, days: Fold) -> None:
    with edited(path) as connection:
        connection.execute("DELETE FROM snapshots")
    assert live(path, []) == days


def test_a_snapshot_is_never_changed_in_place(path: Path, days: Fold) -> None:
    with opened(path) as (_, connection), pytest.raises(apsw.ConstraintError, match="never changed"):
        connection.execute("UPDATE snapshots SET state = x'00'")


def test_a_journal_can_be_opened_with_the_usual_interval(path: Path, days: Fold) -> None:
    assert DeviceSerial("SIM") in days.simulated
    with opened(path) as (journal, _):
        assert isinstance(journal, Journal)
        assert journal.fold == days
