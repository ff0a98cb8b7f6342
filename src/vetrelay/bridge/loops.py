"""The mark in every letter of ours, by which we know it when it comes back (email.md, 7.5). Pure; the pace is pace.py's."""

import base64
import hashlib
import hmac
from typing import Final

MOST_RECEIVED: Final = 50
"""Stations a letter may have passed through; more of them only a circle has."""


def loop_mark(key: bytes, message_id: str) -> str:
    """The value of `X-VetRelay-Loop` in a letter of ours: tells us, and only us, that we wrote it, and nothing else."""
    drawn = _base32(hashlib.sha256(b"VetRelay-v1 loop\0" + message_id.encode("utf-8")).digest()[:16])
    return f"{drawn}.{_mac(drawn, key)}"


def is_our_mark(untrusted: str, key: bytes) -> bool:
    """Whether we made this mark. Takes the same time for every wrong one of the usual length."""
    drawn, _, mac = untrusted.strip().partition(".")
    if not untrusted.isascii() or len(untrusted) > 100:
        return False
    return hmac.compare_digest(_mac(drawn, key), mac)


def _mac(drawn: str, key: bytes) -> str:
    return _base32(hmac.new(key, b"VetRelay-v1 loop mark\0" + drawn.encode("ascii"), hashlib.sha256).digest()[:16])


def _base32(raw: bytes) -> str:
    return base64.b32encode(raw).decode("ascii").rstrip("=").lower()
