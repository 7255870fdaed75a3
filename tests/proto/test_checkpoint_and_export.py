"""What is said of a journal: the host's countersignature, and a signed file that has all of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from guichet.ids import TerminalId
from guichet.journal.chain import Entry, next_entry
from guichet.journal.checkpoint import BadCheckpoint, Checkpoint, check_checkpoint, countersigned
from guichet.journal.export import BadExport, Export, Head, read_export, to_message, write_export
from guichet.seams import Domain
from guichet.signing import EcdsaSigner
from guichet.v1 import replication_pb2 as pb

HOST, OTHER = (EcdsaSigner(ec.generate_private_key(ec.SECP256R1())) for _ in range(2))
T1 = TerminalId("T-1")
SAID = Checkpoint(T1, 2, 17, bytes(range(32)), 1_700_000_000_000_000)
HEAD = Head(T1, 5, "1.2", OTHER.public_key())


# --- checkpoints ----------------------------------------------------------------------------------------------------


def test_what_the_host_countersigned_is_read_as_it_was_said() -> None:
    assert check_checkpoint(countersigned(SAID, HOST), HOST.public_key(), T1) == SAID
    assert SAID.place == (2, 17)


def resigned(**changes: object) -> pb.SignedCheckpoint:
    message = pb.Checkpoint.FromString(countersigned(SAID, HOST).content)
    for name, value in changes.items():
        setattr(message, name, value)
    content = message.SerializeToString()
    return pb.SignedCheckpoint(content=content, signature=HOST.sign(Domain.JOURNAL_CHECKPOINT, content))


BAD: dict[str, Callable[[], pb.SignedCheckpoint]] = {
    "nothing": pb.SignedCheckpoint,
    "another's": lambda: countersigned(SAID, OTHER),
    "signed for another purpose": lambda: pb.SignedCheckpoint(
        content=(content := countersigned(SAID, HOST).content), signature=HOST.sign(Domain.DEPOSIT_ADVICE, content)
    ),
    "of another terminal": lambda: resigned(terminal_id="T-2"),
    "of no epoch": lambda: resigned(epoch=0),
    "of no entry": lambda: resigned(sequence=0),
    "without a time": lambda: resigned(host_time_us=0),
    "with half a hash": lambda: resigned(hash=bytes(16)),
    "no message": lambda: pb.SignedCheckpoint(content=b"\xff", signature=HOST.sign(Domain.JOURNAL_CHECKPOINT, b"\xff")),
}


@pytest.mark.parametrize("name", BAD)
def test_anything_else_is_no_checkpoint(name: str) -> None:
    with pytest.raises(BadCheckpoint):
        check_checkpoint(BAD[name](), HOST.public_key(), T1)


# --- exports --------------------------------------------------------------------------------------------------------


def chain(*records: bytes) -> list[Entry]:
    entries: list[Entry] = []
    for record in records:
        entries.append(next_entry(1, entries[-1] if entries else None, record))
    return entries


def written(entries: list[Entry], head: Head = HEAD) -> bytes:
    return b"".join(write_export(head, entries, OTHER))


@given(st.lists(st.binary(max_size=300), max_size=12))
def test_what_is_written_is_read_back(records: list[bytes]) -> None:
    entries = chain(*records)
    assert read_export(written(entries)) == Export(HEAD, tuple(to_message(entry) for entry in entries))


def test_a_file_of_which_any_byte_was_changed_is_none() -> None:
    data = written(chain(b"a", b"bc", b""))
    for place in range(len(data)):
        for change in (1, 0x80, 0xFF):
            with pytest.raises(BadExport):
                read_export(data[:place] + bytes((data[place] ^ change,)) + data[place + 1 :])


def test_a_file_that_ends_anywhere_else_is_none() -> None:
    data = written(chain(b"a", b"bc"))
    for end in range(len(data)):
        with pytest.raises(BadExport):
            read_export(data[:end])
    for more in (b"\x00", data, b"\xff" * 9):
        with pytest.raises(BadExport):
            read_export(data + more)


def test_two_files_put_together_are_none() -> None:
    one, other = written(chain(b"a")), written(chain(b"b"))
    with pytest.raises(BadExport):
        read_export(one + other)


def test_a_seal_of_another_key_than_the_one_that_is_named_is_none() -> None:
    head = Head(T1, 5, "1.2", HOST.public_key())
    with pytest.raises(BadExport, match="not of the key that it names"):
        read_export(written(chain(b"a"), head))


def test_a_name_that_is_no_terminals_is_refused() -> None:
    with pytest.raises(BadExport, match="not a terminal id"):
        read_export(written([], Head(TerminalId("nobody!"), 5, "1", OTHER.public_key())))


@given(st.binary(max_size=200))
def test_whatever_a_file_holds_nothing_but_its_own_error_comes_of_it(data: bytes) -> None:
    with pytest.raises(BadExport):
        read_export(data)
