"""How DICOM data sets are written: the transfer syntaxes, the value representations, and what PS3.6 says of a tag."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# The tables themselves: pydicom's functions over them raise KeyError for what they do not know.
from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary

UNDEFINED: Final = 0xFFFFFFFF
LONG_VRS: Final = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
SHORT_VRS: Final = frozenset(
    {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS"}
    | {b"ST", b"TM", b"UI", b"UL", b"US"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Syntax:
    """How a data set is written: with its VRs or without, low byte first or last, pixels in pieces, packed whole.

    `film`: one piece holds many frames.
    """

    uid: str
    explicit: bool = True
    little: bool = True
    encapsulated: bool = False
    deflated: bool = False
    film: bool = False

    @property
    def order(self) -> str:
        """The byte order as `struct` says it."""
        return "<" if self.little else ">"


_JPEG_FAMILY = "1.2.840.10008.1.2.4."
_FILMS = range(100, 109)  # MPEG-2, MPEG-4, HEVC
IMPLICIT_LITTLE: Final = Syntax(uid="1.2.840.10008.1.2", explicit=False)
EXPLICIT_LITTLE: Final = Syntax(uid="1.2.840.10008.1.2.1")
SYNTAXES: Mapping[str, Syntax] = {
    syntax.uid: syntax
    for syntax in (
        IMPLICIT_LITTLE,
        EXPLICIT_LITTLE,
        Syntax(uid="1.2.840.10008.1.2.1.99", deflated=True),
        Syntax(uid="1.2.840.10008.1.2.2", little=False),
        Syntax(uid="1.2.840.10008.1.2.5", encapsulated=True),
        *(
            Syntax(uid=f"{_JPEG_FAMILY}{number}", encapsulated=True, film=number in _FILMS)
            # JPEG, lossless JPEG, JPEG-LS, JPEG 2000, JPEG XL, high-throughput JPEG 2000
            for number in (50, 51, 57, 70, 80, 81, 90, 91, *_FILMS, 110, 111, 112, 201, 202, 203)
        ),
    )
}


def dictionary_vrs(tag: int) -> tuple[bytes, ...]:
    """The VRs that PS3.6 allows for a tag; none for what it does not know. Overlays and curves repeat by group."""
    found = DicomDictionary.get(tag)
    if found is None and tag >> 24 in {0x50, 0x60}:
        found = RepeatersDictionary.get(f"{tag >> 24:02x}xx{tag & 0xFFFF:04x}".upper().replace("X", "x"))
    if found is None or found[0] == "NONE":
        return ()
    return tuple(vr.encode() for vr in found[0].split(" or "))
