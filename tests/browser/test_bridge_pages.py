"""The bridge's pages in a real browser: uploads over bad connections, without scripts, by keyboard, and for every eye."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.async_api import Browser, Page, expect

from tests.bridge.pages_site import CLOSED, CODE, LISTED, MESSAGE, XRAY, House, MemoryShelf, token_of
from tests.browser.chromium import NARROW, WIDE, Served, chromium, faults_by_axe, overflow_px, page_of, small_targets
from vetrelay.bridge.pages import words

PLACE = f"/u/{LISTED.upload_token}"
PAGE = f"/l/{LISTED.upload_token}"
EMPTY = replace(LISTED, token=token_of("e"), upload_token=token_of("f"))
MB = 1000 * 1000


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[Served, House]]:
    """The pages, at a port."""
    (tmp_path / "bridge").mkdir()
    place = Served()
    house = House(tmp_path / "bridge", web_url=place.url)
    house.addresses.put(EMPTY)
    await place.start(house.app())
    yield place, house
    await place.stop()
    house.close()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """The machine's Chromium."""
    async with chromium() as running:
        yield running


def film(folder: Path, name: str = "film.mp4", size_bytes: int = 20 * MB) -> Path:
    """A large file no part of which is like another."""
    path = folder / name
    block = hashlib.shake_256(name.encode()).digest(MB)
    path.write_bytes(b"".join(number.to_bytes(4, "big") + block[4:] for number in range(size_bytes // MB)))
    return path


async def test_row_36_a_large_upload_survives_the_bridge_going_away(
    served: tuple[Served, House], browser: Browser, tmp_path: Path
) -> None:
    """20 MB; in the middle of a piece the server dies; the page says so, goes on where it stopped, and is done."""
    place, house = served
    path = film(tmp_path)
    reached = asyncio.Event()
    append = house.desk.append
    taken: list[int] = []

    async def hanging(place_: Any, upload: str, *, offset_bytes: int, pieces: AsyncIterator[bytes]) -> Any:
        if offset_bytes > 6 * MB:
            reached.set()
            await asyncio.Event().wait()
        taken.append(offset_bytes)
        return await append(place_, upload, offset_bytes=offset_bytes, pieces=pieces)

    house.desk.append = hanging  # type: ignore[method-assign, assignment]  # it stops answering
    async with page_of(browser) as page:
        await page.goto(place.url + PLACE)
        await page.set_input_files("#files", path)
        await page.get_by_role("button", name=words.SEND, exact=True).click()
        await asyncio.wait_for(reached.wait(), 60)
        await place.stop()
        house.close()
        await expect(page.locator("#list li")).to_contain_text("The connection broke at")
        again = House(house.folder, web_url=place.url)
        again.desk.append = _counted(again.desk.append, taken)  # type: ignore[method-assign]  # to see where it goes on
        await place.start(again.app())
        await expect(page.locator("#list li")).to_contain_text("Received. Number", timeout=60_000)
        await expect(page.get_by_role("status")).to_contain_text("Everything was received")
        assert {"film.mp4": path.read_bytes()} == again.arrived()
        assert again.rows()[0].id[:8].upper() in await page.locator("#list li").inner_text()
        assert sorted(set(taken)) == taken  # no byte was asked for twice
        assert 0 == await page.evaluate("() => localStorage.length")
        again.close()


def _counted(append: Any, taken: list[int]) -> Any:
    async def counted(place: Any, upload: str, *, offset_bytes: int, pieces: AsyncIterator[bytes]) -> Any:
        taken.append(offset_bytes)
        return await append(place, upload, offset_bytes=offset_bytes, pieces=pieces)

    return counted


async def test_an_upload_goes_on_after_a_reload(served: tuple[Served, House], browser: Browser, tmp_path: Path) -> None:
    """The tab was closed in the middle; the page names the file, and chosen again it goes on where it stopped."""
    place, house = served
    path = film(tmp_path)
    append = house.desk.append
    stops, taken = asyncio.Event(), []

    async def stopping(place_: Any, upload: str, *, offset_bytes: int, pieces: AsyncIterator[bytes]) -> Any:
        if offset_bytes > 3 * MB and not stops.is_set():
            stops.set()
            await asyncio.sleep(60)
        taken.append(offset_bytes)
        return await append(place_, upload, offset_bytes=offset_bytes, pieces=pieces)

    house.desk.append = stopping  # type: ignore[method-assign, assignment]  # so that the reload comes in the middle
    async with page_of(browser) as page:
        page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
        await page.goto(place.url + PLACE)
        await page.set_input_files("#files", path)
        await page.get_by_role("button", name=words.SEND, exact=True).click()
        await asyncio.wait_for(stops.wait(), 60)
        await page.reload()
        await expect(page.locator("#unfinished")).to_contain_text("film.mp4")
        await page.set_input_files("#files", path)
        await page.get_by_role("button", name=words.SEND, exact=True).click()
        await expect(page.locator("#list li")).to_contain_text("Received. Number", timeout=60_000)
        assert {"film.mp4": path.read_bytes()} == house.arrived()
        assert 1 == taken.count(0)


async def test_offline_is_said_and_ends_by_itself(
    served: tuple[Served, House], browser: Browser, tmp_path: Path
) -> None:
    """No connection: the page says so in words, and sends when there is one."""
    place, house = served
    async with page_of(browser) as page:
        await page.goto(place.url + PLACE)
        await page.set_input_files("#files", film(tmp_path, size_bytes=2 * MB))
        await page.context.set_offline(True)
        await page.get_by_role("button", name=words.SEND, exact=True).click()
        await expect(page.get_by_role("status")).to_contain_text("No connection")
        await expect(page.locator("#list li")).to_contain_text("No connection")
        await page.context.set_offline(False)
        await expect(page.locator("#list li")).to_contain_text("Received. Number")
        assert {"film.mp4"} == house.arrived().keys()


async def test_several_files_and_a_note_by_keyboard_alone(
    served: tuple[Served, House], browser: Browser, tmp_path: Path
) -> None:
    """Tab, type, Enter; what was removed is not sent; focus is never lost."""
    place, house = served
    async with page_of(browser) as page:
        await page.goto(place.url + PLACE)
        await page.keyboard.press("Tab")
        assert "files" == await focused(page)
        await page.set_input_files("#files", [film(tmp_path, name, MB) for name in ("a.mp4", "b.mp4", "c.mp4")])
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")  # removes a.mp4, and stands where the next are chosen
        assert "files" == await focused(page)
        for _ in range(3):
            await page.keyboard.press("Tab")
        assert "name" == await focused(page)
        await page.keyboard.type("Dr. Wren")
        await page.keyboard.press("Tab")
        await page.keyboard.type("Two films.")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status")).to_contain_text("Everything was received")
        assert {"b.mp4", "c.mp4", "Note.txt"} == house.arrived().keys()
        assert b"From (as they wrote it): Dr. Wren\n\nTwo films.\n" == house.arrived()["Note.txt"]
        assert "BODY" != await page.evaluate("() => document.activeElement.tagName")


async def focused(page: Page) -> str:
    """The id of what has the focus."""
    found: str = await page.evaluate("() => document.activeElement.id")
    return found


async def test_nothing_chosen_and_a_refusal_are_said_where_they_are(
    served: tuple[Served, House], browser: Browser, tmp_path: Path
) -> None:
    """The page says what is missing, and which file was not taken and why; then the others still go."""
    place, house = served
    async with page_of(browser) as page:
        await page.goto(place.url + PLACE)
        await page.get_by_role("button", name=words.SEND, exact=True).click()
        await expect(page.get_by_role("alert")).to_have_text(words.NOTHING_CHOSEN)
        assert "files" == await focused(page)
        house.addresses.put(replace(LISTED, closed=True))
        await page.set_input_files("#files", film(tmp_path, size_bytes=MB))
        await page.get_by_role("button", name=words.SEND, exact=True).click()
        await expect(page.locator("#list li")).to_contain_text("Not sent: This case takes no more files here.")
        await expect(page.get_by_role("status")).to_contain_text("1 not sent")
        house.addresses.put(LISTED)
        await page.get_by_role("button", name=words.SEND, exact=True).click()
        await expect(page.locator("#list li")).to_contain_text("Received. Number")


async def test_without_scripts_the_form_works(served: tuple[Served, House], browser: Browser, tmp_path: Path) -> None:
    """Choose, press Send, and the next page has the numbers."""
    place, house = served
    async with page_of(browser, scripts=False) as page:
        await page.goto(place.url + PLACE)
        await expect(page.locator("noscript")).to_be_visible()
        await page.set_input_files("#files", [film(tmp_path, name, 3 * MB) for name in ("a.mp4", "b.mp4")])
        await page.fill("#note", "Two films.")
        await page.click("button")
        await expect(page.locator("h1")).to_have_text(words.RECEIVED_PAGE)
        assert 3 == len(re.findall("Received. Number [A-Z2-7]{8}", await page.locator("main").inner_text()))
        assert {"a.mp4", "b.mp4", "Note.txt"} == house.arrived().keys()


async def test_whoever_knows_only_the_address_gets_to_the_form(served: tuple[Served, House], browser: Browser) -> None:
    """`/u`: a wrong address is asked for again, the right one leads on."""
    place, _house = served
    async with page_of(browser) as page:
        await page.goto(place.url + "/")
        await page.get_by_role("link", name=words.HOME_UPLOAD).click()
        await page.get_by_label(words.ADDRESS, exact=True).fill("case+nobody@post.wrenfield.test")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_have_text(words.ADDRESS_UNKNOWN)
        await page.get_by_label(words.ADDRESS, exact=True).fill(f"case+{LISTED.token}@post.wrenfield.test")
        await page.keyboard.press("Enter")
        await expect(page.locator("h1")).to_have_text(words.UPLOAD)
        await expect(page.locator("main")).to_contain_text(words.UPLOAD_WAITS)


async def test_the_sealed_page_opens_by_keyboard_and_its_files_are_saved(
    served: tuple[Served, House], browser: Browser, tmp_path: Path
) -> None:
    """A wrong code, the right code, a file, and closed again."""
    place, _house = served
    async with page_of(browser) as page:
        await page.goto(place.url + PAGE)
        await page.keyboard.press("Tab")
        await page.keyboard.type("00000000")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_have_text(words.CODE_WRONG)
        await page.keyboard.press("Tab")
        await page.keyboard.type(CODE)
        await page.keyboard.press("Enter")
        await expect(page.locator(".text")).to_have_text(MESSAGE.text)
        assert 0 == await page.locator("script").count()
        async with page.expect_download() as waiting:
            await page.get_by_role("link", name="Röntgen").click()
        download = await waiting.value
        assert "Röntgen _1_.dcm" == download.suggested_filename
        assert XRAY == Path(await download.path()).read_bytes()
        await page.get_by_role("button", name=words.CLOSE).click()
        await expect(page.locator("h1")).to_have_text(words.SEALED)


# --- for every eye -----------------------------------------------------------------------------------------------------


async def as_they_look(page: Page, url: str, folder: Path) -> AsyncIterator[str]:
    """Goes through every page and state; the name of each as it stands there."""
    for name, path in (
        ("front", "/"), ("missing", "/nowhere"), ("address", "/u"), ("closed", f"/u/{CLOSED.upload_token}"),
        ("upload", PLACE), ("upload-waits", f"/u/{LISTED.token}"), ("notices", f"/n/{LISTED.upload_token}"), ("code", PAGE),
    ):  # fmt: skip
        await page.goto(url + path)
        yield name
    await page.fill("#code", "1")
    await page.keyboard.press("Enter")
    await page.locator(".wrong").wait_for()
    yield "code-wrong"
    await page.fill("#code", CODE)
    await page.keyboard.press("Enter")
    await page.locator(".text").first.wait_for()
    yield "sealed"
    await page.goto(f"{url}/l/{EMPTY.upload_token}")
    await page.fill("#code", CODE)
    await page.keyboard.press("Enter")
    await page.locator(".quiet").first.wait_for()
    yield "sealed-empty"
    await page.goto(f"{url}/n/{EMPTY.upload_token}")
    await page.get_by_role("button").click()
    await page.get_by_role("button", name=words.RESUME).wait_for()
    yield "notices-off"
    await page.goto(url + PLACE)
    await page.set_input_files("#files", [film(folder, f"{'a-very-long-name' * 6}.mp4", MB), film(folder, "b.mp4", MB)])
    yield "upload-chosen"
    await page.get_by_role("button", name=words.SEND, exact=True).click()
    await expect(page.get_by_role("status")).to_contain_text("Everything was received")
    yield "upload-done"
    await page.context.set_offline(True)
    await page.set_input_files("#files", film(folder, "c.mp4", MB))
    await page.get_by_role("button", name=words.SEND, exact=True).click()
    await expect(page.get_by_role("status")).to_contain_text("No connection")
    yield "upload-offline"
    await page.context.set_offline(False)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [NARROW, WIDE])
async def test_every_page_is_readable_narrow_and_wide_light_and_dark(
    served: tuple[Served, House], browser: Browser, tmp_path: Path, width: int, scheme: Literal["light", "dark"]
) -> None:
    """Axe finds nothing, nothing has to be scrolled sideways, and everything is large enough to hit."""
    place, house = served
    long = "Wirbelsäulenröntgenaufnahme" * 6
    house.shelf = replace(house.shelf, standing=(replace(MESSAGE, text=long), MESSAGE))
    house.desk._stores = replace(house.desk._stores, shelf=house.shelf)
    wrong: dict[str, object] = {}
    async with page_of(browser, width=width, scheme=scheme) as page:
        async for name in as_they_look(page, place.url, tmp_path):
            await page.screenshot(path=tmp_path / f"{name}-{width}-{scheme}.png", full_page=True)
            faults = await faults_by_axe(page), await overflow_px(page), await small_targets(page)
            if faults != ([], 0, []):
                wrong[name] = faults
    assert {} == wrong


def test_an_empty_shelf_is_what_it_says() -> None:
    """The page of a correspondent that nothing was told to is the empty one above."""
    assert () == asyncio.run(MemoryShelf().messages(EMPTY))
