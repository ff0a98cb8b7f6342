"""PGP/MIME against GnuPG: what we seal it opens with a good signature, and what it seals we open; row 28."""

import base64
import email
import email.policy
import os
import zlib
from collections.abc import Iterator

import pysequoia
import pytest

from tests.bridge.gnupg_home import GnupgHome, gnupg_home
from tests.bridge.outgoing import CASE_ADDRESS, DATE_MS, PDF, full_letter
from vetrelay.bridge.letters import openpgp
from vetrelay.bridge.letters.mailkeys import MailKey, parse_mail_key, require_fit, unfit
from vetrelay.bridge.letters.openpgp import decrypt_pgp, protect_pgp, verify_pgp
from vetrelay.bridge.letters.openpgp_key import OwnPgp, make_own_pgp, parse_own_pgp
from vetrelay.bridge.letters.openpgp_open import inside
from vetrelay.bridge.letters.openpgp_packets import dearmored, packed, packets, uncompressed
from vetrelay.bridge.letters.sealedletter import signed_parts
from vetrelay.errors import Fault, Refusal

CLINIC = "records@other.example"
STRANGER = "stranger@elsewhere.example"
OWN = make_own_pgp(os.urandom, now_ms=1_700_000_000_000)
SECRET = b"Content-Type: text/plain\r\n\r\nGive 2 ml of canarydrug.\r\n"


@pytest.fixture(scope="module")
def clinic() -> Iterator[GnupgHome]:
    with gnupg_home() as home:
        home.new_key(CLINIC)
        home.new_key(STRANGER)
        assert home.gpg("--import", stdin=OWN.certificate(CASE_ADDRESS)).code == 0
        yield home


@pytest.fixture(scope="module")
def clinic_key(clinic: GnupgHome) -> bytes:
    return clinic.gpg("--export", f"={CLINIC}").out


def sealed_letter(clinic_key: bytes) -> bytes:
    letter = full_letter(sealed=True, subject="Case K7Q2: Canary's X-ray")
    return protect_pgp(letter, certificates=[clinic_key], own=OWN, address=CASE_ADDRESS, seed="<a@b>")


def code_of(untrusted: bytes, own: OwnPgp = OWN) -> str:
    with pytest.raises(Refusal) as refused:
        decrypt_pgp(untrusted, own=own, known=[])
    return refused.value.code


def test_row_28_gpg_opens_what_we_seal_and_finds_a_good_signature(clinic: GnupgHome, clinic_key: bytes) -> None:
    """A gpg-made key opens our letter; the signature is good and by the bridge's key; every part is inside."""
    outer = email.message_from_bytes(sealed_letter(clinic_key), policy=email.policy.default)
    version, sealed = outer.iter_parts()
    opened = clinic.gpg("--decrypt", stdin=sealed.get_payload(decode=True))  # type: ignore[arg-type]  # bytes of a leaf
    inner = email.message_from_bytes(opened.out, policy=email.policy.default)

    assert "multipart/encrypted" == outer.get_content_type()
    assert "application/pgp-encrypted" == outer.get_param("protocol")
    assert "application/pgp-encrypted" == version.get_content_type()
    assert 0 == opened.code
    assert f'Good signature from "{CASE_ADDRESS}"' in opened.status
    assert f"VALIDSIG {OWN.fingerprint.upper()}" in opened.status
    assert "Case K7Q2: Canary's X-ray" == inner["Subject"]
    assert [PDF.content] == [part.get_content() for part in inner.iter_attachments()]


def test_row_28_the_outside_of_a_sealed_letter_tells_nothing(clinic_key: bytes) -> None:
    """Subject is "..." and neither words nor file names stand outside; the real headers stand inside, with what was shown."""
    letter = sealed_letter(clinic_key)
    head = letter.partition(b"\r\n\r\n")[0]

    assert b"\r\nSubject: ...\r\n" in head
    assert b"anary" not in letter
    assert b"ntgen" not in letter
    assert b"\n" not in letter.replace(b"\r\n", b"")


def test_row_28_a_sealed_letter_that_was_changed_is_refused(clinic_key: bytes) -> None:
    """Whichever octet of the sealed part is changed, nothing comes out."""
    sealed = bytearray(pysequoia.encrypt(SECRET * 50, [pysequoia.Cert.from_bytes(OWN.certificate("a@b"))], armor=False))
    start = len(sealed) - 1000
    for at in range(start, len(sealed), 111):
        changed = bytearray(sealed)
        changed[at] ^= 1
        assert "letter_altered" == code_of(bytes(changed))
    assert "letter_altered" == code_of(bytes(sealed[:-1]))
    assert "letter_altered" == code_of(bytes(sealed) + packed(11, b"b\0\0\0\0\0spliced"))


