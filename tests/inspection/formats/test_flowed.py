"""Paragraphs that were broken into lines, joined again: no word is ever lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetrelay.inspection.formats.flowed import joined


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a \nb", "a b"),
        ("a\nb", "a\nb"),
        ("a \n> b", "a \n> b"),
        ("> a \n> b\n>> c", "> a b\n>> c"),
        (">a \n>b", "> a b"),
        (" >not a quote", ">not a quote"),
        (" From here", "From here"),
        ("a \n-- \nb", "a \n-- \nb"),
        ("> -- \n> b", "> -- \n> b"),
        ("a ", "a "),
        ("", ""),
        ("a\n\nb", "a\n\nb"),
    ],
)
def test_a_line_that_ends_with_a_space_goes_on(text: str, expected: str) -> None:
    """RFC 3676: within one depth of quoting, never into a signature, one stuffed space taken away."""
    assert expected == joined(text, delete_space=False)


def test_writings_without_spaces_get_none() -> None:
    """DelSp=yes."""
    assert "狗很好" == joined("狗 \n很好", delete_space=True)


@given(st.lists(st.text("ab> -", max_size=6), max_size=10))
def test_no_sign_but_spaces_and_breaks_ever_changes(lines: list[str]) -> None:
    """What is not a mark of quoting is all there, in its order."""
    text = "\n".join(lines)
    kept = [sign for sign in text if sign not in "> \n"]
    assert kept == [sign for sign in joined(text, delete_space=False) if sign not in "> \n"]
