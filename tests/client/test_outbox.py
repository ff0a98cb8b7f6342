"""The outbox: promise first, deliver after, as often as it takes; a refusal ends a promise only if it is the relay's."""

import asyncio
from pathlib import Path

import pytest

from tests.client.conftest import Room
from tests.cutting_proxy import cutting_proxy
from vetrelay.client.cases import remove, set_state
from vetrelay.client.end import End
from vetrelay.client.follow import follow
from vetrelay.client.news import receive
from vetrelay.client.outbox import deliver, deliver_all, promise_envelope
from vetrelay.client.promises import Outgoing
from vetrelay.client.say import draft_of, say, speaking_class
from vetrelay.client.thread import read_thread
from vetrelay.client.transfer import seal_content
from vetrelay.errors import Fault, Refusal
from vetrelay.protocol.envelope import parse_envelope
from vetrelay.protocol.ids import CaseId
from vetrelay.protocol.manifest import Text
from vetrelay.protocol.signature import parse_wire

AWAY = "http://127.0.0.1:1"


async def promised(end: End, case: CaseId, text: str) -> Outgoing:
    """A message that is promised and not delivered yet."""
    class_ = speaking_class(await follow(end, case), end)
    draft = draft_of(end, case, class_=class_, audience="case", content=Text(text=text))
    return await promise_envelope(end, f"send:{text}", draft, ())


async def read_by(end: End, case: CaseId) -> list[str | None]:
    """The words in the case."""
    await follow(end, case)
    return [entry.text for entry in read_thread(end, case).entries]


async def test_what_was_said_while_the_relay_was_away_goes_with_the_next_command(room: Room) -> None:
    """It stands in the outbox, and everything arrives in its order."""
    await follow(room.owner, room.case)
    away = await room.town.again(room.owner, url=AWAY)
    for text in ("one", "two"):
        with pytest.raises(Fault) as fault:
            await say(away, room.case, text=text)
        assert "unreachable" == fault.value.code
    await say(room.owner, room.case, text="three")
    assert ["one", "two", "three"] == await read_by(room.clinic, room.case)


async def test_a_repeat_is_the_same_bytes_and_the_same_receipt(room: Room) -> None:
    """(S3) Accepted, but the receipt was not stored: the relay gives the stored one."""
    waiting = await promised(room.owner, room.case, "one")
    first = await deliver(room.owner, waiting)
    room.owner.journal._db.execute("UPDATE outbox SET receipt=NULL WHERE id=?", (waiting.id,))
    assert first == await deliver(room.owner, waiting)
    assert ["one"] == await read_by(room.clinic, room.case)


async def test_ten_processes_deliver_one_promise_once(room: Room, tmp_path: Path) -> None:
    """They take turns; those who come later find the receipt. Nobody uploads into another's upload."""
    (tmp_path / "large").write_bytes(b"x" * 3_000_000)
    sealed = seal_content(room.owner, b"x" * 3_000_000)
    from vetrelay.client.drafts import as_object

    draft = draft_of(
        room.owner,
        room.case,
        class_="message",
        audience="case",
        content=Text(text="one"),
        objects=(as_object(sealed, media="text/plain", name="a.txt", keep_original=False),),
    )
    waiting = await promise_envelope(room.owner, "send:one", draft, (sealed,))
    ends = [await room.town.again(room.owner) for _ in range(10)]
    heads = await asyncio.gather(*(deliver(end, waiting) for end in ends))
    assert 1 == len(set(heads))
    assert ["one"] == await read_by(room.clinic, room.case)
    assert [] == list(room.owner.journal.spool.iterdir())


async def test_ten_processes_that_say_the_same_say_it_once(room: Room) -> None:
    """(N40) Two windows and one wish: one message."""
    ends = [await room.town.again(room.owner) for _ in range(10)]
    await asyncio.gather(*(say(end, room.case, text="one") for end in ends))
    assert ["one"] == await read_by(room.clinic, room.case)


async def test_what_another_process_is_delivering_is_left_to_it(room: Room) -> None:
    """A command that brings along what waits does not wait for a long upload of another."""
    from vetrelay.client.turns import tried_turn

    waiting = await promised(room.owner, room.case, "one")
    with tried_turn(room.owner.turns, f"promise {waiting.id}") as mine:
        assert mine
        assert () == await deliver_all(await room.town.again(room.owner))
    assert [waiting.id] == [one.id for one in room.owner.journal.outgoing()]


async def test_a_removal_before_it_arrives_seals_it_again(room: Room) -> None:
    """(N09) The roster has narrowed: the same words, under the same id, for who is left."""
    second = await room.town.newcomer(room.clinic, room.case, "second")
    from vetrelay.client.cases import approve

    await approve(room.clinic, room.case, second.keyring.party)
    waiting = await promised(room.owner, room.case, "one")
    await remove(room.clinic, room.case, second.keyring.party)
    await deliver(room.owner, waiting)
    now = room.owner.journal.promised(waiting.id)
    assert now is not None
    assert waiting.body != now.body
    await follow(room.clinic, room.case)
    (entry,) = read_thread(room.clinic, room.case).entries
    row = room.clinic.journal.position_of(room.case, entry.entry)
    assert row is not None
    assert row.signed is not None
    readers = {unit.party for unit in parse_envelope(parse_wire(row.signed)).recipients}
    assert ("one", False) == (entry.text, second.keyring.party in readers)


