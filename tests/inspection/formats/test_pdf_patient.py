"""Whom a report is about, read from its labels."""

import pytest

from vetrelay.inspection.formats.pdf_patient import patient_in
from vetrelay.inspection.result import Patient


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Patient: Rex", Patient(name="Rex")),
        ("Patient name : Rex   Owner: Ute Miller   Species: Canine", Patient(name="Rex", owner="Ute Miller", species="Canine")),
        ("Tiername: Bello\r\nTierhalter: Familie Öztürk\r\nTierart: Hund\r\nChip-Nr.: 276098102345678", Patient(name="Bello", owner="Familie Öztürk", species="Hund", id="276098102345678")),
        ("Paciente: Luna Propietario: José García Especie: felina", Patient(name="Luna", owner="José García", species="felina")),
        ("Nom de l’animal : Minou\nPropriétaire : Mme Dupont\nEspèce : chat", Patient(name="Minou", owner="Mme Dupont", species="chat")),
        ("PATIENT: Rex, Breed: Boxer", Patient(name="Rex")),
        ("Owner: Miller\nName: Rex", Patient(name="Rex", owner="Miller")),
        ("Patient: Rex\nPage 2\nPatient: Rex", Patient(name="Rex")),
        ("Patient: Rex\nPatient: Bello\nOwner: Miller", Patient(owner="Miller")),
        ("Microchip no.: 985 112 000", Patient(id="985 112 000")),
    ],
)  # fmt: skip
def test_plain_labels_are_read(words: str, expected: Patient) -> None:
    """In four languages, one or several on a line; what a file says twice it must say alike."""
    assert expected == patient_in(words)


@pytest.mark.parametrize(
    "words",
    [
        "",
        "Name: Dr. Miller",
        "The patient was calm. Owner informed.",
        "Outpatient: yes",
        "Patient:\nRex",
        "Patient: ______ ",
        "Patient Rex",
        "x-patient:rex",
    ],
)
def test_what_is_not_plain_says_nothing(words: str) -> None:
    """A wrong name on a record is worse than none."""
    assert patient_in(words) is None


def test_a_value_has_at_most_64_bytes_of_whole_letters() -> None:
    """And nothing that is not seen."""
    patient = patient_in("Patient: " + "ä" * 60 + "\nOwner: Mil\u202eler\x07")
    assert Patient(name="ä" * 32, owner="Mil ler") == patient


def test_a_long_page_without_an_answer_is_read_quickly() -> None:
    """Each label looks a bounded way ahead: twenty thousand letters are no work."""
    assert patient_in("Patient: " * 2500) is None
