"""Files that come by a link: in pieces, by a plain form, after cuts and restarts, and within their limits."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient

from tests.bridge.pages_site import CLOSED, DOMAIN, LISTED, REVOKED, UNKNOWN, House
from tests.node import JS
from vetrelay.bridge.addressing import case_address
from vetrelay.bridge.pages import words
from vetrelay.bridge.pages.desk import Wrong
from vetrelay.bridge.pages.tries import MOST_TRIES
from vetrelay.bridge.pages.upload_table import LIFE_MS, MOST_OPEN
from vetrelay.bridge.ports import ArrivalState
from vetrelay.bridge.receiving.smtp_replies import too_large
from vetrelay.config import BridgeLimits
from vetrelay.errors import Refusal

Client = TestClient[Any, Any]
PLACE = f"/u/{LISTED.upload_token}"
FILM = bytes(range(251)) * 4000  # 1.0 MB, and no piece of it like another's beginning
CHUNK = {"Content-Type": "application/offset+octet-stream", "Tus-Resumable": "1.0.0"}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A bridge's folder."""
    made = House(tmp_path)
    yield made
    made.close()


@pytest.fixture
async def client(house: House, aiohttp_client: Any) -> Client:
    """A browser, as far as requests go."""
    made: Client = await aiohttp_client(house.app())
    return made


async def create(client: Client, size_bytes: int, name: str = "film.mp4", place: str = PLACE) -> ClientResponse:
    """Asks for a new upload."""
    metadata = f"filename {b64encode(name.encode('utf-8', 'surrogatepass')).decode()}"
    return await client.post(f"{place}/files", headers={"Upload-Length": str(size_bytes), "Upload-Metadata": metadata})


async def created(client: Client, size_bytes: int, name: str = "film.mp4", place: str = PLACE) -> str:
    """A new upload's address."""
    answer = await create(client, size_bytes, name, place)
    assert 201 == answer.status, await answer.text()
    return answer.headers["Location"]


async def patch(client: Client, url: str, offset: int, content: object) -> ClientResponse:
    """Sends a piece."""
    return await client.patch(url, data=content, headers={**CHUNK, "Upload-Offset": str(offset)})


async def sent(client: Client, content: bytes, name: str = "film.mp4", place: str = PLACE) -> str:
    """Sends a file whole; its number."""
    answer = await patch(client, await created(client, len(content), name, place), 0, content)
    assert 204 == answer.status, await answer.text()
    return answer.headers["Upload-Number"]


async def offset(client: Client, url: str) -> int:
    """How far an upload is."""
    answer = await client.head(url)
    assert 200 == answer.status
    return int(answer.headers["Upload-Offset"])


async def cut_off(client: Client, head: str, content: bytes) -> None:
    """Sends a request whose connection breaks after this much of its body."""
    _, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(f"{head}\r\nHost: x\r\nContent-Length: {10**7}\r\n\r\n".encode() + content)
    await writer.drain()
    await asyncio.sleep(0.2)  # until the server has read it; what comes after a reset is dropped
    writer.transport.abort()


async def test_a_file_in_pieces_is_accepted_whole(house: House, client: Client) -> None:
    """Its pieces become one file of the spool, its row says whose it is, and nothing else stays."""
    url = await created(client, len(FILM))
    for at in range(0, len(FILM), 300_000):
        answer = await patch(client, url, at, FILM[at : at + 300_000])
        assert 204 == answer.status
    (row,) = house.rows()
    assert {"film.mp4": FILM} == house.arrived()
    assert (LISTED.case, LISTED.token, "upload", ArrivalState.RECEIVED, "vet@clinic.test", len(FILM)) == (
        row.case, row.token, row.kind, row.state, row.mail_from, row.size_bytes,
    )  # fmt: skip
    assert row.id[:8].upper() == answer.headers["Upload-Number"]
    assert (1, 1) == (house.spooled(), house.woken)
    assert frozenset() == house.desk.spools()