async def test_a_newcomer_does_not_disturb_what_is_on_its_way(room: Room) -> None:
    """Additions never cause sealing again: the newcomer simply has no part in what was said before."""
    waiting = await promised(room.owner, room.case, "one")
    await room.town.newcomer(room.clinic, room.case, "second")
    await deliver(room.owner, waiting)
    now = room.owner.journal.promised(waiting.id)
    assert now is not None
    assert waiting.body == now.body


async def test_a_refusal_of_the_relay_ends_the_promise_and_is_told_once(room: Room) -> None:
    """The case was closed meanwhile; whoever asks again after that means a new message."""
    waiting = await promised(room.owner, room.case, "one")
    await set_state(room.clinic, room.case, "close")
    with pytest.raises(Refusal) as refused:
        await deliver(room.owner, waiting)
    assert "case_closed" == refused.value.code
    assert (None, ()) == (room.owner.journal.intended("send:one"), room.owner.journal.outgoing())


async def test_a_refusal_that_nobody_was_told_of_waits_for_the_next_command(room: Room) -> None:
    """`receive` brought it there and was refused: the next who can tell the person is given it, until it was told."""
    waiting = await promised(room.owner, room.case, "one")
    await set_state(room.clinic, room.case, "close")
    await receive(room.owner, wait_seconds=0)
    for _ in range(2):
        untold = await deliver_all(room.owner)
        assert [(waiting.id, "case_closed")] == [(one.id, refusal.code) for one, refusal in untold]
    room.owner.journal.report(waiting.id)
    assert () == await deliver_all(room.owner)


async def test_somebody_on_the_way_who_says_no_ends_nothing(room: Room) -> None:
    """A hotel's login page is not the relay: the message stands, and goes later."""

    async def portal(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = b"<html>please log in</html>"
        head = b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        writer.write(head % len(body) + body)
        await writer.drain()
        writer.close()

    waiting = await promised(room.owner, room.case, "one")
    server = await asyncio.start_server(portal, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    elsewhere = await room.town.again(room.owner, url=f"http://127.0.0.1:{port}")
    with pytest.raises(Refusal) as refused:
        await deliver(elsewhere, waiting)
    assert "relay_refused" == refused.value.code
    server.close()
    await deliver(room.owner, waiting)
    assert ["one"] == await read_by(room.clinic, room.case)


async def test_a_blocked_case_sends_nothing_that_was_promised_before(room: Room) -> None:
    """(N23) The promise stands; it is not the message's fault."""
    waiting = await promised(room.owner, room.case, "one")
    with room.owner.journal.transaction():
        room.owner.journal.block(room.case, "log_forked", b"{}", at_ms=1)
    assert () == await deliver_all(room.owner)
    with pytest.raises(Refusal) as refused:
        await deliver(room.owner, waiting)
    assert "log_forked" == refused.value.code
    assert [waiting.id] == [one.id for one in room.owner.journal.outgoing()]
    assert [] == await read_by(room.clinic, room.case)


async def test_what_was_promised_days_ago_is_looked_at_again_first(room: Room) -> None:
    """(N26) The relay is asked how the case stands before an old promise goes out."""
    waiting = await promised(room.owner, room.case, "one")
    room.town.clock.now_ms += 3 * 24 * 60 * 60 * 1000
    await deliver(room.owner, waiting)
    assert ["one"] == await read_by(room.clinic, room.case)
    assert room.town.clock.now_ms - room.owner.journal.case(room.case).head_time_ms < 60_000


async def test_a_sealed_file_that_is_gone_ends_its_promise(room: Room) -> None:
    """It can never be delivered; the person is told to send it again."""
    from vetrelay.client.drafts import as_object

    sealed = seal_content(room.owner, b"x")
    attached = as_object(sealed, media="text/plain", name="a.txt", keep_original=False)
    draft = draft_of(
        room.owner, room.case, class_="message", audience="case", content=Text(text="one"), objects=(attached,)
    )
    waiting = await promise_envelope(room.owner, "send:one", draft, (sealed,))
    sealed.spool.unlink()
    with pytest.raises(Refusal) as refused:
        await deliver(room.owner, waiting)
    assert "spool_lost" == refused.value.code
    assert () == room.owner.journal.outgoing()


@pytest.mark.parametrize("cut_bytes", [200, 3_000, 8_000])
async def test_a_connection_cut_in_the_middle_of_a_submit_neither_loses_nor_doubles(room: Room, cut_bytes: int) -> None:
    """The same bytes are sent again at once."""
    async with cutting_proxy(room.town.url) as proxy:
        owner = await room.town.again(room.owner, url=proxy.url)
        waiting = await promised(owner, room.case, "one")
        proxy.cuts.extend([cut_bytes])
        await deliver(owner, waiting)
    assert ["one"] == await read_by(room.clinic, room.case)
