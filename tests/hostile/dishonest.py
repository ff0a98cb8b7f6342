"""A dishonest relay: a reverse proxy before a real one that holds its log key, rewrites what it answers, and forks logs.

It can do whatever the owner of a relay can: sign any head, show each reader another log, drop, reorder, swap and delay,
answer for the real relay, and put into a log what the real one would refuse. What it cannot do is open or sign anything
of the members; the tests say how each of them finds it out.
"""

import io
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from vetrelay.client.end import End
from vetrelay.client.say import say
from vetrelay.client.thread import read_thread
from vetrelay.protocol.identity import sign_key_of, signer_from
from vetrelay.protocol.ids import CaseId, relay_id
from vetrelay.protocol.log import Kind, Link, Tail, empty_log, extend, sign_head
from vetrelay.protocol.signature import Signed, Signer

Json = dict[str, Any]
Lie = Callable[[Json], Json]
Answer = Callable[[web.Request, bytes], Awaitable[web.Response | None]]


@dataclass(kw_only=True)
class Fork:
    """A log as some reader is shown it: the queue's items, and heads that the relay's key really signs."""

    case: CaseId
    items: list[Json]
    signer: Signer
    relay: str
    now_ms: Callable[[], int]

    def copy(self) -> "Fork":
        """Another log with the same past."""
        items = json.loads(json.dumps(self.items))
        return Fork(case=self.case, items=items, signer=self.signer, relay=self.relay, now_ms=self.now_ms)

    def renumber(self) -> None:
        """Positions without a gap, after something was taken out or put in."""
        for n, item in enumerate(self.items, start=1):
            item["n"] = n

    def tail(self, upto: int | None = None) -> Tail:
        """Where the log ends, at a position or at all."""
        tail = empty_log(self.case)
        for item in self.items[:upto]:
            tail = extend(tail, Link(time_ms=item["time"], kind=Kind(item["kind"]), entry=item["entry"]))
        return tail

    def head(self, tail: Tail | None = None, *, entry: str | None = None, time_ms: int | None = None) -> Json:
        """The relay's signed word on a tail."""
        signed = sign_head(
            tail or self.tail(),
            self.signer,
            relay=self.relay,
            case=self.case,
            epoch=0,
            time_ms=self.now_ms() if time_ms is None else time_ms,
            entry=entry,
            backed_up_n=0,
        )
        return to_json(signed)

    def page(self, after: int, *, limit: int = 100) -> Json:
        """A page of the case's queue."""
        return {"items": self.items[after : after + limit], "head": self.head()}

    def take(self, submit: Json) -> Json:
        """Puts an envelope into this log, whatever the rules say; its receipt."""
        signed = msgspec.convert(submit["envelope"], Signed)
        payloads = submit["payloads"]
        envelope = json.loads(signed.content())
        parts = [
            {"h0": ref["h0"], "header": submit["headers"][ref["h0"]], "payload": payloads.get(ref["p"])}
            for ref in envelope["objects"]
            if ref["role"] != "slip"
        ]
        self.items.append(
            {
                "n": len(self.items) + 1,
                "time": max(self.now_ms(), self.items[-1]["time"]),
                "kind": int(Kind.ENVELOPE),
                "entry": signed.entry_id(),
                "signed": submit["envelope"],
                "objects": parts,
            }
        )
        return self.head(entry=signed.entry_id())


def to_json(value: object) -> Json:
    """Builtins of a statement."""
    converted: Json = msgspec.to_builtins(value)
    return converted


@dataclass(kw_only=True)
class Liar:
    """The proxy. With nothing set it is honest; every request is noted in `asked`; `busy` answers so many with 503."""

    real_url: str
    signer: Signer
    relay: str
    now_ms: Callable[[], int]
    url: str = ""
    fork: Fork | None = None
    others: list[Fork] = field(default_factory=list)
    lie: Lie | None = None
    answers: list[tuple[str, str, Lie | None, Callable[[bytes], bytes] | None]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    busy: int = 0

    async def fork_of(self, end: End, case: CaseId) -> Fork:
        """The real log as it stands for this end, to be told from now on, changed or not."""
        items: list[Json] = []
        while True:
            page = await end.api.case_inbox(case, after=len(items))
            items += [to_json(item) for item in page.items]
            if not page.items:
                break
        return Fork(case=case, items=items, signer=self.signer, relay=self.relay, now_ms=self.now_ms)

    def rewrite(self, method: str, path: str, lie: Lie) -> None:
        """Every JSON answer to such a request is rewritten."""
        self.answers.append((method, path, lie, None))

    def replace(self, method: str, path: str, lie: Callable[[bytes], bytes]) -> None:
        """Every answer's body to such a request is replaced."""
        self.answers.append((method, path, None, lie))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One request."""
        body = await request.read()
        self.asked.append(f"{request.method} {request.path}")
        if self.busy:
            self.busy -= 1
            return web.Response(status=503)
        if self.fork is not None and request.path == f"/v1/cases/{self.fork.case}/inbox":
            page = self.fork.page(int(request.query["after"]))
            return web.json_response(self.lie(page) if self.lie else page)
        if (
            self.fork is not None
            and request.method == "PUT"
            and request.path.startswith(f"/v1/cases/{self.fork.case}/")
        ):
            receipt = self.fork.take(json.loads(body))
            for other in self.others:
                other.take(json.loads(body))
            return web.json_response({"receipt": receipt}, status=201)
        return await self._passed_on(request, body)

    async def _passed_on(self, request: web.Request, body: bytes) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name not in {"Host", "Content-Length"}}
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(
                request.method,
                self.real_url + request.path_qs,
                data=io.BytesIO(body) if body else None,
                headers=headers,
                allow_redirects=False,
            ) as answer,
        ):
            raw = await answer.read()
            kept = {
                name: value
                for name, value in answer.headers.items()
                if name not in {"Content-Length", "Transfer-Encoding"}
            }
            if answer.status < 300:
                for method, path, lie, other in self.answers:
                    if method == request.method and re.fullmatch(path, request.path):
                        raw = json.dumps(lie(json.loads(raw))).encode() if lie else raw
                        raw = other(raw) if other else raw
            return web.Response(status=answer.status, body=raw, headers=kept)


def stolen_log_key(data: Path) -> Signer:
    """The key that signs heads, out of a relay's folder."""
    return signer_from((data / "log.key").read_bytes())


@asynccontextmanager
async def liar_before(url: str, data: Path, *, now_ms: Callable[[], int]) -> AsyncIterator[Liar]:
    """A liar before the relay at this address, whose data lies in this folder."""
    seed = (data / "log.key").read_bytes()
    liar = Liar(real_url=url, signer=stolen_log_key(data), relay=relay_id(sign_key_of(seed)), now_ms=now_ms)
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", liar.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server = site._server
    assert server is not None
    liar.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]  # asyncio's server has them
    try:
        yield liar
    finally:
        await runner.cleanup()


async def said(end: End, case: str, *texts: str) -> None:
    """Somebody says something and has been told that it arrived."""
    for text in texts:
        promised, _ = await say(end, case, text=text)
        end.journal.report(promised.id)


def texts_of(end: End, case: str) -> list[str | None]:
    """What an end can read."""
    return [entry.text for entry in read_thread(end, case).entries]
