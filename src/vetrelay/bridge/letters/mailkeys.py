"""The public keys of correspondents: what they are, and whether a letter may be sealed to them today."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from vetrelay.bridge.letters import openpgp
from vetrelay.bridge.letters.lettermime import one_line
from vetrelay.bridge.letters.openpgp_packets import dearmored, packets
from vetrelay.bridge.letters.sealedletter import Unfit
from vetrelay.bridge.letters.smime import parsed_certificate, unfit_certificate
from vetrelay.errors import Refusal

_KEY_BYTES: Final = 256 * 1024
_NAMES: Final = 20
_SECRET_TAGS: Final = frozenset({5, 7})


@dataclass(frozen=True, slots=True, kw_only=True)
class MailKey:
    """A public key: `fingerprint` is 40 hexadecimal digits for OpenPGP, 64 (SHA-256) for a certificate.

    `names` are what the key says of itself: claims, to be shown beside the fingerprint. `public` is OpenPGP binary or DER.
    """

    kind: Literal["pgp", "smime"]
    fingerprint: str
    names: tuple[str, ...]
    expires_ms: int | None
    public: bytes


def parse_mail_key(untrusted: bytes) -> MailKey:
    """One key, however it is wrapped.

    Raises Refusal `mail_key_unreadable` (also for a secret key), `mail_key_unusable` (an OpenPGP key whose own signatures do
    not hold today); Fault `openpgp_absent`.
    """
    if len(untrusted) > _KEY_BYTES:
        raise Refusal("mail_key_unreadable")
    if b"-----BEGIN CERTIFICATE-----" in untrusted or untrusted[:1] == b"\x30":
        return _certificate(untrusted)
    return _openpgp(untrusted)


def unfit(key: MailKey, *, now_ms: int) -> Unfit | None:
    """Why nothing may be sealed to this key now; None if it may. Raises as `parse_mail_key`."""
    if key.kind == "smime":
        return unfit_certificate(parsed_certificate(key.public), now_ms=now_ms)
    return openpgp.unfit_reader(openpgp.parsed(key.public), now_ms=now_ms)


def require_fit(key: MailKey, *, now_ms: int) -> None:
    """Raises Refusal `mail_key_unusable` with `reason`; and as `unfit`."""
    reason = unfit(key, now_ms=now_ms)
    if reason is not None:
        raise Refusal("mail_key_unusable", reason=reason)


def _openpgp(untrusted: bytes) -> MailKey:
    facts = openpgp.key_facts(openpgp.parsed(untrusted))
    try:
        secret = any(packet.tag in _SECRET_TAGS for packet in packets(dearmored(untrusted)))
    except Refusal:
        raise Refusal("mail_key_unreadable") from None
    if secret:
        # Somebody sent their secret key by mistake: it is not taken over in any part.
        raise Refusal("mail_key_unreadable")
    names = [one_line(name) for name in facts.names[:_NAMES]]
    return MailKey(
        kind="pgp",
        fingerprint=facts.fingerprint,
        names=tuple(name for name in names if name),
        expires_ms=_milliseconds(facts.expires) if facts.expires else None,
        public=facts.public,
    )


def _certificate(untrusted: bytes) -> MailKey:
    certificate = parsed_certificate(untrusted)
    return MailKey(
        kind="smime",
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        names=_certified_names(certificate),
        expires_ms=_milliseconds(certificate.not_valid_after_utc),
        public=certificate.public_bytes(Encoding.DER),
    )


def _certified_names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        found = list(names.value.get_values_for_type(x509.RFC822Name))
    except x509.ExtensionNotFound:
        found = []
    for kind in (NameOID.EMAIL_ADDRESS, NameOID.COMMON_NAME):
        found += [str(one.value) for one in certificate.subject.get_attributes_for_oid(kind)]
    return tuple(dict.fromkeys(one_line(name) for name in found[:_NAMES] if one_line(name)))


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
