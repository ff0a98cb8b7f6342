"""The party's keys on this device: those of its keyring, and those that another device of the party has boxed for it.

A new generation is announced in the chain and comes as a box; older ones come by `back`, an age file to the generation
after it. A seed is accepted only if its recipient equals `seal` in the chain: else a visible fault, never a fallback.
"""

from functools import lru_cache

from vetrelay.client.end import End
from vetrelay.client.notes import open_note, seal_note
from vetrelay.errors import Fault, Refusal
from vetrelay.protocol.age.identities import HybridIdentity
from vetrelay.protocol.identity import PartyKey
from vetrelay.protocol.ids import Hash, b64, sha256
from vetrelay.protocol.party import DeviceAdd, Offer, parse_statement
from vetrelay.protocol.partystate import Party
from vetrelay.protocol.statement import convert, parse_signed
from vetrelay.protocol.unseal import open_age_file

SEED_BYTES = 32


def party_keys(end: End) -> tuple[PartyKey, ...]:
    """Every generation of the party's key that this device has, the newest first."""
    boxed = (PartyKey(gen=gen, seed=open_note(end, seed)) for gen, seed in end.journal.party_keys())
    known = {key.gen: key for key in (*boxed, *end.keyring.party_keys)}
    return tuple(sorted(known.values(), key=lambda key: -key.gen))


@lru_cache(maxsize=1)  # one party's at a time: what a machine has dropped must not live on here
def _identities(seeds: tuple[bytes, ...]) -> tuple[HybridIdentity, ...]:
    return tuple(HybridIdentity(seed) for seed in seeds)


def party_identities(end: End) -> tuple[HybridIdentity, ...]:
    """The age identities of the party, the likeliest to fit first."""
    return _identities(tuple(key.seed for key in party_keys(end)))


async def fetch_party_keys(end: End, party: Party) -> None:
    """Brings the generations that this device lacks, as far as the chain gives them to it; `party` is its own party.

    Raises Fault `party_key_differs` for a box or a `back` that does not hold what the chain says it holds.
    """
    if party.kind == "machine":
        return  # it makes its keys itself, has them before its chain names them, and drops them for good
    known = {key.gen: key for key in party_keys(end)}
    newest = party.generation
    if newest.gen not in known:
        sealed = await _file(end, party, await _box_of(end, party))
        known[newest.gen] = _kept(end, party, newest.gen, sealed, end.device.age)
    # A generation of a machine stands alone: whoever takes the machine over cannot read what came before.
    for step in reversed(party.generations[1:]):
        if step.back is not None and step.gen in known and step.gen - 1 not in known:
            sealed = await _file(end, party, step.back)
            known[step.gen - 1] = _kept(end, party, step.gen - 1, sealed, known[step.gen].age)


async def _box_of(end: End, party: Party) -> Hash:
    """The name of this device's box of the newest generation."""
    boxes = {box.device: box.sha256 for box in party.generation.boxes}
    if end.device.id in boxes:
        return boxes[end.device.id]
    # Added after the last change of keys: the statement that added this device names its box.
    for signed in (await end.api.party_chain(party.id)).chain:
        statement = parse_statement(signed.content())
        if isinstance(statement, DeviceAdd):
            offer = convert(parse_signed(statement.offer.content()), Offer)
            if offer.sign == end.device.sign and statement.boxes[0].gen == party.generation.gen:
                return statement.boxes[0].sha256
    raise Fault("party_key_differs")


async def _file(end: End, party: Party, name: Hash) -> bytes:
    raw = await end.api.box(party.id, name)
    if b64(sha256(raw)) != name:
        raise Fault("party_key_differs")
    return raw


def _kept(end: End, party: Party, gen: int, sealed: bytes, identity: HybridIdentity) -> PartyKey:
    """The key of a generation out of its age file, kept here once it is what the chain says."""
    try:
        key = PartyKey(gen=gen, seed=open_age_file(sealed, [identity]))
    except Refusal as wrong:
        raise Fault("party_key_differs") from wrong
    if len(key.seed) != SEED_BYTES or key.seal != party.generations[gen].seal:
        raise Fault("party_key_differs")
    end.journal.save_party_key(gen, seal_note(end, key.seed))
    return key
