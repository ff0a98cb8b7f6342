"""S/MIME against `openssl cms` and gpgsm: what we seal they open, what they write we check; row 29."""

import datetime as dt
import email
import email.policy
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import (
    PBES,
    serialize_key_and_certificates,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.bridge.gnupg_home import gnupg_home
from tests.bridge.outgoing import CASE_ADDRESS, DATE_MS, PDF, full_letter
from vetrelay.bridge.letters import openssl
from vetrelay.bridge.letters.ber import Element, read_ber
from vetrelay.bridge.letters.mailkeys import parse_mail_key, unfit
from vetrelay.bridge.letters.sealedletter import Opened
from vetrelay.bridge.letters.smime import decrypt_smime, is_signed_data, protect_smime, verify_smime
from vetrelay.bridge.letters.smime_key import OwnSmime, make_own_smime, parse_own_smime
from vetrelay.errors import Fault, Refusal

SECRET = b"Content-Type: text/plain\r\n\r\nGive 2 ml of canarydrug.\r\n" + b"and a little more\r\n" * 20
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clinic:
    """A correspondent's key and certificate, as files for openssl."""

    folder: Path
    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    def cms(self, *words: str, stdin: bytes) -> bytes:
        """What `openssl cms` answers; the clinic's files are named here by me.pem and key.pem."""
        program = shutil.which("openssl")
        assert program is not None
        run = subprocess.run(
            [program, "cms", *words], input=stdin, capture_output=True, check=False, cwd=self.folder, timeout=60
        )
        assert run.returncode == 0, run.stderr.decode()
        return run.stdout


def certified(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, *extensions: x509.ExtensionType) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Other Clinic")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(START)
        .not_valid_after(START + dt.timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName([x509.RFC822Name("records@other.example")]), critical=False)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256())


def new_clinic(folder: Path) -> Clinic:
    folder.mkdir(exist_ok=True)
    key = rsa.generate_private_key(65537, 2048)
    made = Clinic(folder=folder, key=key, certificate=certified(key))
    (folder / "me.pem").write_bytes(made.certificate.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return made


@pytest.fixture(scope="module")
def own() -> OwnSmime:
    return make_own_smime(now_ms=1_780_000_000_000)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory, own: OwnSmime) -> Clinic:
    folder = tmp_path_factory.mktemp("clinic")
    (folder / "case.pem").write_bytes(own.certificate(CASE_ADDRESS).public_bytes(Encoding.PEM))
    return new_clinic(folder)


def sealed_letter(clinic: Clinic, own: OwnSmime) -> bytes:
    letter = full_letter(sealed=True, subject="Case K7Q2: Canary's X-ray")
    return protect_smime(letter, certificates=[clinic.der], own=own, address=CASE_ADDRESS, seed="<a@b>")


def sealed_to_us(clinic: Clinic, content: bytes, *words: str) -> bytes:
    return clinic.cms("-encrypt", "-binary", "-outform", "DER", *words, "case.pem", stdin=content)


def opened(sealed: bytes, own: OwnSmime, *known: bytes) -> Opened:
    return decrypt_smime(sealed, own=own, address=CASE_ADDRESS, known=known)


def code_of(sealed: bytes, own: OwnSmime) -> str:
    with pytest.raises(Refusal) as refused:
        opened(sealed, own)
    return refused.value.code


def test_row_29_openssl_opens_what_we_seal_and_the_signature_holds(clinic: Clinic, own: OwnSmime) -> None:
    """AES-256-CBC to the clinic's certificate; inside, a signature by the case address's certificate."""
    letter = sealed_letter(clinic, own)
    outer = email.message_from_bytes(letter, policy=email.policy.default)
    entity = clinic.cms("-decrypt", "-binary", "-inkey", "key.pem", "-recip", "me.pem", stdin=letter)
    inner = clinic.cms("-verify", "-CAfile", "case.pem", "-partial_chain", stdin=entity)
    whole = email.message_from_bytes(inner, policy=email.policy.default)

    assert "enveloped-data" == outer.get_param("smime-type")
    assert "..." == outer["Subject"]
    assert b"anary" not in letter
    assert b"\n" not in letter.replace(b"\r\n", b"")
    assert "Case K7Q2: Canary's X-ray" == whole["Subject"]
    assert [PDF.content] == [part.get_content() for part in whole.iter_attachments()]
    assert b"aes-256-cbc" in clinic.cms("-cmsout", "-print", "-noout", stdin=letter)


