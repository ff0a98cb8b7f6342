"""Keys that came along with letters (Autocrypt): told in the case as suggestions, used by nobody until staff approve one."""

import asyncio
import re
from typing import Final

from vetrelay.bridge.cases.bridge import Bridge
from vetrelay.bridge.cases.casemail import CaseMail
from vetrelay.bridge.cases.telling import say_or_leave
from vetrelay.bridge.letters.autocrypt import Suggestion, suggested
from vetrelay.bridge.ports import Arrival
from vetrelay.bridge.proving.headfields import HEAD_BYTES, split_fields
from vetrelay.errors import Fault
from vetrelay.protocol.bymail import MailEvent
from vetrelay.protocol.ids import CaseId, b64

_END_OF_HEAD: Final = re.compile(rb"\r\n\r\n|\n\n|\r\r")


async def tell_suggestion(bridge: Bridge, case: CaseId, mail: CaseMail, arrival: Arrival, raw: bytes) -> None:
    """Tells the key in this letter's head, once, if its sender was proved, is listed, and has not this key already."""
    authenticated = arrival.authenticated
    if authenticated is None or authenticated.outcome != "pass" or authenticated.address is None:
        return
    correspondent = mail.correspondents.get(authenticated.address)
    if correspondent is None:
        return
    found = await asyncio.to_thread(_suggested, raw, authenticated.address)
    fingerprint = found.key.fingerprint.upper() if found is not None else None
    if found is None or fingerprint == correspondent.key:
        return
    event = MailEvent(
        what="key_suggested",
        about=found.address,
        detail=f"{fingerprint} {b64(found.key.public)}",
        at=arrival.received_ms,
    )
    intent = f"key:{case}:{found.address}:{fingerprint}"
    await say_or_leave(bridge, case, event, class_="control", intent=intent)


def _suggested(raw: bytes, address: str) -> Suggestion | None:
    head = raw[:HEAD_BYTES]
    end = _END_OF_HEAD.search(head)
    fields = split_fields(head[: end.start()] if end else b"") or ()
    values = [field.value.decode("ascii", "replace") for field in fields if field.name == "autocrypt"]
    try:
        return suggested(values, from_address=address)
    except Fault:  # the library for such keys is not installed: then none can be used either
        return None