@pytest.mark.parametrize("compression", ["default", "zip", "zlib", "bzip2", "none"])
def test_row_28_a_letter_from_gpg_is_opened_and_its_signature_known(
    clinic: GnupgHome, clinic_key: bytes, compression: str
) -> None:
    """Compressed or not, an approved key's signature is good, with the key's fingerprint."""
    words = [] if compression == "default" else ["--compress-algo", compression]
    sealed = clinic.gpg(*words, "--armor", "-u", CLINIC, "-r", f"={CASE_ADDRESS}", "-se", stdin=SECRET * 100)
    opened = decrypt_pgp(sealed.out, own=OWN, known=[clinic_key])

    assert SECRET * 100 == opened.content
    assert ("good", parse_mail_key(clinic_key).fingerprint, True) == (
        opened.signature,
        opened.signer_fingerprint,
        opened.sealed,
    )


def test_row_28_a_signature_by_an_unknown_key_is_marked(clinic: GnupgHome, clinic_key: bytes) -> None:
    """It is opened all the same, "unknown" and with no fingerprint to trust; an unsigned one says "none"."""
    strange = clinic.gpg("-u", STRANGER, "-r", f"={CASE_ADDRESS}", "-se", stdin=SECRET).out
    unsigned = clinic.gpg("-r", f"={CASE_ADDRESS}", "-e", stdin=SECRET).out
    seen = decrypt_pgp(strange, own=OWN, known=[clinic_key])

    assert (SECRET, "unknown", None) == (seen.content, seen.signature, seen.signer_fingerprint)
    assert "unknown" == decrypt_pgp(strange, own=OWN, known=[]).signature
    assert "none" == decrypt_pgp(unsigned, own=OWN, known=[clinic_key]).signature


def test_row_28_a_signature_of_a_known_key_over_something_else_is_bad(clinic: GnupgHome, clinic_key: bytes) -> None:
    """The clinic's signature with other content under it does not hold, inline and detached."""
    signed = clinic.gpg("--compress-algo", "none", "-u", CLINIC, "-s", stdin=SECRET).out
    detached = clinic.gpg("--armor", "-u", CLINIC, "--detach-sign", stdin=SECRET).out
    inline = decrypt_pgp(signed.replace(b"2 ml", b"9 ml"), own=OWN, known=[clinic_key])

    assert ("bad", None) == (inline.signature, inline.signer_fingerprint)
    assert "good" == verify_pgp(SECRET, signature=detached, known=[clinic_key]).signature
    assert "bad" == verify_pgp(SECRET + b" ", signature=detached, known=[clinic_key]).signature
    assert "bad" == verify_pgp(SECRET, signature=b"no signature", known=[clinic_key]).signature
    assert "unknown" == verify_pgp(SECRET, signature=detached, known=[]).signature


def test_row_28_a_literal_packet_that_claims_to_be_sealed_is_plaintext(clinic: GnupgHome, clinic_key: bytes) -> None:
    """What was readable to everyone is marked as not sealed, whatever part it came in."""
    fake = clinic.gpg("--armor", "--store", stdin=SECRET).out
    signed = clinic.gpg("--armor", "-u", CLINIC, "-s", stdin=SECRET).out

    opened = decrypt_pgp(fake, own=OWN, known=[clinic_key])
    assert (SECRET, "none", False) == (opened.content, opened.signature, opened.sealed)
    opened = decrypt_pgp(signed, own=OWN, known=[clinic_key])
    assert (SECRET, "good", False) == (opened.content, opened.signature, opened.sealed)


def test_a_letter_that_was_signed_first_and_sealed_afterwards_is_checked(clinic: GnupgHome, clinic_key: bytes) -> None:
    """RFC 3156, 6.1: a multipart/signed inside the sealed part (as some programs write it)."""
    detached = clinic.gpg("--armor", "-u", CLINIC, "--detach-sign", stdin=SECRET.removesuffix(b"\r\n")).out
    entity = (
        b'Content-Type: multipart/signed; micalg=pgp-sha512;\r\n protocol="application/pgp-signature";\r\n\tboundary="=-q"\r\n'
        b"\r\nThis is signed.\r\n--=-q\r\n" + SECRET + b"--=-q\r\nContent-Type: application/pgp-signature\r\n\r\n"
        + detached + b"\r\n--=-q--\r\n"
    )  # fmt: skip
    sealed = clinic.gpg("-r", f"={CASE_ADDRESS}", "-e", stdin=entity).out
    opened = decrypt_pgp(sealed, own=OWN, known=[clinic_key])

    assert (SECRET.removesuffix(b"\r\n"), "good") == (opened.content, opened.signature)


