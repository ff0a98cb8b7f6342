"""Enrol: how a party comes to this relay (protocol.md section 9, policy `invited`).

A clinic or a machine shows a one-time code. A household needs none: it comes in with the `party.add` that uses an
invitation, which `declare` takes.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from vetrelay.errors import Refusal
from vetrelay.protocol.ids import Hash, PartyId, labelled
from vetrelay.protocol.party import Genesis, parse_statement
from vetrelay.protocol.partystate import Party, read_chain
from vetrelay.protocol.signature import Signed
from vetrelay.relay.chains import check_boxes, check_new_devices
from vetrelay.relay.ports import RelayServices, Store

CODE_BYTES: Final = 10
GROUP_CHARS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """The party, and whether it is here for the first time."""

    party: PartyId
    is_new: bool


def code_text(raw: bytes) -> str:
    """A one-time code as people read and type it: 80 random bits in four groups of four."""
    text = base64.b32encode(raw).decode()
    return "-".join(text[at : at + GROUP_CHARS] for at in range(0, len(text), GROUP_CHARS))


def code_hash(untrusted_code: str) -> Hash:
    """What is kept of a code; case, spaces and dashes do not matter."""
    typed = "".join(untrusted_code.upper().split()).replace("-", "")
    return labelled("VetRelay-v1 code", typed.encode("utf-8", "surrogatepass"))


async def issue_code(relay: RelayServices, kind: Literal["clinic", "machine"]) -> str:
    """A fresh one-time code for a clinic or a machine; only its hash is kept."""
    code = code_text(relay.random_bytes(CODE_BYTES))
    await relay.writer.run(lambda store: store.parties.add_code(code_hash(code), kind=kind, time_ms=relay.now_ms()))
    return code


async def enrol(
    relay: RelayServices, *, untrusted_chain: Sequence[Signed], boxes: Mapping[Hash, bytes], untrusted_code: str | None
) -> Enrolled:
    """Take a clinic or a machine in. The same chain with its used code gets the same answer.

    Raises Refusal `needs_invitation`, `needs_code`, `code_unknown`, `code_used`, `bad_boxes`, `device_added_twice`,
    or what the chain breaks.
    """
    genesis = parse_statement(untrusted_chain[0].content())
    if isinstance(genesis, Genesis) and genesis.kind == "household":
        raise Refusal("needs_invitation")
    if untrusted_code is None:
        raise Refusal("needs_code")
    hashed = code_hash(untrusted_code)
    party = await relay.reader.run(lambda store: _newcomer(relay, store, untrusted_chain, code=hashed))
    check_boxes(untrusted_chain, boxes)
    return await relay.writer.run(
        lambda store: _enrolled(relay, store, party, untrusted_chain, boxes=boxes, code=hashed)
    )


def _newcomer(relay: RelayServices, store: Store, chain: Sequence[Signed], *, code: Hash) -> Party:
    """What a chain adds up to. Only for whoever holds a code: hundreds of signatures may follow."""
    if store.parties.code(code) is None:
        raise Refusal("code_unknown")
    party = read_chain(chain, time_ms=relay.now_ms())
    if party.newer:
        raise Refusal("newer_version")  # (N50) what a relay cannot judge, it does not take in
    return party


def _enrolled(
    relay: RelayServices,
    store: Store,
    party: Party,
    chain: Sequence[Signed],
    *,
    boxes: Mapping[Hash, bytes],
    code: Hash,
) -> Enrolled:
    known = store.parties.code(code)
    if known is None or known.kind != party.kind:
        raise Refusal("code_unknown")
    if store.parties.kind(party.id) is not None:
        return Enrolled(party=party.id, is_new=False)  # a repeat; another code than the first stays good
    if known.used_by is not None:
        raise Refusal("code_used")
    check_new_devices(store, party.devices)
    store.parties.enrol(party, chain, boxes=boxes, time_ms=relay.now_ms())
    store.parties.use_code(code, party.id)
    return Enrolled(party=party.id, is_new=True)
