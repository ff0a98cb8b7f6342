"""Cases: open, invite, join, approve, remove, close, reopen (protocol.md sections 4, 5, 8)."""

from dataclasses import dataclass
from typing import Literal

from vetrelay.client.api import RelayApi
from vetrelay.client.end import End
from vetrelay.client.follow import Followed, check_may_send, follow
from vetrelay.client.names import MAX_TITLE, KeptCard, check_name, save_card, tell_names, title_of
from vetrelay.client.notes import open_note, wish
from vetrelay.client.outbox import deliver, promise_statement
from vetrelay.client.parties import NewParty, own_party
from vetrelay.client.promises import Outgoing
from vetrelay.errors import Refusal
from vetrelay.protocol.case import (
    By,
    CaseOpen,
    Close,
    InCase,
    Inspection,
    InviteOpen,
    MemberRole,
    PartyAdd,
    PartyApprove,
    PartyRemove,
    Policy,
    Reopen,
    parse_case_statement,
)
from vetrelay.protocol.derive import derive
from vetrelay.protocol.finding import Patient
from vetrelay.protocol.identity import invitation_identity, invitation_signer, sign_key_of
from vetrelay.protocol.ids import CaseId, PartyId, b64, sha256, unb64
from vetrelay.protocol.invitation import INVITATION_LIFE_MS, InvitationLink, render_link
from vetrelay.protocol.manifest import Card, open_card, pad
from vetrelay.protocol.partystate import read_chain
from vetrelay.protocol.seal import seal_bytes
from vetrelay.protocol.signature import sign
from vetrelay.protocol.statement import VERSION, render
from vetrelay.protocol.unseal import open_age_file

DEFAULT_RETENTION_DAYS = 90
# What a relay answers a party that still waits for approval.
WAITS_OUTSIDE = frozenset({"not_a_member", "not_found"})


async def open_case(
    end: End, title: str, *, patient: Patient | None = None, inspection: Inspection = "intake"
) -> tuple[Outgoing, CaseId]:
    """Opens a case and tells its title and patient, sealed; asked again before it was reported, it is the same case.

    Raises Refusal `name_too_long`, `cannot_inspect` (with `inspection` "ends"), and what the relay refuses.
    """
    check_name(title, at_most=MAX_TITLE)
    intent = f"open:{wish(end, title, inspection, render(patient).decode() if patient else '')}"
    known = end.journal.intended(intent)
    request: dict[str, object] = {}
    case = known.case if known else None
    if known is None:
        statement = CaseOpen(
            v=VERSION,
            relay=end.keyring.relay,
            nonce=b64(end.random_bytes(16)),
            by=By(party=end.keyring.party, device=end.device.id),
            role="owner" if end.keyring.kind == "household" else "care",
            policy=Policy(inspection=inspection, urgency=False, retention=DEFAULT_RETENTION_DAYS),
        )
        signed = sign("case", statement, [end.device.signer])
        case, request = signed.entry_id(), {"entry": signed}
    assert case is not None
    promised = promise_statement(end, intent, case=case, path="/v1/cases", request=request)
    await deliver(end, promised)
    await follow(end, case)
    save_card(end, case, KeptCard(title=title, patient=patient))
    await tell_names(end, case)
    return promised, case


async def invite(end: End, case: CaseId, role: MemberRole) -> str:
    """A link that lets one party in, in this role; asked again after a kill, it is the same link.

    Raises Refusal `may_not` and what the case refuses.
    """
    followed = await follow(end, case)
    check_may_send(end, followed)
    intent = f"invite:{case}:{role}"
    promised = end.journal.intended(intent)
    if promised is None or _is_past(promised, end.now_ms()):
        secret = end.random_bytes(16)
        request = _invitation(end, followed, role, secret)
        promised = promise_statement(
            end, intent, case=case, path=f"/v1/cases/{case}/entries", request=request, note=secret, anew=True
        )
    receipt = await deliver(end, promised)
    end.journal.report(promised.id)
    return render_link(
        InvitationLink(
            base_url=end.keyring.relay_url,
            secret=open_note(end, promised.draft or b""),
            case=case,
            inviter=end.keyring.party,
            relay=end.keyring.relay,
            n=receipt.n,
            head=receipt.head,
        )
    )


