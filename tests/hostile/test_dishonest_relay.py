"""What a relay's owner may try with a log, and how each end finds it out: a table, through the whole client.

N23, N24, N25, N26, N38, N42, N52, N53. The relay here holds its own log key and signs what it likes.
"""

import json
import os
from collections.abc import Callable

import pytest

from tests.client.conftest import Room
from tests.client.devices import add_device, rotate
from tests.client.test_outbox import promised
from tests.hostile.dishonest import Fork, Json, Liar, liar_before, said, texts_of
from vetrelay.client.cases import invite
from vetrelay.client.end import End
from vetrelay.client.follow import follow
from vetrelay.client.outbox import deliver
from vetrelay.client.say import say
from vetrelay.client.thread import read_thread
from vetrelay.errors import Refusal
from vetrelay.protocol.identity import signer_from
from vetrelay.protocol.ids import b64, sha256, unb64
from vetrelay.protocol.log import Kind, Link, Tail, empty_log

Alter = Callable[[bytes, bytes], tuple[bytes, bytes]]
HOUR_MS = 60 * 60 * 1000


async def code_of(end: End, case: str) -> str:
    """What following a case ends with."""
    try:
        await follow(end, case)
    except Refusal as refused:
        return refused.code
    return "success"


# --- the log: what is told after position `known`, and the head that goes with it -------------------------------------


def shortened(fork: Fork, known: int) -> Json:
    """The newest entries are gone, as if they had never been."""
    return {"items": [], "head": fork.head(fork.tail(known - 2))}


def other_head(fork: Fork, known: int) -> Json:
    """(N24) A second head for the position that is known already."""
    tail = fork.tail(known)
    return {"items": [], "head": fork.head(type(tail)(n=tail.n, head=b64(os.urandom(32)), time_ms=tail.time_ms))}


def other_past(fork: Fork, known: int) -> Json:
    """A log whose past lacks a position, consistent in itself, and longer than what is known."""
    forked = fork.copy()
    del forked.items[known - 1]
    forked.renumber()
    return forked.page(known)


def reordered(fork: Fork, known: int) -> Json:
    """Two messages change places; the head is the true one."""
    first, second = (dict(item) for item in fork.items[known : known + 2])
    swapped = {**first, **{name: second[name] for name in ("entry", "signed", "objects")}}
    back = {**second, **{name: first[name] for name in ("entry", "signed", "objects")}}
    return {"items": [swapped, back, *fork.items[known + 2 :]], "head": fork.head()}


def gap(fork: Fork, known: int) -> Json:
    """A position is left out."""
    return {"items": fork.items[known + 1 :], "head": fork.head()}


def closed_gap(fork: Fork, known: int) -> Json:
    """A position is left out, the others move up, and something that is not for us fills the end."""
    items = [{**item, "n": item["n"] - 1} for item in fork.items[known + 1 :]]
    last = fork.items[-1]
    filler = {
        "n": last["n"],
        "time": last["time"],
        "kind": 3,
        "entry": b64(os.urandom(32)),
        "signed": None,
        "objects": [],
    }
    return {"items": [*items, filler], "head": fork.head()}


def wrong_previous(fork: Fork, known: int) -> Json:
    """A message that is said not to be for us stands for another entry than the head was computed with."""
    other = {**fork.items[known], "entry": b64(os.urandom(32)), "signed": None, "objects": []}
    return {"items": [other, *fork.items[known + 1 :]], "head": fork.head()}


def other_bytes(fork: Fork, known: int) -> Json:
    """The entry is the right one, the signed bytes are another's."""
    swapped = {**fork.items[known], "signed": fork.items[known + 1]["signed"]}
    return {"items": [swapped, *fork.items[known + 1 :]], "head": fork.head()}


def hidden_statement(fork: Fork, known: int) -> Json:
    """A statement on who takes part, with its content withheld."""
    items = [{**item, "signed": None} if item["kind"] == 1 else item for item in fork.items[known:]]
    return {"items": items, "head": fork.head()}


def forged_statement(fork: Fork, known: int) -> Json:
    """A statement with a signature that is not its author's, well linked."""
    forked = fork.copy()
    item = next(item for item in forked.items[known:] if item["kind"] == 1)
    item["signed"]["sigs"][0]["sig"] = b64(bytes(64))
    return forked.page(known)