def test_row_29_gpgsm_opens_what_we_seal(clinic: Clinic, own: OwnSmime) -> None:
    """GnuPG's S/MIME with the clinic's key reads the same letter."""
    # The older algorithms are what gpgsm of GnuPG 2.2 can import.
    wrapping = (
        PrivateFormat.PKCS12.encryption_builder()
        .key_cert_algorithm(PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .hmac_hash(hashes.SHA1())
        .build(b"pass")
    )
    bundle = serialize_key_and_certificates(b"clinic", clinic.key, clinic.certificate, None, wrapping)
    sealed = email.message_from_bytes(sealed_letter(clinic, own)).get_payload(decode=True)
    assert isinstance(sealed, bytes)
    with gnupg_home() as home:
        (home.folder / "bundle.p12").write_bytes(bundle)
        imported = home.gpgsm("--passphrase-fd", "0", "--import", str(home.folder / "bundle.p12"), stdin=b"pass\n")
        read = home.gpgsm("--disable-dirmngr", "--passphrase-fd", "0", "--decrypt", stdin=b"pass\n" + sealed)
    assert "IMPORT_OK" in imported.status
    assert "DECRYPTION_OKAY" in read.status
    assert b"HP-Outer: Subject: ..." in read.out


@pytest.mark.parametrize("words", [(), ("-stream",), ("-aes-128-cbc",), ("me.pem",), ("me.pem", "-stream")])
def test_letters_of_the_usual_programs_are_opened(clinic: Clinic, own: OwnSmime, words: tuple[str, ...]) -> None:
    """Lengths known or not (BER, as Thunderbird and Apple Mail write), AES of both lengths, several readers."""
    cipher = () if "-aes-128-cbc" in words else ("-aes-256-cbc",)
    found = opened(sealed_to_us(clinic, SECRET, *cipher, *sorted(words)), own)
    assert (SECRET, "none", None, True) == (found.content, found.signature, found.signer_fingerprint, found.sealed)


@pytest.mark.parametrize("nodetach", [False, True])
def test_a_signed_and_sealed_letter_is_checked(clinic: Clinic, own: OwnSmime, *, nodetach: bool) -> None:
    """Detached in a multipart/signed, or opaque: good if approved, unknown if not."""
    kind = ("-nodetach",) if nodetach else ()
    signed = clinic.cms("-sign", "-binary", "-signer", "me.pem", "-inkey", "key.pem", *kind, stdin=SECRET)
    sealed = sealed_to_us(clinic, signed.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), "-aes-256-cbc", "-stream")
    known, unknown = opened(sealed, own, clinic.der), opened(sealed, own)

    assert (SECRET, "good", clinic.certificate.fingerprint(hashes.SHA256()).hex()) == (
        known.content,
        known.signature,
        known.signer_fingerprint,
    )
    assert (SECRET, "unknown", None) == (unknown.content, unknown.signature, unknown.signer_fingerprint)


def test_a_signature_over_something_else_is_bad(clinic: Clinic) -> None:
    """Detached over other bytes, damaged, none at all, or of a key that claims the clinic's certificate."""
    signature = clinic.cms(
        "-sign", "-binary", "-outform", "DER", "-signer", "me.pem", "-inkey", "key.pem", stdin=SECRET
    )
    bare = clinic.cms(
        "-sign", "-binary", "-nocerts", "-outform", "DER", "-signer", "me.pem", "-inkey", "key.pem", stdin=SECRET
    )

    assert "good" == verify_smime(SECRET, signature=signature, known=[clinic.der]).signature
    assert "good" == verify_smime(SECRET, signature=bare, known=[clinic.der]).signature
    for content, wrong in ((SECRET + b" ", signature), (SECRET, signature[:-1] + b"\0"), (SECRET, b""), (SECRET, b"x")):
        found = verify_smime(content, signature=wrong, known=[clinic.der])
        assert ("bad", None) == (found.signature, found.signer_fingerprint)


def test_a_letter_two_have_signed_is_good_only_if_both_are_known(clinic: Clinic, tmp_path: Path) -> None:
    """A stranger's signature beside the clinic's makes it "unknown"."""
    other = new_clinic(tmp_path / "other")
    files = [str(other.folder / name) for name in ("me.pem", "key.pem")]
    words = ("-sign", "-binary", "-outform", "DER", "-signer", "me.pem", "-inkey", "key.pem")
    signature = clinic.cms(*words, "-signer", files[0], "-inkey", files[1], stdin=SECRET)

    assert "unknown" == verify_smime(SECRET, signature=signature, known=[clinic.der]).signature
    assert "good" == verify_smime(SECRET, signature=signature, known=[clinic.der, other.der]).signature


