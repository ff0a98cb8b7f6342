"""One try over one route, against Postfix's smtp-sink, and against a peer that misbehaves as no real one can be told to."""

import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.bridge.certificates import Authority
from tests.bridge.peers import Misbehaving, misbehaving
from tests.bridge.sinks import free_port, smtp_sink
from vetrelay.bridge.resolver import DnsResolver
from vetrelay.bridge.sending.deliver import deliver
from vetrelay.bridge.sending.mta_sts import Policies
from vetrelay.bridge.sending.outcome import Handed, Later, Outcome, Refused, TlsUnverified
from vetrelay.bridge.sending.route import Hop, Login, Routes, Smarthost
from vetrelay.bridge.sending.smtp_out import Enveloped, Timeouts, Voice, hand_over

ID = "k" * 26
MAIL_FROM = f"b+{ID}.{'m' * 26}@bridge.example"
LETTER = (
    b"From: Records <records@bridge.example>\r\nTo: desk@clinic.example\r\nSubject: Case K7Q2: new message\r\n"
    b"Message-ID: <1@bridge.example>\r\n\r\nThere is a new message.\r\n.\r\n..\r\n.hidden\r\nfrom the case\r\n"
)
SENT = Enveloped(departure=ID, mail_from=MAIL_FROM, recipient="desk@clinic.example", letter=LETTER, demands_tls=False)
DEMANDING = replace(SENT, demands_tls=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whose certificates the voice believes."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def voice(authority: Authority) -> Voice:
    """How we speak here."""
    return Voice(hostname="bridge.example", trust=authority.trust, timeouts=Timeouts(command_seconds=20))


def hop(port: int, **wanted: Any) -> Hop:
    """The one host of the test."""
    given = {"host": "mx.clinic.example", "address": "127.0.0.1", "tls": "opportunistic", "name_is_sure": True}
    return Hop(port=port, **{**given, **wanted})


def server_context(authority: Authority, name: str = "mx.clinic.example") -> ssl.SSLContext:
    """What a peer of this name serves with."""
    return authority.certificate(name).context


async def test_a_letter_reaches_the_peer_as_it_is_with_its_envelope(tmp_path: Path, voice: Voice) -> None:
    """Dots and all; what the peer may report is asked for where it can."""
    passed: list[str] = []
    with smtp_sink(tmp_path / "sink") as sink:
        outcome = await hand_over(SENT, hop(sink.port), voice=voice, checkpoint=passed.append)
        (letter,) = sink.letters(at_least=1)
    assert isinstance(outcome, Handed)
    assert 250 == outcome.code
    assert ["before_data", "after_250"] == passed
    assert LETTER.replace(b"\r\n", b"\n") == letter.raw
    assert ("bridge.example", MAIL_FROM, ("desk@clinic.example",)) == (letter.helo, letter.mail_from, letter.recipients)
    assert f"<{MAIL_FROM}> RET=HDRS ENVID={ID}" == letter.mail
    assert ("<desk@clinic.example> NOTIFY=SUCCESS,FAILURE,DELAY",) == letter.rcpt


async def test_a_peer_without_delivery_reports_is_asked_for_none(tmp_path: Path, voice: Voice) -> None:
    """Nothing that it would not understand; one that knows no EHLO at all gets the letter too."""
    for options in (("-N",), ("-e",)):
        with smtp_sink(tmp_path / options[0], *options) as sink:
            assert isinstance(await hand_over(SENT, hop(sink.port), voice=voice), Handed)
            (letter,) = sink.letters(at_least=1)
        assert ("<desk@clinic.example>",) == letter.rcpt
        assert f"<{MAIL_FROM}>" == letter.mail


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("-f", "MAIL"), Refused(code=500, enhanced="5.3.0")),
        (("-f", "RCPT", "-B", "550 5.1.1 <desk@clinic.example> unknown"), Refused(code=550, enhanced="5.1.1")),
        (("-f", "DATA"), Refused(code=500, enhanced="5.3.0")),
        (("-f", "."), Refused(code=500, enhanced="5.3.0")),
        (("-r", "MAIL"), Later(trouble="put_off", code=450, enhanced="4.3.0")),
        (("-r", "RCPT", "-b", "450 4.2.0 Greylisted"), Later(trouble="put_off", code=450, enhanced="4.2.0")),
        (("-r", "DATA"), Later(trouble="put_off", code=450, enhanced="4.3.0")),
        (("-r", "."), Later(trouble="put_off", code=450, enhanced="4.3.0")),
        (("-q", "MAIL"), Later(trouble="no_answer")),
        (("-q", "DATA"), Later(trouble="lost")),
        (("-q", "."), Later(trouble="lost")),
        (("-q", "CONNECT"), Later(trouble="no_connection")),
        (("-f", "CONNECT"), Later(trouble="put_off", code=500, enhanced="5.3.0")),
        (("-Q", "RCPT"), Later(trouble="put_off", code=421, enhanced="4.0.0")),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else "",
)
async def test_rows_23_and_24_each_no_of_a_peer_is_one_outcome(
    tmp_path: Path, voice: Voice, options: tuple[str, ...], expected: Outcome
) -> None:
    """Refused for good, put off, or cut: at every command, and after the letter."""
    with smtp_sink(tmp_path / "sink", *options) as sink:
        assert expected == await hand_over(SENT, hop(sink.port), voice=voice)