def _invitation(end: End, followed: Followed, role: MemberRole, secret: bytes) -> dict[str, object]:
    """The request that opens an invitation, with the card that its secret opens."""
    case = followed.case
    card = Card(
        v=VERSION,
        case=case,
        title=title_of(end, case) or "",
        party=end.keyring.party_name,
        person=end.keyring.person_name,
    )
    sealed_card = seal_bytes(
        pad(card),
        [invitation_identity(secret).recipient],
        file_key=end.random_bytes(16),
        nonce=end.random_bytes(16),
    ).age_file
    statement = InviteOpen(
        v=VERSION,
        case=case,
        nonce=b64(end.random_bytes(16)),
        key=sign_key_of(derive(secret, "invite/sign")),
        role=role,
        until=end.now_ms() + INVITATION_LIFE_MS,
        approve=not (role == "owner" and not followed.roster.had_owner),
        card=b64(sha256(sealed_card)),
    )
    signed = sign("case", statement, [end.device.signer])
    return {"entry": signed, "chain": [], "boxes": {}, "card": b64(sealed_card)}


def _is_past(promised: Outgoing, now_ms: int) -> bool:
    """Whether an invitation that was never handed out is past its last day, or was refused."""
    return promised.refused is not None or promised.created_ms + INVITATION_LIFE_MS <= now_ms


@dataclass(frozen=True, kw_only=True)
class Welcome:
    """What the newcomer sees before joining: who asks, and what about."""

    title: str
    party: str
    person: str
    role: MemberRole


async def look_at_invitation(api: RelayApi, link: InvitationLink) -> Welcome:
    """An invitation's card. Raises Refusal `wrong_relay`, `invitation_*`, `link_broken`."""
    answer = await api.invitation(link.case, sign_key_of(derive(link.secret, "invite/sign")))
    if answer.relay != link.relay:
        raise Refusal("wrong_relay")
    statement = parse_case_statement(answer.entry.content())
    if not isinstance(statement, InviteOpen) or statement.case != link.case or answer.card is None:
        raise Refusal("link_broken")
    if statement.key != sign_key_of(derive(link.secret, "invite/sign")):
        raise Refusal("link_broken")
    sealed = unb64(answer.card)
    if b64(sha256(sealed)) != statement.card:
        raise Refusal("link_broken")
    card = open_card(open_age_file(sealed, [invitation_identity(link.secret)]))
    return Welcome(title=card.title, party=card.party, person=card.person, role=statement.role)


def join_intent(link: InvitationLink) -> str:
    """The wish to join by this very invitation."""
    return f"join:{link.case}:{sign_key_of(derive(link.secret, 'invite/sign'))}"


async def join(
    end: End, link: InvitationLink, welcome: Welcome | None, party: NewParty | None
) -> tuple[Outgoing, Followed | None]:
    """Joins by an invitation, as the party of this end's keyring; `party` is that party when it is new to the relay.

    `welcome` is None when this was promised before and is taken up again. Afterwards the log is checked against the
    head that the link carries: the relay cannot have swapped the case. Who has to wait for approval gets no log yet.
    Raises Refusal `invitation_*`, `already_a_member`, `log_forked`.
    """
    intent = join_intent(link)
    promised = end.journal.intended(intent)
    if promised is None:
        assert welcome is not None
        if welcome.title:
            save_card(end, link.case, KeptCard(title=welcome.title))
        request = await _joining(end, link, welcome, party)
        promised = promise_statement(
            end, intent, case=link.case, path=f"/v1/cases/{link.case}/entries", request=request
        )
    await deliver(end, promised)
    end.journal.expect_head(link.case, link.n, link.head)  # `follow` blocks a case whose log is not the link's
    try:
        followed = await follow(end, link.case)
    except Refusal as refused:
        if refused.code not in WAITS_OUTSIDE:
            raise
        return promised, None
    if link.n >= len(followed.heads) or followed.heads[link.n] != link.head:
        raise Refusal("log_forked", n=link.n)
    if followed.roster.role_of(end.keyring.party):
        await tell_names(end, link.case)
    return promised, followed


