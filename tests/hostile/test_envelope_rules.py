"""N03, N04, N06, N07, N09, N10, N15, N18, N31, N41, N42, N48, N50: envelopes that nobody takes. One row per attempt."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

import pytest
from msgspec.structs import replace

from tests.chains import (
    DEFAULT_POLICY,
    ActingParty,
    RunningCase,
    device_named,
    named_hash,
    nonce,
    object_ref,
    objects,
    open_case,
    refusal_of,
    verdict_on,
)
from vetrelay.protocol.envelope import Envelope, Ruling, Unit, View, check_supersedes
from vetrelay.protocol.ids import EntryId
from vetrelay.protocol.log import Kind
from vetrelay.protocol.manifest import Binding
from vetrelay.protocol.signature import Signed, sign


@dataclass
class Scene:
    """A case with everybody in it, and a message with two photos that waits for its verdict."""

    running: RunningCase
    clinic: ActingParty
    owner: ActingParty
    consultant: ActingParty
    provider: ActingParty
    bridge: ActingParty
    intake: ActingParty
    waiting: ActingParty
    message: EntryId
    text_only: EntryId
    internal: EntryId

    def sent(self, by: ActingParty, class_: Any = "message", audience: Any = "case", **how: Any) -> Signed:
        """An envelope by somebody, as the kit makes it."""
        device = how.pop("signed_by", "first")
        change = how.pop("change", {})
        return by.sign(replace(self.running.envelope(by, class_, audience, **how), **change), device, kind="envelope")

    def verdict(self, answered: EntryId | None = None, **change: Any) -> Signed:
        """A verdict on the message, tampered with before it was signed."""
        made = verdict_on(self.running, answered or self.message, self.intake, codes=("clean", "held"))
        return self.intake.sign(replace(made, **change), kind="envelope")

    def honest_verdict(self) -> Envelope:
        """What an honest intake says on the message."""
        return verdict_on(self.running, self.message, self.intake, codes=("clean", "held"))


def scene() -> Scene:
    """A scene of one's own."""
    made = first_scene()
    parts = ((each.name, getattr(made, each.name)) for each in fields(made))
    copies: dict[str, Any] = {name: part if isinstance(part, str) else part.copy() for name, part in parts}
    return Scene(**copies)


@cache
def first_scene() -> Scene:
    """Everybody in their place."""
    clinic, intake = ActingParty("clinic", "clinic"), ActingParty("intake", "machine")
    clinic.take(clinic.device_add("desk", role="desk"))
    clinic.take(clinic.device_add("kit", role="recovery"))
    clinic.take(clinic.machines(intake=intake))
    running = open_case(clinic, machines=[intake])
    made: dict[Any, ActingParty] = {role: ActingParty(role) for role in ("owner", "consultant", "provider", "bridge")}
    for role, party in made.items():
        running.admit(party, role, by=clinic)
    waiting = ActingParty("waiting")
    running.join(waiting, running.invite(clinic, "provider"), "provider")
    owner = made["owner"]
    message = running.send(running.envelope(owner, label="photos", named=objects("photos", files=2)), owner)
    text_only = running.send(running.envelope(owner, label="text"), owner)
    noted = running.envelope(clinic, "internal", "own", label="note", named=objects("note", files=2))
    return Scene(
        running=running,
        clinic=clinic,
        intake=intake,
        waiting=waiting,
        message=message,
        text_only=text_only,
        internal=running.send(noted, clinic),
        **made,
    )


Attempt = Callable[[Scene], Signed]


def after(step: Callable[[Scene], object], attempt: Attempt) -> Attempt:
    """Sealed before something happened, and appended after it."""

    def both(s: Scene) -> Signed:
        sealed = attempt(s)
        step(s)
        return sealed

    return both


def rotate(s: Scene, party: ActingParty, *revoked: str) -> None:
    """A party rotates, and the relay tells it."""
    party.take(party.rotate(*revoked))
    s.running.tell(party)


def sent_by_revoked(s: Scene, *, before: bool) -> Signed:
    """The desk is revoked, and signs under a view before or after that."""
    view = s.running.n
    rotate(s, s.clinic, "desk")
    return s.sent(s.clinic, "reply", device="desk", signed_by="desk", view_n=view if before else None)