def more_than_signed(fork: Fork, known: int) -> Json:
    """More positions than the head speaks for."""
    return {"items": fork.items[known:], "head": fork.head(fork.tail(known + 1))}


def less_than_signed(fork: Fork, known: int) -> Json:
    """A head that speaks for positions that are never told: asking again would go on for ever."""
    return {"items": [], "head": fork.head()}


def backwards(fork: Fork, known: int) -> Json:
    """(N52) Time decreases, well linked and signed."""
    forked = fork.copy()
    forked.items[known]["time"] = forked.items[known - 1]["time"] - 1
    tail, items = forked_tail_without_time(forked), forked.items[known:]
    return {"items": items, "head": forked.head(tail)}


def forked_tail_without_time(fork: Fork) -> Tail:
    """The tail of a log whose time runs backwards, which no honest code computes."""
    tail = empty_log(fork.case)
    for item in fork.items:
        link = Link(time_ms=item["time"], kind=Kind(item["kind"]), entry=item["entry"])
        n = tail.n + 1
        raw = sha256(b"VetRelay-v1 link\0", unb64(tail.head, 32), n.to_bytes(8, "big"), link.pack())
        tail = Tail(n=n, head=b64(raw), time_ms=link.time_ms)
    return tail


Told = Callable[[Fork, int], Json]
LOG_LIES: list[tuple[str, Told, str]] = [
    ("N23 shortened", shortened, "log_shortened"),
    ("N23 forked in the past", other_past, "log_forked"),
    ("N23 reordered", reordered, "log_forked"),
    ("N23 gap", gap, "entry_differs"),
    ("N23 gap closed", closed_gap, "log_forked"),
    ("N23 wrong prev", wrong_previous, "log_forked"),
    ("N23 other bytes", other_bytes, "entry_differs"),
    ("N23 statement withheld", hidden_statement, "entry_differs"),
    ("N23 statement forged", forged_statement, "bad_signature"),
    ("N23 more than signed", more_than_signed, "entry_differs"),
    ("N23 less than signed", less_than_signed, "entry_differs"),
    ("N24 second head", other_head, "log_forked"),
    ("N52 backwards", backwards, "time_backwards"),
]


@pytest.mark.parametrize(("told", "code"), [lie[1:] for lie in LOG_LIES], ids=[lie[0] for lie in LOG_LIES])
async def test_a_log_that_is_not_the_one_that_was(room: Room, liar: Liar, told: Told, code: str) -> None:
    """Refused by its code; nothing is taken over; sending is blocked; what was signed is kept; reading goes on."""
    await said(room.clinic, room.case, "one")
    owner = await room.town.again(room.owner, url=liar.url)
    known = (await follow(owner, room.case)).tail
    await said(room.clinic, room.case, "two", "three")
    await room.town.newcomer(room.clinic, room.case, "provider", role="provider")
    fork = await liar.fork_of(room.clinic, room.case)
    liar.fork, liar.lie = fork, lambda _page: told(fork, known.n)

    assert code == await code_of(owner, room.case)
    assert (known, code) == (owner.journal.case(room.case).tail, owner.journal.case(room.case).blocked)
    ((kept_code, evidence),) = owner.journal.evidence(room.case)
    kept = json.loads(evidence)
    assert (code, True, True) == (kept_code, bool(kept["offered"]), bool(kept["known"]))

    liar.fork, liar.lie = None, None  # from now on it is honest, and it does not help
    with pytest.raises(Refusal) as refused:
        await say(owner, room.case, text="not sent")
    assert code == refused.value.code
    assert ["one", "two", "three"] == texts_of(owner, room.case)
    await follow(room.clinic, room.case)
    assert ["one", "two", "three"] == texts_of(room.clinic, room.case)


# --- heads and receipts that are not this relay's word on this case -----------------------------------------------------


def by_another_key(fork: Fork) -> Json:
    """(N53) Signed by a key that is not this relay's."""
    other = fork.copy()
    other.signer = signer_from(bytes(32))
    return other.head()


def in_its_name(fork: Fork) -> Json:
    """(N53) This relay's key, in another relay's name."""
    other = fork.copy()
    other.relay = b64(bytes(32))
    return other.head()


def of_another_case(fork: Fork) -> Json:
    """A head of another case."""
    other = fork.copy()
    other.case = b64(bytes(32))
    return other.head(fork.tail())


def unsigned(fork: Fork) -> Json:
    """The signature is stripped."""
    return {**fork.head(), "sigs": []}


