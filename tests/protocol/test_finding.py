"""What a sender's own program says of its files, where the ends inspect. Lies of verdicts: tests/hostile/test_manifest.py."""

from typing import Any

import pytest
from msgspec.structs import replace

from tests.chains import DEFAULT_POLICY, ActingParty, named_hash, object_ref, open_case, refusal_of
from tests.protocol.test_manifest import MESSAGE as TO_AN_INTAKE
from tests.protocol.test_manifest import TEXT, VERDICT, manifest_of
from vetrelay.protocol.envelope import Envelope, ObjectRef, ObjectRole
from vetrelay.protocol.finding import CheckedFile, CheckedFiles, Derived, Member, Use
from vetrelay.protocol.manifest import Manifest, open_manifest, pad


def sent_by_an_end() -> Envelope:
    """A message with a photo's copy and preview, and a letter that could not be rebuilt."""
    clinic, owner = ActingParty("clinic", "clinic"), ActingParty("owner")
    running = open_case(clinic, label="ends", policy=replace(DEFAULT_POLICY, inspection="ends"))
    running.admit(owner, "owner", by=clinic)
    roles: tuple[ObjectRole, ...] = ("manifest", "normalized", "preview", "attachment")
    message = running.envelope(owner, named=tuple(object_ref(role, f"ends {role}") for role in roles))
    running.send(message, owner)
    return message


MESSAGE = sent_by_an_end()
(RECORD,), (PREVIEW,), (LETTER,) = (MESSAGE.of_role(role) for role in ("normalized", "preview", "attachment"))
INSIDE = Member(name="page.jpg", code="clean", reason=None, notes=(), media="image/jpeg")


def copy_of(ref: ObjectRef, use: Use, **change: Any) -> Derived:
    """What is said of a copy."""
    made = Derived(
        use=use,
        h0=ref.h0,
        plain_sha256=ref.p,
        size=5,
        media="image/jpeg",
        name="paw.jpg",
        width=640,
        height=480,
        member=None,
    )
    return replace(made, **change)


def checked(**change: Any) -> CheckedFile:
    """What is said of the photo."""
    seen = CheckedFile(
        name="paw.heic",
        size=9,
        code="converted",
        original=None,
        reason=None,
        notes=("location removed",),
        media="image/jpeg",
        captured=None,
        width=4000,
        height=3000,
        items=None,
        duration_ms=None,
        patient=None,
        derived=(copy_of(RECORD, "record"), copy_of(PREVIEW, "preview")),
        members=(),
    )
    return replace(seen, **change)


PHOTO = checked()
SEALED = checked(name="letter.p7m", code="kept-sealed", reason="encrypted", original=LETTER.p, derived=())


def told(*files: CheckedFile) -> Manifest:
    """A manifest that says this of its files."""
    return manifest_of(MESSAGE, CheckedFiles(text="Her paw.", files=files))


TOLD = told(PHOTO, SEALED)
LIES: dict[str, tuple[str, Manifest]] = {
    "a copy that is not told": ("verdict_differs", told(checked(derived=PHOTO.derived[:1]), SEALED)),
    "a copy that is not carried": (
        "verdict_differs",
        told(checked(derived=(*PHOTO.derived, copy_of(RECORD, "viewing", h0=named_hash("h0")))), SEALED),
    ),
    "a copy told twice": ("verdict_differs", told(PHOTO, replace(SEALED, derived=PHOTO.derived))),
    "a copy told in another role": (
        "verdict_differs",
        told(checked(derived=(copy_of(RECORD, "preview"), copy_of(PREVIEW, "record"))), SEALED),
    ),
    "a copy of a member that is not there": (
        "verdict_differs",
        told(checked(derived=(copy_of(RECORD, "record", member=1), PHOTO.derived[1]), members=(INSIDE,)), SEALED),
    ),
    "a member's number beyond any pack": (
        "bad_body",
        told(checked(derived=(copy_of(RECORD, "record", member=500), PHOTO.derived[1])), SEALED),
    ),
    "an original that is not told": ("verdict_differs", told(PHOTO)),
    "an original told twice": ("verdict_differs", told(checked(original=LETTER.p), SEALED)),
    "an original that is not carried": ("verdict_differs", told(PHOTO, replace(SEALED, original=named_hash("p")))),
    "a sealed file without its original": (
        "verdict_differs",
        told(checked(original=LETTER.p), replace(SEALED, original=None)),
    ),
    "a rebuilt file without its copy": (
        "verdict_differs",
        told(PHOTO, replace(SEALED, code="clean")),
    ),
    "a file that was refused": ("bad_body", told(PHOTO, replace(SEALED, code="refused"))),
    "a file that is held": ("bad_body", told(PHOTO, replace(SEALED, code="held"))),
    "no file": ("bad_body", told()),
    "files that nobody looked at": ("verdict_differs", manifest_of(MESSAGE, TEXT)),
}


def test_what_a_sender_checked_comes_back_with_its_words() -> None:
    """Copies, previews and originals, each told once."""
    opened = open_manifest(pad(TOLD), MESSAGE)
    assert TOLD.content == opened.content
    assert [LETTER.p] == [entry.p for entry in opened.files]


@pytest.mark.parametrize(("code", "manifest"), LIES.values(), ids=LIES.keys())
def test_a_sender_that_contradicts_itself_is_not_shown(code: str, manifest: Manifest) -> None:
    """The clear objects and the sealed words say the same."""
    assert code == refusal_of(open_manifest, pad(manifest), MESSAGE)


def test_a_members_copy_names_its_member() -> None:
    """From 0, below the number of members."""
    member = checked(derived=(copy_of(RECORD, "record", member=0), PHOTO.derived[1]), members=(INSIDE,))
    assert "success" == refusal_of(open_manifest, pad(told(member, SEALED)), MESSAGE)


def test_nobody_vouches_for_files_that_an_intake_checks() -> None:
    """Neither the sender beside a slip, nor an intake in a verdict's place."""
    vouched = CheckedFiles(text="Her paw.", files=(PHOTO, SEALED))
    for envelope in (TO_AN_INTAKE, VERDICT):
        assert "verdict_differs" == refusal_of(open_manifest, pad(manifest_of(envelope, vouched)), envelope)
