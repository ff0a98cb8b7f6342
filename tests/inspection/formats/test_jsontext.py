"""Our own scanner of JSON: it takes what Python's takes, strictly, and nothing that readers differ over."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetrelay.inspection.formats import jsontext
from vetrelay.inspection.words import Reason, Unfit

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_whatever_json_can_say_is_taken(value: object, plain: bool, indent: int | None) -> None:  # noqa: FBT001 - drawn
    """In every form that Python writes it."""
    jsontext.check(json.dumps(value, ensure_ascii=plain, indent=indent))


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "{", "}", "[", "[1", "[1,", "[1,]", "[,1]", '{"a"}', '{"a":}', '{"a":1,}', "{a:1}", "{1:2}", "'a'", '"a',
        '"\\x"', '"\\u12"', '"\n"', "01", "1.", ".5", "+1", "-", "1e", "NaN", "Infinity", "tru", "nul", "true false",
        "1 2", "[1]]", "\ufeff1", "[1 2]", '{"a" 1}', "١", "// a\n1",
    ],
)  # fmt: skip
def test_what_is_no_json_is_not_taken(text: str) -> None:
    """No comments, no trailing commas, no other numbers: RFC 8259 and nothing else."""
    with pytest.raises(jsontext.NotJson):
        jsontext.check(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 65 + "]" * 65, Reason.NESTED_TOO_DEEP),
        ('{"a":' * 65, Reason.NESTED_TOO_DEEP),
        ("[" * 1_000_000, Reason.NESTED_TOO_DEEP),
        ("9" * 4301, Reason.NUMBER_TOO_LONG),
        ("-" + "9" * 4301, Reason.NUMBER_TOO_LONG),
        ('{"a": 1, "a": 1}', Reason.KEYS_REPEAT),
        ('{"a": 1, "\\u0061": 2}', Reason.KEYS_REPEAT),
        ('[{"b": {"": 0, "": 0}}]', Reason.KEYS_REPEAT),
    ],
)
def test_what_readers_differ_over_or_break_on_is_refused(text: str, reason: Reason) -> None:
    """Depth, digits, and keys that are equal once they are read."""
    with pytest.raises(Unfit) as unfit:
        jsontext.check(text)
    assert reason is unfit.value.reason


@pytest.mark.parametrize("text", ["[" * 64 + "]" * 64, "9" * 4300, "1." + "9" * 5000, '[{"a": 1}, {"a": 2}]'])
def test_what_stands_just_within_is_taken(text: str) -> None:
    """64 deep, 4300 digits, long fractions, and equal keys of different objects."""
    jsontext.check(text)
