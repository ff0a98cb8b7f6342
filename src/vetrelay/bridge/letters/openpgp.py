"""PGP/MIME (RFC 3156) with the library of the extra `openpgp`: letters sealed to an approved key, and letters to ours.

The library's own errors never leave here: they may carry source traces, and what they say helps only an attacker.
"""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

from vetrelay.bridge.letters.lettermime import boundary, crlf, multipart
from vetrelay.bridge.letters.openpgp_key import OwnPgp
from vetrelay.bridge.letters.openpgp_open import inside, opened_packets
from vetrelay.bridge.letters.openpgp_packets import Tag, dearmored, packets
from vetrelay.bridge.letters.sealedletter import Opened, Unfit, cut, signed_parts
from vetrelay.errors import Fault, Refusal

if TYPE_CHECKING:
    import pysequoia as sequoia
    from pysequoia.packet import PacketPile, SignatureType
else:
    os.environ["RUST_BACKTRACE"] = "0"  # before the library looks: its errors would carry the stack
    sequoia = None
    with contextlib.suppress(ImportError):
        import pysequoia as sequoia
        from pysequoia.packet import PacketPile, SignatureType

_VERSION_PART: Final = (
    b"Content-Type: application/pgp-encrypted\r\nContent-Description: PGP/MIME version identification\r\n\r\n"
    b"Version: 1\r\n"
)
_MESSAGE_HEAD: Final = (
    b'Content-Type: application/octet-stream; name="encrypted.asc"\r\n'
    b'Content-Disposition: inline; filename="encrypted.asc"\r\n\r\n'
)
_FINGERPRINT_DIGITS: Final = 40  # version 4; GnuPG 2.2 and most others know no other
CONTENT_BYTES: Final = 128 * 1024 * 1024
"""The most that a letter may be after it was opened and unpacked."""


def protect_pgp(letter: bytes, *, certificates: Sequence[bytes], own: OwnPgp, address: str, seed: str) -> bytes:
    """Mode B: a composed letter, signed by our key and sealed to these, its Subject outside only "...".

    `address` is the case address that the letter is from, `seed` its message id. Raises Refusal `mail_key_unreadable`,
    `mail_key_unusable`; Fault `openpgp_absent`.
    """
    require_openpgp()
    halves = cut(letter)
    readers = [parsed(certificate) for certificate in certificates]
    for reader in readers:
        reason = unfit_reader(reader, now_ms=halves.date_ms)
        if reason is not None:
            raise Refusal("mail_key_unusable", reason=reason)
    signer = sequoia.Tsk.from_bytes(own.secret(address)).signer()
    try:
        armored = sequoia.encrypt(halves.inside, readers, signer)
    except Exception:  # noqa: BLE001 - the library raises RuntimeError and others alike for a key without a usable subkey
        raise Refusal("mail_key_unusable") from None
    parts = (_VERSION_PART, _MESSAGE_HEAD + crlf(armored))
    content_type = 'multipart/encrypted; protocol="application/pgp-encrypted"'
    return multipart(halves.outside, content_type, parts, mark=boundary(seed, "sealed"))


def decrypt_pgp(untrusted: bytes, *, own: OwnPgp, known: Sequence[bytes]) -> Opened:
    """Opens the second part of a multipart/encrypted, whole. `known` are the approved keys that may have signed it.

    Raises Refusal `letter_for_another`, `letter_locked`, `letter_altered`, `too_large`; Fault `openpgp_absent`.
    """
    plain_packets, sealed = opened_packets(dearmored(untrusted), own)
    found = inside(plain_packets, limit_bytes=CONTENT_BYTES)
    if found.signed is not None:
        signer, verdict = _checked(found.signed, known, over=found.content)
        return Opened(content=found.content, signer_fingerprint=signer, signature=verdict, sealed=sealed)
    # Signed first and sealed afterwards (RFC 3156, 6.1): the signature is a part of the content.
    parts = signed_parts(found.content)
    if parts is not None and parts.kind == "pgp":
        inner = verify_pgp(parts.signed, signature=parts.signature, known=known)
        return Opened(
            content=inner.content, signer_fingerprint=inner.signer_fingerprint, signature=inner.signature, sealed=sealed
        )
    return Opened(content=found.content, signer_fingerprint=None, signature="none", sealed=sealed)


def verify_pgp(untrusted: bytes, *, signature: bytes, known: Sequence[bytes]) -> Opened:
    """Checks the detached signature of a multipart/signed over its first part, byte for byte. Raises as `decrypt_pgp`."""
    signer, verdict = _checked(untrusted, known, detached=signature)
    return Opened(content=untrusted, signer_fingerprint=signer, signature=verdict, sealed=False)


