"""One closed list of reasons and notes, with one text each."""

import pytest

from vetrelay.inspection.notes import MOST_COUNTED, NOTE_WORDS, Note, counted
from vetrelay.inspection.words import JAIL_ENDS, SENTENCES, Reason, Verdict


def test_every_reason_has_one_sentence_that_says_what_to_do() -> None:
    """What happened; what to do: for every reason but the absence of one."""
    assert set(Reason) - {Reason.NONE} == set(SENTENCES)
    assert all(sentence.endswith((".", ").")) and ";" in sentence for sentence in SENTENCES.values())
    assert len(SENTENCES) == len(set(SENTENCES.values()))


def test_every_note_has_its_own_words() -> None:
    """Fixed words, none twice; the number fits the one byte of the wire."""
    assert set(Note) == set(NOTE_WORDS)
    assert len(NOTE_WORDS) == len({one for one, _ in NOTE_WORDS.values()})
    assert all(0 <= note < 256 for note in Note)
    assert "location removed" == Note.LOCATION_REMOVED.words


def test_a_key_is_the_name_in_small_letters() -> None:
    """The key is what leaves the program; it does not change when a sentence is put better."""
    assert "held_type_unknown" == Reason.HELD_TYPE_UNKNOWN.key


def test_no_reason_has_no_verdict() -> None:
    """Whoever asks for it has a bug."""
    with pytest.raises(ValueError, match="no reason"):
        _ = Reason.NONE.verdict


def test_a_note_tells_its_number_where_that_says_something() -> None:
    """Three scripts are three; a location is removed, however many tags it had; beyond a point it is "more than"."""
    counts = counted([Note.COMMENT_REMOVED, Note.LOCATION_REMOVED, Note.COMMENT_REMOVED, Note.LOCATION_REMOVED])
    assert ["location removed", "2 comments removed"] == [note.told(count) for note, count in sorted(counts.items())]
    assert "comment removed" == Note.COMMENT_REMOVED.told(1)
    assert f"more than {MOST_COUNTED} comments removed" == Note.COMMENT_REMOVED.told(MOST_COUNTED + 1)


def test_how_a_jail_ended_is_never_the_senders_fault() -> None:
    """Whatever goes wrong on our side waits for a person instead of refusing the file."""
    assert {Verdict.HELD} == {reason.verdict for reason in JAIL_ENDS}


def test_the_verdicts_are_those_of_the_protocol() -> None:
    """The five words that a verdict may say."""
    assert {"clean", "converted", "kept-sealed", "held", "refused"} == set(Verdict)
