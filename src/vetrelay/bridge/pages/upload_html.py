"""The upload page, as HTML: a plain form first, which the script makes better."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from http import HTTPStatus

from aiohttp import web

from vetrelay.bridge.pages import words
from vetrelay.bridge.pages.desk import Place
from vetrelay.bridge.pages.layout import alert, link, page, paragraph, problem, shown_bytes, words_for_script


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one file of a plain form: its number, or why there is none."""

    name: str
    number: str | None = None
    reason: str = ""


def upload_page(place: Place, *, wrong: str = "") -> web.Response:
    """The page of a place that is open. `wrong` is what has to be mended."""
    size = shown_bytes(place.file_bytes)
    body = (
        paragraph(words.UPLOAD_CASE.format(short=place.short))
        + (paragraph(words.UPLOAD_WAITS) if place.waits else "")
        + f'<noscript><p class="small">{escape(words.SCRIPT_LESS)}</p></noscript>'
        + '<p id="unfinished" class="box" hidden></p>'
        + '<form id="upload" method="post" enctype="multipart/form-data">'
        + f'<div class="field"><label for="files">{escape(words.CHOOSE)}</label>'
        + f'<p class="small" id="files-help">{escape(words.CHOOSE_HELP.format(size=size))}</p>'
        + '<input id="files" name="file" type="file" multiple aria-describedby="files-help problem"></div>'
        + f'<div class="field camera"><label for="camera">{escape(words.CAMERA)}</label>'
        + '<input id="camera" name="file" type="file" accept="image/*" capture="environment"></div>'
        + f'<ul id="list" class="files" aria-label="{escape(words.FILES)}"></ul>'
        + f'<div class="field"><label for="name">{escape(words.NAME)}</label>'
        + '<input id="name" name="name" autocomplete="name" maxlength="200"></div>'
        + f'<div class="field"><label for="note">{escape(words.NOTE)}</label>'
        + '<textarea id="note" name="note" maxlength="20000"></textarea></div>'
        + f'<p id="problem" class="wrong" role="alert"{"" if wrong else " hidden"}>{escape(wrong)}</p>'
        + f"<p><button>{escape(words.SEND)}</button></p></form>"
        + '<p id="summary" class="state" role="status"></p>'
        + paragraph(words.TRUST, kind="small")
        + paragraph(words.NOT_URGENT, kind="small")
        + words_for_script({"place": place.short})
    )
    status = HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK
    return page(words.UPLOAD, body, status=status, runs_upload=True)


def closed_page() -> web.Response:
    """A place that takes nothing more."""
    return problem(words.UPLOAD_CLOSED, words.UPLOAD_CLOSED_TEXT, status=HTTPStatus.GONE)


def received_page(outcomes: Sequence[Outcome], *, again: str) -> web.Response:
    """What became of a plain form's files."""
    failed = [outcome for outcome in outcomes if outcome.number is None]
    rows = "".join(f"<li><bdi>{escape(one.name)}</bdi>{_fate(one)}</li>" for one in outcomes)
    body = (
        f'<ul class="files">{rows}</ul>'
        + (paragraph(words.RECEIVED_SAFE) if len(failed) < len(outcomes) else "")
        + link(words.SEND_MORE, again)
        + paragraph(words.NOT_URGENT, kind="small")
    )
    title = words.NOT_RECEIVED if len(failed) == len(outcomes) else words.RECEIVED_PAGE
    return page(title, body, status=HTTPStatus.UNPROCESSABLE_ENTITY if failed else HTTPStatus.OK)


def _fate(outcome: Outcome) -> str:
    if outcome.number is None:
        return alert(outcome.reason)
    return paragraph(words.RECEIVED.format(number=outcome.number), kind="good")


def ask_address_page(*, domain: str, wrong: str = "", typed: str = "") -> web.Response:
    """For whoever knows only the address a letter was written to."""
    described, invalid = ("address-help problem", ' aria-invalid="true"') if wrong else ("address-help", "")
    body = (
        paragraph(words.ADDRESS_TEXT)
        + '<form method="post"><div class="field">'
        + f'<label for="address">{escape(words.ADDRESS)}</label>'
        + f'<p class="small" id="address-help">{escape(words.ADDRESS_EXAMPLE.format(domain=domain))}</p>'
        + (f'<p class="wrong" role="alert" id="problem">{escape(wrong)}</p>' if wrong else "")
        + '<input id="address" name="address" type="email" required autocomplete="off" autocapitalize="none"'
        + f' spellcheck="false" maxlength="254" aria-describedby="{described}" value="{escape(typed)}"{invalid}></div>'
        + f"<p><button>{escape(words.GO_ON)}</button></p></form>"
        + paragraph(words.UPLOAD_WAITS, kind="small")
        + paragraph(words.NOT_URGENT, kind="small")
    )
    status = HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK
    return page(words.ADDRESS_ASK, body, status=status)
