"""The sealed page behind its code, the page of notices, and what every answer has in common."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient

from tests.bridge.pages_site import (
    CLOSED,
    CODE,
    LISTED,
    MESSAGE,
    NOW_MS,
    REVOKED,
    UNKNOWN,
    XRAY,
    House,
    MemoryShelf,
    token_of,
)
from vetrelay.bridge.pages import words
from vetrelay.bridge.pages.counter import SESSION_SECONDS, SUBSCRIBED, UNSUBSCRIBED
from vetrelay.bridge.pages.tries import HOUR_MS, MOST_TRIES
from vetrelay.bridge.store.addresses import Correspondence

Client = TestClient[Any, Any]
PAGE = f"/l/{LISTED.upload_token}"
STOP = f"/n/{LISTED.upload_token}"
FILE = f"{PAGE}/f/{MESSAGE.id}"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A bridge's folder; its pages without TLS, so that a test's browser sends the cookie."""
    made = House(tmp_path, web_url="http://mail.wrenfield.test")
    yield made
    made.close()


@pytest.fixture
async def client(house: House, aiohttp_client: Any) -> Client:
    """A browser that keeps cookies, also of a site that has only a number."""
    made: Client = await aiohttp_client(house.app(), cookie_jar=aiohttp.CookieJar(unsafe=True))
    return made


async def tried(client: Client, code: str, page: str = PAGE) -> int:
    """The status of a try."""
    return (await client.post(page, data={"code": code}, allow_redirects=False)).status


async def text_of(client: Client, page: str = PAGE) -> str:
    """A page as it is read."""
    return unescape(await (await client.get(page)).text())


async def test_before_the_code_nothing_is_shown(client: Client) -> None:
    """The link alone says nothing of the case, not even that there is one."""
    shown = {await text_of(client, page) for page in (PAGE, f"/l/{UNKNOWN}", f"/l/{REVOKED.upload_token}")}
    assert 1 == len(shown)
    assert words.SEALED_TEXT in shown.pop()


@pytest.mark.parametrize("typed", [CODE, f"{CODE[:4]} {CODE[4:]}", f" {CODE[:4]}-{CODE[4:]}\n"])
async def test_the_code_opens_the_page(client: Client, typed: str) -> None:
    """However it is grouped; then the messages stand there as text, newest first."""
    assert 303 == await tried(client, typed)
    page = await text_of(client)
    assert "Dr. Ada <Wren> · veterinarian" in page
    assert MESSAGE.text in page
    assert words.UNREADY.format(count=1) in page
    raw = await (await client.get(PAGE)).text()
    assert "&lt;script&gt;alert(1)" in raw
    assert "<script" not in raw


async def test_the_page_opens_several_times_and_closes_when_asked(client: Client) -> None:
    """A closed page asks for the code again, and opens by it again."""
    for _ in range(3):
        assert 303 == await tried(client, CODE)
        assert MESSAGE.text in await text_of(client)
        assert 303 == (await client.post(f"{PAGE}/close", allow_redirects=False)).status
        assert words.SEALED_TEXT in await text_of(client)


async def test_the_session_ends_by_itself_and_with_the_code(house: House, client: Client) -> None:
    """An hour later, and when staff give a new code, the old session shows nothing."""
    await tried(client, CODE)
    house.addresses.put(replace(LISTED, code="00000001"))
    assert words.SEALED_TEXT in await text_of(client)
    house.addresses.put(LISTED)
    assert MESSAGE.text in await text_of(client)
    house.now_ms = NOW_MS + SESSION_SECONDS * 1000 + 1
    assert words.SEALED_TEXT in await text_of(client)


async def test_a_session_is_of_one_link_and_cannot_be_made_up(house: House, client: Client) -> None:
    """A session of another link, one with a later end, and nonsense are none."""
    other = replace(LISTED, token=token_of("p"), upload_token=token_of("q"))
    house.addresses.put(other)
    answer = await client.post(PAGE, data={"code": CODE}, allow_redirects=False)
    session = answer.cookies["sealed"].value
    until, mac = session.split(".")
    assert await house.desk.sealed_page(LISTED.upload_token, session) is not None
    for link, made in (
        (other.upload_token, session),
        (LISTED.upload_token, f"{int(until) + 1}.{mac}"),
        (LISTED.upload_token, f"{until}.{'a' * 26}"),
        (LISTED.upload_token, ""),
        (LISTED.upload_token, "\0" * 60),
        (REVOKED.upload_token, session),
    ):
        assert await house.desk.sealed_page(link, made) is None


