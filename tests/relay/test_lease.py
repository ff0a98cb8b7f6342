"""Leases: several intakes of a case share its work; over HTTP, with a clock that the test moves."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest

from tests.ends import End, sealed_object, upload
from tests.standing_case import PACELESS, StandingCase, standing_case, with_objects
from vetrelay.config import RelayLimits
from vetrelay.protocol.envelope import slip_units
from vetrelay.protocol.ids import EntryId
from vetrelay.protocol.signature import Signed
from vetrelay.relay.lease import MAX_PLACES, MAX_SECONDS
from vetrelay.relay.look import look_at_case
from vetrelay.relay.process import DATABASE
from vetrelay.relay.storage.engine import reader_engine
from vetrelay.relay.sweep import sweep


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """A case with two intakes, and messages with a photo each."""

    standing: StandingCase
    second: End
    photos: tuple[Signed, ...]

    @property
    def first(self) -> End:
        """The intake that was there before."""
        return self.standing.intake

    def wanted(self, *entries: EntryId) -> list[dict[str, str]]:
        """The envelopes as a request names them; all when none is named."""
        names = entries or tuple(photo.entry_id() for photo in self.photos)
        return [{"case": self.standing.case, "entry": entry} for entry in names]

    async def lease(self, end: End, *entries: EntryId, seconds: int = 60) -> list[str]:
        """What an end is told of each envelope."""
        body = {"envelopes": self.wanted(*entries), "seconds": seconds}
        reply = await end.call("POST", "/v1/inbox/lease", body)
        return [one["state"] for one in reply.body["leases"]] if reply.status == 200 else [reply.code]

    async def done(self, end: End, *entries: EntryId) -> int:
        """How many leases an end gave back."""
        reply = await end.call("POST", "/v1/inbox/done", {"envelopes": self.wanted(*entries)})
        ended: int = reply.body["ended"]
        return ended

    def pass_seconds(self, seconds: int) -> None:
        """Let the relay's clock go on."""
        self.standing.world.clock.now_ms += seconds * 1000


@pytest.fixture
async def shared(tmp_path: Path) -> AsyncIterator[Shared]:
    """Two intakes of one clinic; the second came in beside the first."""
    async with standing_case(tmp_path, limits=replace_limit(leases_per_device=3)) as standing:
        second = await standing.world.party("second intake", "machine")
        clinic = standing.clinic
        assert (await clinic.extend(clinic.machines(intake=standing.intake, beside=[second]))).status == 201
        photos = [(await standing.with_photo(label))[1] for label in ("one", "two", "three")]
        yield Shared(standing=standing, second=second, photos=tuple(photos))


def replace_limit(**changed: int) -> RelayLimits:
    """Limits of tests with one changed."""
    return msgspec.structs.replace(PACELESS, **changed)


async def test_what_one_has_the_other_does_not_get(shared: Shared) -> None:
    """Until it ends by itself, at the relay's time."""
    one, two, three = (photo.entry_id() for photo in shared.photos)
    assert ["granted", "granted"] == await shared.lease(shared.first, one, two)
    assert ["taken", "taken", "granted"] == await shared.lease(shared.second, one, two, three)
    shared.pass_seconds(59)
    assert ["taken"] == await shared.lease(shared.second, one)
    shared.pass_seconds(1)
    assert ["granted", "granted"] == await shared.lease(shared.second, one, two)
    assert ["taken"] == await shared.lease(shared.first, one)


async def test_asking_again_extends(shared: Shared) -> None:
    """And tells until when, by the relay's clock."""
    one = shared.photos[0].entry_id()
    await shared.lease(shared.first, one, seconds=10)
    shared.pass_seconds(9)
    assert ["granted"] == await shared.lease(shared.first, one, seconds=10)
    shared.pass_seconds(9)
    reply = await shared.second.call("POST", "/v1/inbox/lease", {"envelopes": shared.wanted(one), "seconds": 10})
    assert ("taken", 1000) == (reply.body["leases"][0]["state"], reply.body["leases"][0]["until"] - reply.body["time"])


