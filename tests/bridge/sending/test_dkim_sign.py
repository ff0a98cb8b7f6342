"""Our signatures: they verify by a verifier that is not ours, and stop verifying when anything is added or changed."""

import asyncio
import shutil
import subprocess
from pathlib import Path

import dkim
import pytest

from vetrelay.bridge.sending.dkim_sign import DkimKey, dns_record, make_key, read_key, sign
from vetrelay.errors import Fault

LETTER = (
    b"From: Records <case-x@bridge.example>\nReply-To: case-x@bridge.example\nTo: desk@clinic.example\nSubject: Case K7Q2: new message\n"
    b"Date: Sun, 22 Nov 2026 08:00:00 +0000\nMessage-ID: <1@bridge.example>\nMIME-Version: 1.0\n"
    b"Content-Type: text/plain; charset=utf-8\n\nThere is a new message.\n.\nTo read it, open the link.\n"
)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> DkimKey:
    """A key that was made, written and read again."""
    path = tmp_path_factory.mktemp("dkim") / "key.pem"
    path.write_bytes(make_key())
    return read_key(path, selector="vetrelay", domain="bridge.example")


def verifies(letter: bytes, key: DkimKey) -> bool:
    """Whether dkimpy verifies it, by the record that the operator publishes."""
    published = {b"vetrelay._domainkey.bridge.example.": dns_record(key.pem).encode()}

    def answer(name: bytes, **_timeout: object) -> bytes | None:
        return published.get(name)

    return bool(dkim.verify(letter, dnsfunc=answer))


async def test_a_signed_letter_verifies_by_the_record_that_is_published(key: DkimKey) -> None:
    """Its line ends are those that travel."""
    signed = await sign(LETTER, key)
    assert verifies(signed, key)
    assert signed.endswith(LETTER.replace(b"\n", b"\r\n"))


@pytest.mark.parametrize(
    "change",
    [
        lambda signed: b"From: Somebody <else@elsewhere.example>\r\n" + signed,
        lambda signed: b"Subject: Another\r\n" + signed,
        lambda signed: b"Reply-To: else@elsewhere.example\r\n" + signed,
        lambda signed: signed + b"Give 20 ml.\r\n",
        lambda signed: signed.replace(b"K7Q2", b"K7Q3"),
    ],
    ids=["a second From", "a second Subject", "a Reply-To", "an appended line", "another case"],
)
async def test_a_signed_letter_that_somebody_changed_does_not_verify(key: DkimKey, change: object) -> None:
    """Nothing can be put in front, behind, or in its place."""
    assert callable(change)
    assert not verifies(change(await sign(LETTER, key)), key)


async def test_the_signature_covers_the_whole_body(key: DkimKey) -> None:
    """No length, which would let text be appended."""
    header = (await sign(LETTER, key)).partition(b"\r\nFrom:")[0]
    assert b" l=" not in header
    assert b"c=relaxed/relaxed" in header.replace(b" ", b"")


@pytest.mark.parametrize("form", ["genrsa", "genrsa -traditional"])
def test_a_key_that_openssl_made_is_read_in_either_form(tmp_path: Path, form: str) -> None:
    """PKCS #8 and the older one: what operators have."""
    openssl = shutil.which("openssl")
    assert openssl
    path = tmp_path / "key.pem"
    subprocess.run([openssl, *form.split(), "-out", path, "2048"], check=True, capture_output=True)
    key = read_key(path, selector="vetrelay", domain="bridge.example")
    assert verifies(asyncio.run(sign(LETTER, key)), key)


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_refused_at_once(tmp_path: Path, content: bytes) -> None:
    """When the bridge starts, and not at the first letter."""
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    with pytest.raises(Fault, match="bad_dkim_key"):
        read_key(path, selector="vetrelay", domain="bridge.example")
    with pytest.raises(Fault, match="bad_dkim_key"):
        read_key(tmp_path / "missing", selector="vetrelay", domain="bridge.example")
