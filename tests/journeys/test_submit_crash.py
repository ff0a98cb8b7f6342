"""kill -9 of the relay at every row of the envelope's crash table: accepted once, or not at all and accepted at the repeat."""

import io
import json
from pathlib import Path

import aiohttp
import pytest

from tests.chains import FIRST
from tests.ends import to_json
from tests.journeys.test_upload_crash import Relay, running
from tests.standing_case import standing_case


async def put(relay: Relay, path: str, request: bytes, bearer: str) -> tuple[int, bytes]:
    """Submit the exact bytes; the status and the answer."""
    headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
    async with relay.session.put(path, data=io.BytesIO(request), headers=headers) as answer:
        return answer.status, await answer.read()


@pytest.mark.parametrize(
    ("place", "status"),
    [("submit.checked", 201), ("submit.written", 201), ("submit.committed", 200)],
    ids=["e1", "e2", "e3"],
)
async def test_a_relay_killed_at_any_row_has_the_envelope_exactly_once(tmp_path: Path, place: str, status: int) -> None:
    """The same bytes again: new where nothing was committed, the stored receipt where it was; and once more, the same."""
    async with standing_case(tmp_path) as here:
        draft = await here.owner.draft(here.case, "message", label="killed")
        signed = here.owner.sign(draft.envelope, kind="envelope")
        request = json.dumps(to_json(draft.request(signed))).encode()
        path = f"/v1/cases/{here.case}/envelopes/{draft.envelope.id}"
        bearer, n = here.owner.bearers[FIRST], await here.n()
    async with running(tmp_path, place) as relay:
        with pytest.raises(aiohttp.ClientError):
            await put(relay, path, request, bearer)
        assert await relay.killed()
    async with running(tmp_path) as relay:
        first = await put(relay, path, request, bearer)
        again = await put(relay, path, request, bearer)
        head = await relay.session.get(f"/v1/cases/{here.case}/log", headers={"Authorization": f"Bearer {bearer}"})
        links = (await head.json())["links"]
    assert (status, 200) == (first[0], again[0])
    assert first[1] == again[1]
    assert n + 1 == len(links) * 3 // 4 // 41
