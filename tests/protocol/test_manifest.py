"""The sealed parts: manifest, slip, card, and their padding. Lies are in tests/hostile/test_manifest.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.chains import ActingParty, nonce, objects, open_case, refusal_of, seed, verdict_on
from vetrelay.protocol.envelope import Envelope
from vetrelay.protocol.finding import Derived, Finding, Findings, Member, Patient
from vetrelay.protocol.ids import b64
from vetrelay.protocol.manifest import (
    Card,
    Content,
    FileEntry,
    Hints,
    Manifest,
    Names,
    PersonName,
    Slip,
    SlipFile,
    Text,
    Unknown,
    bind,
    open_card,
    open_manifest,
    open_slip,
    pad,
    padded_size,
)
from vetrelay.protocol.statement import MAX_SEALED_JSON_BYTES, parse_sealed, render


def sent_and_judged() -> tuple[Envelope, Envelope]:
    """A message with two photos, and the verdict on it."""
    clinic, intake, owner = ActingParty("clinic", "clinic"), ActingParty("intake", "machine"), ActingParty("owner")
    clinic.take(clinic.machines(intake=intake))
    running = open_case(clinic, machines=[intake])
    running.admit(owner, "owner", by=clinic)
    message = running.envelope(owner, named=objects("photos", files=2))
    answered = running.send(message, owner)
    return message, verdict_on(running, answered, intake, codes=("clean", "refused"))


MESSAGE, VERDICT = sent_and_judged()
LUNA = Patient(name="Luna", owner="Müller", species="dog", id="")
HINTS = Hints(purpose="wound", full_size=True, keep_motion=False, patient=LUNA)
MEMBERS = (Member(name="IMG 1.jpg", code="clean", reason=None, notes=("location removed",), media="image/jpeg"),)
TEXT = Text(text="Luna limps since Tuesday.\nLeft hind leg: “stiff” 🐾")


def manifest_of(envelope: Envelope, content: Content) -> Manifest:
    """What an honest sender seals."""
    files = tuple(
        FileEntry(p=ref.p, plain_sha256=ref.p, size=10, media="image/jpeg", name=f"IMG {at}.jpg")
        for at, ref in enumerate(envelope.of_role("attachment"))
    )
    binding = bind(envelope.id, case=envelope.case, device=envelope.device)
    return Manifest(binding=binding, content=content, files=files)


def findings_of(verdict: Envelope) -> Findings:
    """What an honest intake seals: it repeats the clear codes, and names each copy."""
    copies = list(verdict.of_role("normalized"))
    findings = []
    for ruling in verdict.verdict or ():
        derived = tuple(
            Derived(
                use="record",
                h0=ref.h0,
                plain_sha256=ref.p,
                size=5,
                media="image/jpeg",
                name="IMG.jpg",
                width=640,
                height=480,
                member=None,
            )
            for ref in ([copies.pop()] if ruling.code == "clean" else [])
        )
        findings.append(
            Finding(
                p=ruling.p,
                code=ruling.code,
                keep=ruling.keep,
                reason=None if derived else "incomplete",
                notes=("location removed",),
                media="image/jpeg",
                captured=None,
                width=None,
                height=None,
                items=None,
                duration_ms=None,
                patient=LUNA,
                derived=derived,
                members=MEMBERS if derived else (),
            )
        )
    assert verdict.derived_from is not None
    return Findings(answers=verdict.derived_from, findings=tuple(findings))


def slip_of(envelope: Envelope) -> Slip:
    """What an honest sender seals to the intake."""
    files = tuple(
        SlipFile(
            h0=ref.h0,
            p=ref.p,
            key=b64(seed(f"file key {ref.p}", 16)),
            plain_sha256=ref.p,
            name="IMG.jpg",
            declared="image/jpeg",
            keep_original=False,
        )
        for ref in envelope.of_role("attachment")
    )
    binding = bind(envelope.id, case=envelope.case, device=envelope.device)
    return Slip(binding=binding, files=files, hints=HINTS)


def test_a_manifest_comes_back_from_its_padded_bytes() -> None:
    """Any script may be said inside a seal."""
    opened = open_manifest(pad(manifest_of(MESSAGE, TEXT)), MESSAGE)
    assert (TEXT, manifest_of(MESSAGE, TEXT).files) == (opened.content, opened.files)
    anna = PersonName(person=nonce("a"), name="Anna")
    names = Names(title="Luna, limping", patient=LUNA, party="Familie Müller", people=(anna,))
    assert names == open_manifest(pad(manifest_of(MESSAGE, names)), MESSAGE).content


def test_a_verdicts_manifest_repeats_the_clear_codes() -> None:
    """And names every copy that the envelope carries."""
    findings = findings_of(VERDICT)
    assert findings == open_manifest(pad(manifest_of(VERDICT, findings)), VERDICT).content


def test_a_slip_and_a_card_come_back_from_their_padded_bytes() -> None:
    """The slip for the intake, the card for whoever holds an invitation."""
    slip = slip_of(MESSAGE)
    assert slip == open_slip(pad(slip), MESSAGE)
    card = Card(v=1, case=MESSAGE.case, title="Luna", party="Dr. Vet", person="Eva")
    assert card == open_card(pad(card))


def test_content_of_a_later_kind_is_told_as_such() -> None:
    """(N50) The files beside it are still there."""
    value = parse_sealed(render(manifest_of(MESSAGE, TEXT)))
    newer = {**value, "content": {"kind": "hologram", "depth": 3}}
    opened = open_manifest(render(newer), MESSAGE)
    assert (Unknown(kind="hologram"), 2) == (opened.content, len(opened.files))


# --- padding ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plain_bytes", "padded_bytes"),
    [
        (0, 0),
        (1, 1),
        (2, 2),
        (8, 8),
        (9, 10),
        (10, 10),
        (11, 12),
        (100, 104),
        (1000, 1024),
        (1025, 1088),
        (70_000, 71_680),
    ],
)
def test_padme_by_the_papers_formula(plain_bytes: int, padded_bytes: int) -> None:
    """Nikitin et al., PURBs, 2019: the exponent's own length of leading bits is kept, the rest rounded up."""
    assert padded_bytes == padded_size(plain_bytes)


