"""The upload page and its plain form, which works in a browser without scripts."""

from collections.abc import AsyncIterator
from typing import Final

from aiohttp import BodyPartReader, MultipartReader, web

from vetrelay.bridge.pages import words
from vetrelay.bridge.pages.desk import Place
from vetrelay.bridge.pages.layout import not_found, shown_bytes
from vetrelay.bridge.pages.requests import CUT, FORM_BYTES, SITE, bounded, pieces_of, small_form
from vetrelay.bridge.pages.upload_html import Outcome, ask_address_page, closed_page, received_page, upload_page
from vetrelay.errors import Refusal, VetRelayError

MOST_PARTS: Final = 300
_GONE: Final = {"upload_cut", "too_slow"}


async def ask_address(request: web.Request) -> web.Response:
    """GET /u: which address was written to?"""
    return ask_address_page(domain=request.app[SITE].domain)


async def go_to_place(request: web.Request) -> web.Response:
    """POST /u: on to that address's page, if there is one."""
    site = request.app[SITE]
    typed = (await small_form(request)).get("address", "")[:254]
    place = await site.desk.place_of_address(typed)
    if place is None:
        return ask_address_page(domain=site.domain, wrong=words.ADDRESS_UNKNOWN, typed=typed)
    raise web.HTTPSeeOther(f"{site.path}/u/{place.token}")


async def show_place(request: web.Request) -> web.Response:
    """GET /u/TOKEN: the form."""
    place = await request.app[SITE].desk.place(request.match_info["token"])
    if place is None:
        return not_found()
    return upload_page(place) if place.is_open else closed_page()


async def take_form(request: web.Request) -> web.Response:
    """POST /u/TOKEN: the files of a plain form, one after the other, each accepted by itself."""
    site = request.app[SITE]
    place = await site.desk.place(request.match_info["token"])
    if place is None:
        return not_found()
    if not place.is_open:
        return closed_page()
    if request.content_type != "multipart/form-data":
        raise Refusal("bad_upload")
    form = _Form(request, place)
    outcomes = await form.take()
    if not outcomes:
        return upload_page(place, wrong=words.NOTHING_CHOSEN)
    return received_page(outcomes, again=f"{site.path}/u/{place.token}")


class _Form:
    """One multipart form while it comes in. Nothing of it stands in memory but its text."""

    def __init__(self, request: web.Request, place: Place) -> None:
        self._desk = request.app[SITE].desk
        self._request = request
        self._place = place
        self._outcomes: list[Outcome] = []
        self._text: dict[str, str] = {}

    async def take(self) -> list[Outcome]:
        """What became of each file, and of the note. Raises Refusal `bad_upload`, `upload_cut`, `too_slow`."""
        try:
            reader = await self._request.multipart()
            for _ in range(MOST_PARTS):
                part = await reader.next()
                if part is None:
                    break
                if isinstance(part, MultipartReader):
                    raise Refusal("bad_upload")
                await self._part(part)
        except CUT as cut:
            raise Refusal("upload_cut") from cut
        except (ValueError, AssertionError, LookupError) as wrong:  # what the framework's parser raises on nonsense
            raise Refusal("bad_upload") from wrong
        note = note_text(self._text.get("name", ""), self._text.get("note", ""))
        if note and (self._outcomes or self._text.get("note", "").strip()):
            await self._keep(words.NOTE_FILE, _one(note))
        return self._outcomes

    async def _part(self, part: BodyPartReader) -> None:
        if part.name == "file":
            first = await bounded(part.read_chunk)
            if part.filename or first:  # a field for files that nothing was chosen in comes empty, without a name
                await self._keep(part.filename or "", _from(first, part))
        elif part.name in {"name", "note"}:
            self._text[part.name] = await _short_text(part)
        await _drained(part, most_bytes=self._place.file_bytes)

    async def _keep(self, untrusted_name: str, pieces: AsyncIterator[bytes]) -> None:
        try:
            upload = await self._desk.take(self._place, untrusted_name=untrusted_name, pieces=pieces)
        except VetRelayError as refused:
            if refused.code in _GONE:
                raise
            reason = words.REFUSED.get(refused.code, words.BROKEN_TEXT)
            reason = reason.format(size=shown_bytes(self._place.file_bytes))
            self._outcomes.append(Outcome(name=untrusted_name, reason=reason))
        else:
            self._outcomes.append(Outcome(name=untrusted_name, number=upload.number))


def note_text(name: str, note: str) -> bytes:
    """The note as the file it is kept as (UTF-8); empty when there is nothing to keep. The script writes it the same way."""
    name, note = name.strip(), note.strip().replace("\r\n", "\n")
    if not name and not note:
        return b""
    head = f"{words.NOTE_FROM.format(name=name)}\n\n" if name else ""
    return f"{head}{note}\n".encode("utf-8", "replace")


async def _one(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _from(first: bytes, part: BodyPartReader) -> AsyncIterator[bytes]:
    yield first
    async for piece in pieces_of(part.read_chunk):
        yield piece


async def _short_text(part: BodyPartReader) -> str:
    content = b""
    while len(content) < FORM_BYTES and (piece := await bounded(part.read_chunk)):
        content += piece
    return content[:FORM_BYTES].decode("utf-8", "replace")


async def _drained(part: BodyPartReader, *, most_bytes: int) -> None:
    """Reads over what nobody wants, so that the browser hears why; not for ever."""
    while piece := await bounded(part.read_chunk):
        most_bytes -= len(piece)
        if most_bytes < 0:
            raise Refusal("upload_too_large")
