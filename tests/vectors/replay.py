"""How a case of tests/vectors/*.json is run: a second implementation does the same with its own functions.

Each file is {"comment", "cases", …shared}; each case {"name", "comment", "input", "expect", "output"}: `expect` is
"success" or the code of the refusal, `output` what comes out on success. `input.do` names the function where a
file has several. seal.json has its own form, and its own test.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vetrelay.errors import Refusal
from vetrelay.protocol.age import bech32
from vetrelay.protocol.age.header import check_sealed_shape, parse_header
from vetrelay.protocol.age.identities import HybridIdentity
from vetrelay.protocol.age.recipients import parse_recipient, recipient_text
from vetrelay.protocol.age.stream import open_stream, seal_stream, sealed_size
from vetrelay.protocol.authority import apply_entry
from vetrelay.protocol.case import NewerInCase, parse_case_statement
from vetrelay.protocol.derive import derive
from vetrelay.protocol.envelope import (
    Envelope,
    check_addressing,
    check_sender,
    check_shape,
    check_view,
    parse_envelope,
)
from vetrelay.protocol.grant import check_grant
from vetrelay.protocol.identity import sign_key_of, signer_from
from vetrelay.protocol.ids import PartyId, b64, device_id, fingerprint, labelled, relay_id, sha256, unb64
from vetrelay.protocol.invitation import parse_link, render_link
from vetrelay.protocol.log import (
    Kind,
    Link,
    Tail,
    check_head,
    check_same_past,
    empty_log,
    extend,
    unpack_links,
)
from vetrelay.protocol.manifest import open_card, open_manifest, open_slip, padded_size
from vetrelay.protocol.partystate import Party, extend_party
from vetrelay.protocol.roster import Roster, empty_roster
from vetrelay.protocol.session import check_session
from vetrelay.protocol.signature import Signed, check_sign_key, parse_wire, verify
from vetrelay.protocol.statement import convert, parse_sealed, parse_signed, render, signing_bytes
from vetrelay.protocol.words import safety_numbers

VECTORS = Path(__file__).parent
Json = dict[str, Any]


class Shared:
    """What the cases of a file have in common; a log that many begin with is replayed once."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.replayed: dict[str, Replayed] = {}

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


Run = Callable[[Json, Shared], Json]


def as_signed(value: Json) -> Signed:
    """A statement from its wire form."""
    return parse_wire(json.dumps(value))


def as_json(signed: Signed) -> Json:
    """A statement as it stands in a file."""
    return {"type": signed.type, "body": signed.body, "sigs": [{"key": s.key, "sig": s.sig} for s in signed.sigs]}


# --- bytes ----------------------------------------------------------------------------------------------------------


def _ids(given: Json, _shared: Shared) -> Json:
    match given["do"]:
        case "unb64":
            return {"hex": unb64(given["text"], given["size_bytes"]).hex()}
        case "device_id":
            return {"id": device_id(given["sign"], given["seal"])}
        case "relay_id":
            return {"id": relay_id(given["log_key"])}
        case "labelled":
            return {"hash": labelled(given["label"], *(bytes.fromhex(part) for part in given["parts"]))}
    return {"text": fingerprint(given["id"])}


def _statement(given: Json, _shared: Shared) -> Json:
    if given["do"] == "signing_bytes":
        covered = signing_bytes(given["type"], given["body"].encode())
        return {"hex": covered.hex(), "entry": b64(sha256(covered))}
    parse = parse_signed if given["do"] == "parse_signed" else parse_sealed
    return {"value": parse(unb64(given["raw"]))}


def _signature(given: Json, _shared: Shared) -> Json:
    match given["do"]:
        case "sign":
            covered = signing_bytes(given["type"], given["body"].encode())
            signature = signer_from(unb64(given["seed"]))(covered)
            return {"key": signature.key, "sig": signature.sig}
        case "check_key":
            check_sign_key(given["key"])
            return {}
        case "parse_wire":
            return {"entry": parse_wire(given["text"]).entry_id()}
    return {"body": verify(as_signed(given["signed"]), given["type"], given["keys"]).decode()}


def _age(given: Json, _shared: Shared) -> Json:
    match given["do"]:
        case "identity":
            identity = HybridIdentity(unb64(given["seed"]))
            text = recipient_text(identity.recipient)
            return {"identity": bech32.encode("AGE-SECRET-KEY-PQ-", unb64(given["seed"])), "recipient": text}
        case "parse_recipient":
            return {"sha256": b64(sha256(parse_recipient(given["text"])))}
        case "seal_stream":
            plaintext = bytes.fromhex(given["unit"]) * given["times"]
            payload = b"".join(seal_stream(unb64(given["file_key"]), unb64(given["nonce"]), [plaintext]))
            return {"size_bytes": sealed_size(len(plaintext)), "sha256": b64(sha256(payload))}
        case "open_stream":
            opened = b"".join(open_stream(unb64(given["file_key"]), [unb64(given["payload"])]))
            return {"hex": opened.hex()}
        case "sealed_shape":
            check_sealed_shape(unb64(given["header"]), given["recipients"])
            return {}
    header = parse_header(unb64(given["header"]))
    return {"kinds": [stanza.kind for stanza in header.stanzas], "size_bytes": header.size_bytes}


