"""One closed list of reasons and notes, with one text each."""

import pytest

from vetrelay.inspection.words import NOTE_WORDS, SENTENCES, Note, Reason, Verdict


def test_every_reason_has_one_sentence_that_says_what_to_do() -> None:
    """What happened; what to do: for every reason but the absence of one."""
    assert set(Reason) - {Reason.NONE} == set(SENTENCES)
    assert all(sentence.endswith((".", ").")) and ";" in sentence for sentence in SENTENCES.values())
    assert len(SENTENCES) == len(set(SENTENCES.values()))


def test_every_note_has_its_own_words() -> None:
    """Fixed words, none twice; the number is a bit of the wire."""
    assert set(Note) == set(NOTE_WORDS)
    assert len(NOTE_WORDS) == len(set(NOTE_WORDS.values()))
    assert list(range(len(Note))) == sorted(Note)
    assert "location removed" == Note.LOCATION_REMOVED.words


def test_a_key_is_the_name_in_small_letters() -> None:
    """The key is what leaves the program; it does not change when a sentence is put better."""
    assert "held_type_pdf" == Reason.HELD_TYPE_PDF.key


def test_no_reason_has_no_verdict() -> None:
    """Whoever asks for it has a bug."""
    with pytest.raises(ValueError, match="no reason"):
        _ = Reason.NONE.verdict


def test_the_verdicts_are_those_of_the_protocol() -> None:
    """The five words that a verdict may say."""
    assert {"clean", "converted", "kept-sealed", "held", "refused"} == set(Verdict)