async def test_a_slow_peer_is_waited_for_and_one_that_is_silent_is_not(tmp_path: Path, voice: Voice) -> None:
    """Within the time that it has."""
    with smtp_sink(tmp_path / "slow", "-W", "RCPT:1") as sink:
        assert isinstance(await hand_over(SENT, hop(sink.port), voice=voice), Handed)
    hasty = replace(voice, timeouts=Timeouts(command_seconds=0.3))
    with smtp_sink(tmp_path / "silent", "-W", "RCPT:60") as sink:
        assert Later(trouble="no_answer") == await hand_over(SENT, hop(sink.port), voice=hasty)


async def test_a_host_that_is_not_there_is_no_connection(voice: Voice) -> None:
    """Nobody listens."""
    assert Later(trouble="no_connection") == await hand_over(SENT, hop(free_port()), voice=voice)


async def test_row_24_a_lost_250_is_told_from_other_losses(voice: Voice) -> None:
    """The peer has the letter, and we do not know."""
    async with misbehaving(Misbehaving(loses_250=True)) as peer:
        assert Later(trouble="lost") == await hand_over(SENT, hop(peer.port), voice=voice)
        assert [LETTER] == peer.letters


async def test_the_peers_name_for_the_letter_is_kept_and_none_of_its_words(voice: Voice) -> None:
    """ "queued as": what the operator asks the peer by."""
    async with misbehaving(Misbehaving()) as peer:
        assert Handed(code=250, queue_id="4XKq2") == await hand_over(SENT, hop(peer.port), voice=voice)
    async with misbehaving(Misbehaving(answers={".": "250 Thank you, Dr. Rowan"})) as peer:
        assert Handed(code=250, queue_id=None) == await hand_over(SENT, hop(peer.port), voice=voice)


async def test_a_letter_larger_than_the_peer_takes_is_not_begun(voice: Voice) -> None:
    """Its EHLO says how much; so the clinic gets a link instead."""
    async with misbehaving(Misbehaving(extensions=("SIZE 100",))) as peer:
        assert Refused(code=552, enhanced="5.3.4") == await hand_over(SENT, hop(peer.port), voice=voice)
        assert 0 == peer.data_bytes


@pytest.mark.parametrize(
    "recipient",
    ["desk@clinic.example\r\nDATA", "desk@clinic.example>, <b@c.example", "no address", "dësk@clinic.example"],
)
async def test_an_address_that_cannot_be_said_is_refused(voice: Voice, recipient: str) -> None:
    """No line ends, and other letters than ASCII only to a peer that takes them."""
    async with misbehaving(Misbehaving()) as peer:
        outcome = await hand_over(replace(SENT, recipient=recipient), hop(peer.port), voice=voice)
        assert Refused(code=553, enhanced="5.1.3") == outcome
        assert not any(command.startswith(("RCPT", "DATA")) for command in peer.commands)
    async with misbehaving(Misbehaving(extensions=("SMTPUTF8", "8BITMIME"))) as peer:
        outcome = await hand_over(replace(SENT, recipient="dësk@clinic.example"), hop(peer.port), voice=voice)
        assert isinstance(outcome, Handed)


