"""What the relay says of itself."""

from pathlib import Path

from tests.ends import world_at
from vetrelay.config import RelayLimits
from vetrelay.protocol.ids import relay_id


async def test_a_relay_is_known_by_the_key_that_signs_its_heads(tmp_path: Path) -> None:
    """The id is that key's hash: whoever has the link can check both."""
    async with world_at(tmp_path) as world:
        told = (await world.call("GET", "/v1/relay")).body
        assert told["relay"] == relay_id(told["log_key"])
        assert world.clock.now_ms == told["time"]
        assert world.relay.limits.object_bytes == told["limits"]["object_bytes"]


async def test_living_and_being_ready_are_two_things(tmp_path: Path) -> None:
    """With a full disk it lives, reads, and accepts nothing."""
    async with world_at(tmp_path, limits=RelayLimits(min_free_bytes=2**60)) as world:
        live, ready = await world.call("GET", "/health"), await world.call("GET", "/ready")
        assert (200, 507, "storage_full") == (live.status, ready.status, ready.code)
        assert 200 == (await world.call("GET", "/v1/relay")).status


async def test_ready_says_that_a_commit_went_through(tmp_path: Path) -> None:
    """Not only that somebody answers."""
    async with world_at(tmp_path) as world:
        assert {"status": "ready"} == (await world.call("GET", "/ready")).body
