"""N28, N31, N43, N44, N46, N50, N55: what nobody can write into a case, whatever they hold. One row per attempt."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

import pytest
from msgspec.structs import replace

from tests.chains import (
    DEFAULT_POLICY,
    RELAY,
    ActingParty,
    RunningCase,
    begin_case,
    device_named,
    named_hash,
    nonce,
    open_case,
    opening,
    refusal_of,
    seed,
)
from vetrelay.protocol.authority import WRITES, apply_entry
from vetrelay.protocol.case import (
    By,
    MemberRole,
    PartyApprove,
    PartyRemove,
    parse_case_statement,
)
from vetrelay.protocol.derive import derive
from vetrelay.protocol.identity import invitation_signer, sign_key_of, signer_from
from vetrelay.protocol.log import Kind
from vetrelay.protocol.party import parse_statement
from vetrelay.protocol.signature import Signed, sign

DOOR = seed("door", 16)
DOOR_SIGNER = signer_from(derive(DOOR, "door/sign"))


ENDS = replace(DEFAULT_POLICY, inspection="ends")


@dataclass
class Scene:
    """A clinic's case: an owner, a consultant, a provider, a bridge, one who waits, and parties outside."""

    running: RunningCase
    clinic: ActingParty
    owner: ActingParty
    consultant: ActingParty
    provider: ActingParty
    bridge: ActingParty
    waiting: ActingParty
    intake: ActingParty
    newcomer: ActingParty

    def invited(self, role: MemberRole = "provider", **how: Any) -> bytes:
        """An invitation by the clinic."""
        return self.running.invite(self.clinic, role, **how)

    def stated(self, body: Any, by: ActingParty, device: str = "first") -> Signed:
        """A statement by somebody, not appended."""
        return self.running.sign(body, by, device)

    def join_with(self, secret: bytes, **how: Any) -> Signed:
        """A party.add by the newcomer, its chain told before."""
        self.running.tell(self.newcomer)
        return self.running.joining(self.newcomer, secret, how.pop("role", "provider"), **how)


def scene() -> Scene:
    """A scene of one's own."""
    made = first_scene()
    return Scene(**{each.name: getattr(made, each.name).copy() for each in fields(made)})


@cache
def first_scene() -> Scene:
    """Everybody in their place."""
    clinic, intake = ActingParty("clinic", "clinic"), ActingParty("intake", "machine")
    clinic.take(clinic.device_add("desk", role="desk"))
    clinic.take(clinic.device_add("kit", role="recovery"))
    clinic.take(clinic.machines(intake=intake))
    running = open_case(clinic, machines=[intake])
    made = {role: ActingParty(role) for role in ("owner", "consultant", "provider", "bridge")}
    for role, party in made.items():
        running.admit(party, role, by=clinic)  # type: ignore[arg-type]  # keys of a dict are not known to be roles
    waiting, newcomer = ActingParty("waiting"), ActingParty("newcomer", "clinic")
    newcomer.take(newcomer.device_add("kit", role="recovery"))
    running.join(waiting, running.invite(clinic, "provider"), "provider")
    return Scene(running=running, clinic=clinic, waiting=waiting, intake=intake, newcomer=newcomer, **made)


def used(s: Scene) -> Signed:
    """A second join with one secret."""
    secret = s.invited(label="used")
    s.running.join(ActingParty("first to come"), secret, "provider")
    return s.join_with(secret)


def closed(s: Scene) -> Signed:
    """A join with an invitation that was taken back."""
    secret = s.invited(label="closed")
    s.running.say(s.running.invite_close(sign_key_of(derive(secret, "invite/sign"))), s.clinic)
    return s.join_with(secret)


def expired(s: Scene) -> Signed:
    """A join one millisecond of log time too late."""
    secret = s.invited(until=s.running.now_ms)
    joining = s.join_with(secret)
    s.running.now_ms += 1
    return joining


def revoke_desk(s: Scene) -> None:
    """The clinic's desk is revoked."""
    s.clinic.take(s.clinic.rotate("desk"))
    s.running.tell(s.clinic)


def opener_revoked(s: Scene) -> Signed:
    """The desk invites, is revoked, and its invitee comes."""
    secret = s.invited(device="desk")
    revoke_desk(s)
    return s.join_with(secret)