# --- TLS ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("certificate_name", "hides", "wanted", "expected"),
    [
        ("mx.clinic.example", True, {}, TlsUnverified(offered=False)),
        ("mx.other.example", False, {}, TlsUnverified(offered=True)),
        ("mx.clinic.example", False, {"pin": "00" * 32}, TlsUnverified(offered=True)),
        ("mx.clinic.example", False, {"name_is_sure": False}, TlsUnverified(offered=False)),
        ("mx.clinic.example", False, {"tls": "off"}, TlsUnverified(offered=False)),
    ],
    ids=["STARTTLS stripped", "another's certificate", "another than pinned", "a name out of the DNS", "TLS off"],
)
async def test_row_25_without_a_verified_connection_no_byte_of_a_letter_that_demands_it_leaves(
    authority: Authority,
    voice: Voice,
    certificate_name: str,
    *,
    hides: bool,
    wanted: dict[str, Any],
    expected: Outcome,
) -> None:
    """0 bytes after DATA; and nobody learns whom it is for."""
    peer = Misbehaving(context=server_context(authority, certificate_name), hides_starttls=hides)
    async with misbehaving(peer):
        assert expected == await hand_over(DEMANDING, hop(peer.port, **wanted), voice=voice)
    assert 0 == peer.data_bytes
    assert not any(command.startswith(("MAIL", "RCPT", "DATA")) for command in peer.commands)


async def test_row_25_a_certificate_of_an_unknown_authority_is_not_verified(voice: Voice, tmp_path: Path) -> None:
    """Right name, wrong signer."""
    peer = Misbehaving(context=server_context(Authority(tmp_path)))
    async with misbehaving(peer):
        assert TlsUnverified(offered=True) == await hand_over(DEMANDING, hop(peer.port), voice=voice)
    assert 0 == peer.data_bytes


async def test_a_verified_connection_carries_a_letter_that_demands_it(authority: Authority, voice: Voice) -> None:
    """By the authority and the name; the next hop is asked for the same where it can be (RFC 8689)."""
    peer = Misbehaving(context=server_context(authority), extensions=("REQUIRETLS", "DSN"))
    async with misbehaving(peer):
        assert isinstance(await hand_over(DEMANDING, hop(peer.port), voice=voice), Handed)
    assert [LETTER] == peer.letters
    words = [command.partition(" ")[0] for command in peer.commands]
    assert ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "DATA"] == words[:6]
    assert any(command.startswith("MAIL") and command.endswith(" REQUIRETLS") for command in peer.commands)


async def test_a_pinned_certificate_is_enough_whoever_signed_it(voice: Voice, tmp_path: Path) -> None:
    """The operator looked at it; the name out of the DNS does not matter then."""
    certificate = Authority(tmp_path).certificate("anything.example")
    peer = Misbehaving(context=certificate.context)
    async with misbehaving(peer):
        pinned = hop(peer.port, pin=certificate.sha256, name_is_sure=False)
        assert isinstance(await hand_over(DEMANDING, pinned, voice=voice), Handed)


async def test_other_letters_take_the_tls_that_there_is(authority: Authority, voice: Voice) -> None:
    """A certificate for another name hinders nobody who demands nothing; nor does a peer without TLS."""
    for hides in (False, True):
        peer = Misbehaving(context=server_context(authority, "mx.other.example"), hides_starttls=hides)
        async with misbehaving(peer):
            assert isinstance(await hand_over(SENT, hop(peer.port), voice=voice), Handed)
        assert hides is not ("STARTTLS" in peer.commands)
        assert (1 if hides else 2) == sum(command.startswith("EHLO") for command in peer.commands)


async def test_on_a_route_that_is_to_be_verified_every_letter_waits_for_it(authority: Authority, voice: Voice) -> None:
    """A smarthost that is `verified`, or a policy that enforces."""
    peer = Misbehaving(context=server_context(authority, "mx.other.example"))
    async with misbehaving(peer):
        assert TlsUnverified(offered=True) == await hand_over(SENT, hop(peer.port, tls="verified"), voice=voice)
    assert 0 == peer.data_bytes


