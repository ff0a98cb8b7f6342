"""N17: a body that is not in the one allowed form is refused, whoever signed it."""

import pytest

from tests.chains import refusal_of
from vetrelay.protocol.statement import parse_sealed, parse_signed

# What nobody may write, in signed and in sealed bodies alike.
IN_BOTH = {
    "empty": b"",
    "only white space": b" ",
    "not an object: list": b"[]",
    "not an object: string": b'"a"',
    "not an object: number": b"1",
    "not an object: null": b"null",
    "duplicate key": b'{"a":1,"a":1}',
    "duplicate key, deeper": b'{"a":{"b":1,"b":2}}',
    "duplicate key by escape": b'{"a":1,"\\u0061":1}',
    "keys out of order": b'{"b":1,"a":1}',
    "keys out of order: capital after small": b'{"a":1,"B":1}',
    "space after colon": b'{"a": 1}',
    "space after comma": b'{"a":1, "b":1}',
    "leading space": b' {"a":1}',
    "trailing newline": b'{"a":1}\n',
    "trailing byte": b'{"a":1}x',
    "trailing NUL": b'{"a":1}\0',
    "two documents": b'{"a":1}{"a":1}',
    "byte order mark": b'\xef\xbb\xbf{"a":1}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "UTF-16 without mark": '{"a":1}'.encode("utf-16-le"),
    "invalid UTF-8": b'{"a":"\xff"}',
    "overlong UTF-8": b'{"a":"\xc0\xaf"}',
    "surrogate in UTF-8": b'{"a":"\xed\xa0\x80"}',
    "lone surrogate by escape": b'{"a":"\\ud800"}',
    "surrogate pair by escape": b'{"a":"\\ud83d\\udc3e"}',
    "letter by escape": b'{"a":"\\u0041"}',
    "solidus by escape": b'{"a":"\\/"}',
    "capital hex in escape": b'{"a":"\\u001F"}',
    "long escape where a short one exists": b'{"a":"\\u000a"}',
    "raw control character": b'{"a":"\n"}',
    "single quotes": b"{'a':1}",
    "unquoted key": b"{a:1}",
    "trailing comma": b'{"a":1,}',
    "comment": b'{"a":1/**/}',
    "1.0 for 1": b'{"a":1.0}',
    "1e0": b'{"a":1e0}',
    "1e400": b'{"a":1e400}',
    "0.5": b'{"a":0.5}',
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":Infinity}',
    "-Infinity": b'{"a":-Infinity}',
    "-0": b'{"a":-0}',
    "-0.0": b'{"a":-0.0}',
    "-1": b'{"a":-1}',
    "+1": b'{"a":+1}',
    "01": b'{"a":01}',
    "0x1": b'{"a":0x1}',
    "2^53": b'{"a":9007199254740992}',
    "2^53 + 1": b'{"a":9007199254740993}',
    "5,000 digits": b'{"a":' + b"9" * 5_000 + b"}",
    "nine levels": b'{"a":[[[[[[[[1]]]]]]]]}',
    "unclosed": b'{"a":[',
    "10,000 open brackets": b"[" * 10_000,
    "True": b'{"a":True}',
    "undefined": b'{"a":undefined}',
    "key beyond ASCII": '{"é":1}'.encode(),
    "key with a control character": b'{"a\\u0000":1}',
}
# What may be said inside a seal, but never in a signed body: it would have two spellings on two screens.
ONLY_SEALED = {
    "letter beyond ASCII": '{"a":"é"}'.encode(),
    "astral letter": '{"a":"\U0001f43e"}'.encode(),
    "line separator": '{"a":"\u2028"}'.encode(),
    "newline by escape": b'{"a":"\\n"}',
    "NUL by escape": b'{"a":"\\u0000"}',
    "delete": b'{"a":"\x7f"}',
    "bidi override": '{"a":"\u202e"}'.encode(),
}
GOOD = {
    "empty object": b"{}",
    "the largest integer": b'{"a":9007199254740991}',
    "zero": b'{"a":0}',
    "eight levels": b'{"a":[[[[[[[1]]]]]]]}',
    "quote and backslash": b'{"a":"\\"\\\\"}',
    "tilde and space": b'{" ":"~ "}',
    "all kinds": b'{"a":[true,false,null,0,"",{}]}',
}


@pytest.mark.parametrize("raw", IN_BOTH.values(), ids=IN_BOTH.keys())
def test_another_spelling_is_refused_everywhere(raw: bytes) -> None:
    """Signed or sealed, there is one form."""
    assert "bad_json" == refusal_of(parse_signed, raw)
    assert "bad_json" == refusal_of(parse_sealed, raw)


@pytest.mark.parametrize("raw", ONLY_SEALED.values(), ids=ONLY_SEALED.keys())
def test_what_is_signed_is_printable_ascii(raw: bytes) -> None:
    """A sealed text may be in any script; a signed one may not."""
    assert "bad_json" == refusal_of(parse_signed, raw)
    assert "success" == refusal_of(parse_sealed, raw)


@pytest.mark.parametrize("raw", GOOD.values(), ids=GOOD.keys())
def test_the_one_form_is_taken(raw: bytes) -> None:
    """The table above is not simply a wall."""
    assert "success" == refusal_of(parse_signed, raw)
    assert "success" == refusal_of(parse_sealed, raw)
