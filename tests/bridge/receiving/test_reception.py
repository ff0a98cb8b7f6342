"""Every answer of the reception, and what stands in spool and tables after it."""

import asyncio
import os
import statistics
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from tests.bridge.mailrooms import CLINIC, NOW_MS, ROWAN, Told, case_of, letter, mailroom, reception_of, zone
from tests.bridge.receiver import DOMAIN, Wire
from tests.bridge.zone import Zone, serving
from vetrelay.bridge.addressing import bounce_address
from vetrelay.bridge.ports import Arrival, ArrivalState, Arriving, MiB, Peer
from vetrelay.bridge.receiving.mailroom import Mailroom
from vetrelay.bridge.receiving.reception import MailReception
from vetrelay.bridge.receiving.smtp_in import listen
from vetrelay.bridge.store.addresses import Addresses
from vetrelay.errors import Fault

PEER = Peer(address="127.0.0.1", helo="mx.wrenfield.example", tls=False)
ELSEWHERE = replace(PEER, address="127.0.0.9")
STRANGER = "a.stranger@plain.example"
DEPARTURE = "d" * 26


class House:
    """A reception at work, with what its letters leave behind."""

    def __init__(self, folder: Path, room: Mailroom, told: Told, dns: Zone) -> None:
        self.folder, self.room, self.told, self.dns = folder, room, told, dns
        self.reception: MailReception = reception_of(room)

    async def take(
        self,
        content: bytes,
        *recipients: str,
        peer: Peer = PEER,
        mail_from: str = ROWAN.address,
        pieces: int = 1,
    ) -> str:
        """The answer behind the dot of a letter that comes in so many pieces."""
        arriving = Arriving(peer=peer, mail_from=mail_from, recipients=recipients or (case_of(ROWAN),))
        incoming = self.reception.begin(arriving)
        step = -(-len(content) // pieces) or 1
        for start in range(0, len(content), step):
            incoming.write(content[start : start + step])
        reply = await incoming.commit()
        return str(reply)

    async def at_rcpt(self, recipient: str) -> str | None:
        """The answer at RCPT."""
        reply = await self.reception.may_reach(PEER, recipient)
        return None if reply is None else str(reply)

    def at_mail(
        self, mail_from: str = ROWAN.address, *, size_bytes: int | None = None, tls: bool = False
    ) -> str | None:
        """The answer at MAIL."""
        reply = self.reception.may_begin(replace(PEER, tls=tls), mail_from, size_bytes=size_bytes)
        return None if reply is None else str(reply)

    def rows(self) -> tuple[Arrival, ...]:
        """All arrivals, oldest first."""
        return tuple(one for state in ArrivalState for one in self.room.arrivals.in_state(state))

    def only(self) -> Arrival:
        """The one arrival there is."""
        (row,) = self.rows()
        return row

    def files(self) -> list[str]:
        """The files in the spool, wherever."""
        return sorted(path.name for path in (self.folder / "spool").rglob("*") if path.is_file())

    def bounce(self, departure: str = DEPARTURE) -> str:
        """The address of reports about a departure."""
        return bounce_address(departure, key=self.room.seals.bounce_key, domain=DOMAIN)


@asynccontextmanager
async def housed(folder: Path, **settings: Any) -> AsyncIterator[House]:
    """A reception with a DNS server of its own."""
    told, dns = Told(departures={DEPARTURE}), zone()
    async with serving(dns) as place, mailroom(folder, place, told=told, **settings) as room:
        yield House(folder, room, told, dns)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """One with the usual settings."""
    async with housed(tmp_path) as standing:
        yield standing


# --- MAIL ------------------------------------------------------------------------------------------------------------


async def test_row_36_a_letter_that_says_it_is_too_large_is_told_where_to_upload(house: House) -> None:
    """552 at MAIL, with the address of the upload page; the limit itself is still taken."""
    limit = house.room.config.limits.letter_bytes
    assert None is house.at_mail(size_bytes=limit)
    assert None is house.at_mail(size_bytes=None)
    assert (
        "552 5.3.4 Larger than 50 MiB; upload large files at https://mail.post.example/u"
        == house.at_mail(size_bytes=limit + 1)
        == house.at_mail(size_bytes=60 * MiB)
    )


async def test_row_36_a_letter_that_turns_out_too_large_is_told_so_behind_the_dot(tmp_path: Path) -> None:
    """Without having said SIZE; nothing of it stays, and no more than the limit was ever kept."""
    async with housed(tmp_path, letter_bytes=300_000) as house:
        reply = await house.take(letter(text="x" * 400_000), pieces=10)
        assert reply.startswith("552 5.3.4 Larger than ")
        assert reply.endswith("upload large files at https://mail.post.example/u")
        assert ([], ()) == (house.files(), house.rows())
        assert (await house.take(letter(text="x" * 299_000)))[:4] == "250 "


async def test_domains_that_must_use_tls_are_told_so(tmp_path: Path) -> None:
    """530 at MAIL for them and the hosts below them, and for nobody else; the null sender is nobody's domain."""
    async with housed(tmp_path, require_tls_from=("wrenfield.example",)) as house:
        for sender in ("a@wrenfield.example", "a@mail.Wrenfield.example"):
            assert (house.at_mail(sender) or "").startswith("530 5.7.0 ")
            assert None is house.at_mail(sender, tls=True)
        for sender in ("a@notwrenfield.example", "", "a@plain.example"):
            assert None is house.at_mail(sender)


async def test_row_39_no_letter_is_begun_when_the_spool_is_over_its_cap(tmp_path: Path) -> None:
    """452 at MAIL and at DATA until there is room again, which needs no restart."""
    async with housed(tmp_path, spool_bytes=150_000) as house:
        await house.take(letter(text="x" * 120_000))
        assert None is house.at_mail()
        await house.take(letter(message_id="<2@x>", text="y" * 60_000))
        assert "452 4.3.1 No room for letters just now, try again later" == house.at_mail()
        with pytest.raises(Fault, match="storage_full"):
            house.reception.begin(Arriving(peer=PEER, mail_from="", recipients=(case_of(ROWAN),)))
        house.room.spool.destroy(house.rows()[0].spool)
        assert None is house.at_mail()
        assert "250 2.0.0" == (await house.take(letter(message_id="<3@x>")))[:9]


async def test_row_39_no_letter_is_begun_on_a_disk_with_little_room(tmp_path: Path) -> None:
    """min_free_percent of the disk stays free, whoever used it up."""
    async with housed(tmp_path) as house:
        share = house.room.spool.free_share() * 100
    for percent, answer in ((max(int(share) - 5, 0), None), (min(int(share) + 5, 90), "452 4.3.1")):
        async with housed(tmp_path / str(percent), min_free_percent=percent) as house:
            assert answer == (house.at_mail() or "")[:9] if answer else house.at_mail() is None


async def test_row_39_a_long_letter_does_not_use_up_what_is_to_stay_free(little_disk: Path) -> None:
    """Nobody said its size: the disk is asked again with each MiB that it grows."""
    async with housed(little_disk, min_free_percent=40) as house:
        incoming = house.reception.begin(Arriving(peer=PEER, mail_from=STRANGER, recipients=(case_of(ROWAN),)))

        def write_on() -> None:
            for _ in range(60):
                incoming.write(os.urandom(64 * 1024))

        with pytest.raises(Fault, match="storage_full"):
            write_on()
        assert house.room.spool.free_share() > 0.1
        incoming.abort()
        assert [] == house.files()


@pytest.fixture
def little_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(place)], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)