def _invitation(given: Json, _shared: Shared) -> Json:
    if given["do"] == "derive":
        derived = derive(unb64(given["secret"]), given["use"])
        is_seal = given["use"].endswith("/seal")
        public = b64(sha256(HybridIdentity(derived).recipient)) if is_seal else sign_key_of(derived)
        return {"hex": derived.hex(), "recipient_sha256" if is_seal else "sign_key": public}
    link = parse_link(given["text"])
    fields = {name: getattr(link, name) for name in link.__dataclass_fields__ if name != "secret"}
    return {"form": type(link).__name__, "secret": b64(link.secret), **fields, "text": render_link(link)}


def _words(given: Json, _shared: Shared) -> Json:
    return {"numbers": list(safety_numbers(given["one"], given["other"], given["case"]))}


def _session(given: Json, shared: Shared) -> Json:
    origins, relay = frozenset(shared["origins"]), shared["relay"]
    request = check_session(
        as_signed(given["signed"]), key=shared["key"], origins=origins, relay=relay, now_ms=given["now_ms"]
    )
    return {"origin": request.origin}


# --- chains and logs -------------------------------------------------------------------------------------------------


def party_summary(party: Party) -> Json:
    """What a second implementation must find out about a party."""
    return {
        "id": party.id,
        "kind": party.kind,
        "seq": party.seq,
        "head": party.head,
        "devices": [
            {
                "id": each.id,
                "person": each.person,
                "role": each.role,
                "admin": each.admin,
                "inspects": each.inspects,
                "active": each.active,
            }
            for each in sorted(party.devices.values(), key=lambda device: device.id)
        ],
        "gen": party.generation.gen,
        "seal_sha256": b64(sha256(unb64(party.generation.seal))),
        "doors": [
            {"key": door.key, "until": door.until_ms, "closed": door.closed}
            for door in sorted(party.doors.values(), key=lambda door: door.key)
        ],
        "intakes": list(party.intakes),
        "bridge": party.bridge,
        "newer": party.newer,
    }


def _party(given: Json, shared: Shared) -> Json:
    state: Party | None = None
    for index in given["chain"]:
        state = extend_party(state, as_signed(shared["statements"][index]), time_ms=0)
    return party_summary(state) if state else {}


def _case(given: Json, _shared: Shared) -> Json:
    statement = parse_case_statement(given["body"].encode())
    if isinstance(statement, NewerInCase):
        return {"newer": True, "case": statement.case}
    return {"statement": json.loads(given["body"])["statement"], "same": render(statement).decode() == given["body"]}


def roster_summary(roster: Roster) -> Json:
    """What a second implementation must find out about a case."""
    return {
        "n": roster.n,
        "narrowed_n": roster.narrowed_n,
        "inspection": roster.policy.inspection if roster.policy else None,
        "members": [
            {
                "party": each.party,
                "role": each.role,
                "pending": each.pending,
                "by_door": each.by_door,
                "invited_by": each.invited_by,
                "since_n": each.since_n,
                "gen": roster.parties[each.party].generation.gen,
            }
            for each in sorted(roster.members.values(), key=lambda member: member.party)
        ],
        "intakes": list(roster.intakes),
        "invitations": sorted(roster.invitations),
        "used": sorted(roster.spent),
        "closed_invitations": sorted(roster.withdrawn),
        "had_care": roster.had_care,
        "had_owner": roster.had_owner,
        "closed": roster.closed,
        "hold": roster.hold,
        "exported_n": roster.exported_n,
        "newer": roster.newer,
    }


