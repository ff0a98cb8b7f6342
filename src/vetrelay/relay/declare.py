"""Declare: one statement in a case, decided by the same pure function that every client runs (protocol.md section 5).

Whoever declares shows a bearer of a party that the case concerns. Only `party.add` proves itself: it is signed by an
invitation's key and by the newcomer, and may bring the newcomer's chain along, which enrols a household.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vetrelay.errors import Refusal
from vetrelay.protocol.case import CaseOpen, CaseStatement, InviteOpen, NewerInCase, PartyAdd, parse_case_statement
from vetrelay.protocol.ids import CaseId, Hash, b64, sha256
from vetrelay.protocol.partystate import Party, read_chain
from vetrelay.protocol.signature import Signed
from vetrelay.relay.append import Accepted, Step, append_statements, rehearse
from vetrelay.relay.chains import check_boxes, check_new_devices, with_chains
from vetrelay.relay.ports import AskingDevice, RelayServices, Store
from vetrelay.relay.tables import Card, Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What comes with a statement: a newcomer's chain and its boxes, or an invitation's sealed card."""

    signed: Signed
    chain: Sequence[Signed]
    boxes: Mapping[Hash, bytes]
    card: bytes | None


def needs_bearer(untrusted: Signed) -> bool:
    """Whether a statement proves itself (`party.add`) or its bringer must show who they are."""
    return not isinstance(parse_case_statement(untrusted.content()), PartyAdd)


async def declare(relay: RelayServices, asker: AskingDevice | None, case: CaseId, untrusted: Declaration) -> Accepted:
    """Append a statement to a case's log, after the chains it rests on. A repeat gets the stored receipt.

    Raises Refusal `not_a_member`, `no_session`, `needs_code`, `wrong_card`, `bad_boxes`, `party_unknown`,
    `newer_version`, or the rule that the statement breaks.
    """
    statement = _check_itself(untrusted, case=case)
    bringer = None if isinstance(statement, PartyAdd) else asker
    if bringer is None and not isinstance(statement, PartyAdd):
        raise Refusal("no_session")

    def look(store: Store) -> Party | None:
        newcomer = _newcomer(store, untrusted, statement, now_ms=relay.now_ms())
        _planned(relay, store, bringer, case, untrusted, newcomer)
        return newcomer

    # Chains are read and mistakes found on a reader's time; the writer only looks again.
    try:
        newcomer = await relay.reader.run(look)
    except Refusal:
        # A reader's snapshot may be older than how the case is remembered: a repeat is in the second alone, then.
        earlier = await relay.reader.run(lambda store: _repeated(store, bringer, case, untrusted.signed))
        if earlier is not None:
            return earlier
        raise
    return await relay.writer.run(lambda store: _declared(relay, store, bringer, case, untrusted, newcomer))


def _check_itself(untrusted: Declaration, *, case: CaseId) -> CaseStatement:
    if untrusted.signed.type == "grant":
        raise Refusal("not_taken")
    if untrusted.signed.type != "case":
        raise Refusal("wrong_type")
    statement = parse_case_statement(untrusted.signed.content())
    if isinstance(statement, NewerInCase):
        raise Refusal("newer_version")  # (N50) what a relay cannot judge, it does not append
    if isinstance(statement, CaseOpen) or statement.case != case:
        raise Refusal("wrong_case")
    wanted = statement.card if isinstance(statement, InviteOpen) else None
    brought = None if untrusted.card is None else b64(sha256(untrusted.card))
    if wanted != brought:
        raise Refusal("wrong_card")
    return statement


def _newcomer(store: Store, untrusted: Declaration, statement: CaseStatement, *, now_ms: int) -> Party | None:
    """What the chain that came along adds up to. Only for whoever holds an invitation: hundreds of signatures may follow."""
    if not untrusted.chain:
        return None
    if not isinstance(statement, PartyAdd):
        raise Refusal("bad_body")
    standing = store.cases.standing(statement.case)
    if standing is None or statement.invite not in {*standing.roster.invitations, *standing.roster.spent}:
        raise Refusal("invitation_unknown")
    newcomer = read_chain(untrusted.chain, time_ms=now_ms)
    if newcomer.newer:
        raise Refusal("newer_version")  # (N50) it would stop everybody in the case from sending
    if statement.party != newcomer.id:
        raise Refusal("bad_body")
    check_boxes(untrusted.chain, untrusted.boxes)
    return newcomer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What is to be appended where, and the party that comes to this relay with it."""

    standing: Standing
    steps: Sequence[Step]
    enrolling: Party | None


def _repeated(store: Store, asker: AskingDevice | None, case: CaseId, signed: Signed) -> Accepted | None:
    """The stored receipt, when this very statement was accepted before."""
    if asker is not None and store.cases.role(case, asker.party) is None:
        raise Refusal("not_a_member")  # one answer for a case that is not there and one that is not theirs (N35)
    receipt = store.cases.receipt(case, signed.entry_id())
    return None if receipt is None else Accepted(receipt=receipt, is_new=False)


def _planned(
    relay: RelayServices,
    store: Store,
    asker: AskingDevice | None,
    case: CaseId,
    untrusted: Declaration,
    newcomer: Party | None,
) -> Accepted | _Plan:
    """Everything that can be refused, and nothing that is written."""
    if (earlier := _repeated(store, asker, case, untrusted.signed)) is not None:
        return earlier
    standing = store.cases.standing(case)
    if standing is None:
        raise Refusal("not_a_member")
    enrolling = newcomer if newcomer is not None and store.parties.kind(newcomer.id) is None else None
    if enrolling is not None:
        if enrolling.kind != "household":
            raise Refusal("needs_code")
        check_new_devices(store, enrolling.devices)
    steps = with_chains(store, standing, untrusted.signed, arriving=untrusted.chain if enrolling else ())
    rehearse(relay, standing, steps)
    return _Plan(standing=standing, steps=steps, enrolling=enrolling)


def _declared(
    relay: RelayServices,
    store: Store,
    asker: AskingDevice | None,
    case: CaseId,
    untrusted: Declaration,
    newcomer: Party | None,
) -> Accepted:
    plan = _planned(relay, store, asker, case, untrusted, newcomer)
    if isinstance(plan, Accepted):
        return plan
    if plan.enrolling is not None:
        store.parties.enrol(plan.enrolling, untrusted.chain, boxes=untrusted.boxes, time_ms=relay.now_ms())
    receipt = append_statements(relay, store, plan.standing, plan.steps)
    statement = parse_case_statement(untrusted.signed.content())
    if isinstance(statement, InviteOpen):
        card = Card(entry=untrusted.signed.entry_id(), content=untrusted.card)
        store.cases.add_card(case, statement.key, card)
    return Accepted(receipt=receipt, is_new=True)
