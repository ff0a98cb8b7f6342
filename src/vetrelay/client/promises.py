"""The journal's outbox: requests promised and not yet received for, with the sealed payloads they wait for."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vetrelay.protocol.ids import CaseId, Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A request that must reach the relay, as the exact bytes of its first attempt."""

    id: int
    intent: str
    case: CaseId | None
    method: str
    path: str
    body: bytes
    draft: bytes | None
    receipt: bytes | None
    refused: str | None
    created_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadRow:
    """A sealed payload on its way up: where it is spooled, and its upload's URL once there is one."""

    p: Hash
    outbox_id: int
    case: CaseId
    size_bytes: int
    spool: Path
    url: str | None
    done: bool


class Promises:
    """The outbox half of a `Journal`. Every method has committed durably when it returns."""

    _db: sqlite3.Connection
    spool: Path

    def put_outgoing(
        self,
        intent: str,
        *,
        case: CaseId | None,
        method: str,
        path: str,
        body: bytes,
        draft: bytes | None,
        created_ms: int,
    ) -> int:
        """Promises a request; the promise is durable when this returns (or with the transaction around it)."""
        cursor = self._db.execute(
            "INSERT INTO outbox (intent, case_id, method, path, body, draft, created_ms) VALUES (?,?,?,?,?,?,?)",
            (intent, case, method, path, body, draft, created_ms),
        )
        return int(cursor.lastrowid or 0)

    def replace_body(self, identifier: int, body: bytes) -> None:
        """Replaces a request that the relay has refused for good, sealed again for the roster of now."""
        self._db.execute("UPDATE outbox SET body=? WHERE id=? AND receipt IS NULL", (body, identifier))

    def outgoing(self) -> tuple[Outgoing, ...]:
        """Requests without a receipt or a refusal, in order."""
        return self._outgoing("receipt IS NULL AND refused IS NULL")

    def receipted(self) -> tuple[Outgoing, ...]:
        """Requests with a receipt that nobody has been told of yet, in order."""
        return self._outgoing("receipt IS NOT NULL AND reported=0")

    def refusals(self) -> tuple[Outgoing, ...]:
        """Requests that were refused for good and that nobody has been told of yet, in order."""
        return self._outgoing("refused IS NOT NULL AND reported=0")

    def promised(self, identifier: int) -> Outgoing | None:
        """A request as it stands now: another process may have brought it on."""
        return next(iter(self._outgoing("id=?", identifier)), None)

    def intended(self, intent: str) -> Outgoing | None:
        """The newest request of this intent that was not yet reported to the person who asked."""
        found = self._outgoing("reported=0 AND intent=?", intent)
        return found[-1] if found else None

    def unreported(self, beginning: str) -> tuple[Outgoing, ...]:
        """Requests whose intent begins so and whose end was not yet reported."""
        return self._outgoing("reported=0 AND substr(intent, 1, ?)=?", len(beginning), beginning)

    def _outgoing(self, condition: str, *values: object) -> tuple[Outgoing, ...]:
        rows = self._db.execute(
            "SELECT id, intent, case_id, method, path, body, draft, receipt, refused, created_ms FROM outbox"  # noqa: S608  # conditions are literals of this module
            f" WHERE {condition} ORDER BY id",
            values,
        )
        return tuple(
            Outgoing(
                id=row[0],
                intent=row[1],
                case=row[2],
                method=row[3],
                path=row[4],
                body=row[5],
                draft=row[6],
                receipt=row[7],
                refused=row[8],
                created_ms=row[9],
            )
            for row in rows
        )

    def ever_intended(self, intent: str) -> Outgoing | None:
        """The newest request of this intent, reported or not."""
        found = self._outgoing("intent=?", intent)
        return found[-1] if found else None

    def settle(self, identifier: int, *, receipt: bytes | None, refused: str | None) -> None:
        """Ends a request: with its receipt, or with the code it was refused with."""
        self._db.execute("UPDATE outbox SET receipt=?, refused=? WHERE id=?", (receipt, refused, identifier))

    def expect_head(self, case: CaseId, n: int, head: Hash) -> None:
        """A receipt, or a link, says that this case's log has this head there: to be checked when it is followed."""
        self._db.execute("INSERT OR IGNORE INTO receipts VALUES (?,?,?)", (case, n, head))

    def expected_heads(self, case: CaseId, *, upto: int) -> dict[int, Hash]:
        """The heads that were promised for positions up to there, and not yet checked."""
        rows = self._db.execute("SELECT n, head FROM receipts WHERE case_id=? AND n<=?", (case, upto))
        return {int(n): head for n, head in rows}

    def drop_expected_heads(self, case: CaseId, *, upto: int) -> None:
        """They were as promised."""
        self._db.execute("DELETE FROM receipts WHERE case_id=? AND n<=?", (case, upto))

    def prune(self, *, before_ms: int) -> None:
        """Forgets requests that were settled and told, with the file keys in their drafts."""
        self._db.execute(
            "DELETE FROM outbox WHERE reported=1 AND created_ms<? AND (receipt IS NOT NULL OR refused IS NOT NULL)",
            (before_ms,),
        )

    def report(self, identifier: int) -> None:
        """The person has been told: the same words mean a new request from here on."""
        self._db.execute("UPDATE outbox SET reported=1 WHERE id=?", (identifier,))

    def forget(self, identifier: int) -> None:
        """Removes a settled request with its draft, and the file keys in it."""
        self._db.execute("DELETE FROM outbox WHERE id=?", (identifier,))

    def put_payloads(self, rows: Iterable[PayloadRow]) -> None:
        """Notes sealed payloads that must be uploaded before their envelope."""
        self._db.executemany(
            "INSERT INTO payloads VALUES (?,?,?,?,?,?,?)",
            [(row.p, row.outbox_id, row.case, row.size_bytes, row.spool.name, row.url, int(row.done)) for row in rows],
        )

    def payloads(self, outbox_id: int) -> tuple[PayloadRow, ...]:
        """The payloads of one request."""
        rows = self._db.execute(
            "SELECT p, outbox_id, case_id, size_bytes, spool, url, done FROM payloads WHERE outbox_id=?", (outbox_id,)
        )
        return tuple(
            PayloadRow(
                p=p,
                outbox_id=outbox,
                case=case,
                size_bytes=size_bytes,
                spool=self.spool / spool,
                url=url,
                done=bool(done),
            )
            for p, outbox, case, size_bytes, spool, url, done in rows
        )

    def spooled(self) -> frozenset[Path]:
        """The spool files that some request still waits for."""
        return frozenset(self.spool / row[0] for row in self._db.execute("SELECT spool FROM payloads"))

    def save_upload(self, p: Hash, *, url: str | None, done: bool) -> None:
        """Keeps an upload's URL, or that it is complete."""
        self._db.execute("UPDATE payloads SET url=?, done=? WHERE p=?", (url, int(done), p))

    def drop_payloads(self, outbox_id: int) -> None:
        """Removes the spooled payloads of a settled request; files that a kill leaves here are swept at a later start."""
        rows = self.payloads(outbox_id)
        self._db.execute("DELETE FROM payloads WHERE outbox_id=?", (outbox_id,))
        for row in rows:
            row.spool.unlink(missing_ok=True)

    def drop_settled_payloads(self) -> None:
        """What a kill left of `drop_payloads`."""
        self._db.execute(
            "DELETE FROM payloads WHERE outbox_id NOT IN (SELECT id FROM outbox WHERE receipt IS NULL AND refused IS NULL)"
        )
