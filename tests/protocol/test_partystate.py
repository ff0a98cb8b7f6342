"""What a party chain adds up to. What is refused stands in tests/hostile/test_party_chain.py."""

import pytest

from tests.chains import START_MS, ActingParty, named_hash, refusal_of, seed
from vetrelay.protocol.partystate import (
    HOUR_MS,
    check_rotation_rate,
    extend_party,
    is_narrowing,
    read_chain,
    required_boxes,
)
from vetrelay.protocol.signature import parse_wire, wire


def clinic_with(*names: str) -> ActingParty:
    """A clinic with these devices besides its first."""
    clinic = ActingParty("clinic", "clinic")
    for name in names:
        clinic.take(clinic.device_add(name))
    return clinic


def test_a_chain_read_whole_and_one_read_step_by_step_add_up_to_the_same() -> None:
    """From the wire form, as another end would read it."""
    clinic = clinic_with("desk", "phone")
    clinic.take(clinic.rotate("desk"))
    clinic.take(clinic.device_role("phone", role="desk", admin=True))
    clinic.take(clinic.door(seed("door", 16), until=START_MS))
    again = read_chain([parse_wire(wire(signed)) for signed in clinic.chain], time_ms=START_MS)
    assert clinic.state == again
    assert 5 == again.seq
    assert clinic.chain[-1].entry_id() == again.head


def test_an_added_device_may_act_and_its_party_stays_the_same_party() -> None:
    """The id is that of genesis, for ever."""
    clinic = clinic_with("desk")
    desk = clinic.device("desk")
    assert clinic.chain[0].entry_id() == clinic.id
    assert {clinic.device().id, desk.id} == {device.id for device in clinic.state.active}
    assert clinic.state.by_sign_key(desk.sign) == clinic.state.devices[desk.id]


def test_rotation_revokes_and_begins_the_next_generation() -> None:
    """A revoked device stays named and no longer acts."""
    clinic = clinic_with("desk")
    clinic.take(clinic.rotate("desk"))
    desk = clinic.device("desk")
    assert 1 == clinic.state.generation.gen
    assert [clinic.device().id] == [box.device for box in clinic.state.generation.boxes]
    assert not clinic.state.devices[desk.id].active
    assert clinic.state.by_sign_key(desk.sign) is None
    assert "not_a_device" == refusal_of(clinic.take, clinic.rotate(by="desk"))


def test_an_admin_may_revoke_itself_where_another_stays() -> None:
    """A phone is given away by its owner."""
    clinic = ActingParty("clinic", "clinic")
    clinic.take(clinic.device_add("second", admin=True))
    clinic.take(clinic.rotate("first"))
    assert [clinic.device("second").id] == [device.id for device in clinic.state.active]


def test_a_recovery_kit_brings_the_party_back() -> None:
    """It adds a device that may do everything, and is boxed in every rotation."""
    owner = ActingParty("owner")
    owner.take(owner.device_add("kit", role="recovery"))
    owner.take(owner.rotate())
    owner.take(owner.device_add("new phone", admin=True, by="kit"))
    owner.take(owner.rotate("first", by="new phone"))
    assert {owner.device("kit").id, owner.device("new phone").id} == {device.id for device in owner.state.active}


def test_a_machine_rotates_without_a_way_back() -> None:
    """Forward secrecy for the one end that parses hostile files."""
    machine = ActingParty("intake", "machine")
    for gen in range(1, 4):
        machine.take(machine.rotate())
        assert (gen, None) == (machine.state.generation.gen, machine.state.generation.back)


def test_a_door_and_machines_are_the_clinics_newest_word() -> None:
    """A door is closed, and opened again, by its key; machines are replaced as a pair."""
    clinic, intake, bridge = ActingParty("clinic", "clinic"), ActingParty("i", "machine"), ActingParty("b", "machine")
    secret = seed("door", 16)
    for closed in (False, True):
        clinic.take(clinic.door(secret, closed=closed))
        assert [closed] == [door.closed for door in clinic.state.doors.values()]
    clinic.take(clinic.machines(intake=intake))
    clinic.take(clinic.machines(intake=intake, bridge=bridge))
    assert ((intake.id,), bridge.id) == (clinic.state.intakes, clinic.state.bridge)
    clinic.take(clinic.machines())
    assert ((), None) == (clinic.state.intakes, clinic.state.bridge)