def changed(fork: Fork) -> Json:
    """The true signature over other bytes."""
    return {**fork.head(), "body": fork.head(time_ms=7)["body"]}


HEAD_LIES: list[tuple[str, Callable[[Fork], Json], str]] = [
    ("N53 another key", by_another_key, "wrong_relay"),
    ("N53 another relay's name", in_its_name, "wrong_relay"),
    ("another case", of_another_case, "wrong_case"),
    ("no signature", unsigned, "wrong_relay"),
    ("changed", changed, "bad_signature"),
]


@pytest.mark.parametrize(("head", "code"), [lie[1:] for lie in HEAD_LIES], ids=[lie[0] for lie in HEAD_LIES])
async def test_a_head_that_is_not_this_relays_word_takes_nothing_over(
    room: Room, liar: Liar, head: Callable[[Fork], Json], code: str
) -> None:
    """It is no evidence against the relay: nothing is blocked, and the next honest page is taken."""
    owner = await room.town.again(room.owner, url=liar.url)
    known = (await follow(owner, room.case)).tail
    await said(room.clinic, room.case, "one")
    fork = await liar.fork_of(room.clinic, room.case)
    liar.fork, liar.lie = fork, lambda page: {**page, "head": head(fork)}
    assert code == await code_of(owner, room.case)
    assert (known, None) == (owner.journal.case(room.case).tail, owner.journal.case(room.case).blocked)
    liar.fork, liar.lie = None, None
    await follow(owner, room.case)
    assert ["one"] == texts_of(owner, room.case)


@pytest.mark.parametrize(("head", "code"), [lie[1:] for lie in HEAD_LIES], ids=[lie[0] for lie in HEAD_LIES])
async def test_a_receipt_that_is_not_this_relays_word_is_none(
    room: Room, liar: Liar, head: Callable[[Fork], Json], code: str
) -> None:
    """The promise stands; an honest relay gives the stored receipt, and the message is there once."""
    owner = await room.town.again(room.owner, url=liar.url)
    fork = await liar.fork_of(room.owner, room.case)
    liar.rewrite("PUT", ".*/envelopes/.*", lambda answer: {**answer, "receipt": head(fork)})
    with pytest.raises(Refusal) as refused:
        await say(owner, room.case, text="one")
    assert code == refused.value.code
    assert 1 == len(owner.journal.outgoing())
    liar.answers.clear()
    await say(owner, room.case, text="one")
    await follow(room.clinic, room.case)
    assert ["one"] == texts_of(room.clinic, room.case)


async def test_a_receipt_for_another_entry_is_none(room: Room, liar: Liar) -> None:
    """The relay signs that it took something in, but not this; and does not take this in."""
    owner = await room.town.again(room.owner, url=liar.url)
    fork = await liar.fork_of(room.owner, room.case)
    liar.rewrite("PUT", ".*/envelopes/.*", lambda _answer: {"receipt": fork.head(entry=b64(bytes(32)))})
    with pytest.raises(Refusal) as refused:
        await say(owner, room.case, text="one")
    assert "entry_differs" == refused.value.code
    assert 1 == len(owner.journal.outgoing())


async def test_a_receipt_that_the_log_does_not_keep_is_found_out(room: Room, liar: Liar) -> None:
    """(N24) Signed as accepted at a position; then the log has something else there."""
    owner = await room.town.again(room.owner, url=liar.url)
    fork = await liar.fork_of(room.owner, room.case)
    liar.fork = fork.copy()
    _, receipt = await say(owner, room.case, text="swallowed")
    await said(room.clinic, room.case, "one")
    liar.fork = await liar.fork_of(room.clinic, room.case)
    assert receipt.n == len(liar.fork.items)
    assert "log_forked" == await code_of(owner, room.case)
    assert "log_forked" == owner.journal.case(room.case).blocked


# --- forks between members ----------------------------------------------------------------------------------------------


async def two_forks(room: Room, liar: Liar, other: Liar) -> tuple[End, End]:
    """The owner and the clinic on two logs: for the owner, something that is not for it stands where an invitation is."""
    await invite(room.clinic, room.case, "consultant")
    liar.fork = await liar.fork_of(room.clinic, room.case)
    other.fork = liar.fork.copy()
    last = other.fork.items[-1]
    other.fork.items[-1] = {**last, "kind": 3, "entry": b64(os.urandom(32)), "signed": None}
    liar.others, other.others = [other.fork], [liar.fork]
    clinic = await room.town.again(room.clinic, url=liar.url)
    owner = await room.town.again(room.owner, url=other.url)
    return clinic, owner


