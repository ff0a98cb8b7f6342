"""Whom a report is about, as it says itself: "Patient: Rex   Besitzer: Müller   Tierart: Hund".

Only what stands plainly behind a label and a colon, in English, German, Spanish or French, and only where all of the
page agrees: two different patients are none.
"""

import re

from vetrelay.inspection.result import Patient

_MOST_BYTES = 64
_LABELS: dict[str, str] = {
    "name": "patient|patient name|name of patient|animal|animal name|pet|pet name|patientenname|tier|tiername|"
    "name des tieres|paciente|nombre del paciente|nombre del animal|mascota|nom de l['’]animal|nom du patient",
    "owner": "owner|owner name|pet owner|client|client name|besitzer|besitzerin|tierbesitzer|tierbesitzerin|halter|"
    "halterin|tierhalter|tierhalterin|eigentümer|eigentümerin|kunde|kundin|propietario|propietaria|dueño|dueña|cliente|"
    "tutor|tutora|propriétaire|détenteur|détentrice",
    "species": "species|tierart|spezies|especie|espèce",
    "id": "patient id|animal id|pet id|microchip|microchip no|microchip number|chip|chip no|chip number|patienten-id|"
    "patientennummer|chipnummer|chip-nr|mikrochip|transponder|transpondernummer|n[.ºo°]* de chip|microchip n[.ºo°]*|"
    "n[.ºo°]* de puce|puce|puce électronique",
}
# Said of the animal where nothing else names it; of an owner or a vet as often as not.
_PLAIN_NAME = "name|nombre|nom"
_ANY = "|".join((*_LABELS.values(), _PLAIN_NAME))
_SAID = re.compile(
    rf"(?<![\w-])(?P<label>{_ANY})[ ]?[.]?[ ]?:[ ]*(?P<value>[^\n\t:]{{1,120}}?)"
    rf"(?=[ ]{{2,}}|\t|\n|$|[ ,;|/]+(?:{_ANY})[ ]?[.]?[ ]?:|[ ,;|/]+[\w-]{{2,24}}:)",
    re.IGNORECASE,
)
_FIELD_BY_LABEL = {
    field: re.compile(rf"(?:{labels})", re.IGNORECASE) for field, labels in {**_LABELS, "plain": _PLAIN_NAME}.items()
}


def patient_in(words: str) -> Patient | None:
    """The patient that a text names by its labels; None where it says nothing plainly."""
    said: dict[str, set[str]] = {}
    lines = words.replace("\u00a0", " ").splitlines()
    for match in _SAID.finditer("\n".join(line for line in lines if ":" in line)):
        value = _capped(match["value"])
        field = next(name for name, labels in _FIELD_BY_LABEL.items() if labels.fullmatch(match["label"]))
        if value:
            said.setdefault(field, set()).add(value)
    plain = said.pop("plain", set())
    if "name" not in said and ("owner" in said or "species" in said):
        said["name"] = plain
    agreed = {field: next(iter(values)) for field, values in said.items() if len(values) == 1}
    return Patient(**agreed) if agreed else None


def _capped(value: str) -> str:
    """At most 64 bytes, of whole letters, nothing unseen; empty where it holds no letter and no number."""
    shown = "".join(letter if letter.isprintable() else " " for letter in value)
    capped = " ".join(shown.split()).strip(" .,;|/_-").encode()[:_MOST_BYTES].decode(errors="ignore").strip()
    return capped if any(letter.isalnum() for letter in capped) else ""