async def test_what_is_given_back_is_free_at_once(shared: Shared) -> None:
    """By whoever had it; others give nothing back."""
    one = shared.photos[0].entry_id()
    await shared.lease(shared.first, one)
    assert [0, 1, 0] == [
        await shared.done(shared.second, one),
        await shared.done(shared.first, one),
        await shared.done(shared.first, one),
    ]
    assert ["granted"] == await shared.lease(shared.second, one)


async def test_a_verdict_ends_the_work_for_both(shared: Shared) -> None:
    """Its lease is over, and there is none any more: neither for whoever gave it nor for the other."""
    photo = shared.photos[0]
    await shared.lease(shared.first, photo.entry_id())
    assert (await shared.first.submit(await shared.standing.verdict(photo))).status == 201
    assert 0 == await shared.done(shared.first, photo.entry_id())
    for end in (shared.first, shared.second):
        assert ["answered"] == await shared.lease(end, photo.entry_id())


async def test_two_verdicts_on_one_envelope_are_one(shared: Shared) -> None:
    """(N48) Lease or no lease: the second is refused, and cannot supersede what another intake said."""
    photo = shared.photos[0]
    first = await shared.standing.verdict(photo)
    first_signed = shared.first.sign(first.envelope, kind="envelope")
    assert (await shared.first.submit(first, signed=first_signed)).status == 201
    other = replace_intake(shared)
    codes = []
    for supersedes in (None, first_signed.entry_id()):
        late = await other.verdict(photo, label=f"late {supersedes}", supersedes=supersedes)
        codes.append((await shared.second.submit(late)).code)
    assert ["verdict_stands", "wrong_verdict"] == codes


def replace_intake(shared: Shared) -> StandingCase:
    """The same case, with the second intake as the one that answers."""
    return replace(shared.standing, intake=shared.second)


async def test_only_intakes_of_the_case_share_its_work(shared: Shared) -> None:
    """A member has no such work; a machine of elsewhere has no part in the case; a stranger has no session."""
    one = shared.photos[0].entry_id()
    elsewhere = await shared.standing.world.party("elsewhere", "machine")
    ends = (shared.standing.owner, shared.standing.clinic, elsewhere)
    assert [["may_not"], ["may_not"], ["not_a_member"]] == [await shared.lease(end, one) for end in ends]
    body = {"envelopes": shared.wanted(one), "seconds": 1}
    replies = [await shared.first.call("POST", f"/v1/inbox/{path}", body, device=None) for path in ("lease", "done")]
    assert [401, 401] == [reply.status for reply in replies]


async def test_a_withdrawn_intake_shares_no_more(shared: Shared) -> None:
    """What it had ends by itself."""
    clinic = shared.standing.clinic
    await shared.lease(shared.second, shared.photos[0].entry_id())
    assert (await clinic.extend(clinic.machines(intake=shared.first))).status == 201
    assert ["not_a_member"] == await shared.lease(shared.second, shared.photos[0].entry_id())
    shared.pass_seconds(60)
    assert ["granted"] == await shared.lease(shared.first, shared.photos[0].entry_id())


async def test_only_envelopes_are_leased(shared: Shared) -> None:
    """Not a statement, not what is not there; and then none of them."""
    known = await shared.first.know(shared.standing.case)
    statement = shared.standing.clinic.chain[0].entry_id()
    assert known.tail.n
    for other in (statement, "A" * 43):
        assert ["not_found"] == await shared.lease(shared.first, shared.photos[0].entry_id(), other)
    assert ["granted"] == await shared.lease(shared.second, shared.photos[0].entry_id())


