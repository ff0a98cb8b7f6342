"""Names: told to everybody who has come in, once for each newcomer, whatever is killed or runs beside."""

import asyncio

import pytest
from msgspec.structs import replace

from tests.client.conftest import Room
from tests.client.devices import add_device
from vetrelay.client import names
from vetrelay.client.cases import approve, open_case
from vetrelay.client.end import End
from vetrelay.client.follow import follow
from vetrelay.client.names import KeptCard, card_of, check_name, patient_from, tell_names
from vetrelay.client.news import receive
from vetrelay.client.notes import seal_note
from vetrelay.client.outbox import deliver, promise_envelope
from vetrelay.client.promises import Outgoing
from vetrelay.client.say import draft_of, own_names
from vetrelay.client.thread import read_thread
from vetrelay.errors import Fault, Refusal
from vetrelay.protocol.envelope import parse_envelope
from vetrelay.protocol.finding import Patient
from vetrelay.protocol.ids import CaseId
from vetrelay.protocol.log import Kind
from vetrelay.protocol.signature import parse_wire


async def cards_of(end: End, case: CaseId, *, seen_by: End) -> int:
    """How many case cards this end's party has sent."""
    await follow(seen_by, case)
    envelopes = [
        parse_envelope(parse_wire(row.signed))
        for row in seen_by.journal.log(case)
        if row.link.kind is Kind.ENVELOPE and row.signed is not None
    ]
    devices = (await follow(seen_by, case)).roster.parties[end.keyring.party].devices
    return sum(one.class_ == "control" and one.device in devices for one in envelopes)


async def test_everybody_knows_everybodys_name(room: Room) -> None:
    """Also the newcomer those who were there before, and the title."""
    await receive(room.clinic, wait_seconds=0)
    await follow(room.owner, room.case)
    thread = read_thread(room.owner, room.case)
    assert ({"clinic", "owner"}, "Luna") == ({card.party for card in thread.names.values()}, thread.title)


async def test_a_newcomer_is_greeted_once(room: Room) -> None:
    """However often the news are fetched, by however many processes at once."""
    ends = [room.clinic, *[await room.town.again(room.clinic) for _ in range(3)]]
    for _ in range(2):
        await asyncio.gather(*(receive(end, wait_seconds=0) for end in ends))
    # One that the clinic told itself and whoever was there when it opened the case, one for the owner.
    assert 1 == await cards_of(room.clinic, room.case, seen_by=room.owner)


async def test_a_newcomer_who_comes_while_names_are_on_their_way_is_greeted(room: Room) -> None:
    """Names count for those they were sealed to, not for whoever was there when they arrived."""
    followed = await follow(room.clinic, room.case)
    newest = max(member.since_n for member in followed.roster.active())
    draft = draft_of(room.clinic, room.case, class_="control", audience="case", content=own_names(room.clinic, "Luna"))
    await promise_envelope(room.clinic, f"names:{room.case}:{newest}", draft, (), once=True)
    second = await room.town.newcomer(room.clinic, room.case, "second")
    await approve(room.clinic, room.case, second.keyring.party)
    await receive(room.clinic, wait_seconds=0)
    await receive(second, wait_seconds=0)
    thread = read_thread(second, room.case)
    assert "clinic" in {card.party for card in thread.names.values()}


@pytest.mark.parametrize("at", ["promised", "delivered"])
async def test_a_kill_while_greeting_doubles_nothing(room: Room, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    """What was promised is delivered by the next command, which finds that it was told."""

    async def killed(end: End, promised: Outgoing) -> None:
        if at == "delivered":
            await deliver(end, promised)
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(names, "deliver", killed)
        with pytest.raises(asyncio.CancelledError):
            await receive(room.clinic, wait_seconds=0)
    for _ in range(2):
        await receive(room.clinic, wait_seconds=0)
    assert 1 == await cards_of(room.clinic, room.case, seen_by=room.owner)


async def test_a_second_device_does_not_greet_again(room: Room) -> None:
    """The party has told its names; its new device sees that."""
    await receive(room.clinic, wait_seconds=0)
    await receive(room.owner, wait_seconds=0)
    before = await cards_of(room.owner, room.case, seen_by=room.clinic)
    phone = await add_device(room.town, room.owner, "phone")
    for end in (phone, room.owner, phone):
        await receive(end, wait_seconds=0)
        await tell_names(end, room.case)
    assert before == await cards_of(room.owner, room.case, seen_by=room.clinic)


async def test_a_machine_tells_no_names(room: Room) -> None:
    """It speaks in verdicts alone."""
    await receive(room.intake, wait_seconds=0)
    assert () == room.intake.journal.outgoing()


@pytest.mark.parametrize(
    ("name", "code"), [("", "name_too_long"), ("x" * 101, "name_too_long"), ("x\udcff", "text_unreadable")]
)
def test_a_name_that_no_reader_takes_is_refused(name: str, code: str) -> None:
    """Before anything is made of it."""
    with pytest.raises(Refusal) as refused:
        check_name(name)
    assert code == refused.value.code


LUNA = Patient(name="Luna", owner="Meier", species="dog", id="")


async def test_everybody_learns_whom_a_case_is_about(room: Room) -> None:
    """Sealed with the title, told again to whoever comes in later; it never stands in the journal as words."""
    promised, case = await open_case(room.clinic, "Itchy ear", patient=LUNA)
    room.clinic.journal.report(promised.id)
    owner = await room.town.newcomer(room.clinic, case, "anna")
    await receive(room.clinic, wait_seconds=0)
    await follow(owner, case)
    assert (LUNA, LUNA) == (read_thread(owner, case).patient, read_thread(room.clinic, case).patient)
    assert KeptCard(title="Itchy ear", patient=LUNA) == card_of(room.clinic, case)
    assert b"Meier" not in (room.clinic.journal.case(case).title or b"")


async def test_the_newest_card_that_names_somebody_counts(room: Room) -> None:
    """A card without a patient takes nothing back."""
    assert read_thread(room.clinic, room.case).patient is None
    for end, patient in ((room.clinic, LUNA), (room.owner, replace(LUNA, name="Bella")), (room.clinic, None)):
        content = own_names(end, "Luna", patient)
        draft = draft_of(end, room.case, class_="control", audience="case", content=content)
        await deliver(end, await promise_envelope(end, f"card {draft.id}", draft, ()))
        await follow(room.clinic, room.case)
    patient = read_thread(room.clinic, room.case).patient
    assert patient == replace(LUNA, name="Bella")


async def test_a_household_is_the_owner_of_its_animal(room: Room) -> None:
    """Unless it says otherwise; a clinic is nobody's owner, and where nothing is said there is no patient."""
    said = patient_from(room.owner, animal="Luna", species=None, owner=None)
    assert Patient(name="Luna", owner="owner", species="", id="") == said
    other = patient_from(room.owner, animal="Luna", species=None, owner="Meier")
    assert ("Meier", "") == (
        other.owner if other else None,
        getattr(patient_from(room.clinic, animal="Luna", species="dog", owner=None), "owner", None),
    )
    assert patient_from(room.owner, animal=None, species=None, owner=None) is None
    with pytest.raises(Refusal, match="name_too_long"):
        patient_from(room.owner, animal="x" * 101, species=None, owner=None)


async def test_a_kept_card_that_is_none_is_a_damaged_journal(room: Room) -> None:
    """Sealed by this device, and no card."""
    room.clinic.journal.save_title(room.case, seal_note(room.clinic, b"Luna"))
    with pytest.raises(Fault, match="journal_damaged"):
        card_of(room.clinic, room.case)
