"""What was done to a file, in fixed words: location removed, turned upright, 3 scripts removed.

Only the number and a count cross from the jail; the words stand here, once. Numbers are the wire form and never reused;
their order is the order on the screen.
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum

# A count is a courtesy to the reader: beyond this it says "more than".
MOST_COUNTED = 9_999


class Note(IntEnum):
    """What was done to a file, or found in it."""

    # Pictures.
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
    CONVERTED_TO_WEBP = 18
    MOVEMENT_REMOVED = 19
    FRAMES_LEFT_OUT = 20
    PAGES_SEPARATED = 21
    # From here on: what the parent says.
    OTHER_ANIMAL = 200
    OTHER_SPECIES = 201
    OTHER_OWNER = 202
    NOT_SCANNED = 203
    # PDF.
    SCRIPTS_REMOVED = 32
    ATTACHED_FILES_REMOVED = 33
    PDF_LINKS_MADE_INERT = 34
    COMMANDS_REMOVED = 35
    FORM_PROGRAM_REMOVED = 36
    FIELDS_FIXED = 37
    MEDIA_REMOVED = 38
    DOCUMENT_DETAILS_REMOVED = 39
    OUTSIDE_REFERENCES_REMOVED = 40
    SIGNATURES_VOID = 41
    PROTECTION_REMOVED = 42
    PDF_REPAIRED = 43
    PAGES_TO_PICTURES = 44
    OVERSIZED_PAGES = 45
    PICTURE_DETAILS_REMOVED = 46
    READING_ORDER_REMOVED = 47
    # Recordings.
    HIDDEN_TRACKS_REMOVED = 72
    CHAPTERS_REMOVED = 73
    SUBTITLES_REMOVED = 74
    COVER_PICTURE_REMOVED = 75
    EXTRA_SOUNDS_REMOVED = 76
    EXTRA_VIDEOS_REMOVED = 77
    LABELS_REMOVED = 78
    WRITING_BETWEEN_FRAMES_REMOVED = 79
    CONTAINER_CHANGED = 80
    PLAYS_EVERYWHERE_COPY = 81
    COPY_HAS_FEWER_FRAMES = 82
    NO_PLAYS_EVERYWHERE_COPY = 83
    DEVICE_DETAILS_REMOVED = 84
    # Writings.
    UNSEEN_SIGNS_SHOWN = 88
    LETTERS_GUESSED = 89
    NOT_JSON = 90
    NOT_A_TABLE = 91
    FORMULA_CELLS = 92
    LINKS_MADE_INERT = 93
    PICTURE_LINKS_MADE_INERT = 94
    PAGE_CODE_MADE_INERT = 95
    TEXT_TAKEN_OUT = 96
    MACROS_LEFT_OUT = 97
    CONTROLS_LEFT_OUT = 98
    EMBEDDED_LEFT_OUT = 99
    OUTSIDE_CONTENT_LEFT_OUT = 100
    REMARKS_LEFT_OUT = 101
    CHANGES_ACCEPTED = 102
    DETAILS_LEFT_OUT = 103
    HIDDEN_SHOWN = 104
    PICTURES_TAKEN_OUT = 105
    PICTURES_LEFT_OUT = 106
    TEXT_SHORTENED = 107
    # Packs and letters.
    UNPACKED = 112
    PACK_MADE_ANEW = 113
    FILES_LEFT_OUT = 114
    VIEWER_LEFT_OUT = 115
    DISC_INDEX_LEFT_OUT = 116
    SYSTEM_FILES_LEFT_OUT = 117
    REMOTE_CONTENT_REMOVED = 118
    ROUTE_REMOVED = 119
    SHOWN_AS_TEXT = 120
    PARTS_TAKEN_OUT = 121
    # Medical pictures (DICOM).
    DICOM_PREAMBLE_CLEARED = 48
    DICOM_PRIVATE_REMOVED = 49
    DICOM_UNKNOWN_REMOVED = 50
    DICOM_DOCUMENT_REMOVED = 51
    DICOM_SIGNATURES_REMOVED = 52
    DICOM_ADDRESSES_REMOVED = 53
    DICOM_STAFF_REMOVED = 54
    DICOM_PERSONS_REMOVED = 55
    DICOM_TEXTS_REMOVED = 56
    DICOM_OVERLAYS_REMOVED = 57
    DICOM_IDENTIFIERS_REPLACED = 58
    DICOM_MAY_SHOW_NAMES = 59
    DICOM_DOCUMENT_TAKEN_OUT = 60

    @property
    def words(self) -> str:
        """The note's fixed words, for something that was done once."""
        return NOTE_WORDS[self][0]

    def told(self, count: int) -> str:
        """The note's fixed words for something that was done so often; the number stands where it says something."""
        one, many = NOTE_WORDS[self]
        if count == 1 or not many:
            return one
        return many.format(count if count <= MOST_COUNTED else f"more than {MOST_COUNTED}")


