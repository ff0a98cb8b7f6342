"""The relay's tables: sealed bytes, public statements, and the counters that order them.

Ids stand in their wire text. Times are milliseconds since 1970. No column holds a name, a text, a file name
or anything that opens something; `signed` and `receipt` columns hold wire-form JSON as it was accepted.
"""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, MetaData, String, Table

metadata: Final = MetaData()


def _id(name: str, *, primary: bool = False, nullable: bool = False) -> Column[str]:
    return Column(name, String(43), primary_key=primary, nullable=nullable and not primary)


def _number(name: str, *, primary: bool = False, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, primary_key=primary, nullable=nullable and not primary, autoincrement=False)


parties: Final = Table(
    "parties", metadata, _id("id", primary=True), Column("kind", String(16), nullable=False), _number("created_ms")
)

# The party chains, whole, in order: what every roster is computed from.
party_entries: Final = Table(
    "party_entries",
    metadata,
    _id("party", primary=True),
    _number("seq", primary=True),
    _id("entry"),
    _number("time_ms"),
    Column("signed", LargeBinary, nullable=False),
)

# What a chain says of its devices now, for looking a signer up; `acked_seq` is its inbox's cursor.
devices: Final = Table(
    "devices",
    metadata,
    _id("id", primary=True),
    _id("party"),
    _id("sign"),
    Column("role", String(16), nullable=False),
    Column("active", Boolean, nullable=False),
    _number("acked_seq"),
    Index("devices_by_party", "party"),
)

boxes: Final = Table(
    "boxes",
    metadata,
    _id("party", primary=True),
    _id("sha256", primary=True),
    Column("content", LargeBinary, nullable=False),
)

# One-time enrolment codes for clinics and machines, by hash only.
codes: Final = Table(
    "codes",
    metadata,
    _id("hash", primary=True),
    Column("kind", String(16), nullable=False),
    _id("used_by", nullable=True),
    _number("created_ms"),
)

sessions: Final = Table(
    "sessions",
    metadata,
    _id("bearer_hash", primary=True),
    _id("device"),
    _number("until_ms"),
    Index("sessions_by_device", "device"),
    Index("sessions_by_end", "until_ms"),
)

# The end of each case's log, and what it has used.
cases: Final = Table(
    "cases",
    metadata,
    _id("id", primary=True),
    _number("created_ms"),
    _number("n"),
    _id("head"),
    _number("time_ms"),
    _number("epoch"),
    _number("backed_up_n"),
    _number("used_bytes"),
    _number("closed_ms", nullable=True),
)

# Which parties (machines included) are concerned by a case now: who is delivered to, and where chains are appended.
case_parties: Final = Table(
    "case_parties",
    metadata,
    _id("case", primary=True),
    _id("party", primary=True),
    Column("role", String(16), nullable=False),
    Index("case_parties_by_party", "party"),
)

# The log. A row here, committed, is what "accepted" means.
entries: Final = Table(
    "entries",
    metadata,
    _id("case", primary=True),
    _number("n", primary=True),
    _number("time_ms"),
    _number("kind"),
    _id("entry"),
    Column("signed", LargeBinary, nullable=False),
    Column("receipt", LargeBinary, nullable=False),
    Index("entries_by_entry", "case", "entry", unique=True),
)
# What rosters are computed from; envelopes, of which there are far more, cost nothing here.
Index(
    "entries_of_rosters",
    entries.c.case,
    entries.c.n,
    sqlite_where=entries.c.kind < 3,
    postgresql_where=entries.c.kind < 3,
)

envelopes: Final = Table(
    "envelopes",
    metadata,
    _id("case", primary=True),
    _number("n", primary=True),
    Column("id", String(22), nullable=False),
    _id("entry"),
    _id("sender"),
    Column("class", String(16), nullable=False),
    Column("audience", String(8), nullable=False),
    _id("derived_from", nullable=True),
    Index("envelopes_by_id", "case", "id", unique=True),
    sqlite_with_rowid=False,
)

# Age headers, and the payloads small enough to travel in the submit (manifest, slip). `payload` is null for uploads.
objects: Final = Table(
    "objects",
    metadata,
    _id("h0", primary=True),
    _id("case"),
    _number("n"),
    _id("entry"),
    Column("role", String(16), nullable=False),
    _id("p"),
    _number("size_bytes"),
    Column("header", LargeBinary, nullable=False),
    Column("payload", LargeBinary, nullable=True),
    Index("objects_by_n", "case", "n"),
)
# Which payloads that came by upload are named: those that travelled in a submit are nobody else's to ask for.
Index(
    "objects_by_payload",
    objects.c.case,
    objects.c.p,
    sqlite_where=objects.c.payload.is_(None),
    postgresql_where=objects.c.payload.is_(None),
)

# The newest verdict on each attachment: what withholding is decided by.
rulings: Final = Table(
    "rulings",
    metadata,
    _id("case", primary=True),
    _id("entry", primary=True),
    _id("p", primary=True),
    Column("code", String(16), nullable=False),
    Column("keep", Boolean, nullable=False),
    _id("verdict"),
    _number("time_ms"),
)

cards: Final = Table(
    "cards",
    metadata,
    _id("case", primary=True),
    _id("key", primary=True),
    _id("entry"),
    Column("content", LargeBinary, nullable=True),
)

# Each device's inbox: a gap-free sequence of pointers into logs.
deliveries: Final = Table(
    "deliveries",
    metadata,
    _id("device", primary=True),
    _number("seq", primary=True),
    _id("case"),
    _number("n"),
    _number("kind"),
    sqlite_with_rowid=False,
)

# Which device works on which envelope, and until when. Past ones are swept.
leases: Final = Table(
    "leases",
    metadata,
    _id("case", primary=True),
    _id("entry", primary=True),
    _id("device"),
    _number("until_ms"),
    Index("leases_by_device", "device"),
)

# Uploads under way: found by the hash of their URL's secret; how far they are is the temp file's own length.
uploads: Final = Table(
    "uploads",
    metadata,
    _id("url_hash", primary=True),
    _id("device"),
    _id("case"),
    _number("size_bytes"),
    _id("declared_p", nullable=True),
    _id("p", nullable=True),
    _number("created_ms"),
    _number("expires_ms"),
    Index("uploads_by_device", "device"),
    Index("uploads_by_case", "case"),
)

# Payloads durable on disk, by the case they were uploaded to. A row here is what "uploaded" means.
blobs: Final = Table(
    "blobs",
    metadata,
    _id("case", primary=True),
    _id("p", primary=True),
    _number("size_bytes"),
    _number("created_ms"),
    Index("blobs_by_payload", "p"),
)
