"""What the process remembers: bounded, never older than it was, and nothing of a revoked device."""

from vetrelay.relay.storage.memory import Memory, Recent
from vetrelay.relay.tables import AskingDevice


def test_what_was_not_used_for_longest_is_forgotten() -> None:
    """Asking for something keeps it."""
    recent: Recent[str, int] = Recent(2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert 1 == recent.get("a")
    recent.put("c", 3)
    assert (1, None, 3) == (recent.get("a"), recent.get("b"), recent.get("c"))


def test_a_late_reader_does_not_turn_the_memory_back() -> None:
    """A read that began before a commit may end after it."""
    recent: Recent[str, int] = Recent(2)
    recent.put("a", 5)
    recent.put_newer("a", 4, order=lambda value: value)
    assert 5 == recent.get("a")
    recent.put_newer("a", 6, order=lambda value: value)
    assert 6 == recent.get("a")


def test_a_revoked_device_is_forgotten_for_good() -> None:
    """A reader that looked before the revocation may remember the bearer after it: it counts no more."""
    memory = Memory("relay")
    memory.bearers.put("bearer", (AskingDevice(device="device", party="party"), 9))
    memory.end(frozenset({"device"}))
    assert memory.bearer("bearer") is None
    memory.bearers.put("bearer", (AskingDevice(device="device", party="party"), 9))
    assert memory.bearer("bearer") is None


def test_forgetting_cases_keeps_the_sessions() -> None:
    """After a transaction went wrong only what new rows are computed from is in doubt."""
    memory = Memory("relay")
    memory.last_seqs.put("device", 3)
    memory.bearers.put("bearer", (AskingDevice(device="device", party="party"), 9))
    memory.forget_cases()
    assert memory.last_seqs.get("device") is None
    assert memory.bearer("bearer") is not None
