"""The verdicts of an inspection and its reasons, each with its one plain sentence; what was done stands in `notes`.

Only the integers of these enums cross from the jail; the words stand here, once. A reason's key is stable and
documented; its sentence says what happened and what to do. Verdicts: architecture.md section 5, attachments.md section 6.
"""

from collections.abc import Mapping
from enum import IntEnum, StrEnum


class Verdict(StrEnum):
    """What becomes of one file.

    `clean`: rebuilt, same media type. `converted`: rebuilt as another type. `kept-sealed`: the original passes
    untouched with a warning. `held`: a person must look. `refused`: cannot be sent like this.
    """

    CLEAN = "clean"
    CONVERTED = "converted"
    KEPT_SEALED = "kept-sealed"
    HELD = "held"
    REFUSED = "refused"


class Reason(IntEnum):
    """Why a file is not simply clean. Numbers are the wire form between jail and parent and never reused.

    The number's range says the verdict: see `verdict`. 34 to 47 once said that a type was not opened yet.
    """

    NONE = 0
    # 1 to 31, and 96 to 159: the content itself; the sender can mend it.
    EMPTY = 1
    INCOMPLETE = 2
    DAMAGED = 3
    TOO_MANY_BYTES = 4
    TOO_MANY_PIXELS = 5
    SIDE_TOO_LONG = 6
    NO_PIXELS = 7
    UNPACKS_TOO_LARGE = 8
    CONTENT_DIFFERS_FROM_NAME = 9
    TYPE_NOT_TAKEN = 10
    HEIC_NOT_SUPPORTED = 11
    NEEDS_TOO_MUCH_MEMORY = 12
    DICOM_NESTED_TOO_DEEP = 108
    DICOM_TOO_MANY_ENTRIES = 109
    TOO_MANY_PAGES_OF_PICTURES = 96
    MOVES_TOO_LONG = 97
    PACKED_UNUSUALLY = 98
    RECORDING_TOO_LONG = 116
    VIDEO_TOO_LARGE = 117
    TOO_MANY_FRAMES_A_SECOND = 118
    RECORDING_LOCKED = 119
    NOTHING_TO_PLAY = 120
    LINE_TOO_LONG = 124
    NESTED_TOO_DEEP = 125
    NUMBER_TOO_LONG = 126
    TOO_MANY_PARTS_INSIDE = 127
    PACKED_AMBIGUOUSLY = 128
    PACK_DISAGREES = 132
    PACK_NAME_UNSAFE = 133
    PACK_NAMES_TWICE = 134
    PACK_LINK = 135
    PACK_TOO_MANY = 136
    PACK_TOO_DEEP = 137
    PACK_METHOD_UNKNOWN = 138
    PACK_EMPTY = 139
    PACK_NOTHING_TAKEN = 140
    LETTER_TOO_MANY_PARTS = 141
    LETTER_TOO_DEEP = 142
    PACK_TIME_IS_UP = 143
    PDF_WITHOUT_PAGES = 100
    # 32 to 63, and 160 to 191: a person must look.
    TYPES_DISAGREE = 32
    NO_SECOND_OPINION = 33
    HELD_TYPE_UNKNOWN = 48
    RECORDING_NOT_SUPPORTED = 49
    TYPE_SWITCHED_OFF = 50
    VIRUS_FOUND = 51
    SCANNER_ABSENT = 52
    DICOM_NOT_NAMELESS = 166
    KEYS_REPEAT = 174
    NOT_ONLY_TEXT = 175
    PACK_NOTHING_CHECKED = 178
    PDF_TOO_MANY_PAGES = 162
    # 64 to 95: how a jail may end without a word. Only the parent says these.
    JAIL_TIMEOUT = 64
    JAIL_CRASHED = 65
    JAIL_GARBLED = 66
    JAIL_FLOODED = 67
    JAIL_LOST = 68
    # 192 to 255: the original goes on untouched, with a warning.
    OPEN_WITH_CARE = 192
    PDF_PASSWORD = 193
    PDF_ENCRYPTION_UNKNOWN = 194
    DICOM_CODING_UNKNOWN = 198
    DICOM_DECODER_ABSENT = 199
    DICOM_IS_DOCUMENT = 200
    DICOM_PIXELS_OVERLONG = 201
    DICOM_IS_INDEX = 202
    RECORDING_KEPT = 204
    RECORDING_CODEC_UNKNOWN = 205
    DOCUMENT_NOT_READ = 210
    DOCUMENT_LOCKED = 211
    PACK_LOCKED = 220
    LETTER_LOCKED = 221

    @property
    def key(self) -> str:
        """The stable snake_case name that leaves the program."""
        return self.name.lower()

    @property
    def verdict(self) -> Verdict:
        """Refused, held or kept-sealed, by the number's range. Raises ValueError for NONE, which has none."""
        if self is Reason.NONE:
            raise ValueError("no reason has no verdict of its own")
        return next(verdict for first, verdict in _VERDICT_FROM if self >= first)

    @property
    def sentence(self) -> str:
        """What happened and what to do, for a person."""
        return SENTENCES[self]


