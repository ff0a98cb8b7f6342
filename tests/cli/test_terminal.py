"""The rules of the terminal."""

import json

import pytest

from vetrelay.cli.terminal import (
    NOTHING_THERE,
    Exit,
    Line,
    answer_json,
    answer_lines,
    as_table,
    exit_of,
    printable,
    safe_of,
    tell_error,
)
from vetrelay.errors import SENTENCES, Fault, Refusal


@pytest.mark.parametrize(
    ("untrusted", "shown"),
    [
        ("plain ünïcödé 🐕", "plain ünïcödé 🐕"),
        ("red \x1b[31malert\x1b[0m", "red ␛[31malert␛[0m"),
        ("bell\a backspace\b return\r", "bell␇ backspace␈ return␍"),
        ("two\nlines", "two␊lines"),
        ("turned \u202egnp.exe", "turned \ufffdgnp.exe"),
        ("c1 \x9b31m", "c1 \ufffd31m"),
        ("delete\x7f", "delete␡"),
    ],
)
def test_what_others_wrote_cannot_steer_the_terminal(untrusted: str, shown: str) -> None:
    """Control signs and direction marks are shown as signs."""
    assert shown == printable(untrusted)


def test_a_text_keeps_its_lines() -> None:
    """A message has paragraphs; an escape inside them is still a sign."""
    assert "a\n\tb ␛" == printable("a\n\tb \x1b", lines=True)


def test_json_is_one_document_in_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    """It passes through every pipe and terminal, and means the same after it."""
    answer_json({"title": "Jürgen \x1b \udc80"})
    out, err = capsys.readouterr()
    assert out.isascii()
    assert ("", {"title": "Jürgen \x1b \udc80"}) == (err, json.loads(out))


def test_an_answer_in_a_pipe_is_bare(capsys: pytest.CaptureFixture[str]) -> None:
    """No colour, no wrapping: one paragraph is one line."""
    answer_lines([Line(text="title", style="title"), Line(), Line(text="word " * 60, indent=2, style="bad")])
    assert ["title", "", "  " + "word " * 60] == capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("code", sorted(SENTENCES))
def test_every_code_can_be_told_in_the_one_form(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What happened, what is safe, what to do, the code: four lines, each with something to say."""
    for error in (Refusal(code), Fault(code)):
        tell_error(error)
        out, err = capsys.readouterr()
        happened, safe, mend, last = err.splitlines()
        assert "" == out
        assert ["vetrelay: ", "  safe   ", "  to do  "] == [happened[:10], safe[:9], mend[:9]]
        assert len(happened) > 20
        assert len(mend) > 15
        assert f"  code   {code}" == last


def test_facts_stand_beside_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    """What is public in the exchange helps; what is empty is left out."""
    tell_error(Fault("bad_config", setting="listen", reason=""))
    assert "  code   bad_config (setting listen)" in capsys.readouterr().err


def test_exit_codes_follow_the_kind_of_end() -> None:
    """1 for faults, 4 where nothing is there, 3 for every other refusal."""
    assert Exit.FAULT == exit_of(Fault("unreachable"))
    assert {Exit.NOTHING} == {exit_of(Refusal(code)) for code in NOTHING_THERE}
    assert {Exit.REFUSAL} == {exit_of(Refusal(code)) for code in SENTENCES.keys() - NOTHING_THERE}


def test_a_dishonest_relay_is_told_apart() -> None:
    """What is safe then is what was received before; nothing more is sent."""
    assert "nothing more is sent" in safe_of(Refusal("log_forked"))
    assert "nothing more is sent" not in safe_of(Refusal("may_not"))


def test_a_table_is_aligned() -> None:
    """Columns begin under each other, and no line ends in spaces."""
    assert ["a    bb", "ccc  d"] == as_table([("a", "bb"), ("ccc", "d")])
    assert [] == as_table([])