async def test_the_answer_to_the_last_piece_can_be_asked_for_again(house: House, client: Client) -> None:
    """Whoever did not hear "received" learns it by HEAD, and by the last piece sent empty; nothing is received twice."""
    url = await created(client, 10)
    number = (await patch(client, url, 0, b"0123456789")).headers["Upload-Number"]
    looked = await client.head(url)
    again = await patch(client, url, 10, b"")
    assert (number, number) == (looked.headers["Upload-Number"], again.headers["Upload-Number"])
    assert 1 == len(house.rows())


async def test_what_came_before_a_cut_is_kept_over_a_restart(tmp_path: Path, aiohttp_client: Any) -> None:
    """The connection breaks in the middle of a piece, the bridge restarts, and the upload goes on from there."""
    before = House(tmp_path)
    client = await aiohttp_client(before.app())
    url = await created(client, len(FILM))
    kind = f"Content-Type: {CHUNK['Content-Type']}"
    await cut_off(client, f"PATCH {url} HTTP/1.1\r\n{kind}\r\nUpload-Offset: 0", FILM[:400_000])
    for _ in range(100):  # the server hears of the cut when it does
        if (at := await offset(client, url)) > 0:
            break
        await asyncio.sleep(0.05)
    await client.close()
    before.spool.sweep(before.arrivals.spools() | before.desk.spools(), older_than_seconds=0)
    before.close()
    after = House(tmp_path)
    client = await aiohttp_client(after.app())
    assert (400_000, 400_000) == (at, await offset(client, url))
    assert 204 == (await patch(client, url, at, FILM[at:])).status
    assert {"film.mp4": FILM} == after.arrived()
    after.close()


async def test_an_upload_that_a_crash_left_whole_is_accepted_at_the_start(tmp_path: Path, aiohttp_client: Any) -> None:
    """All bytes were durable, the row was not: the next start makes it, and the person's browser finds its number."""
    before = House(tmp_path)
    client = await aiohttp_client(before.app())
    url = await created(client, len(FILM))
    await patch(client, url, 0, FILM[:500_000])

    def crash(*_: object, **__: object) -> None:
        raise SystemError

    before.desk._uploads._accept = crash  # type: ignore[method-assign]  # a crash at this point
    answer = await patch(client, url, 500_000, FILM[500_000:])
    assert (500, len(FILM)) == (answer.status, await offset(client, url))
    assert () == before.rows()
    before.close()
    after = House(tmp_path)
    await after.desk.recover()
    assert {"film.mp4": FILM} == after.arrived()
    client = await aiohttp_client(after.app())
    assert after.rows()[0].id[:8].upper() == (await client.head(url)).headers["Upload-Number"]
    after.close()


async def test_the_same_file_sent_again_keeps_its_number(house: House, client: Client) -> None:
    """A person who is not sure sends twice; the case gets it once."""
    numbers = {await sent(client, FILM), await sent(client, FILM)}
    assert (1, 1, 1) == (len(numbers), len(house.rows()), house.spooled())
    assert numbers.isdisjoint({await sent(client, FILM, "other.mp4"), await sent(client, FILM[1:])})
    assert 3 == len(house.rows())


async def test_of_two_requests_with_the_same_bytes_one_counts(house: House, client: Client) -> None:
    """Two tabs send the same upload; it is whole once, and right."""
    url = await created(client, len(FILM))
    answers = await asyncio.gather(*(patch(client, url, 0, FILM) for _ in range(3)))
    assert 1 <= sorted(answer.status for answer in answers).count(204)
    assert {204, 409} >= {answer.status for answer in answers}
    assert {"film.mp4": FILM} == house.arrived()
    assert 1 == house.spooled()


