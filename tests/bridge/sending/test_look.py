"""A look at the queue: what stands there in clear, and nothing else; and letters made due."""

import os
from dataclasses import asdict
from pathlib import Path

import pytest

from vetrelay.bridge.sending.departures import Departures
from vetrelay.bridge.sending.look import DATABASE, look_at_queue, open_queue, retry_now
from vetrelay.bridge.sending.outcome import Later
from vetrelay.bridge.sending.retry import ruling_on
from vetrelay.bridge.store.sealing import Seals
from vetrelay.bridge.store.spool import Spool
from vetrelay.bridge.store.tables import open_database
from vetrelay.config import BridgeConfig

KEY = bytes(32)
CANARIES = ("swordfish", "clinic.example", "bello")


class Clock:
    """A clock that a test sets."""

    now_ms = 1_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


@pytest.fixture
def config(tmp_path: Path) -> BridgeConfig:
    """A bridge's settings."""
    return BridgeConfig(
        data=str(tmp_path), relay_url="x", domain="d.example", hostname="h.example", web_url="https://h.example"
    )


@pytest.fixture
def departures(config: BridgeConfig, tmp_path: Path, clock: Clock) -> Departures:
    """The queue of that bridge."""
    engine = open_database(tmp_path / DATABASE)
    return Departures(engine, Seals(KEY, os.urandom), Spool(tmp_path / "letters", KEY, os.urandom), clock)


def test_the_place_is_where_the_bridge_has_its_tables(config: BridgeConfig) -> None:
    """Before it ever ran there is none, and none is made."""
    assert open_queue(config) is None
    assert not (Path(config.data) / DATABASE).exists()


def test_letters_are_seen_by_state_and_never_by_name(
    config: BridgeConfig, departures: Departures, clock: Clock
) -> None:
    """One that waits after a try, one fresh: ids, counts, times, the reason; not a word of what they hold."""
    added = departures.add(
        b"Subject: swordfish\r\n\r\nBello",
        once="one",
        recipient="eye@clinic.example",
        message_id="<swordfish@d.example>",
        mode="plain",
        person=True,
    )
    claimed = departures.claim("w")
    assert added is not None
    assert claimed is not None
    ruling = ruling_on(claimed, Later(trouble="put_off", code=450), now_ms=clock.now_ms, random_bytes=os.urandom)
    departures.record(claimed, ruling, worker="w")
    clock.now_ms += 5
    departures.add(
        b"x", once="two", recipient="b@clinic.example", message_id="<two@d.example>", mode="notify", person=False
    )
    engine = open_queue(config)
    assert engine is not None
    seen = look_at_queue(engine)
    assert [("queued", 2, 1_000_000)] == [(one.state, one.count, one.oldest_ms) for one in seen.departures]
    assert [("notify", 0), ("plain", 1)] == [(one.mode, one.attempts) for one in seen.letters]
    assert [] == [word for word in CANARIES if word in repr(asdict(seen)).lower()]
    # Made due: one by the beginning of its id, then all.
    assert 1 == retry_now(engine, beginning=added.id[:8], now_ms=clock.now_ms - 1)
    again = departures.claim("w")
    assert again is not None
    assert added.id == again.id
    assert 1 == retry_now(engine, beginning=None, now_ms=clock.now_ms)
    assert 0 == retry_now(engine, beginning="%", now_ms=clock.now_ms)
    engine.dispose()
