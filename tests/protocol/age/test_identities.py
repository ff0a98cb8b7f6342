"""Identities: they come back from their text, keep their secret out of sight, and bound what a stanza may cost."""

import pytest

from vetrelay.errors import Refusal
from vetrelay.protocol.age import bech32
from vetrelay.protocol.age.identities import (
    HybridIdentity,
    ScryptIdentity,
    X25519Identity,
    parse_identity,
    unwrap,
)
from vetrelay.protocol.age.recipients import wrap
from vetrelay.protocol.age.stanza import Stanza, encode_base64

FILE_KEY = bytes(range(16))
SEED = bytes(range(32))
OWNER = HybridIdentity(SEED)


def test_a_hybrid_identity_comes_back_from_its_text() -> None:
    """The same public half, and the same text."""
    again = parse_identity(OWNER.text)

    assert isinstance(again, HybridIdentity)
    assert OWNER.text.startswith("AGE-SECRET-KEY-PQ-1")
    assert (OWNER.recipient, OWNER.text) == (again.recipient, again.text)


def test_an_x25519_identity_is_read() -> None:
    """Age's first kind of identity, for stock files."""
    assert isinstance(parse_identity(bech32.encode("AGE-SECRET-KEY-", SEED)), X25519Identity)


@pytest.mark.parametrize(
    "text",
    [
        bech32.encode("age-secret-key-pq-", SEED),
        bech32.encode("AGE-SECRET-KEY-PQ-", SEED[:-1]),
        bech32.encode("AGE-SECRET-KEY-PQ-", SEED + b"\x00"),
        bech32.encode("AGE-SECRET-KEY-", SEED[:-1]),
        bech32.encode("AGE-PLUGIN-X-", SEED),
        OWNER.text[:-1],
    ],
    ids=["small letters", "short seed", "long seed", "short scalar", "plugin", "cut"],
)
def test_another_text_is_no_identity(text: str) -> None:
    """One code for whatever does not fit, without a word of it in the message."""
    with pytest.raises(Refusal) as caught:
        parse_identity(text)

    assert caught.value.code == "age_text"
    assert text[20:] not in str(caught.value)


def test_no_identity_shows_its_secret() -> None:
    """Neither seed, scalar nor passphrase stands in a `repr`."""
    for identity in (OWNER, X25519Identity(SEED), ScryptIdentity(b"correct horse")):
        shown = repr(identity)

        assert "correct horse" not in shown
        assert SEED.hex() not in shown
        assert repr(SEED) not in shown


def test_the_identity_that_fits_is_found_among_several() -> None:
    """Order of stanzas and of identities does not matter."""
    other, third = HybridIdentity(bytes(32)), HybridIdentity(bytes([7] * 32))
    stanzas = [wrap(third.recipient, FILE_KEY), wrap(OWNER.recipient, FILE_KEY)]

    assert FILE_KEY == unwrap(stanzas, [other, OWNER])
    with pytest.raises(Refusal) as caught:
        unwrap(stanzas, [other])
    assert caught.value.code == "age_no_match"


def test_a_malformed_stanza_of_its_kind_is_never_passed_over() -> None:
    """A bad hybrid stanza before the good one makes the header bad, as in every strict reader."""
    bad = Stanza("mlkem768x25519", ("AAAA",), bytes(32))
    with pytest.raises(Refusal) as caught:
        OWNER.unwrap([bad, wrap(OWNER.recipient, FILE_KEY)])

    assert caught.value.code == "age_header"


@pytest.mark.parametrize("work_factor", ["21", "22", "64", "99", "100", "9" * 4000, "0", "08", "+9", "9 ", "٣", ""])
def test_a_passphrase_stanza_cannot_ask_for_any_work(work_factor: str) -> None:
    """A work factor above 2^20, or another spelling of one, is refused before any work is done."""
    stanza = Stanza("scrypt", (encode_base64(bytes(16)).decode(), work_factor), bytes(32))
    with pytest.raises(Refusal) as caught:
        ScryptIdentity(b"passphrase").unwrap([stanza])

    assert caught.value.code == "age_header"


def test_a_passphrase_stanza_beside_another_is_a_bad_header() -> None:
    """Passphrase files have one stanza: two readers of one password file would be an oracle."""
    scrypt = Stanza("scrypt", (encode_base64(bytes(16)).decode(), "1"), bytes(32))
    for identities in ([OWNER], [ScryptIdentity(b"passphrase")]):
        with pytest.raises(Refusal) as caught:
            unwrap([wrap(OWNER.recipient, FILE_KEY), scrypt], identities)

        assert caught.value.code == "age_header"
