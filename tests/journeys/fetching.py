"""Objects as the relay serves them: header and payload in one, which is an age file."""

import asyncio
import os
from pathlib import Path

from tests.practice import now_ms
from vetrelay.client.end import open_end
from vetrelay.client.keyring import load_keyring
from vetrelay.client.thread import read_thread


def fetched_object(home: Path, case: str, *, role: str) -> bytes:
    """The first object of this role in the case's first message with files."""
    return asyncio.run(_fetched(home, case, role))


async def _fetched(home: Path, case: str, role: str) -> bytes:
    keyring = load_keyring(home, passphrase=None)
    async with open_end(home, keyring, now_ms=now_ms, random_bytes=os.urandom) as end:
        thread = read_thread(end, case)
        views = [view for entry in thread.entries for file in entry.attachments for view in file.objects]
        h0 = next(view.ref.h0 for view in views if view.role == role)
        async with end.api.open("GET", f"/v1/objects/{h0}") as answer:
            return await answer.read()