def test_signed_parts_are_found_with_their_exact_bytes() -> None:
    """The signed part keeps its line ends and blanks; a third part, or none, is no signed entity."""
    head = b"Content-Type: multipart/signed; boundary=q; protocol=application/pgp-signature\r\n\r\n"
    body = b"--q\r\nA: b\r\n\r\n x \r\n\r\n--q\r\nC: d\r\n\r\nsig\r\n--q--"

    parts = signed_parts(head + body)
    assert parts is not None
    assert (b"A: b\r\n\r\n x \r\n", b"sig", "pgp") == (parts.signed, parts.signature, parts.kind)
    assert signed_parts(head + body.replace(b"--q--", b"--q\r\nE: f\r\n\r\nthird\r\n--q--")) is None
    assert signed_parts(b"Content-Type: multipart/mixed; boundary=q\r\n\r\n" + body) is None


def test_a_letter_to_another_key_is_not_ours(clinic: GnupgHome) -> None:
    """It is told apart from one that is damaged or too new."""
    assert "letter_for_another" == code_of(clinic.gpg("-r", CLINIC, "-e", stdin=SECRET).out)
    assert "letter_for_another" == code_of(clinic.gpg("--throw-keyids", "-r", CLINIC, "-e", stdin=SECRET).out)
    by_passphrase = packed(3, b"\x04\x09\x00\x08") + packed(18, b"\x01" + bytes(100))
    assert "letter_for_another" == code_of(by_passphrase)


def test_a_letter_whose_reader_is_not_named_is_opened(clinic: GnupgHome) -> None:
    """--throw-keyids leaves the key id zero; ours is tried."""
    sealed = clinic.gpg("--throw-keyids", "-r", CLINIC, "-r", f"={CASE_ADDRESS}", "-e", stdin=SECRET).out
    assert SECRET == decrypt_pgp(sealed, own=OWN, known=[]).content


@pytest.mark.parametrize("cipher", ["AES", "AES192", "AES256"])
def test_every_length_of_aes_is_read(clinic: GnupgHome, cipher: str) -> None:
    """A program may choose any of the three that our key wishes for."""
    sealed = clinic.gpg("--personal-cipher-preferences", cipher, "-r", f"={CASE_ADDRESS}", "-e", stdin=SECRET).out
    assert SECRET == decrypt_pgp(sealed, own=OWN, known=[]).content


def test_an_encryption_that_is_too_new_or_too_old_is_refused_by_name(clinic: GnupgHome) -> None:
    """Another cipher than AES, no integrity check, AEAD of both kinds: `letter_locked`."""
    odd = clinic.gpg("--cipher-algo", "CAMELLIA256", "-r", f"={CASE_ADDRESS}", "-e", stdin=SECRET).out
    old = clinic.gpg("--rfc2440", "--disable-mdc", "-r", f"={CASE_ADDRESS}", "-e", stdin=SECRET).out
    usual = list(packets(clinic.gpg("-r", f"={CASE_ADDRESS}", "-e", stdin=SECRET).out))
    key = packed(usual[0].tag, usual[0].body)

    assert "letter_locked" == code_of(odd)
    if not any(packet.tag == 18 for packet in packets(old)):
        assert "letter_locked" == code_of(old)
    assert "letter_locked" == code_of(key + packed(9, usual[1].body[1:]))
    assert "letter_locked" == code_of(key + packed(20, b"\x01" + usual[1].body))
    assert "letter_locked" == code_of(key + packed(18, b"\x02" + usual[1].body))


def test_a_letter_that_swells_beyond_the_limit_is_refused() -> None:
    """A few kilobytes that unpack to gigabytes stop at the limit."""
    swollen = packed(8, b"\x02" + zlib.compress(packed(11, b"b\0\0\0\0\0" + bytes(4_000_000))))
    with pytest.raises(Refusal) as refused:
        inside(swollen, limit_bytes=1_000_000)
    assert "too_large" == refused.value.code
    nested = packed(11, b"b\0\0\0\0\0x")
    for _ in range(5):
        nested = packed(8, b"\x02" + zlib.compress(nested))
    with pytest.raises(Refusal) as refused:
        inside(nested, limit_bytes=1_000_000)
    assert "letter_altered" == refused.value.code


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"\x00",
        b"\xc1",
        b"\xff" * 40,
        b"-----BEGIN PGP MESSAGE-----\r\n\r\n!!!\r\n-----END PGP MESSAGE-----",
        b"\xd2\xff\xff",
    ],
)
def test_what_is_no_message_is_refused(junk: bytes) -> None:
    """Nothing but a refusal comes of it."""
    assert code_of(junk) in {"letter_altered", "letter_for_another"}