def test_thirty_two_devices_are_the_most() -> None:
    """The thirty-third waits until one is revoked; a revoked one does not count."""
    clinic = clinic_with(*(f"device {number}" for number in range(31)))
    assert 32 == len(clinic.state.active)
    assert "too_many_devices" == refusal_of(clinic.take, clinic.device_add("one more"))
    clinic.take(clinic.rotate("device 3"))
    assert 32 == len(clinic.state.generation.boxes) + 1
    clinic.take(clinic.device_add("one more"))
    assert 32 == len(clinic.state.active)


def test_the_relay_limits_rotations_by_its_own_clock_and_a_chain_does_not() -> None:
    """A joiner's whole chain stands in a case log at one time: there the same statements must pass."""
    machine = ActingParty("intake", "machine")
    for number in range(8):
        before = machine.state
        machine.take(machine.rotate(), time_ms=START_MS + number)
        expected = "success" if number < 6 else "too_many_rotates"
        assert expected == refusal_of(check_rotation_rate, before, machine.state)
    before = machine.state
    machine.take(machine.rotate(), time_ms=START_MS + 7 + HOUR_MS)
    assert "success" == refusal_of(check_rotation_rate, before, machine.state)
    assert machine.id == read_chain(machine.chain, time_ms=START_MS).id


def test_only_a_rotation_counts_as_one() -> None:
    """A device may be added right after six of them."""
    clinic = ActingParty("clinic", "clinic")
    for _ in range(7):
        clinic.take(clinic.rotate())
    before = clinic.state
    clinic.take(clinic.device_add("desk"))
    assert "success" == refusal_of(check_rotation_rate, before, clinic.state)


def test_the_boxes_that_must_come_along_are_all_that_a_statement_names() -> None:
    """Genesis and rotate: each device's and the way back; device.add: the newcomer's; the rest: none."""
    clinic = clinic_with("desk")
    genesis, added = clinic.chain
    rotated = clinic.take(clinic.rotate())
    step = clinic.state.generation
    assert {box.sha256 for box in clinic.state.generations[0].boxes} == required_boxes(genesis)
    assert {named_hash("box clinic 0 desk")} == required_boxes(added)
    assert {step.back, *(box.sha256 for box in step.boxes)} == required_boxes(rotated)
    assert 3 == len(required_boxes(rotated))
    assert frozenset() == required_boxes(clinic.machines())


@pytest.mark.parametrize(
    ("name", "narrows"),
    [("rotate", True), ("device_role", True), ("machines", True), ("device_add", False), ("door", False)],
)
def test_what_takes_something_away_narrows(name: str, *, narrows: bool) -> None:
    """(chapter 10) Envelopes sealed before such a statement are stale after it."""
    clinic = clinic_with("desk")
    statements = {
        "rotate": clinic.rotate(),
        "device_role": clinic.device_role("desk", role="desk", admin=True),
        "machines": clinic.machines(),
        "device_add": clinic.device_add("phone"),
        "door": clinic.door(seed("door", 16)),
    }
    assert narrows == is_narrowing(statements[name])


def test_a_statement_changes_no_earlier_state() -> None:
    """States share what they have in common, so nobody may write into one."""
    clinic = clinic_with("desk")
    before = clinic.state
    devices, generations = dict(before.devices), before.generations
    clinic.take(clinic.rotate("desk"))
    clinic.take(clinic.door(seed("door", 16)))
    assert (devices, generations, {}) == (before.devices, before.generations, before.doors)
    assert before == extend_party(extend_party(None, clinic.chain[0], time_ms=0), clinic.chain[1], time_ms=0)
