"""One transaction as the tables see it: reads at once, writes buffered and flushed with as few statements as can be.

What a batch learns (how cases stand, where inboxes end) is kept beside it and given to the process's memory only
after the COMMIT, so that nothing outside ever sees what may yet be rolled back.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Executable, Row, Table

from vetrelay.protocol.ids import CaseId, DeviceId, EnvelopeId, Hash
from vetrelay.relay.storage.bulk import Values, find_rows, insert_rows, update_rows
from vetrelay.relay.storage.memory import Memory
from vetrelay.relay.tables import Standing, StoredEnvelope

__all__ = ["Batch", "Values"]


class Batch:
    """A connection inside a transaction, its unwritten rows, and what it will teach the memory."""

    def __init__(self, connection: Connection, memory: Memory) -> None:
        self.memory = memory
        self.standings: dict[CaseId, Standing] = {}
        self.heads: dict[tuple[CaseId, int], Hash] = {}
        self.last_seqs: dict[DeviceId, int] = {}
        # What was looked up or added in this transaction: None and False say that it is not there.
        self.envelopes: dict[tuple[CaseId, EnvelopeId], StoredEnvelope | None] = {}
        self.taken: dict[Hash, bool] = {}
        self.actions: list[Callable[[], None]] = []
        self.topics: set[str] = set()
        self.writes = 0
        self._connection = connection
        self._inserts: dict[Table, list[Values]] = {}
        self._updates: dict[tuple[Table, tuple[str, ...]], dict[str, tuple[object, ...]]] = {}

    def rows(self, statement: Executable, values: Values | None = None) -> Sequence[Row[Any]]:
        """What a SELECT finds; it sees everything this transaction has written so far."""
        self.flush()
        return self.unflushed_rows(statement, values)

    def unflushed_rows(self, statement: Executable, values: Values | None = None) -> Sequence[Row[Any]]:
        """What a SELECT finds without this transaction's buffered rows: for whoever looks these up in memory."""
        return self._connection.execute(statement, values).all()

    def find(
        self, table: Table, by: Sequence[str], wanted: Sequence[Sequence[object]], *, names: Sequence[str]
    ) -> Iterator[Sequence[Any]]:
        """Columns of the rows whose columns `by` are among the wanted values; buffered rows are not seen."""
        return find_rows(self._connection, table, by, wanted, names=names)

    def each_row(self, statement: Executable, values: Values) -> Iterator[Row[Any]]:
        """What a SELECT finds, row by row: SQLite computes none that is not asked for."""
        self.flush()
        with self._connection.execute(statement, values) as found:
            yield from found

    def row(self, statement: Executable, values: Values | None = None) -> Row[Any] | None:
        """The one row that a SELECT finds, or None."""
        found = self.rows(statement, values)
        return found[0] if found else None

    def insert(self, table: Table, values: Values) -> None:
        """Add a row, with all columns; a key that is there already shows when the batch is flushed."""
        self.writes += 1
        self._inserts.setdefault(table, []).append(values)

    def set_later(self, table: Table, key: str, values: Values) -> None:
        """Change columns of the row with this key at the flush; of several changes to the same columns, the last."""
        self.writes += 1
        self._updates.setdefault((table, tuple(values)), {})[key] = (key, *values.values())

    def write(self, statement: Executable, values: Values | Sequence[Values] | None = None) -> int:
        """Run a statement that changes rows now; how many it touched."""
        self.flush()
        self.writes += 1
        return self._connection.execute(statement, values).rowcount

    def flush(self) -> None:
        """Write the buffered rows, new ones first, one statement per table and size."""
        if self._inserts:
            inserts, self._inserts = self._inserts, {}
            for table, rows in inserts.items():
                insert_rows(self._connection, table, rows)
        if self._updates:
            updates, self._updates = self._updates, {}
            for (table, names), changes in updates.items():
                update_rows(self._connection, table, names, list(changes.values()))

    def teach(self) -> None:
        """Give what was learned to the memory; only after COMMIT."""
        for case, standing in self.standings.items():
            self.memory.standings.put(case, standing)
        for place, head in self.heads.items():
            self.memory.heads.put(place, head)
        for device, seq in self.last_seqs.items():
            self.memory.last_seqs.put(device, seq)
