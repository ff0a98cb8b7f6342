"""The table of uploads: what is under way at each place, and which spool files its pieces are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from vetrelay.bridge.pages.upload_rows import pieces, uploads
from vetrelay.bridge.ports import Arrival
from vetrelay.bridge.store.arrivals import Arrivals
from vetrelay.bridge.store.sealing import Seals
from vetrelay.bridge.store.tables import reading

LIFE_MS: Final = 7 * 24 * 60 * 60 * 1000
"""An upload that is not whole by then is given up; one that was accepted is remembered for as long."""
MOST_OPEN: Final = 32
"""Uploads under way at one place."""
EMPTY_MS: Final = 10 * 60 * 1000
"""One that nothing was sent to since makes room for another: its browser never heard of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some bytes of an upload, in a spool file of their own."""

    offset_bytes: int
    size_bytes: int
    spool: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An upload as it stands. `arrival` is what it became, if it is accepted."""

    id: str
    token: str
    name: str
    size_bytes: int
    pieces: tuple[Piece, ...]
    arrival: str | None

    @property
    def offset_bytes(self) -> int:
        """How far it is."""
        return self.size_bytes if self.arrival else sum(piece.size_bytes for piece in self.pieces)


class _Sealed(msgspec.Struct, array_like=True, frozen=True):
    token: str
    name: str


class UploadTable:
    """What a method wrote is durable when it returns. Nothing here touches the spool's files."""

    def __init__(self, engine: Engine, seals: Seals, now_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._seals = seals
        self._now_ms = now_ms

    def add(self, id_: str, *, token: str, name: str, size_bytes: int) -> bool:
        """A new upload at the place of `token`; False when too many are under way there."""
        place, now_ms = self._place(token), self._now_ms()
        under_way = select(func.count()).where(uploads.c.place == place, uploads.c.arrival.is_(None))
        begun = select(pieces.c.upload)
        row = {
            "id": id_,
            "place": place,
            "size_bytes": size_bytes,
            "created_ms": now_ms,
            "arrival": None,
            "sealed": self._seals.seal(msgspec.msgpack.encode(_Sealed(token=token, name=name))),
        }
        with self._engine.begin() as connection:
            if connection.execute(under_way).scalar_one() >= MOST_OPEN:
                connection.execute(
                    delete(uploads).where(
                        uploads.c.place == place,
                        uploads.c.arrival.is_(None),
                        uploads.c.created_ms < now_ms - EMPTY_MS,
                        uploads.c.id.not_in(begun),
                    )
                )
                if connection.execute(under_way).scalar_one() >= MOST_OPEN:
                    return False
            connection.execute(insert(uploads), row)
        return True

    def get(self, id_: str, *, token: str) -> Standing | None:
        """An upload of this place; None where there is none, or it is another place's."""
        with reading(self._engine) as connection:
            return self._standing(connection, id_, token=token)

    def add_piece(self, standing: Standing, piece: Piece) -> bool:
        """The next piece; False when the upload is not where the piece begins (any more)."""
        with self._engine.begin() as connection:
            now = self._standing(connection, standing.id, token=standing.token, writes=True)
            if now is None or now.arrival is not None or now.offset_bytes != piece.offset_bytes:
                return False
            row = {"upload": standing.id, "offset_bytes": piece.offset_bytes}
            connection.execute(insert(pieces), row | {"size_bytes": piece.size_bytes, "spool": piece.spool})
        return True

    def accept(self, standing: Standing, arrival: Arrival, arrivals: Arrivals, *, dedup: str) -> str | None:
        """Adds the arrival in the place of the pieces, in one step: the id that stands for it, an earlier one's too.

        None when the upload is gone or accepted already.
        """
        with self._engine.begin() as connection:
            now = self._standing(connection, standing.id, token=standing.token, writes=True)
            if now is None or now.arrival is not None:
                return None
            (id_,) = arrivals.add_within(connection, (arrival,), dedup=dedup)
            connection.execute(delete(pieces).where(pieces.c.upload == standing.id))
            connection.execute(update(uploads).where(uploads.c.id == standing.id).values(arrival=id_))
        return id_

    def accept_whole(self, arrival: Arrival, arrivals: Arrivals, *, dedup: str) -> str:
        """Adds the arrival of a file that came in one go: the id that stands for it, an earlier one's too."""
        with self._engine.begin() as connection:
            (id_,) = arrivals.add_within(connection, (arrival,), dedup=dedup)
        return id_

    def remove(self, standing: Standing) -> tuple[str, ...]:
        """Forgets an upload; the spool files that nothing names any more, which are the caller's to destroy."""
        with self._engine.begin() as connection:
            now = self._standing(connection, standing.id, token=standing.token, writes=True)
            connection.execute(delete(pieces).where(pieces.c.upload == standing.id))
            connection.execute(delete(uploads).where(uploads.c.id == standing.id))
        return tuple(piece.spool for piece in now.pieces) if now is not None else ()

    def spools(self) -> frozenset[str]:
        """The spool files that pieces name: those that a sweep must leave."""
        with reading(self._engine) as connection:
            return frozenset(connection.execute(select(pieces.c.spool)).scalars())

    def whole(self) -> tuple[Standing, ...]:
        """Those whose bytes are all here, but that are not accepted: a crash came between."""
        return tuple(one for one in self._all() if one.arrival is None and one.offset_bytes == one.size_bytes)

    def given_up(self) -> tuple[Standing, ...]:
        """Those that are past their time."""
        return self._all(before_ms=self._now_ms() - LIFE_MS)

    def _all(self, *, before_ms: int | None = None) -> tuple[Standing, ...]:
        query = select(uploads.c.id, uploads.c.sealed)
        if before_ms is not None:
            query = query.where(uploads.c.created_ms < before_ms)
        with reading(self._engine) as connection:
            found = (
                self._standing(connection, row.id, token=self._opened(row.sealed).token)
                for row in connection.execute(query).all()
            )
            return tuple(one for one in found if one is not None)

    def _standing(self, connection: Connection, id_: str, *, token: str, writes: bool = False) -> Standing | None:
        query = select(uploads).where(uploads.c.id == id_, uploads.c.place == self._place(token))
        # Whoever means to write holds the row; SQLite, whose writers come one after the other, leaves the words out.
        row = connection.execute(query.with_for_update() if writes else query).one_or_none()
        if row is None:
            return None
        rows = connection.execute(select(pieces).where(pieces.c.upload == id_).order_by(pieces.c.offset_bytes)).all()
        return Standing(
            id=row.id,
            token=token,
            name=self._opened(row.sealed).name,
            size_bytes=row.size_bytes,
            pieces=tuple(
                Piece(offset_bytes=one.offset_bytes, size_bytes=one.size_bytes, spool=one.spool) for one in rows
            ),
            arrival=row.arrival,
        )

    def _opened(self, sealed: bytes) -> _Sealed:
        return msgspec.msgpack.decode(self._seals.open(sealed), type=_Sealed)

    def _place(self, token: str) -> str:
        return self._seals.mac("upload place", token.encode())