async def test_row_39_a_disk_that_fills_up_in_the_middle_of_a_letter(little_disk: Path) -> None:
    """The write says `storage_full` (452 4.3.1), no half file stays, and with room again letters come in again."""
    async with housed(little_disk, min_free_percent=0) as house:
        incoming = house.reception.begin(Arriving(peer=PEER, mail_from=STRANGER, recipients=(case_of(ROWAN),)))

        def write_on() -> None:
            for _ in range(100):
                incoming.write(os.urandom(64 * 1024))

        with pytest.raises(Fault, match="storage_full"):
            write_on()
        incoming.abort()
        assert [] == house.files()
        assert "250 2.0.0" == (await house.take(letter()))[:9]


async def test_row_39_a_disk_that_is_full_at_the_commit(little_disk: Path) -> None:
    """When the letter fits and its row does not, the answer is 452 too, and neither stays."""
    async with housed(little_disk, min_free_percent=0) as house:
        with (little_disk / "filler").open("wb") as filler:
            incoming = house.reception.begin(Arriving(peer=PEER, mail_from=STRANGER, recipients=(case_of(ROWAN),)))
            incoming.write(letter(STRANGER, text="x" * 150_000))
            try:
                while True:
                    filler.write(bytes(4096))
                    filler.flush()
            except OSError:
                pass
            # What the spool's last chunk needs may find a page, the tables' log does not: either way it is the disk.
            reply = str(await incoming.commit())
        assert "452 4.3.1 No room for letters just now, try again later" == reply
        assert ([], ()) == (house.files(), house.rows())
        (little_disk / "filler").unlink()
        assert "250 2.0.0" == (await house.take(letter(STRANGER), mail_from=STRANGER))[:9]


