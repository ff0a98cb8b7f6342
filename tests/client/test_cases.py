"""Cases: opened, invited into, joined, approved, left; each once, however often it is asked for."""

import os
from dataclasses import replace
from typing import Any, Literal

import pytest

from tests.client.conftest import Room
from tests.client.town import Town
from vetrelay.client import cases
from vetrelay.client.api import connect
from vetrelay.client.cases import approve, invite, join, look_at_invitation, open_case, remove, set_state
from vetrelay.client.end import End
from vetrelay.client.follow import follow
from vetrelay.client.names import title_of
from vetrelay.client.news import receive
from vetrelay.client.parties import NewParty, new_party
from vetrelay.client.promises import Outgoing
from vetrelay.client.say import say
from vetrelay.errors import Fault, Refusal
from vetrelay.protocol.ids import b64
from vetrelay.protocol.invitation import InvitationLink, parse_link

AWAY = "http://127.0.0.1:1"


def link_of(text: str) -> InvitationLink:
    """An invitation link."""
    link = parse_link(text)
    assert isinstance(link, InvitationLink)
    return link


async def household(town: Town, link: InvitationLink, name: str) -> tuple[End, NewParty]:
    """A household that has not joined yet."""
    party = new_party(
        "household",
        party_name=name,
        person_name=name,
        relay=link.relay,
        relay_url=town.url,
        random_bytes=os.urandom,
    )
    return await town.newly(name, party.keyring), party


async def test_a_case_that_is_opened_again_before_it_was_told_is_the_same(room: Room) -> None:
    """And afterwards another one of the same title."""
    first, case = await open_case(room.clinic, "Bella")
    _, again = await open_case(room.clinic, "Bella")
    room.clinic.journal.report(first.id)
    _, other = await open_case(room.clinic, "Bella")
    assert case == again != other
    assert "Bella" == title_of(room.clinic, case)


async def test_a_case_that_was_asked_for_while_the_relay_was_away_is_opened_once(room: Room) -> None:
    """The statement waits in the outbox, whoever brings it there."""
    away = await room.town.again(room.clinic, url=AWAY)
    with pytest.raises(Fault):
        await open_case(away, "Bella")
    await receive(room.clinic, wait_seconds=0)
    _, case = await open_case(room.clinic, "Bella")
    assert case == room.clinic.journal.cases()[-1].id
    assert 2 == len(room.clinic.journal.cases())


@pytest.mark.parametrize("title", ["", "x" * 201])
async def test_a_title_that_no_reader_takes_is_refused(room: Room, title: str) -> None:
    """Before a case is opened for it."""
    with pytest.raises(Refusal) as refused:
        await open_case(room.clinic, title)
    assert "name_too_long" == refused.value.code


async def test_neither_title_nor_words_stand_in_the_journal(room: Room) -> None:
    """Wishes are kept as marks that nobody can guess the words from."""
    await open_case(room.clinic, "Xanthippe's ear")
    await say(room.owner, room.case, text="Xanthippe scratches")
    await room.town.stack.aclose()
    for end in (room.clinic, room.owner):
        assert b"Xanthippe" not in b"".join(path.read_bytes() for path in end.home.glob("journal*"))


async def test_an_invitation_that_was_cut_short_is_the_same_link(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its secret waits, sealed, with the promise: no invitation is left open that nobody can use."""

    async def cut(_end: End, _promised: Outgoing) -> None:
        raise Fault("unreachable")

    with monkeypatch.context() as patched:
        patched.setattr(cases, "deliver", cut)
        with pytest.raises(Fault):
            await invite(room.clinic, room.case, "consultant")
    first = await invite(room.clinic, room.case, "consultant")
    second = await invite(room.clinic, room.case, "consultant")
    roster = (await follow(room.clinic, room.case)).roster
    assert 2 == len(roster.invitations)
    assert link_of(first).secret != link_of(second).secret


async def test_who_has_to_be_approved_waits_and_then_takes_part(room: Room) -> None:
    """Joining tells that it waits; nothing can be read or said before."""
    second = await room.town.newcomer(room.clinic, room.case, "second")
    followed = await follow(second, room.case)
    assert followed.roster.role_of(second.keyring.party) is None
    assert "Luna" == title_of(second, room.case)
    await receive(second, wait_seconds=0)
    await approve(room.clinic, room.case, second.keyring.party)
    await receive(second, wait_seconds=0)
    await say(second, room.case, text="hello")
    assert "owner" == (await follow(second, room.case)).roster.role_of(second.keyring.party)


async def test_joining_again_before_it_was_told_changes_nothing(room: Room) -> None:
    """The same statement, the stored receipt."""
    link = link_of(await invite(room.clinic, room.case, "provider"))
    end, party = await household(room.town, link, "provider")
    welcome = await look_at_invitation(end.api, link)
    first, _ = await join(end, link, welcome, party)
    second, _ = await join(end, link, None, None)
    assert first.id == second.id
    assert 3 == len((await follow(room.clinic, room.case)).roster.members)


async def test_a_party_that_is_known_joins_with_its_chain_as_it_is(room: Room) -> None:
    """A clinic that came to this relay by a code takes part in another clinic's case."""
    other = await room.town.clinic("other")
    await room.town.joined(room.clinic, room.case, other, role="consultant")
    assert "consultant" == (await follow(other, room.case)).roster.role_of(other.keyring.party)


@pytest.mark.parametrize("how", ["case", "secret", "head", "n", "relay"])
async def test_a_link_that_was_changed_leads_nowhere(room: Room, how: str) -> None:
    """The case's log is not the one that the link names, or the secret opens nothing; sending is then blocked."""
    link = link_of(await invite(room.clinic, room.case, "provider"))
    values: dict[str, Any] = {"secret": bytes(16), "n": link.n - 1}
    changed = replace(link, **{how: values.get(how, b64(bytes(32)))})
    end, party = await household(room.town, link, "provider")
    with pytest.raises(Refusal) as refused:
        await join(end, changed, await look_at_invitation(end.api, changed), party)
    expected = {"case": "invitation_unknown", "secret": "invitation_unknown", "relay": "wrong_relay"}
    assert expected.get(how, "log_forked") == refused.value.code
    if how in {"head", "n"}:
        assert "log_forked" == end.journal.case(room.case).blocked


async def test_who_leaves_or_removes_itself_is_told_that_it_is_done(room: Room) -> None:
    """A care party may end its own part: the relay then gives it no log to look at."""
    other = await room.town.clinic("other")
    await room.town.joined(room.clinic, room.case, other)
    promised = await remove(other, room.case, other.keyring.party)
    assert promised.id
    assert other.keyring.party not in (await follow(room.clinic, room.case)).roster.members


async def test_closing_and_reopening_are_different_wishes_each_time(room: Room) -> None:
    """The second closing is not the first one's receipt."""
    states: tuple[Literal["close", "reopen"], ...] = ("close", "reopen", "close")
    for state in states:
        promised = await set_state(room.clinic, room.case, state)
        room.clinic.journal.report(promised.id)
        assert (state == "close") == (await follow(room.owner, room.case)).roster.closed


async def test_an_invitation_says_who_asks_and_what_about(room: Room) -> None:
    """Before anything is joined, and without an identity."""
    link = link_of(await invite(room.clinic, room.case, "provider"))
    async with connect(room.town.url, device="", signer=None, now_ms=room.town.clock) as api:
        welcome = await look_at_invitation(api, link)
    assert ("Luna", "clinic", "clinic person", "provider") == (
        welcome.title, welcome.party, welcome.person, welcome.role,
    )  # fmt: skip
