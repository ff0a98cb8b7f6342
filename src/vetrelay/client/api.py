"""The relay's HTTP API, one coroutine per route (protocol.md, chapter transport). No decisions, no keys: bytes out, values in."""

import asyncio
import io
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import aiohttp
import msgspec

from vetrelay.client.wire import (
    Appended,
    CaseInbox,
    Inbox,
    Invitation,
    Leases,
    LogPage,
    PartyChain,
    Receipted,
    RelayFacts,
    Session,
    SessionNonce,
)
from vetrelay.errors import SENTENCES, Fault, Refusal, VetRelayError
from vetrelay.protocol.ids import CaseId, EntryId, EnvelopeId, Hash, PartyId, RelayId, SignKey
from vetrelay.protocol.session import BEARER_LIFE_MS, SessionRequest
from vetrelay.protocol.signature import Signer, sign
from vetrelay.protocol.statement import VERSION, render

T = TypeVar("T")
CONNECT_SECONDS = 15.0
ANSWER_SECONDS = 60.0
MAX_ANSWER_BYTES = 64 * 1024 * 1024
PASSING = frozenset({"too_fast", "too_slow", "no_session", "session_refused", "relay_refused", "wrong_method"})
"""Refusals of the moment, not of what was asked: the same request may go through later.

`relay_refused` carries no code of ours: it may be somebody on the way who answered, and not the relay.
"""


def relay_origin(url: str) -> str:
    """The origin that a session binds: scheme, host and port, or `unix:PATH`."""
    if url.startswith("unix:"):
        return url
    return "/".join(url.split("/", 3)[:3])


