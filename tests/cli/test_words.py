"""The words on the screen."""

import pytest

from vetrelay.cli.mail_words import folded
from vetrelay.cli.words import KINDS, LEFT_OUT, ROLES, VERDICTS, amount, count, length, reason_sentence, utc
from vetrelay.inspection.words import Reason, Verdict
from vetrelay.protocol.roster import ADMITS


def test_every_verdict_has_its_words() -> None:
    """Being checked, ready, original only, waiting for staff, cannot be sent; nothing internal."""
    assert {"pending", *Verdict} == set(VERDICTS)
    words = {"being checked", "ready", "original only", "waiting for staff", "cannot be sent"}
    assert words == {words for words, _ in VERDICTS.values()}


def test_what_a_pack_leaves_out_has_its_words() -> None:
    """Every verdict that is not simply ready."""
    assert {Verdict.KEPT_SEALED, Verdict.HELD, Verdict.REFUSED} == set(LEFT_OUT)


def test_every_reason_has_its_sentence() -> None:
    """A reason's key becomes its sentence; a key of a newer file check stays as it is."""
    for reason in Reason:
        if reason is not Reason.NONE:
            assert reason.sentence == reason_sentence(reason.key)
    assert ("from_the_future", None) == (reason_sentence("from_the_future"), reason_sentence(None))


def test_every_role_and_kind_has_its_word() -> None:
    """Whoever can be admitted can be named."""
    admitted = {role for roles in ADMITS.values() for role in roles}
    assert {*admitted, "intake", "bridge", "unknown"} == set(ROLES)
    assert {"household", "clinic", "machine"} == set(KINDS)


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (25_400, "25 kB"), (1_200_000, "1.2 MB"), (2_147_483_648, "2.1 GB")],
)
def test_a_size_is_told_as_people_tell_it(size_bytes: int, shown: str) -> None:
    """Two digits and a unit."""
    assert shown == amount(size_bytes)


@pytest.mark.parametrize(
    ("duration_ms", "shown"),
    [(1000, "0:01"), (42_400, "0:42"), (59_600, "1:00"), (600_000, "10:00"), (3_723_000, "1:02:03")],
)
def test_a_length_is_told_as_players_tell_it(duration_ms: int, shown: str) -> None:
    """Minutes and seconds, and hours where there are any."""
    assert shown == length(duration_ms)


def test_a_count_has_its_noun() -> None:
    """One file, two files."""
    assert ["1 file", "2 files", "0 messages are"] == [
        count(1, "file"),
        count(2, "file"),
        count(0, "message is", "messages are"),
    ]


def test_a_time_in_json_is_utc_to_the_millisecond() -> None:
    """ISO 8601, sortable."""
    assert "2026-11-22T01:03:05.007Z" == utc(1_795_309_385_007)


def test_what_a_letter_repeats_is_folded_and_never_cut() -> None:
    """(34) A line says how much; everything else, the dosage above all, stands as it is."""
    text = "Weight chart:\nFrom: 20 kg\nGive 2 ml.\n> older\n> words\nYours\n"
    begin = text.index("> older")
    shown = folded(text, ((begin, text.index("Yours")),))
    assert "Weight chart:\nFrom: 20 kg\nGive 2 ml.\n[2 lines folded; read --whole shows them]\nYours\n" == shown
    assert text == folded(text, ())
