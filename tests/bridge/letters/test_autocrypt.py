"""The Autocrypt header: ours is read by others, theirs is a suggestion and nothing more."""

import base64
import email
import email.policy
import os
import re

import pytest

from tests.bridge.outgoing import ABOUT, CASE_ADDRESS, LINKS, posting
from vetrelay.bridge.letters.autocrypt import autocrypt_header, suggested
from vetrelay.bridge.letters.letter import compose_notice
from vetrelay.bridge.letters.openpgp_key import make_own_pgp

OWN = make_own_pgp(os.urandom, now_ms=1_700_000_000_000)
THEIRS = "ann@other.example"


def header(*, addr: str = THEIRS, keydata: str | None = None, more: str = "") -> str:
    key = base64.b64encode(OWN.certificate(THEIRS)).decode() if keydata is None else keydata
    return f"addr={addr}; prefer-encrypt=mutual; {more}keydata={key}"


def test_our_header_comes_through_a_letter_whole() -> None:
    """Folded at blanks, short lines, and the key in it is ours with the case address as its name."""
    letter = compose_notice(posting(autocrypt=autocrypt_header(OWN, CASE_ADDRESS)), about=ABOUT, links=LINKS)
    read = email.message_from_bytes(letter, policy=email.policy.default)["Autocrypt"]
    suggestion = suggested([read], from_address=CASE_ADDRESS)

    assert 78 >= max(len(line) for line in letter.split(b"\r\n") if b"@outlook" not in line)
    assert suggestion is not None
    assert (CASE_ADDRESS, OWN.fingerprint, (CASE_ADDRESS,), True) == (
        suggestion.address,
        suggestion.key.fingerprint,
        suggestion.key.names,
        suggestion.prefers_encryption,
    )
    assert len(re.sub(r"\s", "", read)) < 10 * 1024


def test_a_header_for_the_letters_own_address_is_a_suggestion() -> None:
    """Case of the address and unknown attributes that begin with "_" do not matter."""
    found = suggested([header(addr="Ann@Other.example", more="_x=1; ")], from_address="ANN@other.example")
    assert found is not None
    assert (THEIRS, OWN.fingerprint) == (found.address, found.key.fingerprint)


@pytest.mark.parametrize(
    "wrong",
    [
        header(addr="other@other.example"),
        header(more="critical=1; "),
        header(more=f"addr={THEIRS}; "),
        header(keydata="!!!"),
        header(keydata=""),
        header(keydata=base64.b64encode(b"no key").decode()),
        header(keydata=base64.b64encode(OWN.secret(THEIRS)).decode()),
        f"addr={THEIRS}; prefer-encrypt=mutual",
        f"addr={THEIRS}; junk; keydata=",
        header() + " " * 40_000,
        "",
    ],
    ids=lambda value: value[:50].strip(),
)
def test_a_header_that_is_not_valid_suggests_nothing(wrong: str) -> None:
    """Another address, an attribute that must be known, no key, a secret key, too long."""
    assert suggested([wrong], from_address=THEIRS) is None


def test_two_valid_headers_suggest_nothing() -> None:
    """The rule of the specification: more than one, and none counts; an invalid one beside a valid one does not matter."""
    assert suggested([header(), header()], from_address=THEIRS) is None
    assert suggested([header(), "junk"], from_address=THEIRS) is not None
