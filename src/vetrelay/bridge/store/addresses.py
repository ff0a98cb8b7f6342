"""Who is written to and writes in, case by case: the tokens of our addresses, and what is known of each correspondent."""

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Lock
from typing import Final

import msgspec
from sqlalchemy import Engine, Row, bindparam, delete, insert, select, update

from vetrelay.bridge.store.sealing import Seals
from vetrelay.bridge.store.tables import addresses as table
from vetrelay.bridge.store.tables import reading
from vetrelay.errors import Fault
from vetrelay.protocol.ids import CaseId

_BY_TOKEN: Final = select(table).where(table.c.token == bindparam("key"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Correspondence:
    """One case and one correspondent of it, a person (`name@domain`) or a whole clinic (`@domain`).

    `token` makes the case's address for it; `upload_token` its upload page's; `code` (8 digits) opens the sealed page.
    """

    case: CaseId
    token: str
    address: str
    upload_token: str
    code: str
    revoked: bool = False
    unsubscribed: bool = False
    closed: bool = False
    created_ms: int


class _Book:
    """An index of correspondences, one per token. One thread writes at a time; any may read meanwhile."""

    def __init__(self) -> None:
        self._by_token: dict[str, Correspondence] = {}
        self._by_address: defaultdict[str, frozenset[str]] = defaultdict(frozenset)

    def put(self, one: Correspondence) -> None:
        """Adds it, or replaces the one of the same token."""
        before = self._by_token.get(one.token)
        self._by_token[one.token] = one
        if before is not None and before.address != one.address:
            self._by_address[before.address] -= {one.token}
        self._by_address[one.address] |= {one.token}

    def by_token(self, token: str) -> Correspondence | None:
        """Whose token this is (lower-case)."""
        return self._by_token.get(token)

    def takes_part(self, address: str, *, case: CaseId | None) -> bool:
        """Whether this very address (or `@domain`, lower-case) takes part in the case, or in any."""
        standing = (self._by_token[token] for token in self._by_address.get(address, frozenset()))
        return any(not one.revoked and case in {None, one.case} for one in standing)


class _Sealed(msgspec.Struct, array_like=True, frozen=True):
    token: str
    address: str
    upload_token: str
    code: str


class Addresses:
    """The table of correspondences. Tokens are found by keyed hash, so the time of a look-up tells nothing of them.

    An SQLite file belongs to one bridge, which makes one `Addresses` of it: that one also keeps them in memory, so that
    a letter's way in asks no table. In PostgreSQL another bridge may have written a moment ago; there each look-up asks.
    """

    def __init__(self, engine: Engine, seals: Seals) -> None:
        self._engine = engine
        self._seals = seals
        self._lock = Lock()
        self._book = self._read_all() if engine.dialect.name == "sqlite" else None

    def put(self, correspondence: Correspondence) -> None:
        """Adds it, or writes it anew (one correspondence per token). Durable when it returns."""
        one = correspondence
        sealed = _Sealed(token=one.token, address=one.address, upload_token=one.upload_token, code=one.code)
        row = {
            "token": self._token(one.token),
            "upload": self._upload(one.upload_token),
            "address": self._address(one.address),
            "case": one.case,
            "revoked": one.revoked,
            "unsubscribed": one.unsubscribed,
            "closed": one.closed,
            "created_ms": one.created_ms,
            "sealed": self._seals.seal(msgspec.msgpack.encode(sealed)),
        }
        with self._lock:
            with self._engine.begin() as connection:
                connection.execute(delete(table).where(table.c.token == row["token"]))
                connection.execute(insert(table), row)
            if self._book is not None:
                self._book.put(one)

    def by_token(self, token: str) -> Correspondence | None:
        """Whose case address this is, if anyone's. Revoked and closed ones too: their flags say so."""
        known = self._book.by_token(token.lower()) if self._book is not None else None
        if known is not None:
            return known
        # The table has the last word on what is not known, and on what cannot be opened.
        with reading(self._engine) as connection:
            row = connection.execute(_BY_TOKEN, {"key": self._token(token)}).one_or_none()
        return self._opened(row) if row is not None else None

    def by_upload_token(self, upload_token: str) -> Correspondence | None:
        """Whose upload page this is, if anyone's."""
        with reading(self._engine) as connection:
            row = connection.execute(select(table).where(table.c.upload == self._upload(upload_token))).one_or_none()
        return self._opened(row) if row is not None else None

    def of_case(self, case: CaseId) -> tuple[Correspondence, ...]:
        """All of a case, oldest first."""
        with reading(self._engine) as connection:
            rows = connection.execute(
                select(table).where(table.c.case == case).order_by(table.c.created_ms, table.c.token)
            ).all()
        return tuple(self._opened(row) for row in rows)

    def listed(self, author: str, *, case: CaseId | None = None) -> frozenset[str]:
        """What an author (`name@domain`, any capitals) takes part as, in this case or in any: itself, `@domain`, both, none."""
        lowered = author.lower()
        words = (lowered, "@" + lowered.rpartition("@")[2])
        if self._book is not None:
            return frozenset(word for word in words if self._book.takes_part(word, case=case))
        by_hash = {self._address(word): word for word in words}
        query = select(table.c.address).where(table.c.address.in_(by_hash), table.c.revoked.is_(False))
        if case is not None:
            query = query.where(table.c.case == case)
        with reading(self._engine) as connection:
            return frozenset(by_hash[found] for found in connection.execute(query).scalars())

    def revoke(self, token: str) -> None:
        """From here on letters to this token are refused (550 5.2.1). Durable when it returns."""
        with self._lock:
            with self._engine.begin() as connection:
                connection.execute(update(table).where(table.c.token == self._token(token)).values(revoked=True))
            known = self._book.by_token(token.lower()) if self._book is not None else None
            if self._book is not None and known is not None:
                self._book.put(replace(known, revoked=True))

    def _read_all(self) -> _Book:
        book = _Book()
        with reading(self._engine) as connection:
            for row in connection.execute(select(table)):
                with suppress(Fault):  # told when somebody asks for it; it must not keep all others from their letters
                    book.put(self._opened(row))
        return book

    def _token(self, token: str) -> str:
        return self._seals.mac("token", token.lower().encode())

    def _address(self, address: str) -> str:
        return self._seals.mac("address", address.lower().encode())

    def _upload(self, upload_token: str) -> str:
        return self._seals.mac("upload", upload_token.encode())

    def _opened(self, row: "Row[tuple[object, ...]]") -> Correspondence:
        sealed = msgspec.msgpack.decode(self._seals.open(row.sealed), type=_Sealed)
        if self._token(sealed.token) != row.token:
            raise Fault("spool_damaged")  # another row's words were put here
        return Correspondence(
            case=row.case,
            token=sealed.token,
            address=sealed.address,
            upload_token=sealed.upload_token,
            code=sealed.code,
            revoked=row.revoked,
            unsubscribed=row.unsubscribed,
            closed=row.closed,
            created_ms=row.created_ms,
        )