async def test_postgresql_counts_and_keeps_as_sqlite_does(postgres: str, tmp_path: Path, aiohttp_client: Any) -> None:
    """Uploads in pieces, three senders of the same bytes, and codes that are tried together."""
    house = House(tmp_path, database=postgres)
    client = await aiohttp_client(house.app())
    url = await created(client, len(FILM))
    await patch(client, url, 0, FILM[:300_000])
    answers = await asyncio.gather(*(patch(client, url, 300_000, FILM[300_000:]) for _ in range(3)))
    assert 204 in {answer.status for answer in answers}
    assert ({"film.mp4": FILM}, 1) == (house.arrived(), house.spooled())
    link = LISTED.upload_token
    tries = await asyncio.gather(*(house.desk.check_code(link, "0") for _ in range(MOST_TRIES + 5)))
    assert MOST_TRIES == sum(isinstance(answer, Wrong) for answer in tries)
    assert await house.desk.set_notices(link, wanted=False) == await house.desk.notices(link)
    house.close()


async def test_an_upload_whose_case_closed_after_a_crash_is_not_accepted(house: House, client: Client) -> None:
    """The next start asks again whether the place is open."""
    url = await created(client, len(FILM))

    def crash(*_: object, **__: object) -> None:
        raise SystemError

    house.desk._uploads._accept = crash  # type: ignore[method-assign]  # a crash at this point
    assert 500 == (await patch(client, url, 0, FILM)).status
    house.addresses.put(replace(LISTED, closed=True))
    await house.desk.recover()
    assert () == house.rows()


async def test_an_empty_file_arrives_too(house: House, client: Client) -> None:
    """It is for the file check to say what is wrong with it."""
    await sent(client, b"", "empty.pdf")
    assert {"empty.pdf": b""} == house.arrived()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upload-Length": "-1"}, 400),
        ({"Upload-Length": "9" * 40}, 400),
        ({"Upload-Length": "１２"}, 400),
        ({}, 400),
        ({"Upload-Length": "5", "Upload-Metadata": "filename %%%"}, 400),
        ({"Upload-Length": "5", "Tus-Resumable": "0.2.2"}, 400),
        ({"Upload-Length": str(10**10)}, 413),
    ],
)
async def test_what_is_no_upload_is_refused_in_words(client: Client, headers: dict[str, str], status: int) -> None:
    """The script shows what comes back, so it is a sentence."""
    answer = await client.post(f"{PLACE}/files", headers=headers)
    assert status == answer.status
    assert "text/plain" == answer.content_type
    assert (await answer.text()).endswith(".")


async def test_a_piece_at_the_wrong_place_is_refused(house: House, client: Client) -> None:
    """Neither a gap nor an overlap nor more than was announced gets in."""
    url = await created(client, 200_000)
    assert 204 == (await patch(client, url, 0, bytes(100_000))).status
    assert [409, 409, 400, 400] == [
        (await patch(client, url, 0, bytes(10))).status,
        (await patch(client, url, 150_000, bytes(10))).status,
        (await patch(client, url, 100_000, bytes(100_001))).status,
        (await client.patch(url, data=b"x", headers={"Upload-Offset": "100000"})).status,
    ]
    assert 100_000 == await offset(client, url)
    assert 1 == house.spooled()


async def test_tiny_pieces_are_not_kept(house: House, client: Client) -> None:
    """Two gigabytes in pieces of one byte would be two milliards of files."""
    url = await created(client, 200_000)
    assert 400 == (await patch(client, url, 0, b"x")).status
    assert (0, 0) == (await offset(client, url), house.spooled())