@dataclass(kw_only=True)
class RelayApi:
    """A connection to one relay as one device. Open it with `connect`."""

    url: str
    http: aiohttp.ClientSession
    base: str
    device: str
    signer: Signer | None
    now_ms: Callable[[], int]
    relay: RelayId | None = None
    _bearer: str = field(default="", repr=False)
    _bearer_until_ms: int = 0
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def relay_facts(self) -> RelayFacts:
        """Who this relay is and what it limits."""
        return await self._json("GET", "/v1/relay", RelayFacts, bearer=False)

    async def invitation(self, case: CaseId, key: SignKey) -> Invitation:
        """An open invitation and its sealed card."""
        return await self._json("GET", f"/v1/cases/{case}/invitations/{key}", Invitation, bearer=False)

    async def create_party(self, body: bytes) -> None:
        """Enrols a clinic or a machine with its one-time code."""
        await self._request("POST", "/v1/parties", body=body, bearer=False)

    async def append_party(self, party: PartyId, body: bytes) -> Appended:
        """Appends to one's own party chain, and so to all its open cases."""
        return await self._json("POST", f"/v1/parties/{party}/chain", Appended, body=body)

    async def party_chain(self, party: PartyId) -> PartyChain:
        """A party's whole chain."""
        return await self._json("GET", f"/v1/parties/{party}/chain", PartyChain)

    async def box(self, party: PartyId, sha256: Hash) -> bytes:
        """A box of one's own party."""
        return await self._request("GET", f"/v1/parties/{party}/boxes/{sha256}")

    async def post_statement(self, path: str, body: bytes, *, bearer: bool = True) -> Receipted:
        """A case statement to `/v1/cases` or `/v1/cases/{case}/entries`."""
        return await self._json("POST", path, Receipted, body=body, bearer=bearer)

    async def put_envelope(self, case: CaseId, envelope: EnvelopeId, body: bytes) -> Receipted:
        """Submits an envelope; the answer's head is the receipt."""
        return await self._json("PUT", f"/v1/cases/{case}/envelopes/{envelope}", Receipted, body=body)

    async def case_inbox(self, case: CaseId, *, after: int, wait_seconds: int = 0) -> CaseInbox:
        """A page of the case's queue after a log position."""
        path = f"/v1/cases/{case}/inbox?after={after}&limit=100&wait={wait_seconds}"
        return await self._json("GET", path, CaseInbox, extra_seconds=wait_seconds)

    async def log(self, case: CaseId, *, after: int, bodies: bool) -> LogPage:
        """A page of the log: links alone, or with bodies."""
        path = f"/v1/cases/{case}/log?after={after}&limit=1000&bodies={int(bodies)}"
        return await self._json("GET", path, LogPage)

    async def inbox(self, *, after: int, wait_seconds: int) -> Inbox:
        """A page of this device's merged inbox."""
        path = f"/v1/inbox?after={after}&limit=100&wait={wait_seconds}"
        return await self._json("GET", path, Inbox, extra_seconds=wait_seconds)

    async def acknowledge(self, upto: int) -> None:
        """Everything up to this delivery is safely ours."""
        await self._request("POST", "/v1/inbox/ack", body=render({"upto": upto}))

    async def lease(self, places: Iterable[tuple[CaseId, EntryId]], *, seconds: int) -> Leases:
        """Takes or extends leases on envelopes, at most 100 at once, so that no other intake works on them too."""
        wanted = {"envelopes": _envelopes(places), "seconds": seconds}
        return await self._json("POST", "/v1/inbox/lease", Leases, body=render(wanted))

    async def done(self, places: Iterable[tuple[CaseId, EntryId]]) -> None:
        """Gives leases back, at most 100 at once."""
        await self._request("POST", "/v1/inbox/done", body=render({"envelopes": _envelopes(places)}))

    async def original_header(self, h0: Hash) -> bytes:
        """The header that the author signed."""
        return await self._request("GET", f"/v1/objects/{h0}/h0")

    async def bearer(self) -> str:
        """A bearer that lives for at least another half minute."""
        async with self._opening:
            if self.now_ms() + 30_000 >= self._bearer_until_ms:
                await self._open_session()
        return self._bearer

    async def _open_session(self) -> None:
        if self.signer is None:
            raise Refusal("no_identity")
        offered = await self._json("POST", "/v1/session", SessionNonce, body=b"{}", bearer=False)
        if self.relay not in {None, offered.relay}:
            raise Refusal("wrong_relay")
        # (N38) The relay's own clock decides how long a session lives, so a phone with a wrong one can still open it.
        request = SessionRequest(
            v=VERSION,
            device=self.device,
            origin=relay_origin(self.url),
            relay=offered.relay,
            nonce=offered.nonce,
            until=offered.time + BEARER_LIFE_MS,
        )
        signed = sign("session", request, [self.signer])
        opened = await self._json("POST", "/v1/session", Session, body=render({"session": signed}), bearer=False)
        self._bearer = opened.bearer
        self._bearer_until_ms = self.now_ms() + (opened.until - offered.time)

    async def _json(  # one place decodes every answer
        self,
        method: str,
        path: str,
        kind: type[T],
        *,
        body: bytes | None = None,
        bearer: bool = True,
        extra_seconds: float = 0,
    ) -> T:
        raw = await self._request(method, path, body=body, bearer=bearer, extra_seconds=extra_seconds)
        try:
            return msgspec.json.decode(raw, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
            raise Fault("relay_unreadable") from wrong

    async def _request(
        self, method: str, path: str, *, body: bytes | None = None, bearer: bool = True, extra_seconds: float = 0
    ) -> bytes:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        async with self.open(
            method, path, body=body, headers=headers, bearer=bearer, answer_seconds=ANSWER_SECONDS + extra_seconds
        ) as answer:
            untrusted_raw = await answer.content.read(MAX_ANSWER_BYTES + 1)
            parts = [untrusted_raw]
            size_bytes = len(untrusted_raw)
            while untrusted_raw:
                untrusted_raw = await answer.content.read(MAX_ANSWER_BYTES + 1)
                size_bytes += len(untrusted_raw)
                if size_bytes > MAX_ANSWER_BYTES:
                    raise Fault("relay_unreadable")
                parts.append(untrusted_raw)
            return b"".join(parts)

    @asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        bearer: bool = True,
        answer_seconds: float | None = ANSWER_SECONDS,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer whose body is read by the caller; anything but success is raised as what the relay said.

        Raises Refusal or Fault with the relay's code, or Fault `unreachable`. An OSError of the caller's own, such as
        a full disk, passes as it is.
        """
        sent = dict(headers or {})
        if bearer:
            sent["Authorization"] = f"Bearer {await self.bearer()}"
        timeout = aiohttp.ClientTimeout(total=answer_seconds, sock_connect=CONNECT_SECONDS, sock_read=120)
        try:
            ask = partial(self.http.request, method, self.base + path, timeout=timeout, allow_redirects=False)
            answer = await ask(headers=sent, data=_sendable(body))
            if answer.status == 401 and bearer and isinstance(body, bytes | None):
                answer.release()
                self._bearer_until_ms = 0  # the relay forgot the session: open another, once
                again = {**sent, "Authorization": f"Bearer {await self.bearer()}"}
                answer = await ask(headers=again, data=_sendable(body))
            async with answer:
                if answer.status >= 300:
                    raise problem_of(answer.status, await answer.content.read(65536))
                yield answer
        except (aiohttp.ClientError, TimeoutError, ConnectionError, ssl.SSLError) as wrong:
            raise Fault("unreachable") from wrong


def _envelopes(places: Iterable[tuple[CaseId, EntryId]]) -> list[dict[str, str]]:
    return [{"case": case, "entry": entry} for case, entry in places]


def _sendable(body: Any) -> Any:
    """A body in memory as a file: aiohttp sends it piece by piece, and so keeps the loop free."""
    return io.BytesIO(body) if isinstance(body, bytes) else body


def problem_of(status: int, untrusted_raw: bytes) -> VetRelayError:
    """What the relay said no with, as our own error; a code we do not know becomes `relay_refused`."""
    try:
        problem = msgspec.json.decode(untrusted_raw, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        problem = {}
    code = problem.get("code")
    facts = {
        name: value
        for name, value in problem.items()
        if name not in {"code", "type", "title", "status", "detail", "instance"}
    }
    known = code if isinstance(code, str) and code in SENTENCES else None
    if known is None:
        facts["status"] = status
    if status >= 500:
        return Fault(known or "relay_failed", **facts)
    return Refusal(known or "relay_refused", **facts)


@asynccontextmanager
async def connect(
    url: str, *, device: str, signer: Signer | None, now_ms: Callable[[], int], relay: RelayId | None = None
) -> AsyncIterator[RelayApi]:
    """A connection to `https://HOST`, `http://HOST:PORT` or `unix:PATH`; `relay` is who must answer there, if known."""
    if url.startswith("unix:"):
        connector: aiohttp.BaseConnector = aiohttp.UnixConnector(path=url.removeprefix("unix:"))
        base = "http://relay"
    else:
        connector, base = aiohttp.TCPConnector(limit=16), url.rstrip("/")
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as http:
        yield RelayApi(url=url, http=http, base=base, device=device, signer=signer, now_ms=now_ms, relay=relay)
