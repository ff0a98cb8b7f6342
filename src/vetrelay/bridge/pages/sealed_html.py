"""The sealed page and the page of notices, as HTML."""

from datetime import UTC, datetime
from html import escape
from http import HTTPStatus

from aiohttp import web

from vetrelay.bridge.pages import words
from vetrelay.bridge.pages.desk import Notices, PageFile, PageMessage, SealedPage
from vetrelay.bridge.pages.layout import alert, link, page, paragraph, shown_bytes
from vetrelay.inspection.naming import safe_name, visible


def code_page(*, wrong: str = "", wait_seconds: int | None = None) -> web.Response:
    """What everybody sees first, whatever the link is. `wait_seconds`: no code is looked at before."""
    headers, status = {}, HTTPStatus.FORBIDDEN if wrong else HTTPStatus.OK
    if wait_seconds is not None:
        headers, status = {"Retry-After": str(wait_seconds)}, HTTPStatus.TOO_MANY_REQUESTS
        wrong = words.CODE_WAIT.format(minutes=-(-wait_seconds // 60))
    invalid = ' aria-invalid="true" aria-describedby="problem"' if wrong else ""
    body = (
        paragraph(words.SEALED_TEXT)
        + '<form method="post"><div class="field">'
        + f'<label for="code">{escape(words.CODE)}</label>'
        + (f'<p class="wrong" role="alert" id="problem">{escape(wrong)}</p>' if wrong else "")
        + '<input id="code" class="code" name="code" required inputmode="numeric" autocomplete="one-time-code"'
        + f' maxlength="20"{invalid}></div>'
        + f"<p><button>{escape(words.OPEN)}</button></p></form>"
        + paragraph(words.NOT_URGENT, kind="small")
    )
    return page(words.SEALED, body, status=status, headers=headers)


def sealed_page(found: SealedPage, *, here: str, upload: str) -> web.Response:
    """The messages. `here` is this page's own address, `upload` that of the upload page."""
    count = len(found.messages)
    messages = "".join(
        _message(message, at=number, here=here) for number, message in enumerate(reversed(found.messages), start=1)
    )
    body = (
        (paragraph(words.DAYS.format(days=found.days)) if count else paragraph(words.EMPTY.format(days=found.days)))
        + (f'<ol class="messages" reversed>{messages}</ol>' if count else "")
        + paragraph(words.ANSWER)
        + link(words.UPLOAD, upload)
        + f'<form method="post" action="{escape(here)}/close"><p><button class="quiet">{escape(words.CLOSE)}</button></p></form>'
        + paragraph(words.TRUST_READING, kind="small")
        + paragraph(words.NOT_URGENT, kind="small")
    )
    return page(words.CASE.format(short=found.short), body)


def _message(message: PageMessage, *, at: int, here: str) -> str:
    when = datetime.fromtimestamp(message.said_ms / 1000, UTC)
    who = " · ".join(visible(part) for part in (message.author, message.role) if part.strip())
    files = "".join(_file(file, address=f"{here}/f/{message.id}/{number}") for number, file in enumerate(message.files))
    return (
        f'<li aria-labelledby="m{at}"><h2 id="m{at}"><bdi>{escape(who)}</bdi></h2>'
        f'<time class="small" datetime="{when:%Y-%m-%dT%H:%MZ}">{when.day} {when:%B %Y, %H:%M} UTC</time>'
        f'<div class="text" dir="auto">{escape(message.text)}</div>'
        + (f'<ul class="files" aria-label="{escape(words.FILES)}">{files}</ul>' if files else "")
        + (paragraph(words.UNREADY.format(count=message.unready), kind="small") if message.unready else "")
        + "</li>"
    )


def _file(file: PageFile, *, address: str) -> str:
    name = safe_name(file.untrusted_name, "")
    return (
        f'<li><a href="{escape(address)}" download="{escape(name)}"><bdi>{escape(name)}</bdi></a> '
        f'<span class="small">{shown_bytes(file.size_bytes)}</span></li>'
    )


def file_away_page() -> web.Response:
    """A file that cannot be had at this moment."""
    body = alert(words.BROKEN_TEXT)
    return page(words.FILE_AWAY, body, status=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": "60"})


def notices_page(found: Notices) -> web.Response:
    """Whether notices come, and the one button that changes it."""
    button, value = (words.STOP, "stop") if found.wanted else (words.RESUME, "resume")
    body = (
        f'<p role="status">{escape(words.NOTICES_ON if found.wanted else words.NOTICES_OFF)}</p>'
        f'<form method="post"><input type="hidden" name="notices" value="{value}">'
        f"<p><button>{escape(button)}</button></p></form>"
        + paragraph(words.NOTICES_STILL, kind="small")
        + paragraph(words.NOT_URGENT, kind="small")
    )
    return page(words.NOTICES.format(short=found.short), body)
