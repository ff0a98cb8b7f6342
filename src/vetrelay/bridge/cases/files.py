"""Files of a case on their way to a correspondent: which copies go, and their plaintext piece by piece, never on a disk."""

import hashlib
from collections.abc import AsyncGenerator, Sequence

from vetrelay.client.attachments import AttachmentView, ObjectView
from vetrelay.client.download import fetch_payload, payload_turn
from vetrelay.client.end import End
from vetrelay.client.opening import file_key_of
from vetrelay.client.transfer import PIECE_BYTES
from vetrelay.errors import Refusal
from vetrelay.protocol.bymail import Line
from vetrelay.protocol.envelope import ObjectRef
from vetrelay.protocol.ids import Bytes, Hash, b64, unb64
from vetrelay.protocol.statement import Body
from vetrelay.protocol.unseal import PayloadOpener

RECORDS = frozenset({"record", "text"})


class FileKept(Body, frozen=True):
    """A checked copy that a correspondent may have, with the key that opens it: stands only in sealed notes."""

    ref: ObjectRef
    key: str
    plain_sha256: Hash
    size: Bytes
    media: Line
    name: Line


def copies_for(end: End, attachments: Sequence[AttachmentView]) -> tuple[FileKept, ...]:
    """What goes to a correspondent of these files: the checked copies, or the original of what stays as it came.

    What was refused or waits for staff goes to nobody.
    """
    return tuple(_kept(end, view) for one in attachments for view in _going(one))


def _going(attachment: AttachmentView) -> tuple[ObjectView, ...]:
    if attachment.verdict == "kept-sealed":
        return tuple(view for view in attachment.objects if view.role == "original")
    if attachment.verdict not in {"clean", "converted"}:
        return ()
    return tuple(view for view in attachment.objects if view.role in RECORDS)


def _kept(end: End, view: ObjectView) -> FileKept:
    return FileKept(
        ref=view.ref,
        key=b64(file_key_of(end, view.ref)),
        plain_sha256=view.sha256,
        size=view.size_bytes,
        media=view.media_type[:400],
        name=view.name[:400],
    )


async def plain_pieces(end: End, kept: FileKept) -> AsyncGenerator[bytes, None]:
    """A file's plaintext, each piece authenticated before it is given; the payload on the disk stays sealed.

    Raises Refusal `payload_differs`, `cannot_open`, `plaintext_differs` (after its last piece), or what the relay
    refuses; Fault while it is away.
    """
    async with payload_turn(end, kept.ref):
        payload = await fetch_payload(end, kept.ref, label="a file", unsafe=False)
        try:
            opener, plain_hash = PayloadOpener(unb64(kept.key, 16)), hashlib.sha256()
            with payload.open("rb") as sealed:
                while piece := sealed.read(PIECE_BYTES):
                    for chunk in opener.update(piece):
                        plain_hash.update(chunk)
                        yield chunk
            for chunk in opener.finish():
                plain_hash.update(chunk)
                yield chunk
            if b64(plain_hash.digest()) != kept.plain_sha256:
                raise Refusal("plaintext_differs")
        finally:
            payload.unlink(missing_ok=True)


async def whole_file(end: End, kept: FileKept) -> bytes:
    """A small file's plaintext, whole. Raises as `plain_pieces` does, and then gives nothing of it."""
    return b"".join([piece async for piece in plain_pieces(end, kept)])
