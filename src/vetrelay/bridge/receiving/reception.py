"""Who may leave a letter here, and where: the answers at MAIL and RCPT, and the beginning of each letter.

`MailReception` implements ports.Reception; the letters themselves are incoming.py's.
"""

import asyncio
from typing import Final

from vetrelay.bridge.addressing import BounceAddress, CaseAddress, Foreign, FrontDoor, bounce_is_ours, parse_recipient
from vetrelay.bridge.ports import Arriving, Peer, Reply
from vetrelay.bridge.proving.screening import NO_SUCH, case_closed
from vetrelay.bridge.receiving import smtp_replies as say
from vetrelay.bridge.receiving.incoming import Letter
from vetrelay.bridge.receiving.mailroom import Mailroom
from vetrelay.bridge.receiving.smtp_path import domain_of
from vetrelay.errors import Fault

RELAYING: Final = Reply(code=550, enhanced="5.7.1", text="Relaying denied")
NO_TOKEN: Final = "a" * 26
"""Looked up for recipients that name no token, so that their answer takes the time of those that do."""


class MailReception:
    """Implements ports.Reception on the mailroom's tables and spool."""

    def __init__(self, room: Mailroom) -> None:
        self._room = room
        self._under_way: set[asyncio.Task[Reply]] = set()

    def may_begin(self, peer: Peer, mail_from: str, *, size_bytes: int | None) -> Reply | None:
        """At MAIL: None, or that there is no room, that it is too large, or that it must come over TLS."""
        config = self._room.config
        domain = domain_of(mail_from)
        if not peer.tls and domain and any(f".{domain}".endswith(f".{one}") for one in config.require_tls_from):
            return say.TLS_FIRST
        if size_bytes is not None and size_bytes > config.limits.letter_bytes:
            return say.too_large(config.limits.letter_bytes, config.web_url)
        try:
            self._room.check_room()
        except (Fault, OSError) as error:
            return self._room.failed(error)
        return None

    async def may_reach(self, peer: Peer, recipient: str) -> Reply | None:  # noqa: ARG002  # the port's: any peer is answered alike
        """At RCPT: None, or that nobody of that name is here, that it is not ours, or that its case is closed.

        Whatever the recipient is, the same work is done before the answer (checklist 13).
        """
        try:
            return await self._answered(recipient)
        except Exception as error:  # noqa: BLE001  # whatever it is: the port raises nothing, and the peer tries again
            return self._room.failed(error)

    async def _answered(self, recipient: str) -> Reply | None:
        room = self._room
        parsed = parse_recipient(recipient, domain=room.config.domain, front_door=room.config.front_door)
        bounce = parsed if isinstance(parsed, BounceAddress) else BounceAddress(departure=NO_TOKEN, mac=NO_TOKEN)
        token = parsed.token if isinstance(parsed, CaseAddress) else NO_TOKEN
        is_our_bounce = bounce_is_ours(bounce, room.seals.bounce_key)
        found = await room.ask(lambda: room.addresses.by_token(token))
        match parsed:
            case CaseAddress() if found is not None:
                if not (found.revoked or found.closed):
                    return None
                await room.tell("case_closed", found.case, domain_of(found.address))
                return case_closed(room.config.web_url)
            case BounceAddress() if is_our_bounce:
                # That only the null sender may use it is said behind the dot: at RCPT the port names no sender.
                return None if await room.ask(lambda: room.knows_departure(bounce.departure)) else NO_SUCH
            case FrontDoor() if parsed.always_open or room.front_door_open():
                return None
            case Foreign():
                return RELAYING
            case _:
                return NO_SUCH

    def begin(self, arriving: Arriving) -> Letter:
        """At DATA. Raises Fault `storage_full`."""
        self._room.check_cap()  # the disk was asked at MAIL
        return Letter(self._room, arriving, self._under_way)
