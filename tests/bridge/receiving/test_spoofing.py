"""Those who try to be somebody else, over the wire: a real client, the bridge's own port, a real DNS server."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiosmtplib
import pytest

from tests.bridge.mailrooms import ROWAN, case_of, mailroom, reception_of, zone
from tests.bridge.signed_letters import plain_letter, publish_key, signed
from tests.bridge.zone import Zone, serving
from vetrelay.bridge.ports import ArrivalState
from vetrelay.bridge.receiving.mailroom import Mailroom
from vetrelay.bridge.receiving.smtp_in import listen

DOMAIN = ROWAN.address.partition("@")[2]
CASE = case_of(ROWAN)
THIEF = "x@thief.example"


@dataclass
class Bridge:
    """A bridge that takes letters; this machine is the thief's server, until SPF says that it is the clinic's."""

    room: Mailroom
    dns: Zone
    where: tuple[str, int]

    async def says(self, raw: bytes, *, mail_from: str = THIEF) -> str:
        """The answer to a letter, as a usual client hears it."""
        host, port = self.where
        async with aiosmtplib.SMTP(
            hostname=host, port=port, start_tls=False, local_hostname="mx.thief.example"
        ) as client:
            try:
                _, text = await client.sendmail(mail_from, [CASE], raw)
            except aiosmtplib.SMTPResponseException as refused:
                return f"{refused.code} {refused.message.partition(' ')[0]}"
        return "250 " + text.partition(" ")[0]

    def waiting(self) -> int:
        return len(self.room.arrivals.in_state(ArrivalState.WAITING))

    def received(self) -> int:
        return len(self.room.arrivals.in_state(ArrivalState.RECEIVED))

    def told(self) -> list[tuple[str | None, str, str]]:
        return [(event.case, event.what, event.domain) for event in self.room.events.pending()]


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    dns = zone()
    dns.replace(DOMAIN, "TXT", "v=spf1 -all")
    dns.add("thief.example", "TXT", "v=spf1 ip4:127.0.0.1 -all")
    publish_key(dns, DOMAIN)
    publish_key(dns, "thief.example")
    async with serving(dns) as place, mailroom(tmp_path, place) as room:
        listening = await listen(reception_of(room), config=room.config, tls=None, random_bytes=secrets.token_bytes)
        host, _, port = listening.listens[0].rpartition(":")
        yield Bridge(room, dns, (host, int(port)))
        await listening.close()


def policy(bridge: Bridge, text: str) -> None:
    bridge.dns.replace(f"_dmarc.{DOMAIN}", "TXT", f"v=DMARC1; p={text}")


FORGED = plain_letter(f"Dr. Rowan <{ROWAN.address}>")


async def test_row_16_a_forged_clinic_is_refused_where_its_policy_says_so_and_the_case_hears_of_it(
    bridge: Bridge,
) -> None:
    """With the domain, and nothing else of the letter."""
    assert "550 5.7.26" == await bridge.says(FORGED, mail_from=f"rowan@{DOMAIN}")
    assert "550 5.7.1" == await bridge.says(FORGED)
    assert (0, 0) == (bridge.waiting(), bridge.received())
    assert [(ROWAN.case, "claim_refused", DOMAIN)] == bridge.told()


async def test_row_16_a_forged_clinic_without_a_policy_waits_for_staff(bridge: Bridge) -> None:
    """p=none: nobody was told to refuse it."""
    policy(bridge, "none")
    assert "250 2.0.0" == await bridge.says(FORGED)
    assert (1, 0, []) == (bridge.waiting(), bridge.received(), bridge.told())


async def test_row_17_good_signatures_that_prove_nothing_wait_for_staff(bridge: Bridge) -> None:
    """A second author beside a signed one, on top of it and under it; text behind what a length covers."""
    policy(bridge, "none")
    good = signed(FORGED, DOMAIN)
    assert "250 2.0.0" == await bridge.says(good)
    assert (0, 1) == (bridge.waiting(), bridge.received())
    for number, raw in enumerate(
        (
            b"From: thief@thief.example\r\n" + good,
            good.replace(b"\r\n\r\n", b"\r\nFrom: thief@thief.example\r\n\r\n", 1),
            signed(FORGED, DOMAIN, length=True) + b"Give 20 ml.\r\n",
        ),
        start=1,
    ):
        assert "250 2.0.0" == await bridge.says(raw)
        assert (number, 1) == (bridge.waiting(), bridge.received())


async def test_row_18_proof_of_another_domain_is_none_of_the_clinics(bridge: Bridge) -> None:
    """The thief's own SPF and DKIM pass: it waits, or is refused where the clinic's policy says so."""
    policy(bridge, "none")
    theirs = signed(FORGED, "thief.example")
    assert "250 2.0.0" == await bridge.says(theirs)
    assert (1, 0) == (bridge.waiting(), bridge.received())
    policy(bridge, "quarantine")
    assert "550 5.7.1" == await bridge.says(theirs)


async def test_row_19_while_nobody_answers_the_sender_keeps_the_letter_and_later_it_is_taken(bridge: Bridge) -> None:
    """451, and the same letter again."""
    good = signed(FORGED, DOMAIN)
    for broken in (f"_dmarc.{DOMAIN}", f"s1._domainkey.{DOMAIN}"):
        bridge.dns.broken.add(broken)
        assert "451 4.4.3" == await bridge.says(good)
        bridge.dns.broken.clear()
    assert (0, 0) == (bridge.waiting(), bridge.received())
    assert "250 2.0.0" == await bridge.says(good)
    assert (0, 1) == (bridge.waiting(), bridge.received())


async def test_row_20_results_that_a_stranger_wrote_in_our_name_count_for_nothing(bridge: Bridge) -> None:
    """Authentication-Results with our own name, and with a DMARC pass."""
    claimed = f"Authentication-Results: {bridge.room.config.hostname}; dmarc=pass header.from={DOMAIN}\r\n".encode()
    assert "550 5.7.1" == await bridge.says(claimed + FORGED)


async def test_row_32_a_head_that_is_a_bomb_waits_as_it_is(bridge: Bridge) -> None:
    """Encoded words without end, and thousands of parameters: never looked into, never refused."""
    policy(bridge, "none")
    for bomb in (b"Subject: " + b"=?utf-8?q?a?=\r\n " * 23_000, b"Content-Type: text/plain" + b";\r\n a*0=b" * 20_000):
        assert "250 2.0.0" == await bridge.says(bomb + b"x\r\n" + FORGED)
    assert (2, 0) == (bridge.waiting(), bridge.received())
