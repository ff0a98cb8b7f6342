"""A letter that was read, on the wire: what an honest job writes arrives, and nothing else does."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetrelay.inspection.frames import Garbled
from vetrelay.inspection.letterframe import SignedRange, are_sound_folds, decode_letter, encode_letter, encode_refusal
from vetrelay.inspection.letterread import (
    MAX_SUBJECT_CHARS,
    MAX_WRITTEN_MS,
    Action,
    DeliveryReport,
    LetterPart,
    LetterRead,
    Protection,
    SignedPart,
)
from vetrelay.inspection.notes import Note
from vetrelay.inspection.source import BytesSource
from vetrelay.inspection.words import JAIL_ENDS, Reason, Unfit

LETTER = BytesSource(b"Subject: Luna\r\n\r\nAll is well.\r\n")
seen = st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Cn", "Co"))
line = st.text(seen, max_size=20)
ids = st.just("") | st.from_regex(r"<[a-z0-9.@]{1,20}>", fullmatch=True)
parts = st.builds(
    LetterPart,
    name=st.text(seen.filter(lambda sign: sign not in "/\\"), min_size=1, max_size=20).filter(
        lambda name: name.strip(". ")
    ),
    media_type=st.sampled_from(["", "text/plain", "application/vnd.ms-excel"]),
    content=st.binary(max_size=50),
    inline=st.booleans(),
)
reports = st.builds(
    DeliveryReport,
    action=st.sampled_from(list(Action)),
    status=st.sampled_from(["", "5.1.1", "4.4.999"]),
    diagnostic_type=st.sampled_from(["", "smtp", "x-unix"]),
    reply_code=st.just(0) | st.integers(200, 599),
    envelope_id=st.text("abc=+", max_size=10),
    recipient=line,
    guessed=st.booleans(),
)


@st.composite
def folded(draw: st.DrawFn) -> tuple[str, tuple[tuple[int, int], ...]]:
    """A text and ranges of it that may be folded."""
    text = draw(st.text(seen | st.just("\n"), max_size=60))
    places = sorted(draw(st.sets(st.integers(0, len(text)), max_size=6)))
    folds = tuple(zip(places[::2], places[1::2], strict=False))
    return text, folds if are_sound_folds(text, folds) else ()


@st.composite
def read_letters(draw: st.DrawFn) -> LetterRead:
    """What an honest job says of `LETTER`."""
    protection = draw(st.sampled_from(list(Protection)))
    text, folds = ("", ()) if protection.is_encrypted else draw(folded())
    begin = draw(st.integers(0, LETTER.size_bytes))
    end = draw(st.integers(begin, LETTER.size_bytes))
    signed = SignedPart(content=LETTER.content[begin:end], signature=draw(st.binary(max_size=20)))
    return LetterRead(
        sender_name=draw(line),
        sender_address=draw(line),
        subject=draw(line),
        written_ms=draw(st.none() | st.integers(0, MAX_WRITTEN_MS)),
        message_id=draw(ids),
        in_reply_to=draw(ids),
        text=text,
        folds=folds,
        parts=tuple(
            draw(
                st.lists(
                    parts, min_size=1 if protection.is_encrypted else 0, max_size=1 if protection.is_encrypted else 4
                )
            )
        ),
        report=draw(st.none() | reports),
        protection=protection,
        signed=signed if protection.is_signed else None,
        notes=draw(st.dictionaries(st.sampled_from(list(Note)), st.integers(1, 2**32 - 1), max_size=32)),
    )


def wire(read: LetterRead) -> bytes:
    """The letter as it goes over the pipe."""
    signed = None
    if read.signed is not None:
        begin = LETTER.content.index(read.signed.content)
        signed = SignedRange(begin=begin, end=begin + len(read.signed.content), signature=read.signed.signature)
    return b"".join(encode_letter(read, signed))


def decoded(untrusted: bytes) -> LetterRead:
    return decode_letter(untrusted, LETTER, most_parts=4)


@given(read_letters())
def test_what_an_honest_job_writes_arrives(read: LetterRead) -> None:
    """Every letter that follows the rules is the same on the other side."""
    assert read == decoded(wire(read))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_letter_or_garbled(untrusted: bytes) -> None:
    """Nothing but Garbled, or a refusal, ever comes of reading a stranger's bytes."""
    try:
        decoded(b"VRL1" + untrusted)
    except (Garbled, Unfit):
        return