def fewer(s: Scene) -> tuple[Unit, ...]:
    """The recipients without one."""
    return s.running.envelope(s.owner).recipients[1:]


def more(s: Scene, party: ActingParty) -> tuple[Unit, ...]:
    """The recipients and one more, in order."""
    return tuple(sorted((*s.running.envelope(s.owner).recipients, Unit(party=party.id, group="all", gen=0))))


def without(*roles: str) -> Any:
    """The objects of a message with a photo, without some of them."""
    return tuple(ref for ref in objects("spoilt", files=1) if ref.role not in roles)


def withdraw(s: Scene) -> None:
    """The clinic designates no intake any more."""
    s.clinic.take(s.clinic.machines())
    s.running.tell(s.clinic)


def unchecked_files(s: Scene) -> Signed:
    """Files, with a slip for nobody."""
    withdraw(s)
    return s.sent(s.owner, named=objects("spoilt", files=1))


def replaced_intake(s: Scene) -> None:
    """The clinic designates another machine."""
    other = ActingParty("another intake", "machine")
    s.running.tell(other)
    s.clinic.take(s.clinic.machines(intake=other))
    s.running.tell(s.clinic)


def ends(s: Scene) -> Scene:
    """From now on senders check their files themselves."""
    s.running.set_policy(replace(DEFAULT_POLICY, inspection="ends"), s.clinic)
    return s


def in_browser(s: Scene, **how: Any) -> Signed:
    """A message from a device that came into the owner's party later, and has no sandbox."""
    s.owner.take(s.owner.device_add("browser", offer=s.owner.offer("browser", inspects=False)))
    s.running.tell(s.owner)
    return s.sent(s.owner, device="browser", signed_by="browser", **how)


