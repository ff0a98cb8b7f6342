"""Bech32 without a length limit: the text form of age recipients and identities.

BIP 173's checksum and alphabet; age lifts its 90 character limit (C2SP age.md,
"Recipients and identities"). The case of the prefix is the case of the text:
identities are written in capitals, recipients in small letters.
"""

from vetrelay.errors import Refusal

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_WORDS = 6
_WORD_BITS = 5
_BYTE_BITS = 8
_LONGEST_TEXT_CHARS = 4096  # twice a hybrid recipient: hostile text must not buy unbounded work
_PRINTABLE = range(33, 127)


def _polymod(words: list[int]) -> int:
    checksum = 1
    for word in words:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ word
        for bit, generator in enumerate(_GENERATORS):
            if top >> bit & 1:
                checksum ^= generator
    return checksum


def _expanded(prefix: str) -> list[int]:
    return [ord(letter) >> 5 for letter in prefix] + [0] + [ord(letter) & 31 for letter in prefix]


def encode(prefix: str, payload: bytes) -> str:
    """Text of `payload` under `prefix`, in the case of the prefix (BIP 173)."""
    words: list[int] = []
    pending = pending_bits = 0
    for byte in payload:
        pending = (pending << _BYTE_BITS | byte) & 0xFFF
        pending_bits += _BYTE_BITS
        while pending_bits >= _WORD_BITS:
            pending_bits -= _WORD_BITS
            words.append(pending >> pending_bits & 31)
    if pending_bits:
        words.append(pending << (_WORD_BITS - pending_bits) & 31)
    checksum = _polymod([*_expanded(prefix.lower()), *words, *[0] * _CHECKSUM_WORDS]) ^ 1
    words += [checksum >> _WORD_BITS * (_CHECKSUM_WORDS - 1 - place) & 31 for place in range(_CHECKSUM_WORDS)]
    letters = "".join(_ALPHABET[word] for word in words)
    return prefix + "1" + (letters.upper() if prefix.isupper() else letters)


def decode(text: str) -> tuple[str, bytes]:
    """Prefix (in the case of the text) and payload of a Bech32 text.

    Raises Refusal("age_text") for mixed case, a foreign letter, a wrong
    checksum, padding that is not zero, or a text longer than any key.
    """
    if len(text) > _LONGEST_TEXT_CHARS or text not in (text.lower(), text.upper()):
        raise Refusal("age_text")
    prefix, separator, letters = text.rpartition("1")
    words = [_VALUES.get(letter, -1) for letter in letters.lower()]
    if (
        not separator
        or not prefix
        or any(ord(letter) not in _PRINTABLE for letter in prefix)
        or -1 in words
        or len(words) < _CHECKSUM_WORDS
        or _polymod([*_expanded(prefix.lower()), *words]) != 1
    ):
        raise Refusal("age_text")
    payload = bytearray()
    pending = pending_bits = 0
    for word in words[:-_CHECKSUM_WORDS]:
        pending = (pending << _WORD_BITS | word) & 0xFFF
        pending_bits += _WORD_BITS
        if pending_bits >= _BYTE_BITS:
            pending_bits -= _BYTE_BITS
            payload.append(pending >> pending_bits & 0xFF)
    # A second text for one key would be a second name for it.
    if pending_bits >= _WORD_BITS or pending & ((1 << pending_bits) - 1):
        raise Refusal("age_text")
    return prefix, bytes(payload)