@given(st.integers(2, 2**40))
def test_padding_hides_all_but_the_magnitude_and_costs_at_most_an_eighth(plain_bytes: int) -> None:
    """As many sizes are left as the bits of the length's length."""
    padded = padded_size(plain_bytes)
    assert plain_bytes <= padded <= plain_bytes * 9 // 8
    assert padded == padded_size(padded)
    exponent = plain_bytes.bit_length() - 1
    assert padded % 2 ** max(0, exponent - exponent.bit_length()) == 0


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=400))
def test_a_padded_part_has_a_padded_size_and_only_spaces_after_it(text: str) -> None:
    """At least one space always stands there, so a length never shows."""
    raw = render(manifest_of(MESSAGE, Text(text=text)))
    padded = pad(manifest_of(MESSAGE, Text(text=text)))
    assert padded_size(len(raw) + 1) == len(padded) > len(raw)
    assert raw + b" " * (len(padded) - len(raw)) == padded


def test_texts_of_nearly_the_same_length_look_the_same_from_outside() -> None:
    """A hundred lengths, five sizes."""
    sizes = {len(pad(manifest_of(MESSAGE, Text(text="x" * length)))) for length in range(100)}
    assert 5 >= len(sizes)


def test_a_sealed_part_has_a_largest_size_without_its_padding() -> None:
    """1 MiB of JSON."""
    assert "too_large" == refusal_of(open_card, b"x" * (MAX_SEALED_JSON_BYTES + 1))
    assert "bad_json" == refusal_of(open_card, b"x" * 10 + b" " * (MAX_SEALED_JSON_BYTES + 1))


def test_only_spaces_are_stripped() -> None:
    """(chapter 11) No other white space, and none before."""
    card = Card(v=1, case=MESSAGE.case, title="Luna", party="Dr. Vet", person="Eva")
    for plaintext in (render(card) + b"\n", render(card) + b"\0", b" " + render(card), render(card) + b" \t"):
        assert "bad_json" == refusal_of(open_card, plaintext)
    assert card == open_card(render(card)) == open_card(render(card) + b" " * 7)


def test_a_text_has_a_largest_length() -> None:
    """Two hundred thousand characters; more is a file."""
    for count, code in ((200_000, "success"), (200_001, "bad_body")):
        plaintext = render(manifest_of(MESSAGE, Text(text="x" * count)))
        assert code == refusal_of(open_manifest, plaintext, MESSAGE)
    assert "bad_body" == refusal_of(open_card, render(Card(v=1, case=MESSAGE.case, title="", party="", person="x")))
    assert "newer_version" == refusal_of(open_card, render(replace(_card(), v=2)))


def _card() -> Card:
    return Card(v=1, case=MESSAGE.case, title="Luna", party="Dr. Vet", person="Eva")