COPY = object_ref("normalized", "copy")
MANIFEST = object_ref("manifest", "spoilt")
ATTEMPTS: dict[str, tuple[str, Attempt]] = {
    # N04: replays and relabellings
    "N04 another case": ("wrong_case", lambda s: s.sent(s.owner, change={"case": named_hash("case")})),
    "N04 another relay": ("wrong_relay", lambda s: s.sent(s.owner, change={"relay": named_hash("relay")})),
    "N04 another class, the old signature": (
        "bad_signature",
        lambda s: replace(s.sent(s.clinic, "reply"), body=s.sent(s.clinic, "notice").body),
    ),
    "N18 another type": ("wrong_type", lambda s: s.owner.sign(s.running.envelope(s.owner), kind="grant")),
    "N18 relabelled": (
        "bad_signature",
        lambda s: replace(s.owner.sign(s.running.envelope(s.owner), kind="grant"), type="envelope"),
    ),
    "N18 a case statement as an envelope": (
        "bad_body",
        lambda s: replace(s.running.sign(s.running.written()["close"], s.owner), type="envelope"),
    ),
    "N50 version 2": ("newer_version", lambda s: s.sent(s.owner, change={"v": 2})),
    # N03, N10: who signs
    "N03 another member's signature": (
        "bad_signature",
        lambda s: sign("envelope", s.running.envelope(s.owner), [s.clinic.device().signer]),
    ),
    "N03 no signature": ("bad_signature", lambda s: replace(s.sent(s.owner), sigs=())),
    "another device of the party signs": ("bad_signature", lambda s: s.sent(s.clinic, "reply", signed_by="desk")),
    "a stranger": (
        "not_a_device",
        lambda s: s.sent(s.owner, change={"device": device_named("stranger").id}),
    ),
    "one who waits": ("not_a_device", lambda s: s.sent(s.waiting)),
    "N31 a recovery kit": ("not_a_device", lambda s: s.sent(s.clinic, "reply", device="kit", signed_by="kit")),
    "N10 a revoked device under an old view": ("not_a_device", lambda s: sent_by_revoked(s, before=True)),
    "N10 a revoked device under a new view": ("not_a_device", lambda s: sent_by_revoked(s, before=False)),
    "N10 a revoked device, sealed before": (
        "not_a_device",
        after(
            lambda s: rotate(s, s.clinic, "desk"),
            lambda s: s.sent(s.clinic, "reply", device="desk", signed_by="desk"),
        ),
    ),
    "N35 a party that was removed, sealed before": (
        "not_a_device",
        after(lambda s: s.running.remove(s.provider, "provider", by=s.owner), lambda s: s.sent(s.provider)),
    ),
    # N09, N42: the view
    "N09 before a member's rotate": ("roster_moved", after(lambda s: rotate(s, s.clinic), lambda s: s.sent(s.owner))),
    "N42 before the sender's own rotate": (
        "roster_moved",
        after(lambda s: rotate(s, s.owner), lambda s: s.sent(s.owner)),
    ),
    "N09 before the intake's rotate": ("roster_moved", after(lambda s: rotate(s, s.intake), lambda s: s.sent(s.owner))),
    "N09 before a removal": (
        "roster_moved",
        after(lambda s: s.running.remove(s.bridge, "bridge", by=s.owner), lambda s: s.sent(s.owner)),
    ),
    "N09 before a policy": (
        "roster_moved",
        after(lambda s: s.running.set_policy(DEFAULT_POLICY, s.clinic), lambda s: s.sent(s.owner)),
    ),
    "N09 before closing and reopening": (
        "roster_moved",
        after(lambda s: (s.running.close(s.owner), s.running.reopen(s.owner)), lambda s: s.sent(s.owner)),
    ),
    "N09 before another intake": ("roster_moved", after(replaced_intake, lambda s: s.sent(s.owner))),
    "N25 a head that is not the log's": (
        "log_forked",
        lambda s: s.sent(s.owner, change={"view": View(n=s.running.n, head=named_hash("fork"))}),
    ),
    "a view of the future": (
        "log_forked",
        lambda s: s.sent(s.owner, change={"view": View(n=s.running.n + 1, head=s.running.tail.head)}),
    ),
    "a view before the sender came": (
        "may_not",
        lambda s: s.sent(s.owner, change={"view": s.running.view(5)}),
    ),
    # N06, N07: recipients
    "N07 a party left out": ("bad_recipients", lambda s: s.sent(s.owner, recipients=fewer(s))),
    "N06 a party too many": ("bad_recipients", lambda s: s.sent(s.owner, recipients=more(s, s.provider))),
    "N06 a stranger": ("bad_recipients", lambda s: s.sent(s.owner, recipients=more(s, ActingParty("stranger")))),
    "N06 one who waits": ("bad_recipients", lambda s: s.sent(s.owner, recipients=more(s, s.waiting))),
    "N06 the intake reads a message": ("bad_recipients", lambda s: s.sent(s.owner, recipients=more(s, s.intake))),
    "N06 a party twice": (
        "bad_recipients",
        lambda s: s.sent(s.owner, recipients=(x := s.running.envelope(s.owner).recipients)[:1] + x),
    ),
    "N06 not in order": (
        "bad_recipients",
        lambda s: s.sent(s.owner, recipients=s.running.envelope(s.owner).recipients[::-1]),
    ),
    "N06 nobody": ("bad_body", lambda s: s.sent(s.owner, recipients=())),
    "N06 another generation": (
        "bad_recipients",
        lambda s: s.sent(
            s.owner, recipients=tuple(replace(unit, gen=1) for unit in s.running.envelope(s.owner).recipients)
        ),
    ),
    "N06 another group": (
        "bad_body",
        lambda s: s.sent(
            s.owner,
            recipients=tuple(replace(unit, group="desk") for unit in s.running.envelope(s.owner).recipients),
        ),
    ),
    # N15, N16: classes and audiences
    "N15 the intake signs a message": ("may_not", lambda s: s.sent(s.intake)),
    "N15 the intake signs a reply": ("may_not", lambda s: s.sent(s.intake, "reply")),
    "N15 an owner signs a verdict": (
        "may_not",
        lambda s: s.owner.sign(replace(s.honest_verdict(), device=s.owner.device().id), kind="envelope"),
    ),
    "N16 a bridge signs a reply": ("may_not", lambda s: s.sent(s.bridge, "reply")),
    "an owner signs a reply": ("may_not", lambda s: s.sent(s.owner, "reply")),
    "an owner writes to the team": ("may_not", lambda s: s.sent(s.owner, "control", "team")),
    "a provider writes to the team": ("may_not", lambda s: s.sent(s.provider, "receipt", "team")),
    "a bridge writes to the team": ("may_not", lambda s: s.sent(s.bridge, "control", "team")),
    "a message for oneself": ("may_not", lambda s: s.sent(s.owner, "message", "own")),
    "a reply to the team": ("may_not", lambda s: s.sent(s.clinic, "reply", "team")),
    "an internal note to the case": ("may_not", lambda s: s.sent(s.clinic, "internal", "case")),
    "urgency where the clinic does not show it": ("may_not", lambda s: s.sent(s.owner, change={"urgency": "urgent"})),
    # objects
    "no manifest": ("bad_objects", lambda s: s.sent(s.owner, named=without("manifest"))),
    "two manifests": ("bad_objects", lambda s: s.sent(s.owner, named=(MANIFEST, *objects("spoilt")))),
    "no object at all": ("bad_body", lambda s: s.sent(s.owner, named=())),
    "an object twice": (
        "bad_objects",
        lambda s: s.sent(s.owner, named=(*objects("spoilt", files=1), objects("spoilt", files=1)[-1])),
    ),
    "one payload under two headers": (
        "bad_objects",
        lambda s: s.sent(
            s.owner,
            named=(*(x := objects("spoilt", files=1)), replace(x[-1], h0=named_hash("second header"))),
        ),
    ),
    "files without a slip": ("bad_objects", lambda s: s.sent(s.owner, named=without("slip"))),
    "a slip without files": ("bad_objects", lambda s: s.sent(s.owner, named=without("attachment"))),
    "two slips": (
        "bad_objects",
        lambda s: s.sent(s.owner, named=(*objects("spoilt", files=1), object_ref("slip", "x"))),
    ),
    "101 files": ("bad_objects", lambda s: s.sent(s.owner, named=objects("many", files=101))),
    "321 objects": ("bad_body", lambda s: s.sent(s.owner, named=objects("many", files=319))),
    "a message with a normalized copy": ("bad_objects", lambda s: s.sent(s.owner, named=(*objects("spoilt"), COPY))),
    "files where nobody checks them": (
        "no_intake",
        unchecked_files,
    ),
    # verdicts
    "a message that answers with rulings": (
        "bad_body",
        lambda s: s.sent(s.owner, change={"verdict": (), "derived_from": s.message}),
    ),
    "a message that is derived": ("bad_body", lambda s: s.sent(s.owner, change={"derived_from": s.message})),
    "a message that supersedes": ("bad_body", lambda s: s.sent(s.owner, change={"supersedes": s.message})),
    "a verdict that answers nothing": ("bad_body", lambda s: s.verdict(derived_from=None)),
    "a verdict without rulings": ("bad_body", lambda s: s.verdict(verdict=None)),
    "a verdict on what is not there": ("wrong_verdict", lambda s: s.verdict(derived_from=named_hash("entry"))),
    "a verdict on a text": ("wrong_verdict", lambda s: s.verdict(derived_from=s.text_only)),
    "N41 a verdict on an internal file for all to read": (
        "wrong_verdict",
        lambda s: s.verdict(derived_from=s.internal),
    ),
    "a file left out": ("wrong_verdict", lambda s: s.verdict(verdict=(s.honest_verdict().verdict or ())[:1])),
    "N41 a file of another envelope": (
        "wrong_verdict",
        lambda s: s.verdict(
            verdict=(*(s.honest_verdict().verdict or ()), Ruling(p=named_hash("p"), code="clean", keep=False))
        ),
    ),
    "a file ruled on twice": (
        "bad_body",
        lambda s: s.verdict(verdict=(s.honest_verdict().verdict or ()) * 2),
    ),
    "a word that is no code": (
        "bad_body",
        lambda s: s.verdict(verdict=(Ruling(p=named_hash("p"), code="fine", keep=False),)),  # type: ignore[arg-type]  # no code
    ),
    # where the ends inspect
    "an intake where the ends inspect": (
        "not_a_device",
        lambda s: ends(s).verdict(view=s.running.view()),
    ),
    "a slip where the ends inspect": (
        "bad_objects",
        lambda s: ends(s).sent(s.owner, named=objects("spoilt", files=1)),
    ),
    "copies from a browser where the ends inspect": (
        "cannot_inspect",
        lambda s: in_browser(ends(s), named=(MANIFEST, COPY)),
    ),
    "an original from a browser where the ends inspect": (
        "cannot_inspect",
        lambda s: in_browser(ends(s), named=without("slip")),
    ),
    "a message with copies and a slip": (
        "bad_objects",
        lambda s: ends(s).sent(s.owner, named=(*objects("spoilt", files=1), COPY)),
    ),
    "a message with nothing but a copy": ("bad_objects", lambda s: s.sent(s.owner, named=(MANIFEST, COPY))),
    "a verdict with an attachment": (
        "bad_objects",
        lambda s: s.verdict(objects=objects("spoilt", files=1, slip=False)),
    ),
    "a verdict for a smaller audience": ("wrong_verdict", lambda s: s.verdict(audience="own")),
    "N07 a verdict without the owner": (
        "bad_recipients",
        lambda s: s.verdict(
            recipients=tuple(unit for unit in s.honest_verdict().recipients if unit.party != s.owner.id)
        ),
    ),
    "N09 a verdict by an intake that was replaced": ("not_a_device", after(replaced_intake, lambda s: s.verdict())),
    "a verdict by an intake that was withdrawn": ("not_a_device", after(withdraw, lambda s: s.verdict())),
    "a verdict sealed before the intake rotated": (
        "roster_moved",
        after(lambda s: rotate(s, s.intake), lambda s: s.verdict()),
    ),
}