# What is said of one, and of several ({} is their number); without the latter the number says nothing.
NOTE_WORDS: Mapping[Note, tuple[str, str]] = {
    Note.LOCATION_REMOVED: ("location removed", ""),
    Note.CAMERA_SERIAL_REMOVED: ("camera serial removed", ""),
    Note.NAMES_REMOVED: ("names removed", ""),
    Note.CAMERA_DETAILS_REMOVED: ("camera details removed", ""),
    Note.COMMENT_REMOVED: ("comment removed", "{} comments removed"),
    Note.EDITING_RECORD_REMOVED: ("editing record removed", ""),
    Note.THUMBNAIL_REMOVED: ("embedded thumbnail removed", ""),
    Note.EXTRA_PICTURES_REMOVED: ("extra pictures removed", ""),
    Note.TRAILING_BYTES_REMOVED: ("bytes after the picture removed", ""),
    Note.TURNED_UPRIGHT: ("turned upright", ""),
    Note.COLOURS_TO_SRGB: ("colours converted to sRGB", ""),
    Note.COLOUR_PROFILE_IGNORED: ("unreadable colour profile ignored", ""),
    Note.BRIGHTNESS_FITTED: ("brightness fitted to the screen", ""),
    Note.RESIZED_TO_2560: ("resized to 2560 px", ""),
    Note.RESIZED_TO_4096: ("resized to 4096 px", ""),
    Note.CONVERTED_TO_JPEG: ("converted to JPEG", ""),
    Note.CONVERTED_TO_PNG: ("converted to PNG", ""),
    Note.SCRIPTS_REMOVED: ("script removed from the PDF", "{} scripts removed from the PDF"),
    Note.ATTACHED_FILES_REMOVED: ("attached file removed", "{} attached files removed"),
    Note.PDF_LINKS_MADE_INERT: ("link made inert", "{} links made inert"),
    Note.COMMANDS_REMOVED: ("command removed from the PDF", "{} commands removed from the PDF"),
    Note.FORM_PROGRAM_REMOVED: ("form program (XFA) removed", ""),
    Note.FIELDS_FIXED: ("form field fixed as it looks", "{} form fields fixed as they look"),
    Note.MEDIA_REMOVED: ("sound, film or 3D view removed", "{} sounds, films or 3D views removed"),
    Note.DOCUMENT_DETAILS_REMOVED: ("document details removed", ""),
    Note.OUTSIDE_REFERENCES_REMOVED: ("reference to another file removed", "{} references to other files removed"),
    Note.SIGNATURES_VOID: ("digital signature no longer valid", "{} digital signatures no longer valid"),
    Note.PROTECTION_REMOVED: ("protection against copying removed", ""),
    Note.PDF_REPAIRED: ("damaged PDF repaired", ""),
    Note.PAGES_TO_PICTURES: ("page turned into a picture", "{} pages turned into pictures"),
    Note.OVERSIZED_PAGES: ("page larger than 5 metres", "{} pages larger than 5 metres"),
    Note.PICTURE_DETAILS_REMOVED: ("details of a picture removed", "details of {} pictures removed"),
    Note.READING_ORDER_REMOVED: ("reading order for screen readers removed", ""),
    Note.RENAMED: ("renamed to match its content", ""),
    Note.DICOM_PREAMBLE_CLEARED: ("bytes before the record cleared", ""),
    Note.DICOM_PRIVATE_REMOVED: ("a manufacturer's private entry removed", "{} manufacturer's private entries removed"),
    Note.DICOM_UNKNOWN_REMOVED: ("an unknown entry removed", "{} unknown entries removed"),
    Note.DICOM_DOCUMENT_REMOVED: ("document inside the record removed", ""),
    Note.DICOM_SIGNATURES_REMOVED: ("signatures and encrypted entries removed", ""),
    Note.DICOM_ADDRESSES_REMOVED: ("addresses and telephone numbers removed", ""),
    Note.DICOM_STAFF_REMOVED: ("names of staff removed", ""),
    Note.DICOM_PERSONS_REMOVED: ("names and numbers of owner and animal removed", ""),
    Note.DICOM_TEXTS_REMOVED: ("a free text removed", "{} free texts removed"),
    Note.DICOM_OVERLAYS_REMOVED: ("drawings over the picture removed", ""),
    Note.DICOM_IDENTIFIERS_REPLACED: ("identifiers replaced and dates moved", ""),
    Note.DICOM_DOCUMENT_TAKEN_OUT: ("document inside the record taken out and checked by itself", ""),
    Note.DICOM_MAY_SHOW_NAMES: ("names may be drawn into the picture itself: look before it is shown", ""),
    Note.CONVERTED_TO_WEBP: ("converted to WebP", ""),
    Note.MOVEMENT_REMOVED: (
        "movement removed, the first picture kept",
        "movement removed, the first of {} pictures kept",
    ),
    Note.FRAMES_LEFT_OUT: ("one picture left out of the movement", "{} pictures left out of the movement"),
    Note.PAGES_SEPARATED: ("one page made a picture", "{} pages made single pictures"),
    Note.OTHER_ANIMAL: ("warning: another animal's name stands in this file", ""),
    Note.OTHER_SPECIES: ("warning: another species stands in this file", ""),
    Note.OTHER_OWNER: ("warning: another owner's name stands in this file", ""),
    Note.NOT_SCANNED: ("not seen by the virus scanner, which could not be asked", ""),
    Note.HIDDEN_TRACKS_REMOVED: ("1 hidden track removed", "{} hidden tracks removed"),
    Note.CHAPTERS_REMOVED: ("chapters removed", ""),
    Note.SUBTITLES_REMOVED: ("subtitles removed", ""),
    Note.COVER_PICTURE_REMOVED: ("cover picture removed", ""),
    Note.EXTRA_SOUNDS_REMOVED: ("second sound track removed", "{} more sound tracks removed"),
    Note.EXTRA_VIDEOS_REMOVED: ("second video track removed", "{} more video tracks removed"),
    Note.LABELS_REMOVED: ("title and labels removed", ""),
    Note.WRITING_BETWEEN_FRAMES_REMOVED: ("hidden writing between the frames removed", ""),
    Note.CONTAINER_CHANGED: ("packed as another type, pictures and sound unchanged", ""),
    Note.PLAYS_EVERYWHERE_COPY: ("a copy that plays everywhere was made", ""),
    Note.COPY_HAS_FEWER_FRAMES: ("the copy that plays everywhere shows fewer frames", ""),
    Note.NO_PLAYS_EVERYWHERE_COPY: ("no copy that plays everywhere could be made", ""),
    Note.DEVICE_DETAILS_REMOVED: ("device details removed", ""),
    Note.UNSEEN_SIGNS_SHOWN: ("unseen sign shown as a mark", "{} unseen signs shown as marks"),
    Note.LETTERS_GUESSED: ("letters guessed, because the text does not say how it is written", ""),
    Note.NOT_JSON: ("not valid JSON, kept as plain text", ""),
    Note.NOT_A_TABLE: ("not a well-formed table, kept as plain text", ""),
    Note.FORMULA_CELLS: ("cell that starts like a formula", "{} cells that start like a formula"),
    Note.LINKS_MADE_INERT: ("link in the text made inert", "{} links in the text made inert"),
    Note.PICTURE_LINKS_MADE_INERT: ("picture from elsewhere made inert", "{} pictures from elsewhere made inert"),
    Note.PAGE_CODE_MADE_INERT: ("piece of web page code made inert", "{} pieces of web page code made inert"),
    Note.TEXT_TAKEN_OUT: ("words and tables taken out as plain text", ""),
    Note.MACROS_LEFT_OUT: ("macros left out", ""),
    Note.CONTROLS_LEFT_OUT: ("active control left out", "{} active controls left out"),
    Note.EMBEDDED_LEFT_OUT: ("embedded file left out", "{} embedded files left out"),
    Note.OUTSIDE_CONTENT_LEFT_OUT: ("link to outside content left out", "{} links to outside content left out"),
    Note.REMARKS_LEFT_OUT: ("remark in the margin left out", "{} remarks in the margin left out"),
    Note.CHANGES_ACCEPTED: ("tracked change shown as accepted", "{} tracked changes shown as accepted"),
    Note.DETAILS_LEFT_OUT: ("author and document details left out", ""),
    Note.HIDDEN_SHOWN: ("hidden part shown", "{} hidden parts shown"),
    Note.PICTURES_TAKEN_OUT: ("picture taken out of the document", "{} pictures taken out of the document"),
    Note.PICTURES_LEFT_OUT: ("picture or drawing left out", "{} pictures or drawings left out"),
    Note.TEXT_SHORTENED: ("text cut off, because the document is longer than can be shown", ""),
    Note.UNPACKED: ("unpacked into its files", ""),
    Note.PACK_MADE_ANEW: ("packed anew", ""),
    Note.FILES_LEFT_OUT: ("1 file left out", "{} files left out"),
    Note.VIEWER_LEFT_OUT: ("viewer program on the disc left out", ""),
    Note.DISC_INDEX_LEFT_OUT: ("index of the disc left out", ""),
    Note.SYSTEM_FILES_LEFT_OUT: ("hidden system file left out", "{} hidden system files left out"),
    Note.REMOTE_CONTENT_REMOVED: (
        "content from the internet removed",
        "{} pieces of content from the internet removed",
    ),
    Note.ROUTE_REMOVED: ("route of the letter removed", ""),
    Note.SHOWN_AS_TEXT: ("shown as plain text", ""),
    Note.PARTS_TAKEN_OUT: ("attachment taken out", "{} attachments taken out"),
}


def counted(notes: Iterable[Note]) -> dict[Note, int]:
    """How often each note was made; what a format gathers is turned into what its result says."""
    counts: dict[Note, int] = {}
    for note in notes:
        counts[note] = counts.get(note, 0) + 1
    return counts
