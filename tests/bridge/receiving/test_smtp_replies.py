"""What the session answers by itself."""

import pytest

from vetrelay.bridge.ports import Reply
from vetrelay.bridge.receiving import smtp_replies as say

OWN = [one for one in vars(say).values() if isinstance(one, Reply)]


@pytest.mark.parametrize("reply", OWN, ids=str)
def test_a_reply_has_an_enhanced_code_of_its_class_and_421_ends_the_session(reply: Reply) -> None:
    """RFC 3463: the first digits agree. Who says 421 must close (RFC 5321 section 3.8)."""
    assert str(reply.code)[0] == reply.enhanced[0]
    assert (reply.code in {221, 421}) == reply.close
    assert str(reply) == say.in_our_words(str(reply))


@pytest.mark.parametrize(
    ("status", "spoken"),
    [
        ("500 Error: bad syntax", "500 5.5.2 "),
        ('500 Error: command "CANARY" not recognized', "500 5.5.2 "),
        ("502 5.5.1 Too many unrecognized commands, goodbye.", "421 4.7.0 "),
        ("500 Error: (RuntimeError) canary", "451 4.3.0 "),
        ("500 Error: Cannot describe error", "451 4.3.0 "),
        ("250 canary", "451 4.3.0 "),
        ("250 2.0.0 two\r\nlines", "451 4.3.0 "),
        ("250 2.0.0 ours", "250 2.0.0 ours"),
        ("220 host ESMTP", "220 host ESMTP"),
    ],
)
def test_what_aiosmtpd_says_is_said_in_our_words(status: str, spoken: str) -> None:
    """And what it quotes is never sent."""
    said = say.in_our_words(status)

    assert said.startswith(spoken)
    assert "canary" not in said.lower()


def test_too_large_names_the_limit_and_the_place_for_large_files() -> None:
    """The person who wrote the letter reads it in the bounce."""
    assert "552 5.3.4 Larger than 50 MiB; upload large files at https://mail.example/u" == str(
        say.too_large(50 * 1024 * 1024, "https://mail.example/")
    )
