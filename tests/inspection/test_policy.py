"""The table of kinds, and the one decision over what the jail saw."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetrelay.inspection.kinds import KINDS, Family, Kind
from vetrelay.inspection.policy import (
    OPENED_KINDS,
    ROWS,
    MiB,
    claimed_kind,
    contradicts,
    judge,
    keep_original,
    limits_of,
    mends,
    row_of,
)
from vetrelay.inspection.wishes import Wishes
from vetrelay.inspection.words import Reason, Verdict

kinds = st.sampled_from(list(Kind))


def test_every_kind_has_its_facts() -> None:
    """Each has a media type and a family, and each that is not opened says why in a sentence."""
    assert set(Kind) == set(KINDS)
    extensions = [extension for facts in KINDS.values() for extension in facts.extensions]
    assert len(extensions) == len(set(extensions))
    assert all(facts.not_opened.sentence for kind, facts in KINDS.items() if kind not in OPENED_KINDS)


def test_the_limits_of_a_photo_are_those_of_the_design() -> None:
    """40 MB, ten seconds and 1 GiB; fifteen seconds and 2 GiB for HEIC, the one kind that may start a thread."""
    photo, heic = ROWS[Kind.JPEG], ROWS[Kind.HEIC]
    assert (40 << 20, 10, 1 << 30, False) == (
        photo.file_bytes,
        photo.base_seconds,
        photo.address_space_bytes,
        photo.threads,
    )
    assert (40 << 20, 15, 2 << 30, True) == (heic.file_bytes, heic.base_seconds, heic.address_space_bytes, heic.threads)
    assert {Kind.HEIC} == {kind for kind, row in ROWS.items() if row.threads}


def test_a_job_has_time_for_its_size_and_more_on_a_patient_try() -> None:
    """Limits come from bytes, not from one short timeout; the wall clock allows for shared cores."""
    row = ROWS[Kind.MP4]
    small, large = limits_of(row, size_bytes=0), limits_of(row, size_bytes=100 * MiB)
    assert row.base_seconds + 100 * row.seconds_per_mib == large.cpu_seconds > small.cpu_seconds
    assert 4 * large.cpu_seconds == limits_of(row, size_bytes=100 * MiB, patience=4).cpu_seconds
    assert all(limits_of(one, size_bytes=0).wall_ms > 1000 * one.base_seconds for one in ROWS.values())


def test_what_has_no_row_is_only_glanced_at() -> None:
    """A kind that nothing opens gets what a photo gets, and its reason."""
    assert ROWS[Kind.JPEG] == row_of(ROWS, Kind.PROGRAM)


@pytest.mark.parametrize(
    ("purpose", "expected"),
    [(None, 2560), ("", 2560), ("passport", 2560), ("wound", 4096), ("skin", 4096), ("eye", 4096)],
)
def test_texture_is_kept_for_wounds_skin_and_eyes(purpose: str | None, expected: int) -> None:
    """What a veterinarian judges by its texture is kept larger."""
    assert expected == Wishes(purpose=purpose).longest_side_px
    assert 16_384 == Wishes(purpose=purpose, full_size=True).longest_side_px


def test_the_original_of_a_photo_or_recording_goes_and_every_other_stays() -> None:
    """The original of a photo holds where it was taken; what was not rebuilt has nothing but its original."""
    gone = {kind for kind in Kind if not keep_original(ROWS, kind)}
    assert gone == {kind for kind in OPENED_KINDS if KINDS[kind].family in {Family.PICTURE, Family.RECORDING}}


@pytest.mark.parametrize(
    ("name", "declared", "expected"),
    [
        ("a.jpg", None, Kind.JPEG),
        ("A.JPEG", None, Kind.JPEG),
        ("a.b.png", "image/jpeg", Kind.PNG),
        ("a.jpg ", None, Kind.JPEG),
        ("a", "image/jpeg", Kind.JPEG),
        ("a", "image/jpg; charset=x", Kind.JPEG),
        ("a", "IMAGE/HEIF", Kind.HEIC),
        ("a.unknown", "application/pdf", Kind.PDF),
        ("a", "application/octet-stream", Kind.UNKNOWN),
        ("a", "nonsense", Kind.UNKNOWN),
        ("a", None, Kind.UNKNOWN),
        ("", None, Kind.UNKNOWN),
        ("jpg", None, Kind.UNKNOWN),
    ],
)
def test_the_name_speaks_before_the_declared_type(name: str, declared: str | None, expected: Kind) -> None:
    """A known extension is the claim; without one, the declared media type is; both may say nothing."""
    assert expected == claimed_kind(name, declared)


@given(kinds, kinds)
def test_a_name_is_mended_or_refused_but_never_both(claimed: Kind, seen: Kind) -> None:
    """Inside one family a wrong name is mended, across families it is refused, and a right one is left alone."""
    assert not (mends(claimed, seen) and contradicts(claimed, seen))
    assert not contradicts(seen, seen)
    assert not mends(seen, seen)
    assert not contradicts(Kind.UNKNOWN, seen)


@given(kinds, kinds, st.sampled_from(list(Reason)), st.sampled_from([None, Kind.JPEG, Kind.PNG]))
def test_only_what_was_made_without_a_reason_passes(
    claimed: Kind, seen: Kind, reason: Reason, made: Kind | None
) -> None:
    """Clean and converted have no reason, and every other verdict has one."""
    verdict, told = judge(claimed=claimed, seen=seen, reason=reason, made=made)
    assert (verdict in {Verdict.CLEAN, Verdict.CONVERTED}) == (told is Reason.NONE)
    if told is not Reason.NONE:
        assert told.verdict is verdict


@pytest.mark.parametrize(
    ("claimed", "seen", "reason", "expected"),
    [
        (Kind.JPEG, Kind.HTML, Reason.TYPE_NOT_TAKEN, Reason.CONTENT_DIFFERS_FROM_NAME),
        (Kind.JPEG, Kind.PDF, Reason.DAMAGED, Reason.CONTENT_DIFFERS_FROM_NAME),
        (Kind.PDF, Kind.JPEG, Reason.NONE, Reason.CONTENT_DIFFERS_FROM_NAME),
        (Kind.PDF, Kind.UNKNOWN, Reason.HELD_TYPE_UNKNOWN, Reason.CONTENT_DIFFERS_FROM_NAME),
        (Kind.JPEG, Kind.GIF, Reason.DAMAGED, Reason.DAMAGED),
        (Kind.OFFICE_OLE, Kind.RTF, Reason.OPEN_WITH_CARE, Reason.OPEN_WITH_CARE),
        (Kind.PROGRAM, Kind.TEXT, Reason.DAMAGED, Reason.TYPE_NOT_TAKEN),
        (Kind.RAW_PHOTO, Kind.TIFF, Reason.DAMAGED, Reason.TYPE_NOT_TAKEN),
        (Kind.HTML, Kind.HTML, Reason.TYPE_NOT_TAKEN, Reason.TYPE_NOT_TAKEN),
        (Kind.JPEG, Kind.UNKNOWN, Reason.EMPTY, Reason.EMPTY),
        (Kind.JPEG, Kind.UNKNOWN, Reason.JAIL_CRASHED, Reason.JAIL_CRASHED),
        (Kind.JPEG, Kind.UNKNOWN, Reason.NEEDS_TOO_MUCH_MEMORY, Reason.NEEDS_TOO_MUCH_MEMORY),
        (Kind.JPEG, Kind.UNKNOWN, Reason.NO_SECOND_OPINION, Reason.NO_SECOND_OPINION),
    ],
)
def test_a_name_that_lies_is_refused_unless_nothing_is_known_of_the_content(
    claimed: Kind, seen: Kind, reason: Reason, expected: Reason
) -> None:
    """Across families the lie is the reason; a jail that never came to look cannot catch one."""
    assert expected is judge(claimed=claimed, seen=seen, reason=reason, made=None)[1]


def test_the_types_that_are_never_taken_share_one_family() -> None:
    """So that no other name can bring one in."""
    never = {kind for kind, facts in KINDS.items() if facts.not_opened is Reason.TYPE_NOT_TAKEN}
    assert never == {kind for kind, facts in KINDS.items() if facts.family is Family.NEVER_TAKEN}
