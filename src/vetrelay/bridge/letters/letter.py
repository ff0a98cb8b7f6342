"""Letters that go out, one function for each kind. Pure: times, ids, links and words are passed in.

A letter that is only a notice says not one word of what waits, nor whose it is: neither in its text nor in a header.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.utils import format_datetime
from typing import Final, Literal

from vetrelay.bridge.letters.letterblocks import Block, Heading, Link, Listed, Paragraph, Said, Small, as_text
from vetrelay.bridge.letters.letterhtml import as_html
from vetrelay.bridge.letters.lettermime import Part, letter_bytes, one_line, plain_lines

_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # without I and O, which are read as digits
_DIGITS: Final = "23456789"
_REFERENCES: Final = 20
_PROGRAM: Final = "VetRelay"
_MESSAGE_ID: Final = re.compile(r"<[\x21-\x3b\x3d\x3f-\x7e]{1,250}>")
# Above the foot, which mail programs fold away.
_NOT_URGENT: Final = Paragraph(
    text="Not for emergencies: nobody may be reading at this moment. If it is urgent, please phone."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """The outside of one letter. `sender` is the case address: it is From and Reply-To.

    `loop_mark` and `autocrypt` are header values (None: no such header); `references` are message ids, oldest first.
    `from_name` stands in From of what a person wrote; a notice names nobody, and a practice's name would.
    """

    message_id: str
    date_ms: int
    sender: str
    recipient: str
    loop_mark: str | None
    from_name: str | None = None
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    autocrypt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """How a letter names its case: a short name, and the clinic's own reference number if it set one."""

    short: str
    reference: str | None = None

    def __str__(self) -> str:
        return f"Case {self.short}" + (f" (ref {one_line(self.reference, 40)})" if self.reference else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """The pages a letter leads to. `stop` ends the notices (a page, and one-click by POST: RFC 8058)."""

    upload: str
    sealed: str | None = None
    stop: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who wrote what a full letter carries, as the case names them."""

    name: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """What a confirmation tells: where in the record the letter stands, and the head of the log after it."""

    position: int
    head: str


def short_name(token: str) -> str:
    """Four characters that name a case in a subject, such as K7Q2: made from the address's token, which they do not tell."""
    digest = hashlib.sha256(b"VetRelay short name\0" + token.lower().encode()).digest()
    return "".join(
        (_DIGITS if at % 2 else _LETTERS)[digest[at] % len(_DIGITS if at % 2 else _LETTERS)] for at in range(4)
    )


def compose_notice(posting: Posting, *, about: About, links: Links, waiting: int = 1, days: int = 14) -> bytes:
    """Mode A: something waits on the sealed page; with `waiting` above 1, the digest of several."""
    what = "new message" if waiting == 1 else f"{waiting} new messages"
    blocks: list[Block] = [Heading(text=f"{about}: {what}")]
    if links.sealed is None:
        blocks.append(
            Paragraph(text=f"{'It waits' if waiting == 1 else 'They wait'} where you usually read this case.")
        )
    else:
        blocks += [
            Paragraph(
                text=f"You can read {'it' if waiting == 1 else 'them'} on a sealed page. It asks for the code that you were given "
                "by another way."
            ),
            Link(label="Open the sealed page", url=links.sealed, main=True),
            Paragraph(text=f"The page stays open to you for {days} days, as often as you like."),
        ]
    blocks += [
        Paragraph(
            text="To answer, simply reply to this letter. A photo or a PDF attached to your reply goes into the case."
        ),
        _upload(links),
        _NOT_URGENT,
        Small(text="A reply by email is as private as any email: those who carry it could read it."),
    ]
    if links.stop is not None:
        blocks.append(Small(text="You do not want these notices? Stop them here:", url=links.stop))
    return _automatic(posting, subject=f"{about}: {what}", blocks=blocks, stop=links.stop)


def compose_waiting(posting: Posting, *, about: About | None, links: Links) -> bytes:
    """To an authenticated sender whose letter waits for staff, at most once a day: that it arrived, and nothing else."""
    subject = f"{about}: received, waiting to be filed" if about else "Received, waiting to be filed"
    blocks: list[Block] = [
        Heading(text=subject),
        Paragraph(text="Your letter has arrived and is kept safely. Somebody will look at it and file it to its case."),
        Paragraph(text="You need not send it again."),
        _upload(links),
        _NOT_URGENT,
        Small(text="This letter was written by a program, at most once a day."),
    ]
    return _automatic(posting, subject=subject, blocks=blocks, stop=None)


def compose_confirmation(posting: Posting, *, about: About, filed: Filed, links: Links) -> bytes:
    """What a correspondent who asked for it gets for each letter that was filed: the record's receipt."""
    head = " ".join(filed.head[at : at + 4] for at in range(0, 16, 4))
    blocks: list[Block] = [
        Heading(text=f"{about}: received"),
        Paragraph(text="Your letter, with everything attached to it, is in the record of this case."),
        Listed(sentence="Receipt, for your files:", names=(f"position {filed.position}", f"record's mark {head}")),
        Paragraph(
            text="Position and mark together fix this letter and everything before it: the record cannot be changed later "
            "without the mark changing too."
        ),
        _upload(links),
        _NOT_URGENT,
        Small(text="This letter was written by a program because you asked for confirmations."),
    ]
    return _automatic(posting, subject=f"{about}: received", blocks=blocks, stop=None)


def compose_locked(posting: Posting, *, about: About, kind: Literal["pgp", "smime"], links: Links) -> bytes:
    """Sent when staff ask for it: a letter came that this bridge cannot open. Says in which form it can."""
    form = {
        "pgp": "as PGP/MIME to the key that came with this letter (OpenPGP version 4), without the newer AEAD packets",
        "smime": "as S/MIME with AES-256-CBC and RSA (PKCS #1 v1.5), not AES-GCM and not RSA-OAEP",
    }[kind]
    subject = f"{about}: please send your letter again"
    blocks: list[Block] = [
        Heading(text=subject),
        Paragraph(
            text="Your encrypted letter arrived, but it could not be opened here: its encryption is of a newer kind."
        ),
        Paragraph(text=f"Please send it again {form}, or put it on the upload page."),
        _upload(links),
        _NOT_URGENT,
    ]
    return _automatic(posting, subject=subject, blocks=blocks, stop=None)


def compose_full(
    posting: Posting,
    *,
    about: About,
    author: Author,
    text: str,
    parts: Sequence[Part],
    left_out: Sequence[str],
    links: Links,
    sealed: bool,
    subject: str | None = None,
) -> bytes:
    """The whole message: mode D as it stands, or what modes B and C seal (`sealed`: then `subject` may tell more).

    `left_out` names the files that are too large to go along. Written by a person, so not marked as automatic.
    """
    by = ", ".join(one_line(one) for one in (author.name, author.role) if one)
    blocks: list[Block] = [
        Heading(text=str(about)),
        Said(by=f"{by} writes:", text=plain_lines(text)),
    ]
    if parts:
        blocks.append(Listed(sentence="Attached:", names=tuple(one_line(part.name) or "file" for part in parts)))
    if left_out:
        blocks.append(
            Listed(sentence="Too large for email, and not attached:", names=tuple(one_line(one) for one in left_out))
        )
        if links.sealed is not None:
            blocks.append(Link(label="Open them on the sealed page", url=links.sealed, main=True))
    blocks += [
        Paragraph(text="To answer, simply reply. A photo or a PDF attached to your reply goes into the case."),
        _upload(links),
        _NOT_URGENT,
        Small(
            text="This letter was sealed to your key. Answer it encrypted as well, if you can."
            if sealed
            else "This is an ordinary email and not sealed: those who carry it could read it. It is sent like this because "
            "the owner agreed to it."
        ),
    ]
    # A subject travels in the open, so that an unsealed letter never has one of its own.
    line = one_line(subject) if sealed and subject else f"{about}: new message"
    headers = [*_headers(posting, line, from_name=posting.from_name or _PROGRAM), ("X-Auto-Response-Suppress", "OOF")]
    return letter_bytes(headers, as_text(blocks), as_html(blocks, title=line), parts=parts, seed=posting.message_id)


def _upload(links: Links) -> Link:
    return Link(label="Large files, X-rays, videos or many photos", url=links.upload)


def _automatic(posting: Posting, *, subject: str, blocks: Sequence[Block], stop: str | None) -> bytes:
    headers = [
        *_headers(posting, subject, from_name=_PROGRAM),
        ("Auto-Submitted", "auto-generated"),  # RFC 3834, 5
        ("X-Auto-Response-Suppress", "All"),
    ]
    if stop is not None:
        headers += [("List-Unsubscribe", f"<{stop}>"), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")]
    return letter_bytes(headers, as_text(blocks), as_html(blocks, title=subject), parts=(), seed=posting.message_id)


def _headers(posting: Posting, subject: str, *, from_name: str) -> list[tuple[str, str]]:
    sender = str(Address(one_line(from_name, 100), addr_spec=posting.sender))
    headers = [
        ("Message-ID", posting.message_id),
        ("Date", format_datetime(datetime.fromtimestamp(posting.date_ms // 1000, UTC))),
        ("From", sender),
        ("Reply-To", posting.sender),
        ("To", posting.recipient),
        ("Subject", subject),
    ]
    # Ids come from other people's letters: what is none is left out, and the thread is found by the rest.
    if posting.in_reply_to is not None and _MESSAGE_ID.fullmatch(posting.in_reply_to):
        headers.append(("In-Reply-To", posting.in_reply_to))
    references = [one for one in posting.references if _MESSAGE_ID.fullmatch(one)]
    if references:
        # The first names the thread, the last ones the place in it (RFC 5322, 3.6.4).
        headers.append(("References", " ".join([references[0], *references[1:][-_REFERENCES:]])))
    if posting.loop_mark is not None:
        headers.append(("X-VetRelay-Loop", posting.loop_mark))
    if posting.autocrypt is not None:
        headers.append(("Autocrypt", posting.autocrypt))
    return headers