async def test_an_unmodified_tus_client_can_upload(house: House, client: Client, node: Path, tmp_path: Path) -> None:
    """Whoever has a tus client of their own needs no browser: tus-js-client goes through as it comes."""
    (tmp_path / "film.mp4").write_bytes(FILM)
    asked = {
        "url": str(client.make_url(f"{PLACE}/files")), "headers": {}, "file": str(tmp_path / "film.mp4"),
        "metadata": {"filename": "Röntgen.mp4"}, "retryDelays": [], "chunkSize": 300_000,
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        node, JS / "tus_upload.mjs", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate(json.dumps(asked).encode())
    last = json.loads(said.splitlines()[-1])
    assert ("success", 5) == (last["event"], len(last["requests"])), last
    assert {"Röntgen.mp4": FILM} == house.arrived()


async def test_an_upload_belongs_to_its_link(client: Client, house: House) -> None:
    """With another link, even of the same case, it is not there."""
    name = (await created(client, 10)).rpartition("/")[2]
    for token in (LISTED.token, CLOSED.upload_token, UNKNOWN):
        assert 404 == (await client.head(f"/u/{token}/files/{name}")).status
    assert 200 == (await client.head(f"{PLACE}/files/{name}")).status


async def test_a_person_can_change_their_mind(house: House, client: Client) -> None:
    """What was not accepted is gone; what was, is not theirs to take back."""
    url = await created(client, len(FILM))
    await patch(client, url, 0, FILM[:200_000])
    assert [204, 404] == [(await client.delete(url)).status, (await client.head(url)).status]
    assert 0 == house.spooled()
    done = await created(client, 3)
    await patch(client, done, 0, b"abc")
    assert 404 == (await client.delete(done)).status
    assert {"film.mp4": b"abc"} == house.arrived()


async def test_too_many_at_once_are_refused_and_abandoned_ones_make_room(house: House, client: Client) -> None:
    """A link has so many uploads under way; one that never began gives way after a while."""
    for _ in range(MOST_OPEN):
        await created(client, 10)
    full = await create(client, 10)
    assert (507, words.REFUSED["place_full"]) == (full.status, await full.text())
    house.now_ms += 11 * 60 * 1000
    assert 201 == (await create(client, 10)).status


async def test_uploads_leave_room_for_letters(tmp_path: Path, aiohttp_client: Any) -> None:
    """A quarter of the spool is never given to uploads; a full disk takes none."""
    small = House(tmp_path, limits=BridgeLimits(spool_bytes=1_000_000, min_free_percent=0))
    client = await aiohttp_client(small.app())
    assert [201, 507] == [(await create(client, size)).status for size in (300_000, 400_000)]
    small.close()
    full = House(tmp_path, limits=BridgeLimits(min_free_percent=90))
    full.spool.free_share = lambda: 0.5  # type: ignore[method-assign]  # a disk that is half full
    client = await aiohttp_client(full.app())
    assert 507 == (await create(client, 10)).status
    full.close()


async def test_an_upload_past_its_time_is_given_up(house: House, client: Client) -> None:
    """A week later its pieces are gone, and so is its address."""
    url = await created(client, len(FILM))
    await patch(client, url, 0, FILM[:200_000])
    house.now_ms += LIFE_MS + 1
    await house.desk.recover()
    assert (404, 0) == ((await client.head(url)).status, house.spooled())


async def test_a_damaged_piece_begins_the_upload_anew(house: House, client: Client) -> None:
    """What was never acknowledged as a whole may be asked for again; nothing wrong is accepted."""
    url = await created(client, len(FILM))
    await patch(client, url, 0, FILM[:200_000])
    (piece,) = (house.folder / "spool" / "new").iterdir()
    piece.write_bytes(piece.read_bytes()[:-1] + b"\0")
    assert [404, 404] == [(await patch(client, url, 200_000, FILM[200_000:])).status, (await client.head(url)).status]
    assert (0, ()) == (house.spooled(), house.rows())


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\scans\\x.dcm", "x.dcm"),
        ("a\0b\r\nc.pdf", "abc.pdf"),
        ("photo\u202egnp.exe", "photognp.exe"),
        ("n" * 300 + ".pdf", "n" * 120 + ".pdf"),
        ("Röntgen Bär.jpg", "Röntgen Bär.jpg"),
        ("con.txt", "_con.txt"),
        ("", "file"),
    ],
)
async def test_a_hostile_name_becomes_a_harmless_one(house: House, client: Client, name: str, kept: str) -> None:
    """A name is a stranger's text: it names no folder, hides nothing, and is never too long."""
    await sent(client, b"x", name)
    assert [kept] == [row.name for row in house.rows()]


