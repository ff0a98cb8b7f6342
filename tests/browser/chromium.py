"""A real Chromium for the tests, the machine's own, and axe to look at pages with."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from aiohttp import web
from playwright.async_api import Browser, Page, async_playwright

AXE = Path(__file__).resolve().parents[1] / "js" / "node_modules" / "axe-core" / "axe.min.js"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
NARROW, WIDE = 320, 1280


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser. LookupError when the machine has none: ./dev setup installs it."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        msg = "There is no chromium here; run ./dev setup."
        raise LookupError(msg)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def page_of(
    browser: Browser, *, width: int = WIDE, scheme: Literal["light", "dark"] = "light", scripts: bool = True
) -> AsyncIterator[Page]:
    """A fresh page with nothing remembered. A page that complains on its console, or breaks its policy, fails the test."""
    context = await browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, java_script_enabled=scripts
    )
    context.set_default_timeout(20_000)
    page = await context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    try:
        yield page
    finally:
        await context.close()
    # What the network does is the test's doing; what the policy stops, or the script throws, is the page's fault.
    assert [] == [text for text in said if "Failed to load resource" not in text]


async def faults_by_axe(page: Page) -> list[str]:
    """What axe finds wrong, by WCAG 2.2 A and AA and its own good practice: rule, and where."""
    # evaluate goes around the page's policy, which rightly lets no such script in.
    await page.evaluate(f"() => {{ {AXE.read_text()} }}")
    found: dict[str, Any] = await page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [f"{one['id']}: {node['target']}" for one in found["violations"] for node in one["nodes"]]


async def overflow_px(page: Page) -> int:
    """How much wider the page is than its window: more than 0 has to be scrolled sideways (WCAG 1.4.10)."""
    wide: int = await page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return wide


async def small_targets(page: Page) -> list[str]:
    """What can be pressed but is hard to hit: lower than 44 px."""
    found: list[str] = await page.evaluate(
        """() => [...document.querySelectorAll('a, button, input, textarea')]
            .filter((one) => one.getClientRects().length && one.getBoundingClientRect().height < 43.9)
            .map((one) => one.outerHTML.slice(0, 80))"""
    )
    return found


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Served:
    """An application at a port, which can go away in the middle of everything and come back."""

    def __init__(self) -> None:
        self.port = free_port()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self, app: web.Application) -> None:
        """Listens."""
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()

    async def stop(self) -> None:
        """Is gone, and every connection with it."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
            await asyncio.sleep(0.1)
