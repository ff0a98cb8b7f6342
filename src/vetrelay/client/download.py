"""Payloads on their way in: fetched resumably, checked as a whole before anything is done with them; constant memory."""

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final

from vetrelay.client.end import End
from vetrelay.client.plainfile import hash_file
from vetrelay.client.progress import Step
from vetrelay.client.transfer import PIECE_BYTES
from vetrelay.client.turns import turn
from vetrelay.errors import Fault, Refusal
from vetrelay.protocol.envelope import ObjectRef
from vetrelay.protocol.ids import unb64

TRIES: Final = 4


async def fetch_payload(end: End, ref: ObjectRef, *, label: str, unsafe: bool) -> Path:
    """The whole payload of an object in the spool, its hash checked; a part that came earlier is gone on from.

    It is the caller's to remove, inside `payload_turn`. Raises Fault `unreachable`, Refusal `payload_differs` (N13)
    and then removes what came, or what the relay refuses.
    """
    target = end.journal.spool / f"{unb64(ref.h0).hex()}.fetched"
    partial = target.with_suffix(".part")
    if not target.exists():
        with end.progress(f"fetching {label}", ref.size) as step:
            await _fetch_all(end, ref, partial, step, wish="&unsafe=original" if unsafe else "")
        if await asyncio.to_thread(hash_file, partial) != ref.p:
            partial.unlink()
            raise Refusal("payload_differs")
        partial.replace(target)
    return target


def payload_turn(end: End, ref: ObjectRef) -> AbstractAsyncContextManager[None]:
    """One process of this home at a time fetches an object, and opens it."""
    return turn(end.turns, f"object {unb64(ref.h0).hex()}")


async def _fetch_all(end: End, ref: ObjectRef, partial: Path, step: Step, *, wish: str) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    step(min(have, ref.size))
    failures = 0
    while have < ref.size:
        before = have
        try:
            have = await _fetch_rest(end, ref, partial, have, step, wish=wish)
        except Fault as fault:
            have = partial.stat().st_size if partial.exists() else 0
            failures = 1 if have > before else failures + 1
            if fault.code != "unreachable" or failures == TRIES:
                raise
            await asyncio.sleep(0.1 * 2**failures)
        else:
            if have < ref.size:  # the answer ended as it should, and is too short: it is another object
                partial.unlink()
                raise Refusal("payload_differs")


async def _fetch_rest(end: End, ref: ObjectRef, partial: Path, have: int, step: Step, *, wish: str) -> int:
    """Appends what is missing; how much there is then. Never writes more than one piece beyond the object's size."""
    headers = {"Range": f"bytes={have}-"} if have else {}
    async with end.api.open(
        "GET", f"/v1/objects/{ref.h0}?part=payload{wish}", headers=headers, answer_seconds=None
    ) as answer:
        with partial.open("ab" if have and answer.status == 206 else "wb") as out:
            async for piece in answer.content.iter_chunked(PIECE_BYTES):
                await asyncio.to_thread(out.write, piece)
                step(len(piece))
                if out.tell() > ref.size:
                    break
            return out.tell()
