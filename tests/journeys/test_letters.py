"""Letters between clinics' mailboxes and cases, through real SMTP, real DNS, a real relay, file check and bridge."""

import asyncio
import os
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.journeys.mail_town import CLINIC, RECORDS, MailTown, letter, mail_town
from tests.practice import Visit, now_ms, photo, visit
from vetrelay.bridge.letters.autocrypt import autocrypt_header
from vetrelay.bridge.letters.openpgp_key import make_own_pgp
from vetrelay.client.cases import open_case, set_state
from vetrelay.client.mail import (
    MailState,
    give_consent,
    mail_state,
    rule_letter,
    set_front_door,
    strike_off,
    turn_off,
    turn_on,
)
from vetrelay.client.say import say

pytestmark = pytest.mark.asyncio(loop_scope="module")
STRANGER = "colleague@elsewhere.example"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MailTown]:
    """One practice for this module's letters."""
    async with mail_town(tmp_path_factory.mktemp("letters")) as made:
        made.zone.add("elsewhere.example", "TXT", "v=spf1 ip4:127.0.0.1 -all")
        made.zone.add("_dmarc.elsewhere.example", "TXT", "v=DMARC1; p=reject")
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def case(town: MailTown, request: pytest.FixtureRequest) -> AsyncIterator[Visit]:
    """A case of its own in which email is on."""
    async with visit(town.here, str(request.node.name)[:60]) as made:
        await turn_on(made.veterinarian, made.case)
        yield made


async def test_a_clinics_letter_comes_into_the_case_with_its_photo_checked(town: MailTown, case: Visit) -> None:
    """The owner reads it too: text, sender, and the photo without its place."""
    mailbox = await town.list_clinic(visit=case)
    sent = letter("Please find the picture of Luna's paw.\n", to=mailbox.mail)
    sent.add_attachment(photo(), maintype="image", subtype="jpeg", filename="paw.jpg")
    assert (await town.send(sent, to=mailbox.mail)).startswith("250 2.0.0")
    seen = await town.entries(
        lambda entries: any(e.letter and all(f.verdict == "clean" for f in e.attachments) for e in entries),
        by=case.owner,
        visit=case,
    )
    (came,) = [entry for entry in seen if entry.letter]
    assert came.letter is not None
    assert (RECORDS, True, "bridge") == (came.letter.address, came.letter.known, came.author.role)
    assert ["paw.jpg"] == [file.name for file in came.attachments]
    assert "location removed" in came.attachments[0].notes


async def test_an_answer_reaches_the_clinic_as_a_notice_that_says_nothing(town: MailTown, case: Visit) -> None:
    """And the thread says that it was emailed."""
    mailbox = await town.list_clinic(visit=case, reference="24-117 B")
    await say(case.veterinarian, case.case, text="Luna may walk again.")
    notice = await town.letter_to(mailbox)
    assert (RECORDS,) == notice.recipients
    assert b"Luna" not in notice.raw
    assert "24-117 B" in notice.message["Subject"]
    entries = await town.entries(lambda entries: any(e.deliveries for e in entries), visit=case)
    assert ["emailed"] == [one.state for entry in entries for one in entry.deliveries]


async def test_what_waits_on_the_sealed_page_opens_with_the_code(town: MailTown, case: Visit) -> None:
    """The notice leads there; the code came by telephone; text and checked file are handed out."""
    mailbox = await town.list_clinic(visit=case)
    entry = await case.send({"paw.jpg": photo()})
    await case.checked(entry)
    await say(case.veterinarian, case.case, text="The tendon is intact.")
    await town.letter_to(mailbox)
    page = town.pages + mailbox.upload.partition("pages.example")[2].replace("/u/", "/l/")
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        async with browser.get(page) as asked:
            assert "intact" not in await asked.text()
        async with browser.post(page, data={"code": mailbox.code}) as opened:
            shown = await opened.text()
        assert "The tendon is intact." in shown
        assert "paw.jpg" in shown
        file = next(part.partition('"')[0] for part in shown.split('href="') if "/f/" in part.partition('"')[0])
        async with browser.get(town.pages + file) as fetched:
            content = await fetched.read()
    assert content.startswith(b"\xff\xd8")
    assert content != photo()