_VERDICT_FROM = (
    (192, Verdict.KEPT_SEALED),
    (160, Verdict.HELD),
    (96, Verdict.REFUSED),
    (32, Verdict.HELD),
    (1, Verdict.REFUSED),
)
JAIL_ENDS = frozenset(reason for reason in Reason if 64 <= reason < 96)

SENTENCES: Mapping[Reason, str] = {
    Reason.EMPTY: "This file is empty; choose it again and send it once more.",
    Reason.INCOMPLETE: "This file is incomplete; send it again.",
    Reason.DAMAGED: "This file is damaged and cannot be shown; send it again, or make it anew.",
    Reason.TOO_MANY_BYTES: "This file is larger than files of its type may be; send a smaller copy.",
    Reason.TOO_MANY_PIXELS: "This picture has more than 50 million pixels; send a smaller copy.",
    Reason.SIDE_TOO_LONG: "This picture is longer or wider than 16384 pixels; send a smaller copy.",
    Reason.NO_PIXELS: "This picture has no width or no height; send it again, or take the photo anew.",
    Reason.UNPACKS_TOO_LARGE: "This file unpacks to far more than it should; export it again without extra data.",
    Reason.CONTENT_DIFFERS_FROM_NAME: "This file is not what its name says; send the original file under its own name.",
    Reason.TYPE_NOT_TAKEN: "Files of this type are not taken here; send a photo, a PDF or a plain text instead.",
    Reason.HEIC_NOT_SUPPORTED: (
        "This clinic's file check cannot open HEIC photos; convert it to JPEG on the phone and send that "
        "(iPhone: Settings, Camera, Formats, Most Compatible)."
    ),
    Reason.NEEDS_TOO_MUCH_MEMORY: "Opening this file takes more memory than any file may use; send a smaller copy.",
    Reason.RECORDING_TOO_LONG: "This recording is longer than recordings may be; send a shorter part of it.",
    Reason.VIDEO_TOO_LARGE: "This video is longer or wider than 4096 pixels; send a smaller copy.",
    Reason.TOO_MANY_FRAMES_A_SECOND: (
        "This video has more than 120 frames a second; export it as a normal video, or film without slow motion."
    ),
    Reason.RECORDING_LOCKED: "This recording is locked to one device or shop and plays nowhere else; send one you made.",
    Reason.NOTHING_TO_PLAY: "This recording holds neither pictures nor sound; send it again, or record it anew.",
    Reason.LINE_TOO_LONG: "A line of this text is longer than 64 KiB; save it with line breaks and send that.",
    Reason.NESTED_TOO_DEEP: "This file has parts inside parts, deeper than any file needs; export it again and send that.",
    Reason.NUMBER_TOO_LONG: "This file holds a number of more than 4300 digits; export it again and send that.",
    Reason.TOO_MANY_PARTS_INSIDE: "This document is made of more parts than documents may be; send it as a PDF.",
    Reason.PACKED_AMBIGUOUSLY: (
        "This document is packed so that two programs would read it differently; open it, save it anew and send that."
    ),
    Reason.TOO_MANY_PAGES_OF_PICTURES: (
        "This picture file has more pages than one may have; send it in several parts, or as a PDF."
    ),
    Reason.MOVES_TOO_LONG: "This moving picture is longer or larger than one may be; send it as a video instead.",
    Reason.PACKED_UNUSUALLY: (
        "This picture is stored in a way that is not opened here; save it as JPEG or PNG and send that."
    ),
    Reason.TYPES_DISAGREE: "Two checks disagree on what this file is; the clinic's staff will look at it.",
    Reason.NO_SECOND_OPINION: "The file check is not complete on this server; the clinic's staff will look at the file.",
    Reason.HELD_TYPE_UNKNOWN: "The file check does not know this type of file; the clinic's staff will look at it.",
    Reason.RECORDING_NOT_SUPPORTED: (
        "This clinic's file check cannot open videos and sound files; the clinic's staff will look at it."
    ),
    Reason.TYPE_SWITCHED_OFF: "This clinic does not check files of this type; the clinic's staff will look at it.",
    Reason.VIRUS_FOUND: "The clinic's virus scanner objects to this file; the clinic's staff will look at it.",
    Reason.SCANNER_ABSENT: "The clinic's virus scanner could not be asked; the clinic's staff will look at the file.",
    Reason.KEYS_REPEAT: "This file says the same thing twice with two values; the clinic's staff will look at it.",
    Reason.NOT_ONLY_TEXT: "This file begins as a text but holds something else; the clinic's staff will look at it.",
    Reason.PDF_WITHOUT_PAGES: "This PDF has no pages; export it again and send that.",
    Reason.PDF_TOO_MANY_PAGES: "This PDF has more pages than are checked at once; the clinic's staff will look at it.",
    Reason.PDF_PASSWORD: (
        "This PDF opens only with a password, so it could not be checked; open the original only if you expected it."
    ),
    Reason.PDF_ENCRYPTION_UNKNOWN: (
        "This PDF is locked in a way that the file check cannot undo; open the original only if you expected it."
    ),
    Reason.JAIL_TIMEOUT: "Checking this file took too long and was stopped; the clinic's staff will look at it.",
    Reason.JAIL_CRASHED: "Checking this file failed; the clinic's staff will look at it.",
    Reason.JAIL_GARBLED: "Checking this file gave no usable answer; the clinic's staff will look at it.",
    Reason.JAIL_FLOODED: "Checking this file gave far too large an answer; the clinic's staff will look at it.",
    Reason.JAIL_LOST: "The file check was interrupted twice on this file; the clinic's staff will look at it.",
    Reason.DICOM_NOT_NAMELESS: (
        "Names could not be taken out of this record for teaching; the clinic's staff will look at it."
    ),
    Reason.DICOM_NESTED_TOO_DEEP: "This record is nested deeper than records are; export it again from the device.",
    Reason.DICOM_TOO_MANY_ENTRIES: "This record has more entries than records have; export it again from the device.",
    Reason.DICOM_CODING_UNKNOWN: (
        "The pictures in this record are stored in a way that the file check does not know; the original is passed on "
        "as it is, without a preview."
    ),
    Reason.DICOM_DECODER_ABSENT: (
        "This clinic's file check cannot show the pictures in this record; the original is passed on as it is, without "
        "a preview."
    ),
    Reason.DICOM_IS_DOCUMENT: (
        "This record only wraps a document, which was not checked; send the document itself, or open the original with "
        "care."
    ),
    Reason.DICOM_PIXELS_OVERLONG: (
        "This record holds more bytes than its pictures have; the original is passed on as it is."
    ),
    Reason.DICOM_IS_INDEX: "This is only the index of an imaging disc; send the whole folder, so that its pictures come too.",
    Reason.OPEN_WITH_CARE: (
        "Documents of this type can hold programs and cannot be made safe; open the original only if you expected it."
    ),
    Reason.RECORDING_KEPT: (
        "Recordings of this type go on as they came, with everything that the device wrote into them; "
        "the copy beside it plays everywhere."
    ),
    Reason.RECORDING_CODEC_UNKNOWN: (
        "The file check cannot read how this recording was made, so it goes on as it came; open it only if you expected it."
    ),
    Reason.DOCUMENT_NOT_READ: (
        "The words of this document could not be taken out safely; open the original only if you expected it."
    ),
    Reason.DOCUMENT_LOCKED: (
        "This document is locked with a password and could not be checked; open the original only if you expected it."
    ),
    Reason.PACK_DISAGREES: (
        "This packed file says two different things about what is in it; pack the files anew, or send them one by one."
    ),
    Reason.PACK_NAME_UNSAFE: "A file in this pack has a name that is not safe; rename it and pack the files anew.",
    Reason.PACK_NAMES_TWICE: "Two files in this pack have the same name; rename one and pack the files anew.",
    Reason.PACK_LINK: "This pack has a link in place of a file; pack the file itself.",
    Reason.PACK_TOO_MANY: "This pack has more files than a pack may have; send them in several.",
    Reason.PACK_TOO_DEEP: "This pack has another pack in it, or too many folders in folders; send the inner files.",
    Reason.PACK_METHOD_UNKNOWN: "This pack was made in an unusual way; make it anew as a plain ZIP file.",
    Reason.PACK_EMPTY: "There is no file in this pack; pack the files anew, or send them one by one.",
    Reason.PACK_NOTHING_TAKEN: "None of the files in this pack could be taken; the list says why for each of them.",
    Reason.LETTER_TOO_MANY_PARTS: "This letter has more attachments than a letter may have; send the files themselves.",
    Reason.LETTER_TOO_DEEP: "This letter has letters in letters beyond counting; send the innermost one.",
    Reason.PACK_TIME_IS_UP: "The other files beside this one took all the time that there is; send this file by itself.",
    Reason.PACK_NOTHING_CHECKED: "None of the files in this pack could be checked; the clinic's staff will look at it.",
    Reason.PACK_LOCKED: (
        "This pack is locked with a password and cannot be checked; open the original only if you expected it."
    ),
    Reason.LETTER_LOCKED: (
        "This letter is encrypted and cannot be checked; open the original only if you expected it."
    ),
}


class Unfit(Exception):
    """Content broke a rule. Carries the enum code and nothing else, so that no library text can travel with it."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(reason.key)
