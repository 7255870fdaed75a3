"""A host's signed word that it holds a terminal's journal up to an entry. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.message import DecodeError

from guichet.ids import TerminalId
from guichet.journal.chain import HASH_BYTES
from guichet.seams import Domain, Signer
from guichet.signing import BadSignature, verify
from guichet.v1 import replication_pb2 as pb


class BadCheckpoint(ValueError):
    """Bytes that are no checkpoint, of another terminal, or not signed by this host."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """``hash``: of the entry at ``epoch`` and ``sequence``, and so of all before it; ``host_time_us``: microseconds
    since 1970 by the host's clock.
    """

    terminal_id: TerminalId
    epoch: int
    sequence: int
    hash: bytes
    host_time_us: int

    @property
    def place(self) -> tuple[int, int]:
        """Epoch and sequence."""
        return self.epoch, self.sequence


def countersigned(checkpoint: Checkpoint, signer: Signer) -> pb.SignedCheckpoint:
    """The host signs it. The bytes are those that are verified ever after."""
    content = pb.Checkpoint(
        terminal_id=checkpoint.terminal_id,
        epoch=checkpoint.epoch,
        sequence=checkpoint.sequence,
        hash=checkpoint.hash,
        host_time_us=checkpoint.host_time_us,
    ).SerializeToString(deterministic=True)
    return pb.SignedCheckpoint(content=content, signature=signer.sign(Domain.JOURNAL_CHECKPOINT, content))


def check_checkpoint(signed: pb.SignedCheckpoint, host_key: bytes, terminal: TerminalId) -> Checkpoint:
    """What the host with ``host_key`` (DER SubjectPublicKeyInfo) said of ``terminal``.

    Raises :class:`BadCheckpoint`.
    """
    try:
        verify(host_key, Domain.JOURNAL_CHECKPOINT, signed.content, signed.signature)
        stated = pb.Checkpoint.FromString(signed.content)
    except (BadSignature, DecodeError) as error:
        raise BadCheckpoint(f"not the host's checkpoint: {error}") from error
    if stated.terminal_id != terminal:
        raise BadCheckpoint(f"a checkpoint of {stated.terminal_id[:16]!r}, not of {terminal}")
    if not (stated.epoch and stated.sequence and len(stated.hash) == HASH_BYTES and stated.host_time_us > 0):
        raise BadCheckpoint("a checkpoint of no entry")
    return Checkpoint(terminal, stated.epoch, stated.sequence, stated.hash, stated.host_time_us)
