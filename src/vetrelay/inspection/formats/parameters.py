"""A field with parameters (RFC 2045, 5.1; RFC 2231), read in one pass however it is written.

The standard library's parser looks at the rest of a field once per sign of quoting. Here a parameter without an end goes
to the field's end, the sign between two may be missing before the first, and names may be split and in any encoding.
"""

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from vetrelay.inspection.formats import lettertext
from vetrelay.inspection.formats.tally import Tally

MOST_PARAMETERS = 200
_PARAMETER = re.compile(r';\s*([^=;\s]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"?|([^;]*))', re.DOTALL)
_VALUE = re.compile(r"[^;\s]*")
# name, number of the piece, whether it is encoded
_SPLIT = re.compile(r"([^*]+)(?:\*([0-9]{1,3}))?(\*)?")


def value_and_parameters(field: str) -> tuple[str, dict[str, str]]:
    """What stands before the parameters, in small letters, and the parameters by name; of two the first."""
    found = _VALUE.match(field)
    value = found[0] if found else ""
    whole: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    for count, one in enumerate(_PARAMETER.finditer(f";{field[len(value) :]}")):
        if count == MOST_PARAMETERS:
            break
        said = one[3].strip() if one[2] is None else one[2].replace("\\\\", "\\").replace('\\"', '"')
        split = _SPLIT.fullmatch(one[1].lower())
        if split is None or (split[2] is None and split[3] is None):
            whole.setdefault(one[1].lower(), said)
        else:
            pieces.setdefault(split[1], {}).setdefault(int(split[2] or 0), (said, split[3] is not None))
    for name, numbered in pieces.items():
        whole[name] = _joined([numbered[number] for number in sorted(numbered)])
    return value.lower(), whole


def _joined(pieces: Iterable[tuple[str, bool]]) -> str:
    """The pieces of a value, whose first may say in which encoding they are."""
    charset = ""
    raw = bytearray()
    for number, (said, is_encoded) in enumerate(pieces):
        rest = said
        if is_encoded and number == 0 and said.count("'") >= 2:
            charset, _, rest = said.split("'", 2)
        raw += unquote_to_bytes(rest) if is_encoded else rest.encode("utf-8", "replace")
    return lettertext.body_text(bytes(raw), charset, Tally())