# --- the page and its plain form -------------------------------------------------------------------------------------


def form(*files: tuple[str, bytes], **fields: str) -> aiohttp.FormData:
    """A browser's form."""
    made = aiohttp.FormData()
    for name, content in files:
        made.add_field("file", content, filename=name, content_type="application/octet-stream")
    for key, text in fields.items():
        made.add_field(key, text)
    return made


async def test_a_plain_form_takes_several_files_and_a_note(house: House, client: Client) -> None:
    """Without scripts each file is accepted by itself, and the note is a file of its own."""
    answer = await client.post(
        PLACE, data=form(("a.pdf", b"A"), ("b.dcm", FILM), name="Dr. Wren", note="Two films.\r\n")
    )
    page = await answer.text()
    assert 200 == answer.status
    assert {
        "a.pdf": b"A",
        "b.dcm": FILM,
        "Note.txt": b"From (as they wrote it): Dr. Wren\n\nTwo films.\n",
    } == house.arrived()
    for row in house.rows():
        assert f"Received. Number {row.id[:8].upper()}" in page


async def test_a_form_without_anything_says_so(house: House, client: Client) -> None:
    """An empty field for files is not a file, and a name alone is nothing to keep."""
    answer = await client.post(PLACE, data=form(("", b""), name="Dr. Wren", note=" "))
    assert (422, True, ()) == (answer.status, words.NOTHING_CHOSEN in await answer.text(), house.rows())


async def test_a_file_of_a_form_that_is_too_big_is_named(tmp_path: Path, aiohttp_client: Any) -> None:
    """The others are accepted; the page says which was not, and why."""
    house = House(tmp_path, limits=BridgeLimits(upload_bytes=100_000, min_free_percent=0))
    client = await aiohttp_client(house.app())
    answer = await client.post(PLACE, data=form(("big.mp4", bytes(150_000)), ("small.pdf", b"S")))
    page = await answer.text()
    assert (422, {"small.pdf": b"S"}) == (answer.status, house.arrived())
    assert "This file is too big: 100 kB is the most." in page
    assert (words.RECEIVED_PAGE in page, 1) == (True, house.spooled())
    house.close()


async def test_a_form_that_is_cut_leaves_only_whole_files(house: House, client: Client) -> None:
    """Half a file is no file."""
    boundary = "b0undary"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{{}}"\r\n\r\n'
    content = head.format("whole.pdf").encode() + b"W\r\n" + head.format("half.mp4").encode() + FILM
    kind = f"Content-Type: multipart/form-data; boundary={boundary}"
    await cut_off(client, f"POST {PLACE} HTTP/1.1\r\n{kind}", content)
    for _ in range(100):
        if house.spooled() == 1:
            break
        await asyncio.sleep(0.05)
    assert ({"whole.pdf": b"W"}, 1) == (house.arrived(), house.spooled())


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"no boundary at all"),
        (
            "multipart/form-data; boundary=b",
            b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c--\r\n--b--\r\n",
        ),
        ("application/json", b"{}"),
        ("multipart/form-data; boundary=" + "b" * 200, b"--b"),
    ],
)
async def test_a_body_that_is_no_form_is_refused(house: House, client: Client, kind: str, body: bytes) -> None:
    """In words, and with nothing kept."""
    answer = await client.post(PLACE, data=body, headers={"Content-Type": kind})
    assert answer.status in {400, 422}
    assert ((), 0) == (house.rows(), house.spooled())


async def test_the_page_of_a_closed_or_revoked_case_says_so(house: House, client: Client) -> None:
    """And it takes nothing, by whichever way."""
    for one in (CLOSED, REVOKED):
        place = f"/u/{one.upload_token}"
        answer = await client.get(place)
        assert (410, True) == (answer.status, words.UPLOAD_CLOSED in await answer.text())
        assert 410 == (await client.post(place, data=form(("a.pdf", b"A")))).status
        assert 403 == (await create(client, 10, place=place)).status
    assert ((), 0) == (house.rows(), house.spooled())


