"""The sweep removes what is past its time, and nothing else."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.housed_relay import HOUR_MS, HousedRelay, housed_relay
from tests.relay.test_objects import PHOTO, asked, photo_sent, upload
from vetrelay.protocol.case import Hold
from vetrelay.protocol.ids import Hash, b64, sha256
from vetrelay.relay.sweep import INCOMING_MS, UNREFERENCED_MS, WITHHELD_MS, Swept, sweep
from vetrelay.relay.turns import Turns
from vetrelay.relay.upload import create

P = b64(sha256(PHOTO))
NOTHING = Swept(uploads=0, incoming=0, payloads=0, files=0, bearers=0, leases=0)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[HousedRelay]:
    """A relay with a case in it."""
    async with housed_relay(tmp_path) as house:
        yield house


async def in_rows(house: HousedRelay, p: Hash) -> bool:
    """Whether the payload's row is there."""
    return bool(await house.relay.reader.run(lambda store: store.payloads.in_use([p])))


async def on_disk(house: HousedRelay, p: Hash) -> bool:
    """Whether the payload's file is there."""
    return await house.relay.blobs.size_bytes(p) is not None


async def test_what_is_young_or_in_use_stays(house: HousedRelay) -> None:
    """An upload under way, a payload that just came in, one that an envelope names."""
    await photo_sent(house)
    other = await upload(house, b"just came in")
    await create(house.relay, Turns(), house.asker("owner"), case=house.case, size_bytes=9, declared_p=None)
    house.date_files()
    assert NOTHING == await sweep(house.relay)
    assert (True, True) == (await on_disk(house, P), await on_disk(house, other))


async def test_an_upload_past_its_day_goes(house: HousedRelay) -> None:
    """Its row, its reservation, and what came in of it."""
    made = await create(house.relay, Turns(), house.asker("owner"), case=house.case, size_bytes=9, declared_p=None)
    partial = await house.relay.blobs.partial(made.upload.url_hash)
    await partial.append([b"half"])
    await partial.close()
    house.clock.now_ms = made.upload.expires_ms - 1
    assert 0 == (await sweep(house.relay)).uploads
    house.clock.now_ms += 1
    assert 1 == (await sweep(house.relay)).uploads
    assert [] == await house.relay.blobs.received_before(2**50)
    assert frozenset() == await house.relay.reader.run(lambda store: store.uploads.known([made.upload.url_hash]))


async def test_incoming_files_without_a_row_go_after_36_hours(house: HousedRelay) -> None:
    """A crash at U2 to U4, or a row that was removed while its file was being made."""
    nameless = b64(sha256(b"no upload"))
    partial = await house.relay.blobs.partial(nameless)
    await partial.append([b"left over"])
    await partial.close()
    house.date_files()
    house.clock.now_ms += INCOMING_MS
    assert 0 == (await sweep(house.relay)).incoming
    made = await create(house.relay, Turns(), house.asker("owner"), case=house.case, size_bytes=9, declared_p=None)
    partial = await house.relay.blobs.partial(made.upload.url_hash)
    await partial.close()
    house.clock.now_ms += 1
    assert 1 == (await sweep(house.relay)).incoming
    assert [made.upload.url_hash] == await house.relay.blobs.received_before(2**50)


async def test_a_payload_in_no_envelope_goes_after_a_day(house: HousedRelay) -> None:
    """Row and file: nobody submitted the envelope that it was uploaded for."""
    p = await upload(house, b"never sent")
    await photo_sent(house)
    house.date_files()
    house.clock.now_ms += UNREFERENCED_MS
    assert 0 == (await sweep(house.relay)).payloads
    house.clock.now_ms += 1
    swept = await sweep(house.relay)
    assert (1, 1) == (swept.payloads, swept.files)
    assert (False, False) == (await in_rows(house, p), await on_disk(house, p))
    assert (True, True) == (await in_rows(house, P), await on_disk(house, P))


async def test_a_blob_of_a_crash_goes_when_it_is_old(house: HousedRelay) -> None:
    """U4: linked, and no row. A young one stays: its row may be about to be committed."""
    partial = await house.relay.blobs.partial(b64(sha256(b"no upload")))
    await partial.append([b"linked, no row"])
    await partial.sync()
    p = await partial.keep()
    await partial.close()
    house.date_files()
    house.clock.now_ms += UNREFERENCED_MS
    assert 0 == (await sweep(house.relay)).files
    house.clock.now_ms += 1
    assert 1 == (await sweep(house.relay)).files
    assert not await on_disk(house, p)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("code", ["clean", "converted", "kept-sealed", "held", "refused"])
async def test_a_withheld_original_goes_after_thirty_days(house: HousedRelay, code: str, *, keep: bool) -> None:
    """Unless it is kept, or waits for staff. Envelope, header and verdict stay: who asks is told that it is gone."""
    entry, names = await photo_sent(house)
    await house.rule(entry, {P: (code, keep)})
    house.date_files()
    house.clock.now_ms += WITHHELD_MS - HOUR_MS
    assert 0 == (await sweep(house.relay)).payloads
    house.clock.now_ms += 2 * HOUR_MS
    goes = not keep and code != "held"
    assert (int(goes), int(goes)) == ((swept := await sweep(house.relay)).payloads, swept.files)
    assert "given" == await asked(house, "owner", names["photo"], "header")
    assert ("object_gone" if goes else "given") == await asked(house, "owner", names["photo"])


async def test_a_hold_keeps_every_original(house: HousedRelay) -> None:
    """Nothing that was said is removed from a case on hold, until the hold ends."""
    entry, _ = await photo_sent(house)
    await house.rule(entry, {P: ("clean", False)})
    running, care = house.running, house.parties["care"]
    running.say(Hold(v=1, case=running.case, nonce=running.fresh(), on=True), care)
    await house.catch_up()
    house.clock.now_ms += 2 * WITHHELD_MS
    assert 0 == (await sweep(house.relay)).payloads
    running.say(Hold(v=1, case=running.case, nonce=running.fresh(), on=False), care)
    await house.catch_up()
    assert 1 == (await sweep(house.relay)).payloads


async def test_an_original_that_another_envelope_needs_stays(house: HousedRelay) -> None:
    """The same payload sent twice: as long as one of them may still be asked for, its bytes are there."""
    entry, _ = await photo_sent(house)
    await house.rule(entry, {P: ("clean", False)})
    _, refs = await house.say(
        "owner", {"again": ("manifest", b"again"), "s": ("slip", b"s"), "photo again": ("attachment", PHOTO)}
    )
    house.clock.now_ms += 2 * WITHHELD_MS
    assert 0 == (await sweep(house.relay)).payloads
    assert "given" == await asked(house, "owner", refs["photo again"].h0)


async def test_bearers_that_ended_go(house: HousedRelay) -> None:
    """And those that still count stay."""
    await house.bearer("owner", until_ms=house.clock.now_ms + 1_000)
    await house.bearer("owner", until_ms=house.clock.now_ms + 3_000)
    house.clock.now_ms += 2_000
    assert 1 == (await sweep(house.relay)).bearers
    assert 0 == (await sweep(house.relay)).bearers


async def test_a_sweep_may_be_repeated(house: HousedRelay) -> None:
    """The second one finds nothing."""
    await upload(house, b"never sent")
    house.date_files()
    house.clock.now_ms += 2 * WITHHELD_MS
    assert 1 == (await sweep(house.relay)).payloads
    assert NOTHING == await sweep(house.relay)
