"""Whether a peer may send for a domain (SPF, RFC 7208), by pyspf, which asks our resolver.

pyspf blocks while it asks, so each check runs in a thread; its questions are answered on the event loop.
"""

import asyncio
import concurrent.futures
import re
import time
import warnings
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from vetrelay.bridge.addressing import plain_domain
from vetrelay.bridge.ports import Peer
from vetrelay.bridge.resolver import Resolver
from vetrelay.errors import Fault

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its docstrings hold escapes that Python warns of when it compiles them
    import spf

CHECK_SECONDS: Final = 20.0
"""RFC 7208 4.6.4: at least this long for one check."""
CHECKS_AT_ONCE: Final = 64
RECORD_CHARS: Final = 8 * 1024
"""A longer policy is taken for none: over 4.6.4's ten lookups nobody needs one, and it only costs time."""
_POLICY: Final = re.compile(r"v=spf1( |\Z)", re.ASCII | re.IGNORECASE)
_VOID_LOOKUPS: Final = 2  # RFC 7208 4.6.4

Ask = Callable[[str, str], list[Any]]
Answer = concurrent.futures.Future[list[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyResult:
    """One of RFC 7208's seven results, and the domain it is about (lower-case), None where there was none to ask."""

    result: str
    domain: str | None


class SenderPolicies:
    """Checks of SPF, `CHECKS_AT_ONCE` of them at a time."""

    def __init__(self, resolver: Resolver, *, check_seconds: float = CHECK_SECONDS) -> None:
        self._resolver = resolver
        self._check_seconds = check_seconds
        self._asked: set[Answer] = set()
        self._threads = concurrent.futures.ThreadPoolExecutor(CHECKS_AT_ONCE, thread_name_prefix="spf")

    def close(self) -> None:
        """No further checks; those that wait for an answer end without it."""
        for asked in tuple(self._asked):
            asked.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def check(self, peer: Peer, mail_from: str) -> PolicyResult:
        """The result for MAIL FROM's domain, or for HELO's where the sender is null (2.4). Raises nothing."""
        name, at, host = mail_from.rpartition("@")
        domain = plain_domain(host if mail_from else peer.helo)
        if domain is None or (mail_from and (not at or "@" in name or not name.isprintable())):
            return PolicyResult(result="none", domain=None)
        try:
            texts = await self._resolver.txt(domain)
        except Fault:
            return PolicyResult(result="temperror", domain=domain)
        if not any(_POLICY.match(text) for text in texts):
            return PolicyResult(result="none", domain=domain)  # 4.5; and no thread for the many that have none
        # pyspf splits at the first at sign and we at the last: with exactly one, both mean the same domain.
        sender = f"{name or 'postmaster'}@{domain}"
        loop = asyncio.get_running_loop()
        deadline = time.monotonic() + self._check_seconds

        def ask(name: str, kind: str) -> list[Any]:
            return self._wait(self._answer(name, kind, peer), loop, seconds=deadline - time.monotonic())

        result = await loop.run_in_executor(self._threads, _result, sender, peer, domain, ask)
        return PolicyResult(result=result, domain=domain)

    async def _answer(self, name: str, kind: str, peer: Peer) -> list[Any]:
        """Records in the form that pyspf wants."""
        if kind == "TXT":
            return [(text.encode("latin-1"),) for text in await self._resolver.txt(name)]
        if kind == "MX":
            return [(preference, server) for preference, server in await self._resolver.mx(name) if server]
        if kind == "PTR":  # it only ever asks for the peer's own
            return list(await self._resolver.ptr(peer.address))
        if kind in ("A", "AAAA"):
            return [each for each in await self._resolver.addresses(name) if (":" in each) == (kind == "AAAA")]
        return []

    def _wait(
        self, answer: Coroutine[Any, Any, list[Any]], loop: asyncio.AbstractEventLoop, *, seconds: float
    ) -> list[Any]:
        """Waits, in a thread of checks, for what the loop finds out. Raises pyspf's TempError."""
        try:
            asked = asyncio.run_coroutine_threadsafe(answer, loop)
        except RuntimeError as closed:  # the process is on its way out
            answer.close()
            raise spf.TempError("closed") from closed
        self._asked.add(asked)
        try:
            return asked.result(max(0, seconds))
        except (Fault, TimeoutError, concurrent.futures.CancelledError) as unanswered:
            asked.cancel()
            raise spf.TempError("unanswered") from unanswered
        finally:
            self._asked.discard(asked)


class _Query(spf.query):  # type: ignore[misc]  # pyspf ships no types
    """pyspf's evaluation with our questions: it has no argument for that, and its hook is one for the whole process."""

    def __init__(self, sender: str, peer: Peer, helo: str, ask: Ask) -> None:
        super().__init__(i=peer.address, s=sender, h=helo)
        self._ask = ask

    def dns(self, name: str, qtype: str, cnames: object = None, ignore_void: bool = False) -> list[Any]:  # noqa: FBT001, FBT002  # the overridden signature is pyspf's
        """Overrides the one place where pyspf asks. Raises its TempError and PermError."""
        del cnames  # the resolver has followed them
        asked = str(name).removesuffix(".").lower()
        found = self._ask(asked, qtype)
        if qtype == "TXT" and any(len(text) > RECORD_CHARS for (text,) in found):
            raise spf.PermError("policy too long")
        if not found and not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > _VOID_LOOKUPS:
                raise spf.PermError("too many void lookups")
        return found


def _result(sender: str, peer: Peer, helo: str, ask: Ask) -> str:
    try:
        return str(_Query(sender, peer, helo, ask).check()[0])
    except Exception:  # noqa: BLE001  # a stranger's record in a library: what it stumbles over is RFC 7208's permerror
        return "permerror"
