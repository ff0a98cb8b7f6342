"""What a dishonest or broken sender can put into a slip, and what the intake makes of it: nothing is opened on a lie.

The sender here is the real client with one part bent; relay and intake are real processes.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec import structs

from tests.practice import Practice, Visit, photo, practice, visit
from vetrelay.client import drafts
from vetrelay.client.drafts import Draft, as_object
from vetrelay.client.end import End
from vetrelay.client.follow import follow
from vetrelay.client.news import receive
from vetrelay.client.outbox import deliver, promise_envelope
from vetrelay.client.say import draft_of
from vetrelay.client.thread import read_thread
from vetrelay.client.transfer import seal_file
from vetrelay.protocol.envelope import ObjectRef, Unit
from vetrelay.protocol.ids import Hash, b64
from vetrelay.protocol.manifest import Slip, SlipFile, Text
from vetrelay.protocol.roster import Roster

FILES = {"one.jpg": photo(), "two.jpg": photo(colour="blue")}
OTHER = b64(bytes(16))


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    """A practice."""
    with practice(tmp_path_factory.mktemp("practice")) as opened:
        yield opened


def first_file(change: Callable[[SlipFile], SlipFile]) -> Callable[[Slip], Slip]:
    """A slip whose first file is changed."""
    return lambda slip: structs.replace(slip, files=(change(slip.files[0]), *slip.files[1:]))


LIES: dict[str, tuple[Callable[[Slip], Slip], list[tuple[str, str | None]]]] = {
    "made for another envelope": (
        lambda slip: structs.replace(slip, binding=structs.replace(slip.binding, id=OTHER)),
        [("refused", "slip_unusable")] * 2,
    ),
    "made by another device": (
        lambda slip: structs.replace(slip, binding=structs.replace(slip.binding, device=b64(bytes(32)))),
        [("refused", "slip_unusable")] * 2,
    ),
    "names a file of somebody else": (
        first_file(lambda file: structs.replace(file, h0=b64(bytes(32)), p=b64(bytes(32)))),
        [("refused", "slip_unusable")] * 2,
    ),
    "leaves a file out": (
        lambda slip: structs.replace(slip, files=slip.files[1:]),
        [("refused", "slip_unusable")] * 2,
    ),
    "a key that is not the author's": (
        first_file(lambda file: structs.replace(file, key=OTHER)),
        [("refused", "commitment"), ("clean", None)],
    ),
    "another plaintext": (
        first_file(lambda file: structs.replace(file, plain_sha256=b64(bytes(32)))),
        [("refused", "plaintext_differs"), ("clean", None)],
    ),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_slip_that_lies_refuses_what_it_lies_about(
    here: Practice, lie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """(N14, N41) A slip that is not this envelope's opens nothing; a file it lies about is refused, the other is clean."""
    bend, expected = LIES[lie]
    honest = drafts._slip

    def bent(draft: Draft, refs: dict[Hash, ObjectRef], end: End) -> Slip:
        return bend(honest(draft, refs, end))

    monkeypatch.setattr(drafts, "_slip", bent)
    async with visit(here, lie) as case:
        entry = await case.checked(await case.send(FILES))
    assert expected == [(file.verdict, file.reason) for file in entry.attachments]
    assert all(file.objects[-1].role == "original" for file in entry.attachments)


async def test_a_slip_sealed_to_somebody_else_refuses_the_files(
    here: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The intake cannot open it, says so, and goes on with the next message."""

    def to_the_owner(roster: Roster) -> tuple[Unit, ...]:
        (owner,) = roster.active("owner")
        return (Unit(party=owner.party, group="all", gen=0),)

    async with visit(here, "not for the intake") as case:
        with monkeypatch.context() as bent:
            bent.setattr(drafts, "slip_units", to_the_owner)
            entry = await case.checked(await case.send(FILES))
        after = await case.checked(await case.send({"three.jpg": photo()}))
    assert [("refused", "slip_unusable")] * 2 == [(file.verdict, file.reason) for file in entry.attachments]
    assert ["clean"] == [file.verdict for file in after.attachments]


async def test_the_verdict_on_an_internal_note_stays_internal(here: Practice, tmp_path: Path) -> None:
    """(N41) Verdict and copies have the audience of the message they answer: the owner learns of neither."""
    async with visit(here, "internal") as case:
        entry = await case.checked(await internal_note(case, tmp_path))
        await receive(case.owner, wait_seconds=0)
        read_by_owner = read_thread(case.owner, case.case).entries
    assert ["clean"] == [file.verdict for file in entry.attachments]
    assert () == read_by_owner


async def internal_note(case: Visit, folder: Path) -> str:
    """The veterinarian notes something for the own practice, with a photo; the note's entry id."""
    path = folder / "note.jpg"
    path.write_bytes(photo())
    end = case.veterinarian
    sealed = seal_file(end, path, label=path.name)
    draft = draft_of(
        end,
        case.case,
        class_="internal",
        audience="own",
        content=Text(text="for us"),
        objects=(as_object(sealed, media="image/jpeg", name=path.name, keep_original=False),),
    )
    await follow(end, case.case)
    receipt = await deliver(end, await promise_envelope(end, "a note", draft, (sealed,)))
    assert receipt.entry is not None
    return receipt.entry
