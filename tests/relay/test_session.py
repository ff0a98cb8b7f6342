"""Sessions that open: what a device gets, how long it lasts, and what ends it. What is refused: tests/hostile."""

from pathlib import Path

import pytest

from tests.ends import Clock, World, to_json, world_at
from vetrelay.errors import Refusal
from vetrelay.protocol.session import BEARER_LIFE_MS, NONCE_LIFE_MS
from vetrelay.relay.session import ProvenChallenges, bearer_hash
from vetrelay.relay.storage.schema import sessions

NOW_MS = 1_800_000_000_000


def challenges(first: int = 0) -> ProvenChallenges:
    """Challenges whose dice only count."""
    dice = iter(range(first, 10_000))
    return ProvenChallenges(lambda size: next(dice).to_bytes(size, "big"))


def test_a_challenge_is_good_once_and_not_for_long() -> None:
    """Sixty seconds, and one session."""
    made = challenges()
    nonce = made.fresh(now_ms=NOW_MS)
    made.use(nonce, now_ms=NOW_MS + NONCE_LIFE_MS)
    late = made.fresh(now_ms=NOW_MS)
    for one, now_ms in ((nonce, NOW_MS), (late, NOW_MS + NONCE_LIFE_MS + 1), (late, NOW_MS - 1)):
        with pytest.raises(Refusal, match="session_refused"):
            made.use(one, now_ms=now_ms)


def test_a_challenge_of_another_process_is_none() -> None:
    """After a restart, and at another relay."""
    with pytest.raises(Refusal, match="session_refused"):
        challenges(500).check(challenges().fresh(now_ms=NOW_MS), now_ms=NOW_MS)


def test_asking_for_challenges_makes_the_relay_remember_nothing() -> None:
    """Whoever asks a million times takes no memory; a used one is remembered until it is too old anyway."""
    made = challenges()
    for _ in range(100):
        made.fresh(now_ms=NOW_MS)
    assert {} == made._used
    made.use(made.fresh(now_ms=NOW_MS), now_ms=NOW_MS)
    later_ms = NOW_MS + NONCE_LIFE_MS + 1
    made.use(made.fresh(now_ms=later_ms), now_ms=later_ms)
    assert 1 == len(made._used)


async def stored_hashes(world: World) -> list[str]:
    """The bearers' hashes that are kept."""
    return await world.relay.reader.run(lambda store: [row.bearer_hash for row in store._batch.rows(sessions.select())])  # type: ignore[attr-defined]  # a look behind the port


async def test_a_bearer_is_kept_only_as_its_hash(tmp_path: Path) -> None:
    """Whoever reads the database cannot speak for anybody."""
    async with world_at(tmp_path) as world:
        clinic = await world.clinic()
        bearer = clinic.bearers["first"]
        assert [bearer_hash(bearer)] == await stored_hashes(world)
    assert not any(bearer.encode() in path.read_bytes() for path in tmp_path.iterdir() if path.is_file())


async def test_a_bearer_survives_a_restart(tmp_path: Path) -> None:
    """Fifteen minutes are fifteen minutes, whatever happens to the process."""
    clock = Clock()
    async with world_at(tmp_path, clock=clock) as world:
        bearer = (await world.clinic()).bearers["first"]
    clock.now_ms += BEARER_LIFE_MS - 1
    async with world_at(tmp_path, clock=clock) as world:
        assert 200 == (await world.call("GET", "/v1/inbox", bearer=bearer)).status
        clock.now_ms += 1
        assert "no_session" == (await world.call("GET", "/v1/inbox", bearer=bearer)).code


async def test_a_session_may_be_shorter_than_it_could_be(tmp_path: Path) -> None:
    """Until when is the device's to say, up to fifteen minutes."""
    async with world_at(tmp_path) as world:
        clinic = await world.clinic()
        nonce = (await world.call("POST", "/v1/session", {})).body["nonce"]
        wanted = world.clock.now_ms + 1_000
        signed = clinic.sign(clinic.session_request(nonce, until=wanted), kind="session")
        assert wanted == (await world.call("POST", "/v1/session", {"session": to_json(signed)})).body["until"]


async def test_what_is_past_its_end_is_swept_by_the_next_session(tmp_path: Path) -> None:
    """The table holds no more than is in use."""
    async with world_at(tmp_path) as world:
        clinic = await world.clinic()
        await clinic.sign_in()
        world.clock.now_ms += BEARER_LIFE_MS + 1
        await clinic.sign_in()
        assert [bearer_hash(clinic.bearers["first"])] == await stored_hashes(world)


async def test_another_of_the_partys_devices_keeps_its_session(tmp_path: Path) -> None:
    """Revoking one ends the sessions of that one, at once."""
    async with world_at(tmp_path) as world:
        clinic = await world.clinic()
        assert 201 == (await clinic.extend(clinic.device_added("second"))).status
        assert 200 == (await clinic.sign_in("second")).status
        assert 200 == (await clinic.call("GET", "/v1/inbox", device="second")).status
        assert 201 == (await clinic.extend(clinic.rotate("second"))).status
        assert 401 == (await clinic.call("GET", "/v1/inbox", device="second")).status
        assert 200 == (await clinic.call("GET", "/v1/inbox")).status