async def test_two_on_two_forks_who_exchange_one_message_both_find_out(room: Room, liar: Liar) -> None:
    """(N25) Each envelope carries its sender's view; no word of the relay can mend it."""
    async with liar_before(room.town.url, room.town.folder / "relay", now_ms=room.town.clock) as other:
        clinic, owner = await two_forks(room, liar, other)
        await follow(clinic, room.case)
        waiting = await promised(clinic, room.case, "from the clinic's fork")
        await said(owner, room.case, "from the owner's fork")
        await deliver(clinic, waiting)
        for end, shown in ((clinic, [None, "from the clinic's fork"]), (owner, ["from the owner's fork", None])):
            await follow(end, room.case)
            thread = read_thread(end, room.case)
            assert (shown, {None, "log_forked"}) == (
                [entry.text for entry in thread.entries], {entry.problem for entry in thread.entries},
            )  # fmt: skip
            ((_, evidence),) = end.journal.evidence(room.case)
            assert "envelope" == json.loads(evidence)["envelope"]["type"]
            with pytest.raises(Refusal) as refused:
                await say(end, room.case, text="more")
            assert "log_forked" == refused.value.code


async def test_a_change_of_keys_that_was_hidden_from_a_sender_is_found_out_by_every_reader(
    room: Room, liar: Liar
) -> None:
    """(N42) The sender seals to the old key; whoever knows of the new one does not show it."""
    phone = await add_device(room.town, room.owner, "phone")
    await follow(room.clinic, room.case)
    hidden = await liar.fork_of(room.clinic, room.case)
    await rotate(room.owner, revoke=(phone.device.id,))
    full = await liar.fork_of(room.owner, room.case)
    async with liar_before(room.town.url, room.town.folder / "relay", now_ms=room.town.clock) as other:
        liar.fork, liar.others, other.fork = hidden, [full], full
        clinic = await room.town.again(room.clinic, url=liar.url)
        owner = await room.town.again(room.owner, url=other.url)
        await said(clinic, room.case, "sealed to the old key")
        await follow(owner, room.case)
        (entry,) = read_thread(owner, room.case).entries
        assert entry.text is None
        assert entry.problem in {"log_forked", "roster_moved"}


async def test_an_old_head_served_again_stops_sending_after_a_day(room: Room, liar: Liar) -> None:
    """(N26) The relay freezes: it serves the true log of yesterday, with the true head of yesterday."""
    owner = await room.town.again(room.owner, url=liar.url)
    await follow(owner, room.case)
    liar.fork = await liar.fork_of(room.owner, room.case)
    old = liar.fork.head()
    liar.lie = lambda page: {**page, "head": old}
    room.town.clock.now_ms += 20 * HOUR_MS
    waiting = await promised(owner, room.case, "promised in time")
    room.town.clock.now_ms += 5 * HOUR_MS
    for attempt in (say(owner, room.case, text="late"), deliver(owner, waiting)):
        with pytest.raises(Refusal) as refused:
            await attempt
        assert "head_stale" == refused.value.code
    assert owner.journal.case(room.case).blocked is None
    liar.fork, liar.lie = None, None
    await said(owner, room.case, "late")
    await follow(room.clinic, room.case)
    assert ["promised in time", "late"] == texts_of(room.clinic, room.case)


@pytest.mark.parametrize(("off_hours", "code"), [(-48, "success"), (48, "head_stale")])
async def test_a_clock_that_is_two_days_off_reads_and_is_told(room: Room, off_hours: int, code: str) -> None:
    """(N38) Behind, nothing is lost; ahead, an old head and a wrong clock cannot be told apart: the person is told both."""
    owner = await room.town.again(room.owner, clock=lambda: room.town.clock() + off_hours * HOUR_MS)
    await said(room.clinic, room.case, "one")
    await follow(owner, room.case)
    assert ["one"] == texts_of(owner, room.case)
    ended = "success"
    try:
        await say(owner, room.case, text="two")
    except Refusal as refused:
        ended = refused.code
    assert code == ended
    await follow(room.clinic, room.case)
    assert (["one", "two"] if code == "success" else ["one"]) == texts_of(room.clinic, room.case)
