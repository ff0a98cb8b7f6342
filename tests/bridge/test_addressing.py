"""The addresses the bridge answers to, and those it must not relay to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetrelay.bridge.addressing import (
    BounceAddress,
    CaseAddress,
    Foreign,
    FrontDoor,
    Unknown,
    bounce_address,
    bounce_is_ours,
    case_address,
    new_token,
    parse_recipient,
    plain_address,
    plain_domain,
)

TOKEN = "abcdefghijklmnopqrstuvwx2y"
DEPARTURE = "zyxwvutsrqponmlkjihgfedc72"
KEY = b"k" * 32


def parsed(untrusted: str) -> object:
    return parse_recipient(untrusted, domain="Mail.Practice.example", front_door="Records")


@pytest.mark.parametrize("joined", ["+", "-"])
def test_a_cases_address_is_read_back_whatever_its_case(joined: str) -> None:
    """Also by systems that mangle the plus sign, or write in capitals."""
    assert CaseAddress(token=TOKEN) == parsed(f"case{joined}{TOKEN}@mail.practice.example")
    assert CaseAddress(token=TOKEN) == parsed(f"CASE{joined}{TOKEN.upper()}@MAIL.practice.EXAMPLE")


@given(st.binary(min_size=16, max_size=16))
def test_every_token_makes_an_address_that_names_it(drawn: bytes) -> None:
    """128 bits in 26 letters, a local part of at most 64."""
    token = new_token(lambda size_bytes: drawn[:size_bytes])
    address = case_address(token, "mail.practice.example")
    assert 26 == len(token)
    assert CaseAddress(token=token) == parsed(address)
    assert len(address.partition("@")[0]) <= 64


def test_a_bounce_address_is_ours_only_by_our_key() -> None:
    """The letter's id and a mark over it."""
    address = bounce_address(DEPARTURE, key=KEY, domain="mail.practice.example")
    read = parsed(address.upper())
    assert isinstance(read, BounceAddress)
    assert DEPARTURE == read.departure
    assert bounce_is_ours(read, KEY)
    assert not bounce_is_ours(read, b"another key")
    assert not bounce_is_ours(BounceAddress(departure=TOKEN, mac=read.mac), KEY)
    assert not bounce_is_ours(BounceAddress(departure=DEPARTURE, mac=TOKEN), KEY)
    assert len(address.partition("@")[0]) <= 64


@pytest.mark.parametrize("local", ["records", "postmaster", "abuse", "RECORDS", "Postmaster"])
def test_the_front_door_is_the_practices_name_and_those_that_are_always_open(local: str) -> None:
    """RFC 5321 4.5.1; a bare postmaster needs no domain."""
    found = parsed(f"{local}@mail.practice.example")
    assert FrontDoor(local=local.lower()) == found
    assert isinstance(found, FrontDoor)
    assert (local.lower() != "records") == found.always_open
    assert FrontDoor(local="postmaster") == parsed("Postmaster")


@pytest.mark.parametrize(
    "recipient",
    [
        "nobody@mail.practice.example",
        "case+short@mail.practice.example",
        f"case+{TOKEN}x@mail.practice.example",
        f"case+{TOKEN[:-1]}1@mail.practice.example",
        f"case{TOKEN}@mail.practice.example",
        f"b+{DEPARTURE}@mail.practice.example",
        f"case+{TOKEN}@elsewhere.example",
        f"b+{DEPARTURE}.{TOKEN}@practice.example",
    ],
)
def test_row_13_a_wrong_token_and_a_wrong_domain_are_the_same_unknown(recipient: str) -> None:
    """The answer must not say which half was wrong."""
    assert Unknown() == parsed(recipient)


@pytest.mark.parametrize(
    "recipient",
    [
        "a@elsewhere.example",
        "records@elsewhere.example",
        '"a@b"@mail.practice.example',
        "a%b@mail.practice.example",
        "a%elsewhere.example@mail.practice.example",
        "elsewhere.example!a@mail.practice.example",
        "@mail.practice.example:a@elsewhere.example",
        "<@x:a@b>",
        "<a@mail.practice.example>",
        '"records"@mail.practice.example',
        "records@[127.0.0.1]",
        "records@mail.practice.example.",
        "records @mail.practice.example",
        "records\n@mail.practice.example",
        "récords@mail.practice.example",
        "@mail.practice.example",
        "records@",
        "records",
        "",
        "a" * 65 + "@mail.practice.example",
        "a@" + "a." * 130 + "example",
    ],
)
def test_row_14_what_would_be_relayed_is_foreign(recipient: str) -> None:
    """Other domains, quotes, and routes inside the local part."""
    assert Foreign() == parsed(recipient)


@given(st.text(max_size=80))
def test_any_text_at_all_is_one_of_the_five(untrusted: str) -> None:
    """The wire may say anything."""
    assert isinstance(parsed(untrusted), CaseAddress | BounceAddress | FrontDoor | Unknown | Foreign)


def test_a_usual_address_is_told_from_every_other() -> None:
    """Lower case, one at sign, a domain in its ASCII form."""
    assert "dr.o'neil+vet@clinic.example" == plain_address("Dr.O'Neil+vet@Clinic.example.")
    assert "jürgen@xn--mnchen-3ya.example" == plain_address("Jürgen@München.example")
    for odd in (
        "a@b@c.example",
        '"a b"@c.example',
        "a b@c.example",
        "@c.example",
        "a@",
        "a@b..c",
        "a\0@c.example",
        "a",
    ):
        assert plain_address(odd) is None


def test_a_letter_that_only_looks_like_another_stays_what_it_is() -> None:
    """The Kelvin sign's small letter is k, to Python: not in a name, and not in our own addresses."""
    assert "mi\u212ae@clinic.example" == plain_address("Mi\u212ae@clinic.example")
    assert Foreign() == parsed("records@mail.practice.example".replace("c", "\u216d"))
    assert plain_address("a\udcffb@clinic.example") is None


@given(st.text(max_size=300))
def test_a_domain_is_ascii_labels_or_none(untrusted: str) -> None:
    """What DNS can be asked for, whatever was written."""
    name = plain_domain(untrusted)
    assert name is None or (name.isascii() and name == name.lower() and 1 <= len(name) <= 253 and ".." not in name)
