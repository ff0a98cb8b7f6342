"""Finding what a person means by as much as they typed."""

import pytest

from vetrelay.cli.find import _beginning
from vetrelay.errors import Refusal

KNOWN = ["abcdefgh", "abcdefxy", "qrstuvwx", "short"]


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [("abcdefgh", "abcdefgh"), ("abcdefg", "abcdefgh"), ("qrstuv", "qrstuvwx"), ("short", "short")],
)
def test_an_id_or_six_of_its_characters_are_enough(wanted: str, meant: str) -> None:
    """Whole, or a beginning that only one has."""
    assert meant == _beginning(wanted, KNOWN, none="no_such_case", several="which_case")


@pytest.mark.parametrize(
    ("wanted", "code"),
    [("abcdef", "which_case"), ("qrstu", "no_such_case"), ("zzzzzz", "no_such_case"), ("", "no_such_case")],
)
def test_too_little_or_too_much_is_refused(wanted: str, code: str) -> None:
    """A beginning of several, one that is too short, one of none."""
    with pytest.raises(Refusal) as raised:
        _beginning(wanted, KNOWN, none="no_such_case", several="which_case")
    assert code == raised.value.code