def opener_removed(s: Scene) -> Signed:
    """A second owner invites, is removed, and its invitee comes."""
    second = ActingParty("second owner")
    s.running.admit(second, "owner", by=s.clinic)
    secret = s.running.invite(second, "provider")
    s.running.remove(second, "owner", by=s.clinic)
    return s.join_with(secret)


def own_clinic(s: Scene, *, by_door: bool) -> Signed:
    """An owner brings a second "clinic" of its own, through an invitation opened before the first clinic came."""
    owner, real, fake = ActingParty("owner alone"), ActingParty("real", "clinic"), s.newcomer
    s.running = open_case(owner, "owner", label="owner's")
    fake.take(fake.door(DOOR))
    for_real, for_fake = s.running.invite(owner, "care"), s.running.invite(owner, "care")
    s.running.join(real, for_real, "care")
    s.running.approve(real, "care", by=owner)
    return s.join_with(for_fake, role="care", second=DOOR_SIGNER if by_door else None)


def stale_chain(s: Scene) -> Signed:
    """The relay knows more of the newcomer's chain than its party.add names."""
    head = s.newcomer.state
    s.newcomer.take(s.newcomer.rotate())
    return s.join_with(s.invited(), seq=head.seq, head=head.head)


def with_door(s: Scene, **how: Any) -> Signed:
    """A join through the newcomer's door."""
    s.newcomer.take(s.newcomer.door(DOOR, **how))
    return s.join_with(s.invited("care"), role="care", second=DOOR_SIGNER)


def closed_door(s: Scene) -> Signed:
    """A door that was open, and is closed when it is used."""
    s.newcomer.take(s.newcomer.door(DOOR))
    s.running.tell(s.newcomer)
    return with_door(s, closed=True)


def statement(kind: Any, s: Scene, **fields: Any) -> Any:
    """A body of a case statement."""
    return kind(v=1, case=s.running.case, nonce=s.running.fresh(), **fields)


def removal(s: Scene, target: ActingParty, role: str, by: ActingParty) -> Signed:
    """A party.remove."""
    return s.stated(statement(PartyRemove, s, party=target.id, role=role), by)


def approval(s: Scene, target: ActingParty, role: str, by: ActingParty) -> Signed:
    """A party.approve."""
    return s.stated(statement(PartyApprove, s, party=target.id, role=role), by)


def invitation(s: Scene, by: ActingParty, role: str, device: str = "first", **change: Any) -> Signed:
    """An invite.open."""
    body = s.running.invitation(seed("invitation", 16), role, **change)  # type: ignore[arg-type]  # any role
    return s.stated(body, by, device)


def with_body(signed: Signed, signers: Any, **change: Any) -> Signed:
    """The same statement with other fields, signed again."""
    body: Any = parse_case_statement(signed.content())
    return sign("case", replace(body, **change), signers)


Attempt = Callable[[Scene], Signed]


def after(step: Callable[[Scene], object], attempt: Attempt) -> Attempt:
    """An attempt after something else happened."""

    def both(s: Scene) -> Signed:
        step(s)
        return attempt(s)

    return both


def with_browser(party: ActingParty) -> ActingParty:
    """The party, with one more device, which has no sandbox."""
    party.take(party.device_add("browser", offer=party.offer("browser", inspects=False)))
    return party


def ends(s: Scene) -> Scene:
    """From now on senders check their files themselves."""
    s.running.set_policy(ENDS, s.clinic)
    return s


def browser_joins(s: Scene, party: ActingParty) -> Signed:
    """A party.add of somebody who comes in where the ends inspect."""
    ends(s)
    secret = s.invited()
    s.running.tell(party)
    return s.running.joining(party, secret, "provider")


