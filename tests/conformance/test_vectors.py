"""The published frames of each protocol: its driver's codec finds them, however they come, and reads them as their
sheets do; with one bit wrong it finds none.

A file of ``vectors`` has a frame a line: ``>`` from the host or ``<`` from the device, its bytes, and behind a bar what
it says, in the words of the driver's narrator. An answer is one to the question before it. ``#`` begins a line for
people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from drivers.narration import Narrator, Saying, narrator_for, narrator_maker
from tests.conformance.cases import each_vector_file
from tests.conformance.subject import Subject


@dataclass(frozen=True, slots=True)
class Vector:
    """One frame of a file. ``outward``: from the host."""

    outward: bool
    raw: bytes
    words: str

    def told_to(self, narrator: Narrator) -> Callable[[bytes], list[Saying]]:
        """How ``narrator`` is given bytes of that direction."""
        return narrator.sent if self.outward else narrator.received


def vectors_of(path: Path) -> Iterator[Vector]:
    """The frames of a file. Raises ValueError for a line that is none."""
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not text or text.startswith("#"):
            continue
        mark, bar, words = text[:1], *text[1:].partition("|")[1:]
        if mark not in ("<", ">") or not bar:
            raise ValueError(f"{path.name}, line {number}: '> HEX | words' or '< HEX | words'")
        yield Vector(mark == ">", bytes.fromhex(text[1:].partition("|")[0]), words.strip())


def said(subject: Subject, vectors: Iterable[Vector], pieces: Callable[[bytes], Iterable[bytes]]) -> list[Saying]:
    narrator, found = narrator_for(subject.driver, subject.options), list[Saying]()
    for vector in vectors:
        for piece in pieces(vector.raw):
            found += vector.told_to(narrator)(piece)
    return found


@each_vector_file()
def test_every_published_frame_is_found_and_read(subject: Subject, file: Path) -> None:
    assert every_frame_is_found_and_read(subject, file) >= 10


def every_frame_is_found_and_read(subject: Subject, file: Path) -> int:
    """In one piece, and byte by byte; how many there are."""
    vectors = list(vectors_of(file))
    expected = [Saying(vector.raw, vector.words) for vector in vectors]
    assert said(subject, vectors, lambda raw: [raw]) == expected
    assert said(subject, vectors, lambda raw: [raw[at : at + 1] for at in range(len(raw))]) == expected
    return len(vectors)


@each_vector_file()
def test_a_published_frame_with_one_bit_wrong_is_not_taken_for_one(subject: Subject, file: Path) -> None:
    no_frame_with_one_bit_wrong_is_taken_for_one(subject, file)


def no_frame_with_one_bit_wrong_is_taken_for_one(subject: Subject, file: Path) -> None:
    """Neither for itself nor for another message: a checksum finds every single bit. What it becomes may be the
    beginning of something longer, which does not come.
    """
    make, before = narrator_maker(subject.driver), list[Vector]()
    for vector in vectors_of(file):
        for bit in range(len(vector.raw) * 8):
            wrong = bytearray(vector.raw)
            wrong[bit // 8] ^= 1 << bit % 8
            narrator = make(subject.options)
            for earlier in before[-1:]:
                earlier.told_to(narrator)(earlier.raw)
            whole = [saying for saying in vector.told_to(narrator)(bytes(wrong)) if not _is_scrap(saying)]
            assert whole == [], f"{vector.raw.hex(' ')}, bit {bit}"
        before.append(vector)


def _is_scrap(saying: Saying) -> bool:
    return saying.words in ("DAMAGED FRAME", "NOISE")


def test_a_line_that_is_no_vector_is_named(tmp_path: Path) -> None:
    path = tmp_path / "acme.txt"
    path.write_text("# a comment\n\n> 01 02 | hello\n01 02 hello\n")
    with pytest.raises(ValueError, match=r"acme\.txt, line 4: '> HEX \| words' or '< HEX \| words'"):
        list(vectors_of(path))
