"""Identifiers: their form, and that nothing else passes for one."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guichet.ids import MAX_NAME, IdError, as_name, check_id, check_terminal_id, make_id, short
from guichet.seams import Clock
from guichet.system import SystemClock, SystemIds, SystemRandom


def test_the_published_example_of_a_version_7_id_is_made() -> None:
    """RFC 9562, appendix A.6."""
    entropy = 0x0CC3 << 64 | 0x18C4DC0C0C07398F
    assert make_id(1645557742000 * 1000, entropy.to_bytes(10, "big")) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(st.integers(0, 2**60), st.binary(min_size=10, max_size=10))
def test_every_id_is_a_uuid_of_version_7_and_is_taken_for_one(wall_us: int, entropy: bytes) -> None:
    text = make_id(wall_us, entropy)
    assert UUID(text).version == 7
    assert UUID(text).variant == "specified in RFC 4122"
    assert check_id(text) == text


@pytest.mark.parametrize("count", [0, 9, 11])
def test_an_id_takes_ten_bytes_of_entropy(count: int) -> None:
    with pytest.raises(IdError, match="10 bytes"):
        make_id(0, bytes(count))


@pytest.mark.parametrize(
    "text",
    ["", "x", "017F22E2-79B0-7CC3-98C4-DC0C0C07398F", "017f22e279b07cc398c4dc0c0c07398f",
     "017f22e2-79b0-4cc3-98c4-dc0c0c07398f", "017f22e2-79b0-7cc3-18c4-dc0c0c07398f",
     "017f22e2-79b0-7cc3-98c4-dc0c0c07398f\n", " 017f22e2-79b0-7cc3-98c4-dc0c0c07398f"],
)  # fmt: skip
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(IdError, match="not an id"):
        check_id(text)


@pytest.mark.parametrize("text", ["A1", "GVA-0001", "ABCDEFGHIJKLMNOP"])
def test_a_terminal_has_a_name_of_2_to_16_capitals_digits_and_hyphens(text: str) -> None:
    assert check_terminal_id(text) == text


@pytest.mark.parametrize("text", ["", "A", "gva-1", "-GVA", "GVA 1", "ABCDEFGHIJKLMNOPQ", "GVA\n", "ГВА-1", "../ETC"])
def test_what_is_no_terminal_is_refused_and_not_repeated_at_length(text: str) -> None:
    with pytest.raises(IdError, match="not a terminal id"):
        check_terminal_id(text)
    with pytest.raises(IdError) as error:
        check_terminal_id("x" * 1000)
    assert len(str(error.value)) < 200


def test_a_short_form_is_what_a_person_can_read_out() -> None:
    assert short("017f22e2-79b0-7cc3-98c4-dc0c0c07398f") == "0C07398F"


def test_the_machines_own_seams_keep_their_promises() -> None:
    clock, random = SystemClock(), SystemRandom()
    seams: Clock = clock
    assert abs(SystemClock(offset_us=10**9).wall_us() - seams.wall_us() - 10**9) < 10**7
    assert clock.monotonic() <= clock.monotonic()
    assert len(random.bytes(16)) == 16
    assert random.bytes(16) != random.bytes(16)
    ids = SystemIds(clock, random)
    made = {ids.new() for _ in range(1000)}
    assert len(made) == 1000
    assert {check_id(text) for text in made} == made


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("SIM000000001", "SIM000000001"),
        ("", ""),
        ("12\x0034", "12\\x0034"),
        ("\r\nA\x7f", "\\x0d\\x0aA\\x7f"),
        ("\ufffd9", "\ufffd9"),
    ],
)
def test_a_name_from_outside_can_be_shown(text: str, name: str) -> None:
    assert as_name(text) == name


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_name_from_outside_is_short_and_printable_and_stays_as_it_is(one: str, other: str) -> None:
    name = as_name(one)
    assert len(name) <= MAX_NAME
    assert name.isprintable()
    assert as_name(name) == name
    if len(one) > MAX_NAME and one != other and one[:MAX_NAME] == other[:MAX_NAME]:
        assert name != as_name(other)


def test_two_long_names_that_begin_alike_are_two() -> None:
    assert as_name("x" * 80 + "1") != as_name("x" * 80 + "2")