def test_row_29_encryption_that_is_not_read_is_refused_by_name(clinic: Clinic, own: OwnSmime) -> None:
    """AES-GCM, RSA-OAEP, 3DES, AES-192: kept closed with a clear code, and no crash."""
    oaep = ("-recip", "case.pem", "-keyopt", "rsa_padding_mode:oaep")
    sealed_with_oaep = clinic.cms("-encrypt", "-aes-256-cbc", "-outform", "DER", *oaep, stdin=SECRET)

    assert "letter_locked" == code_of(sealed_to_us(clinic, SECRET, "-aes-256-gcm"), own)
    assert "letter_locked" == code_of(sealed_with_oaep, own)
    assert "letter_locked" == code_of(sealed_to_us(clinic, SECRET, "-des3"), own)
    assert "letter_locked" == code_of(sealed_to_us(clinic, SECRET, "-aes-192-cbc"), own)


def test_a_letter_to_another_certificate_is_not_ours(clinic: Clinic, own: OwnSmime) -> None:
    """Sealed to the clinic alone, or to the certificate of another case's address."""
    theirs = clinic.cms("-encrypt", "-aes-256-cbc", "-outform", "DER", "me.pem", stdin=SECRET)
    ours = sealed_to_us(clinic, SECRET, "-aes-256-cbc")

    assert "letter_for_another" == code_of(theirs, own)
    with pytest.raises(Refusal) as refused:
        decrypt_smime(ours, own=own, address="case+other@mail.clinic.example", known=[])
    assert "letter_for_another" == refused.value.code


def test_a_letter_that_was_changed_or_is_none_is_refused(clinic: Clinic, own: OwnSmime) -> None:
    """Damaged padding, cut short, junk, lengths that lie, nesting without an end."""
    sealed = sealed_to_us(clinic, SECRET, "-aes-256-cbc")
    junk = (b"", b"0", b"\x30\x80", b"\x30\x82\xff\xff", b"\x30\x80" * 100, b"\x3f\x00", b"\x04\x80", b"\x30\x85\0\0\0\0\0",
            b"\x24\x80\x02\x01\x01\0\0")  # fmt: skip

    assert "letter_altered" == code_of(sealed[:-1] + bytes([sealed[-1] ^ 1]), own)
    assert "letter_altered" == code_of(sealed[:-20], own)
    assert {"letter_altered"} == {code_of(one, own) for one in junk}
    assert "letter_locked" == code_of(b"\x30\x03\x02\x01\x01", own)


def test_ber_becomes_der() -> None:
    """Unknown lengths, strings in pieces, sets out of order."""
    assert b"\x04\x04abcd" == read_ber(b"\x24\x80\x04\x02ab\x04\x02cd\0\0").to_der()
    assert b"\x31\x06\x02\x01\x01\x02\x01\x02" == read_ber(b"\x31\x81\x06\x02\x01\x02\x02\x01\x01").to_der()
    assert b"\x04\x81\x80" + bytes(128) == read_ber(b"\x04\x82\x00\x80" + bytes(128)).to_der()
    assert Element(0x30, b"", ()) == read_ber(b"\x30\x80\0\0rest")


def test_signed_data_is_told_from_sealed(clinic: Clinic) -> None:
    """By what it is, whatever its parameter says."""
    signed = clinic.cms("-sign", "-nodetach", "-outform", "DER", "-signer", "me.pem", "-inkey", "key.pem", stdin=SECRET)
    assert is_signed_data(signed)
    assert not is_signed_data(sealed_to_us(clinic, SECRET, "-aes-256-cbc"))
    assert not is_signed_data(b"junk")


