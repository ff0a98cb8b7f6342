"""Every word that an inspection may say: verdicts, reasons and notes, each with its one plain text.

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
    """Why a file is not simply clean. Numbers are the wire form between jail and parent and never reused."""

    NONE = 0
    # The content itself: the sender can mend it.
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
    # A person must look.
    TYPES_DISAGREE = 32
    NO_SECOND_OPINION = 33
    HELD_ANIMATION = 34
    HELD_TYPE_GIF = 35
    HELD_TYPE_TIFF = 36
    HELD_TYPE_BMP = 37
    HELD_TYPE_AVIF = 38
    HELD_TYPE_PDF = 39
    HELD_TYPE_DICOM = 40
    HELD_TYPE_VIDEO = 41
    HELD_TYPE_AUDIO = 42
    HELD_TYPE_TEXT = 43
    HELD_TYPE_OFFICE = 44
    HELD_TYPE_RTF = 45
    HELD_TYPE_MAIL = 46
    HELD_TYPE_ARCHIVE = 47
    HELD_TYPE_UNKNOWN = 48
    # How a jail may end without a word: only the parent says these.
    JAIL_TIMEOUT = 64
    JAIL_CRASHED = 65
    JAIL_GARBLED = 66
    JAIL_FLOODED = 67
    JAIL_LOST = 68

    @property
    def key(self) -> str:
        """The stable snake_case name that leaves the program."""
        return self.name.lower()

    @property
    def verdict(self) -> Verdict:
        """A reason below 32 is the sender's to mend; every other one waits for a person."""
        if self is Reason.NONE:
            raise ValueError("no reason has no verdict of its own")
        return Verdict.REFUSED if self < _FIRST_HELD else Verdict.HELD

    @property
    def sentence(self) -> str:
        """What happened and what to do, for a person."""
        return SENTENCES[self]


_FIRST_HELD = 32
FIRST_JAIL_END = Reason.JAIL_TIMEOUT

SENTENCES: Mapping[Reason, str] = {
    Reason.EMPTY: "This file is empty; choose it again and send it once more.",
    Reason.INCOMPLETE: "This photo is incomplete; send it again.",
    Reason.DAMAGED: "This file is damaged and cannot be shown; send it again, or take the photo anew.",
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
    Reason.TYPES_DISAGREE: "Two checks disagree on what this file is; the clinic's staff will look at it.",
    Reason.NO_SECOND_OPINION: "The file check is not complete on this server; the clinic's staff will look at the file.",
    Reason.HELD_ANIMATION: "Moving pictures are not checked automatically yet; the clinic's staff will look at it.",
    Reason.HELD_TYPE_GIF: "GIF pictures are not checked automatically yet; the clinic's staff will look at it.",
    Reason.HELD_TYPE_TIFF: "TIFF pictures are not checked automatically yet; the clinic's staff will look at it.",
    Reason.HELD_TYPE_BMP: "BMP pictures are not checked automatically yet; the clinic's staff will look at it.",
    Reason.HELD_TYPE_AVIF: "AVIF pictures are not checked automatically yet; the clinic's staff will look at it.",
    Reason.HELD_TYPE_PDF: "PDF files are not checked automatically yet; the clinic's staff will look at it.",
    Reason.HELD_TYPE_DICOM: "X-ray and scan files are not checked automatically yet; the clinic's staff will look at it.",
    Reason.HELD_TYPE_VIDEO: "Videos are not checked automatically yet; the clinic's staff will look at it.",
    Reason.HELD_TYPE_AUDIO: "Sound files are not checked automatically yet; the clinic's staff will listen to it.",
    Reason.HELD_TYPE_TEXT: "Text files are not checked automatically yet; the clinic's staff will look at it.",
    Reason.HELD_TYPE_OFFICE: "Office documents are not checked automatically yet; the clinic's staff will look at it.",
    Reason.HELD_TYPE_RTF: "RTF documents are not checked automatically yet; the clinic's staff will look at it.",
    Reason.HELD_TYPE_MAIL: "Saved emails are not checked automatically yet; the clinic's staff will look at it.",
    Reason.HELD_TYPE_ARCHIVE: "Archives are not checked automatically yet; the clinic's staff will look at it.",
    Reason.HELD_TYPE_UNKNOWN: "The file check does not know this type of file; the clinic's staff will look at it.",
    Reason.JAIL_TIMEOUT: "Checking this file took too long and was stopped; the clinic's staff will look at it.",
    Reason.JAIL_CRASHED: "Checking this file failed; the clinic's staff will look at it.",
    Reason.JAIL_GARBLED: "Checking this file gave no usable answer; the clinic's staff will look at it.",
    Reason.JAIL_FLOODED: "Checking this file gave far too large an answer; the clinic's staff will look at it.",
    Reason.JAIL_LOST: "The file check was interrupted twice on this file; the clinic's staff will look at it.",
}


class Note(IntEnum):
    """What was done to a file. The number is the bit in the result frame; the order is the order on the screen."""

    LOCATION_REMOVED = 0
    CAMERA_SERIAL_REMOVED = 1
    NAMES_REMOVED = 2
    CAMERA_DETAILS_REMOVED = 3
    COMMENT_REMOVED = 4
    EDITING_RECORD_REMOVED = 5
    THUMBNAIL_REMOVED = 6
    EXTRA_PICTURES_REMOVED = 7
    TRAILING_BYTES_REMOVED = 8
    TURNED_UPRIGHT = 9
    COLOURS_TO_SRGB = 10
    COLOUR_PROFILE_IGNORED = 11
    BRIGHTNESS_FITTED = 12
    RESIZED_TO_2560 = 13
    RESIZED_TO_4096 = 14
    CONVERTED_TO_JPEG = 15
    CONVERTED_TO_PNG = 16
    RENAMED = 17

    @property
    def words(self) -> str:
        """The note's fixed words."""
        return NOTE_WORDS[self]


NOTE_WORDS: Mapping[Note, str] = {
    Note.LOCATION_REMOVED: "location removed",
    Note.CAMERA_SERIAL_REMOVED: "camera serial removed",
    Note.NAMES_REMOVED: "names removed",
    Note.CAMERA_DETAILS_REMOVED: "camera details removed",
    Note.COMMENT_REMOVED: "comment removed",
    Note.EDITING_RECORD_REMOVED: "editing record removed",
    Note.THUMBNAIL_REMOVED: "embedded thumbnail removed",
    Note.EXTRA_PICTURES_REMOVED: "extra pictures removed",
    Note.TRAILING_BYTES_REMOVED: "bytes after the picture removed",
    Note.TURNED_UPRIGHT: "turned upright",
    Note.COLOURS_TO_SRGB: "colours converted to sRGB",
    Note.COLOUR_PROFILE_IGNORED: "unreadable colour profile ignored",
    Note.BRIGHTNESS_FITTED: "brightness fitted to the screen",
    Note.RESIZED_TO_2560: "resized to 2560 px",
    Note.RESIZED_TO_4096: "resized to 4096 px",
    Note.CONVERTED_TO_JPEG: "converted to JPEG",
    Note.CONVERTED_TO_PNG: "converted to PNG",
    Note.RENAMED: "renamed to match its content",
}


class Unfit(Exception):
    """Content broke a rule. Carries the enum code and nothing else, so that no library text can travel with it."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(reason.key)
