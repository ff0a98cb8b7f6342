"""Which lines may be shown folded: a hint that errs on the side of showing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetrelay.inspection.formats.fold import MAX_LOOKED_AT_CHARS, folds
from vetrelay.inspection.letterframe import are_sound_folds

SENTENCES = [
    "On Mon, 6 May 2024 at 07:08, Dr. A <a@example.org> wrote:",
    "On Mon, 6 May 2024 at 07:08, Dr. A\n<a@example.org> wrote:",
    "Am 06.05.2024 um 07:08 schrieb Dr. Müller <a@example.org>:",
    "Le lun. 6 mai 2024 à 07:08, Dr <a@example.org> a écrit :",
    "Il giorno lun 6 mag 2024 alle ore 07:08 Dr <a@example.org> ha scritto:",
    "Op 6 mei 2024 om 07:08 Dr <a@example.org> schreef:",
    "Den 6. maj 2024 kl. 07.08 skrev Dr <a@example.org>:",
    "Dnia 6 maja 2024 07:08 Dr <a@example.org> napisał(a):",
    "Dne 6. 5. 2024 v 7:08 Dr <a@example.org> napsal(a):",
    "2024年5月6日(月) 7:08 Dr <a@example.org>:",
]
HEADS = [
    "From: Dr. A <a@example.org>\nSent: Monday, 6 May 2024 07:08\nTo: Vet\nSubject: Luna",
    "From: Dr. A\nSent: Monday, 6 May 2024 07:08\nTo: Vet\nSubject: Luna",
    "Von: Dr. A <a@example.org>\nGesendet: Montag, 6. Mai 2024 07:08\nAn: Vet\nBetreff: Luna",
    "Da: Dr. A <a@example.org>\nInviato: 6 maggio 2024 07:08\nA: Vet\nOggetto: Luna",
    "Van: Dr. A <a@example.org>\nVerzonden: 6 mei 2024 07:08\nAan: Vet\nOnderwerp: Luna",
]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_quote_is_folded_with_the_sentence_above_it(sentence: str) -> None:
    """In the languages that mail-parser-reply knows; what stands below the quote stays open."""
    text = f"Give 2 ml.\n\n{sentence}\n> How much?\n\nBye."
    assert [f"{sentence}\n> How much?\n"] == [text[begin:end] for begin, end in folds(text)]


@pytest.mark.parametrize("head", HEADS)
def test_an_older_letter_is_folded_with_its_head(head: str) -> None:
    """To the end, as Outlook puts it there."""
    text = f"Give 2 ml.\n\n{head}\n\nHow much?\nBye."
    assert [f"{head}\n\nHow much?\nBye."] == [text[begin:end] for begin, end in folds(text)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Give 2 ml.",
        "> Give 2 ml.\n> Twice.",
        "-- \nDr. Vet",
        "Weight chart:\nFrom: 20 kg\nTo: 25 kg\nGive 2 ml.",
        "Weight chart:\nFrom: 20 kg at 10:30\nTo: 25 kg at 12:30\nGive 2 ml.",
        "From: 20 kg\nTo: 25 kg\nSubject: dose\nGive 2 ml.",
        "On Monday give 2 ml, as I wrote:\n\ntwice.",
        "- 2 ml\n- 3 ml",
        "Best regards\nPS: 2 ml",
        "2 ml\n--\n" + "and\n" * 20,
        "Luna's temperature > 39: give 2 ml",
    ],
)
def test_what_is_no_quote_stays_open(text: str) -> None:
    """Charts, lists, a greeting with a dose below, a letter that is nothing but a quote."""
    assert () == folds(text)


def test_only_the_beginning_of_a_long_text_is_looked_at() -> None:
    """Behind it nothing is folded; the line that is cut there is not either."""
    text = "Give 2 ml.\n" + "> x\n" * MAX_LOOKED_AT_CHARS
    ((begin, end),) = folds(text)
    assert 11 == begin
    assert end <= MAX_LOOKED_AT_CHARS
    assert text[end:].startswith("> x")


@given(
    st.lists(
        st.sampled_from(
            ["", "> a", "-- ", "2 ml", "From: a@example.org", "Sent: Monday", "To: b", "Subject: c", *SENTENCES]
        )
        | st.text(max_size=20),
        max_size=12,
    )
)
def test_folds_are_always_sound(lines: list[str]) -> None:
    """In order, within the text, whole lines, and never all of it."""
    text = "\n".join(lines)
    found = folds(text)
    assert are_sound_folds(text, found)
    assert all(begin == 0 or text[begin - 1] == "\n" for begin, _ in found)
    assert all(end == len(text) or text[end - 1] == "\n" for _, end in found)
