"""What follows from a one-time secret."""

import hmac
from typing import get_args

import pytest

from vetrelay.protocol.derive import SECRET_BYTES, Use, derive

SECRET = bytes(range(SECRET_BYTES))


@pytest.mark.parametrize("use", get_args(Use))
def test_it_is_hkdf_sha256_with_an_empty_salt(use: Use) -> None:
    """RFC 5869 by hand: extract under 32 zero bytes, expand one block."""
    extracted = hmac.digest(bytes(32), SECRET, "sha256")
    expected = hmac.digest(extracted, b"VetRelay-v1/" + use.encode() + b"\x01", "sha256")
    assert expected == derive(SECRET, use)


def test_every_use_gives_other_bytes() -> None:
    """What signs cannot open, and an invitation is no door."""
    uses = get_args(Use)
    assert len(uses) == len({derive(SECRET, use) for use in uses})
