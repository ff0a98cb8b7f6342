"""The facts of a letter's head, from usual letters, from odd ones, and from those that are meant to hurt."""

from email import message_from_bytes
from email.policy import compat32
from email.utils import getaddresses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bridge.signed_letters import letter
from vetrelay.bridge.proving.author import authors
from vetrelay.bridge.proving.firstpass import FirstPass
from vetrelay.bridge.proving.headfields import FIELD_BYTES, HEAD_BYTES, HEAD_FIELDS, HEAD_LINES, split_fields
from vetrelay.bridge.proving.letterhead import Letterhead, read_letterhead

OVERSIZED = Letterhead(oversized=True)


def head(*fields: str) -> bytes:
    return letter(*fields).partition(b"\r\n\r\n")[0]


def test_the_facts_of_a_usual_letter() -> None:
    """As a clinic's program writes it."""
    read = read_letterhead(
        head(
            "Received: from a by b",
            "Received: from c\r\n by d",
            "From: =?utf-8?q?Dr=2E_Vet?= <Vet@Clinic.example>",
            "Message-ID: <1@clinic.example>",
            "Auto-Submitted: no",
            'Content-Type: Multipart/Mixed;\r\n boundary="x"',
        )
    )
    expected = Letterhead(
        author="vet@clinic.example", message_id="<1@clinic.example>", received=2, content_type="multipart/mixed"
    )
    assert expected == read
    assert not read.automatic


@pytest.mark.parametrize(
    "field",
    [
        "Auto-Submitted: auto-replied",
        "auto-submitted:AUTO-GENERATED; x=y",
        "Auto-Submitted: (odd) no",
        "Auto-Submitted: no\r\nAuto-Submitted: auto-replied",
        "Precedence: bulk",
        "Precedence: Junk",
        "Precedence:\r\n auto_reply",
        "X-Autoreply: yes",
        "X-Autorespond: vacation",
        "Content-Type: multipart/report; report-type=delivery-status",
        "Content-Type: MULTIPART/REPORT",
    ],
)
def test_what_no_person_wrote_says_so(field: str) -> None:
    """RFC 3834, and what was usual before it."""
    assert read_letterhead(head("From: a@b.example", field)).automatic


def test_precedence_of_a_list_and_a_plain_report_of_a_person_are_no_machine() -> None:
    """A list is known by its id, which is another rule."""
    assert not read_letterhead(head("Precedence: list", "Content-Type: text/plain; x=multipart/report")).automatic
    assert read_letterhead(head("List-Id: <vets.example>")).from_list


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a@b.example", ("a@b.example",)),
        ("A@B.Example", ("a@b.example",)),
        ("<a@b.example>", ("a@b.example",)),
        ("Dr. Vet <a@b.example>", ("a@b.example",)),
        ('"Vet, Dr." <a@b.example> (office)', ("a@b.example",)),
        ('"vet@clinic.example" <a@b.example>', ("a@b.example",)),
        ("a@b.example <a@b.example>", ("a@b.example",)),
        ("(one (two) \\) three) a@b.example", ("a@b.example",)),
        ("Tierärztin <jürgen@münchen.example>", ("jürgen@xn--mnchen-3ya.example",)),
        ("a@b.example, c@d.example", ("a@b.example", "c@d.example")),
        ("a@b.example,,", ("a@b.example",)),
        ("", ()),
        ("clinic@x.example <a@b.example>", None),
        ("<a@b.example> <c@d.example>", None),
        ("<a@b.example> trailing", None),
        ("a@b.example c@d.example", None),
        ("Vets: a@b.example;", None),
        ('"a b"@c.example', None),
        ("<@x.example:a@b.example>", None),
        ("<a@b@c.example>", None),
        ("a@[192.0.2.1]", None),
        ("<a@b.example", None),
        ("a@b.example>", None),
        ('"open <a@b.example>', None),
        ("(open a@b.example", None),
        ("undisclosed", None),
        ("a\0@b.example", None),
        ("<>", None),
    ],
)
def test_a_from_field_names_its_authors_or_nobody(value: str, expected: tuple[str, ...] | None) -> None:
    """What can be read in two ways names nobody; a display name counts for nothing."""
    assert expected == authors(value.encode())


def test_bytes_that_are_no_text_name_nobody() -> None:
    """Latin-1 in an address."""
    assert authors(b"a\xff@b.example") is None


@pytest.mark.parametrize(
    "fields",
    [
        (),
        ("From: a@b.example", "From: c@d.example"),
        ("From: a@b.example", "FROM : a@b.example"),
        ("From: a@b.example", "x\rFrom: c@d.example"),
        ("From: a@b.example", "X: y\nFrom: c@d.example"),
        ("From: a@b.example", "no field", "From: c@d.example"),
        ("From: a@b.example, c@d.example",),
        ("From:",),
    ],
)
def test_row_17_a_letter_without_exactly_one_author_has_none(fields: tuple[str, ...]) -> None:
    """Wherever a second From hides."""
    assert read_letterhead(head(*fields)).author is None


