"""A whole letter as a value: what `letter.read_letter` gives, what the worker makes and the wire carries.

Everything in it is the sender's word. Nothing here says who wrote a letter: the From is shown, and is no authority.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from vetrelay.inspection.notes import Note

MAX_NAME_CHARS = 200
MAX_ADDRESS_CHARS = 320
MAX_SUBJECT_CHARS = 1000
MAX_ID_CHARS = 998
MAX_TEXT_CHARS = 4 << 20
"""A longer text stands whole in a part of its own; the letter's text then is its beginning, and says so."""
MAX_WRITTEN_MS = 253_402_300_799_999
"""The end of the year 9999."""
MAX_FOLDS = 500
MAX_PARTS = 200


class Protection(StrEnum):
    """How the letter as a whole is protected; what stands inside another part does not count (EFAIL)."""

    NONE = "none"
    PGP_ENCRYPTED = "pgp-encrypted"
    SMIME_ENCRYPTED = "smime-encrypted"
    PGP_SIGNED = "pgp-signed"
    SMIME_SIGNED = "smime-signed"

    @property
    def is_encrypted(self) -> bool:
        """Whether the letter's only part is a ciphertext."""
        return self in {Protection.PGP_ENCRYPTED, Protection.SMIME_ENCRYPTED}

    @property
    def is_signed(self) -> bool:
        """Whether there is a signature to verify."""
        return self in {Protection.PGP_SIGNED, Protection.SMIME_SIGNED}


class Action(StrEnum):
    """What a mail server says that it did with a letter of ours (RFC 3464, 2.3.3), the worst first."""

    FAILED = "failed"
    DELAYED = "delayed"
    RELAYED = "relayed"
    EXPANDED = "expanded"
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterPart:
    """A file in a letter. `name` is one path part with every unseen sign shown; `media_type` is declared, or empty.

    `inline`: it is shown within the words (a picture of a page), not attached. Its content may be empty.
    """

    name: str
    media_type: str
    content: bytes
    inline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedPart:
    """What a signature is over, exactly as it came, and the signature (armoured PGP, or DER).

    An S/MIME letter whose signature encloses its content has no `content` of its own: it comes out of verifying.
    """

    content: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """What a mail server tells of a letter of ours (RFC 3464): of several recipients, the one that fares worst.

    `status` is an RFC 3463 code ("5.1.1") or empty; `diagnostic_type` what kind of server answered ("smtp"), with its
    three-digit `reply_code` (0: none). `envelope_id` is the ENVID that we gave; `recipient` the address, first the one
    that we wrote to. `guessed`: no machine-readable report, told from the words of an old kind of bounce.
    """

    action: Action
    status: str = ""
    diagnostic_type: str = ""
    reply_code: int = 0
    envelope_id: str = ""
    recipient: str = ""
    guessed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterRead:
    """A letter, read. See `letter.read_letter`.

    `text` is everything that it says, lines ended by a line feed. `folds` are ranges of characters of it that repeat
    an older letter or are a signature: a hint for a screen, which never leaves less than a line and takes nothing away.
    `parts` are all files in it, in order; of an encrypted letter the ciphertext alone. `message_id` and `in_reply_to`
    are with their angle brackets, or empty.
    """

    sender_name: str = ""
    sender_address: str = ""
    subject: str = ""
    written_ms: int | None = None
    message_id: str = ""
    in_reply_to: str = ""
    text: str = ""
    folds: tuple[tuple[int, int], ...] = ()
    parts: tuple[LetterPart, ...] = ()
    report: DeliveryReport | None = None
    protection: Protection = Protection.NONE
    signed: SignedPart | None = None
    notes: Mapping[Note, int] = field(default_factory=dict)
