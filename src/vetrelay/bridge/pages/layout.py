"""The frame of every page: escaped words, one style sheet inside it, and the headers that let nothing else in.

Style and script stand in the page itself and are named in its policy by their hash; so a page is one answer, nothing is
fetched from anywhere, and nothing that is smuggled in runs.
"""

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping
from html import escape
from http import HTTPStatus
from importlib.resources import files
from typing import Final

from aiohttp import web

from vetrelay.bridge.pages import words


def _asset(name: str) -> str:
    return files("vetrelay.bridge.pages").joinpath(name).read_text("utf-8")


def _hash_source(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


STYLE: Final = _asset("page.css")
UPLOAD_SCRIPT: Final = _asset("upload.js")
_NOTHING_ELSE: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; img-src data:; "
    f"style-src {_hash_source(STYLE)}; require-trusted-types-for 'script'; trusted-types 'none'"
)
_WITH_UPLOAD: Final = f"{_NOTHING_ELSE}; script-src {_hash_source(UPLOAD_SCRIPT)}; connect-src 'self'"
GUARDS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
}
"""On every answer, whatever it is; a page's own policy stands in the place of the last one."""


def page(
    title: str,
    body: str,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
    runs_upload: bool = False,
) -> web.Response:
    """A page. `title` is text; `body` is HTML, its parts escaped already."""
    script = f"<script>{UPLOAD_SCRIPT}</script>" if runs_upload else ""
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="robots" content="noindex, nofollow"><meta name="color-scheme" content="light dark">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{body}</main>{script}</body></html>"
    )
    policy = _WITH_UPLOAD if runs_upload else _NOTHING_ELSE
    own = {**GUARDS, "Content-Security-Policy": policy, **(headers or {})}
    return web.Response(text=html, status=status.value, content_type="text/html", charset="utf-8", headers=own)


def paragraph(text: str, *, kind: str = "") -> str:
    """A paragraph of plain text; `kind` is a class of the style sheet."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def alert(text: str) -> str:
    """What went wrong, read out by itself."""
    return f'<p class="wrong" role="alert">{escape(text)}</p>'


def link(text: str, address: str) -> str:
    """A link that is easy to hit."""
    return f'<p><a class="button quiet" href="{escape(address)}">{escape(text)}</a></p>'


def words_for_script(extra: Mapping[str, object]) -> str:
    """Words and settings for the script: data, which no policy takes for code."""
    # "<" could end the element early.
    text = json.dumps({**words.SCRIPT, **extra}).replace("<", "\\u003c")
    return f'<script type="application/json" id="words">{text}</script>'


def shown_bytes(size_bytes: int) -> str:
    """A size for people, in decimal units as file managers show it."""
    size, units = float(size_bytes), ("B", "kB", "MB", "GB", "TB")
    for unit in units:
        if size < 1000 or unit == units[-1]:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError


def problem(title: str, text: str, *, status: HTTPStatus) -> web.Response:
    """A page that says that something cannot be had, and what to do."""
    return page(title, paragraph(text) + paragraph(words.NOT_URGENT, kind="small"), status=status)


def not_found() -> web.Response:
    """The same for everything that is not there."""
    return problem(words.NOT_FOUND, words.NOT_FOUND_TEXT, status=HTTPStatus.NOT_FOUND)