async def test_a_strangers_letter_waits_until_staff_take_it(town: MailTown, case: Visit) -> None:
    """Nothing of it is in the case before; its sender is told nothing; afterwards it is all there."""
    mailbox = await town.list_clinic(visit=case)
    assert (await town.send(letter("From a colleague.\n", sender=STRANGER), to=mailbox.mail, mail_from=STRANGER))[
        :3
    ] == "250"
    (waiting,) = (await town.mail(lambda state: bool(state.waiting), visit=case)).waiting.values()
    assert (STRANGER, True) == (waiting.sender, waiting.known)
    before = await town.entries(lambda entries: any(e.mail for e in entries), visit=case)
    assert not [entry for entry in before if entry.letter]
    await rule_letter(case.veterinarian, case.case, waiting.letter, take=True, listed=True)
    entries = await town.entries(lambda entries: any(e.letter for e in entries), visit=case)
    assert ["From a colleague."] == [entry.text for entry in entries if entry.letter]
    assert STRANGER in mail_state(case.veterinarian, case.case).correspondents


async def test_a_denied_letter_is_gone_from_the_bridge(town: MailTown, case: Visit) -> None:
    """And never was in the case."""
    mailbox = await town.list_clinic(visit=case)
    answered = await town.send(letter("Buy now.\n", sender=STRANGER), to=mailbox.mail, mail_from=STRANGER)
    number = answered.split()[2]
    assert number in {path.name for path in town.spooled()}
    (waiting,) = (await town.mail(lambda state: bool(state.waiting), visit=case)).waiting.values()
    await rule_letter(case.veterinarian, case.case, waiting.letter, take=False)
    await town.until(lambda: number not in {path.name for path in town.spooled()})
    assert [] == [entry for entry in await town.entries(bool, visit=case) if entry.letter]


async def test_a_key_that_comes_with_a_letter_is_only_a_suggestion(town: MailTown, case: Visit) -> None:
    """(Autocrypt) It is told with its fingerprint; the next letter is sealed to nobody."""
    mailbox = await town.list_clinic(visit=case)
    theirs = make_own_pgp(os.urandom, now_ms=now_ms())
    sent = letter("Our key is in the head.\n")
    sent["Autocrypt"] = autocrypt_header(theirs, RECORDS)
    await town.send(sent, to=mailbox.mail)
    state = await town.mail(lambda state: bool(state.events), visit=case)
    assert [("key_suggested", RECORDS)] == [(event.what, event.about) for event in state.events]
    assert (state.events[0].detail or "").startswith(theirs.fingerprint.upper())
    assert ("notify", None) == (state.correspondents[RECORDS].mode, state.correspondents[RECORDS].key)


async def test_a_whole_domain_may_write(town: MailTown, case: Visit) -> None:
    """Whoever of the clinic sits at the desk today."""
    mailbox = await town.list_clinic(f"@{CLINIC}", visit=case)
    colleague = f"night-shift@{CLINIC}"
    await town.send(letter("The night was calm.\n", sender=colleague), to=mailbox.mail, mail_from=colleague)
    entries = await town.entries(lambda entries: any(e.letter for e in entries), visit=case)
    assert [colleague] == [entry.letter.address for entry in entries if entry.letter]


async def test_a_forged_letter_is_refused_and_the_case_says_so(town: MailTown, case: Visit) -> None:
    """(16) The domain's own policy says that it is not theirs; staff see that somebody tried."""
    mailbox = await town.list_clinic(visit=case)
    answered = await town.send(
        letter("Please send the records to me.\n"), to=mailbox.mail, mail_from="thief@thief.example"
    )
    assert answered.startswith("550 5.7.")
    entries = await town.entries(lambda entries: any(e.mail for e in entries), visit=case)
    assert [("claim_refused", CLINIC)] == [(e.mail.what, e.mail.about) for e in entries if e.mail]  # type: ignore[union-attr]  # an event


async def test_an_out_of_office_answer_is_shown_and_answered_by_nobody(town: MailTown, case: Visit) -> None:
    """(21) It stands in the thread as automatic, and no letter leaves because of it."""
    mailbox = await town.list_clinic(visit=case, confirm=True)
    away = letter("I am away until Monday.\n", subject="Out of office", Auto_Submitted="auto-replied")
    await town.send(away, to=mailbox.mail, mail_from="")
    entries = await town.entries(lambda entries: any(e.letter for e in entries), visit=case)
    assert [True] == [entry.letter.automatic for entry in entries if entry.letter]
    await asyncio.sleep(2)
    assert [] == town.letters_from(mailbox)


async def test_who_asks_for_a_confirmation_gets_the_records_receipt(town: MailTown, case: Visit) -> None:
    """Position and mark of the letter in the log, and it is marked as written by a machine."""
    mailbox = await town.list_clinic(visit=case, confirm=True)
    sent = letter("Here is the report.\n")
    await town.send(sent, to=mailbox.mail)
    confirmation = await town.letter_to(mailbox)
    entries = await town.entries(lambda entries: any(e.letter for e in entries), visit=case)
    (n,) = [entry.n for entry in entries if entry.letter]
    body = confirmation.message.get_body(("plain",))
    assert body is not None
    assert f"position {n}" in body.get_content()
    assert "auto-generated" == confirmation.message["Auto-Submitted"]
    assert sent["Message-ID"] == confirmation.message["In-Reply-To"] == confirmation.message["References"]


