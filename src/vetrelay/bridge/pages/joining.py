"""Pieces of an upload become one file of the spool, and files that are sent twice are known again."""

import hashlib
from collections.abc import Sequence

from vetrelay.bridge.pages.upload_table import Piece
from vetrelay.bridge.store.spool import Spool


def joined(spool: Spool, pieces: Sequence[Piece]) -> tuple[str, bytes]:
    """The one spool file of all pieces, durable, and its content's SHA-256. Blocks as long as the disk does.

    One piece is that file already. Raises Fault `spool_damaged`, `storage_full`, `storage_failed`.
    """
    content = hashlib.sha256()
    file = None if len(pieces) == 1 else spool.begin()
    try:
        for piece in pieces:
            for chunk in spool.chunks(piece.spool):
                content.update(chunk)
                if file is not None:
                    file.write(chunk)
        if file is not None:
            file.finish()
    except BaseException:
        if file is not None:
            file.abort()
        raise
    return file.id if file is not None else pieces[0].spool, content.digest()


def same_file(name: str, content: bytes) -> str:
    """What makes a file the one that came before by the same link: its name, and the SHA-256 of its content."""
    return f"upload {content.hex()} {name}"