# --- RCPT ------------------------------------------------------------------------------------------------------------


async def test_a_case_address_is_reached_however_it_is_spelt(house: House) -> None:
    """With a plus or a hyphen, in any capitals."""
    for local in (f"case+{ROWAN.token}", f"case-{ROWAN.token}", f"CASE+{ROWAN.token.upper()}"):
        assert None is await house.at_rcpt(f"{local}@{DOMAIN}")


WRONG = (
    f"case+{'q' * 26}@{DOMAIN}",
    f"case+{ROWAN.token}@elsewhere.example",
    f"case+{ROWAN.token[:-1]}@{DOMAIN}",
    f"somebody@{DOMAIN}",
    f"b+{DEPARTURE}.{'m' * 26}@{DOMAIN}",
)


@pytest.mark.parametrize("recipient", WRONG)
async def test_row_13_every_wrong_recipient_has_the_same_answer(house: House, recipient: str) -> None:
    """An unknown token, a right one at a wrong domain, nobody at ours, a forged bounce: not told apart."""
    assert "550 5.1.1 There is no such recipient here" == await house.at_rcpt(recipient)


async def test_row_13_every_wrong_recipient_costs_the_same_work(house: House) -> None:
    """One look-up in the table, whatever is wrong with it: what is counted is what is asked of the database."""
    asked: list[str] = []
    engine = house.room.arrivals._engine
    event.listen(engine, "before_cursor_execute", lambda *words: asked.append(words[2]))
    counts = {}
    for recipient in (*WRONG, "x@elsewhere.example", f"records@{DOMAIN}"):
        asked.clear()
        await house.at_rcpt(recipient)
        counts[recipient] = [statement.split("WHERE")[0] for statement in asked]
    assert 1 == len({tuple(statements) for statements in counts.values()}), counts
    assert all(any("addresses" in statement for statement in statements) for statements in counts.values())


@pytest.mark.slow
async def test_row_13_a_wrong_token_and_a_wrong_domain_take_the_same_time(house: House) -> None:
    """Less than 5 ms apart in the middle of many tries; slow, because it is about time."""

    async def median_ms(recipient: str) -> float:
        times = []
        for _ in range(300):
            start = time.perf_counter()
            await house.at_rcpt(recipient)
            times.append((time.perf_counter() - start) * 1000)
        return statistics.median(times)

    assert abs(await median_ms(WRONG[0]) - await median_ms(WRONG[1])) < 5


@pytest.mark.parametrize(
    "recipient",
    ["x@elsewhere.example", f'"a@b"@{DOMAIN}', f"a%b@{DOMAIN}", f"a@b@{DOMAIN}", f"b!a@{DOMAIN}", "x"],
)
async def test_row_14_nothing_is_relayed(house: House, recipient: str) -> None:
    """Not outward, and not by an address inside of an address."""
    assert "550 5.7.1 Relaying denied" == await house.at_rcpt(recipient)


@pytest.mark.parametrize("how", ["closed", "revoked"])
async def test_a_closed_case_says_so_and_the_case_hears_of_it_once_a_day(house: House, how: str) -> None:
    """550 5.2.1 with the practice's address for people; one event each day, however often somebody tries."""
    house.room.addresses.put(replace(ROWAN, **{how: True}))  # type: ignore[arg-type]  # both are flags
    for _ in range(3):
        assert "550 5.2.1 Case closed, see https://mail.post.example" == await house.at_rcpt(case_of(ROWAN))
    (told,) = house.room.events.pending()
    assert ("case-one", "case_closed", "wrenfield.example") == (told.case, told.what, told.domain)
    house.told.now_ms = NOW_MS + 24 * 60 * 60 * 1000
    await house.at_rcpt(case_of(ROWAN))
    assert 2 == len(house.room.events.pending())
    assert None is await house.at_rcpt(case_of(CLINIC))


