"""What stands on the wire of a party chain."""

import json
from typing import Any

import pytest

from tests.chains import ActingParty, refusal_of, seed
from vetrelay.protocol.party import Genesis, Newer, parse_statement
from vetrelay.protocol.signature import Signed
from vetrelay.protocol.statement import render


def one_of_each() -> dict[str, Signed]:
    """Every kind of statement, each in its place."""
    clinic, intake = ActingParty("clinic", "clinic"), ActingParty("intake", "machine")
    clinic.take(clinic.device_add("desk"))
    clinic.take(clinic.device_role("desk", role="technician", admin=True))
    clinic.take(clinic.door(seed("door", 16)))
    clinic.take(clinic.machines(intake=intake))
    clinic.take(clinic.rotate("desk"))
    return dict(zip(("genesis", "device.add", "device.role", "door", "machines", "rotate"), clinic.chain, strict=True))


EACH = one_of_each()


@pytest.mark.parametrize("name", EACH)
def test_a_statement_comes_back_from_its_bytes(name: str) -> None:
    """Its kind stands in `statement`, and nothing is lost on the way."""
    body = EACH[name].content()
    assert name == json.loads(body)["statement"]
    assert body == render(parse_statement(body))


def spoilt(name: str, **change: Any) -> bytes:  # any JSON value
    """A statement with some fields changed; ... takes one away."""
    value = {**json.loads(EACH[name].content()), **change}
    return render({key: part for key, part in value.items() if part is not ...})


@pytest.mark.parametrize("name", EACH)
def test_a_statement_has_all_its_fields_and_no_other(name: str) -> None:
    """Each field in turn is missing, null where it may not be, or of another type."""
    assert "bad_body" == refusal_of(parse_statement, spoilt(name, extra=1))
    for field in json.loads(EACH[name].content()):
        assert "bad_body" == refusal_of(parse_statement, spoilt(name, **{field: ...})), field
        wrong = 1 if field not in {"v", "seq", "until"} else "1"
        assert "bad_body" == refusal_of(parse_statement, spoilt(name, **{field: wrong})), field


@pytest.mark.parametrize("change", [{"v": 2}, {"statement": "device.rename"}, {"v": 3, "statement": "genesis"}])
def test_what_came_after_this_software_is_newer_and_keeps_its_place(change: dict[str, Any]) -> None:
    """(N50) Only where it stands is read of it."""
    value = json.loads(EACH["rotate"].content())
    expected = Newer(seq=value["seq"], prev=value["prev"], party=value["party"])
    assert expected == parse_statement(spoilt("rotate", **change, keys={"new": "shape"}))


@pytest.mark.parametrize(
    "change", [{"v": 0}, {"v": True}, {"v": None}, {"v": ...}, {"statement": 1}, {"statement": ...}]
)
def test_what_has_no_version_or_kind_is_no_statement(change: dict[str, Any]) -> None:
    """Newer software says what it is."""
    assert "bad_body" == refusal_of(parse_statement, spoilt("rotate", **change))


def test_a_newer_statement_without_a_place_is_malformed() -> None:
    """(N50) "Newer" is no way around the chain."""
    assert "bad_body" == refusal_of(parse_statement, spoilt("rotate", v=2, seq=...))
    assert "bad_body" == refusal_of(parse_statement, spoilt("rotate", v=2, prev=1))


def test_genesis_names_the_device_it_is_signed_by() -> None:
    """The first device's id is the hash of its two keys."""
    clinic = ActingParty("clinic", "clinic")
    genesis = parse_statement(clinic.chain[0].content())
    assert isinstance(genesis, Genesis)
    assert clinic.device().id == genesis.device.id
    assert clinic.id == clinic.chain[0].entry_id()
