"""Letters as clinics' servers sign them, and the DNS records that go with them."""

import base64
import functools
import shutil
import subprocess

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from tests.bridge.zone import Zone


@functools.cache
def rsa_key(bits: int = 2048) -> tuple[bytes, str]:
    """A private key in PEM, and the public one as a DKIM record has it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return pem, base64.b64encode(public).decode()


@functools.cache
def short_rsa_key() -> tuple[bytes, str]:
    """The same with 768 bits, which only openssl still makes."""
    openssl = shutil.which("openssl")
    assert openssl
    pem = subprocess.run([openssl, "genrsa", "-traditional", "768"], capture_output=True, check=True).stdout
    told = [openssl, "rsa", "-pubout", "-outform", "DER"]
    return pem, base64.b64encode(subprocess.run(told, input=pem, capture_output=True, check=True).stdout).decode()


@functools.cache
def ed25519_key() -> tuple[bytes, str]:
    """A private key as dkimpy takes it, and the public one as a DKIM record has it."""
    key = ed25519.Ed25519PrivateKey.generate()
    return base64.b64encode(key.private_bytes_raw()), base64.b64encode(key.public_key().public_bytes_raw()).decode()


def letter(*fields: str, body: str = "Dear colleague,\r\n\r\nthe x-ray is attached.\r\n") -> bytes:
    """A letter of these fields, `Name: value` each."""
    return ("".join(f"{field}\r\n" for field in fields) + "\r\n" + body).encode()


def plain_letter(author: str = "Dr. Vet <vet@clinic.example>", *more: str) -> bytes:
    """A usual letter with one author."""
    return letter(f"From: {author}", "To: records@practice.example", "Subject: Re: [K7Q2]", "Message-ID: <1@x>", *more)


def publish_key(zone: Zone, domain: str = "clinic.example", *, selector: str = "s1", record: str | None = None) -> None:
    """The public half in DNS."""
    zone.replace(
        f"{selector}._domainkey.{domain}", "TXT", f"v=DKIM1; k=rsa; p={rsa_key()[1]}" if record is None else record
    )


def signed(
    raw: bytes,
    domain: str = "clinic.example",
    *,
    selector: str = "s1",
    key: bytes | None = None,
    forms: tuple[bytes, bytes] = (b"relaxed", b"relaxed"),
    length: bool = False,
    algorithm: bytes = b"rsa-sha256",
) -> bytes:
    """The letter with one more signature on top, by dkimpy."""
    field = dkim.sign(
        raw,
        selector.encode(),
        domain.encode(),
        key or rsa_key()[0],
        canonicalize=forms,
        length=length,
        signature_algorithm=algorithm,
        include_headers=[b"from", b"to", b"subject"],
    )
    return bytes(field) + raw
