"""The numbers of a key exchange, made of a connection's own entropy. Pure: the same entropy gives the same numbers.

The exchange is Diffie and Hellman's with nobody's signature: it keeps packets whole and in order, and is no protection
against somebody who listens. (SSP manual GA138, encryption layer.) The numbers have 64 bits on the wire. Ours stay
below 2**31, as those of the maker's own SDK do: whoever multiplies two of them in 64 bits is right then.
"""

from __future__ import annotations

from hashlib import sha256

DEFAULT_FIXED_KEY = 0x0123456701234567
"""The half of every key that is not negotiated, as devices leave the factory."""

_LOWEST, _SPAN = 1 << 30, 1 << 30
# No two neighbouring primes below 2**31 are farther apart than 292.
_WIDEST_GAP = 300
# Enough witnesses for every number below 3.3 * 10**24.
_WITNESSES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)


class Dice:
    """A stream of bytes that nobody can foresee who does not know the entropy."""

    def __init__(self, entropy: bytes) -> None:
        self._entropy = entropy
        self._drawn = 0

    def draw(self, count: int) -> bytes:
        """The next ``count`` bytes, at most 32 of them fresh at a time."""
        drawn = b""
        while len(drawn) < count:
            self._drawn += 1
            drawn += sha256(self._entropy + self._drawn.to_bytes(8, "big")).digest()
        return drawn[:count]

    def number(self) -> int:
        """Any number of 64 bits but 0."""
        return int.from_bytes(self.draw(8), "little") or 1

    def secret(self) -> int:
        """What one side keeps to itself in a key exchange: any number below 2**31 but 0."""
        return self.number() % (_LOWEST + _SPAN) or 1

    def prime(self) -> int:
        """A prime between 2**30 and 2**31."""
        start = _LOWEST + self.number() % (_SPAN - _WIDEST_GAP)
        return next(number for number in range(start | 1, start + _WIDEST_GAP, 2) if is_prime(number))


def is_prime(number: int) -> bool:
    """Whether ``number``, of at most 64 bits, is a prime; certain, by Miller's and Rabin's test."""
    if number < 2:
        return False
    for small in _WITNESSES:
        if number % small == 0:
            return number == small
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    return all(_passes(number, witness, odd, twos) for witness in _WITNESSES)


def _passes(number: int, witness: int, odd: int, twos: int) -> bool:
    power = pow(witness, odd, number)
    if power in (1, number - 1):
        return True
    for _ in range(twos - 1):
        power = power * power % number
        if power == number - 1:
            return True
    return False


def share(generator: int, secret: int, modulus: int) -> int:
    """What one side tells the other; and, with the other's share for a generator, the number that both then know."""
    return pow(generator, secret, modulus)


def session_key(fixed: int, agreed: int) -> bytes:
    """The AES key: the fixed half, then the negotiated one."""
    return fixed.to_bytes(8, "little") + agreed.to_bytes(8, "little")