# --- smarthosts and routes -------------------------------------------------------------------------------------------


def routes(voice: Voice, **wanted: Any) -> Routes:
    """Routes without any DNS."""
    resolver = DnsResolver(("127.0.0.1:1",), question_seconds=0.2)
    policies = Policies(resolver, now_ms=lambda: 0, trust=voice.trust)
    return Routes(resolver=resolver, policies=policies, random_bytes=bytes, **wanted)


async def test_the_password_goes_to_the_smarthost_only_inside_tls(authority: Authority, voice: Voice) -> None:
    """AUTH after STARTTLS; and where STARTTLS is stripped, neither password nor letter."""
    login = Login(user="bridge", password="a-secret")
    assert "a-secret" not in repr(login)
    peer = Misbehaving(
        context=server_context(authority, "localhost"),
        extensions=("AUTH PLAIN",),
        answers={"AUTH": "235 2.7.0 welcome"},
    )
    async with misbehaving(peer):
        smarthost = Smarthost(host="localhost", port=peer.port, tls="verified", login=login)
        outcome = await deliver(SENT, routes=routes(voice, smarthost=smarthost), voice=voice)
        assert isinstance(outcome, Handed)
        assert ["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL"] == [each.partition(" ")[0] for each in peer.commands[:5]]
        for tls in ("verified", "opportunistic"):
            peer.commands.clear()
            peer.hides_starttls = True
            hidden = replace(smarthost, tls=tls)
            await deliver(SENT, routes=routes(voice, smarthost=hidden), voice=voice)
            assert not any(each.startswith(("AUTH", "MAIL")) for each in peer.commands)


async def test_a_password_that_the_smarthost_does_not_take_leaves_the_letter_waiting(voice: Voice) -> None:
    """It is the operator's to mend: no clinic is told that its letter failed."""
    peer = Misbehaving(extensions=("AUTH PLAIN",), answers={"AUTH": "535 5.7.8 no"})
    async with misbehaving(peer):
        smarthost = Smarthost(
            host="127.0.0.1", port=peer.port, tls="off", login=Login(user="bridge", password="a-secret")
        )
        outcome = await deliver(SENT, routes=routes(voice, smarthost=smarthost), voice=voice)
    assert Later(trouble="login", code=535) == outcome
    assert [] == peer.letters


async def test_a_smarthost_that_speaks_tls_from_the_first_byte_is_spoken_to_so(
    authority: Authority, voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Port 465 (RFC 8314); here another number stands for it."""
    peer = Misbehaving(context=server_context(authority, "localhost"), implicit_tls=True)
    async with misbehaving(peer):
        monkeypatch.setattr("vetrelay.bridge.sending.route.SUBMISSIONS_PORT", peer.port)
        smarthost = Smarthost(host="localhost", port=peer.port, tls="verified")
        assert isinstance(await deliver(DEMANDING, routes=routes(voice, smarthost=smarthost), voice=voice), Handed)
        wrong = replace(smarthost, host="127.0.0.1")
        assert TlsUnverified(offered=True) == await deliver(
            DEMANDING, routes=routes(voice, smarthost=wrong), voice=voice
        )
    assert 1 == len(peer.letters)


async def test_a_peer_whose_tls_is_broken_gets_ordinary_letters_in_clear(voice: Voice) -> None:
    """It offers STARTTLS and cannot do it: opportunistic means that (RFC 7435); a letter that demands stays."""
    broken = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # without a certificate no handshake succeeds
    peer = Misbehaving(context=broken)
    async with misbehaving(peer):
        smarthost = Smarthost(host="127.0.0.1", port=peer.port, tls="opportunistic")
        assert isinstance(await deliver(SENT, routes=routes(voice, smarthost=smarthost), voice=voice), Handed)
        assert 1 == len(peer.letters)
        outcome = await deliver(DEMANDING, routes=routes(voice, smarthost=smarthost), voice=voice)
        assert TlsUnverified(offered=True) == outcome
        assert 1 == len(peer.letters)


async def test_a_dns_that_does_not_answer_leaves_the_letter_waiting(voice: Voice) -> None:
    """Not refused: the domain may well exist."""
    assert Later(trouble="dns") == await deliver(SENT, routes=routes(voice), voice=voice)
