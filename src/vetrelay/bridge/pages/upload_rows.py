"""The tables behind the pages: uploads under way, their pieces in the spool, and codes that were tried.

An upload's piece is a spool file of its own, so that what was acknowledged outlives the process; the pieces become one
file when they are whole. A name is sealed, a link is a keyed hash.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String, Table

from vetrelay.bridge.store.tables import id_column, metadata, number_column, sealed_column

uploads: Final = Table(
    "uploads",
    metadata,
    id_column("id", primary=True),
    id_column("place"),
    number_column("size_bytes"),
    number_column("created_ms"),
    # The arrival it became; from then on it has no pieces.
    id_column("arrival", nullable=True),
    sealed_column(),
    Index("uploads_by_place", "place"),
    Index("uploads_by_age", "created_ms"),
)

pieces: Final = Table(
    "upload_pieces",
    metadata,
    Column("upload", String(64), ForeignKey("uploads.id"), primary_key=True),
    Column("offset_bytes", BigInteger, primary_key=True, autoincrement=False),
    number_column("size_bytes"),
    id_column("spool"),
)

tries: Final = Table(
    "page_tries",
    metadata,
    id_column("link", primary=True),
    number_column("since_ms"),
    number_column("count"),
)