def test_compressed_junk_is_refused() -> None:
    """Each algorithm's damaged stream, and an algorithm that does not exist."""
    for body, code in ((b"\x01\xff", "letter_altered"), (b"\x02x", "letter_altered"), (b"\x03x", "letter_altered"),
                       (b"", "letter_altered"), (b"\x09x", "letter_locked")):  # fmt: skip
        with pytest.raises(Refusal) as refused:
            uncompressed(body, limit_bytes=10)
        assert code == refused.value.code


def test_our_key_is_the_same_under_every_address_and_after_it_was_stored() -> None:
    """One fingerprint, another name; the same bytes each time; what is stored is parsed back, or is a fault."""
    again = parse_own_pgp(OWN.to_bytes())
    one, other = (pysequoia.Cert.from_bytes(OWN.certificate(address)) for address in ("a@x.example", "b@x.example"))

    assert OWN == again
    assert OWN.certificate("a@x.example") == again.certificate("a@x.example")
    assert OWN.fingerprint == one.fingerprint == other.fingerprint
    assert ["a@x.example", "b@x.example"] == [str(key.user_ids[0]) for key in (one, other)]
    assert OWN.sign_seed.hex() not in repr(OWN)
    with pytest.raises(Fault) as faulted:
        parse_own_pgp(OWN.to_bytes()[:-1])
    assert "mail_key_damaged" == faulted.value.code


def test_our_key_never_wishes_for_what_gpg_cannot_write() -> None:
    """The library seals to our key with the packets that every program reads, so others will as well."""
    certificate = pysequoia.Cert.from_bytes(OWN.certificate(CASE_ADDRESS))
    sealed = pysequoia.encrypt(SECRET, [certificate], armor=False)

    assert [(1, 3), (18, 1)] == [(packet.tag, packet.body[0]) for packet in packets(sealed)]
    assert SECRET == decrypt_pgp(sealed, own=OWN, known=[]).content


def test_a_letter_that_the_library_signed_and_sealed_is_opened() -> None:
    """Another bridge, or any program on Sequoia, writes to us."""
    other = make_own_pgp(os.urandom, now_ms=1_700_000_000_000)
    signer = pysequoia.Tsk.from_bytes(other.secret("b@x.example")).signer()
    sealed = pysequoia.encrypt(SECRET, [pysequoia.Cert.from_bytes(OWN.certificate("a@x.example"))], signer)
    opened = decrypt_pgp(sealed, own=OWN, known=[other.certificate("c@x.example")])

    assert (SECRET, "good", other.fingerprint) == (opened.content, opened.signature, opened.signer_fingerprint)


def test_keys_of_correspondents_are_told_by_fingerprint_and_name(clinic: GnupgHome, clinic_key: bytes) -> None:
    """Armored or binary, the same key; it may be sealed to."""
    armored = clinic.gpg("--armor", "--export", f"={CLINIC}").out
    key = parse_mail_key(armored)

    assert ("pgp", (CLINIC,)) == (key.kind, key.names)
    assert key.fingerprint.upper() in clinic.gpg("--fingerprint", CLINIC).out.decode().replace(" ", "")
    assert key == parse_mail_key(clinic_key)
    assert unfit(key, now_ms=DATE_MS) is None


