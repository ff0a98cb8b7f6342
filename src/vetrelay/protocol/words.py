"""Safety words: what two parties compare by phone to know that no one stands between them (docs/protocol.md, chapter 15)."""

import hashlib
from typing import Final

from vetrelay.protocol.ids import CaseId, PartyId, unb64

WORDS: Final = 8
BITS_PER_WORD: Final = 11


def safety_numbers(one: PartyId, other: PartyId, case: CaseId) -> tuple[int, ...]:
    """Eight numbers below 2,048, the same for both parties of the pair, each a word of the BIP 39 English list.

    First 88 bits of scrypt(min(party ids) ‖ max(party ids) ‖ case id, "VetRelay-v1 safety words", N=2^16, r=8, p=1).
    """
    first, second = sorted((unb64(one, 32), unb64(other, 32)))
    digest = hashlib.scrypt(
        first + second + unb64(case, 32),
        salt=b"VetRelay-v1 safety words",
        n=2**16,
        r=8,
        p=1,
        maxmem=2**27,
        dklen=WORDS * BITS_PER_WORD // 8,
    )
    bits = int.from_bytes(digest, "big")
    return tuple(bits >> BITS_PER_WORD * (WORDS - 1 - at) & (2**BITS_PER_WORD - 1) for at in range(WORDS))
