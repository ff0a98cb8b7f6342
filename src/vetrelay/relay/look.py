"""Look: everything that this relay knows of a case, for operators, auditors and doubters. Reads the tables, writes nothing.

There is no other source: what is not in these tables, the relay does not know. `vetrelay relay look` puts it into words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, func, select

from vetrelay.errors import Refusal
from vetrelay.protocol.authority import apply_entry
from vetrelay.protocol.case import CaseOpen, parse_case_statement
from vetrelay.protocol.envelope import Envelope, parse_envelope
from vetrelay.protocol.ids import CaseId, DeviceId, PartyId
from vetrelay.protocol.log import Kind
from vetrelay.protocol.party import parse_statement
from vetrelay.protocol.roster import Roster, empty_roster
from vetrelay.protocol.session import BEARER_LIFE_MS
from vetrelay.protocol.signature import Signed, parse_wire
from vetrelay.relay.enrol import code_hash
from vetrelay.relay.policy import concerned
from vetrelay.relay.storage.schema import blobs, cases, codes, deliveries, devices, entries, leases, parties, sessions

SHORTEST_PREFIX: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSeen:
    """A device: its id, what it may do, how far in this case it has fetched, when it last signed in if that is kept.

    `works_on` is how many envelopes it had set aside lately, to work on them: a file check that shares the files.
    """

    device: DeviceId
    role: str
    active: bool
    fetched_n: int
    signed_in_ms: int | None
    works_on: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartySeen:
    """A party: a random-looking id, its kind, its role in the case (empty outside of one), its devices."""

    party: PartyId
    kind: str
    role: str
    came_ms: int
    devices: tuple[DeviceSeen, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionSeen:
    """One position of a log: when, what kind of statement by whom, and for an envelope its clear part."""

    n: int
    time_ms: int
    statement: str
    party: PartyId | None
    stored_bytes: int
    envelope: Envelope | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSeen:
    """A case: its id, its times and sizes, who takes part, and every position of its log."""

    case: CaseId
    opened_ms: int
    closed_ms: int | None
    n: int
    used_bytes: int
    parties: tuple[PartySeen, ...]
    positions: tuple[PositionSeen, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySeen:
    """The whole relay: its parties, its cases without their logs, what the files weigh, how many codes are unused."""

    parties: tuple[PartySeen, ...]
    cases: tuple[CaseSeen, ...]
    files: int
    file_bytes: int
    unused_codes: int


# A case with the bytes of its uploaded payloads beside it: `used_bytes` alone counts what travelled in submits.
_CASES: Final = (
    select(cases, func.coalesce(func.sum(blobs.c.size_bytes), 0).label("payload_bytes"))
    .outerjoin(blobs, blobs.c.case == cases.c.id)
    .group_by(cases.c.id)
    .order_by(cases.c.created_ms)
)


def look_at_relay(engine: Engine) -> RelaySeen:
    """Everything but the logs of the cases."""
    with engine.begin() as connection:
        files = connection.execute(select(func.count(), func.coalesce(func.sum(blobs.c.size_bytes), 0))).one()
        return RelaySeen(
            parties=tuple(
                _party(connection, row.id, kind=row.kind, role="", came_ms=row.created_ms, case=None)
                for row in connection.execute(select(parties).order_by(parties.c.created_ms))
            ),
            cases=tuple(_case(row, parties=(), positions=()) for row in connection.execute(_CASES)),
            files=files[0],
            file_bytes=files[1],
            unused_codes=connection.execute(select(func.count()).where(codes.c.used_by.is_(None))).scalar_one(),
        )


def look_at_case(engine: Engine, beginning: str) -> CaseSeen:
    """Everything about one case, by its id or the first six or more characters of it.

    Raises Refusal `no_such_case`, `which_case`.
    """
    with engine.begin() as connection:
        found = [row for row in connection.execute(_CASES) if row.id.startswith(beginning)]
        if len(beginning) < SHORTEST_PREFIX or not found:
            raise Refusal("no_such_case")
        if len(found) > 1:
            raise Refusal("which_case")
        row = found[0]
        log = connection.execute(select(entries).where(entries.c.case == row.id).order_by(entries.c.n)).all()
        roster = _roster(row.id, log)
        came = {entry.id: entry.created_ms for entry in connection.execute(select(parties.c.id, parties.c.created_ms))}
        roles = concerned(roster)
        return _case(
            row,
            parties=tuple(
                _party(connection, party, kind=roster.parties[party].kind, role=role, came_ms=came[party], case=row.id)
                for party, role in roles.items()
            ),
            positions=tuple(_position(entry, roster) for entry in log),
        )


def is_unused(engine: Engine, code: str) -> bool:
    """Whether a one-time code is this relay's and has let nobody in yet."""
    unused = select(func.count()).where(codes.c.hash == code_hash(code), codes.c.used_by.is_(None))
    with engine.begin() as connection:
        return bool(connection.execute(unused).scalar_one())


