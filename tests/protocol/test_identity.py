"""Secret halves: what follows from seeds, and that they stay out of sight."""

from tests.chains import device_named, party_key, seed
from vetrelay.protocol.derive import derive
from vetrelay.protocol.identity import invitation_identity, invitation_signer, newest_first, sign_key_of
from vetrelay.protocol.ids import b64, device_id, unb64
from vetrelay.protocol.seal import seal_bytes
from vetrelay.protocol.signature import check_sign_key
from vetrelay.protocol.unseal import open_age_file


def test_a_devices_id_follows_from_both_its_keys() -> None:
    """Neither can be exchanged for another."""
    one, other = device_named("one"), device_named("other")
    assert device_id(one.sign, one.seal) == one.id
    assert 4 == len({one.id, other.id, device_id(one.sign, other.seal), device_id(other.sign, one.seal)})


def test_no_seed_is_shown_by_accident() -> None:
    """(N36) A repr ends up in a traceback, and a traceback in a log."""
    device, key = device_named("one"), party_key("clinic", 0)
    for secret in (device.sign_seed, device.seal_seed, key.seed):
        for shown in (repr(device), repr(key), repr(device.age), repr(key.age), repr(device.signer)):
            assert repr(secret)[2:-1] not in shown
            assert secret.hex() not in shown
            assert b64(secret) not in shown


def test_a_party_opens_with_its_newest_key_first() -> None:
    """What is asked for is mostly new."""
    keys = [party_key("clinic", gen) for gen in (1, 0, 2)]
    assert [party_key("clinic", gen).age for gen in (2, 1, 0)] == list(newest_first(keys))


def test_an_invitations_secret_signs_and_opens_its_card() -> None:
    """Two keys from one secret; the card is sealed to one, party.add is signed with the other."""
    secret = seed("invitation", 16)
    public = sign_key_of(derive(secret, "invite/sign"))
    signature = invitation_signer(secret)(b"covered")
    assert public == signature.key
    check_sign_key(public).verify(b"covered", unb64(signature.sig))
    identity = invitation_identity(secret)
    card = seal_bytes(b"who asks", [identity.recipient], file_key=seed("key", 16), nonce=seed("nonce", 16)).age_file
    assert b"who asks" == open_age_file(card, [identity])