class Replayed:
    """A log, replayed: the tail and the roster at every position."""

    def __init__(self, relay: str, case: str) -> None:
        self.tails: list[Tail] = [empty_log(case)]
        self.rosters: list[Roster] = [empty_roster(relay, case)]
        self.log: list[tuple[Kind, Signed]] = []

    def copy(self) -> "Replayed":
        """The same log, which may now go another way."""
        other = Replayed("", self.rosters[0].case)
        other.tails, other.rosters, other.log = list(self.tails), list(self.rosters), list(self.log)
        return other

    def append_all(self, positions: list[list[int]], statements: list[Json]) -> "Replayed":
        """More positions: [time_ms, kind, place of the statement]."""
        for time_ms, kind, place in positions:
            self.append(time_ms, Kind(kind), as_signed(statements[place]))
        return self

    def append(self, time_ms: int, kind: Kind, signed: Signed) -> None:
        """One more position."""
        tail = extend(self.tails[-1], Link(time_ms=time_ms, kind=kind, entry=signed.entry_id()))
        self.rosters.append(apply_entry(self.rosters[-1], signed, kind=kind, n=tail.n, time_ms=time_ms))
        self.tails.append(tail)
        self.log.append((kind, signed))

    def answered(self, envelope: Envelope) -> tuple[Envelope, PartyId] | None:
        """The envelope that a verdict answers, and its sender."""
        for kind, signed in self.log:
            if kind is Kind.ENVELOPE and signed.entry_id() == envelope.derived_from:
                found = parse_envelope(signed)
                holders = (party.id for party in self.rosters[-1].parties.values() if found.device in party.devices)
                return found, next(holders)
        return None


def replayed_log(shared: Shared, given: Json) -> Replayed:
    """`given.base` names a log of the file, or is null and `given.case` begins one; `given.more` follows."""
    name = given["base"]
    if name is None:
        return Replayed(shared["relay"], given["case"]).append_all(given["more"], shared["statements"])
    if name not in shared.replayed:
        base = shared["logs"][name]
        begun = Replayed(shared["relay"], base["case"])
        shared.replayed[name] = begun.append_all(base["log"], shared["statements"])
    return shared.replayed[name].copy().append_all(given["more"], shared["statements"])


def _authority(given: Json, shared: Shared) -> Json:
    replayed = replayed_log(shared, given)
    return {"head": replayed.tails[-1].head, "roster": roster_summary(replayed.rosters[-1])}


def _envelope(given: Json, shared: Shared) -> Json:
    replayed = replayed_log(shared, given)
    signed = as_signed(given["envelope"])
    envelope = parse_envelope(signed)
    check_shape(envelope)
    n = envelope.view.n
    known = n < len(replayed.tails)
    check_view(envelope.view, n=len(replayed.tails), own_head=replayed.tails[n].head if known else None)
    sender = check_sender(signed, envelope, at_view=replayed.rosters[n], before=replayed.rosters[-1])
    check_addressing(envelope, at_view=replayed.rosters[n], sender=sender, answered=replayed.answered(envelope))
    return {"entry": signed.entry_id(), "sender": sender, "role": replayed.rosters[n].role_of(sender)}


def _grant(given: Json, shared: Shared) -> Json:
    replayed = replayed_log(shared, given)
    audiences = {
        signed.entry_id(): parse_envelope(signed).audience for kind, signed in replayed.log if kind is Kind.ENVELOPE
    }
    granted = check_grant(as_signed(given["grant"]), replayed.rosters[-1], audiences=audiences)
    return {"to": granted.to, "items": len(granted.items)}


def _log(given: Json, _shared: Shared) -> Json:
    if given["do"] == "heads":
        tail = empty_log(given["case"])
        heads = [tail.head]
        for link in unpack_links(unb64(given["links"])):
            tail = extend(tail, link)
            heads.append(tail.head)
        return {"heads": heads}
    head = check_head(as_signed(given["signed"]), relay=given["relay"], case=given["case"])
    if "known" in given:
        check_same_past(Tail(n=given["known"]["n"], head=given["known"]["head"], time_ms=0), head)
    return {"n": head.n, "head": head.head, "epoch": head.epoch}


def _manifest(given: Json, shared: Shared) -> Json:
    if given["do"] == "padded_size":
        return {"size_bytes": padded_size(given["size_bytes"])}
    plaintext = given["plaintext"].encode() + b" " * given["spaces"]
    if given["do"] == "open_card":
        return {"party": open_card(plaintext).party}
    envelope = convert(parse_signed(shared["envelopes"][given["envelope"]].encode()), Envelope)
    if given["do"] == "open_slip":
        return {"files": len(open_slip(plaintext, envelope).files)}
    opened = open_manifest(plaintext, envelope)
    return {"content": type(opened.content).__name__, "files": len(opened.files)}


RUN: Mapping[str, Run] = {
    "ids": _ids,
    "statement": _statement,
    "signature": _signature,
    "age": _age,
    "party": _party,
    "invitation": _invitation,
    "case": _case,
    "authority": _authority,
    "envelope": _envelope,
    "manifest": _manifest,
    "log": _log,
    "grant": _grant,
    "session": _session,
    "words": _words,
}


def outcome(name: str, shared: Shared, given: Json) -> tuple[str, Json | None]:
    """What becomes of a case of NAME.json: "success" and its output, or the code of the refusal."""
    try:
        return "success", RUN[name](given, shared)
    except Refusal as refusal:
        return refusal.code, None
