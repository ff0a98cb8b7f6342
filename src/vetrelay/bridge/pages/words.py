"""Every word that the pages say, in one place: plain, short, and the same for the same thing."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

HOME: Final = "A veterinary practice's post office"
HOME_TEXT: Final = (
    "This address carries letters and files between a veterinary practice and the clinics it works with. "
    "The link you need is in a letter from the practice."
)
HOME_UPLOAD: Final = "Your letter was too big? Send its files here."
NOT_FOUND: Final = "There is no such page"
NOT_FOUND_TEXT: Final = (
    "The link is incomplete, or it does not work any more. Open it again from the letter, whole; or call the practice."
)
BROKEN: Final = "Something went wrong on our side"
BROKEN_TEXT: Final = "Nothing that was received is lost. Please try again in a few minutes, or call the practice."
NOT_URGENT: Final = "In an emergency do not write here: call."
TRUST: Final = (
    "What you send here travels encrypted to the practice's own computer and is opened there, by a program. "
    "It is as private as the practice is, and as a letter to it: this page replaces an attachment, not a phone call."
)
TRUST_READING: Final = (
    "These messages were written end-to-end encrypted. For you, without a key of your own, the practice's computer opens "
    "them: whoever has this link and the code can read them. Close the page when you are done on a shared computer."
)
# --- upload ---
UPLOAD: Final = "Send files to the practice"
UPLOAD_CASE: Final = "For case {short}."
UPLOAD_WAITS: Final = "What you send here is looked at by the staff before it goes into the case."
UPLOAD_CLOSED: Final = "This case takes no more files"
UPLOAD_CLOSED_TEXT: Final = "It is closed, or your link was replaced. Please call the practice."
CHOOSE: Final = "Choose files"
CHOOSE_HELP: Final = "Photos, videos, PDF, X-rays (DICOM or ZIP), several at once; each up to {size}."
CAMERA: Final = "Or take a photo"
NAME: Final = "Your name or your clinic's (you may leave it out)"
NOTE: Final = "A note to the practice (you may leave it out)"
SEND: Final = "Send"
SCRIPT_LESS: Final = (
    "Your browser runs no scripts here, so there is no progress to see, and a file begins anew when the connection breaks. "
    "It works all the same: press Send and wait for the next page."
)
RECEIVED: Final = "Received. Number {number}"
RECEIVED_PAGE: Final = "Received"
RECEIVED_SAFE: Final = "It is stored safely. You can quote the number when you call."
NOT_RECEIVED: Final = "Not received"
SEND_MORE: Final = "Send more"
NOTHING_CHOSEN: Final = "Choose a file first, or write a note."
ADDRESS_ASK: Final = "Which address did you write to?"
ADDRESS_TEXT: Final = (
    "It stands in your letter behind “To”, or in the answer that your mail server gave you. It begins with “case”."
)
ADDRESS: Final = "The address"
ADDRESS_EXAMPLE: Final = "case+…@{domain}"
ADDRESS_UNKNOWN: Final = "We do not know this address. Copy it whole, from “case” to the end."
GO_ON: Final = "Go on"
NOTE_FILE: Final = "Note.txt"
NOTE_FROM: Final = "From (as they wrote it): {name}"
# --- sealed page ---
SEALED: Final = "A sealed page"
SEALED_TEXT: Final = (
    "Type the code of 8 digits that the practice gave you, by phone or on paper. It is not in the letter."
)
CODE: Final = "Code"
OPEN: Final = "Open"
CODE_WRONG: Final = "This code does not open this page. Look at the link and the code again, or call the practice."
CODE_WAIT: Final = "Too many codes were tried. Wait {minutes} minutes, then try again; or call the practice."
CASE: Final = "Case {short}"
DAYS: Final = "Each message stays here for {days} days. You can open this page as often as you like."
EMPTY: Final = (
    "Nothing waits here now. Messages are taken away after {days} days; ask the practice if you need one again."
)
FILES: Final = "Files"
UNREADY: Final = "{count} more being checked: look again in a few minutes."
ANSWER: Final = "To answer, reply to the letter. Large files:"
CLOSE: Final = "Close this page"
FILE_AWAY: Final = "This file cannot be fetched now"
# --- notices ---
NOTICES: Final = "Notices for case {short}"
NOTICES_ON: Final = "You get a short letter when something new waits for you."
NOTICES_OFF: Final = "You get no more notices. The practice sees that."
NOTICES_STILL: Final = "Letters that a person writes to you are not notices: only the practice can end those."
STOP: Final = "Stop the notices"
RESUME: Final = "Send me notices again"

REFUSED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "upload_too_large": "This file is too big: {size} is the most. Send it in parts, or call the practice.",
        "place_closed": "This case takes no more files here. Please call the practice.",
        "place_full": "There is no room for it now. Try again later, or call the practice.",
        "storage_full": "There is no room for it now. Try again later, or call the practice.",
        "upload_unknown": "This upload was cleared away. Choose the file again.",
        "upload_overflow": "The file changed while it was sent. Choose it again.",
        "wrong_offset": "It stands elsewhere. It goes on by itself.",
        "upload_locked": "Another try of the same file still runs. It goes on by itself.",
        "upload_cut": "The connection broke. Send it again.",
        "too_slow": "The connection was too slow. Send it again.",
        "bad_upload": "The browser's request could not be read. Load this page again.",
        "storage_failed": "It could not be stored. Try again later, or call the practice.",
    }
)

# What the script says; it gets them with the page.
SCRIPT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ready": "ready to send",
        "waiting": "waits for its turn",
        "sending": "sending: {percent} %",
        "storing": "storing …",
        "offline": "No connection. It goes on by itself as soon as there is one; keep this page open.",
        "again": "The connection broke at {percent} %. Trying again in {seconds} s.",
        "done": "Received. Number {number}",
        "remove": "Remove {name}",
        "removeShort": "Remove",
        "refused": "Not sent: {reason}",
        "changed": "The file cannot be read any more. Choose it again.",
        "summary": "{done} of {all} sent.",
        "readyCount": "{ready} ready: press Send.",
        "allDone": "Everything was received and is stored safely. You may close this page.",
        "someFailed": "{failed} not sent. See the list.",
        "unfinished": "Not finished before. Choose the same file again, and it goes on where it stopped: {names}",
        "nothing": NOTHING_CHOSEN,
        "note": NOTE_FILE,
        "noteFrom": NOTE_FROM,
    }
)
