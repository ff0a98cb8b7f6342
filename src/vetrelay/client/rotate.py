"""Rotation: every week the machine's party gets a new key with no way back, and the old one is forgotten.

Whoever takes over the intake reads what is sealed to it from then on, not what came before (protocol.md section 3).
A generation passes through three states, each durable before the next:

    seed in the keyring  →  `rotate` stands in the chain (`since_ms` is set)  →  older seeds dropped
"""

from dataclasses import replace
from typing import Final

from msgspec import structs

from vetrelay.client.end import End
from vetrelay.client.keyring import Keyring, StoredKey, save_keyring
from vetrelay.client.parties import boxed, own_party
from vetrelay.errors import Fault
from vetrelay.protocol.identity import PartyKey
from vetrelay.protocol.ids import b64, unb64
from vetrelay.protocol.party import Rotate
from vetrelay.protocol.partystate import Party
from vetrelay.protocol.signature import sign
from vetrelay.protocol.statement import VERSION, render

DAY_MS: Final = 24 * 60 * 60 * 1000
KEEP_OLD_MS: Final = 60 * 60 * 1000


def newest(keyring: Keyring) -> StoredKey:
    """The generation that is in use, or about to be."""
    return max(keyring.keys, key=lambda stored: stored.gen)


def _kept(end: End, *keys: StoredKey) -> End:
    keyring = structs.replace(end.keyring, keys=keys)
    save_keyring(end.home, keyring, passphrase=None, salt=b"", nonce=b"")
    return replace(end, keyring=keyring)


def begin_rotation(end: End, *, every_ms: int) -> End:
    """The end with the seed of its next generation, when the present one is that old; the seed is durable."""
    current = newest(end.keyring)
    if not current.since_ms or end.now_ms() - current.since_ms < every_ms:
        return end
    fresh = StoredKey(gen=current.gen + 1, seed=b64(end.random_bytes(32)))
    return _kept(end, *end.keyring.keys, fresh)  # durable before the chain names it: else nobody could open it


async def complete_rotation(end: End) -> End:
    """The end whose newest key stands in its chain; repeating it after a kill at any point goes on from there.

    Raises what the relay refuses, or Fault: then the key before it stays in use, and this is to be tried again.
    """
    current = newest(end.keyring)
    if current.since_ms:
        return end
    party = await own_party(end)
    if party.generation.gen == current.gen - 1:
        await _post(end, party, current)
    elif (party.generation.gen, party.generation.seal) != (current.gen, _key(current).seal):
        raise Fault("keyring_damaged")
    older = [stored for stored in end.keyring.keys if stored.gen != current.gen]
    return _kept(end, *older, structs.replace(current, since_ms=end.now_ms()))


def _key(stored: StoredKey) -> PartyKey:
    return PartyKey(gen=stored.gen, seed=unb64(stored.seed, 32))


async def _post(end: End, party: Party, fresh: StoredKey) -> None:
    step, boxes = boxed("machine", _key(fresh), end.device, end.random_bytes)
    statement = Rotate(v=VERSION, party=party.id, seq=party.seq + 1, prev=party.head, revoke=(), keys=(step,))
    signed = sign("party", statement, [end.device.signer])
    await end.api.append_party(party.id, render({"entry": signed, "boxes": boxes}))


def may_drop(end: End, *, idle: bool, read_to_the_end_ms: int) -> bool:
    """Whether nothing can be waiting any more that is sealed to an older key.

    Since the new key stands in the chain, the relay takes nothing sealed to the old one. What it took before has come
    once the inbox was read to its end an hour later, and is done when no job is open.
    """
    since_ms = newest(end.keyring).since_ms
    return bool(since_ms) and idle and len(end.keyring.keys) > 1 and read_to_the_end_ms >= since_ms + KEEP_OLD_MS


def drop_old_keys(end: End) -> End:
    """The end with its newest key alone; the others are gone for good."""
    return _kept(end, newest(end.keyring))
