"""A journal as one signed file, for the way to the host that needs no wire: a head, entries, a seal. Pure.

Each part stands behind its length, a varint, as protobuf's own tools write messages one behind the other. The seal is
the terminal's signature over the SHA-256 of every byte before it, so a file that was cut short, put together from two,
or changed in one bit is none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO

from google.protobuf import proto
from google.protobuf.message import DecodeError

from guichet.ids import IdError, TerminalId, check_terminal_id
from guichet.journal.chain import Entry
from guichet.limits import MAX_RECORD_BYTES
from guichet.seams import Domain, Signer
from guichet.signing import BadSignature, verify
from guichet.v1 import journal_pb2
from guichet.v1 import replication_pb2 as pb

_MOST_OF_A_PART = MAX_RECORD_BYTES + 1024
_VARINT_BYTES = 5


class BadExport(ValueError):
    """A file that is no export, or not as it was written."""


@dataclass(frozen=True, slots=True)
class Head:
    """Who wrote it, and when by its own clock. ``public_key`` (DER) is what it says it was sealed with: whether that is
    the terminal's, only the host knows.
    """

    terminal_id: TerminalId
    exported_at_us: int
    software_version: str
    public_key: bytes


@dataclass(frozen=True, slots=True)
class Export:
    """What a good file says."""

    head: Head
    entries: tuple[journal_pb2.JournalEntry, ...]


def to_message(entry: Entry) -> journal_pb2.JournalEntry:
    """An entry as it travels."""
    return journal_pb2.JournalEntry(
        epoch=entry.epoch,
        sequence=entry.sequence,
        previous_hash=entry.previous_hash,
        hash=entry.hash,
        record=entry.record,
    )


def write_export(head: Head, entries: Iterable[Entry], signer: Signer) -> Iterator[bytes]:
    """The file, in pieces."""
    digest, count = hashlib.sha256(), 0

    def piece(part: pb.ExportPart) -> bytes:
        data = _delimited(part)
        digest.update(data)
        return data

    yield piece(
        pb.ExportPart(
            head=pb.ExportHead(
                terminal_id=head.terminal_id,
                exported_at_us=head.exported_at_us,
                software_version=head.software_version,
                public_key=head.public_key,
            )
        )
    )
    for count, entry in enumerate(entries, 1):  # noqa: B007 - the last is what is sealed
        yield piece(pb.ExportPart(entry=to_message(entry)))
    sealed = digest.digest()
    seal = pb.ExportSeal(entries=count, digest=sealed, signature=signer.sign(Domain.JOURNAL_EXPORT, sealed))
    yield _delimited(pb.ExportPart(seal=seal))


def _delimited(part: pb.ExportPart) -> bytes:
    out = BytesIO()
    proto.serialize_length_prefixed(part, out)
    return out.getvalue()


def read_export(data: bytes) -> Export:
    """What is in the file. Raises :class:`BadExport`. The entries are as they stand there: whether they make a chain is
    for whoever takes them in.
    """
    at, parts, before_seal = 0, list[pb.ExportPart](), 0
    while at < len(data):
        before_seal = at
        part, at = _part(data, at)
        parts.append(part)
    if len(parts) < 2 or not parts[0].HasField("head") or not parts[-1].HasField("seal"):
        raise BadExport("not a journal's export, or only a part of one")
    head, seal = _head(parts[0].head), parts[-1].seal
    if not all(part.HasField("entry") for part in parts[1:-1]) or seal.entries != len(parts) - 2:
        raise BadExport(f"its seal speaks of {seal.entries} entries, and {len(parts) - 2} parts stand before it")
    _check_seal(seal, hashlib.sha256(memoryview(data)[:before_seal]).digest(), head)
    return Export(head, tuple(part.entry for part in parts[1:-1]))


def _part(data: bytes, at: int) -> tuple[pb.ExportPart, int]:
    length = shift = 0
    for place in range(at, min(at + _VARINT_BYTES, len(data))):
        length |= (data[place] & 0x7F) << shift
        shift += 7
        if data[place] < 0x80:
            begin = place + 1
            break
    else:
        raise BadExport(f"no part begins at byte {at}")
    if length > _MOST_OF_A_PART or begin + length > len(data):
        raise BadExport(f"the part at byte {at} is cut short, or is none")
    try:
        return pb.ExportPart.FromString(data[begin : begin + length]), begin + length
    except DecodeError as error:
        raise BadExport(f"the part at byte {at} cannot be read") from error


def _head(head: pb.ExportHead) -> Head:
    try:
        terminal = check_terminal_id(head.terminal_id)
    except IdError as error:
        raise BadExport(str(error)) from error
    return Head(terminal, head.exported_at_us, head.software_version[:100], head.public_key)


def _check_seal(seal: pb.ExportSeal, digest: bytes, head: Head) -> None:
    if seal.digest != digest:
        raise BadExport("it is not as it was written: its digest is another")
    try:
        verify(head.public_key, Domain.JOURNAL_EXPORT, digest, seal.signature)
    except BadSignature as error:
        raise BadExport(f"its seal is not of the key that it names: {error}") from error
