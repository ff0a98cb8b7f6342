"""Opening a session: this device, this relay, this address, now."""

import pytest
from msgspec.structs import replace

from tests.chains import RELAY, START_MS, device_named, named_hash, refusal_of
from vetrelay.protocol.session import BEARER_LIFE_MS, SessionRequest, check_session
from vetrelay.protocol.signature import Signed, sign

DEVICE = device_named("phone")
HERE = "https://clinic.example"
REQUEST = SessionRequest(
    v=1, device=DEVICE.id, origin=HERE, relay=RELAY, nonce=named_hash("nonce"), until=START_MS + BEARER_LIFE_MS
)


def asked(signed: Signed, *, now_ms: int = START_MS) -> str:
    """What the relay answers."""
    return refusal_of(
        check_session,
        signed,
        key=DEVICE.sign,
        origins=frozenset({HERE, "http://localhost"}),
        relay=RELAY,
        now_ms=now_ms,
    )


def test_a_device_that_signs_what_it_sees_comes_in() -> None:
    """Origin, relay and nonce stand in what it signs."""
    assert "success" == asked(sign("session", REQUEST, [DEVICE.signer]))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"origin": "https://clinic.example.evil.example"}, "wrong_relay"),
        ({"origin": HERE + "/"}, "wrong_relay"),
        ({"origin": ""}, "bad_body"),
        ({"relay": named_hash("another relay")}, "wrong_relay"),
        ({"until": START_MS}, "session_refused"),
        ({"until": START_MS + 2 * BEARER_LIFE_MS + 1}, "session_refused"),
        ({"until": 0}, "session_refused"),
        ({"v": 2}, "newer_version"),
        ({"v": 0}, "bad_body"),
    ],
)
def test_a_request_for_elsewhere_or_another_time_is_refused(change: dict[str, object], code: str) -> None:
    """A look-alike address in the middle gets a signature that is worth nothing here."""
    assert code == asked(sign("session", replace(REQUEST, **change), [DEVICE.signer]))


def test_two_days_of_a_wrong_clock_are_refused() -> None:
    """(N38) The device takes the relay's time from its challenge instead."""
    signed = sign("session", REQUEST, [DEVICE.signer])
    for days in (-2, 2):
        assert "session_refused" == asked(signed, now_ms=START_MS + days * 24 * 60 * 60 * 1000)


def test_another_devices_request_is_refused() -> None:
    """The key is the one the relay has for the device, never one out of the request."""
    assert "bad_signature" == asked(sign("session", REQUEST, [device_named("stranger").signer]))


def test_a_head_is_no_session() -> None:
    """(N18) The type is part of what is signed."""
    assert "wrong_type" == asked(sign("head", REQUEST, [DEVICE.signer]))
