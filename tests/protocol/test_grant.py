"""Grants: who may give what to whom (N31, N32). The command comes with its own issue; the table stands."""

from typing import Any

import pytest
from msgspec.structs import replace

from tests.chains import FAR_MS, ActingParty, RunningCase, named_hash, objects, open_case, refusal_of
from vetrelay.protocol.envelope import Audience
from vetrelay.protocol.grant import GRANTS, Grant, GrantItem, check_grant
from vetrelay.protocol.ids import EntryId
from vetrelay.protocol.signature import Signed


def case_with_records() -> tuple[RunningCase, dict[str, ActingParty], dict[EntryId, Audience]]:
    """A case with everybody in it, and a message, a note for the team and a note for the clinic."""
    clinic, intake = ActingParty("clinic", "clinic"), ActingParty("intake", "machine")
    clinic.take(clinic.device_add("kit", role="recovery"))
    clinic.take(clinic.machines(intake=intake))
    running = open_case(clinic, machines=[intake])
    parties: dict[Any, ActingParty] = {
        role: ActingParty(role) for role in ("owner", "consultant", "provider", "bridge")
    }
    for role, party in parties.items():
        running.admit(party, role, by=clinic)
    parties |= {"care": clinic, "intake": intake, "stranger": ActingParty("stranger")}
    sent: dict[EntryId, Audience] = {}
    for sender, class_, audience in (
        ("owner", "message", "case"),
        ("care", "internal", "team"),
        ("care", "internal", "own"),
    ):
        made = running.envelope(parties[sender], class_, audience, label=audience, named=objects(audience, files=1))  # type: ignore[arg-type]  # a tuple of literals is a tuple of str
        sent[running.send(made, parties[sender])] = audience  # type: ignore[assignment]  # the same
    return running, parties, sent


RUNNING, PARTIES, SENT = case_with_records()
ENTRY = {audience: entry for entry, audience in SENT.items()}


ELSEWHERE = GrantItem(envelope=named_hash("elsewhere"), h0=named_hash("h0"), p=named_hash("p"), h1=named_hash("h1"))


def grant(by: str, to: str, *audiences: Audience, device: str = "first", **change: Any) -> Signed:
    """A grant of one object of each of these envelopes."""
    items = tuple(
        GrantItem(envelope=ENTRY[audience], h0=named_hash("h0"), p=named_hash("p"), h1=named_hash("h1"))
        for audience in audiences or ("case",)
    )
    body = Grant(
        v=1,
        case=RUNNING.case,
        by=PARTIES[by].id,
        device=PARTIES[by].device(device).id,
        view=RUNNING.view(),
        to=PARTIES[to].id,
        items=items,
        note=None,
        reason="second opinion",
        until=FAR_MS,
        consent=None,
    )
    return PARTIES[by].sign(replace(body, **change), device, kind="grant")


def code_of(signed: Signed) -> str:
    """What becomes of a grant."""
    return refusal_of(check_grant, signed, RUNNING.roster, audiences=SENT)


@pytest.mark.parametrize("by", ["owner", "care", "consultant", "provider", "bridge"])
@pytest.mark.parametrize("to", ["owner", "care", "consultant", "provider", "bridge", "intake", "stranger"])
def test_who_grants_to_whom(by: str, to: str) -> None:
    """(N32) An envelope of the whole case, cell by cell."""
    assert ("success" if to in GRANTS.get(by, ()) else "may_not") == code_of(grant(by, to))


ATTEMPTS: list[tuple[str, Signed]] = [
    ("success", grant("care", "consultant", "team")),
    ("success", grant("care", "provider", "case")),
    ("may_not", grant("care", "owner", "team")),
    ("may_not", grant("care", "provider", "team")),
    ("may_not", grant("care", "provider", "case", "team")),
    ("may_not", grant("care", "consultant", "own")),
    ("may_not", grant("owner", "consultant", "team")),
    ("may_not", grant("owner", "provider", items=(ELSEWHERE,))),
    ("wrong_case", grant("owner", "provider", case=named_hash("case"))),
    ("not_a_device", grant("stranger", "provider")),
    ("not_a_device", grant("care", "provider", device="kit")),
    ("bad_body", grant("owner", "provider", items=())),
    ("bad_body", grant("owner", "provider", reason="x" * 201)),
    ("newer_version", grant("owner", "provider", v=2)),
    ("wrong_type", PARTIES["owner"].sign(RUNNING.envelope(PARTIES["owner"]), kind="envelope")),
    ("bad_signature", replace(grant("owner", "provider"), sigs=grant("owner", "provider", v=2).sigs)),
]


@pytest.mark.parametrize(("code", "signed"), ATTEMPTS)
def test_what_is_granted_and_what_is_not(code: str, signed: Signed) -> None:
    """(N31, N32) Internal things never go to owner or provider; a kit grants nothing."""
    assert code == code_of(signed)