async def test_the_same_letter_twice_is_one(town: MailTown, case: Visit) -> None:
    """(2) A peer that never heard our answer sends again, and gets the same number."""
    mailbox = await town.list_clinic(visit=case)
    sent = letter("Once.\n")
    first, second = await town.send(sent, to=mailbox.mail), await town.send(sent, to=mailbox.mail)
    assert first == second
    await town.send(letter("Afterwards.\n"), to=mailbox.mail)
    entries = await town.entries(lambda entries: any(e.text == "Afterwards." for e in entries), visit=case)
    assert ["Once.", "Afterwards."] == [entry.text for entry in entries if entry.letter]


async def test_plain_email_needs_the_owners_word(town: MailTown, case: Visit) -> None:
    """Without it a notice goes; the withdrawal counts from the next message on. (25) and nothing goes without verified TLS."""
    mailbox = await town.list_clinic(visit=case, mode="plain")
    await say(case.veterinarian, case.case, text="Not in the open.")
    notice = await town.letter_to(mailbox)
    assert b"Not in the open" not in notice.raw
    await give_consent(case.owner, case.case, RECORDS, given=True)
    await town.mail(lambda state: state.may_be_plain(RECORDS), visit=case)
    await say(case.veterinarian, case.case, text="Only over a verified connection.")
    await asyncio.sleep(3)
    assert not [one for one in town.letters_from(mailbox) if b"verified connection" in one.raw]


async def test_a_withdrawn_consent_calls_back_what_still_waits_and_leaves_a_notice(town: MailTown, case: Visit) -> None:
    """There is no verified connection here, so that the plain letter waits; then it is not sent at all."""
    mailbox = await town.list_clinic(visit=case, mode="plain")
    await give_consent(case.owner, case.case, RECORDS, given=True)
    await town.mail(lambda state: state.may_be_plain(RECORDS), visit=case)
    await say(case.veterinarian, case.case, text="This must not leave in the open.")
    await asyncio.sleep(3)
    assert [] == town.letters_from(mailbox)
    await give_consent(case.owner, case.case, RECORDS, given=False)
    notice = await town.letter_to(mailbox)
    assert b"must not leave" not in notice.raw
    assert "auto-generated" == notice.message["Auto-Submitted"]


async def test_a_link_takes_a_large_file_into_the_same_case(town: MailTown, case: Visit) -> None:
    """(36) By the address that every letter carries, without an account."""
    mailbox = await town.list_clinic(visit=case)
    page = town.pages + mailbox.upload.partition("pages.example")[2]
    form = aiohttp.FormData()
    form.add_field("file", photo(), filename="large.jpg", content_type="image/jpeg")
    async with aiohttp.ClientSession() as browser, browser.post(page, data=form) as answered:
        assert 200 == answered.status, await answered.text()
    entries = await town.entries(
        lambda entries: any(e.letter and all(f.verdict == "clean" for f in e.attachments) for e in entries), visit=case
    )
    (came,) = [entry for entry in entries if entry.letter]
    assert came.letter is not None
    assert ("link", ["large.jpg"]) == (came.letter.way, [file.name for file in came.attachments])


async def test_row_38_one_click_ends_the_notices_and_the_case_says_so(town: MailTown, case: Visit) -> None:
    """RFC 8058, as a mailbox program does it."""
    mailbox = await town.list_clinic(visit=case)
    await say(case.veterinarian, case.case, text="First.")
    notice = await town.letter_to(mailbox)
    stop = notice.message["List-Unsubscribe"].strip("<>")
    async with aiohttp.ClientSession() as program:
        done = await program.post(
            town.pages + stop.partition("pages.example")[2], data={"List-Unsubscribe": "One-Click"}
        )
        assert 200 == done.status
    entries = await town.entries(lambda entries: any(e.mail for e in entries), visit=case)
    assert ["unsubscribed"] == [e.mail.what for e in entries if e.mail]  # type: ignore[union-attr]  # an event
    await say(case.veterinarian, case.case, text="Second.")
    await asyncio.sleep(3)
    assert 1 == len(town.letters_from(mailbox))


async def test_row_22_a_bounce_is_told_once(town: MailTown, case: Visit) -> None:
    """The report comes to the address that this one letter was sent from; a second says nothing new; a forged one is refused."""
    mailbox = await town.list_clinic(visit=case)
    await say(case.veterinarian, case.case, text="To a mailbox that is gone.")
    notice = await town.letter_to(mailbox)
    assert notice.mail_from.startswith("b+")
    for _ in range(2):
        assert (await town.send(bounce(notice.mail_from), to=notice.mail_from, mail_from=""))[:3] == "250"
    entries = await town.entries(
        lambda entries: any(one.state == "failed" for e in entries for one in e.deliveries), visit=case
    )
    assert ["failed"] == [one.state for entry in entries for one in entry.deliveries]
    forged = notice.mail_from.replace("b+", "b+").split(".")[0] + "." + "a" * 26 + "@mail.example"
    assert (await town.send(bounce(forged), to=forged, mail_from="")).startswith("550 5.1.1")


