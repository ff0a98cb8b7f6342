"""A letter as it goes into a case: read in the jail, opened where it was sealed to us, its signature looked at.

What cannot be opened safely goes as one file, whole, so that staff can decide; nothing of it is lost.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from vetrelay.bridge.cases.bridge import Bridge
from vetrelay.bridge.cases.ownkeys import own_pgp, own_smime
from vetrelay.bridge.letters.openpgp import decrypt_pgp, verify_pgp
from vetrelay.bridge.letters.sealedletter import Opened
from vetrelay.bridge.letters.smime import decrypt_smime, verify_smime
from vetrelay.errors import Fault, Refusal
from vetrelay.inspection.letter import LetterPart, LetterRead, Protection, read_letter
from vetrelay.inspection.words import Unfit
from vetrelay.protocol.bymail import MAX_LETTER, Correspondent
from vetrelay.protocol.envelope import MAX_ATTACHMENTS
from vetrelay.protocol.ids import unb64

WHOLE: Final = LetterPart(name="letter.eml", media_type="message/rfc822", content=b"")
ABSENT: Final = frozenset({"openpgp_absent", "smime_absent"})
REST: Final = "the whole text.txt"
Signature = Literal["none", "good", "unknown", "bad"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedLetter:
    """A letter, opened as far as it can be. `unread` is the code of why it stands among its own files, whole."""

    read: LetterRead
    text: str
    folds: tuple[tuple[int, int], ...]
    parts: tuple[LetterPart, ...]
    encrypted: bool
    signature: Signature
    unread: str | None


async def opened_letter(bridge: Bridge, raw: bytes, known: Iterable[Correspondent], *, address: str) -> OpenedLetter:
    """A letter opened; `known` are the correspondents whose approved keys a signature may be of, `address` where it came to.

    Raises Fault only where no jail can be had at all.
    """
    approved = tuple(known)
    try:
        read = await read_letter(bridge.inspector, raw, at_most_parts=MAX_ATTACHMENTS - 1)
    except Unfit as unfit:
        return _whole(LetterRead(), raw, unread=unfit.reason.key)
    if read.protection is Protection.NONE:
        return _fitted(read, encrypted=False, signature="none")
    try:
        inner = await asyncio.to_thread(_unsealed, bridge, read, approved, address=address)
        inside = await read_letter(bridge.inspector, inner.content, at_most_parts=MAX_ATTACHMENTS - 1)
    except Refusal as refused:
        return _locked(read, raw, unread=refused.code)
    except Unfit as unfit:
        return _locked(read, raw, unread=unfit.reason.key)
    except Fault as fault:
        if fault.code not in ABSENT:
            raise
        return _locked(read, raw, unread=fault.code)
    whole = replace(
        read, subject=inside.subject or read.subject, text=inside.text, folds=inside.folds, parts=inside.parts
    )
    # (28) What only looks encrypted, and anybody could have read, counts as plain.
    encrypted = inner.sealed if read.protection.is_encrypted else False
    return _fitted(whole, encrypted=encrypted, signature=inner.signature)


def _unsealed(bridge: Bridge, read: LetterRead, known: Sequence[Correspondent], *, address: str) -> Opened:
    """The MIME entity inside. Raises Refusal `letter_for_another`, `letter_locked`, `letter_altered`; Fault `openpgp_absent`."""
    pgp = [unb64(one.key_material) for one in known if one.mode == "pgp" and one.key_material]
    smime = [unb64(one.key_material) for one in known if one.mode == "smime" and one.key_material]
    match read.protection:
        case Protection.PGP_ENCRYPTED:
            return decrypt_pgp(read.parts[0].content, own=own_pgp(bridge), known=pgp)
        case Protection.SMIME_ENCRYPTED:
            return decrypt_smime(read.parts[0].content, own=own_smime(bridge), address=address, known=smime)
        case _ if read.signed is None:
            raise Refusal("letter_altered")
        case Protection.PGP_SIGNED:
            return verify_pgp(read.signed.content, signature=read.signed.signature, known=pgp)
        case _:
            return verify_smime(read.signed.content, signature=read.signed.signature, known=smime)


def _fitted(read: LetterRead, *, encrypted: bool, signature: Signature) -> OpenedLetter:
    """A text longer than a message may be stands whole in a file beside it."""
    text, parts = read.text, read.parts
    if len(text) > MAX_LETTER:
        rest = LetterPart(name=REST, media_type="text/plain", content=text.encode())
        text, parts = text[:MAX_LETTER], (rest, *parts)
    folds = tuple((begin, end) for begin, end in read.folds if end <= len(text))[:200]
    return OpenedLetter(
        read=read, text=text, folds=folds, parts=parts, encrypted=encrypted, signature=signature, unread=None
    )


def _locked(read: LetterRead, raw: bytes, *, unread: str) -> OpenedLetter:
    """Who it is from is told; what it says is not known."""
    return _whole(replace(read, text="", folds=(), parts=()), raw, unread=unread)


def _whole(read: LetterRead, raw: bytes, *, unread: str) -> OpenedLetter:
    return OpenedLetter(
        read=read,
        text="",
        folds=(),
        parts=(replace(WHOLE, content=raw),),
        encrypted=False,
        signature="none",
        unread=unread,
    )