ATTEMPTS: dict[str, tuple[str, Attempt]] = {
    # N28: invitations
    "N28 a secret that nobody opened": ("invitation_unknown", lambda s: s.join_with(seed("guessed", 16))),
    "N28 used twice": ("invitation_used", used),
    "N28 closed": ("invitation_unknown", closed),
    "N28 expired by log time": ("invitation_expired", expired),
    "N43 its opener was revoked": ("invitation_unknown", opener_revoked),
    "N43 its opener's party was removed": ("invitation_unknown", opener_removed),
    "another role than invited to": ("may_not", lambda s: s.join_with(s.invited(), role="owner")),
    "a member joins again": (
        "already_a_member",
        lambda s: s.running.joining(s.provider, s.invited(), "provider"),
    ),
    "one who waits joins again": (
        "already_a_member",
        lambda s: s.running.joining(s.waiting, s.invited(), "provider"),
    ),
    # N46: the party's consent
    "N46 signed by the invitation alone": (
        "bad_signature",
        lambda s: replace(x := s.join_with(s.invited()), sigs=x.sigs[:1]),
    ),
    "N46 signed by the party alone": (
        "bad_signature",
        lambda s: replace(x := s.join_with(s.invited()), sigs=x.sigs[1:]),
    ),
    "N46 in the wrong order": (
        "bad_signature",
        lambda s: replace(x := s.join_with(s.invited()), sigs=x.sigs[::-1]),
    ),
    "N46 signed by a member instead": (
        "bad_signature",
        lambda s: s.join_with(s.invited(), second=s.clinic.device().signer),
    ),
    "N46 signed twice by the invitation": (
        "bad_signature",
        lambda s: s.join_with(x := s.invited(), second=invitation_signer(x)),
    ),
    "N46 signed by a stranger": (
        "bad_signature",
        lambda s: s.join_with(s.invited(), second=device_named("stranger").signer),
    ),
    "N31 signed by the newcomer's recovery kit": (
        "not_a_device",
        lambda s: s.join_with(s.invited(), second=s.newcomer.device("kit").signer),
    ),
    "N46 a stale head": ("chain_moved", stale_chain),
    "N46 a head that never was": ("chain_moved", lambda s: s.join_with(s.invited(), head=named_hash("head"))),
    "N46 a seq that is not reached": ("chain_moved", lambda s: s.join_with(s.invited(), seq=7)),
    "N46 the chain is not in the log": (
        "chain_moved",
        lambda s: s.running.joining(ActingParty("unseen"), s.invited(), "provider"),
    ),
    # N55: doors
    "N55 closed": ("door_closed", closed_door),
    "N55 past its last day": ("door_closed", lambda s: with_door(s, until=s.running.now_ms - 1)),
    "N55 for another role than care": (
        "may_not",
        after(
            lambda s: s.newcomer.take(s.newcomer.door(DOOR)),
            lambda s: s.join_with(s.invited(), second=DOOR_SIGNER),
        ),
    ),
    "N55 another clinic's door": (
        "bad_signature",
        lambda s: s.join_with(s.invited("care"), role="care", second=DOOR_SIGNER),
    ),
    # N44, N21: who may admit
    "N44 an owner invites a second clinic": ("may_not", lambda s: invitation(s, s.owner, "care")),
    "N44 an owner's own clinic joins when there is one": ("may_not", lambda s: own_clinic(s, by_door=False)),
    "N44 an owner's own clinic comes by its door": ("may_not", lambda s: own_clinic(s, by_door=True)),
    "an owner invites a consultant": ("may_not", lambda s: invitation(s, s.owner, "consultant")),
    "an owner invites a bridge": ("may_not", lambda s: invitation(s, s.owner, "bridge")),
    "a consultant invites": ("may_not", lambda s: invitation(s, s.consultant, "provider")),
    "a provider invites": ("may_not", lambda s: invitation(s, s.provider, "provider")),
    "a bridge invites": ("may_not", lambda s: invitation(s, s.bridge, "owner")),
    "one who waits invites": ("not_a_member", lambda s: invitation(s, s.waiting, "provider")),
    "a stranger invites": ("not_a_member", lambda s: invitation(s, s.newcomer, "provider")),
    "the intake invites": ("not_a_member", lambda s: invitation(s, s.intake, "owner")),
    "N31 the recovery kit invites": ("not_a_device", lambda s: invitation(s, s.clinic, "owner", "kit")),
    "an owner comes without approval where there is one": (
        "may_not",
        lambda s: invitation(s, s.clinic, "owner", approve=False),
    ),
    "a provider comes without approval": ("may_not", lambda s: invitation(s, s.clinic, "provider", approve=False)),
    "an invitation that is over already": (
        "invitation_expired",
        lambda s: invitation(s, s.clinic, "provider", until=s.running.now_ms - 1),
    ),
    "an invitation with a used key": (
        "invitation_used",
        after(used, lambda s: s.stated(s.running.invitation(seed("used", 16), "provider"), s.clinic)),
    ),
    "an invitation with an open key": (
        "invitation_used",
        lambda s: s.stated(s.running.invitation(s.invited(), "provider"), s.clinic),
    ),
    "an invitation with a closed key": (
        "invitation_used",
        after(closed, lambda s: s.stated(s.running.invitation(seed("closed", 16), "provider"), s.clinic)),
    ),
    "closing an invitation that is not open": (
        "invitation_unknown",
        lambda s: s.stated(s.running.invite_close(named_hash("key")), s.clinic),
    ),
    "an owner closes the clinic's invitation": (
        "may_not",
        lambda s: s.stated(s.running.invite_close(sign_key_of(derive(s.invited(), "invite/sign"))), s.owner),
    ),
    # approvals
    "one who waits approves itself": ("not_a_member", lambda s: approval(s, s.waiting, "provider", s.waiting)),
    "a consultant approves": ("may_not", lambda s: approval(s, s.waiting, "provider", s.consultant)),
    "approved in another role": ("not_a_member", lambda s: approval(s, s.waiting, "owner", s.clinic)),
    "approved twice": ("already_a_member", lambda s: approval(s, s.provider, "provider", s.clinic)),
    "a stranger approved": ("not_a_member", lambda s: approval(s, s.newcomer, "provider", s.clinic)),
    # removals
    "the last owner is removed": ("may_not", lambda s: removal(s, s.owner, "owner", s.clinic)),
    "the last owner leaves": ("may_not", lambda s: removal(s, s.owner, "owner", s.owner)),
    "an owner removes the clinic": ("may_not", lambda s: removal(s, s.clinic, "care", s.owner)),
    "an owner removes the consultant": ("may_not", lambda s: removal(s, s.consultant, "consultant", s.owner)),
    "a consultant removes the owner": ("may_not", lambda s: removal(s, s.owner, "owner", s.consultant)),
    "a provider removes the bridge": ("may_not", lambda s: removal(s, s.bridge, "bridge", s.provider)),
    "the intake removes": ("not_a_member", lambda s: removal(s, s.provider, "provider", s.intake)),
    "removed in another role": ("not_a_member", lambda s: removal(s, s.provider, "consultant", s.clinic)),
    "a stranger removed": ("not_a_member", lambda s: removal(s, s.newcomer, "provider", s.clinic)),
    # form and place
    "another case's statement": (
        "wrong_case",
        lambda s: s.stated(replace(s.running.written()["close"], case=named_hash("another")), s.clinic),
    ),
    "a statement twice": (
        "statement_repeated",
        lambda s: next(logged.signed for logged in s.running.log[::-1] if logged.kind is Kind.CASE),
    ),
    "the same statement signed by another": (
        "statement_repeated",
        after(
            lambda s: s.running.close(s.owner),
            lambda s: with_body(s.running.log[-1].signed, [s.clinic.device().signer]),
        ),
    ),
    # where the ends inspect
    "a browser's owner comes in where the ends inspect": (
        "cannot_inspect",
        lambda s: browser_joins(s, ActingParty("browser", inspects=False)),
    ),
    "a browser beside a command line comes in where the ends inspect": (
        "cannot_inspect",
        lambda s: browser_joins(s, with_browser(ActingParty("both"))),
    ),
    "one who waits got a browser and is approved where the ends inspect": (
        "cannot_inspect",
        after(
            lambda s: (ends(s), with_browser(s.waiting), s.running.tell(s.waiting)),
            lambda s: approval(s, s.waiting, "provider", s.clinic),
        ),
    ),
    "the ends are to inspect, and one member writes in a browser": (
        "cannot_inspect",
        after(
            lambda s: (with_browser(s.owner), s.running.tell(s.owner)),
            lambda s: s.stated(replace(s.running.written()["policy"], policy=ENDS), s.clinic),
        ),
    ),
    "a second case.open": (
        "wrong_case",
        lambda s: s.clinic.sign(opening(s.clinic, "care", label="second"), kind="case"),
    ),
    "N18 a party statement": ("wrong_type", lambda s: s.clinic.rotate()),
    "N18 a party statement relabelled": ("bad_body", lambda s: replace(s.clinic.rotate(), type="case")),
    "N18 signed as an envelope": (
        "bad_signature",
        lambda s: replace(s.clinic.sign(s.running.written()["close"], kind="envelope"), type="case"),
    ),
    "N03 no signature": ("not_a_member", lambda s: replace(s.stated(s.running.written()["close"], s.owner), sigs=())),
    "N03 another member's key over this signature": (
        "bad_signature",
        lambda s: replace(
            x := s.stated(s.running.written()["close"], s.owner),
            sigs=(replace(x.sigs[0], key=s.clinic.device().sign),),
        ),
    ),
    "a revoked device": (
        "not_a_member",
        after(revoke_desk, lambda s: s.stated(s.running.written()["close"], s.clinic, "desk")),
    ),
    "a device of a party that was removed": (
        "not_a_member",
        after(
            lambda s: s.running.remove(s.provider, "provider", by=s.owner),
            lambda s: s.stated(s.running.written()["close"], s.provider),
        ),
    ),
    "N31 the recovery kit closes": ("not_a_device", lambda s: s.stated(s.running.written()["close"], s.clinic, "kit")),
    "N50 a stranger's statement of version 2": (
        "not_a_member",
        lambda s: s.stated(replace(s.running.written()["close"], v=2), s.newcomer),
    ),
}


