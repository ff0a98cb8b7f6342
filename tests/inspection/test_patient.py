"""Whether a record is about the animal of the case."""

import pytest

from vetrelay.inspection.notes import Note
from vetrelay.inspection.patient import differences
from vetrelay.inspection.result import Patient

REX = Patient(name="Rex", owner="Anna M\u00fcller", species="dog")
ANIMAL, SPECIES, OWNER = Note.OTHER_ANIMAL, Note.OTHER_SPECIES, Note.OTHER_OWNER


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (Patient(name="Rex", owner="M\u00fcller^Anna", species="Canine"), []),
        (Patient(name="MULLER^REX"), []),
        (Patient(name="M\u00fcller^Bella"), [ANIMAL]),
        (Patient(name="Rex^Smith"), []),
        (Patient(name="M\u00fcller"), []),
        (Patient(name="Bella", owner="Smith", species="cat"), [ANIMAL, SPECIES, OWNER]),
        (Patient(species="Hund"), []),
        (Patient(species="Canis lupus familiaris"), []),
        (Patient(species="Feline"), [SPECIES]),
        (Patient(species="axolotl"), [SPECIES]),
        (Patient(owner="Herr A. Mueller, Anna"), []),
        (Patient(owner="Schmidt"), [OWNER]),
        (Patient(id="12345"), []),
        (Patient(), []),
        (None, []),
    ],
)
def test_a_warning_stands_only_where_both_sides_name_somebody_and_nothing_fits(
    found: Patient | None, expected: list[Note]
) -> None:
    """The owner's surname may stand in the animal's field; spelling, case and language of the species do not matter."""
    assert expected == list(differences(REX, found))


def test_a_case_that_says_nothing_of_its_patient_warns_of_nothing() -> None:
    """There is nothing to compare with."""
    assert [] == list(differences(None, Patient(name="Bella")))
    assert [] == list(differences(Patient(), Patient(name="Bella", owner="x", species="cat")))
