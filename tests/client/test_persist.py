"""Steps that wait for the relay."""

import pytest

from vetrelay.client.persist import may_pass, persist
from vetrelay.errors import Fault, Refusal


class Relay:
    """Answers with each of these in turn, then with "done"."""

    def __init__(self, *answers: Fault | Refusal) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def ask(self) -> str:
        """One try."""
        self.asked += 1
        if self.answers:
            raise self.answers.pop(0)
        return "done"


async def test_a_step_is_tried_until_the_relay_is_there() -> None:
    """Away, then busy, then there."""
    relay = Relay(Fault("unreachable"), Refusal("too_fast"))
    assert ("done", 3) == (await persist(relay.ask), relay.asked)


async def test_a_refusal_that_stands_is_not_repeated() -> None:
    """It is the caller's to end the job with it."""
    relay = Relay(Refusal("not_a_member"))
    with pytest.raises(Refusal, match="not_a_member"):
        await persist(relay.ask)
    assert 1 == relay.asked


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Fault("storage_full"), True),
        (Refusal("too_fast"), True),
        (Refusal("head_stale"), True),
        (Refusal("newer_version"), True),
        (Refusal("verdict_stands"), False),
        (Refusal("log_forked"), False),
    ],
)
def test_what_may_pass_is_waited_for(error: Fault | Refusal, *, expected: bool) -> None:
    """Faults, and what somebody sets right; never a rule that said no for good."""
    assert expected == may_pass(error)