@given(read_letters(), st.data())
def test_a_changed_letter_is_a_sound_one_or_garbled(read: LetterRead, data: st.DataObject) -> None:
    """Whatever one byte is turned into, what is let through can be written again as it came, or says the same."""
    changed = bytearray(wire(read))
    changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        accepted = decoded(bytes(changed))
    except (Garbled, Unfit):
        return
    assert accepted == decoded(wire(accepted))


@given(read_letters(), st.data())
def test_a_letter_cut_short_or_followed_by_more_is_garbled(read: LetterRead, data: st.DataObject) -> None:
    """The length is exact."""
    whole = wire(read)
    for wrong in (whole[: data.draw(st.integers(0, len(whole) - 1))], whole + b"\0"):
        with pytest.raises(Garbled):
            decoded(wrong)


@pytest.mark.parametrize("reason", [Reason.DAMAGED, Reason.LETTER_TOO_DEEP, Reason.LETTER_TOO_MANY_PARTS])
def test_a_refusal_arrives_as_its_reason(reason: Reason) -> None:
    """The jail may say why it does not open a letter."""
    with pytest.raises(Unfit) as refused:
        decoded(encode_refusal(reason)[0])
    assert reason is refused.value.reason


@pytest.mark.parametrize("reason", [*JAIL_ENDS, Reason.VIRUS_FOUND, Reason.TYPE_SWITCHED_OFF])
def test_a_reason_that_is_not_the_jails_is_garbled(reason: Reason) -> None:
    """It cannot speak for its parent."""
    with pytest.raises(Garbled):
        decoded(encode_refusal(reason)[0])


SOUND = LetterRead(subject="Luna", text="Give 2 ml.\n> How much?")
PART = LetterPart(name="a.pdf", media_type="application/pdf", content=b"x")


@pytest.mark.parametrize(
    "dishonest",
    [
        replace(SOUND, subject="a\u202eb"),
        replace(SOUND, subject="a\nb"),
        replace(SOUND, subject="x" * (MAX_SUBJECT_CHARS + 1)),
        replace(SOUND, text="a\rb"),
        replace(SOUND, text="a\0b"),
        replace(SOUND, message_id="no brackets"),
        replace(SOUND, in_reply_to="<a b>"),
        replace(SOUND, folds=((0, 22),)),
        replace(SOUND, folds=((0, 23),)),
        replace(SOUND, folds=((11, 12), (5, 6))),
        replace(SOUND, folds=((5, 5),)),
        replace(SOUND, parts=(PART,) * 5),
        replace(SOUND, parts=(replace(PART, name="../a.pdf"),)),
        replace(SOUND, parts=(replace(PART, name=".."),)),
        replace(SOUND, parts=(replace(PART, name="a\0"),)),
        replace(SOUND, parts=(replace(PART, media_type="TEXT"),)),
        replace(SOUND, protection=Protection.PGP_ENCRYPTED, parts=(PART,)),
        replace(SOUND, protection=Protection.PGP_SIGNED),
        replace(SOUND, report=DeliveryReport(action=Action.FAILED, status="9.9")),
        replace(SOUND, report=DeliveryReport(action=Action.FAILED, reply_code=99)),
        replace(SOUND, report=DeliveryReport(action=Action.FAILED, envelope_id="a b")),
    ],
)
def test_a_letter_that_breaks_a_rule_is_garbled(dishonest: LetterRead) -> None:
    """Signs that are not seen, ways out, folds that leave nothing, counts and codes that do not exist."""
    with pytest.raises(Garbled):
        decoded(b"".join(encode_letter(dishonest)))


@pytest.mark.parametrize(("begin", "end"), [(0, LETTER.size_bytes + 1), (9, 8)])
def test_what_is_signed_stands_in_the_letter(begin: int, end: int) -> None:
    """A range beyond it, or one that ends before it begins, is garbled."""
    signed = replace(SOUND, protection=Protection.PGP_SIGNED)
    with pytest.raises(Garbled):
        decoded(b"".join(encode_letter(signed, SignedRange(begin=begin, end=end, signature=b""))))