def test_without_openssl_there_is_a_sentence(clinic: Clinic, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A signature that cannot be checked for want of the program is our fault, not the letter's."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Fault) as faulted:
        verify_smime(SECRET, signature=b"x", known=[])
    assert "smime_absent" == faulted.value.code


def test_the_check_is_confined_and_leaves_no_file(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The process has its limits before it reads, a clean environment, and ends when its time is over."""
    script = tmp_path / "openssl"
    script.write_text(
        "#!/bin/sh\nread -r line\nulimit -c; ulimit -t; ulimit -f; ulimit -n\n"
        f"{{ ulimit -c; ulimit -t; ulimit -n; /usr/bin/env; }} > {tmp_path}/seen\nexec /bin/sleep 60\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CANARY", "canary")
    monkeypatch.setattr(openssl, "_SECONDS", 1)

    assert "bad" == verify_smime(SECRET, signature=b"go\n", known=[clinic.der]).signature
    seen = (tmp_path / "seen").read_text()
    assert ["0", "20", "32"] == seen.split("\n")[:3]
    assert "CANARY" not in seen
    assert {"openssl", "seen"} == {path.name for path in tmp_path.iterdir()}


def test_our_key_has_a_certificate_for_every_address(own: OwnSmime) -> None:
    """The same bytes each time, another serial for another address; what is stored is parsed back, or is a fault."""
    again = parse_own_smime(own.to_bytes())
    one, other = own.certificate("a@x.example"), own.certificate("b@x.example")

    assert one == again.certificate("a@x.example")
    assert one.serial_number != other.serial_number
    assert one.public_key() == other.public_key()
    assert ("a@x.example", "VetRelay letters") == parse_mail_key(one.public_bytes(Encoding.DER)).names
    assert "OwnSmime()" == repr(own)
    for damaged in (b"", own.to_bytes()[:-5], own.to_bytes()[:40]):
        with pytest.raises(Fault) as faulted:
            parse_own_smime(damaged)
        assert "mail_key_damaged" == faulted.value.code


def test_certificates_are_told_by_fingerprint_and_name(clinic: Clinic) -> None:
    """PEM or DER, the same key; it may be sealed to while it is valid."""
    key = parse_mail_key((clinic.folder / "me.pem").read_bytes())

    assert ("smime", 64, ("records@other.example", "Other Clinic")) == (key.kind, len(key.fingerprint), key.names)
    assert key == parse_mail_key(clinic.der)
    assert unfit(key, now_ms=DATE_MS) is None
    assert "expired" == unfit(key, now_ms=key.expires_ms or 0)
    assert "not_yet_valid" == unfit(key, now_ms=0)


@pytest.mark.filterwarnings("ignore:Parsed a")
def test_a_damaged_certificate_is_refused_whatever_is_wrong_with_it(clinic: Clinic) -> None:
    """The library reads its parts late: none of its errors comes out when it is looked at or sealed to."""
    codes = set()
    for at in range(0, len(clinic.der), 2):
        damaged = bytearray(clinic.der)
        damaged[at] ^= 0x11
        try:
            unfit(parse_mail_key(bytes(damaged)), now_ms=DATE_MS)
        except Refusal as refused:
            codes.add(refused.code)
    assert {"mail_key_unreadable"} == codes


def test_nothing_is_sealed_to_a_certificate_out_of_its_time(clinic: Clinic, own: OwnSmime) -> None:
    """By the letter's own Date: before and after it, there is no letter."""
    for date in (b"Mon, 01 Jan 2024 00:00:00 +0000", b"Mon, 01 Jan 2046 00:00:00 +0000"):
        letter = re.sub(rb"(?m)^Date: [^\r]*", b"Date: " + date, full_letter(sealed=True))
        with pytest.raises(Refusal) as refused:
            protect_smime(letter, certificates=[clinic.der], own=own, address=CASE_ADDRESS, seed="<a@b>")
        assert "mail_key_unusable" == refused.value.code


def test_certificates_that_cannot_be_sealed_to_are_told_why(own: OwnSmime) -> None:
    """Too short a key, one of another kind, one for signing or for web servers only; sealing to it is a refusal."""
    short, good = rsa.generate_private_key(65537, 1024), rsa.generate_private_key(65537, 2048)
    signing = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    expected = {
        "too_weak": certified(short),
        "unknown_kind": certified(ec.generate_private_key(ec.SECP256R1())),
        "not_for_encryption": certified(good, signing),
    }
    found = {unfit(parse_mail_key(one.public_bytes(Encoding.DER)), now_ms=DATE_MS): one for one in expected.values()}
    web = certified(good, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]))

    assert expected == found
    assert "not_for_encryption" == unfit(parse_mail_key(web.public_bytes(Encoding.PEM)), now_ms=DATE_MS)
    for wrong, code in (
        (expected["unknown_kind"].public_bytes(Encoding.DER), "mail_key_unusable"),
        (b"0", "mail_key_unreadable"),
    ):
        with pytest.raises(Refusal) as refused:
            protect_smime(full_letter(sealed=True), certificates=[wrong], own=own, address="a@b.example", seed="<a@b>")
        assert code == refused.value.code
