"""Does a proxy on the way hold uploads back? Cut one halfway: the relay must have the first half already."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from vetrelay.cli.checkup import Check
from vetrelay.cli.words import amount
from vetrelay.client.end import End
from vetrelay.client.transfer import TUS
from vetrelay.errors import VetRelayError
from vetrelay.protocol.ids import CaseId

UPLOAD_BYTES: Final = 4 * 1024 * 1024
SENT_BYTES: Final = UPLOAD_BYTES // 2
PIECE_BYTES: Final = 64 * 1024
LOOKS: Final = 20
LOOK_SECONDS: Final = 0.25


async def upload_progress(end: End, case: CaseId, *, name: str) -> Check:
    """Begins an upload, sends half of it, holds still, and asks how much has arrived. Nothing is left at the relay.

    Raises what the relay refuses.
    """
    metadata = f"case {base64.b64encode(case.encode()).decode()}"
    headers = {**TUS, "Upload-Length": str(UPLOAD_BYTES), "Upload-Metadata": metadata}
    async with end.api.open("POST", "/v1/uploads", headers=headers) as answer:
        location = answer.headers["Location"]
    path = "/" + location.split("/", 3)[3] if "://" in location else location
    sent = asyncio.Event()
    sending = asyncio.create_task(_send_half(end, path, sent))
    try:
        await asyncio.wait({asyncio.create_task(sent.wait()), sending}, return_when=asyncio.FIRST_COMPLETED)
        arrived = await _arrived(end, path)
    finally:
        sending.cancel()
        with suppress(asyncio.CancelledError, VetRelayError):
            await sending
        with suppress(VetRelayError):
            async with end.api.open("DELETE", path, headers=TUS, bearer=False):
                pass
    what = f"of {amount(SENT_BYTES)} sent, {amount(arrived)} had arrived while the upload was still open"
    if arrived >= SENT_BYTES // 2:
        return Check(name=name, verdict="ok", what=what)
    mend = (
        "a proxy holds uploads back, so they cannot be resumed: switch its request buffering off "
        "(nginx: proxy_request_buffering off)"
    )
    return Check(name=name, verdict="bad", what=what, mend=mend)


async def _send_half(end: End, path: str, sent: asyncio.Event) -> None:
    """A PATCH that announces everything, sends half, and then says nothing more."""

    async def half() -> AsyncIterator[bytes]:
        for _ in range(SENT_BYTES // PIECE_BYTES):
            yield bytes(PIECE_BYTES)
        sent.set()
        await asyncio.Event().wait()  # until this task is cancelled

    headers = {
        **TUS,
        "Upload-Offset": "0",
        "Content-Type": "application/offset+octet-stream",
        "Content-Length": str(UPLOAD_BYTES),
    }
    with suppress(VetRelayError):  # being overtaken by the HEAD below is the expected end
        async with end.api.open("PATCH", path, body=half(), headers=headers, bearer=False, answer_seconds=None):
            pass


async def _arrived(end: End, path: str) -> int:
    """How much the relay has, asked a few times: a HEAD of tus ends the PATCH that stands still, and keeps what came."""
    arrived = 0
    for _ in range(LOOKS):
        await asyncio.sleep(LOOK_SECONDS)
        async with end.api.open("HEAD", path, headers=TUS, bearer=False) as answer:
            arrived = int(answer.headers["Upload-Offset"])
        if arrived >= SENT_BYTES // 2:
            break
    return arrived