def parsed(certificate: bytes) -> "sequoia.Cert":
    """One public key as the library holds it. Raises Refusal `mail_key_unreadable`; Fault `openpgp_absent`."""
    require_openpgp()
    try:
        certificates = sequoia.Cert.split_bytes(certificate)
    except Exception:  # noqa: BLE001 - the library has no error of its own, and what it says is not for anyone to read
        raise Refusal("mail_key_unreadable") from None
    if len(certificates) != 1:
        raise Refusal("mail_key_unreadable")
    return certificates[0]


def unfit_reader(certificate: "sequoia.Cert", *, now_ms: int) -> Unfit | None:
    """Why nothing may be sealed to this key at this moment; None if it may. Raises as `key_facts`.

    Asked before every letter, because the library itself seals to expired and revoked keys.
    """
    facts = key_facts(certificate)
    if facts.revoked:
        return "revoked"
    if facts.expires is not None and facts.expires.timestamp() * 1000 <= now_ms:
        return "expired"
    if len(facts.fingerprint) != _FINGERPRINT_DIGITS:
        return "unknown_kind"
    try:
        sealed = sequoia.encrypt(b"", [certificate], armor=False)
    except Exception:  # noqa: BLE001 - the library has no error of its own; a key without a usable subkey raises
        return "not_for_encryption"
    # Which of its subkeys the library takes is seen from what it wrote; it falls back to expired ones.
    taken = {packet.body[1:9] for packet in packets(sealed) if packet.tag == Tag.PKESK and packet.body[:1] == b"\x03"}
    ends = [end for key_id, end in _subkey_ends(facts.public).items() if bytes.fromhex(key_id) in taken]
    return "expired" if any(end is not None and end.timestamp() * 1000 <= now_ms for end in ends) else None


def _subkey_ends(public: bytes) -> dict[str, datetime | None]:
    """Key id → when the subkey expires, by the newest of the signatures that bind it; None is never."""
    ends: dict[str, datetime | None] = {}
    newest: dict[str, datetime] = {}
    key_id, made = "", None
    for packet in PacketPile.from_bytes(public):
        if packet.key_id is not None:
            key_id, made = packet.key_id.lower(), packet.key_created
            continue
        written = packet.signature_created
        if packet.signature_type != SignatureType.SubkeyBinding or made is None or written is None:
            continue
        if key_id not in newest or written > newest[key_id]:
            newest[key_id] = written
            ends[key_id] = made + packet.key_validity_period if packet.key_validity_period else None
    return ends


def _component_ids(certificate: "sequoia.Cert") -> frozenset[str]:
    """The fingerprints and the key ids of a key and its subkeys, by any of which a signature may name it."""
    prints = [packet.fingerprint for packet in PacketPile.from_bytes(bytes(certificate))]
    return frozenset(name for one in prints if one for name in (one.lower(), one.lower()[-16:]))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFacts:
    """What a public key says of itself, where its own signatures hold by today's rules."""

    fingerprint: str
    names: tuple[str, ...]
    expires: datetime | None
    revoked: bool
    public: bytes


def key_facts(certificate: "sequoia.Cert") -> KeyFacts:
    """Reads a key. Raises Refusal `mail_key_unusable` where no signature of its own holds (SHA-1, say, or none at all)."""
    try:
        return KeyFacts(
            fingerprint=certificate.fingerprint.lower(),
            names=tuple(str(name) for name in certificate.user_ids),
            expires=certificate.expiration,
            revoked=certificate.is_revoked,
            public=bytes(certificate),
        )
    except Exception:  # noqa: BLE001 - the library has no error of its own
        raise Refusal("mail_key_unusable", reason="not_valid") from None


def _checked(
    untrusted: bytes, known: Sequence[bytes], *, detached: bytes | None = None, over: bytes | None = None
) -> tuple[str | None, Literal["good", "unknown", "bad"]]:
    """Whose signature holds: a detached one over these bytes, or the one inside these packets, over exactly `over`."""
    require_openpgp()
    keys = [parsed(one) for one in known]
    asked: list[str] = []

    def store(ids: list[str]) -> list[sequoia.Cert]:
        asked.extend(ids)
        return keys

    try:
        signature = sequoia.Sig.from_bytes(detached) if detached is not None else None
        found = sequoia.verify(untrusted, store, signature=signature)
    except Exception:  # noqa: BLE001 - the library has no error of its own; whatever it raised, nothing was verified
        ours = frozenset[str]().union(*(_component_ids(key) for key in keys))
        named = {name.lower() for name in asked}
        return None, "bad" if not named or named & ours else "unknown"
    # What was verified and what is shown must not be two readings of the same packets.
    if over is not None and found.bytes != over:
        return None, "bad"
    return found.valid_sigs[0].certificate.lower(), "good"


def require_openpgp() -> None:
    """Raises Fault `openpgp_absent` where the extra is not installed."""
    if sequoia is None:
        raise Fault("openpgp_absent")
