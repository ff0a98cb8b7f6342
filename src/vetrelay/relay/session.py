"""Sessions: a device signs a challenge of this relay and gets an opaque bearer for 15 minutes (protocol.md section 9).

A challenge carries its own proof of where and when it was made, so that whoever asks for thousands of them makes the
relay remember nothing; only those that a device has used are remembered, until they would be too old anyway.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from vetrelay.errors import Refusal
from vetrelay.protocol.ids import Hash, b64, labelled, unb64
from vetrelay.protocol.session import BEARER_LIFE_MS, NONCE_LIFE_MS, SessionRequest, check_session
from vetrelay.protocol.signature import Signed
from vetrelay.protocol.statement import convert, parse_signed
from vetrelay.relay.ports import AskingDevice, RelayServices, Store
from vetrelay.relay.tables import StoredDevice

TIME_BYTES: Final = 6
DICE_BYTES: Final = 10
PROOF_BYTES: Final = 16
BEARER_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """What a device shows from here on, and until when."""

    bearer: str
    until_ms: int


class ProvenChallenges:
    """Nonces of one process: 32 bytes of time, dice and proof. Each is good for one session, for 60 seconds."""

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        self._random_bytes = random_bytes
        self._key = random_bytes(32)
        self._used: dict[Hash, int] = {}

    def fresh(self, *, now_ms: int) -> Hash:
        """A new nonce."""
        stamp = now_ms.to_bytes(TIME_BYTES, "big") + self._random_bytes(DICE_BYTES)
        return b64(stamp + self._proof(stamp))

    def check(self, nonce: Hash, *, now_ms: int) -> None:
        """Raises Refusal `session_refused` for a nonce of others, one too old, one used before."""
        raw = unb64(nonce, TIME_BYTES + DICE_BYTES + PROOF_BYTES)
        stamp = raw[: TIME_BYTES + DICE_BYTES]
        if not hmac.compare_digest(raw[len(stamp) :], self._proof(stamp)):
            raise Refusal("session_refused")
        made_ms = int.from_bytes(stamp[:TIME_BYTES], "big")
        if not made_ms <= now_ms <= made_ms + NONCE_LIFE_MS or nonce in self._used:
            raise Refusal("session_refused")

    def use(self, nonce: Hash, *, now_ms: int) -> None:
        """Check a nonce and remember it as used. Raises as `check` does."""
        self.check(nonce, now_ms=now_ms)
        while self._used and next(iter(self._used.values())) < now_ms - NONCE_LIFE_MS:  # the oldest stands first
            del self._used[next(iter(self._used))]
        self._used[nonce] = now_ms

    def _proof(self, stamp: bytes) -> bytes:
        return hmac.digest(self._key, stamp, "sha256")[:PROOF_BYTES]


async def open_session(relay: RelayServices, untrusted: Signed) -> Bearer:
    """A bearer for the device that signed this request; its hash is stored, so that it survives a restart.

    Raises Refusal `session_refused`, whatever was wrong: from outside, an unknown device, a revoked one, a wrong
    signature and a used nonce look alike.
    """
    now_ms = relay.now_ms()
    try:
        request, device = await _checked(relay, untrusted, now_ms=now_ms)
    except Refusal as no:
        raise Refusal("session_refused") from no
    bearer = b64(relay.random_bytes(BEARER_BYTES))
    until_ms = min(request.until, now_ms + BEARER_LIFE_MS)
    await relay.writer.run(lambda store: _keep(store, bearer, device, until_ms=until_ms, now_ms=now_ms))
    return Bearer(bearer=bearer, until_ms=until_ms)


async def _checked(relay: RelayServices, untrusted: Signed, *, now_ms: int) -> tuple[SessionRequest, StoredDevice]:
    request = convert(parse_signed(untrusted.content()), SessionRequest)
    relay.challenges.check(request.nonce, now_ms=now_ms)  # before any work that a stranger could ask for
    device = await relay.reader.run(lambda store: store.parties.device(request.device))
    if device is None or not device.active:
        raise Refusal("session_refused")
    check_session(untrusted, key=device.sign, origins=relay.origins, relay=relay.relay, now_ms=now_ms)
    relay.challenges.use(request.nonce, now_ms=now_ms)
    return request, device


def bearer_hash(untrusted_bearer: str) -> Hash:
    """What is kept of a bearer."""
    return labelled("VetRelay-v1 bearer", untrusted_bearer.encode("utf-8", "surrogatepass"))


async def asking_device(relay: RelayServices, untrusted_bearer: str) -> AskingDevice:
    """The active device that a bearer stands for. Raises Refusal `no_session`."""
    hashed = bearer_hash(untrusted_bearer)
    found = relay.reader.bearer(hashed) or await relay.reader.run(lambda store: store.sessions.find(hashed))
    if found is None or found[1] <= relay.now_ms():
        raise Refusal("no_session")
    return found[0]


def _keep(store: Store, bearer: str, device: StoredDevice, *, until_ms: int, now_ms: int) -> None:
    now = store.parties.device(device.id)
    if now is None or not now.active:  # revoked while we looked
        raise Refusal("session_refused")
    store.sessions.add(bearer_hash(bearer), device.id, until_ms=until_ms, now_ms=now_ms)