@pytest.mark.parametrize(("code", "attempt"), ATTEMPTS.values(), ids=ATTEMPTS.keys())
def test_the_case_refuses(code: str, attempt: Attempt) -> None:
    """With this code, and nothing has changed."""
    made = scene()
    signed = attempt(made)
    before = made.running.n, made.running.roster
    assert code == refusal_of(made.running.append, Kind.CASE, signed)
    assert before == (made.running.n, made.running.roster)


@pytest.mark.parametrize("name", ["policy", "close", "reopen", "hold", "exported", "relay.move", "bridge"])
@pytest.mark.parametrize(
    "role", ["owner", "clinic", "consultant", "provider", "bridge", "waiting", "intake", "newcomer"]
)
def test_who_writes_what(name: str, role: str) -> None:
    """(chapter 9) The table, cell by cell; whoever has no role is no member at all."""
    made = scene()
    body = made.running.written()[name]
    party: ActingParty = getattr(made, role)
    allowed = WRITES.get({"clinic": "care"}.get(role, role), ())
    outside = role in {"waiting", "intake", "newcomer"}
    expected = "success" if isinstance(body, allowed) else "not_a_member" if outside else "may_not"
    assert expected == refusal_of(made.running.say, body, party)


def test_the_tables_are_those_of_the_design() -> None:
    """(chapter 9) An owner closes, reopens and puts a bridge out; the rest is the clinic's."""
    named = {role: {kind.__struct_config__.tag for kind in kinds} for role, kinds in WRITES.items()}
    assert {
        "owner": {"close", "reopen", "bridge"},
        "care": {"policy", "close", "reopen", "hold", "exported", "relay.move", "bridge"},
    } == named