@given(
    st.text(max_size=60),
    st.sampled_from(["{} <a@b.example>", '"{}" <a@b.example>', "{}, a@b.example", "({}) a@b.example"]),
)
def test_no_name_changes_whom_a_field_names(name: str, form: str) -> None:
    """Where one address is read, it is one that stands in the field."""
    found = authors(form.format(name).encode("utf-8", "replace"))
    assert found is None or "a@b.example" in found


@given(st.binary(max_size=400))
def test_any_bytes_at_all_are_some_head(untrusted: bytes) -> None:
    """Nothing is raised."""
    assert isinstance(read_letterhead(untrusted), Letterhead)


@given(
    st.lists(st.sampled_from([b"From: a@b.example", b"X: y", b" folded", b"odd", b"\tFrom: q@q.example"]), max_size=8)
)
def test_no_other_parser_sees_an_author_that_is_not_seen_here(lines: list[bytes]) -> None:
    """Python's own finds at most the From fields found here."""
    untrusted = b"\r\n".join(lines)
    fields = split_fields(untrusted)
    assert fields is not None
    by_python = message_from_bytes(untrusted, policy=compat32).get_all("from") or []
    assert len(by_python) <= sum(field.name == "from" for field in fields)


@pytest.mark.parametrize(
    "bomb",
    [
        b"Subject: " + b"=?utf-8?q?a?= " * 23_000,  # 320 KB of encoded words
        b"Content-Type: text/plain" + b"; a*0=b" * 20_000,  # 20k parameters
        b"\r\n".join(b"X: y" for _ in range(HEAD_FIELDS + 1)),
        b"To: " + b"a@b.example, " * 20_000,
        b"X: " + b"\r\n y" * 20_000,
        b"X" * (HEAD_BYTES + 1),
        b"X: y\r\n" + b" \r\n" * HEAD_LINES,
        b"\r" * (HEAD_LINES + 1),
        b"X:" + b"y" * FIELD_BYTES,
    ],
)
def test_row_32_a_head_over_the_limits_is_oversized_and_nothing_else(bomb: bytes) -> None:
    """It is not looked into."""
    assert OVERSIZED == read_letterhead(b"From: a@b.example\r\n" + bomb)


@pytest.mark.parametrize(
    "hostile",
    [
        b"From: " + b"(" * 32_000,
        b"From: " + b"(" * 10_000 + b")" * 10_000 + b"a@b.example",
        b"From: " + b"<" * 32_000,
        b"From: " + b'"' * 32_000,
        b"From: " + b"," * 32_000,
        b"From: " + b"a@b.example, " * 2_500,
        b"From: " + b"\\" * 32_000,
        b"From: " + b"a@" * 16_000,
        b"From: a@" + b"b." * 16_000,
        b"From: a@" + "ü".encode() * 16_000,
        b"Content-Type: " + b" " * 32_000,
        b"Auto-Submitted: " + b"-" * 32_000,
        b"\r\n".join(b"From: a@b.example" for _ in range(HEAD_FIELDS)),
        b"\r" * HEAD_LINES,
        b" \n" * HEAD_LINES,
        b"X: " + b"\r\n y" * (HEAD_LINES - 2),
    ],
)
def test_row_32_a_head_just_under_the_limits_costs_little(hostile: bytes) -> None:
    """Each byte is looked at a few times; whom it is from is not told."""
    read = read_letterhead(hostile)
    assert not read.oversized
    assert read.author in (None, "a@b.example")


def test_row_32_the_limits_themselves_are_allowed() -> None:
    """A thousand fields, and one of 32 KiB."""
    assert not read_letterhead(b"\r\n".join([b"X: y"] * HEAD_FIELDS)).oversized
    assert not read_letterhead(b"X:" + b"y" * (FIELD_BYTES - 2)).oversized


@pytest.mark.parametrize("field", ["Message-ID:", "Message-ID: " + "x" * 999, "Subject: x"])
def test_a_message_id_that_is_none_is_none(field: str) -> None:
    """Empty, far too long, or not there."""
    assert read_letterhead(head(field)).message_id is None


@pytest.mark.corpora
def test_the_author_of_every_real_letter_is_read(corpora: Path) -> None:
    """As Python's own parser reads it, for every author that has a domain."""
    letters = [each.read_bytes() for each in sorted((corpora / "mime").rglob("*")) if each.suffix in (".eml", ".msg")]
    compared = 0
    for raw in letters:
        by_python = getaddresses(message_from_bytes(raw, policy=compat32).get_all("from") or [])
        if len(by_python) == 1 and "@" in by_python[0][1]:
            first = FirstPass()
            first.feed(raw)
            first.finish()
            assert by_python[0][1].lower() == read_letterhead(first.head).author
            compared += 1
    assert compared > 100
