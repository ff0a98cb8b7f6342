"""Whether a record is about the animal of the case: X-rays in the wrong case are a known harm.

Pure, and careful in one direction: it warns only where both sides name somebody and nothing fits. A warning never
refuses a file; a person looks.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from vetrelay.inspection.notes import Note
from vetrelay.inspection.result import Patient

_SPECIES: tuple[frozenset[str], ...] = tuple(
    frozenset(row.split())
    for row in (
        "dog canine canis familiaris lupus hund chien perro cane puppy k9",
        "cat feline felis catus katze chat gato gatto kitten",
        "horse equine equus caballus pferd cheval caballo cavallo pony foal mare",
        "cow cattle bovine bos taurus rind kuh vache vaca bovino calf",
        "rabbit lagomorph oryctolagus cuniculus kaninchen lapin conejo coniglio",
        "bird avian vogel oiseau pajaro ave parrot papagei",
        "sheep ovine ovis aries schaf mouton oveja",
        "goat caprine capra hircus ziege chevre cabra",
        "pig porcine sus scrofa schwein cochon porc cerdo",
        "ferret mustela furo frettchen furet huron",
        "rodent guinea hamster rat mouse cavy meerschweinchen",
        "reptile snake lizard turtle tortoise schildkrote schlange",
    )
)
_NO_WORD = re.compile(r"[^\w]+|_")
_FEWEST_LETTERS = 2


def differences(expected: Patient | None, found: Patient | None) -> Iterator[Note]:
    """What a record says that the case does not: another animal, another species, another owner."""
    if expected is None or found is None:
        return
    owner, animal = _words(expected.owner), _words(expected.name)
    # The name field of a record holds the owner's surname as often as not: what is left is the animal's.
    named = _words(found.name) - owner - _words(found.owner)
    if animal and named and not animal & named:
        yield Note.OTHER_ANIMAL
    if _unlike(_species(expected.species), _species(found.species)):
        yield Note.OTHER_SPECIES
    if _unlike(owner, _words(found.owner)):
        yield Note.OTHER_OWNER


def _unlike(one: frozenset[str], other: frozenset[str]) -> bool:
    return bool(one) and bool(other) and not one & other


def _species(said: str) -> frozenset[str]:
    words = _words(said)
    return frozenset(sign for row in _SPECIES if row & words for sign in row) or words


def _words(said: str) -> frozenset[str]:
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", said.casefold()) if not unicodedata.combining(sign))
    return frozenset(_long_enough(_NO_WORD.split(bare)))


def _long_enough(words: Iterable[str]) -> Iterator[str]:
    return (word for word in words if len(word) >= _FEWEST_LETTERS)
