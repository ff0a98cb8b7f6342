"""Signed statements: the wire form, entry ids, signing and verifying (docs/protocol.md, chapter 3).

Ed25519 through libsodium, whose accept set is the strictest measured. A public key must
besides be canonical and torsion-free, so that no key signs for two messages at once.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal

import msgspec
from nacl.bindings import crypto_core_ed25519_is_valid_point
from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey

from vetrelay.errors import Refusal
from vetrelay.protocol.ids import EntryId, SignatureText, SignKey, b64, sha256, unb64
from vetrelay.protocol.statement import Body, render, signing_bytes

SignedType = Literal["party", "case", "envelope", "grant", "head", "offer", "session"]
MAX_SIGNATURES = 2


class Signature(Body, frozen=True):
    """One signature and the public key it is to be checked with."""

    key: SignKey
    sig: SignatureText


Signer = Callable[[bytes], Signature]
"""Signs signing bytes. Code that signs takes this, never an identity."""


# Whoever checks a statement asks for its bytes three times in a row: to read it, to name it, to verify it.
_content = lru_cache(maxsize=32)(unb64)


class Signed(Body, frozen=True):
    """A statement in wire form: its type, its exact bytes, its signatures."""

    type: SignedType
    body: str
    sigs: tuple[Signature, ...]

    def content(self) -> bytes:
        """The exact body bytes. Raises Refusal `bad_base64`."""
        return _content(self.body)

    def entry_id(self) -> EntryId:
        """SHA-256 of the signing bytes: what equality and references mean."""
        return b64(sha256(signing_bytes(self.type, self.content())))


@lru_cache(maxsize=65536)
def check_sign_key(key: SignKey) -> VerifyKey:
    """The verifying key, if canonical, of full order and on the curve. Raises Refusal `bad_key` (N54)."""
    raw = unb64(key, 32)
    # is_valid_point: canonical encoding, on the curve, not of small order, in the main subgroup (libsodium).
    if not crypto_core_ed25519_is_valid_point(raw):
        raise Refusal("bad_key")
    return VerifyKey(raw)


def sign(kind: SignedType, body: Body, signers: Sequence[Signer]) -> Signed:
    """A statement signed by each signer, in order."""
    raw = render(body)
    covered = signing_bytes(kind, raw)
    return Signed(type=kind, body=b64(raw), sigs=tuple(signer(covered) for signer in signers))


def verify(signed: Signed, expected: SignedType, keys: Sequence[SignKey]) -> bytes:
    """The body bytes, if the statement is of the expected type and signed by exactly these keys, in this order.

    Raises Refusal `wrong_type` (N18), `bad_signature` (N03), `bad_key` (N54).
    """
    if signed.type != expected:
        raise Refusal("wrong_type")
    if not 1 <= len(keys) <= MAX_SIGNATURES or tuple(s.key for s in signed.sigs) != tuple(keys):
        raise Refusal("bad_signature")
    body = signed.content()
    covered = signing_bytes(signed.type, body)
    for signature in signed.sigs:
        try:
            check_sign_key(signature.key).verify(covered, unb64(signature.sig, 64))
        except CryptoError as wrong:
            raise Refusal("bad_signature") from wrong
    return body


def parse_wire(raw: bytes | str) -> Signed:
    """A statement from its JSON wire form. Raises Refusal `bad_body`."""
    try:
        return msgspec.json.decode(raw, type=Signed)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise Refusal("bad_body") from wrong


def wire(signed: Signed) -> bytes:
    """The JSON wire form of a statement."""
    return msgspec.json.encode(signed, order="sorted")
