"""A party's further devices and changes of its key, made with real boxes, before the commands for them exist."""

import os

from msgspec import structs

from tests.client.town import Town
from vetrelay.client.end import End
from vetrelay.client.keyring import Keyring
from vetrelay.client.parties import own_party
from vetrelay.client.partykeys import party_keys
from vetrelay.protocol.derive import derive
from vetrelay.protocol.identity import DeviceIdentity, PartyKey, signer_from
from vetrelay.protocol.ids import DeviceId, SealKey, b64, sha256, unb64
from vetrelay.protocol.party import Box, DeviceAdd, GenerationBox, KeyStep, Offer, Rotate
from vetrelay.protocol.seal import seal_bytes
from vetrelay.protocol.signature import sign
from vetrelay.protocol.statement import render


def age_file(content: bytes, seal: SealKey) -> bytes:
    """A small age file for one reader."""
    return seal_bytes(content, [unb64(seal, 1216)], file_key=os.urandom(16), nonce=os.urandom(16)).age_file


async def add_device(town: Town, admin: End, name: str) -> End:
    """A second device of the admin's party, in a home of its own; it has no key yet but its box at the relay."""
    device = DeviceIdentity(sign_seed=os.urandom(32), seal_seed=os.urandom(32))
    party = await own_party(admin)
    newest = party_keys(admin)[0]
    box = age_file(newest.seed, device.seal)
    offer = Offer(v=1, party=party.id, sign=device.sign, seal=device.seal, nonce=b64(os.urandom(16)), inspects=True)
    secret = signer_from(derive(os.urandom(16), "offer/sign"))
    statement = DeviceAdd(
        v=1,
        party=party.id,
        seq=party.seq + 1,
        prev=party.head,
        offer=sign("offer", offer, [device.signer, secret]),
        person=admin.keyring.person,
        role="owner",
        admin=True,
        boxes=(GenerationBox(group="all", gen=newest.gen, sha256=b64(sha256(box))),),
    )
    signed = sign("party", statement, [admin.device.signer])
    await admin.api.append_party(party.id, render({"entry": signed, "boxes": {b64(sha256(box)): b64(box)}}))
    keyring: Keyring = structs.replace(
        admin.keyring, sign_seed=b64(device.sign_seed), seal_seed=b64(device.seal_seed), keys=()
    )
    return await town.newly(name, keyring)


async def rotate(
    admin: End,
    *,
    boxed: dict[DeviceId, bytes] | None = None,
    revoke: tuple[DeviceId, ...] = (),
    back: bytes | None = None,
) -> PartyKey:
    """The party's next key, boxed for every device that stays. `boxed` and `back` are other contents, if they lie."""
    party = await own_party(admin)
    before = party_keys(admin)[0]
    key = PartyKey(gen=party.generation.gen + 1, seed=os.urandom(32))
    boxes: dict[str, bytes] = {}
    named = []
    for device in party.active:
        if device.id not in revoke:
            box = age_file((boxed or {}).get(device.id, key.seed), device.seal)
            boxes[b64(sha256(box))] = box
            named.append(Box(device=device.id, sha256=b64(sha256(box))))
    way_back = age_file(back or before.seed, key.seal)
    boxes[b64(sha256(way_back))] = way_back
    step = KeyStep(group="all", gen=key.gen, seal=key.seal, back=b64(sha256(way_back)), boxes=tuple(named))
    statement = Rotate(v=1, party=party.id, seq=party.seq + 1, prev=party.head, revoke=revoke, keys=(step,))
    signed = sign("party", statement, [admin.device.signer])
    request = {"entry": signed, "boxes": {name: b64(content) for name, content in boxes.items()}}
    await admin.api.append_party(party.id, render(request))
    return key