def test_keys_that_cannot_be_sealed_to_are_told_why(clinic: GnupgHome) -> None:
    """Expired, revoked, or for signing only; and sealing to one is a refusal, never a letter in the open."""
    expiring = parse_mail_key(clinic.new_key("soon@other.example", expires="1d"))
    signing = parse_mail_key(clinic.new_key("sign@other.example", algorithm="ed25519"))
    signing_only = parse_mail_key(b"".join(packed(one.tag, one.body) for one in list(packets(signing.public))[:3]))
    revoked = revoked_key(clinic, "gone@other.example")

    assert "expired" == unfit(expiring, now_ms=(expiring.expires_ms or 0) + 1)
    assert "not_for_encryption" == unfit(signing_only, now_ms=DATE_MS)
    assert "revoked" == unfit(revoked, now_ms=DATE_MS)
    with pytest.raises(Refusal) as refused:
        require_fit(revoked, now_ms=DATE_MS)
    assert ("mail_key_unusable", "revoked") == (refused.value.code, refused.value.facts["reason"])
    # The letter's Date is the moment: the library itself would seal to all of them.
    late = full_letter(sealed=True).replace(b" 2026 07:09:51 ", b" 2046 07:09:51 ")
    for letter, key in (
        (full_letter(sealed=True), signing_only),
        (full_letter(sealed=True), revoked),
        (late, expiring),
    ):
        with pytest.raises(Refusal) as refused:
            protect_pgp(letter, certificates=[key.public], own=OWN, address=CASE_ADDRESS, seed="<a@b>")
        assert "mail_key_unusable" == refused.value.code


def test_a_key_whose_subkey_has_expired_is_not_sealed_to(clinic: GnupgHome) -> None:
    """The main key may live on: the library falls back to its expired subkey, which its owner may have destroyed."""
    clinic.gpg("--quick-gen-key", "sub@other.example", "ed25519", "sign,cert", "0")
    mark = fingerprint_of(clinic, "sub@other.example")
    assert 0 == clinic.gpg("--quick-add-key", mark, "cv25519", "encr", "1d").code
    key = parse_mail_key(clinic.gpg("--export", mark).out)
    day_ms = 24 * 60 * 60 * 1000
    made_ms = int.from_bytes(next(packets(key.public)).body[1:5], "big") * 1000

    assert key.expires_ms is None
    assert unfit(key, now_ms=made_ms) is None
    assert "expired" == unfit(key, now_ms=made_ms + 2 * day_ms)


def fingerprint_of(clinic: GnupgHome, address: str) -> str:
    return parse_mail_key(clinic.gpg("--export", f"={address}").out).fingerprint.upper()


def revoked_key(clinic: GnupgHome, address: str) -> MailKey:
    clinic.new_key(address)
    stored = (clinic.folder / "openpgp-revocs.d" / f"{fingerprint_of(clinic, address)}.rev").read_text()
    assert clinic.gpg("--import", stdin=stored.replace(":-----BEGIN", "-----BEGIN").encode()).code == 0
    return parse_mail_key(clinic.gpg("--export", address).out)


def test_what_is_no_single_public_key_is_refused(clinic: GnupgHome) -> None:
    """Two keys, none, a secret one, or too much of one."""
    two = clinic.gpg("--export", f"={CLINIC}", f"={STRANGER}").out
    for wrong in (two, b"", b"no key", OWN.secret(CASE_ADDRESS), b"\x30\x03\x02\x01\x01", bytes(300_000)):
        with pytest.raises(Refusal) as refused:
            parse_mail_key(wrong)
        assert "mail_key_unreadable" == refused.value.code


def test_a_damaged_key_is_refused_whatever_is_wrong_with_it() -> None:
    """No error of the library comes out, whichever octet is changed: its texts carry what is not for others."""
    key = OWN.certificate(CASE_ADDRESS)
    codes = set()
    for at in range(len(key)):
        damaged = bytearray(key)
        damaged[at] ^= 0x11
        try:
            parse_mail_key(bytes(damaged))
        except Refusal as refused:
            codes.add(refused.code)
    assert {"mail_key_unreadable", "mail_key_unusable"} == codes


def test_without_the_extra_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch, clinic_key: bytes) -> None:
    """OpenPGP that is not installed is a fault with its own code, wherever it would be used."""
    monkeypatch.setattr(openpgp, "sequoia", None)
    uses = (
        lambda: sealed_letter(clinic_key),
        lambda: parse_mail_key(clinic_key),
        lambda: verify_pgp(SECRET, signature=b"", known=[]),
    )
    for use in uses:
        with pytest.raises(Fault) as faulted:
            use()
        assert "openpgp_absent" == faulted.value.code


def test_armor_is_taken_off_with_headers_and_without_a_checksum() -> None:
    """RFC 9580, 6: headers, any line end, a checksum or none."""
    content = os.urandom(100)
    encoded = base64.encodebytes(content)
    for head in (b"", b"Version: 1\nComment: x\n"):
        for tail in (b"", b"=abcd\n"):
            armored = b"-----BEGIN PGP MESSAGE-----\n" + head + b"\n" + encoded + tail + b"-----END PGP MESSAGE-----\n"
            assert content == dearmored(b"Hello\n" + armored)
            assert content == dearmored(armored.replace(b"\n", b"\r\n"))