OPENINGS: dict[str, tuple[str, Callable[[ActingParty], Signed]]] = {
    "for another relay": (
        "wrong_relay",
        lambda c: c.sign(replace(opening(c, "care"), relay=named_hash("relay")), kind="case"),
    ),
    "by another party's device": (
        "wrong_case",
        lambda c: c.sign(replace(opening(c, "care"), by=By(party=c.id, device=device_named("x").id)), kind="case"),
    ),
    "in the name of a party that is not there": (
        "wrong_case",
        lambda c: c.sign(
            replace(opening(c, "care"), by=By(party=named_hash("party"), device=c.device().id)), kind="case"
        ),
    ),
    "signed by another": ("bad_signature", lambda c: sign("case", opening(c, "care"), [device_named("x").signer])),
    "signed by another device of the party": (
        "bad_signature",
        lambda c: c.sign(opening(c, "care"), "desk", kind="case"),
    ),
    "unsigned": ("bad_signature", lambda c: replace(c.sign(opening(c, "care"), kind="case"), sigs=())),
    "N31 by the recovery kit": (
        "not_a_device",
        lambda c: c.sign(replace(opening(c, "care"), by=By(party=c.id, device=c.device("kit").id)), "kit", kind="case"),
    ),
    "by a revoked device": (
        "not_a_device",
        lambda c: c.sign(
            replace(opening(c, "care"), by=By(party=c.id, device=c.device("gone").id)), "gone", kind="case"
        ),
    ),
    "as a consultant": ("bad_body", lambda c: c.sign(opening(c, "consultant"), kind="case")),
    "N50 in version 2": ("newer_version", lambda c: c.sign(replace(opening(c, "care"), v=2), kind="case")),
}