async def _joining(end: End, link: InvitationLink, welcome: Welcome, party: NewParty | None) -> dict[str, object]:
    if party is not None:
        known = read_chain(party.chain, time_ms=0)
    else:
        known = await own_party(end)
    statement = PartyAdd(
        v=VERSION,
        case=link.case,
        nonce=b64(end.random_bytes(16)),
        invite=sign_key_of(derive(link.secret, "invite/sign")),
        party=known.id,
        party_seq=known.seq,
        party_head=known.head,
        role=welcome.role,
    )
    signed = sign("case", statement, [invitation_signer(link.secret), end.device.signer])
    return {
        "entry": signed,
        "chain": list(party.chain) if party else [],
        "boxes": party.boxes if party else {},
        "card": None,
    }


async def declare(end: End, case: CaseId, intent: str, statement: InCase, *, leaving: bool = False) -> Outgoing:
    """Brings one statement of this end into a case, once for this intent. Raises what the case refuses."""
    signed = sign("case", statement, [end.device.signer])
    request: dict[str, object] = {"entry": signed, "chain": [], "boxes": {}, "card": None}
    promised = promise_statement(end, intent, case=case, path=f"/v1/cases/{case}/entries", request=request)
    await deliver(end, promised)
    if not leaving:  # who has left is given no log any more
        await follow(end, case)
    return promised


async def approve(end: End, case: CaseId, party: PartyId) -> Outgoing:
    """Confirms a party that waits at the door of a case. The caller tells the person, then reports."""
    followed = await follow(end, case)
    check_may_send(end, followed)
    member = followed.roster.members.get(party)
    if member is None:
        raise Refusal("not_a_member")
    statement = PartyApprove(v=VERSION, case=case, nonce=b64(end.random_bytes(16)), party=party, role=member.role)
    promised = await declare(end, case, f"{approve_intent(case)}{party}:{member.since_n}", statement)
    await tell_names(end, case)
    return promised


def approve_intent(case: CaseId) -> str:
    """How every wish to approve somebody in a case begins; the party's id follows."""
    return f"approve:{case}:"


async def remove(end: End, case: CaseId, party: PartyId) -> Outgoing:
    """Ends a party's part in a case. The caller tells the person, then reports."""
    followed = await follow(end, case)
    check_may_send(end, followed)
    member = followed.roster.members.get(party)
    if member is None:
        raise Refusal("not_a_member")
    statement = PartyRemove(v=VERSION, case=case, nonce=b64(end.random_bytes(16)), party=party, role=member.role)
    intent = f"{remove_intent(case)}{party}:{member.since_n}"
    return await declare(end, case, intent, statement, leaving=party == end.keyring.party)


def remove_intent(case: CaseId) -> str:
    """How every wish to remove somebody from a case begins; the party's id follows."""
    return f"remove:{case}:"


async def set_state(end: End, case: CaseId, state: Literal["close", "reopen"]) -> Outgoing:
    """Closes or reopens a case. The caller tells the person, then reports."""
    followed = await follow(end, case)
    check_may_send(end, followed)
    kind = Close if state == "close" else Reopen
    statement = kind(v=VERSION, case=case, nonce=b64(end.random_bytes(16)))
    # The position tells this wish from an earlier one, before the case was reopened or closed again.
    return await declare(end, case, f"{state}:{case}:{followed.roster.n}", statement)