def bounce(to: str) -> EmailMessage:
    """A delivery report as a mail server writes it (RFC 3464)."""
    report = EmailMessage()
    report["From"], report["To"], report["Subject"] = "MAILER-DAEMON@alderway.example", to, "Undelivered Mail"
    report["Auto-Submitted"], report["Message-ID"] = "auto-replied", "<report@alderway.example>"
    raw = (
        "This is the mail system. I could not deliver it.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; mx.alderway.example\r\n\r\n"
        f"Final-Recipient: rfc822; {RECORDS}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n--b--\r\n"
    )
    report.set_payload("--b\r\nContent-Type: text/plain\r\n\r\n" + raw)
    report["MIME-Version"] = "1.0"
    report["Content-Type"] = 'multipart/report; report-type=delivery-status; boundary="b"'
    return report


async def test_row_43_who_is_put_out_takes_and_sends_nothing_more(town: MailTown, case: Visit) -> None:
    """Letters come back to their senders, nothing leaves, and later messages cannot be opened."""
    mailbox = await town.list_clinic(visit=case)
    await say(case.veterinarian, case.case, text="Before.")
    await town.letter_to(mailbox)
    await turn_off(case.owner, case.case)
    await say(case.veterinarian, case.case, text="After.")
    await town.refuses(letter("Are you there?\n"), to=mailbox.mail, code="550 5.2.1")
    assert 1 == len(town.letters_from(mailbox))


async def test_a_closed_case_takes_no_letters_until_it_is_open_again(town: MailTown, case: Visit) -> None:
    """The sender's own mail server tells them; staff see that a letter came. What was said before still goes out."""
    mailbox = await town.list_clinic(visit=case)
    await say(case.veterinarian, case.case, text="All is well; I close this case.")
    await set_state(case.veterinarian, case.case, "close")
    await town.letter_to(mailbox)
    await town.refuses(letter("One more thing.\n"), to=mailbox.mail, code="550 5.2.1")
    await town.entries(lambda entries: any(e.mail for e in entries), visit=case)
    await set_state(case.veterinarian, case.case, "reopen")
    await town.until_async(lambda: town.accepts(letter("Now.\n"), to=mailbox.mail))


async def test_who_is_struck_off_writes_to_a_dead_address(town: MailTown, case: Visit) -> None:
    """And gets nothing more."""
    mailbox = await town.list_clinic(visit=case)
    await strike_off(case.veterinarian, case.case, RECORDS)
    await town.refuses(letter("Hello?\n"), to=mailbox.mail, code="550 5.2.1")


async def test_letters_to_the_practice_wait_at_its_front_door_until_they_are_filed(
    town: MailTown, case: Visit, tmp_path: Path
) -> None:
    """Staff read them in a case of their own, and file them into the right one with their files."""
    veterinarian = case.veterinarian
    _, door = await open_case(veterinarian, "Letters to file")
    await turn_on(veterinarian, door)
    await set_front_door(veterinarian, door, on=True)
    here = Visit(folder=tmp_path, case=door, veterinarian=veterinarian, owner=case.owner)
    sent = letter("These belong to Luna.\n", subject="To be filed")
    sent.add_attachment(photo(), maintype="image", subtype="jpeg", filename="paw.jpg")
    await town.until_async(lambda: town.accepts(sent, to="records@mail.example"))

    def has_come(state: MailState) -> bool:
        return any(one.front_door and one.subject == "To be filed" for one in state.waiting.values())

    state = await town.mail(has_come, visit=here)
    (waiting,) = (one for one in state.waiting.values() if one.subject == "To be filed")
    at_the_door = await town.entries(lambda entries: any(e.letter for e in entries), visit=here)
    assert "These belong to Luna." in [entry.text for entry in at_the_door if entry.letter]
    await rule_letter(veterinarian, door, waiting.letter, take=True, into=case.case)
    entries = await town.entries(lambda entries: any(e.letter for e in entries), by=case.owner, visit=case)
    assert [["paw.jpg"]] == [[file.name for file in entry.attachments] for entry in entries if entry.letter]
    received = [one for one in town.sink.letters() if RECORDS in one.recipients and "waiting" in one.message["Subject"]]
    assert 1 == len(received)
    await set_front_door(veterinarian, door, on=False)
