"""Safety words: the same for both, other words for anybody else."""

import hashlib
from functools import cache

from tests.chains import named_hash
from vetrelay.protocol import words
from vetrelay.protocol.ids import unb64

safety_numbers = cache(words.safety_numbers)  # a fifth of a second each, on purpose
ONE, OTHER, CASE = named_hash("one"), named_hash("other"), named_hash("case")


def test_both_ends_compute_the_same_words() -> None:
    """(N29) Whoever asks first."""
    assert safety_numbers(ONE, OTHER, CASE) == safety_numbers(OTHER, ONE, CASE)


def test_another_party_or_another_case_has_other_words() -> None:
    """(N29) A word said in one case proves nothing in the next."""
    asked = {
        safety_numbers(ONE, OTHER, CASE),
        safety_numbers(ONE, OTHER, named_hash("another case")),
        safety_numbers(ONE, named_hash("impostor"), CASE),
    }
    assert 3 == len(asked)


def test_the_words_are_the_first_88_bits_of_scrypt() -> None:
    """Eight numbers of eleven bits, most significant first."""
    first, second = sorted((unb64(ONE), unb64(OTHER)))
    digest = hashlib.scrypt(
        first + second + unb64(CASE),
        salt=b"VetRelay-v1 safety words",
        n=65536,
        r=8,
        p=1,
        maxmem=2**27,
        dklen=32,
    )
    bits = f"{int.from_bytes(digest[:11], 'big'):088b}"
    expected = tuple(int(bits[at : at + 11], 2) for at in range(0, 88, 11))
    assert expected == safety_numbers(ONE, OTHER, CASE)
