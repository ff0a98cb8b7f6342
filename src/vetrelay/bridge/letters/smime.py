"""S/MIME (RFC 8551): letters sealed to an approved certificate with AES-256-CBC, signed inside; and letters to ours."""

import base64
import re
from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID

from vetrelay.bridge.letters.ber import OID, SEQUENCE, SET, Element, read_ber
from vetrelay.bridge.letters.lettermime import base64_lines, crlf
from vetrelay.bridge.letters.openssl import verified
from vetrelay.bridge.letters.sealedletter import Opened, Unfit, cut, signed_entity, signed_parts
from vetrelay.bridge.letters.smime_key import OwnSmime
from vetrelay.errors import Refusal

_ENVELOPED: Final = bytes.fromhex("2a864886f70d010703")
_SIGNED: Final = bytes.fromhex("2a864886f70d010702")
_SEALED_HEAD: Final = (
    b'MIME-Version: 1.0\r\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data;\r\n name="smime.p7m"\r\n'
    b'Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename="smime.p7m"\r\n\r\n'
)
_RSA_BITS: Final = 2048
_DAMAGE: Final = (x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
_OPAQUE: Final = re.compile(rb"(?im)^content-type:[ \t]*application/(?:x-)?pkcs7-mime\b")


def protect_smime(letter: bytes, *, certificates: Sequence[bytes], own: OwnSmime, address: str, seed: str) -> bytes:
    """Mode C: a composed letter, signed by our certificate for `address` and sealed to these, its Subject outside only "...".

    `seed` is the letter's message id. Raises Refusal `mail_key_unreadable`, `mail_key_unusable`.
    """
    halves = cut(letter)
    signature = (
        pkcs7.PKCS7SignatureBuilder()
        .set_data(halves.inside)
        .add_signer(own.certificate(address), own.key, hashes.SHA256())
        .sign(Encoding.DER, [pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.DetachedSignature])
    )
    builder = pkcs7.PKCS7EnvelopeBuilder().set_data(signed_entity(halves.inside, signature, seed=seed))
    for certificate in certificates:
        reader = parsed_certificate(certificate)
        reason = unfit_certificate(reader, now_ms=halves.date_ms)
        if reason is not None:
            raise Refusal("mail_key_unusable", reason=reason)
        builder = builder.add_recipient(reader)
    try:
        sealed = builder.set_content_encryption_algorithm(AES256).encrypt(Encoding.DER, [pkcs7.PKCS7Options.Binary])
    except ValueError:
        raise Refusal("mail_key_unusable") from None
    return halves.outside + _SEALED_HEAD + base64_lines(sealed)


def decrypt_smime(untrusted: bytes, *, own: OwnSmime, address: str, known: Sequence[bytes]) -> Opened:
    """Opens enveloped data (DER or BER) that came to `address`, whole, and checks the signature inside.

    Raises Refusal `letter_for_another`, `letter_locked` (AES-GCM, RSA-OAEP, 3DES …), `letter_altered`; Fault `smime_absent`.
    """
    message = read_ber(untrusted)
    certificate = own.certificate(address)
    kind = message.children[0].content if message.tag == SEQUENCE and message.children else b""
    if kind != _ENVELOPED:
        raise Refusal("letter_locked")
    if certificate.serial_number not in _serials(message):
        raise Refusal("letter_for_another")
    try:
        content = pkcs7.pkcs7_decrypt_der(message.to_der(), certificate, own.key, [])
    except UnsupportedAlgorithm:
        raise Refusal("letter_locked") from None
    except ValueError:
        raise Refusal("letter_altered") from None
    return _with_signature(content, known)


def verify_smime(untrusted: bytes | None, *, signature: bytes, known: Sequence[bytes]) -> Opened:
    """Checks a detached signature over `untrusted`, byte for byte; or, where that is None, signed data with its content.

    "good" only if everybody who signed is known. Blocking. Raises Fault `smime_absent`.
    """
    approved = [parsed_certificate(one) for one in known]
    pem = b"".join(one.public_bytes(Encoding.PEM) for one in approved)
    found = verified(signature, content=untrusted, certificates=pem)
    if found is None:
        return Opened(content=untrusted or b"", signer_fingerprint=None, signature="bad", sealed=False)
    marks = [one.fingerprint(hashes.SHA256()) for one in x509.load_pem_x509_certificates(found.signers)]
    good = bool(marks) and set(marks) <= {one.fingerprint(hashes.SHA256()) for one in approved}
    return Opened(
        content=found.content if untrusted is None else untrusted,
        signer_fingerprint=marks[0].hex() if good else None,
        signature="good" if good else "unknown",
        sealed=False,
    )


def is_signed_data(untrusted: bytes) -> bool:
    """Whether this application/pkcs7-mime is signed and not sealed; its parameter smime-type is only a claim."""
    try:
        message = read_ber(untrusted)
    except Refusal:
        return False
    return bool(message.children) and message.children[0] == Element(OID, _SIGNED, ())


def parsed_certificate(certificate: bytes) -> x509.Certificate:
    """A certificate in PEM or DER, whose key and extensions can be read. Raises Refusal `mail_key_unreadable`."""
    pem = b"-----BEGIN" in certificate
    try:
        found = x509.load_pem_x509_certificate(certificate) if pem else x509.load_der_x509_certificate(certificate)
        # The library reads the parts of a certificate only when they are asked for: damage in them is found here.
        _ = found.public_key(), found.extensions, list(found.subject), found.not_valid_after_utc
    except (ValueError, UnsupportedAlgorithm, *_DAMAGE):
        raise Refusal("mail_key_unreadable") from None
    return found


def unfit_certificate(certificate: x509.Certificate, *, now_ms: int) -> Unfit | None:
    """Why nothing may be sealed to this certificate at this moment; None if it may."""
    if now_ms < certificate.not_valid_before_utc.timestamp() * 1000:
        return "not_yet_valid"
    if now_ms >= certificate.not_valid_after_utc.timestamp() * 1000:
        return "expired"
    public = certificate.public_key()
    if not isinstance(public, RSAPublicKey):
        return "unknown_kind"
    if public.key_size < _RSA_BITS:
        return "too_weak"
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.KeyUsage) and not extension.value.key_encipherment:
            return "not_for_encryption"
        mail = {ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
        if isinstance(extension.value, x509.ExtendedKeyUsage) and not mail & set(extension.value):
            return "not_for_encryption"
    return None


def _with_signature(content: bytes, known: Sequence[bytes]) -> Opened:
    parts = signed_parts(content)
    if parts is not None and parts.kind == "smime":
        inner = verify_smime(parts.signed, signature=parts.signature, known=known)
    elif (opaque := _opaque(content)) is not None and is_signed_data(opaque):
        inner = verify_smime(None, signature=opaque, known=known)
    else:
        inner = Opened(content=content, signer_fingerprint=None, signature="none", sealed=True)
    return Opened(
        content=inner.content or content,
        signer_fingerprint=inner.signer_fingerprint,
        signature=inner.signature,
        sealed=True,
    )


def _opaque(content: bytes) -> bytes | None:
    head, _, body = crlf(content).partition(b"\r\n\r\n")
    if not _OPAQUE.search(head):
        return None
    try:
        return base64.b64decode(body)
    except ValueError:
        return None


def _serials(message: Element) -> set[int]:
    """The serial numbers of the certificates that the letter is sealed to (RFC 5652, 6.2.1)."""
    found: set[int] = set()
    try:
        enveloped = message.children[1].children[0]
        recipients = next(child for child in enveloped.children if child.tag == SET)
        for recipient in recipients.children:
            reader = recipient.children[1]
            if recipient.tag == SEQUENCE and reader.tag == SEQUENCE:
                found.add(int.from_bytes(reader.children[1].content, "big"))
    except (IndexError, StopIteration):
        raise Refusal("letter_altered") from None
    return found
