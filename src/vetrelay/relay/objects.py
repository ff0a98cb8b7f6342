"""Giving out objects: who may have which part of one, now (protocol.md section 6, Withholding).

Withholding concerns the payloads of attachments that the case's intake inspects; it is the relay's behaviour, not
cryptography.
"""

from dataclasses import dataclass
from typing import Final, Literal

from vetrelay.errors import Fault, Refusal
from vetrelay.protocol.envelope import Envelope, parse_envelope
from vetrelay.protocol.ids import Hash, PartyId
from vetrelay.protocol.signature import parse_wire
from vetrelay.relay.payloads import Ruled, ServedObject
from vetrelay.relay.ports import AskingDevice, RelayServices, Store

PATIENCE_MS: Final = 15 * 60 * 1000  # how long an original may be pending before staff may open it unsafe
KEPT_STATES: Final = frozenset({"clean", "converted", "kept-sealed"})

Part = Literal["whole", "header", "payload"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the asker is given: the header, and where the payload is."""

    h0: Hash
    p: Hash
    header: bytes
    payload: bytes | None
    size_bytes: int


async def give(relay: RelayServices, asker: AskingDevice, h0: Hash, *, part: Part, unsafe_original: bool) -> Given:
    """An object for whoever may have it. `unsafe_original` is the asker's explicit wish for what was not made safe.

    Raises Refusal `not_found` to all but the recipients, `not_a_member` to those who were removed (N35), `withheld`
    (facts: `state`), `object_gone` for what was swept; Fault `blob_missing`.
    """

    def job(store: Store) -> tuple[ServedObject | None, str | None]:
        found = store.payloads.served(h0)
        return found, None if found is None else store.cases.role(found.case, asker.party)

    found, role = await relay.reader.run(job)
    if found is None:
        raise Refusal("not_found")
    envelope = parse_envelope(parse_wire(found.signed))
    if not _is_meant(found, envelope, party=asker.party, role=role):
        raise Refusal("not_found")
    if role in {None, "pending"}:
        raise Refusal("not_a_member")
    if not found.header:
        raise Refusal("object_gone")  # a slip, answered by its verdict
    given = Given(h0=h0, p=found.p, header=found.header, payload=found.payload, size_bytes=found.size_bytes)
    if part == "header":
        return given
    if found.role == "attachment" and envelope.of_role("slip") and not _is_own(found, party=asker.party, role=role):
        waited_ms = relay.now_ms() - found.accepted_ms
        check_withholding(found.ruled, role=role, waited_ms=waited_ms, unsafe_original=unsafe_original)
    if found.payload is None and not found.at_rest:
        if found.ruled is not None:
            raise Refusal("object_gone")
        raise Fault("blob_missing", p=found.p)
    return given


def check_withholding(ruled: Ruled | None, *, role: str | None, waited_ms: int, unsafe_original: bool) -> None:
    """Whether an original is given to a recipient who is neither its sender nor the intake.

    Raises Refusal `withheld` with the fact `state`: pending, or the verdict's code.
    """
    state = "pending" if ruled is None else ruled.code
    if not unsafe_original:
        raise Refusal("withheld", state=state)
    waited = state == "held" or (state == "pending" and waited_ms > PATIENCE_MS)
    if waited and role == "care":
        return
    if ruled is not None and ruled.keep and state in KEPT_STATES:
        return
    raise Refusal("withheld", state=state)


def _is_meant(found: ServedObject, envelope: Envelope, *, party: PartyId, role: str | None) -> bool:
    """Whether a party is one of those the object is for: the intake has its slip, and the files the slip opens."""
    if role == "intake" and envelope.of_role("slip") and found.role in {"slip", "attachment"}:
        return True
    return found.role != "slip" and any(unit.party == party for unit in envelope.recipients)


def _is_own(found: ServedObject, *, party: PartyId, role: str | None) -> bool:
    return party == found.sender or role == "intake"
