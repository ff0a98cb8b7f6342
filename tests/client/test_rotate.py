"""The machine's key changes by the week, with no way back."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from tests.practice import Practice, end_of, photo, practice, visit
from vetrelay.client.end import End
from vetrelay.client.keyring import load_keyring
from vetrelay.client.parties import own_party
from vetrelay.client.rotate import (
    DAY_MS,
    KEEP_OLD_MS,
    begin_rotation,
    complete_rotation,
    drop_old_keys,
    may_drop,
    newest,
)
from vetrelay.errors import Fault, Refusal
from vetrelay.protocol.ids import unb64
from vetrelay.protocol.unseal import open_age_file

WEEK_MS = 7 * DAY_MS


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    """A practice."""
    with practice(tmp_path_factory.mktemp("practice")) as opened:
        yield opened


@pytest.fixture
async def machine(here: Practice) -> AsyncIterator[End]:
    """The intake's end, while its process is stopped; its newest key stands in its chain."""
    here.intake.end()
    async with end_of(here.intake_home, load_keyring(here.intake_home, passphrase=None)) as end:
        yield await complete_rotation(end)


def a_week_on(end: End, *, less_ms: int = 0) -> End:
    """The same end, when its newest key is a week old."""
    now_ms = newest(end.keyring).since_ms + WEEK_MS - less_ms
    return replace(end, now_ms=lambda: now_ms)


async def rotated(end: End) -> End:
    """The end a week later, with its next key in its chain."""
    return await complete_rotation(begin_rotation(a_week_on(end), every_ms=WEEK_MS))


async def test_a_young_key_stays(machine: End) -> None:
    """Less than a week old, nothing changes."""
    assert machine.keyring == begin_rotation(a_week_on(machine, less_ms=1), every_ms=WEEK_MS).keyring


async def test_the_next_key_is_on_disk_before_the_chain_names_it(machine: End) -> None:
    """Whoever seals to a key that stands in the chain can be sure that it was not lost."""
    gen = newest(machine.keyring).gen
    fresh = begin_rotation(a_week_on(machine), every_ms=WEEK_MS)
    assert gen == (await own_party(machine)).generation.gen
    assert load_keyring(machine.home, passphrase=None).keys == fresh.keyring.keys
    done = await complete_rotation(fresh)
    assert (gen + 1, None) == ((await own_party(done)).generation.gen, (await own_party(done)).generation.back)


async def test_a_kill_in_the_middle_neither_loses_nor_doubles_a_key(machine: End) -> None:
    """Begun again from the keyring, before or after the relay took the statement, it comes to the same one key."""
    gen = newest(machine.keyring).gen
    begun = begin_rotation(a_week_on(machine), every_ms=WEEK_MS)
    first = await complete_rotation(begun)
    second = await complete_rotation(begun)  # killed after the relay had taken it and before that was noted
    assert gen + 1 == (await own_party(second)).generation.gen
    assert newest(first.keyring).seed == newest(second.keyring).seed == newest(begun.keyring).seed


async def test_old_keys_go_when_nothing_can_be_sealed_to_them_any_more(machine: End) -> None:
    """An hour later, with the inbox read to its end since, and no job open: then they are gone from the disk."""
    end = await rotated(machine)
    since_ms = newest(end.keyring).since_ms
    assert not may_drop(end, idle=True, read_to_the_end_ms=since_ms + KEEP_OLD_MS - 1)
    assert not may_drop(end, idle=False, read_to_the_end_ms=since_ms + KEEP_OLD_MS)
    assert may_drop(end, idle=True, read_to_the_end_ms=since_ms + KEEP_OLD_MS)
    kept = drop_old_keys(end)
    assert [newest(end.keyring).gen] == [stored.gen for stored in load_keyring(end.home, passphrase=None).keys]
    assert not may_drop(kept, idle=True, read_to_the_end_ms=since_ms + KEEP_OLD_MS)


async def test_what_the_relay_keeps_of_a_machines_keys_opens_for_nobody(machine: End) -> None:
    """A box that the machine's device could open would give every old key to whoever takes the machine over."""
    end = await rotated(machine)
    for step in (await own_party(end)).generations:
        (box,) = step.boxes
        sealed = await end.api.box(end.keyring.party, box.sha256)
        with pytest.raises(Refusal, match="cannot_open"):
            open_age_file(sealed, [end.device.age])


async def test_a_key_that_is_not_ours_is_a_fault(machine: End) -> None:
    """Seen in the own chain, it means that somebody else has this device's keys."""
    other = begin_rotation(a_week_on(machine), every_ms=WEEK_MS)
    forgotten = begin_rotation(a_week_on(machine), every_ms=WEEK_MS)
    await complete_rotation(other)
    with pytest.raises(Fault, match="keyring_damaged"):
        await complete_rotation(forgotten)
    await complete_rotation(other)  # and its own keyring is on the disk again


async def test_photos_go_on_through_a_rotation(here: Practice) -> None:
    """One sent before it, one after it, one after the old key is gone: each gets its verdict."""
    async with visit(here, "rotation") as case:
        here.intake.end()
        before = await case.send({"before.jpg": photo()})
        async with end_of(here.intake_home, load_keyring(here.intake_home, passphrase=None)) as machine:
            end = await rotated(await complete_rotation(machine))
        after = await case.send({"after.jpg": photo()})
        here.restart_intake()
        entries = [await case.checked(before), await case.checked(after)]
        here.intake.end()
        drop_old_keys(end)
        here.restart_intake()
        entries.append(await case.checked(await case.send({"later.jpg": photo()})))
    assert [["clean"]] * 3 == [[file.verdict for file in entry.attachments] for entry in entries]
    assert 32 == len(unb64(newest(end.keyring).seed))
