"""Strict JSON and signing bytes. What is refused stands in tests/hostile/test_strict_json.py."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chains import refusal_of
from vetrelay.protocol import statement
from vetrelay.protocol.statement import (
    MAX_BODY_BYTES,
    MAX_INTEGER,
    MAX_SEALED_JSON_BYTES,
    Body,
    convert,
    parse_sealed,
    parse_signed,
    read_plain,
    render,
    signing_bytes,
)

PRINTABLE = st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12)
SCALARS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12)


def values(texts: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    """JSON objects that strict JSON can say, at most eight deep."""
    leaves = st.none() | st.booleans() | st.integers(0, MAX_INTEGER) | texts
    deeper: st.SearchStrategy[Any] = leaves
    for _ in range(3):
        deeper = leaves | st.lists(deeper, max_size=3) | st.dictionaries(PRINTABLE, deeper, max_size=3)
    return st.dictionaries(PRINTABLE, deeper, max_size=4)


class Small(Body, frozen=True):
    """A body for these tests."""

    v: int
    name: str
    count: int | None


@given(values(PRINTABLE))
def test_a_signed_body_comes_back_from_its_bytes(value: dict[str, Any]) -> None:
    """parse(render(x)) = x."""
    assert value == parse_signed(render(value))


@given(values(SCALARS))
def test_a_sealed_body_comes_back_from_its_bytes(value: dict[str, Any]) -> None:
    """The same with any Unicode scalar value in the texts."""
    assert value == parse_sealed(render(value))


@given(values(PRINTABLE), st.integers(0, 10_000), st.integers(0, 255))
def test_bytes_that_are_taken_are_the_one_spelling(value: dict[str, Any], place: int, byte: int) -> None:
    """Whatever is taken, render writes again: no two spellings of one value."""
    raw = bytearray(render(value))
    raw[place % len(raw)] = byte
    code = refusal_of(parse_signed, bytes(raw))
    assert code in {"success", "bad_json"}
    if code == "success":
        assert bytes(raw) == render(parse_signed(bytes(raw)))


def test_render_sorts_keys_and_leaves_no_spaces() -> None:
    """Keys by code point, at every depth; nothing is escaped that need not be."""
    assert b'{"B":[true,null],"a":{"x":1,"y":""},"b":"/"}' == render(
        {"b": "/", "a": {"y": "", "x": 1}, "B": [True, None]}
    )


def test_sealed_texts_are_escaped_as_json_stringify_does() -> None:
    """Quotes, backslashes and control characters are escaped, in small hex digits; all else stands as it is."""
    text = '"\\/\b\t\n\f\r\x00\x1f\x7f\u2028\u00e9\U0001f43e'
    expected = '{"t":"\\"\\\\/\\b\\t\\n\\f\\r\\u0000\\u001f\x7f\u2028\u00e9\U0001f43e"}'
    assert expected.encode() == render({"t": text})
    assert {"t": text} == parse_sealed(expected.encode())


@pytest.mark.parametrize("levels", [1, 7, 8, 9, 100, 20_000])
def test_eight_levels_are_the_deepest(levels: int) -> None:
    """The outermost object is level one."""
    lists = levels - 1
    raw = b'{"a":' + b"[" * lists + b"]" * lists + b"}" if lists else b"{}"
    assert ("success" if levels <= 8 else "bad_json") == refusal_of(parse_signed, raw)


def test_a_body_of_exactly_the_limit_is_taken_and_one_byte_more_is_not() -> None:
    """64 KiB for what is signed, 1 MiB for what is sealed."""
    frame = len(b'{"a":""}')
    for parse, limit in ((parse_signed, MAX_BODY_BYTES), (parse_sealed, MAX_SEALED_JSON_BYTES)):
        full = b'{"a":"' + b"x" * (limit - frame) + b'"}'
        assert limit == len(full) == len(render(parse(full)))
        assert "too_large" == refusal_of(parse, full + b" ")


def test_a_typed_body_has_all_its_keys_and_no_other() -> None:
    """Absent is null, never left out; an unknown key is refused."""
    assert Small(v=1, name="n", count=None) == convert({"v": 1, "name": "n", "count": None}, Small)
    for wrong in (
        {"v": 1, "name": "n"},
        {"v": 1, "name": "n", "count": 1, "more": 1},
        {"v": 1, "name": 1, "count": 1},
        {"v": 1, "name": "n", "count": True},
        {"v": True, "name": "n", "count": 1},
        {"v": 0, "name": "n", "count": 1},
        {"v": "1", "name": "n", "count": 1},
        {"v": None, "name": "n", "count": 1},
        {"name": "n", "count": 1},
    ):
        assert "bad_body" == refusal_of(convert, wrong, Small)


def test_a_later_version_is_newer_and_not_malformed() -> None:
    """(N50) Whatever else it holds."""
    assert "newer_version" == refusal_of(convert, {"v": 2, "anything": []}, Small)


def test_signing_bytes_name_their_type_and_measure_everything() -> None:
    """Label, u16be length, type, u32be length, body."""
    assert b"VetRelay-v1\0\x00\x04case\x00\x00\x00\x02{}" == signing_bytes("case", b"{}")


@given(st.tuples(PRINTABLE, st.binary(max_size=9)), st.tuples(PRINTABLE, st.binary(max_size=9)))
def test_no_two_statements_have_the_same_signing_bytes(one: tuple[str, bytes], other: tuple[str, bytes]) -> None:
    """(N18) A type that runs into its body cannot be taken for another."""
    assert (one == other) == (signing_bytes(*one) == signing_bytes(*other))


def test_a_body_renders_the_names_of_the_wire() -> None:
    """Null stands, numbers are plain."""
    assert b'{"count":null,"name":"n","v":1}' == render(Small(v=1, name="n", count=None))
    assert msgspec.json.decode(render(Small(v=1, name="n", count=3)), type=Small) == Small(v=1, name="n", count=3)


def as_the_slow_way_says(raw: bytes) -> object:
    """A signed body by the rules of the chapter, one after the other, with Python's own JSON."""
    try:
        value = json.loads(raw.decode())
        same = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == raw
    except (ValueError, RecursionError):
        return "bad_json"
    allowed = isinstance(value, dict) and statement._within_limits(value, 0, ascii_only=True)
    return value if allowed and same else "bad_json"


