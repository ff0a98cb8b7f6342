"""The Autocrypt header (autocrypt.org, level 1, 2.1): our key on every letter, and a correspondent's key as a suggestion.

A key that came this way is only shown to staff, with its fingerprint. Nothing is ever sealed to it before they approved it.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from vetrelay.bridge.letters.mailkeys import MailKey, parse_mail_key
from vetrelay.bridge.letters.openpgp_key import OwnPgp
from vetrelay.errors import Refusal

_COLUMNS: Final = 70
_HEADER_CHARACTERS: Final = 32 * 1024
_KNOWN: Final = frozenset({"addr", "prefer-encrypt", "keydata"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A key that a letter brought for the address it is from."""

    address: str
    key: MailKey
    prefers_encryption: bool


def autocrypt_header(own: OwnPgp, address: str) -> str:
    """The value of the header for letters from this case address, with spaces to fold it at."""
    encoded = base64.b64encode(own.certificate(address)).decode()
    lines = (encoded[at : at + _COLUMNS] for at in range(0, len(encoded), _COLUMNS))
    return " ".join([f"addr={address};", "prefer-encrypt=mutual;", "keydata=", *lines])


def suggested(untrusted_headers: Sequence[str], *, from_address: str) -> Suggestion | None:
    """What the Autocrypt headers of a letter suggest; None unless exactly one of them is valid for its From address.

    Raises Fault `openpgp_absent`.
    """
    found = [one for one in (_suggestion(value, from_address.lower()) for value in untrusted_headers) if one]
    return found[0] if len(found) == 1 else None


def _suggestion(untrusted: str, from_address: str) -> Suggestion | None:
    if len(untrusted) > _HEADER_CHARACTERS:
        return None
    attributes: dict[str, str] = {}
    for piece in untrusted.split(";"):
        name, equals, value = piece.partition("=")
        name = name.strip().lower()
        if not equals:
            if name:
                return None
            continue
        # An attribute that is not known and not marked optional by "_" makes the whole header void.
        if name in attributes or (name not in _KNOWN and not name.startswith("_")):
            return None
        attributes[name] = value.strip()
    if attributes.get("addr", "").lower() != from_address:
        return None
    try:
        key = parse_mail_key(base64.b64decode(re.sub(r"\s+", "", attributes.get("keydata", "")), validate=True))
    except (binascii.Error, ValueError, Refusal):
        return None
    if key.kind != "pgp":
        return None
    return Suggestion(address=from_address, key=key, prefers_encryption=attributes.get("prefer-encrypt") == "mutual")
