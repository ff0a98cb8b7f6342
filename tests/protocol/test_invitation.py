"""Links: what a person passes on, and what becomes of it on the way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chains import RELAY, named_hash, refusal_of, seed
from vetrelay.protocol.ids import b64, unb64
from vetrelay.protocol.invitation import DeviceLink, DoorLink, InvitationLink, Link, parse_link, render_link

SECRET = seed("link", 16)
BASE = "https://clinic.example:8443/relay"
INVITATION = InvitationLink(
    base_url=BASE,
    secret=SECRET,
    case=named_hash("case"),
    inviter=named_hash("clinic"),
    relay=RELAY,
    n=7,
    head=named_hash("head"),
)
DOOR = DoorLink(base_url=BASE, secret=SECRET, party=named_hash("clinic"), relay=RELAY)
DEVICE = DeviceLink(base_url=BASE, secret=SECRET, party=named_hash("clinic"), device=named_hash("device"), relay=RELAY)


@pytest.mark.parametrize("link", [INVITATION, DOOR, DEVICE], ids=["i1", "o1", "d1"])
def test_a_link_comes_back_from_its_text(link: Link) -> None:
    """Everything is in the fragment; the path is /j."""
    text = render_link(link)
    assert link == parse_link(text)
    assert text.startswith(BASE + "/j#")
    assert b64(SECRET) not in repr(link)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: f" {text}\n",
        lambda text: text[:60] + "\r\n " + text[60:],
        lambda text: text.replace("/j#", "/j?utm_source=mail&x=/j#"),
    ],
    ids=["white space around", "wrapped by a mail client", "query junk before the fragment"],
)
def test_what_mail_clients_do_to_a_link_does_no_harm(spoil: object) -> None:
    """(N28) White space and tracking junk are not the person's fault."""
    assert callable(spoil)
    assert INVITATION == parse_link(spoil(render_link(INVITATION)))


TEXT = render_link(INVITATION)
LATE = b64(SECRET + b"".join(unb64(named_hash(x)) for x in "abc") + (2**53).to_bytes(8, "big") + bytes(32))
BROKEN = {
    "fragment missing": TEXT.split("#")[0],
    "empty": "",
    "cut short by one": TEXT[:-1],
    "cut in half": TEXT[: len(TEXT) // 2],
    "a letter too many": TEXT + "A",
    "a dot after it": TEXT + ".",
    "another form": TEXT.replace("#i1.", "#i2."),
    "a door's form around an invitation": TEXT.replace("#i1.", "#o1."),
    "an invitation's form around a door": render_link(DOOR).replace("#o1.", "#i1."),
    "a device's form around a door": render_link(DOOR).replace("#o1.", "#d1."),
    "no scheme": TEXT.removeprefix("https://"),
    "another scheme": TEXT.replace("https://", "javascript://"),
    "another path": TEXT.replace("/j#", "/k#"),
    "leftover bits": TEXT[:-1] + chr(ord(TEXT[-1]) + 1),
    "not base64": TEXT[:-3] + "%41",
    "a position no number holds": f"{BASE}/j#i1.{LATE}",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_link_says_so(text: str) -> None:
    """(N28) It never half works."""
    assert "link_broken" == refusal_of(parse_link, text)


@given(st.binary(max_size=200), st.sampled_from(["i1", "o1", "d1"]))
def test_a_link_has_one_text(raw: bytes, form: str) -> None:
    """Whatever is taken is written the same again."""
    text = f"{BASE}/j#{form}.{b64(raw)}"
    if refusal_of(parse_link, text) == "success":
        assert text == render_link(parse_link(text))
