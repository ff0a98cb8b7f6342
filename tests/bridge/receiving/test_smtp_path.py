"""What stands behind MAIL FROM: and RCPT TO:."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetrelay.bridge.receiving.smtp_path import PATH_BYTES, Path, domain_of, parse_path, size_of


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("FROM:<a@b.example>", "a@b.example"),
        ("from: <a@b.example>", "a@b.example"),
        ("FROM:a@b.example", "a@b.example"),
        ("FROM:<>", ""),
        ('FROM:<"a b@c>"@d.example>', '"a b@c>"@d.example'),
        ('FROM:<"a\\"b"@d.example>', '"a\\"b"@d.example'),
        ("FROM:<@x.example,@y.example:a@b.example>", "a@b.example"),
        ("FROM:<j\u00e9@b.example>", "j\u00e9@b.example"),
    ],
)
def test_an_address_is_taken_as_it_was_written(said: str, address: str) -> None:
    """With or without a space, quoted, routed, or not in ASCII."""
    path = parse_path(said, "FROM:")

    assert path is not None
    assert address == path.address


@pytest.mark.parametrize(
    "said",
    [
        None,
        "",
        "FROM",
        "FROM:",
        "TO:<a@b>",
        "FROM:<a@b",
        "FROM:a@b>",
        "FROM:<a@b>x",
        "FROM:<a b@c>",
        "FROM:<a@b\r>",
        "FROM:<a\x00@b>",
        'FROM:<"a@b>',
        "FROM:<\udcff@b>",
        f"FROM:<{'a' * PATH_BYTES}@b>",
    ],
)
def test_what_is_no_path_is_none(said: str | None) -> None:
    """Nothing is guessed."""
    assert parse_path(said, "FROM:") is None


def test_parameters_have_upper_case_names_and_their_values_as_written() -> None:
    """A flag has an empty value."""
    path = parse_path("FROM:<a@b> size=12 ENVID=Q=x SMTPUTF8", "FROM:")

    assert Path(address="a@b", parameters={"SIZE": "12", "ENVID": "Q=x", "SMTPUTF8": ""}) == path


@pytest.mark.parametrize("size", ["", "-1", "1e3", "\u0663", "1" * 21])
def test_a_size_is_a_number(size: str) -> None:
    """Plain digits, and not too many."""
    path = parse_path(f"FROM:<a@b> SIZE={size}", "FROM:")

    assert path is not None
    with pytest.raises(ValueError, match="SIZE"):
        size_of(path)


@pytest.mark.parametrize(("address", "domain"), [("a@B.example", "b.example"), ('"x@y"@b', "b"), ("a", ""), ("", "")])
def test_a_domain_stands_behind_the_last_sign(address: str, domain: str) -> None:
    """Lower-case; empty where there is none."""
    assert domain == domain_of(address)


@given(st.text(max_size=400))
def test_no_text_breaks_the_parser(said: str) -> None:
    """Whatever a stranger says: a path without control characters, or none."""
    path = parse_path(f"TO:{said}", "TO:")

    if path is not None:
        assert not any(letter < " " for letter in path.address)


@pytest.mark.parametrize(
    "said", ['<"' + '\\"' * 50_000, "<" + "a" * 100_000, "<@" + "a:" * 50_000, "<>" + " " * 100_000]
)
def test_no_text_is_slow(said: str) -> None:
    """Each alternative begins differently, so a failing match is given up at once (seconds would end the suite)."""
    parse_path(f"TO:{said}", "TO:")
