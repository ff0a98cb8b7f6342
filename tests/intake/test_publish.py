"""From findings to a verdict."""

from pathlib import Path

import pytest

from vetrelay.client.copies import CODES, fitting
from vetrelay.client.drafts import DraftObject
from vetrelay.client.transfer import SealedFile
from vetrelay.inspection.words import Verdict
from vetrelay.intake.publish import Judged, entry_of, intent_of, refused
from vetrelay.protocol.envelope import MAX_OBJECTS
from vetrelay.protocol.finding import USES, Derived, Use
from vetrelay.protocol.ids import b64


def made(use: Use, name: str) -> tuple[Derived, DraftObject, SealedFile]:
    """A copy, as findings, draft and spool name it."""
    p = b64(name.encode().ljust(32, b"."))
    derived = Derived(
        use=use, h0=p, plain_sha256=p, size=1, media="image/jpeg", name=name, width=1, height=1, member=None
    )
    drafted = DraftObject(
        role=USES[use],
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
    return judgement(index, [made("record", f"{index}.jpg"), made("preview", f"{index}-preview.jpg")])


def judgement(index: int, parts: list[tuple[Derived, DraftObject, SealedFile]]) -> Judged:
    """A clean file with these copies."""
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
            items=None,
            duration_ms=None,
            patient=None,
            members=(),
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
    assert {("record",)} == {tuple(part.use for part in one.finding.derived) for one in fitted}
    assert {("normalized",)} == {tuple(copy.role for copy in one.objects) for one in fitted}
    assert {1} == {len(one.sealed) for one in fitted}


def test_what_is_only_for_the_screen_goes_first() -> None:
    """Strips before previews, all previews but the first before the first, a viewing copy before a record."""
    uses: list[Use] = ["record", "viewing", "preview", "preview", "preview", "strip"]

    def left(readers: int) -> list[str]:
        files = [judgement(index, [made(use, f"{index}-{n}") for n, use in enumerate(uses)]) for index in range(60)]
        return [part.use for part in fitting(files, readers=readers)[0].finding.derived]

    assert ["record", "viewing", "preview"] == left(1)
    assert ["record", "viewing"] == left(6)
    assert ["record"] == left(12)


def test_a_verdict_never_has_more_objects_than_an_envelope_may() -> None:
    """A hundred videos for one reader: the bytes would do, the number would not."""
    uses: list[Use] = ["record", "viewing", "preview", "strip"]
    files = [judgement(index, [made(use, f"{index}-{n}") for n, use in enumerate(uses)]) for index in range(100)]
    assert MAX_OBJECTS > sum(len(one.objects) for one in fitting(files, readers=1))


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_of_the_inspection_has_its_code_on_the_wire(verdict: Verdict) -> None:
    """The same word."""
    assert verdict.value == CODES[verdict]


def test_a_refused_file_says_nothing_but_its_reason() -> None:
    """What could not be opened has no name, no type and no copy in the verdict."""
    one = refused(b64(bytes(32)), "slip_unusable")
    assert ("refused", "slip_unusable", ()) == (one.finding.code, one.finding.reason, one.objects)


def test_an_envelope_has_one_promise() -> None:
    """The intent names it, so that it is found again after a kill."""
    assert "entry" == entry_of(intent_of("case", "entry"))