async def test_a_case_that_closes_meanwhile_takes_no_last_piece(house: House, client: Client) -> None:
    """What was begun before it closed is not accepted after."""
    url = await created(client, len(FILM))
    await patch(client, url, 0, FILM[:200_000])
    house.addresses.put(replace(LISTED, revoked=True))
    assert 403 == (await patch(client, url, 200_000, FILM[200_000:])).status
    await house.desk.recover()
    assert () == house.rows()


@pytest.mark.parametrize("token", [UNKNOWN, "short", "..%2f" * 5, "A" * 26, "t%00" + "t" * 22, "t" * 27])
async def test_an_unknown_link_leads_to_one_friendly_page(client: Client, token: str) -> None:
    """The same for every wrong token."""
    answer = await client.get(f"/u/{token}")
    assert (404, True) == (answer.status, words.NOT_FOUND_TEXT in await answer.text())


# --- row 36 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    [
        case_address(LISTED.token, DOMAIN),
        case_address(LISTED.token, DOMAIN).replace("+", "-").upper(),
        f" <{case_address(LISTED.token, DOMAIN)}> ",
    ],
)
async def test_row_36_the_address_in_the_552_leads_into_the_same_case_where_it_waits(
    house: House, client: Client, typed: str
) -> None:
    """The sender's own server shows them `…/u`; there they name the address they wrote to, and staff look first."""
    reply = too_large(house.limits.letter_bytes, house.web_url)
    url = reply.text.split(" at ")[1]
    assert f"{house.web_url}/u" == url
    answer = await client.post(url.removeprefix(house.web_url), data={"address": typed}, allow_redirects=False)
    assert 303 == answer.status
    place = answer.headers["Location"]
    page = await (await client.get(place)).text()
    assert words.UPLOAD_WAITS in page
    assert LISTED.upload_token not in page
    await sent(client, FILM, "x-ray.dcm", place)
    await client.post(place, data=form(("y.pdf", b"Y")))
    assert {} == house.arrived()
    assert {"x-ray.dcm": FILM, "y.pdf": b"Y"} == house.arrived(ArrivalState.WAITING)
    assert {LISTED.case} == {row.case for row in house.arrivals.in_state(ArrivalState.WAITING)}


async def test_row_36_by_the_link_in_a_letter_it_goes_into_the_case(house: House, client: Client) -> None:
    """The link that we wrote to a listed correspondent is taken as theirs."""
    await sent(client, FILM, "x-ray.dcm")
    assert {"x-ray.dcm": FILM} == house.arrived(ArrivalState.RECEIVED)


@pytest.mark.parametrize(
    "typed",
    ["", "case+" + "y" * 26 + "@" + DOMAIN, f"case+{LISTED.token}@elsewhere.test", f"records@{DOMAIN}", "\0<script>",
     f"case+{LISTED.upload_token}@{DOMAIN}"],
)  # fmt: skip
async def test_an_address_that_is_none_is_asked_for_again(client: Client, typed: str) -> None:
    """The same words for every wrong one; what was typed stands there, harmless."""
    answer = await client.post("/u", data={"address": typed}, allow_redirects=False)
    page = await answer.text()
    assert (422, True, False) == (
        answer.status,
        words.ADDRESS_UNKNOWN in page,
        "<script>" in page.partition("<main>")[2],
    )


async def test_a_refusal_of_uploads_is_the_desks_own(house: House) -> None:
    """The desk says the same to whoever asks it without a page between."""
    place = await house.desk.place(LISTED.upload_token)
    assert place is not None
    with pytest.raises(Refusal) as refused:
        await house.desk.look(place, "q" * 26)
    assert "upload_unknown" == refused.value.code
