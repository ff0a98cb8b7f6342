"""The first tables: parties and their chains, cases and their logs, envelopes and objects, inboxes, payloads.

Revision: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table and index of the first version."""
    _parties()
    _cases()
    _envelopes()
    _payloads()


def _parties() -> None:
    op.create_table(
        "parties",
        sa.Column("id", sa.String(length=43), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "party_entries",
        sa.Column("party", sa.String(length=43), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry", sa.String(length=43), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("signed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("party", "seq"),
    )
    op.create_table(
        "devices",
        sa.Column("id", sa.String(length=43), nullable=False),
        sa.Column("party", sa.String(length=43), nullable=False),
        sa.Column("sign", sa.String(length=43), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("acked_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("devices_by_party", "devices", ["party"], unique=False)
    op.create_table(
        "boxes",
        sa.Column("party", sa.String(length=43), nullable=False),
        sa.Column("sha256", sa.String(length=43), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("party", "sha256"),
    )
    op.create_table(
        "codes",
        sa.Column("hash", sa.String(length=43), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("used_by", sa.String(length=43), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_table(
        "sessions",
        sa.Column("bearer_hash", sa.String(length=43), nullable=False),
        sa.Column("device", sa.String(length=43), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("bearer_hash"),
    )
    op.create_index("sessions_by_device", "sessions", ["device"], unique=False)
    op.create_index("sessions_by_end", "sessions", ["until_ms"], unique=False)


def _cases() -> None:
    op.create_table(
        "cases",
        sa.Column("id", sa.String(length=43), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("n", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("head", sa.String(length=43), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("backed_up_n", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("used_bytes", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("closed_ms", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "case_parties",
        sa.Column("case", sa.String(length=43), nullable=False),
        sa.Column("party", sa.String(length=43), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("case", "party"),
    )
    op.create_index("case_parties_by_party", "case_parties", ["party"], unique=False)
    op.create_table(
        "entries",
        sa.Column("case", sa.String(length=43), nullable=False),
        sa.Column("n", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("time_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry", sa.String(length=43), nullable=False),
        sa.Column("signed", sa.LargeBinary(), nullable=False),
        sa.Column("receipt", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("case", "n"),
    )
    op.create_index("entries_by_entry", "entries", ["case", "entry"], unique=True)
    op.create_index(
        "entries_of_rosters",
        "entries",
        ["case", "n"],
        unique=False,
        sqlite_where=sa.text("kind < 3"),
        postgresql_where=sa.text("kind < 3"),
    )
    op.create_table(
        "cards",
        sa.Column("case", sa.String(length=43), nullable=False),
        sa.Column("key", sa.String(length=43), nullable=False),
        sa.Column("entry", sa.String(length=43), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("case", "key"),
    )
    op.create_table(
        "deliveries",
        sa.Column("device", sa.String(length=43), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("case", sa.String(length=43), nullable=False),
        sa.Column("n", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("device", "seq"),
        sqlite_with_rowid=False,
    )


def _envelopes() -> None:
    op.create_table(
        "envelopes",
        sa.Column("case", sa.String(length=43), nullable=False),
        sa.Column("n", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column("entry", sa.String(length=43), nullable=False),
        sa.Column("sender", sa.String(length=43), nullable=False),
        sa.Column("class", sa.String(length=16), nullable=False),
        sa.Column("audience", sa.String(length=8), nullable=False),
        sa.Column("derived_from", sa.String(length=43), nullable=True),
        sa.PrimaryKeyConstraint("case", "n"),
        sqlite_with_rowid=False,
    )
    op.create_index("envelopes_by_id", "envelopes", ["case", "id"], unique=True)
    op.create_table(
        "objects",
        sa.Column("h0", sa.String(length=43), nullable=False),
        sa.Column("case", sa.String(length=43), nullable=False),
        sa.Column("n", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry", sa.String(length=43), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("p", sa.String(length=43), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("header", sa.LargeBinary(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("h0"),
    )
    op.create_index("objects_by_n", "objects", ["case", "n"], unique=False)
    op.create_index(
        "objects_by_payload",
        "objects",
        ["case", "p"],
        unique=False,
        sqlite_where=sa.text("payload IS NULL"),
        postgresql_where=sa.text("payload IS NULL"),
    )
    op.create_table(
        "rulings",
        sa.Column("case", sa.String(length=43), nullable=False),
        sa.Column("entry", sa.String(length=43), nullable=False),
        sa.Column("p", sa.String(length=43), nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("keep", sa.Boolean(), nullable=False),
        sa.Column("verdict", sa.String(length=43), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("case", "entry", "p"),
    )


def _payloads() -> None:
    op.create_table(
        "uploads",
        sa.Column("url_hash", sa.String(length=43), nullable=False),
        sa.Column("device", sa.String(length=43), nullable=False),
        sa.Column("case", sa.String(length=43), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("declared_p", sa.String(length=43), nullable=True),
        sa.Column("p", sa.String(length=43), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("url_hash"),
    )
    op.create_index("uploads_by_case", "uploads", ["case"], unique=False)
    op.create_index("uploads_by_device", "uploads", ["device"], unique=False)
    op.create_table(
        "blobs",
        sa.Column("case", sa.String(length=43), nullable=False),
        sa.Column("p", sa.String(length=43), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("created_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("case", "p"),
    )
    op.create_index("blobs_by_payload", "blobs", ["p"], unique=False)
