"""From findings to a verdict."""

from pathlib import Path

import pytest

from vetrelay.client.drafts import DraftObject
from vetrelay.client.transfer import SealedFile
from vetrelay.inspection.words import Verdict
from vetrelay.intake.publish import _CODES, Judged, entry_of, fitting, intent_of, refused
from vetrelay.protocol.envelope import ObjectRole
from vetrelay.protocol.ids import b64
from vetrelay.protocol.manifest import Derived


def made(role: ObjectRole, name: str) -> tuple[Derived, DraftObject, SealedFile]:
    """A copy, as findings, draft and spool name it."""
    p = b64(name.encode().ljust(32, b"."))
    derived = Derived(role=role, h0=p, plain_sha256=p, size=1, media="image/jpeg", name=name, width=1, height=1)
    drafted = DraftObject(
        role=role,
        p=p,
        size=1,
        key=b64(bytes(16)),
        plain_sha256=p,
        plain_size=1,
        media="image/jpeg",
        name=name,
        keep_original=False,
    )
    return (
        derived,
        drafted,
        SealedFile(spool=Path(name), p=p, size_bytes=1, key=bytes(16), plain_sha256=p, plain_bytes=1),
    )


def photo(index: int) -> Judged:
    """A clean photo with its two copies."""
    parts = [made("normalized", f"{index}.jpg"), made("preview", f"{index}-preview.jpg")]
    bare = refused(b64(bytes([index]) * 32), "any").finding
    return Judged(
        finding=type(bare)(
            p=bare.p,
            code="clean",
            keep=False,
            reason=None,
            notes=(),
            media="image/jpeg",
            captured=None,
            width=1,
            height=1,
            derived=tuple(part[0] for part in parts),
        ),
        objects=tuple(part[1] for part in parts),
        sealed=tuple(part[2] for part in parts),
    )


def test_a_verdict_that_fits_keeps_its_previews() -> None:
    """A hundred photos for three readers fit into one submit."""
    judgements = tuple(photo(index) for index in range(100))
    assert judgements == fitting(judgements, readers=3)


def test_a_verdict_too_large_for_one_submit_goes_without_previews() -> None:
    """A hundred photos for six readers: every copy still goes, and what names the previews goes with them."""
    fitted = fitting(tuple(photo(index) for index in range(100)), readers=6)
    assert {("normalized",)} == {tuple(part.role for part in one.finding.derived) for one in fitted}
    assert {("normalized",)} == {tuple(copy.role for copy in one.objects) for one in fitted}
    assert {1} == {len(one.sealed) for one in fitted}


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_of_the_inspection_has_its_code_on_the_wire(verdict: Verdict) -> None:
    """The same word."""
    assert verdict.value == _CODES[verdict]


def test_a_refused_file_says_nothing_but_its_reason() -> None:
    """What could not be opened has no name, no type and no copy in the verdict."""
    one = refused(b64(bytes(32)), "slip_unusable")
    assert ("refused", "slip_unusable", ()) == (one.finding.code, one.finding.reason, one.objects)


def test_an_envelope_has_one_promise() -> None:
    """The intent names it, so that it is found again after a kill."""
    assert "entry" == entry_of(intent_of("case", "entry"))
