"""What is said by and of email: each kind comes back from its bytes, and nothing else passes for one."""

from typing import Any

import pytest
from msgspec.structs import replace

from tests.chains import ActingParty, named_hash, object_ref, open_case, refusal_of
from tests.protocol.test_manifest import manifest_of
from vetrelay.protocol.bymail import (
    KINDS_BY_MAIL,
    ByMail,
    Correspondent,
    Delivery,
    FrontDoor,
    Letter,
    LetterRuling,
    LetterWaiting,
    Mailbox,
    MailConsent,
    MailEvent,
)
from vetrelay.protocol.envelope import Envelope
from vetrelay.protocol.manifest import open_manifest, pad

LETTER_ID = "abcdefghijklmnopqrstuvwx23"
ADDRESS = "records@clinic.example"
TIME_MS = 1_760_000_000_000


def said_in_a_case() -> Envelope:
    """A control envelope without files."""
    clinic = ActingParty("clinic", "clinic")
    running = open_case(clinic, label="by mail")
    control = running.envelope(clinic, "control", named=(object_ref("manifest", "by mail manifest"),))
    running.send(control, clinic)
    return control


CARRIER = said_in_a_case()
EACH: dict[str, ByMail] = {
    "correspondent": Correspondent(
        address=ADDRESS, name="Alderway Clinic", listed=True, mode="notify", key=None, key_material=None,
        reference="24-117", confirm=True,
    ),
    "front_door": FrontDoor(on=True),
    "letter_ruling": LetterRuling(letter=LETTER_ID, take=True, into=named_hash("a case")),
    "consent": MailConsent(about="plain_mail", address=ADDRESS, given=True),
    "mailbox": Mailbox(
        address=ADDRESS, mail=f"case+{LETTER_ID}@mail.example", upload="https://mail.example/u/x", code="12345678",
        pgp="A" * 40,
    ),
    "letter_waiting": LetterWaiting(
        letter=LETTER_ID, sender="someone@else.example", subject="Luna", files=2, size=9, known=False, front_door=False,
        reason="not_listed", received=TIME_MS,
    ),
    "delivery": Delivery(
        answers=named_hash("an envelope"), address=ADDRESS, state="emailed", mode="notify", at=TIME_MS, reason=None,
    ),
    "mail_event": MailEvent(what="claim_refused", about="clinic.example", detail=None, at=TIME_MS),
    "letter": Letter(
        letter=LETTER_ID, way="email", address=ADDRESS, name="Dr. Alder", subject="Luna’s X-rays", written=TIME_MS,
        text="Please find them below.\n> thank you", folds=((24, 35),), known=True, automatic=False, encrypted=False,
        signature="none", unread=None,
    ),
}  # fmt: skip


def test_there_is_one_of_each_kind() -> None:
    """And so a word on each."""
    assert set(EACH) == KINDS_BY_MAIL


@pytest.mark.parametrize("kind", EACH)
def test_each_comes_back_from_its_bytes(kind: str) -> None:
    """As it was said."""
    assert EACH[kind] == open_manifest(pad(manifest_of(CARRIER, EACH[kind])), CARRIER).content


LIES: dict[str, tuple[str, ByMail]] = {
    "an address without a domain": ("bad_body", replace(EACH["correspondent"], address="records")),
    "an address with a line end": ("bad_body", replace(EACH["correspondent"], address="a\n@clinic.example")),
    "two addresses in one": ("bad_body", replace(EACH["correspondent"], address="a@b.example,c@d.example")),
    "a reference that would break a Subject": ("bad_body", replace(EACH["correspondent"], reference="1\r\nBcc: x")),
    "a mode that nobody knows": ("bad_body", replace(EACH["correspondent"], mode="fax")),
    "a fingerprint that is cut": ("bad_body", replace(EACH["correspondent"], key="ABC")),
    "a letter's number that is a path": (
        "bad_body",
        replace(EACH["letter_ruling"], letter="../../../../etc/passwd0000"),
    ),
    "a consent to something else": ("bad_body", replace(EACH["consent"], about="everything")),
    "a state that nobody knows": ("bad_body", replace(EACH["delivery"], state="lost")),
}


@pytest.mark.parametrize(("code", "content"), LIES.values(), ids=LIES.keys())
def test_what_is_out_of_its_list_is_refused(code: str, content: Any) -> None:
    """With this code, by every reader."""
    assert code == refusal_of(open_manifest, pad(manifest_of(CARRIER, content)), CARRIER)
