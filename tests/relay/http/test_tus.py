"""The header fields of tus, read strictly."""

import base64
import hashlib

import pytest

from tests.chains import named_hash
from vetrelay.errors import Refusal
from vetrelay.relay.http.tus import (
    Metadata,
    http_date,
    parse_checksum,
    parse_metadata,
    parse_number,
    parse_secret,
)
from vetrelay.relay.upload import url_hash

CASE, P = named_hash("case"), named_hash("p")


def encoded(text: str) -> str:
    """As tus clients encode values."""
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("text", "metadata"),
    [
        (f"case {encoded(CASE)}", Metadata(case=CASE, p=None)),
        (f"case {encoded(CASE)},p {encoded(P)}", Metadata(case=CASE, p=P)),
        (f"p {encoded(P)}, case {encoded(CASE)}", Metadata(case=CASE, p=P)),
    ],
)
def test_metadata_is_a_case_and_perhaps_a_hash(text: str, metadata: Metadata) -> None:
    """In any order, with the space after a comma that some clients put."""
    assert metadata == parse_metadata(text)
    assert metadata == parse_metadata(str(metadata))


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "case",
        "case ",
        f"p {encoded(P)}",
        f"case {encoded(CASE)},case {encoded(CASE)}",
        f"case {encoded(CASE)},filename {encoded('Bella.jpg')}",
        f"case {encoded(CASE)},",
        f"case  {encoded(CASE)}",
        f"Case {encoded(CASE)}",
        f"case {CASE}",
        f"case {encoded(CASE)[:-2]}",
        f"case {encoded(CASE[:-1])}",
        f"case {encoded(CASE + '=')}",
        f"case {encoded(CASE)}\n",
        f"case {encoded('é' * 20)}",
        "case " + "é" * 20,
        "p " + encoded(P) + "," * 2_000,
    ],
)
def test_any_other_metadata_is_refused(text: str | None) -> None:
    """Above all: nothing that could be a name."""
    with pytest.raises(Refusal, match="bad_upload_metadata"):
        parse_metadata(text)


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("1", 1), ("9007199254740991", 2**53 - 1)])
def test_numbers_are_plain_decimals(text: str, number: int) -> None:
    """As every client writes them."""
    assert number == parse_number(text, code="bad_upload")


@pytest.mark.parametrize("text", [None, "", "-1", "+1", "01", "1.0", "1e3", " 1", "1\n", "1_000", "٣", "9" * 17])
def test_other_numbers_are_refused(text: str | None) -> None:
    """What Python's `int` would take, and more than fits."""
    with pytest.raises(Refusal, match="bad_upload"):
        parse_number(text, code="bad_upload")


@pytest.mark.parametrize("name", ["sha1", "sha256"])
def test_a_checksum_knows_what_it_waits_for(name: str) -> None:
    """Algorithm, space, base64."""
    digest = hashlib.new(name, b"bytes").digest()
    checksum = parse_checksum(f"{name} {base64.b64encode(digest).decode()}")
    assert checksum is not None
    checksum.hasher.update(b"bytes")
    assert digest == checksum.hasher.digest() == checksum.expected


def test_no_checksum_is_none() -> None:
    """The field is optional."""
    assert parse_checksum(None) is None


@pytest.mark.parametrize(
    "text", ["", "sha1", "sha1 ", "sha1 !", "sha1 AAAA", "crc32 AAAA", "SHA1 " + encoded("x" * 20), "sha1 é"]
)
def test_a_checksum_that_cannot_be_checked_is_refused(text: str) -> None:
    """Unknown algorithms, wrong sizes, other alphabets."""
    with pytest.raises(Refusal, match="bad_checksum"):
        parse_checksum(text)


def test_a_secret_is_known_by_its_hash_only() -> None:
    """27 characters of base64url; anything else is no upload of ours."""
    assert url_hash("a" * 27) == parse_secret("a" * 27)
    for wrong in ("", "a" * 26, "a" * 28, "a" * 26 + "=", "a" * 26 + "\n", "\ud800" * 27):
        with pytest.raises(Refusal, match="upload_unknown"):
            parse_secret(wrong)


def test_dates_are_written_as_http_wants_them() -> None:
    """IMF-fixdate, in GMT."""
    assert "Sun, 06 Nov 1994 08:49:37 GMT" == http_date(784_111_777_999)
