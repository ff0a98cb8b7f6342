"""Problem documents: every error has one, with a code, a sentence, and nothing that was inside."""

import json
from pathlib import Path

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request

from tests.ends import world_at
from vetrelay.errors import SENTENCES, Fault, Refusal
from vetrelay.relay.http.problems import STATUS, answer_problems, problem_response, status_of
from vetrelay.telemetry import set_up_logs


def told(error: Refusal | Fault) -> dict[str, object]:
    """The document of an error."""
    body = problem_response(error).body
    assert isinstance(body, bytes)
    document: dict[str, object] = json.loads(body)
    return document


def test_a_problem_says_code_sentence_and_public_facts() -> None:
    """RFC 9457, with the stable code that programs decide by."""
    document = told(Refusal("roster_moved", after=7))
    assert {"code": "roster_moved", "status": 409, "title": "Conflict", "after": 7}.items() <= document.items()
    assert SENTENCES["roster_moved"] == document["detail"]


def test_no_fact_takes_the_place_of_what_the_document_says_itself() -> None:
    """A fact named like a field of the document does not hide it."""
    assert "too_fast" == told(Refusal("too_fast", status=200, title="fine"))["code"]
    assert 429 == told(Refusal("too_fast", status=200))["status"]


def test_every_code_of_the_table_has_a_sentence() -> None:
    """A status for a code that nobody can raise would mislead."""
    assert set() == STATUS.keys() - SENTENCES.keys()


def test_a_code_without_a_status_is_422_for_them_and_500_for_us() -> None:
    """Understood, and against a rule; or ours."""
    assert 422 == status_of(Refusal("bad_recipients"))
    assert 500 == status_of(Fault("bad_recipients"))


@pytest.mark.parametrize(
    ("error", "seconds"), [(Refusal("too_fast", retry_after_seconds=7), "7"), (Fault("busy"), "1")]
)
def test_whoever_should_come_again_is_told_when(error: Refusal | Fault, seconds: str) -> None:
    """Retry-After is what clients that nobody changes go by."""
    assert seconds == problem_response(error).headers["Retry-After"]


def test_whoever_is_not_signed_in_is_told_how() -> None:
    """A 401 names its scheme."""
    assert "Bearer" == problem_response(Refusal("no_session")).headers["WWW-Authenticate"]


async def test_an_unexpected_error_tells_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Not in the answer, not in the log: its text may quote what it choked on."""

    async def broken(_request: web.Request) -> web.Response:
        raise ValueError("the secret that was inside")

    set_up_logs(as_json=True)
    response = await answer_problems(make_mocked_request("GET", "/"), broken)
    structlog.reset_defaults()
    assert isinstance(response, web.Response)
    assert isinstance(response.body, bytes)
    assert (500, "internal") == (response.status, json.loads(response.body)["code"])
    assert b"secret" not in response.body
    logged = capsys.readouterr().err
    assert "secret" not in logged
    assert __name__ in json.loads(logged)["where"]


async def test_an_address_that_is_none_and_a_method_that_is_none(tmp_path: Path) -> None:
    """The framework's own errors are problems too."""
    async with world_at(tmp_path) as world:
        replies = [
            await world.call("GET", "/nothing"),
            await world.call("DELETE", "/v1/relay"),
            await world.call("GET", "/v1/cases/short/log"),
        ]
    assert [(404, "not_found"), (405, "wrong_method"), (401, "no_session")] == [(r.status, r.code) for r in replies]
    assert {"application/problem+json"} == {reply.headers["Content-Type"] for reply in replies}


async def test_a_head_that_is_too_long_is_refused_without_a_trace() -> None:
    """What does not even parse is answered by the framework, and says nothing of us."""

    async def fine(_request: web.Request) -> web.Response:
        return web.Response()

    app = web.Application(middlewares=[answer_problems])
    app.router.add_get("/", fine)
    async with TestClient(TestServer(app)) as client, client.get("/", headers={"X": "y" * 20_000}) as response:
        answer = await response.text()
    assert 400 == response.status
    assert "vetrelay" not in answer
