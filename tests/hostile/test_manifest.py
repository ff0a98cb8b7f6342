"""N14, N41, N48, N50: what is sealed and lies about its envelope. One row per lie."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from tests.chains import named_hash, nonce, refusal_of
from tests.protocol.test_manifest import MESSAGE, TEXT, VERDICT, findings_of, manifest_of, slip_of
from vetrelay.protocol.envelope import Envelope
from vetrelay.protocol.finding import Finding
from vetrelay.protocol.manifest import Content, Manifest, Slip, open_manifest, open_slip, pad
from vetrelay.protocol.statement import parse_sealed, render

TOLD = manifest_of(MESSAGE, TEXT)
JUDGED = findings_of(VERDICT)
SLIP = slip_of(MESSAGE)
CLEAN, REFUSED = JUDGED.findings if JUDGED.findings[0].code == "clean" else JUDGED.findings[::-1]


def bound(**change: Any) -> Manifest:
    """A message's manifest with another binding."""
    return replace(TOLD, binding=replace(TOLD.binding, **change))


def judged(*findings: Finding, **change: Any) -> Manifest:
    """A verdict's manifest with other findings."""
    return manifest_of(VERDICT, replace(JUDGED, findings=findings or JUDGED.findings, **change))


def copied(**change: Any) -> Finding:
    """The clean file's finding with another word on its copy."""
    return replace(CLEAN, derived=(replace(CLEAN.derived[0], **change),))


def said(envelope: Envelope, content: Content) -> Manifest:
    """Content in an envelope it does not belong into."""
    return manifest_of(envelope, content)


LIES: dict[str, tuple[str, Envelope, Manifest]] = {
    "N14 another case": ("binding_differs", MESSAGE, bound(case=named_hash("case"))),
    "N14 another envelope": ("binding_differs", MESSAGE, bound(id=nonce("envelope"))),
    "N14 another device": ("binding_differs", MESSAGE, bound(device=named_hash("device"))),
    "N14 a manifest taken from another envelope": ("binding_differs", VERDICT, TOLD),
    "N50 a binding of version 2": ("newer_version", MESSAGE, bound(v=2)),
    "a binding of version 0": ("bad_body", MESSAGE, bound(v=0)),
    "N14 a file left out": ("binding_differs", MESSAGE, replace(TOLD, files=TOLD.files[:1])),
    "N14 no file told": ("binding_differs", MESSAGE, replace(TOLD, files=())),
    "N14 a file told twice": ("binding_differs", MESSAGE, replace(TOLD, files=TOLD.files[:1] * 2)),
    "N14 a file of another envelope": (
        "binding_differs",
        MESSAGE,
        replace(TOLD, files=(TOLD.files[0], replace(TOLD.files[1], p=named_hash("p")))),
    ),
    "N14 a hash that ends in a newline": (
        "bad_body",
        MESSAGE,
        replace(TOLD, files=(TOLD.files[0], replace(TOLD.files[1], p=TOLD.files[1].p + "\n"))),
    ),
    "a file name that is too long": (
        "bad_body",
        MESSAGE,
        replace(TOLD, files=(TOLD.files[0], replace(TOLD.files[1], name="x" * 256))),
    ),
    # N48: verdicts
    "N48 another code inside": ("verdict_differs", VERDICT, judged(replace(CLEAN, code="converted"), REFUSED)),
    "N48 another keep inside": ("verdict_differs", VERDICT, judged(replace(CLEAN, keep=True), REFUSED)),
    "N48 a finding left out": ("verdict_differs", VERDICT, judged(CLEAN)),
    "N48 a finding twice": ("verdict_differs", VERDICT, judged(CLEAN, CLEAN, REFUSED)),
    "N48 a finding on another file": ("verdict_differs", VERDICT, judged(CLEAN, replace(REFUSED, p=named_hash("p")))),
    "N48 an answer to another envelope": ("verdict_differs", VERDICT, judged(answers=named_hash("entry"))),
    "N48 a copy that is not told": ("verdict_differs", VERDICT, judged(replace(CLEAN, derived=()), REFUSED)),
    "N48 a copy that is not carried": (
        "verdict_differs",
        VERDICT,
        judged(CLEAN, replace(REFUSED, derived=(replace(CLEAN.derived[0], h0=named_hash("h0")),))),
    ),
    "N48 one copy for two files": (
        "verdict_differs",
        VERDICT,
        judged(CLEAN, replace(REFUSED, derived=CLEAN.derived)),
    ),
    "N48 a copy told as another role": (
        "verdict_differs",
        VERDICT,
        judged(copied(use="preview"), REFUSED),
    ),
    "N48 a copy told as a strip, which is a preview in clear": (
        "verdict_differs",
        VERDICT,
        judged(copied(use="strip"), REFUSED),
    ),
    "N48 a use that is none": ("bad_body", VERDICT, judged(copied(use="original"), REFUSED)),
    "N48 one copy told twice": (
        "verdict_differs",
        VERDICT,
        judged(replace(CLEAN, derived=CLEAN.derived * 2), REFUSED),
    ),
    "N48 a copy of a member that is not there": ("verdict_differs", VERDICT, judged(copied(member=1), REFUSED)),
    "N48 a copy of a member, and no member told": (
        "verdict_differs",
        VERDICT,
        judged(replace(copied(member=0), members=()), REFUSED),
    ),
    "N48 a copy of a member beyond any pack": ("bad_body", VERDICT, judged(copied(member=500), REFUSED)),
    "N48 a copy of a member below the first": ("bad_json", VERDICT, judged(copied(member=-1), REFUSED)),
    "N15 a message that pretends to be a verdict": ("verdict_differs", MESSAGE, said(MESSAGE, JUDGED)),
    "N15 an intake that talks": ("verdict_differs", VERDICT, said(VERDICT, TEXT)),
}