async def test_the_cookie_goes_nowhere_else(tmp_path: Path, aiohttp_client: Any) -> None:
    """No script reads it, no other site brings it, no other page gets it, and only TLS carries it."""
    house = House(tmp_path, web_url="https://clinic.test/mail/")
    client = await aiohttp_client(house.app())
    answer = await client.post(PAGE, data={"code": CODE}, allow_redirects=False)
    cookie = answer.cookies["sealed"]
    assert (True, True, "Strict", f"/mail{PAGE}", f"/mail{PAGE}") == (
        cookie["httponly"], cookie["secure"], cookie["samesite"], cookie["path"], answer.headers["Location"],
    )  # fmt: skip
    house.close()


async def test_five_wrong_codes_an_hour_and_no_more(house: House, client: Client) -> None:
    """Then even the right one waits; a restart changes nothing; an hour later it opens."""
    statuses = [await tried(client, f"{number:08}") for number in range(MOST_TRIES + 1)]
    assert [403] * MOST_TRIES + [429] == statuses
    answer = await client.post(PAGE, data={"code": CODE})
    assert (429, "3600", True) == (
        answer.status,
        answer.headers["Retry-After"],
        "Wait 60 minutes" in await answer.text(),
    )
    again = House(house.folder)
    assert type(await again.desk.check_code(LISTED.upload_token, CODE)).__name__ == "TooMany"
    again.close()
    house.now_ms = NOW_MS + HOUR_MS
    assert 303 == await tried(client, CODE)


async def test_tries_at_the_same_time_are_counted_too(house: House) -> None:
    """Nobody gets more tries by making them together."""
    answers = await asyncio.gather(
        *(house.desk.check_code(LISTED.upload_token, f"{number:08}") for number in range(20))
    )
    kinds = [type(answer).__name__ for answer in answers]
    assert (MOST_TRIES, 20 - MOST_TRIES) == (kinds.count("Wrong"), kinds.count("TooMany"))


async def test_an_unknown_link_answers_as_a_known_one_does(client: Client) -> None:
    """Status, words and headers of every try are the same."""

    async def answers(page: str) -> list[tuple[int, str, dict[str, str]]]:
        found = []
        for number in range(MOST_TRIES + 1):
            answer = await client.post(page, data={"code": f"{number:08}"})
            headers = {name: value for name, value in answer.headers.items() if name != "Date"}
            found.append((answer.status, await answer.text(), headers))
        return found

    assert await answers(PAGE) == await answers(f"/l/{UNKNOWN}")


@pytest.mark.parametrize("code", ["", "4827193", CODE + "0", "٤٨٢٧١٩٣٦", "\ud800", "-" * 8, "x" * 500])
async def test_what_is_no_code_opens_nothing(house: House, code: str) -> None:
    """Neither for a page that is there, nor for one that is not."""
    for link in (LISTED.upload_token, UNKNOWN, "", "\ud800"):
        assert type(await house.desk.check_code(link, code)).__name__ == "Wrong"


async def test_an_empty_page_says_so(tmp_path: Path, aiohttp_client: Any) -> None:
    """After its days a message is gone; the page says what to do."""
    house = House(tmp_path, web_url="http://mail.wrenfield.test", shelf=MemoryShelf(standing=()))
    client = await aiohttp_client(house.app(), cookie_jar=aiohttp.CookieJar(unsafe=True))
    await tried(client, CODE)
    assert words.EMPTY.format(days=14) in await text_of(client)
    house.close()


async def test_a_closed_case_can_still_be_read(house: House, client: Client) -> None:
    """What was told by notice before it closed stands there for its days."""
    house.addresses.put(replace(LISTED, closed=True))
    assert 303 == await tried(client, CODE)
    assert MESSAGE.text in await text_of(client)


# --- files -----------------------------------------------------------------------------------------------------------


async def test_a_file_comes_whole_and_only_to_be_saved(client: Client) -> None:
    """As often as one likes; under a harmless name; nothing in it can run in the page's name."""
    await tried(client, CODE)
    for _ in range(3):
        answer = await client.get(f"{FILE}/0")
        assert XRAY == await answer.read()
    headers = answer.headers
    assert "application/octet-stream" == headers["Content-Type"]
    assert "attachment; filename=\"X-ray gnp.exe\"; filename*=UTF-8''X-ray%20gnp.exe" == headers["Content-Disposition"]
    assert "sandbox" in headers["Content-Security-Policy"]
    second = (await client.get(f"{FILE}/1")).headers["Content-Disposition"]
    assert "attachment; filename=\"R_ntgen _1_.dcm\"; filename*=UTF-8''R%C3%B6ntgen%20_1_.dcm" == second