async def test_a_case_that_closes_while_a_letter_travels_refuses_it_behind_the_dot(house: House) -> None:
    """What RCPT allowed is looked at again when it counts."""
    incoming = house.reception.begin(Arriving(peer=PEER, mail_from=ROWAN.address, recipients=(case_of(ROWAN),)))
    incoming.write(letter())
    house.room.addresses.revoke(ROWAN.token)
    assert "550 5.2.1 Case closed, see https://mail.post.example" == str(await incoming.commit())
    assert ([], ()) == (house.files(), house.rows())


async def test_the_front_door_can_be_shut_but_postmaster_is_always_in(house: House) -> None:
    """RFC 5321 4.5.1: the postmaster's address takes letters, whatever the practice has set."""
    for is_open, answer in ((True, None), (False, "550 5.1.1 There is no such recipient here")):
        house.told.front_door_open = is_open
        assert answer == await house.at_rcpt(f"records@{DOMAIN}")
        for always in ("postmaster", f"Postmaster@{DOMAIN}", f"abuse@{DOMAIN}"):
            assert None is await house.at_rcpt(always)


async def test_row_22_a_bounce_address_is_reached_only_if_we_made_it_and_know_it(house: House) -> None:
    """A right mac, and a departure that still stands in the table."""
    assert None is await house.at_rcpt(house.bounce())
    assert "550 5.1.1 There is no such recipient here" == await house.at_rcpt(house.bounce("e" * 26))


