"""Whether a letter as a whole is encrypted or signed, and what of it somebody else must decrypt or verify.

Only the outermost part counts. A ciphertext among other parts is a file like any other and is never opened and spliced
into words beside it (EFAIL). Sources: RFC 1847, RFC 3156, RFC 8551.
"""

from dataclasses import dataclass

from vetrelay.inspection.formats.letterparts import Part
from vetrelay.inspection.formats.letterwords import Reader
from vetrelay.inspection.letterframe import SignedRange
from vetrelay.inspection.letterread import Protection

_PGP_SIGNATURE = "application/pgp-signature"
_SMIME_SIGNATURES = frozenset({"application/pkcs7-signature", "application/x-pkcs7-signature"})
_SMIME = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_HEAD_BYTES = 64
# What a CMS object says of itself in its first bytes (RFC 5652, 5083): more than its media type may say.
_CMS = (
    (bytes.fromhex("06092a864886f70d010702"), Protection.SMIME_SIGNED),
    (bytes.fromhex("06092a864886f70d010703"), Protection.SMIME_ENCRYPTED),
    (bytes.fromhex("060b2a864886f70d0109100117"), Protection.SMIME_ENCRYPTED),
)
_SMIME_TYPES = {
    "enveloped-data": Protection.SMIME_ENCRYPTED,
    "authenveloped-data": Protection.SMIME_ENCRYPTED,
    "signed-data": Protection.SMIME_SIGNED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Protected:
    """How, and what of it: a part that is a ciphertext, or the range that is signed with its signature.

    `readable` is the part whose words and files are the letter's; None where there is none before it is decrypted.
    """

    protection: Protection
    ciphertext: Part | None = None
    signed: SignedRange | None = None
    readable: Part | None = None


def protected(whole: Part, reader: Reader) -> Protected:
    """How a letter is protected as a whole."""
    if whole.media_type == "multipart/encrypted" and _is_pgp(whole):
        return Protected(protection=Protection.PGP_ENCRYPTED, ciphertext=whole.within[1])
    if whole.media_type == "multipart/signed" and len(whole.within) == 2:
        first, second = whole.within
        if second.media_type == _PGP_SIGNATURE or second.media_type in _SMIME_SIGNATURES:
            is_pgp = second.media_type == _PGP_SIGNATURE
            return Protected(
                protection=Protection.PGP_SIGNED if is_pgp else Protection.SMIME_SIGNED,
                signed=SignedRange(begin=first.start, end=first.end, signature=reader.body(second)),
                readable=first,
            )
    if whole.media_type in _SMIME and not whole.within:
        return _smime(whole, reader.body(whole))
    return Protected(protection=Protection.NONE, readable=whole)


def _is_pgp(whole: Part) -> bool:
    return (
        len(whole.within) == 2
        and whole.within[0].media_type == "application/pgp-encrypted"
        and whole.within[1].media_type == "application/octet-stream"
    )


def _smime(whole: Part, content: bytes) -> Protected:
    head = content[:_HEAD_BYTES]
    named = _SMIME_TYPES.get(whole.fields.parameter("smime-type").lower(), Protection.NONE)
    protection = next((meant for mark, meant in _CMS if mark in head), named)
    if protection is Protection.SMIME_ENCRYPTED:
        return Protected(protection=protection, ciphertext=whole)
    if protection is Protection.SMIME_SIGNED:
        nothing = SignedRange(begin=whole.begin, end=whole.begin, signature=content)
        return Protected(protection=protection, signed=nothing)
    return Protected(protection=protection, readable=whole)