async def test_a_file_needs_the_code(client: Client) -> None:
    """Its address alone leads to the question for the code."""
    answer = await client.get(f"{FILE}/0", allow_redirects=False)
    assert (303, PAGE, b"") == (answer.status, answer.headers["Location"], await answer.read())


async def test_a_file_that_is_not_there_is_not_found(client: Client) -> None:
    """Neither a number beyond the last nor another message's."""
    await tried(client, CODE)
    found = [(await client.get(f"{PAGE}/f/{path}")).status for path in (f"{MESSAGE.id}/9", "zz/0", f"{MESSAGE.id}/x")]
    assert [404, 404, 404] == found


async def test_a_file_that_cannot_be_fetched_now_says_so(client: Client) -> None:
    """The relay is away: a page with words, not half a file."""
    await tried(client, CODE)
    answer = await client.get(f"{FILE}/2")
    assert (503, True) == (answer.status, words.BROKEN_TEXT in unescape(await answer.text()))


async def test_a_file_that_breaks_in_its_middle_ends_in_a_broken_connection(client: Client) -> None:
    """A browser must not take half an X-ray for a whole one."""
    await tried(client, CODE)
    answer = await client.get(f"{FILE}/3")
    with pytest.raises(aiohttp.ClientError):
        await answer.read()


# --- rows 37 and 38 --------------------------------------------------------------------------------------------------


async def test_row_37_link_scanners_use_nothing_up(house: House, client: Client) -> None:
    """GET and HEAD ten times on every link of a letter, and on what these pages link to: all of it still works."""
    links = [f"/u/{LISTED.upload_token}", PAGE, STOP, "/u", "/", f"{FILE}/0", f"/u/{LISTED.token}"]
    before = house.addresses.by_token(LISTED.token)
    for link in links:
        for method in ("GET", "HEAD"):
            for _ in range(10):
                answer = await client.request(method, link)
                assert answer.status == 200
                assert not answer.cookies
    assert (before, (), ()) == (house.addresses.by_token(LISTED.token), house.events.pending(), house.rows())
    for _ in range(10):
        assert 405 == (await client.get(f"{PAGE}/close")).status
    assert 303 == await tried(client, CODE)
    for _ in range(10):
        assert b"" == await (await client.head(f"{FILE}/0")).read()
    assert XRAY == await (await client.get(f"{FILE}/0")).read()
    answer = await client.post(f"/u/{LISTED.upload_token}/files", headers={"Upload-Length": "1"})
    assert 201 == answer.status


async def test_row_38_one_click_ends_the_notices_and_the_case_is_told(house: House, client: Client) -> None:
    """A mail program posts List-Unsubscribe=One-Click (RFC 8058), without cookies, and asks no more."""
    answer = await client.post(STOP, data=ONE_CLICK)
    assert (200, True) == (answer.status, words.NOTICES_OFF in unescape(await answer.text()))
    now = house.addresses.by_token(LISTED.token)
    assert replace(LISTED, unsubscribed=True) == now
    (event,) = house.events.pending()
    assert (LISTED.case, UNSUBSCRIBED, "clinic.test") == (event.case, event.what, event.domain)
    assert 200 == (await client.post(STOP, data=ONE_CLICK)).status
    assert 1 == len(house.events.pending())


async def test_row_38_one_click_as_multipart_is_understood_too(house: House, client: Client) -> None:
    """RFC 8058 section 3.2 allows both kinds of form."""
    with aiohttp.MultipartWriter("form-data") as body:
        body.append("One-Click").set_content_disposition("form-data", name="List-Unsubscribe")
    assert 200 == (await client.post(STOP, data=body)).status
    now = house.addresses.by_token(LISTED.token)
    assert now is not None
    assert now.unsubscribed


async def test_notices_can_be_had_again(house: House, client: Client) -> None:
    """By the button on the same page; the case is told that too."""
    for value, what in (("stop", words.NOTICES_OFF), ("resume", words.NOTICES_ON), ("stop", words.NOTICES_OFF)):
        house.now_ms += 1
        answer = await client.post(STOP, data={"notices": value})
        assert what in unescape(await answer.text())
    assert [UNSUBSCRIBED, SUBSCRIBED, UNSUBSCRIBED] == [event.what for event in house.events.pending()]