@pytest.mark.parametrize(("code", "attempt"), ATTEMPTS.values(), ids=ATTEMPTS.keys())
def test_nobody_takes(code: str, attempt: Attempt) -> None:
    """With this code; relay and readers run the same rules."""
    made = scene()
    signed = attempt(made)
    assert code == refusal_of(made.running.append, Kind.ENVELOPE, signed)


def test_what_is_right_is_taken() -> None:
    """The table above is not simply a wall."""
    made = scene()
    for signed in (
        made.sent(made.owner, named=objects("good", files=1)),
        made.sent(made.clinic, "reply", device="desk", signed_by="desk", label="reply"),
        made.verdict(),
        made.verdict(made.internal, id=nonce("second"), audience="own"),
    ):
        assert "success" == refusal_of(made.running.append, Kind.ENVELOPE, signed)


def test_sent_at_decides_nothing() -> None:
    """(N10, N38) The log's order does; a clock that is days off does no harm."""
    made = scene()
    for number, sent_at in enumerate((0, 2**53 - 1)):
        signed = made.sent(made.owner, label=f"{number}", change={"sent_at": sent_at})
        assert "success" == refusal_of(made.running.append, Kind.ENVELOPE, signed)


def test_the_first_verdict_stands_until_a_later_one_names_it() -> None:
    """(N48) The relay and every reader keep the same one."""
    first = scene().honest_verdict()
    standing, other = named_hash("first verdict"), named_hash("another entry")
    table = [(None, None, True), (standing, None, False), (None, standing, False), (standing, standing, True)]
    for supersedes, in_force, taken in [*table, (other, standing, False)]:
        verdict = replace(first, supersedes=supersedes)
        assert ("success" if taken else "verdict_stands") == refusal_of(check_supersedes, verdict, in_force)


def test_a_binding_is_no_envelope() -> None:
    """(N18) Sealed parts and signed parts share no form."""
    made = scene()
    binding = Binding(v=1, case=made.running.case, id=nonce("x"), device=made.owner.device().id)
    assert "bad_body" == refusal_of(made.running.append, Kind.ENVELOPE, made.owner.sign(binding, kind="envelope"))
