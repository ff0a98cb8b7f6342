"""The table of correspondences: found by its tokens, and by nothing that stands in clear."""

import os
from dataclasses import replace

import pytest
from sqlalchemy import Engine, select, text, update

from vetrelay.bridge.store.addresses import Addresses, Correspondence
from vetrelay.bridge.store.sealing import Seals
from vetrelay.bridge.store.tables import addresses as table
from vetrelay.bridge.store.tables import reading
from vetrelay.errors import Fault

SEALS = Seals(bytes(range(32)), os.urandom)
ROWAN = Correspondence(
    case="case-one",
    token="abcdefghijklmnopqrstuvwx23",
    address="dr.rowan@wrenfield.example",
    upload_token="upload-of-rowan",
    code="12345678",
    created_ms=1000,
)
CLINIC = replace(ROWAN, token="z" * 26, address="@wrenfield.example", upload_token="other", created_ms=900)


@pytest.fixture
def addresses(engine: Engine) -> Addresses:
    """An empty table."""
    return Addresses(engine, SEALS)


def test_a_correspondence_is_found_by_its_tokens_and_its_case(addresses: Addresses) -> None:
    """And nothing is found by any other word."""
    addresses.put(ROWAN)
    addresses.put(CLINIC)
    assert (ROWAN, CLINIC) == (addresses.by_token(ROWAN.token), addresses.by_token(CLINIC.token))
    assert (ROWAN, CLINIC) == (addresses.by_upload_token("upload-of-rowan"), addresses.by_upload_token("other"))
    assert (CLINIC, ROWAN) == addresses.of_case("case-one")
    assert (None, None, ()) == (addresses.by_token("y" * 26), addresses.by_upload_token("x"), addresses.of_case("two"))
    assert None is addresses.by_token(ROWAN.upload_token)


def test_a_token_is_found_without_regard_to_case(addresses: Addresses) -> None:
    """Some systems write addresses in capitals; an upload's token is exact, because it stands in a link."""
    addresses.put(ROWAN)
    assert ROWAN == addresses.by_token(ROWAN.token.upper())
    assert None is addresses.by_upload_token("UPLOAD-OF-ROWAN")


def test_put_writes_anew_what_has_the_same_token(addresses: Addresses) -> None:
    """A correspondence changes: closed, unsubscribed, another upload link."""
    addresses.put(ROWAN)
    changed = replace(ROWAN, closed=True, unsubscribed=True, upload_token="new")
    addresses.put(changed)
    assert changed == addresses.by_token(ROWAN.token)
    assert (None, changed) == (addresses.by_upload_token("upload-of-rowan"), addresses.by_upload_token("new"))


def test_a_revoked_token_stays_known(addresses: Addresses) -> None:
    """So that its letters are answered as closed and not as never heard of; the others of its case stay open."""
    addresses.put(ROWAN)
    addresses.put(CLINIC)
    addresses.revoke(ROWAN.token)
    addresses.revoke("y" * 26)
    assert replace(ROWAN, revoked=True) == addresses.by_token(ROWAN.token)
    assert CLINIC == addresses.by_token(CLINIC.token)


def test_whether_an_author_takes_part_is_told_for_a_case_and_for_all(addresses: Addresses) -> None:
    """By address and by the very domain; a revoked one takes part no more, and a host below the domain never did."""
    addresses.put(ROWAN)
    addresses.put(replace(CLINIC, case="case-two"))
    both = frozenset({ROWAN.address, "@wrenfield.example"})
    assert both == addresses.listed("Dr.Rowan@Wrenfield.example")
    assert {ROWAN.address} == addresses.listed(ROWAN.address, case="case-one")
    assert {"@wrenfield.example"} == addresses.listed("other@wrenfield.example")
    assert frozenset() == addresses.listed("other@mail.wrenfield.example") == addresses.listed("x", case="case-two")
    addresses.revoke(ROWAN.token)
    assert frozenset() == addresses.listed(ROWAN.address, case="case-one")
    addresses.put(replace(CLINIC, case="case-two", address="@elsewhere.example"))
    assert frozenset() == addresses.listed("other@wrenfield.example")
    assert {"@elsewhere.example"} == addresses.listed("x@elsewhere.example", case="case-two")


def test_what_was_written_stands_after_a_restart(addresses: Addresses, engine: Engine) -> None:
    """And what another bridge adds on the same database is found too."""
    addresses.put(ROWAN)
    addresses.put(CLINIC)
    addresses.revoke(CLINIC.token)
    again = Addresses(engine, SEALS)
    assert (ROWAN, replace(CLINIC, revoked=True)) == (again.by_token(ROWAN.token), again.by_token(CLINIC.token))
    added = replace(ROWAN, token="n" * 26, upload_token="n")
    addresses.put(added)
    assert added == again.by_token("n" * 26)


def test_no_column_holds_a_token_an_address_or_a_code(addresses: Addresses, engine: Engine) -> None:
    """Whoever reads the database learns who writes to nobody, and can write to no case."""
    addresses.put(ROWAN)
    with reading(engine) as connection:
        rows = connection.execute(text("SELECT * FROM addresses")).all()
    held = repr([[bytes(value) if isinstance(value, memoryview) else value for value in row] for row in rows])
    words = (ROWAN.token, ROWAN.address, "wrenfield", ROWAN.upload_token, ROWAN.code)
    assert [] == [word for word in words if word in held]


def test_a_row_that_was_tampered_with_does_not_open(addresses: Addresses, engine: Engine) -> None:
    """It is a Fault, never another correspondent."""
    addresses.put(ROWAN)
    addresses.put(CLINIC)
    with reading(engine) as connection:
        sealed = list(connection.execute(select(table.c.sealed).order_by(table.c.created_ms)).scalars())
    for other in (sealed[0], sealed[1][:-1], b"x" * 200, b""):  # the clinic's among them, whole and well sealed
        with engine.begin() as connection:
            connection.execute(update(table).where(table.c.created_ms == ROWAN.created_ms).values(sealed=other))
        damaged = Addresses(engine, SEALS)
        with pytest.raises(Fault, match="spool_damaged"):
            damaged.by_token(ROWAN.token)
        assert CLINIC == damaged.by_token(CLINIC.token)
