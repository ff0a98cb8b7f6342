"""DKIM signatures on our own letters (RFC 6376): our key, our domain, the whole body, and the headers that are read."""

import asyncio
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import dkim
from aiosmtplib.protocol import normalize_message_line_endings
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from vetrelay.errors import Fault

KEY_BITS: Final = 2048  # RFC 8301: at least 2048 is advised, and more does not fit one DNS record
# Those of RFC 6376, 5.4.1 that we write. Those that people and programs act on are signed once more than they stand
# there, so that none can be added in front.
SIGNED: Final = (
    b"from", b"from", b"reply-to", b"reply-to", b"subject", b"subject", b"date", b"date", b"to", b"to", b"message-id",
    b"in-reply-to", b"references", b"mime-version", b"content-type", b"auto-submitted", b"list-unsubscribe",
    b"list-unsubscribe-post",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class DkimKey:
    """A private key (PEM), and where its public half stands: SELECTOR._domainkey.DOMAIN."""

    pem: bytes = field(repr=False)
    selector: str
    domain: str


def make_key() -> bytes:
    """A new RSA key as PEM. The library throws its own dice."""
    return _pem(generate_private_key(public_exponent=65537, key_size=KEY_BITS))


def read_key(path: Path, *, selector: str, domain: str) -> DkimKey:
    """The key in a PEM file. Raises Fault `bad_dkim_key` when it cannot be read, or is not RSA of 1024 bits or more."""
    try:
        pem = path.read_bytes()
    except OSError as wrong:
        raise Fault("bad_dkim_key") from wrong
    key = _rsa(pem)
    if key.key_size < 1024:
        raise Fault("bad_dkim_key")
    return DkimKey(pem=_pem(key), selector=selector, domain=domain)


def dns_record(pem: bytes) -> str:
    """The TXT record to publish at SELECTOR._domainkey.DOMAIN for this private key. Raises Fault `bad_dkim_key`."""
    public = _rsa(pem).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; p={b64encode(public).decode('ascii')}"


async def sign(letter: bytes, key: DkimKey) -> bytes:
    """The letter with our signature in front, its line ends as they will travel. Works in a thread: 25 MB take 0.5 s.

    Raises Fault `bad_dkim_key`.
    """
    return await asyncio.to_thread(_signed, letter, key)


def _signed(letter: bytes, key: DkimKey) -> bytes:
    whole = normalize_message_line_endings(letter)
    try:
        signature = dkim.sign(
            whole,
            key.selector.encode(),
            key.domain.encode(),
            key.pem,
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=list(SIGNED),
        )
    except dkim.DKIMException as wrong:
        raise Fault("bad_dkim_key") from wrong
    return bytes(signature) + whole


def _rsa(pem: bytes) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as wrong:
        raise Fault("bad_dkim_key") from wrong
    if not isinstance(key, RSAPrivateKey):
        raise Fault("bad_dkim_key")
    return key


def _pem(key: RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())  # what dkimpy reads
