"""N19, N54: what counts as a signature and as a key, on the published edge cases of Ed25519."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from nacl.bindings import crypto_core_ed25519_add
from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey

from tests.chains import ActingParty, device_named, open_case, refusal_of
from vetrelay.errors import Refusal
from vetrelay.protocol.case import InviteOpen
from vetrelay.protocol.ids import b64, unb64
from vetrelay.protocol.party import Door, Offer
from vetrelay.protocol.signature import check_sign_key, sign
from vetrelay.protocol.statement import convert, parse_signed

# A point of order 8: added to an honest key it gives a key under which some libraries accept and others refuse.
ORDER_EIGHT = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
HONEST = unb64(device_named("honest").sign)
BAD_KEYS = {
    "zero": bytes(32),
    "the identity": bytes([1]) + bytes(31),
    "order 2": bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    "order 8": ORDER_EIGHT,
    "identity, not canonical": bytes.fromhex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    "identity with a sign bit": bytes([1]) + bytes(30) + b"\x80",
    "all ones": b"\xff" * 32,
    "not on the curve": bytes([2]) + bytes(31),
    "mixed order": crypto_core_ed25519_add(HONEST, ORDER_EIGHT),
}


def is_taken(key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether VetRelay takes the signature."""
    try:
        check_sign_key(b64(key)).verify(message, signature)
    except (Refusal, CryptoError):
        return False
    return True


@pytest.mark.corpora
def test_what_is_taken_of_the_914_vectors_is_what_every_strict_verifier_takes(corpora: Path) -> None:
    """No low order, no mixed order, no second encoding, nothing that needs the cofactor."""
    vectors = json.loads((corpora / "ed25519" / "ed25519vectors.json").read_text())
    taken = [
        vector
        for vector in vectors
        if is_taken(bytes.fromhex(vector["key"]), bytes.fromhex(vector["sig"]), vector["msg"].encode())
    ]
    assert 914 == len(vectors)
    assert [305] == [vector["number"] for vector in taken]
    assert [None] == [vector["flags"] for vector in taken]


@pytest.mark.corpora
def test_the_library_alone_would_take_keys_of_mixed_order(corpora: Path) -> None:
    """Why keys are checked besides: 42 vectors pass libsodium's verifier under a key that two messages could share."""
    vectors = json.loads((corpora / "ed25519" / "ed25519vectors.json").read_text())

    def passes(vector: dict[str, str]) -> bool:
        try:
            VerifyKey(bytes.fromhex(vector["key"])).verify(vector["msg"].encode(), bytes.fromhex(vector["sig"]))
        except CryptoError:
            return False
        return True

    assert 43 == sum(passes(vector) for vector in vectors)


@pytest.mark.parametrize("key", BAD_KEYS.values(), ids=BAD_KEYS.keys())
def test_a_key_that_is_not_of_full_order_is_no_key(key: bytes) -> None:
    """(N54) Refused before any signature is looked at."""
    assert "bad_key" == refusal_of(check_sign_key, b64(key))


def test_an_honest_key_is_one() -> None:
    """The table above is not simply a wall."""
    assert "success" == refusal_of(check_sign_key, b64(HONEST))


@pytest.mark.parametrize("key", BAD_KEYS.values(), ids=BAD_KEYS.keys())
def test_such_a_key_gets_in_nowhere(key: bytes) -> None:
    """(N54) Neither as a door's key nor as an invitation's, which only name it."""
    clinic = ActingParty("clinic", "clinic")
    door = Door(v=1, party=clinic.id, seq=1, prev=clinic.state.head, key=b64(key), until=None, closed=False)
    assert "bad_key" == refusal_of(clinic.take, clinic.sign(door))
    running = open_case(clinic)
    body = InviteOpen(
        v=1, case=running.case, nonce=running.fresh(), key=b64(key), role="owner", until=2**50, approve=True, card=None
    )
    assert "bad_key" == refusal_of(running.say, body, clinic)


def test_a_device_of_mixed_order_is_refused_before_its_signature_is_looked_at() -> None:
    """(N54) The offer of a device whose key has a small-order part."""
    clinic = ActingParty("clinic", "clinic")
    mixed = b64(BAD_KEYS["mixed order"])
    honest = parse_signed(clinic.offer("phone").content())
    offer = sign("offer", replace(convert(honest, Offer), sign=mixed), [clinic.device("phone").signer] * 2)
    claimed = replace(offer, sigs=(replace(offer.sigs[0], key=mixed), offer.sigs[1]))
    assert "bad_key" == refusal_of(clinic.take, clinic.device_add("phone", offer=claimed))
