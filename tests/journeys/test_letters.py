"""Letters between clinics' mailboxes and cases, through real SMTP, real DNS, a real relay, file check and bridge."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.journeys.mail_town import RECORDS, MailTown, letter, mail_town
from tests.practice import photo
from vetrelay.client.say import say

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MailTown]:
    """One practice for this module's letters."""
    async with mail_town(tmp_path_factory.mktemp("letters")) as made:
        yield made


async def test_a_clinics_letter_comes_into_the_case_with_its_photo_checked(town: MailTown) -> None:
    """The owner reads it too: text, sender, and the photo without its place."""
    mailbox = await town.list_clinic()
    sent = letter("Please find the picture of Luna's paw.\n", to=mailbox.mail)
    sent.add_attachment(photo(), maintype="image", subtype="jpeg", filename="paw.jpg")
    assert (await town.send(sent, to=mailbox.mail)).startswith("250 2.0.0")
    seen = await town.entries(
        lambda entries: any(e.letter and all(f.verdict == "clean" for f in e.attachments) for e in entries),
        by=town.visit.owner,
    )
    (came,) = [entry for entry in seen if entry.letter]
    assert came.letter is not None
    assert (RECORDS, True, "bridge") == (came.letter.address, came.letter.known, came.author.role)
    assert ["paw.jpg"] == [file.name for file in came.attachments]
    assert "location removed" in came.attachments[0].notes


async def test_an_answer_reaches_the_clinic_as_a_notice_that_says_nothing(town: MailTown) -> None:
    """And the thread says that it was emailed."""
    mailbox = (await town.mail(lambda state: RECORDS in state.mailboxes)).mailboxes[RECORDS]
    before = len(town.sink.letters())
    await say(town.visit.veterinarian, town.visit.case, text="Luna may walk again.")
    (notice,) = (await town.letters(before + 1))[before:]
    assert (RECORDS,) == notice.recipients
    assert b"Luna" not in notice.raw
    assert notice.message["Subject"].startswith("Case ")
    assert mailbox.mail == notice.message["Reply-To"]
    entries = await town.entries(lambda entries: any(e.deliveries for e in entries))
    assert ["emailed"] == [one.state for entry in entries for one in entry.deliveries]
