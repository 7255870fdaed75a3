"""PIN blocks and the keys that they travel under: ISO 9564-1 format 4 under AES-128 DUKPT (ANSI X9.24-3).

The software PIN pad encodes, the host's security module decodes; both derive the same working key from the pad's key
serial number. A real pad and a real HSM do all of this inside themselves, and then nobody here sees a PIN.

Sizes: keys 16 bytes, key id 8 bytes, key serial number (KSN) 12 bytes = key id and a big-endian counter of 4.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

KEY_BYTES = 16
KEY_ID_BYTES = 8
KSN_BYTES = 12
BLOCK_BYTES = 16
ENTROPY_BYTES = 8

MIN_DIGITS = 4
MAX_DIGITS = 12

_MIN_PAN = 8
_MAX_PAN = 19
_MIN_PAN_IN_FIELD = 12
_FIELD_NIBBLES = 32

# X9.24-3, table 3: what a derived key is for.
_PIN_ENCRYPTION = 0x1000
_KEY_DERIVATION = 0x8000
_INITIAL_KEY = 0x8001
_AES_128 = 2
_KEY_BITS = 128

_MAX_ONE_BITS = 16
_LAST_COUNTER = 0xFFFF0000


class PinError(ValueError):
    """A PIN, block, key or counter that cannot be what it should be. The text never says what it was."""


class Pin:
    """A PIN of 4 to 12 digits. It prints as stars, does not pickle, and can be wiped."""

    __slots__ = ("_digits",)

    def __init__(self, digits: bytes | bytearray) -> None:
        """``digits`` are ASCII. Raises :class:`PinError`."""
        if not MIN_DIGITS <= len(digits) <= MAX_DIGITS or not _are_digits(digits):
            raise PinError("a PIN is 4 to 12 decimal digits")
        self._digits = bytearray(digits)

    def reveal(self) -> bytes:
        """The ASCII digits. Raises :class:`PinError` once wiped."""
        if not self._digits:
            raise PinError("this PIN has been wiped")
        return bytes(self._digits)

    def wipe(self) -> None:
        """Overwrite the digits and forget them."""
        for index in range(len(self._digits)):
            self._digits[index] = 0
        self._digits.clear()

    def __repr__(self) -> str:
        return "Pin(****)"

    def __reduce__(self) -> str:
        raise TypeError("a PIN is not serialised")


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """An AES-128 key that prints as stars. Raises :class:`PinError` for any other length than 16 bytes."""

    value: bytes

    def __post_init__(self) -> None:
        if len(self.value) != KEY_BYTES:
            raise PinError("an AES-128 key has 16 bytes")

    def __repr__(self) -> str:
        return "Key(****)"


@dataclass(frozen=True, slots=True)
class Ksn:
    """A key serial number: which pad's initial key (``key_id``), and how many derivations on. It is no secret."""

    key_id: bytes
    counter: int

    def __post_init__(self) -> None:
        if len(self.key_id) != KEY_ID_BYTES:
            raise PinError("a key id has 8 bytes")
        if not 1 <= self.counter <= _LAST_COUNTER or self.counter.bit_count() > _MAX_ONE_BITS:
            raise PinError("a counter with no key")

    def encode(self) -> bytes:
        """The 12 bytes that travel."""
        return self.key_id + self.counter.to_bytes(4, "big")


def parse_ksn(data: bytes) -> Ksn:
    """Read 12 bytes. Raises :class:`PinError` for another length, counter 0, or one with more than 16 one-bits."""
    if len(data) != KSN_BYTES:
        raise PinError("a key serial number has 12 bytes")
    return Ksn(data[:KEY_ID_BYTES], int.from_bytes(data[KEY_ID_BYTES:], "big"))


def next_counter(counter: int) -> int:
    """The counter after ``counter`` (0 for a fresh key) whose key exists: those with more than 16 one-bits have none
    (X9.24-3, 6.3). Raises :class:`PinError` when the initial key is used up.
    """
    following = counter + 1
    while following.bit_count() > _MAX_ONE_BITS:
        following += following & -following
    if counter < 0 or following > _LAST_COUNTER:
        raise PinError("this initial key is used up: load another")
    return following


# --- keys -------------------------------------------------------------------------------------------------------------