async def test_what_fails_at_rcpt_is_try_again_without_a_word_of_why(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables are away: 451, and neither exception nor path in the answer."""

    def broken(*_words: object) -> None:
        raise RuntimeError("/var/lib/secret")

    monkeypatch.setattr(Addresses, "by_token", broken)
    answer = await house.at_rcpt(case_of(ROWAN))
    assert answer is not None
    assert answer.startswith("451 4.3.0 Temporary failure, try later (")
    assert "secret" not in answer


# --- DATA ------------------------------------------------------------------------------------------------------------


async def test_a_listed_and_proven_letter_is_received_durably(house: House) -> None:
    """250 with its id; its row says what is known of it; its bytes read back from the spool; the others are woken."""
    content = letter(text="y" * 200_000)
    reply = await house.take(content, pieces=7)
    row = house.only()
    assert f"250 2.0.0 {row.id}" == reply
    assert content == house.room.spool.read(row.spool)
    assert row.authenticated is not None
    assert ("pass", "wrenfield.example") == (row.authenticated.outcome, row.authenticated.domain)
    expected = Arrival(
        id=row.id,
        spool=row.spool,
        kind="letter",
        state=ArrivalState.RECEIVED,
        class_="person",
        case="case-one",
        token=ROWAN.token,
        received_ms=NOW_MS,
        size_bytes=len(content),
        peer=PEER,
        mail_from=ROWAN.address,
        authenticated=row.authenticated,
    )
    assert (expected, 1) == (row, house.told.arrived)


async def test_a_colleague_at_a_listed_clinic_is_received(house: House) -> None:
    """A whole domain takes part in the case."""
    await house.take(letter("reception@wrenfield.example"), case_of(CLINIC))
    assert (ArrivalState.RECEIVED, "case-two") == (house.only().state, house.only().case)


@pytest.mark.parametrize(
    ("sender", "peer"),
    [("other@wrenfield.example", PEER), (STRANGER, PEER), ("dr.rowan@plain.example", PEER)],
)
async def test_a_letter_of_somebody_who_is_not_listed_or_not_proven_waits(
    house: House, sender: str, peer: Peer
) -> None:
    """A token in the wrong hands, or a colleague: staff decide, and the sender's answer is the same 250."""
    reply = await house.take(letter(sender), mail_from=sender, peer=peer)
    assert reply.startswith("250 2.0.0 ")
    assert (ArrivalState.WAITING, "case-one") == (house.only().state, house.only().case)


async def test_a_letter_to_the_front_door_is_unfiled(house: House) -> None:
    """It belongs to no case; staff file it."""
    await house.take(letter(), f"records@{DOMAIN}")
    row = house.only()
    assert (ArrivalState.UNFILED, None, None) == (row.state, row.case, row.token)


@pytest.mark.parametrize(
    ("sender", "domain"), [(ROWAN.address, "wrenfield.example"), ("x@strict.example", "strict.example")]
)
async def test_row_16_a_letter_that_only_claims_to_be_from_a_domain_is_refused_and_told(
    house: House, sender: str, domain: str
) -> None:
    """550 when that domain's policy objects; nothing is stored, and the case hears whose name was used."""
    for _ in range(2):
        reply = await house.take(letter(sender), peer=ELSEWHERE, mail_from=sender)
        assert reply.startswith("550 5.7.")
    assert ([], ()) == (house.files(), house.rows())
    (told,) = house.room.events.pending()
    assert ("case-one", "claim_refused", domain) == (told.case, told.what, told.domain)


async def test_row_19_dns_that_does_not_answer_is_try_again(house: House) -> None:
    """451 4.4.3 and nothing stored; later the same letter is taken."""
    house.dns.broken.add("_dmarc.plain.example")
    reply = await house.take(letter(STRANGER), mail_from=STRANGER)
    assert reply.startswith("451 4.4.3 ")
    assert ([], ()) == (house.files(), house.rows())
    house.dns.broken.discard("_dmarc.plain.example")
    assert (await house.take(letter(STRANGER), mail_from=STRANGER)).startswith("250 2.0.0 ")


@pytest.mark.parametrize(
    "more",
    ["List-Id: <owners.lists.example>\r\n", "Received: from a by b\r\n" * 51],
)
async def test_a_letter_from_a_list_or_a_circle_is_refused(house: House, more: str) -> None:
    """554 5.4.6, and nothing stays."""
    assert (await house.take(letter(more=more))).startswith("554 5.4.6 ")
    assert ([], ()) == (house.files(), house.rows())


@pytest.mark.parametrize("more", ["Auto-Submitted: auto-replied\r\n", "Precedence: bulk\r\n", ""])
async def test_what_no_person_wrote_is_taken_as_such(house: House, more: str) -> None:
    """An answering machine's letter goes in quietly; so does anything from the null sender."""
    await house.take(letter(more=more), mail_from="" if not more else ROWAN.address)
    assert "auto" == house.only().class_


async def test_row_22_a_report_about_our_letter_is_kept_under_its_departure(house: House) -> None:
    """From the null sender alone: who else writes there is told that there is nobody."""
    assert (await house.take(letter("mailer-daemon@plain.example"), house.bounce(), mail_from="")).startswith("250 ")
    row = house.only()
    assert ("bounce", None, DEPARTURE, "auto", ArrivalState.RECEIVED) == (
        row.kind, row.case, row.token, row.class_, row.state,
    )  # fmt: skip
    reply = await house.take(letter(STRANGER), house.bounce(), mail_from=STRANGER)
    assert "550 5.1.1 There is no such recipient here" == reply
    assert row == house.only()


async def test_a_letter_to_several_is_one_file_and_a_row_for_each(house: House) -> None:
    """All rows in one commit, each with its own id and its own state; the same address twice is one."""
    recipients = (case_of(ROWAN), f"case-{ROWAN.token}@{DOMAIN}", case_of(CLINIC), f"records@{DOMAIN}")
    reply = await house.take(letter("other@wrenfield.example"), *recipients)
    rows = {row.case: row for row in house.rows()}
    assert {"case-one": "waiting", "case-two": "received", None: "unfiled"} == {
        case: row.state.value for case, row in rows.items()
    }
    assert 3 == len({row.id for row in rows.values()})
    assert [rows["case-one"].spool] == house.files()
    assert f"250 2.0.0 {rows['case-one'].id}" == reply


# --- again and again -------------------------------------------------------------------------------------------------


async def test_row_02_a_letter_whose_250_was_lost_comes_again_and_counts_once(house: House) -> None:
    """The same id again, no second row, no second file; whatever its way here added on top."""
    first = await house.take(letter())
    for way in (b"", b"Received: from another by us\r\n", b"DKIM-Signature: v=1; d=x; t=2\r\n"):
        assert first == await house.take(way + letter())
    assert [house.only().spool] == house.files()
    house.room.arrivals.set_state(house.only().id, ArrivalState.DONE)
    assert first == await house.take(letter())


async def test_row_02_a_peer_that_goes_away_right_after_the_dot_and_comes_back(house: House) -> None:
    """Over a real connection: the 250 is never heard, the letter is sent again, and it is there once."""
    listening = await listen(house.reception, config=house.room.config, tls=None, random_bytes=os.urandom)
    content = letter(STRANGER)
    for _ in range(3):
        wire = await Wire.greeted(listening.listens[0])
        await wire.at_data(sender=STRANGER, recipient=case_of(ROWAN))
        await wire.put(content + b".\r\n")
        await wire.close()
    wire = await Wire.greeted(listening.listens[0])
    await wire.at_data(sender=STRANGER, recipient=case_of(ROWAN))
    reply = await wire.say(content + b".\r\n")
    await wire.close()
    await listening.close()
    assert f"250 2.0.0 {house.only().id}" == reply
    assert [house.only().spool] == house.files()
    assert content == house.room.spool.read(house.only().spool)


async def test_what_is_not_the_same_letter_counts_anew(house: House) -> None:
    """Another text under the same Message-ID, another Message-ID, another subject's field, another recipient."""
    ids = {
        await house.take(letter(), case_of(ROWAN)),
        await house.take(letter(text="Give 20 ml"), case_of(ROWAN)),
        await house.take(letter(message_id="<2@wrenfield.example>"), case_of(ROWAN)),
        await house.take(letter(more="Cc: another@plain.example\r\n"), case_of(ROWAN)),
        await house.take(letter(), case_of(CLINIC)),
    }
    assert 5 == len(ids) == len(house.rows()) == len(house.files())


async def test_a_letter_sent_again_to_one_more_reaches_that_one(house: House) -> None:
    """Those who had it have it once."""
    await house.take(letter(), case_of(ROWAN))
    await house.take(letter(), case_of(ROWAN), case_of(CLINIC))
    assert ["case-one", "case-two"] == sorted(row.case or "" for row in house.rows())
    assert 2 == len(house.files())


async def test_the_same_letter_over_many_connections_at_once_counts_once(house: House) -> None:
    """Each gets the one id."""
    replies = await asyncio.gather(*(house.take(letter()) for _ in range(20)))
    assert {f"250 2.0.0 {house.only().id}"} == set(replies)
    assert [house.only().spool] == house.files()


async def test_row_03_whoever_waits_for_a_commit_may_go_and_it_ends_all_the_same(house: House) -> None:
    """The connection is gone while the letter is looked at: it is in the tables, whole, or a retry finds it there."""
    incoming = house.reception.begin(Arriving(peer=PEER, mail_from=ROWAN.address, recipients=(case_of(ROWAN),)))
    incoming.write(letter())
    waiting = asyncio.create_task(incoming.commit())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    reply = await house.take(letter())
    assert f"250 2.0.0 {house.only().id}" == reply
    assert letter() == house.room.spool.read(house.only().spool)


async def test_a_letter_that_does_not_become_whole_leaves_nothing(house: House) -> None:
    """The peer went away, or pipelined, or was too slow: abort."""
    incoming = house.reception.begin(Arriving(peer=PEER, mail_from=ROWAN.address, recipients=(case_of(ROWAN),)))
    incoming.write(letter(text="x" * 200_000))
    incoming.abort()
    incoming.abort()
    assert ([], ()) == (house.files(), house.rows())


@pytest.mark.parametrize("place", ["add_within", "of"])
async def test_row_08_what_fails_at_the_commit_is_try_again_and_leaves_no_row(
    house: House, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """451 without a word of why; the letter comes again and is taken."""

    def broken(*_words: object, **_named: object) -> None:
        raise RuntimeError("/var/lib/secret")

    target = type(house.room.arrivals if place == "add_within" else house.room.authentication)
    with monkeypatch.context() as planted:
        planted.setattr(target, place, broken)
        reply = await house.take(letter())
    assert reply.startswith("451 4.3.0 Temporary failure, try later (")
    assert "secret" not in reply
    assert () == house.rows()
    assert (await house.take(letter())).startswith("250 ")
    assert 1 == len(house.rows())


@pytest.mark.parametrize(
    "content",
    [b"", b"\r\n", b"\r\n\r\n", b"no head at all", b"\xff\x00" * 5000, b"From: " + b"(" * 200_000 + b"\r\n\r\n"],
)
async def test_a_letter_that_is_no_letter_is_kept_and_waits(house: House, content: bytes) -> None:
    """No parser's trouble is a bounce: staff see that something came."""
    reply = await house.take(content, mail_from=STRANGER)
    assert reply.startswith("250 2.0.0 ")
    assert ArrivalState.WAITING is house.only().state
    assert content == house.room.spool.read(house.only().spool)


async def test_the_whole_mailroom_works_on_postgresql(tmp_path: Path, postgres: str) -> None:
    """The same letters, the same answers, other tables."""
    async with housed(tmp_path, database=postgres) as house:
        first = await house.take(letter())
        assert first == await house.take(letter())
        assert f"250 2.0.0 {house.only().id}" == first
        assert "550 5.1.1" == (await house.at_rcpt(WRONG[0]) or "")[:9]
