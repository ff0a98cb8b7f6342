"""The bridge's own S/MIME key: RSA of 3,072 bits, which every mail program reads, and a certificate for each case address.

One key and many certificates: a program accepts a letter only if the certificate names the address that it is from. The
certificates are signed by the key itself; a correspondent trusts the fingerprint, told by another way.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from vetrelay.errors import Fault

_MARK: Final = b"VetRelay S/MIME key 1\0"
_KEY_BITS: Final = 3072
_VALID: Final = timedelta(days=3650)


@dataclass(frozen=True)
class OwnSmime:
    """The bridge's secret key and the time it was made. Never printed, stored only sealed."""

    key_der: bytes
    created_s: int

    def __repr__(self) -> str:
        return "OwnSmime()"

    @cached_property
    def key(self) -> RSAPrivateKey:
        """The secret key. Raises Fault `mail_key_damaged`."""
        try:
            key = load_der_private_key(self.key_der, None)
        except ValueError:
            raise Fault("mail_key_damaged") from None
        if not isinstance(key, RSAPrivateKey):
            raise Fault("mail_key_damaged")
        return key

    def certificate(self, address: str) -> x509.Certificate:
        """The certificate of this address, valid for ten years from the key's making. The same bytes every time."""
        public = self.key.public_key()
        spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        # Issuer and serial name the key that a letter is sealed to: each address has its own (RFC 5652, 10.2.4).
        serial = int.from_bytes(hashlib.sha256(spki + b"\0" + address.encode()).digest()[:16], "big") >> 1 | 1
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "VetRelay letters")])
        made = datetime.fromtimestamp(self.created_s, UTC)
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=True,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=False,
            crl_sign=False,
            encipher_only=False,
            decipher_only=False,
        )
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(public)
            .serial_number(serial)
            .not_valid_before(made)
            .not_valid_after(made + _VALID)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.RFC822Name(address)]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self.key, hashes.SHA256())
        )

    def to_bytes(self) -> bytes:
        """What is stored, under seal."""
        return _MARK + self.created_s.to_bytes(8, "big") + self.key_der


def make_own_smime(*, now_ms: int) -> OwnSmime:
    """A new key (the library's own dice; about half a second). The caller seals and stores `to_bytes()`."""
    key = generate_private_key(65537, _KEY_BITS)
    return OwnSmime(
        key_der=key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), created_s=now_ms // 1000
    )


def parse_own_smime(stored: bytes) -> OwnSmime:
    """The key that `to_bytes` wrote. Raises Fault `mail_key_damaged`."""
    body = stored.removeprefix(_MARK)
    if len(body) < 9 or not stored.startswith(_MARK):
        raise Fault("mail_key_damaged")
    own = OwnSmime(key_der=body[8:], created_s=int.from_bytes(body[:8], "big"))
    _ = own.key
    return own