def _case(row: Any, *, parties: tuple[PartySeen, ...], positions: tuple[PositionSeen, ...]) -> CaseSeen:
    return CaseSeen(
        case=row.id,
        opened_ms=row.created_ms,
        closed_ms=row.closed_ms,
        n=row.n,
        used_bytes=row.used_bytes + row.payload_bytes,
        parties=parties,
        positions=positions,
    )


def _party(
    connection: Connection, party: PartyId, *, kind: str, role: str, came_ms: int, case: CaseId | None
) -> PartySeen:
    own = connection.execute(select(devices).where(devices.c.party == party)).all()
    return PartySeen(
        party=party,
        kind=kind,
        role=role,
        came_ms=came_ms,
        devices=tuple(
            DeviceSeen(
                device=row.id,
                role=row.role,
                active=row.active,
                fetched_n=_fetched_n(connection, row.id, upto_seq=row.acked_seq, case=case),
                signed_in_ms=_signed_in_ms(connection, row.id),
                works_on=_works_on(connection, row.id, case=case),
            )
            for row in own
        ),
    )


def _fetched_n(connection: Connection, device: DeviceId, *, upto_seq: int, case: CaseId | None) -> int:
    newest = select(func.coalesce(func.max(deliveries.c.n), 0)).where(
        deliveries.c.device == device, deliveries.c.seq <= upto_seq, deliveries.c.case == (case or "")
    )
    return int(connection.execute(newest).scalar_one())


def _signed_in_ms(connection: Connection, device: DeviceId) -> int | None:
    until_ms = connection.execute(select(func.max(sessions.c.until_ms)).where(sessions.c.device == device)).scalar_one()
    return None if until_ms is None else int(until_ms) - BEARER_LIFE_MS


def _roster(case: CaseId, log: Sequence[Any]) -> Roster:
    """Who takes part at the log's end, by the same pure function as ever."""
    opened = (parse_case_statement(parse_wire(row.signed).content()) for row in log if row.kind == Kind.CASE)
    relay = next((statement.relay for statement in opened if isinstance(statement, CaseOpen)), "")
    roster = empty_roster(relay, case)
    for row in log:
        roster = apply_entry(roster, parse_wire(row.signed), kind=Kind(row.kind), n=row.n, time_ms=row.time_ms)
    return roster


def _position(row: Any, roster: Roster) -> PositionSeen:
    signed, kind = parse_wire(row.signed), Kind(row.kind)
    envelope = parse_envelope(signed) if kind is Kind.ENVELOPE else None
    return PositionSeen(
        n=row.n,
        time_ms=row.time_ms,
        statement=_statement(signed, kind),
        party=_author(signed, kind, envelope, roster),
        stored_bytes=sum(part.size for part in envelope.objects) if envelope else len(row.signed),
        envelope=envelope,
    )


def _statement(signed: Signed, kind: Kind) -> str:
    """The name that a statement carries on the wire."""
    tagged: Mapping[Kind, Any] = {Kind.CASE: parse_case_statement, Kind.PARTY: parse_statement}
    if kind not in tagged:
        return kind.name.lower()
    config = getattr(tagged[kind](signed.content()), "__struct_config__", None)
    return str(config.tag) if config is not None and config.tag else "newer"


def _author(signed: Signed, kind: Kind, envelope: Envelope | None, roster: Roster) -> PartyId | None:
    """Which party signed: an envelope names its device, a statement its key, a genesis is its party's id."""
    for party in roster.parties.values():
        for device in party.devices.values():
            if (envelope is not None and device.id == envelope.device) or device.sign in {
                one.key for one in signed.sigs
            }:
                return party.id
    return signed.entry_id() if kind is Kind.PARTY and signed.entry_id() in roster.parties else None


def _works_on(connection: Connection, device: DeviceId, *, case: CaseId | None) -> int:
    set_aside = select(func.count()).select_from(leases).where(leases.c.device == device)
    counted = set_aside if case is None else set_aside.where(leases.c.case == case)
    return int(connection.execute(counted).scalar_one())
