"""What stands on the wire of a case."""

import json
from typing import Any, get_args

import msgspec
import pytest

from tests.chains import ActingParty, nonce, open_case, opening, refusal_of, seed
from vetrelay.protocol.case import (
    CaseStatement,
    NewerInCase,
    PartyAdd,
    PartyApprove,
    PartyRemove,
    is_narrowing,
    parse_case_statement,
)
from vetrelay.protocol.statement import render


def one_of_each() -> dict[str, CaseStatement]:
    """Every kind of case statement."""
    clinic, owner = ActingParty("clinic", "clinic"), ActingParty("owner")
    running = open_case(clinic)
    case, fresh = running.case, running.fresh()
    invitation = running.invitation(seed("invitation", 16), "owner")
    made: list[Any] = [
        opening(clinic, "care"),
        invitation,
        running.invite_close(invitation.key),
        PartyAdd(
            v=1,
            case=case,
            nonce=fresh,
            invite=invitation.key,
            party=owner.id,
            party_seq=0,
            party_head=owner.id,
            role="owner",
        ),
        PartyApprove(v=1, case=case, nonce=fresh, party=owner.id, role="owner"),
        PartyRemove(v=1, case=case, nonce=fresh, party=owner.id, role="owner"),
        *running.written().values(),
    ]
    return {json.loads(render(body))["statement"]: body for body in made}


EACH = one_of_each()


def spoilt(name: str, **change: Any) -> bytes:
    """A statement with some fields changed; ... takes one away."""
    value = {**json.loads(render(EACH[name])), **change}
    return render({key: part for key, part in value.items() if part is not ...})


def test_the_table_names_every_statement() -> None:
    """So that none is forgotten below."""
    tags = {kind.__struct_config__.tag for kind in get_args(CaseStatement)}
    assert tags == set(EACH)


@pytest.mark.parametrize("name", EACH)
def test_a_statement_comes_back_from_its_bytes(name: str) -> None:
    """Its kind stands in `statement`."""
    assert EACH[name] == parse_case_statement(render(EACH[name]))


@pytest.mark.parametrize("name", EACH)
def test_a_statement_has_all_its_fields_and_no_other(name: str) -> None:
    """Each field in turn is missing, or of another type."""
    assert "bad_body" == refusal_of(parse_case_statement, spoilt(name, extra=None))
    for field, value in json.loads(render(EACH[name])).items():
        assert "bad_body" == refusal_of(parse_case_statement, spoilt(name, **{field: ...})), field
        wrong = "1" if isinstance(value, int) else 1
        assert "bad_body" == refusal_of(parse_case_statement, spoilt(name, **{field: wrong})), field


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("case.open", {"role": "owner "}),
        ("case.open", {"role": "consultant"}),
        ("case.open", {"policy": {"inspection": "none", "retention": 90, "urgency": False}}),
        ("case.open", {"policy": {"inspection": "intake", "retention": 0, "urgency": False}}),
        ("case.open", {"policy": {"inspection": "intake", "retention": 3651, "urgency": False}}),
        ("invite.open", {"role": "intake"}),
        ("invite.open", {"role": "admin"}),
        ("invite.open", {"until": -1}),
        ("party.add", {"role": "intake"}),
        ("hold", {"on": None}),
    ],
)
def test_a_value_out_of_its_list_is_refused(name: str, change: dict[str, Any]) -> None:
    """An intake, for one, is never invited: a clinic's chain designates it."""
    value = {**json.loads(render(EACH[name])), **change}
    raw = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    assert refusal_of(parse_case_statement, raw) in {"bad_body", "bad_json"}


@pytest.mark.parametrize("change", [{"v": 2}, {"statement": "party.rename"}])
def test_what_came_after_this_software_is_newer(change: dict[str, Any]) -> None:
    """(N50) Of such a statement only the case is read."""
    case = json.loads(render(EACH["close"]))["case"]
    assert NewerInCase(case=case) == parse_case_statement(spoilt("close", **change, more={}))
    assert "bad_body" == refusal_of(parse_case_statement, spoilt("close", **change, case=...))


def test_two_statements_that_say_the_same_are_two() -> None:
    """A nonce keeps a case that is closed twice from being closed once."""
    one = EACH["close"]
    other = msgspec.structs.replace(one, nonce=nonce("another"))
    assert render(one) != render(other)


def test_what_takes_something_away_is_in_the_list() -> None:
    """(chapter 9) party.remove, policy, close, and a bridge that is put out; not one that is let in."""
    narrowing = {name for name, statement in EACH.items() if is_narrowing(statement)}
    assert {"party.remove", "policy", "close"} == narrowing - {"bridge"}
    assert [False, True] == [is_narrowing(msgspec.structs.replace(EACH["bridge"], on=on)) for on in (True, False)]
