"""A signature checked by the head and a hash of the body is the one that dkimpy checks in the whole letter."""

import asyncio
import re
from dataclasses import dataclass, field

import dkim
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bridge.signed_letters import ed25519_key, rsa_key
from vetrelay.bridge.proving.dkim_verify import SIGNATURES, Signed, signed_by
from vetrelay.bridge.proving.firstpass import FirstPass
from vetrelay.errors import Fault

FORMS = st.tuples(st.sampled_from([b"simple", b"relaxed"]), st.sampled_from([b"simple", b"relaxed"]))
PIECES = st.sampled_from(
    [b"\r\n", b"\n", b" ", b"\t", b"word", b"\r\n\r\n", b".", b"\xff", b"  \r\n", b"ordinary text"]
)
BODIES = st.lists(st.one_of(PIECES, st.binary(max_size=4)), max_size=20).map(b"".join)
HEADS = st.lists(
    st.sampled_from([b"To: a@b.example", b"to:  c \r\n\td", b"Subject: x  y ", b"X: \xe9", b"Cc:"]), max_size=5
)


@dataclass
class Keys:
    """A resolver of keys alone."""

    records: dict[str, tuple[str, ...]]
    asked: list[str] = field(default_factory=list)

    async def txt(self, name: str) -> tuple[str, ...]:
        self.asked.append(name)
        if name not in self.records:
            raise Fault("dns_unanswered")
        return self.records[name]

    async def mx(self, name: str) -> tuple[tuple[int, str], ...]:
        raise NotImplementedError

    async def addresses(self, name: str) -> tuple[str, ...]:
        raise NotImplementedError

    async def ptr(self, address: str) -> tuple[str, ...]:
        raise NotImplementedError


def ed_keys() -> Keys:
    return Keys({"s._domainkey.clinic.example": (f"k=ed25519; p={ed25519_key()[1]}",)})


def sign(raw: bytes, forms: tuple[bytes, bytes] = (b"relaxed", b"relaxed"), domain: bytes = b"clinic.example") -> bytes:
    key = ed25519_key()[0]
    made = dkim.sign(raw, b"s", domain, key, canonicalize=forms, signature_algorithm=b"ed25519-sha256")
    return bytes(made) + raw


def checked(raw: bytes, keys: Keys, size_bytes: int = 7) -> Signed:
    first = FirstPass()
    for at in range(0, len(raw), size_bytes):
        first.feed(raw[at : at + size_bytes])
    first.finish()
    return asyncio.run(signed_by(first.head, first.body, keys))


def holds_by_dkimpy(raw: bytes) -> bool:
    record = f"k=ed25519; p={ed25519_key()[1]}".encode()
    return bool(dkim.verify(raw, dnsfunc=lambda *_, **__: record))


@settings(max_examples=60, deadline=None)
@given(HEADS, BODIES, FORMS, st.integers(1, 60))
def test_what_dkimpy_signs_holds_whatever_the_letter_and_however_it_is_cut(
    head: list[bytes], body: bytes, forms: tuple[bytes, bytes], size_bytes: int
) -> None:
    """All four pairs of forms."""
    raw = sign(b"\r\n".join([b"From: vet@clinic.example", *head, b"", body]), forms)
    assert holds_by_dkimpy(raw)
    assert ("clinic.example",) == checked(raw, ed_keys(), size_bytes).by


@settings(max_examples=150, deadline=None)
@given(HEADS, BODIES, FORMS, st.data())
def test_what_was_changed_on_the_way_holds_here_only_where_it_does_for_dkimpy(
    head: list[bytes], body: bytes, forms: tuple[bytes, bytes], data: st.DataObject
) -> None:
    """One place in the letter, anything put there: this check is never the laxer one."""
    raw = sign(b"\r\n".join([b"From: vet@clinic.example", *head, b"", body]), forms)
    at = data.draw(st.integers(0, len(raw)))
    until = data.draw(st.integers(at, min(len(raw), at + 3)))
    changed = raw[:at] + data.draw(st.one_of(PIECES, st.binary(max_size=2))) + raw[until:]
    try:
        by_dkimpy = holds_by_dkimpy(changed)
    except Exception:  # noqa: BLE001  # dkimpy stumbles over some of these: then they do not hold
        by_dkimpy = False
    assert by_dkimpy or checked(changed, ed_keys()).by == ()


def test_only_the_first_signatures_are_looked_at_and_each_domain_is_told_once() -> None:
    """However many there are."""
    raw = b"From: vet@clinic.example\r\n\r\nbody\r\n"
    for _ in range(SIGNATURES + 3):
        raw = sign(raw)
    keys = ed_keys()
    assert ("clinic.example",) == checked(raw, keys).by
    assert SIGNATURES == len(keys.asked)


def test_a_domain_whose_key_nobody_answers_for_is_told_apart() -> None:
    """From one whose signature does not hold, and from one that signed twice."""
    raw = sign(sign(b"From: vet@clinic.example\r\n\r\nbody\r\n", domain=b"slow.example"))
    assert Signed(by=("clinic.example",), unanswered=("slow.example",)) == checked(raw, ed_keys())
    assert Signed(by=(), unanswered=("slow.example",)) == checked(raw + b"x", Keys({"s._domainkey.clinic.example": ()}))


def test_of_two_records_either_may_hold() -> None:
    """A key that is being changed."""
    good = ed_keys().records["s._domainkey.clinic.example"][0]
    raw = sign(b"From: vet@clinic.example\r\n\r\nbody\r\n")
    assert ("clinic.example",) == checked(raw, Keys({"s._domainkey.clinic.example": ("unrelated", good)})).by
    assert () == checked(raw, Keys({"s._domainkey.clinic.example": ("a", "b", good)})).by


@pytest.mark.parametrize(
    ("identity", "flags", "holds"),
    [("", "s", True), ("i=@x.clinic.example; ", "s", False), ("i=@x.clinic.example; ", "", True)],
)
def test_a_key_for_the_very_domain_signs_for_no_subdomain(identity: str, flags: str, holds: bool) -> None:  # noqa: FBT001  # a table's column
    """RFC 6376 3.6.1, t=s."""
    record = f"k=rsa; t={flags}; p={rsa_key()[1]}"
    raw = b"From: vet@clinic.example\r\n\r\nbody\r\n"
    who = re.search(r"i=(\S+); ", identity)
    made = dkim.sign(raw, b"s", b"clinic.example", rsa_key()[0], identity=who[1].encode() if who else None)
    assert holds == bool(checked(bytes(made) + raw, Keys({"s._domainkey.clinic.example": (record,)})).by)


def test_a_key_that_only_costs_time_is_not_tried() -> None:
    """An exponent of thousands of bits, in a key of the usual form."""
    der = bytes.fromhex("3082010a") + bytes.fromhex("02820101") + b"\0" + b"\xff" * 256 + b"\x02\x03\x01\x00\x01"
    long = b"\x02\x82\x01\x00" + b"\x7f" + b"\xff" * 255
    whole = bytes.fromhex("02820101") + b"\0" + b"\xff" * 256 + long
    hostile = b"\x30\x82" + len(whole).to_bytes(2, "big") + whole
    raw = b"From: vet@clinic.example\r\n\r\nbody\r\n"
    made = bytes(dkim.sign(raw, b"s", b"clinic.example", rsa_key()[0])) + raw
    for key in (der, hostile):
        record = f"k=rsa; p={dkim.base64.b64encode(key).decode()}"
        assert () == checked(made, Keys({"s._domainkey.clinic.example": (record,)})).by
