"""Signed statements: the wire form, entry ids, one rule for every signature."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.chains import device_named, refusal_of
from vetrelay.protocol.ids import b64, sha256, unb64
from vetrelay.protocol.session import SessionRequest
from vetrelay.protocol.signature import Signature, Signed, SignedType, parse_wire, sign, verify, wire
from vetrelay.protocol.statement import render, signing_bytes

ONE, OTHER = device_named("one"), device_named("other")
BODY = SessionRequest(
    v=1, device=ONE.id, origin="https://clinic.example", relay=ONE.sign, nonce=b64(bytes(32)), until=1_800_000_000_000
)
SIGNED = sign("session", BODY, [ONE.signer])


def test_a_statement_comes_back_from_its_wire_form() -> None:
    """The signature covers the exact body bytes, whatever carries them."""
    assert SIGNED == parse_wire(wire(SIGNED)) == parse_wire(wire(SIGNED).decode())
    assert render(BODY) == verify(parse_wire(wire(SIGNED)), "session", [ONE.sign])


def test_the_entry_id_is_the_hash_of_the_signing_bytes() -> None:
    """Signatures are outside it: who signs a statement does not change what was said."""
    expected = b64(sha256(signing_bytes("session", render(BODY))))
    assert expected == SIGNED.entry_id() == sign("session", BODY, [OTHER.signer]).entry_id()
    assert expected != sign("head", BODY, [ONE.signer]).entry_id()


def test_the_same_seed_signs_the_same_bytes_the_same() -> None:
    """Ed25519 throws no dice, so a repeated statement is the same statement."""
    assert SIGNED == sign("session", BODY, [ONE.signer])


def test_two_signatures_are_checked_in_order() -> None:
    """Each signer has its place."""
    signed = sign("offer", BODY, [ONE.signer, OTHER.signer])
    assert render(BODY) == verify(signed, "offer", [ONE.sign, OTHER.sign])
    assert "bad_signature" == refusal_of(verify, signed, "offer", [OTHER.sign, ONE.sign])
    assert "bad_signature" == refusal_of(verify, signed, "offer", [ONE.sign])


@given(st.integers(0, len(wire(SIGNED)) - 1), st.integers(1, 255))
def test_any_changed_byte_of_the_wire_form_is_refused(place: int, difference: int) -> None:
    """Type, body, key, signature, and the JSON around them."""
    raw = bytearray(wire(SIGNED))
    raw[place] ^= difference
    code = refusal_of(lambda: verify(parse_wire(bytes(raw)), "session", [ONE.sign]))
    assert code in {"bad_body", "bad_base64", "bad_signature", "wrong_type"}


@pytest.mark.parametrize("kind", ["party", "case", "envelope", "grant", "head", "offer"])
def test_one_types_signature_is_not_anothers(kind: SignedType) -> None:
    """(N18) Neither when asked for as that type, nor when relabelled."""
    assert "wrong_type" == refusal_of(verify, SIGNED, kind, [ONE.sign])
    assert "bad_signature" == refusal_of(verify, replace(SIGNED, type=kind), kind, [ONE.sign])


WIRE = wire(SIGNED).decode()
BROKEN = {
    "unsigned": replace(SIGNED, sigs=()),
    "signed by another under the same key": replace(
        SIGNED, sigs=(replace(OTHER.signer(signing_bytes("session", render(BODY))), key=ONE.sign),)
    ),
    "signed by another member": sign("session", BODY, [OTHER.signer]),
    "signed twice": replace(SIGNED, sigs=SIGNED.sigs * 2),
    "one hundred signatures": replace(SIGNED, sigs=SIGNED.sigs * 100),
    "another body": replace(SIGNED, body=b64(render(replace(BODY, until=1)))),
    "zero signature": replace(SIGNED, sigs=(Signature(key=ONE.sign, sig=b64(bytes(64))),)),
}


@pytest.mark.parametrize("signed", BROKEN.values(), ids=BROKEN.keys())
def test_a_stripped_or_foreign_signature_is_refused(signed: Signed) -> None:
    """(N03) Whoever re-signs cannot re-attribute."""
    assert "bad_signature" == refusal_of(verify, signed, "session", [ONE.sign])


def test_a_statement_that_nobody_has_to_sign_is_refused() -> None:
    """An empty list of keys verifies nothing, so it may not look as if it did."""
    assert "bad_signature" == refusal_of(verify, replace(SIGNED, sigs=()), "session", [])


def test_the_body_has_one_spelling_too() -> None:
    """Padding, or leftover bits, in the base64 of the body."""
    assert "bad_base64" == refusal_of(verify, replace(SIGNED, body=SIGNED.body + "="), "session", [ONE.sign])


def test_s_plus_the_group_order_is_refused() -> None:
    """The classic second signature for the same message."""
    order = 2**252 + 27742317777372353535851937790883648493
    raw = unb64(SIGNED.sigs[0].sig)
    second = raw[:32] + (int.from_bytes(raw[32:], "little") + order).to_bytes(32, "little")
    changed = replace(SIGNED, sigs=(replace(SIGNED.sigs[0], sig=b64(second)),))
    assert "bad_signature" == refusal_of(verify, changed, "session", [ONE.sign])


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "[]",
        "{}",
        WIRE[:-1],
        WIRE + "x",
        WIRE.replace('"type":"session"', '"type":"letter"'),
        WIRE.replace('"type"', '"kind"'),
        WIRE.replace("}]", ',"alg":"none"}]'),
        WIRE.replace('"body":"', '"body":1,"x":"'),
        WIRE.replace(ONE.sign, ONE.sign + "\\n"),
        WIRE.replace(ONE.sign, ONE.sign[:-1]),
    ],
)
def test_something_else_is_no_wire_form(raw: str) -> None:
    """A type that is not in the list, a missing or an unknown key, a key that is no key."""
    assert "bad_body" == refusal_of(parse_wire, raw)