@given(values(PRINTABLE), st.integers(0, 400), st.sampled_from(b'{}[]",:0123456789.-eE \\aTn\x7f'), st.integers(0, 1))
def test_the_fast_way_takes_and_refuses_what_the_slow_way_does(
    value: dict[str, Any], at: int, byte: int, cut: int
) -> None:
    """Two libraries read signed bodies, the quick one where it cannot matter: nobody can tell which it was."""
    raw = render(value)
    at %= len(raw)
    changed = raw[:at] + bytes([byte]) + raw[at + cut :]
    for one in (raw, changed):
        refused = refusal_of(parse_signed, one)
        assert as_the_slow_way_says(one) == (parse_signed(one) if refused == "success" else refused)


@pytest.mark.parametrize(
    "raw",
    [b'{"a":9007199254740992}', b'{"a":18446744073709551616}', b'{"a":-0}', b'{"a":1e3}', b'{"a":1.0}', b'{"a":NaN}'],
)
def test_a_number_beyond_the_plain_ones_is_refused_the_fast_way_too(raw: bytes) -> None:
    """What a double cannot hold, or says in another way, is no number here."""
    assert "bad_json" == refusal_of(parse_signed, raw)


def test_a_known_type_is_read_with_one_look_or_not_at_all() -> None:
    """The one look answers only where it cannot be wrong; everything else is asked again, the slow way."""
    assert Small(v=1, name="x", count=2) == read_plain(b'{"count":2,"name":"x","v":1}', Small)
    for raw in (
        b'{"v":1,"name":"x","count":2}',
        b'{"count":2,"name":"x","v":2}',
        b'{"count":2,"name":"x"}',
        b'{"count":2.0,"name":"x","v":1}',
        b'{"count":2,"name":"\\u0041","v":1}',
        b"[]",
        b"{",
    ):
        assert read_plain(raw, Small) is None
