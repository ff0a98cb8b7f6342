"""Bad weather: the relay is away, another mailbox answers by itself, and everybody looks for words that must not be there."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.bridge.sinks import free_port
from tests.journeys.mail_town import RECORDS, MailTown, letter, mail_town
from tests.practice import Visit, photo, visit
from vetrelay.client.mail import turn_on
from vetrelay.client.say import say

pytestmark = pytest.mark.asyncio(loop_scope="module")
CANARIES = tuple(
    f"{first}{second}" for first in ("gorse", "quince", "thistle", "hornbeam", "marzipan") for second in
    ("paw", "walk", "tablet", "collar", "clinic", "street", "garden", "fever")
)  # fmt: skip
OBEDIENT_SECONDS = 20


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MailTown]:
    """One practice, whose relay comes back at the same place."""
    async with mail_town(tmp_path_factory.mktemp("weather"), listen=f"127.0.0.1:{free_port()}") as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def case(town: MailTown, request: pytest.FixtureRequest) -> AsyncIterator[Visit]:
    """A case of its own in which email is on."""
    async with visit(town.here, str(request.node.name)[:60]) as made:
        await turn_on(made.veterinarian, made.case)
        yield made


async def test_row_40_letters_are_taken_while_the_relay_is_away_and_come_in_order_afterwards(
    town: MailTown, case: Visit
) -> None:
    """The spool is our own: 250 is said without the relay, and each letter comes once, in the order in which they came."""
    mailbox = await town.list_clinic(visit=case)
    await asyncio.to_thread(town.here.relay.end)
    try:
        for number in range(6):
            assert (await town.send(letter(f"letter {number}\n"), to=mailbox.mail)).startswith("250 2.0.0")
    finally:
        await asyncio.to_thread(town.here.relay.start)
    entries = await town.entries(lambda seen: sum(bool(e.letter) for e in seen) >= 6, visit=case)
    assert [f"letter {number}" for number in range(6)] == [entry.text for entry in entries if entry.letter]


async def test_row_21_a_mailbox_that_answers_everything_is_not_kept_going(town: MailTown, case: Visit) -> None:
    """It answers each letter at once and does not say that it is a machine; we write a notice and one confirmation, and rest."""
    mailbox = await town.list_clinic(visit=case, confirm=True)
    await say(case.veterinarian, case.case, text="How is she?")
    answered = 0
    for _ in range(OBEDIENT_SECONDS):
        for came in town.letters_from(mailbox)[answered:]:
            answered += 1
            await town.send(
                letter(f"Thank you for your letter {answered}.\n", sender=RECORDS), to=str(came.message["Reply-To"])
            )
        await asyncio.sleep(1)
    assert 1 <= len(town.letters_from(mailbox)) < 3


async def test_row_26_forty_words_are_in_no_notice_and_in_nothing_that_the_gateway_keeps(
    town: MailTown, case: Visit
) -> None:
    """Said by the owner, by staff and by the clinic; searched in letters, spool, tables, journals, blobs and logs, in base64 too."""
    third = len(CANARIES) // 3
    mailbox = await town.list_clinic(visit=case)
    await case.send({f"{CANARIES[0]}.jpg": photo()})
    await say(case.owner, case.case, text=" ".join(CANARIES[:third]))
    await say(case.veterinarian, case.case, text=" ".join(CANARIES[third : 2 * third]))
    text = "\n".join(CANARIES[2 * third :])
    await town.send(letter(f"{text}\n", subject=CANARIES[5]), to=mailbox.mail)
    await town.entries(lambda seen: any(e.letter for e in seen), visit=case)
    await town.letter_to(mailbox)
    waiting = letter(f"{text}\n", sender="someone@nowhere.example")
    await town.send(waiting, to=mailbox.mail, mail_from="someone@nowhere.example")  # stays in the spool
    await town.mail(lambda state: bool(state.waiting), visit=case)
    folder = town.here.folder
    places = [folder / "relay", folder / "intake", folder / "bridge", folder / "sink"]
    files = [path for place in places for path in place.rglob("*") if path.is_file()] + list(folder.glob("*.log"))
    assert 40 == len(CANARIES)
    assert town.spooled()
    assert {} == {path.name: words for path in files if (words := found_in(path))}


def found_in(path: Path) -> list[str]:
    """The canary words in a file, as they are, in UTF-16, and inside base64 at each alignment."""
    content = path.read_bytes()
    return [word for word in CANARIES if any(spelling in content for spelling in spellings(word))]


def spellings(word: str) -> list[bytes]:
    """How a word could stand in a file."""
    raw = word.encode()
    inside = [base64.b64encode(b"\0" * shift + raw)[4 if shift else 0 :].rstrip(b"=")[:-1] for shift in range(3)]
    return [raw, raw.upper(), word.encode("utf-16-le"), *inside]
