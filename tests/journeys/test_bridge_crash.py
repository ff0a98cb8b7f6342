"""kill -9 of the bridge at every step, in and out: what was acknowledged stands once in its case, what was said leaves.

One practice; the bridge is started again and again on the same folder, each time to die at another step. Row 1 of the
checklist, and the tables "letter in" and "letter out" of docs/architecture.md.
"""

import asyncio
import smtplib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.journeys.mail_town import MailTown, letter, mail_town
from tests.practice import Visit, visit
from vetrelay.client.mail import turn_on
from vetrelay.client.say import say
from vetrelay.protocol.bymail import Mailbox

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]
ON_ITS_WAY_IN = (
    "data.first_byte", "data.middle", "data.whole", "spool.synced", "spool.renamed", "spool.folder_synced", "row.open",
    "row.committed", "before_250", "letter.sealed", "said.promised", "letter.submitted", "letter.done",
)  # fmt: skip
ON_ITS_WAY_OUT = ("news.kept", "outgoing.queued", "claimed", "before_data", "after_250", "recorded", "told")
SOAK_ROUNDS, SOAK_LETTERS = 3, 26
LINES_FOR_MANY_PIECES = 60_000


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MailTown]:
    """The practice."""
    async with mail_town(tmp_path_factory.mktemp("crash")) as made:
        yield made


async def tried(town: MailTown, number: str, mailbox: Mailbox) -> bool:
    """Sends one letter; whether it was acknowledged before the bridge died."""
    lines = LINES_FOR_MANY_PIECES if "data.middle" in number else 4
    sent = letter(f"letter {number}\n" + "a line of a long letter\n" * lines, to=mailbox.mail)
    try:
        return (await town.send(sent, to=mailbox.mail)).startswith("250")
    except (OSError, smtplib.SMTPException):
        return False


async def test_row_01_every_letter_that_was_acknowledged_is_in_its_case_once(
    town: MailTown, request: pytest.FixtureRequest
) -> None:
    """At each of 13 steps: two letters are sent, the bridge dies, and is started again. With `--soak` a thousand in three rounds."""
    rounds, letters = (SOAK_ROUNDS, SOAK_LETTERS) if request.config.getoption("--soak") else (1, 2)
    mailbox = await town.list_clinic()
    acknowledged: list[str] = []
    asked: list[str] = []
    for turn in range(rounds):
        for step in ON_ITS_WAY_IN:
            await asyncio.to_thread(town.restart, die_at=step)
            for number in (f"{step} {turn} {which}" for which in range(letters)):
                asked.append(number)
                if await tried(town, number, mailbox):
                    acknowledged.append(number)
            await asyncio.to_thread(town.bridge.wait)  # it dies at the step, sooner or later
    await asyncio.to_thread(town.restart)
    assert await tried(town, "the last", mailbox)
    entries = await town.entries(lambda seen: any(e.text and e.text.startswith("letter the last") for e in seen))
    came = Counter((entry.text or "").partition("\n")[0] for entry in entries if entry.letter)
    assert {f"letter {number}": 1 for number in (*acknowledged, "the last")} == {
        text: times for text, times in came.items() if text.removeprefix("letter ") in {*acknowledged, "the last"}
    }
    assert all(times == 1 for times in came.values())
    assert set(came) <= {f"letter {number}" for number in (*asked, "the last")}


async def test_what_was_said_leaves_whatever_step_the_bridge_dies_at(town: MailTown) -> None:
    """At each of 7 steps: said, killed, started again. Every notice leaves, with one Message-ID however often it was sent."""
    async with AsyncExitStack() as cases:
        await asyncio.to_thread(town.restart)
        said: list[tuple[Visit, Mailbox]] = []
        for step in ON_ITS_WAY_OUT:  # a case for each: a second notice to one correspondent would wait for ten minutes
            there = await cases.enter_async_context(visit(town.here, step))
            await turn_on(there.veterinarian, there.case)
            said.append((there, await town.list_clinic(visit=there)))
        for step, (there, _) in zip(ON_ITS_WAY_OUT, said, strict=True):
            await asyncio.to_thread(town.restart, die_at=step)
            await say(there.veterinarian, there.case, text=f"said when it dies at {step}")
            await asyncio.to_thread(town.bridge.wait)
        await asyncio.to_thread(town.restart)
        for there, mailbox in said:
            await town.letter_to(mailbox)
            await town.entries(lambda entries: any(e.deliveries for e in entries), visit=there)
            assert 1 == len({str(one.message["Message-ID"]) for one in town.letters_from(mailbox)})