@pytest.mark.parametrize(("code", "envelope", "manifest"), LIES.values(), ids=LIES.keys())
def test_a_manifest_that_lies_is_not_shown(code: str, envelope: Envelope, manifest: Manifest) -> None:
    """The reader says that something is wrong, and shows nothing of it."""
    assert code == refusal_of(open_manifest, pad(manifest), envelope)


SLIPS: dict[str, tuple[str, Slip]] = {
    "N41 lifted from another envelope": (
        "binding_differs",
        replace(SLIP, binding=replace(SLIP.binding, id=nonce("envelope"))),
    ),
    "N41 by another device": (
        "binding_differs",
        replace(SLIP, binding=replace(SLIP.binding, device=named_hash("device"))),
    ),
    "N41 in another case": ("binding_differs", replace(SLIP, binding=replace(SLIP.binding, case=named_hash("case")))),
    "N50 version 2": ("newer_version", replace(SLIP, binding=replace(SLIP.binding, v=2))),
    "N41 a foreign object": (
        "binding_differs",
        replace(SLIP, files=(SLIP.files[0], replace(SLIP.files[1], h0=named_hash("h0"), p=named_hash("p")))),
    ),
    "N41 a foreign payload under an own header": (
        "binding_differs",
        replace(SLIP, files=(SLIP.files[0], replace(SLIP.files[1], p=named_hash("p")))),
    ),
    "a file left out": ("binding_differs", replace(SLIP, files=SLIP.files[:1])),
    "a file twice": ("binding_differs", replace(SLIP, files=(*SLIP.files, SLIP.files[0]))),
    "no file": ("bad_body", replace(SLIP, files=())),
    "a key that is too short": ("bad_body", replace(SLIP, files=(replace(SLIP.files[0], key="AAAA"), SLIP.files[1]))),
    "good": ("success", SLIP),
}


@pytest.mark.parametrize(("code", "slip"), SLIPS.values(), ids=SLIPS.keys())
def test_the_intake_works_only_for_the_envelope_that_carries_the_slip(code: str, slip: Slip) -> None:
    """(N41) Otherwise a member could have it open somebody else's file."""
    assert code == refusal_of(open_slip, pad(slip), MESSAGE)


Spoil = Callable[[dict[str, Any]], dict[str, Any]]
SPOILT: dict[str, tuple[str, Spoil]] = {
    "an unknown key": ("bad_body", lambda value: {**value, "extra": 1}),
    "no binding": ("bad_body", lambda value: {key: part for key, part in value.items() if key != "binding"}),
    "a binding that is a list": ("bad_body", lambda value: {**value, "binding": []}),
    "a binding without version": (
        "bad_body",
        lambda value: {**value, "binding": {key: part for key, part in value["binding"].items() if key != "v"}},
    ),
    "a version that is true": ("bad_body", lambda value: {**value, "binding": {**value["binding"], "v": True}}),
    "content without a kind": ("bad_body", lambda value: {**value, "content": {"text": "x"}}),
    "content that is a text": ("bad_body", lambda value: {**value, "content": "x"}),
    "a kind that is a number": ("bad_body", lambda value: {**value, "content": {"kind": 1}}),
    "a size below zero": ("bad_json", lambda value: {**value, "files": [{**value["files"][0], "size": -1}]}),
    "N50 a newer kind under a foreign binding": (
        "binding_differs",
        lambda value: {**value, "content": {"kind": "x"}, "binding": {**value["binding"], "id": nonce("x")}},
    ),
}


@pytest.mark.parametrize(("code", "spoil"), SPOILT.values(), ids=SPOILT.keys())
def test_a_manifest_of_another_form_is_refused(code: str, spoil: Spoil) -> None:
    """Sealed or not, there is one form."""
    assert code == refusal_of(open_manifest, render(spoil(parse_sealed(render(TOLD)))), MESSAGE)
