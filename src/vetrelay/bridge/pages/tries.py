"""How often a code may be tried: five times an hour for each link, counted before the code is looked at."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from sqlalchemy import Engine, case, delete

from vetrelay.bridge.pages.upload_rows import tries as table
from vetrelay.bridge.store.sealing import Seals
from vetrelay.bridge.store.upsert import dialect_insert

MOST_TRIES: Final = 5
HOUR_MS: Final = 60 * 60 * 1000
MOST_STRANGE: Final = 4096


class Tries:
    """Counts tries for links that exist in a table, which a restart does not empty; for others, in a bounded memory."""

    def __init__(self, engine: Engine, seals: Seals, now_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._seals = seals
        self._now_ms = now_ms
        self._strange: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def count(self, link: str, *, is_known: bool) -> int | None:
        """One more try. None: it may be looked at. Else the seconds until the next one may."""
        now_ms, key = self._now_ms(), self._seals.mac("page tries", link.encode("utf-8", "replace"))
        since_ms, count = self._counted(key, now_ms) if is_known else self._counted_strange(key, now_ms)
        return None if count <= MOST_TRIES else max(1, (since_ms + HOUR_MS - now_ms + 999) // 1000)

    def forgive(self, link: str) -> None:
        """The code was right: what was tried before does not count any more."""
        with self._engine.begin() as connection:
            connection.execute(delete(table).where(table.c.link == self._seals.mac("page tries", link.encode())))

    def _counted(self, key: str, now_ms: int) -> tuple[int, int]:
        """Since when, and how many with this one. One statement: of tries that come together none is lost."""
        is_over = table.c.since_ms <= now_ms - HOUR_MS
        with self._engine.begin() as connection:
            row = connection.execute(
                dialect_insert(connection, table)
                .values(link=key, since_ms=now_ms, count=1)
                .on_conflict_do_update(
                    index_elements=[table.c.link],
                    set_={
                        "since_ms": case((is_over, now_ms), else_=table.c.since_ms),
                        "count": case((is_over, 1), else_=table.c.count + 1),
                    },
                )
                .returning(table.c.since_ms, table.c.count)
            ).one()
        return row.since_ms, row[1]

    def _counted_strange(self, key: str, now_ms: int) -> tuple[int, int]:
        since_ms, count = self._strange.pop(key, (now_ms, 0))
        if since_ms <= now_ms - HOUR_MS:
            since_ms, count = now_ms, 0
        self._strange[key] = (since_ms, count + 1)
        if len(self._strange) > MOST_STRANGE:
            self._strange.popitem(last=False)
        return since_ms, count + 1
