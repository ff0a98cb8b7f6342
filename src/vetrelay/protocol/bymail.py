"""What is said in a case about its email: who is written to, what came, what became of it (docs/protocol.md, chapter 11).

The clinic's staff steer the bridge by sealed `control` envelopes, and the bridge tells what it did by sealed ones of its
own: nobody outside the case can change who gets its mail, and nothing is set by a letter.
"""

from typing import Annotated, Final, Literal

from msgspec import Meta

from vetrelay.protocol.ids import CaseId, EntryId, Milliseconds
from vetrelay.protocol.statement import Body

MAX_LETTER: Final = 200_000
MAX_KEY_BASE64: Final = 128 * 1024
Address = Annotated[str, Meta(pattern=r"^[^\s@<>\"(),:;\\]{0,64}@[^\s@<>\"(),:;\\]{1,253}$", max_length=318)]
"""`name@domain`; with nothing before the @, everybody of that domain."""
Line = Annotated[str, Meta(max_length=400)]
LetterId = Annotated[str, Meta(pattern=r"^[a-z2-7]{26}$", max_length=26)]
KeyPrint = Annotated[str, Meta(pattern=r"^([0-9A-F]{40}|[0-9A-F]{64})$", max_length=64)]
MailMode = Literal["notify", "pgp", "smime", "plain"]
EventWord = Literal[
    "claim_refused", "case_closed", "unsubscribed", "subscribed", "denied", "key_suggested", "broken", "filed"
]
Code = Annotated[str, Meta(max_length=64)]


class Correspondent(Body, frozen=True, tag_field="kind", tag="correspondent"):
    """Staff: this address (or whole domain) takes part by email, and how it is written to.

    The newest word on an address counts; `listed` False strikes it off. `key` is the fingerprint that staff approved, and
    `key_material` the key itself (base64url), for the modes that need one. `reference` is the correspondent's own number for
    the case, shown in Subject; `confirm` that each of their letters is confirmed with its receipt.
    """

    address: Address
    name: Annotated[str, Meta(max_length=100)]
    listed: bool
    mode: MailMode
    key: KeyPrint | None
    key_material: Annotated[str, Meta(max_length=MAX_KEY_BASE64)] | None
    reference: Annotated[str, Meta(max_length=40, pattern=r"^[A-Za-z0-9 ./_-]*$")] | None
    confirm: bool


class FrontDoor(Body, frozen=True, tag_field="kind", tag="front_door"):
    """Staff: letters to the practice's own address come into this case, to be filed from there."""

    on: bool


class LetterRuling(Body, frozen=True, tag_field="kind", tag="letter_ruling"):
    """Staff: a waiting letter is taken or denied; one at the front door is taken into `into`."""

    letter: LetterId
    take: bool
    into: CaseId | None


class MailConsent(Body, frozen=True, tag_field="kind", tag="consent"):
    """The owner: this address may be written to in plain email (`plain_mail`), or may no longer."""

    about: Literal["plain_mail"]
    address: Address
    given: bool


class Mailbox(Body, frozen=True, tag_field="kind", tag="mailbox"):
    """The bridge: where a correspondent writes to, where its large files go, the code of its sealed page, our own PGP key."""

    address: Address
    mail: Line
    upload: Line
    code: Code
    pgp: KeyPrint


class LetterWaiting(Body, frozen=True, tag_field="kind", tag="letter_waiting"):
    """The bridge: a letter is safe and waits for staff. `sender` is what its From says; `known` whether that was proved."""

    letter: LetterId
    sender: Line
    subject: Line
    files: Annotated[int, Meta(ge=0)]
    size: Annotated[int, Meta(ge=0)]
    known: bool
    front_door: bool
    reason: Code
    received: Milliseconds


class Delivery(Body, frozen=True, tag_field="kind", tag="delivery"):
    """The bridge, of an envelope it carried out: how far it is on its way to this address."""

    answers: EntryId
    address: Address
    state: Literal["emailed", "delivered", "not_yet", "delayed", "failed", "downgraded"]
    mode: MailMode
    at: Milliseconds
    reason: Code | None


class MailEvent(Body, frozen=True, tag_field="kind", tag="mail_event"):
    """The bridge: something that staff should see in the case's time line; `about` is an address, a domain or a letter.

    Of a key that was suggested, `detail` is its fingerprint, a space, and the key itself (base64url).
    """

    what: Literal[
        "claim_refused", "case_closed", "unsubscribed", "subscribed", "denied", "key_suggested", "broken", "filed"
    ]
    about: Line
    detail: Annotated[str, Meta(max_length=MAX_KEY_BASE64)] | None
    at: Milliseconds


class Letter(Body, frozen=True, tag_field="kind", tag="letter"):
    """The bridge: a letter (or an upload by link), whole. `folds` are ranges of `text` that may be shown folded.

    `address` is what its From says, `known` whether that was proved. `signature` is what a PGP or S/MIME signature in it
    was worth. `automatic` letters (out-of-office, ticket systems) ask nobody for an answer.
    """

    letter: LetterId
    way: Literal["email", "link"]
    address: Line
    name: Line
    subject: Line
    written: Milliseconds | None
    text: Annotated[str, Meta(max_length=MAX_LETTER)]
    folds: Annotated[tuple[tuple[int, int], ...], Meta(max_length=200)]
    known: bool
    automatic: bool
    encrypted: bool
    signature: Literal["none", "good", "unknown", "bad"]
    unread: Code | None


ByMail = (
    Correspondent | FrontDoor | LetterRuling | MailConsent | Mailbox | LetterWaiting | Delivery | MailEvent | Letter
)
KINDS_BY_MAIL: Final = frozenset(
    {
        "consent",
        "correspondent",
        "delivery",
        "front_door",
        "letter",
        "letter_ruling",
        "letter_waiting",
        "mail_event",
        "mailbox",
    }
)