@pytest.mark.parametrize(("code", "attempt"), OPENINGS.values(), ids=OPENINGS.keys())
def test_a_case_does_not_begin_with(code: str, attempt: Callable[[ActingParty], Signed]) -> None:
    """A party's active device opens it, for this relay."""
    clinic = ActingParty("clinic", "clinic")
    for name, role in (("desk", "desk"), ("kit", "recovery"), ("gone", "desk")):
        clinic.take(clinic.device_add(name, role=role))  # type: ignore[arg-type]  # a tuple of literals is a tuple of str
    clinic.take(clinic.rotate("gone"))
    signed = attempt(clinic)
    running = begin_case(signed.entry_id())
    running.tell(clinic)
    assert code == refusal_of(running.append, Kind.CASE, signed)


def test_a_case_begins_with_the_statement_that_it_is_named_after() -> None:
    """Not with another opening, and with no other statement."""
    clinic = ActingParty("clinic", "clinic")
    running = begin_case(named_hash("case"))
    running.tell(clinic)
    assert "wrong_case" == refusal_of(running.append, Kind.CASE, clinic.sign(opening(clinic, "care"), kind="case"))
    assert "wrong_case" == refusal_of(running.say, running.written()["close"], clinic)


# --- chains inside a case's log -----------------------------------------------------------------------------------------


def test_no_chain_begins_twice_and_none_has_a_gap() -> None:
    """(N23) What the relay may do to a chain in a log: nothing."""
    made = scene()
    genesis = made.clinic.chain[0]
    assert "chain_moved" == refusal_of(made.running.append, Kind.PARTY, genesis)
    for _ in range(2):
        made.clinic.take(made.clinic.rotate())
    assert "chain_moved" == refusal_of(made.running.append, Kind.PARTY, made.clinic.chain[-1])
    assert "chain_moved" == refusal_of(made.running.append, Kind.PARTY, ActingParty("unseen").rotate())
    assert "success" == refusal_of(made.running.tell, made.clinic)


def test_a_device_stands_in_one_chain_of_a_case() -> None:
    """(N22) One signature speaks for one party: neither genesis nor device.add can take a device twice."""
    made = scene()
    double = ActingParty("double")
    stolen = made.owner.device()
    genesis: Any = parse_statement(double.chain[0].content())
    entry = replace(made.owner.genesis_entry, person=nonce("double"))
    step = double.key_step(0, [stolen.id])
    signed = sign("party", replace(genesis, device=entry, keys=(step,)), [stolen.signer])
    assert "device_added_twice" == refusal_of(made.running.append, Kind.PARTY, signed)
    double.devices["stolen"] = stolen
    made.running.tell(double)
    double.take(double.device_add("stolen"))
    assert "device_added_twice" == refusal_of(made.running.tell, double)


def test_any_rotations_that_the_partys_chain_took_are_taken_by_every_case() -> None:
    """A limit by time would refuse in one case what stands in the others; the relay limits it once, in the chain."""
    made = scene()
    for _ in range(10):
        made.clinic.take(made.clinic.rotate())
    assert "success" == refusal_of(made.running.tell, made.clinic)
    assert 10 == made.running.roster.parties[made.clinic.id].generation.gen


def test_the_other_kinds_of_links_change_no_roster() -> None:
    """Envelopes and grants have rules of their own; purges and epochs are the relay's word."""
    made = scene()
    anything = made.owner.sign(made.running.envelope(made.owner), kind="envelope")
    for kind in (Kind.ENVELOPE, Kind.GRANT, Kind.PURGE, Kind.EPOCH):
        n = made.running.n + 1
        assert made.running.roster is apply_entry(made.running.roster, anything, kind=kind, n=n, time_ms=0)


def test_the_case_takes_what_is_right() -> None:
    """The tables above are not simply walls."""
    made = scene()
    made.running.append(Kind.CASE, approval(made, made.waiting, "provider", made.owner))
    made.running.append(Kind.CASE, removal(made, made.waiting, "provider", made.owner))
    made.running.append(Kind.CASE, with_door(made))
    made.running.append(Kind.CASE, removal(made, made.newcomer, "care", made.newcomer))
    second = ActingParty("second owner")
    made.running.admit(second, "owner", by=made.owner)
    made.running.append(Kind.CASE, removal(made, made.owner, "owner", made.owner))
    made.running.append(Kind.CASE, made.stated(made.running.written()["close"], second))
    assert RELAY == made.running.roster.relay
    assert DEFAULT_POLICY == made.running.roster.policy
    assert [second.id] == [member.party for member in made.running.roster.active("owner")]