async def test_to_end_notices_takes_back_no_revocation(house: House) -> None:
    """Only this one thing of the row changes."""
    revoke = house.addresses.revoke
    reader = house.desk._reader

    async def revoked_meanwhile(link: str) -> Correspondence | None:
        found = await reader(link)
        revoke(LISTED.token)
        return found

    house.desk._reader = revoked_meanwhile  # type: ignore[method-assign, assignment]  # staff act in this instant
    await house.desk.set_notices(LISTED.upload_token, wanted=False)
    assert replace(LISTED, revoked=True, unsubscribed=True) == house.addresses.by_token(LISTED.token)


@pytest.mark.parametrize("body", [{}, {"List-Unsubscribe": "no"}, {"notices": "x"}])
async def test_a_post_that_asks_for_nothing_changes_nothing(house: House, client: Client, body: dict[str, str]) -> None:
    """The page as it is."""
    answer = await client.post(STOP, data=body)
    assert (200, True) == (answer.status, words.NOTICES_ON in unescape(await answer.text()))
    assert LISTED == house.addresses.by_token(LISTED.token)


# --- all pages -------------------------------------------------------------------------------------------------------

EVERYWHERE = [
    ("GET", "/"), ("GET", "/healthz"), ("GET", "/robots.txt"), ("GET", "/u"), ("POST", "/u"), ("GET", f"/u/{LISTED.upload_token}"),
    ("GET", f"/u/{CLOSED.upload_token}"), ("GET", f"/u/{UNKNOWN}"), ("GET", PAGE), ("POST", PAGE), ("POST", f"{PAGE}/close"),
    ("GET", STOP), ("POST", STOP), ("GET", f"/n/{UNKNOWN}"), ("GET", "/nowhere"), ("DELETE", "/"), ("GET", f"{FILE}/0"),
    ("POST", f"/u/{LISTED.upload_token}/files"), ("OPTIONS", f"/u/{LISTED.upload_token}/files"),
    ("HEAD", f"/u/{LISTED.upload_token}/files/{'q' * 26}"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "address"), EVERYWHERE)
async def test_every_answer_carries_the_guards(client: Client, method: str, address: str) -> None:
    """Nothing is kept, framed, guessed at, told on, found by a search, or fetched from elsewhere."""
    answer = await client.request(method, address, allow_redirects=False)
    headers, policy = answer.headers, answer.headers["Content-Security-Policy"]
    assert ("no-store", "no-referrer", "nosniff", "noindex, nofollow, noarchive") == (
        headers["Cache-Control"], headers["Referrer-Policy"], headers["X-Content-Type-Options"], headers["X-Robots-Tag"],
    )  # fmt: skip
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    text = await answer.text()
    assert [] == re.findall(r"""(?:src|href|action)=["'](?:https?:)?//""", text)
    assert [] == re.findall(r"""\s(?:on\w+|style)=["']""", text)
    assert answer.status < 500


async def test_only_the_upload_page_runs_a_script(client: Client) -> None:
    """And that one is named in its policy by its hash."""
    runs = {
        address: "script-src" in (await client.get(address)).headers["Content-Security-Policy"]
        for address in ("/", "/u", PAGE, STOP, f"/u/{LISTED.upload_token}")
    }
    assert [f"/u/{LISTED.upload_token}"] == [address for address, does in runs.items() if does]


async def test_a_fault_of_ours_says_nothing_of_itself(house: House, client: Client) -> None:
    """No text of an exception reaches a stranger."""

    async def broken(_token: str) -> None:
        raise RuntimeError("secret path")

    house.desk.notices = broken  # type: ignore[method-assign, assignment]  # whatever may break
    answer = await client.get(STOP)
    page = await answer.text()
    assert (500, True, False) == (answer.status, words.BROKEN in page, "secret" in page)


async def test_a_large_body_to_a_small_form_is_refused(client: Client) -> None:
    """Nobody's memory is filled by a code."""
    for address in (PAGE, STOP, "/u"):
        answer = await client.post(address, data={"code": "1" * 200_000})
        assert 413 == answer.status


async def test_behind_a_path_every_link_leads_there(tmp_path: Path, aiohttp_client: Any) -> None:
    """The proxy takes the path away; what we write has it."""
    house = House(tmp_path, web_url="https://clinic.test/mail")
    client = await aiohttp_client(house.app())
    assert 'href="/mail/u"' in await (await client.get("/")).text()
    created = await client.post(f"/u/{LISTED.upload_token}/files", headers={"Upload-Length": "1"})
    assert created.headers["Location"].startswith(f"/mail/u/{LISTED.upload_token}/files/")
    house.close()
