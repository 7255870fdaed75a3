"""What may be deposited while the host is away: whatever happens, no more than it signed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guichet.ids import TerminalId
from guichet.money import Currency, Money, parse_money
from guichet.offline import DAY_US, Limit, Limits
from kiosk.journal.offline import Card, Offline, TrustedTime, Use
from kiosk.terminal.offline import (
    Allowed,
    Holder,
    Reason,
    Standing,
    allowance,
    fits,
    mark_of,
    open_to_some,
)

EUR, USD = Currency("EUR"), Currency("USD")
NOW = 20_000 * DAY_US + 1
NOTES = frozenset(parse_money(text) for text in ("10 EUR", "20 EUR", "50 EUR"))
LIMIT = Limit("476173", parse_money("100 EUR"), parse_money("250 EUR"), 2)
LIMITS = Limits(TerminalId("K001"), 3, NOW - 10, NOW + DAY_US, (LIMIT,))
STANDING = Standing(LIMITS, NOW, NOW + DAY_US, {}, NOTES)
ANNA = Holder("47617390", 7, "3112")
MONTH = "2410"


def used(minor: int, deposits: int = 1, mark: int = 7, prefix: str = "476173") -> dict[Card, Use]:
    return {Card(prefix, "EUR", mark): Use(minor, deposits)}


def test_the_day_after_one_of_which_nobody_knows_what_was_used_is_open_again() -> None:
    assert open_to_some(replace(STANDING, closed_day=NOW // DAY_US - 1)) is None


def test_a_card_of_the_limits_bin_may_deposit_what_is_left_of_it() -> None:
    assert allowance(STANDING, ANNA, MONTH) == Allowed(LIMIT, 3, NOW, parse_money("100 EUR"))
    assert open_to_some(STANDING) is None


@pytest.mark.parametrize(
    ("standing", "reason"),
    [
        (replace(STANDING, limits=None), Reason.OFF),
        (replace(STANDING, limits=replace(LIMITS, limits=())), Reason.OFF),
        (replace(STANDING, now_us=None), Reason.NO_TRUSTED_TIME),
        (replace(STANDING, now_us=NOW - 11), Reason.NO_TRUSTED_TIME),
        (replace(STANDING, now_us=NOW + DAY_US), Reason.EXPIRED),
        (replace(STANDING, certificate_until_us=NOW), Reason.EXPIRED),
        (replace(STANDING, closed_day=NOW // DAY_US), Reason.JOURNAL_RESTORED),
        (replace(STANDING, notes=frozenset({parse_money("20 USD")})), Reason.OTHER_CURRENCY),
        (replace(STANDING, notes=frozenset()), Reason.OTHER_CURRENCY),
        (replace(STANDING, uses=used(24_500, mark=8)), Reason.TERMINAL_USED_UP),
        (replace(STANDING, full={EUR}), Reason.TERMINAL_USED_UP),
    ],
)
def test_what_concerns_the_terminal_concerns_every_card(standing: Standing, reason: Reason) -> None:
    assert allowance(standing, ANNA, MONTH) is reason
    assert open_to_some(standing) is reason


@pytest.mark.parametrize(
    ("uses", "holder", "reason"),
    [
        ({}, replace(ANNA, digits="54133300"), Reason.OTHER_BIN),
        ({}, replace(ANNA, expiry="2409"), Reason.CARD_EXPIRED),
        (used(9_500), ANNA, Reason.CARD_USED_UP),
        (used(1_000, deposits=2), ANNA, Reason.CARD_USED_UP),
    ],
)
def test_what_concerns_one_card_leaves_the_others(uses: dict[Card, Use], holder: Holder, reason: Reason) -> None:
    standing = replace(STANDING, uses=uses)
    assert allowance(standing, holder, MONTH) is reason
    assert open_to_some(standing) is None
    assert isinstance(allowance(standing, replace(ANNA, mark=9), MONTH), Allowed)


def test_less_than_the_smallest_note_is_nothing() -> None:
    assert fits(parse_money("10 EUR"), NOTES)
    assert not fits(parse_money("9.99 EUR"), NOTES)
    assert not fits(parse_money("500 USD"), NOTES)


def test_the_longer_bin_counts_and_what_was_used_under_the_shorter_one_counts_too() -> None:
    longer = Limit("47617390", parse_money("60 EUR"), parse_money("60 EUR"), 5)
    standing = replace(STANDING, limits=replace(LIMITS, limits=(LIMIT, longer)), uses=used(2_000))
    allowed = allowance(standing, ANNA, MONTH)
    assert allowed == Allowed(longer, 3, NOW, parse_money("40 EUR"))
    assert allowance(standing, replace(ANNA, digits="47617391", mark=1), MONTH) == Allowed(
        LIMIT, 3, NOW, parse_money("100 EUR")
    )


def test_of_two_currencies_the_first_with_something_left_is_taken() -> None:
    dollars = Limit("476173", parse_money("40 USD"), parse_money("40 USD"), 5)
    both = replace(STANDING, limits=replace(LIMITS, limits=(LIMIT, dollars)), notes=NOTES | {parse_money("20 USD")})
    first, second = allowance(both, ANNA, MONTH), allowance(replace(both, uses=used(10_000)), ANNA, MONTH)
    assert isinstance(first, Allowed)
    assert isinstance(second, Allowed)
    assert (first.left.currency, second.left.currency) == (EUR, USD)


# --- whatever is deposited ------------------------------------------------------------------------------------------

BINS = ("476173", "47617390", "47617391", "541333")
AMOUNT = st.integers(1, 40_000)


def made(prefix: str, card: int, more: int, count: int) -> Limit:
    return Limit(prefix, Money(card, EUR), Money(card + more, EUR), count)


LIST = st.lists(
    st.builds(made, st.sampled_from(BINS), AMOUNT, AMOUNT, st.integers(1, 4)),
    min_size=1, max_size=4, unique_by=lambda limit: limit.bin,
)  # fmt: skip
HOLDER = st.builds(
    Holder, st.sampled_from(["47617390", "47617391", "47617392", "54133300"]), st.integers(0, 2), st.just("3112")
)
TRY = st.tuples(HOLDER, st.integers(0, DAY_US // 2), st.lists(st.sampled_from([1_000, 2_000, 5_000]), max_size=6))


@given(LIST, st.lists(TRY, max_size=30))
@settings(deadline=None)
def test_no_day_takes_more_than_any_of_its_limits(
    limits: list[Limit], tries: list[tuple[Holder, int, list[int]]]
) -> None:
    """People come one after the other and push notes in; each note that fits in what is left is taken."""
    offline = Offline()
    signed = Limits(TerminalId("K001"), 1, 0, 31 * DAY_US, tuple(limits))
    now, day, taken = 0, 0, dict[tuple[str, Holder, int], int]()
    for number, (holder, later, pushed) in enumerate(tries):
        now += later
        if now // DAY_US > day:
            day, offline.forgotten = now // DAY_US, {}
        allowed = allowance(Standing(signed, now, 2**62, offline.forgotten, NOTES), holder, "2001")
        if isinstance(allowed, Reason):
            continue
        assert fits(allowed.left, NOTES), "nobody is let in for whom no note fits"
        assert holder.digits.startswith(allowed.limit.bin)
        for minor in pushed:
            so_far = taken.get((allowed.limit.bin, holder, number), 0)
            if so_far + minor <= allowed.left.minor:
                taken[allowed.limit.bin, holder, number] = so_far + minor
        minor, card = taken.get((allowed.limit.bin, holder, number), 0), Card(allowed.limit.bin, "EUR", holder.mark)
        offline.forgotten[card] = offline.forgotten.get(card, Use()) + Use.of_deposit(minor)
        for limit in limits:
            by_deposit = {
                key: minor for key, minor in taken.items() if key[0] == limit.bin and key[2] in todays(tries, day)
            }
            assert sum(by_deposit.values()) <= limit.per_terminal.minor
            for someone in {key[1] for key in by_deposit}:
                of_card = [minor for key, minor in by_deposit.items() if key[1] == someone]
                assert sum(of_card) <= limit.per_card.minor
                assert len(of_card) <= limit.deposits


def todays(tries: list[tuple[Holder, int, list[int]]], day: int) -> set[int]:
    """Which of ``tries`` are of ``day``."""
    now, found = 0, set[int]()
    for number, (_, later, _) in enumerate(tries):
        now += later
        if now // DAY_US == day:
            found.add(number)
    return found


# --- time -----------------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**50), st.integers(0, 2**50), st.integers(-(2**50), 2**50))
def test_time_is_trusted_within_one_boot_and_never_backwards(since: int, host: int, passed: int) -> None:
    trusted = TrustedTime("this boot", since, host)
    assert trusted.now_us("this boot", since + passed) == (host + passed if passed >= 0 else None)
    assert trusted.now_us("another", since + abs(passed)) is None


@given(st.binary(min_size=32, max_size=32))
def test_a_mark_has_ten_bits_of_its_hash(digest: bytes) -> None:
    assert mark_of(digest) == int.from_bytes(digest, "big") >> 246