async def test_one_device_has_no_more_than_its_share(shared: Shared) -> None:
    """Extending costs nothing; what ended counts no more; a request above the limit grants nothing."""
    photos = [*shared.photos, (await shared.standing.with_photo("four"))[1]]
    entries = [photo.entry_id() for photo in photos]
    assert ["too_many_leases"] == await shared.lease(shared.first, *entries)
    assert ["granted"] * 3 == await shared.lease(shared.first, *entries[:3])
    assert ["granted"] * 3 == await shared.lease(shared.first, *entries[:3])
    assert ["too_many_leases"] == await shared.lease(shared.first, entries[3])
    shared.pass_seconds(60)
    assert ["granted"] == await shared.lease(shared.first, entries[3])


async def test_an_envelope_named_twice_is_one(shared: Shared) -> None:
    """One lease, one answer."""
    one = shared.photos[0].entry_id()
    assert ["granted"] == await shared.lease(shared.first, one, one)
    assert 1 == await shared.done(shared.first, one, one)


@pytest.mark.parametrize(
    "change",
    [
        {"seconds": 0},
        {"seconds": MAX_SECONDS + 1},
        {"envelopes": []},
        {"envelopes": [{"case": "A" * 43, "entry": "A" * 43}] * (MAX_PLACES + 1)},
        {"envelopes": [{"case": "x", "entry": "A" * 43}]},
        {"more": 1},
    ],
    ids=["no time", "too long", "none", "too many", "no case", "a key more"],
)
async def test_a_request_out_of_bounds_is_refused(shared: Shared, change: dict[str, object]) -> None:
    """Before anything is looked up."""
    body = {"envelopes": shared.wanted(), "seconds": 1, **change}
    reply = await shared.first.call("POST", "/v1/inbox/lease", body)
    assert (400, "bad_body") == (reply.status, reply.code)


async def test_the_sweep_takes_what_is_over(shared: Shared) -> None:
    """And nothing that is in force."""
    one, two, _ = (photo.entry_id() for photo in shared.photos)
    await shared.lease(shared.first, one, seconds=10)
    await shared.lease(shared.first, two, seconds=60)
    shared.pass_seconds(10)
    assert 1 == (await sweep(shared.standing.world.relay)).leases
    assert ["taken"] == await shared.lease(shared.second, two)


async def test_a_slip_is_for_each_intake(shared: Shared) -> None:
    """Both are handed it, and the files that it opens."""
    photo = shared.photos[0]
    for end in (shared.first, shared.second):
        page = await end.call("GET", f"/v1/cases/{shared.standing.case}/inbox?limit=200")
        roles = [
            sorted(one["role"] for one in item["objects"])
            for item in page.body["items"]
            if item["entry"] == photo.entry_id()
        ]
        assert [["attachment", "slip"]] == roles


async def test_a_slip_is_sealed_to_exactly_the_intakes(shared: Shared) -> None:
    """(N06) One left out could not do its part; one more would be let in."""
    s = shared.standing
    draft = await s.owner.draft(s.case, label="bent", files=[await upload(s.world, s.case, "bent")])
    roster = (await s.owner.know(s.case)).roster
    units = slip_units(roster)
    (owner,) = (unit for unit in draft.envelope.recipients if unit.party == s.owner.id)
    codes = []
    for some in (units[:1], (*units, owner), units):
        slip = sealed_object("slip", b'{"slip":1}', roster, some, label=f"bent {len(some)}")
        bent = with_objects(draft, [slip if one.ref.role == "slip" else one for one in draft.objects])
        codes.append((await s.owner.submit(bent)).code)
    assert ["sealed_shape", "sealed_shape", "success"] == codes


async def test_an_operator_sees_who_works_on_what(shared: Shared, tmp_path: Path) -> None:
    """Nothing that the relay knows is kept from whoever looks."""
    await shared.lease(shared.first, *(photo.entry_id() for photo in shared.photos[:2]))
    engine = reader_engine(tmp_path / DATABASE)
    try:
        seen = look_at_case(engine, shared.standing.case)
    finally:
        engine.dispose()
    found = {party.party: sum(device.works_on for device in party.devices) for party in seen.parties}
    assert (2, 0) == (found[shared.first.id], found[shared.second.id])
