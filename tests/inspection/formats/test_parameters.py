"""Fields with parameters, however they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetrelay.inspection.formats.parameters import value_and_parameters


@pytest.mark.parametrize(
    ("field", "value", "parameters"),
    [
        ("text/plain", "text/plain", {}),
        ("Text/Plain; Charset=UTF-8", "text/plain", {"charset": "UTF-8"}),
        ('a/b; name="x; y"; z=1', "a/b", {"name": "x; y", "z": "1"}),
        (r'a/b; name="x \"y\" \\z"', "a/b", {"name": r'x "y" \z'}),
        ('a/b; name="without an end; z=1', "a/b", {"name": "without an end; z=1"}),
        ("a/b;; boundary = x ;", "a/b", {"boundary": "x"}),
        ("a/b boundary=x", "a/b", {"boundary": "x"}),
        ("a/b; name=two words.pdf; z=1", "a/b", {"name": "two words.pdf", "z": "1"}),
        ("a/b; x=1; x=2", "a/b", {"x": "1"}),
        ("a/b; x*=utf-8'de'%C3%BC; x=u", "a/b", {"x": "ü"}),
        ("a/b; x*1=b; x*0=a; x*3=d", "a/b", {"x": "abd"}),
        ("a/b; x*0*=iso-8859-1''%FC; x*1*=%FC; x*2='n", "a/b", {"x": "üü'n"}),
        ("a/b; x*=%C3%BC", "a/b", {"x": "ü"}),
        ("a/b; x*=nonsense''%FC", "a/b", {"x": "ü"}),
        ("a/b; ***=1; =2; *=3", "a/b", {"***": "1", "*": "3"}),
        ("", "", {}),
    ],
)
def test_parameters_are_read(field: str, value: str, parameters: dict[str, str]) -> None:
    """By RFC 2045 and 2231, and as programs write them in spite of these."""
    assert (value, parameters) == value_and_parameters(field)


def test_no_more_parameters_are_read_than_a_field_has() -> None:
    """The two hundred and first is not."""
    _, parameters = value_and_parameters("a/b" + "".join(f"; p{number}=x" for number in range(1000)))
    assert 200 == len(parameters)


@given(st.text(";=*\"\\ab%0' ", max_size=60))
def test_any_field_is_read(field: str) -> None:
    """Nothing is ever raised."""
    value_and_parameters(field)