def derive_initial_key(base: Key, key_id: bytes) -> Key:
    """The initial key of the pad ``key_id``, from the base derivation key, which never leaves the host."""
    if len(key_id) != KEY_ID_BYTES:
        raise PinError("a key id has 8 bytes")
    return _derive(base, _INITIAL_KEY, key_id)


def derive_pin_key(initial: Key, ksn: Ksn) -> Key:
    """The key of one PIN block: from a pad's initial key, along the counter's one-bits from the highest to the lowest,
    and from the derivation key so reached to the PIN key (X9.24-3, 6.3.3).
    """
    key, reached = initial, 0
    for bit in reversed(range(32)):
        if ksn.counter & (1 << bit):
            reached |= 1 << bit
            key = _derive(key, _KEY_DERIVATION, _context(ksn.key_id, reached))
    return _derive(key, _PIN_ENCRYPTION, _context(ksn.key_id, ksn.counter))


def _context(key_id: bytes, counter: int) -> bytes:
    return key_id[4:] + counter.to_bytes(4, "big")


def _derive(parent: Key, usage: int, context: bytes) -> Key:
    """One step: the derivation data (version 1, block 1, usage, algorithm, bits, context) under the parent key."""
    data = b"\x01\x01" + b"".join(field.to_bytes(2, "big") for field in (usage, _AES_128, _KEY_BITS)) + context
    return Key(_encrypt(parent, data))


# --- blocks -----------------------------------------------------------------------------------------------------------


def encode_pin_block(key: Key, pin: Pin, pan: bytes, entropy: bytes) -> bytes:
    """The format 4 block (16 bytes) of ``pin`` for the card number ``pan`` (ASCII digits).

    ``entropy``: 8 fresh random bytes, so that the same PIN never gives the same block. Raises :class:`PinError`.
    """
    if len(entropy) != ENTROPY_BYTES:
        raise PinError("a format 4 block takes 8 random bytes")
    digits = pin.reveal().decode("ascii")
    field = bytes.fromhex(f"4{len(digits):X}{digits}".ljust(16, "A")) + entropy
    return _encrypt(key, _xor(_encrypt(key, field), _pan_field(pan)))


def decode_pin_block(key: Key, block: bytes, pan: bytes) -> Pin:
    """The PIN in a format 4 block. Raises :class:`PinError` for another key, another card number, or altered bytes,
    without telling which.
    """
    if len(block) != BLOCK_BYTES:
        raise PinError("a PIN block has 16 bytes")
    field = _decrypt(key, _xor(_decrypt(key, block), _pan_field(pan)))
    nibbles = field[:8].hex()
    length = int(nibbles[1], 16)
    digits, fill = nibbles[2 : 2 + length], nibbles[2 + length :]
    if nibbles[0] != "4" or not MIN_DIGITS <= length <= MAX_DIGITS or fill.strip("a"):
        raise PinError("not a PIN block of this key and card")
    if not _are_digits(digits.encode("ascii")):
        raise PinError("not a PIN block of this key and card")
    return Pin(digits.encode("ascii"))


def _pan_field(pan: bytes) -> bytes:
    """ISO 9564-1, 9.4.2.3: how many digits beyond 12, the number itself (at least 12 digits), zeros."""
    if not _MIN_PAN <= len(pan) <= _MAX_PAN or not _are_digits(pan):
        raise PinError("a card number has 8 to 19 digits")
    digits = pan.decode("ascii").rjust(_MIN_PAN_IN_FIELD, "0")
    return bytes.fromhex(f"{len(digits) - _MIN_PAN_IN_FIELD:X}{digits}".ljust(_FIELD_NIBBLES, "0"))


def _are_digits(text: bytes | bytearray) -> bool:
    return all(0x30 <= byte <= 0x39 for byte in text)


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _encrypt(key: Key, block: bytes) -> bytes:
    # One block only, chained by hand as both standards say: ECB is the bare cipher here, not a mode of operation.
    cipher = Cipher(algorithms.AES(key.value), modes.ECB()).encryptor()  # noqa: S305
    return cipher.update(block) + cipher.finalize()


def _decrypt(key: Key, block: bytes) -> bytes:
    cipher = Cipher(algorithms.AES(key.value), modes.ECB()).decryptor()  # noqa: S305
    return cipher.update(block) + cipher.finalize()
