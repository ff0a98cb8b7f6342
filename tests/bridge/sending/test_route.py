"""Where letters go, by a real DNS server: mail servers in order, the domain itself, nowhere; and whose names are sure."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.bridge.certificates import Authority
from tests.bridge.peers import Misbehaving, misbehaving
from tests.bridge.sending.test_smtp_out import LETTER, SENT
from tests.bridge.zone import Zone, serving
from vetrelay.bridge.resolver import DnsResolver
from vetrelay.bridge.sending.deliver import deliver
from vetrelay.bridge.sending.mta_sts import Policies, Policy
from vetrelay.bridge.sending.outcome import Handed, Outcome, Refused, TlsUnverified
from vetrelay.bridge.sending.route import Hop, Routes
from vetrelay.bridge.sending.smtp_out import Voice
from vetrelay.errors import Fault

ENFORCED = Policy(mode="enforce", mx=("mx.hosted.example",), max_age_seconds=86_400)


class KnownPolicies(Policies):
    """Policies that are kept already: what a domain's page says is test_mta_sts.py's matter."""

    def __init__(self, resolver: DnsResolver, authority: Authority, known: dict[str, Policy]) -> None:
        super().__init__(resolver, now_ms=lambda: 0, trust=authority.trust)
        self.known = known

    async def policy(self, domain: str) -> Policy | None:
        return self.known.get(domain)


@asynccontextmanager
async def routing(
    folder: Path, zone: Zone, *, known: dict[str, Policy] | None = None, **wanted: Any
) -> AsyncIterator[Routes]:
    """Routes by a zone."""
    async with serving(zone) as dns:
        resolver = DnsResolver((dns,))
        policies = KnownPolicies(resolver, Authority(folder), known or {})
        given: dict[str, Any] = {"unsafe_private": True, **wanted}
        yield Routes(resolver=resolver, policies=policies, random_bytes=bytes, **given)


def zone_of(*mx: str, **addresses: Sequence[str]) -> Zone:
    """clinic.example with these mail servers; addresses by host (`_` for a dot)."""
    zone = Zone()
    zone.add("clinic.example", "MX", *mx)
    for host, values in addresses.items():
        zone.add(host.replace("_", "."), "A", *values)
    return zone


def hops(way: tuple[Hop, ...] | Outcome) -> list[tuple[str, str]]:
    """Host and address of each."""
    assert isinstance(way, tuple)
    return [(each.host, each.address) for each in way]


async def test_mail_servers_are_tried_in_the_order_of_their_preference(tmp_path: Path) -> None:
    """Each with its addresses; one without any is passed over."""
    zone = zone_of(
        "20 b.clinic.example.", "10 a.clinic.example.", "5 gone.clinic.example.",
        a_clinic_example=("192.0.2.1", "192.0.2.2"), b_clinic_example=("192.0.2.3",),
    )  # fmt: skip
    async with routing(tmp_path, zone) as routes:
        way = hops(await routes.to("clinic.example"))
    assert [("a.clinic.example", "192.0.2.1"), ("a.clinic.example", "192.0.2.2")] == sorted(way[:2])
    assert [("b.clinic.example", "192.0.2.3")] == way[2:]


async def test_a_domain_without_mail_servers_is_its_own(tmp_path: Path) -> None:
    """RFC 5321, 5.1."""
    zone = Zone()
    zone.add("clinic.example", "A", "192.0.2.9")
    async with routing(tmp_path, zone) as routes:
        assert [("clinic.example", "192.0.2.9")] == hops(await routes.to("clinic.example"))


async def test_a_domain_that_takes_no_mail_or_is_not_there_refuses_at_once(tmp_path: Path) -> None:
    """RFC 7505; and a typing error in a domain is told at once, not after 48 hours."""
    async with routing(tmp_path, zone_of("0 .")) as routes:
        assert Refused(code=556, enhanced="5.1.10") == await routes.to("clinic.example")
        assert Refused(code=550, enhanced="5.1.2") == await routes.to("clinci.example")


async def test_a_dns_that_fails_says_nothing_about_the_domain(tmp_path: Path) -> None:
    """SERVFAIL for the mail servers is not "there are none"."""
    zone = zone_of("10 mx.clinic.example.", clinic_example=("192.0.2.1",))
    zone.broken.add("clinic.example")
    async with routing(tmp_path, zone) as routes:
        with pytest.raises(Fault, match="dns_unanswered"):
            await routes.to("clinic.example")


async def test_a_domain_cannot_have_us_speak_to_this_network(tmp_path: Path) -> None:
    """Addresses of our own and of no network are no mail servers."""
    inside = ("127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254")
    zone = zone_of("10 mx.clinic.example.", mx_clinic_example=inside)
    async with routing(tmp_path, zone, unsafe_private=False) as routes:
        assert Refused(code=550, enhanced="5.1.2") == await routes.to("clinic.example")


async def test_a_name_is_sure_inside_the_recipients_domain_or_by_its_policy_and_never_by_the_dns_alone(
    tmp_path: Path,
) -> None:
    """Whoever forges the DNS has a certificate for his own name, and none for theirs."""
    zone = zone_of(
        "10 mx.hosted.example.", "20 mx.clinic.example.", "30 mx.notclinic.example.",
        mx_hosted_example=("192.0.2.1",), mx_clinic_example=("192.0.2.2",), mx_notclinic_example=("192.0.2.3",),
    )  # fmt: skip
    async with routing(tmp_path, zone) as routes:
        way = await routes.to("clinic.example")
        assert isinstance(way, tuple)
        assert [False, True, False] == [each.can_be_verified for each in way]
        assert {"opportunistic"} == {each.tls for each in way}
    async with routing(tmp_path, zone, known={"clinic.example": ENFORCED}) as routes:
        way = await routes.to("clinic.example")
        assert isinstance(way, tuple)
        assert [("mx.hosted.example", "verified", True)] == [
            (each.host, each.tls, each.can_be_verified) for each in way
        ]
    async with routing(tmp_path, zone, pins={"clinic.example": "ab" * 32}) as routes:
        way = await routes.to("clinic.example")
        assert isinstance(way, tuple)
        assert [True, True, True] == [each.can_be_verified for each in way]


async def test_a_policy_that_names_none_of_the_mail_servers_leaves_no_route(tmp_path: Path) -> None:
    """For every letter: one of the two answers is forged, and it is not the one that was fetched over https."""
    zone = zone_of("10 mx.evil.example.", mx_evil_example=("192.0.2.1",))
    async with routing(tmp_path, zone, known={"clinic.example": ENFORCED}) as routes:
        assert TlsUnverified(offered=False) == await routes.to("clinic.example")


async def test_a_host_that_is_down_is_passed_for_the_next_and_one_that_refuses_is_not(
    tmp_path: Path,
) -> None:
    """The second mail server gets the letter; "no such mailbox" is an answer, and is asked of nobody else."""
    zone = zone_of(
        "10 down.clinic.example.", "20 up.clinic.example.",
        down_clinic_example=("127.0.0.2",), up_clinic_example=("127.0.0.1",),
    )  # fmt: skip
    async with misbehaving(Misbehaving()) as peer, routing(tmp_path, zone, port=peer.port) as routes:
        voice = Voice(hostname="bridge.example", trust=Authority(tmp_path).trust)
        assert isinstance(await deliver(SENT, routes=routes, voice=voice), Handed)
        assert [LETTER] == peer.letters
        peer.answers["RCPT"] = "550 5.1.1 no such mailbox"
        zone.replace("down.clinic.example", "A", "127.0.0.1")
        async with serving(zone) as fresh:
            again = Routes(
                resolver=DnsResolver((fresh,)),
                policies=routes.policies,
                random_bytes=bytes,
                port=peer.port,
                unsafe_private=True,
            )
            sessions = peer.sessions
            assert Refused(code=550, enhanced="5.1.1") == await deliver(SENT, routes=again, voice=voice)
            assert sessions + 1 == peer.sessions
            peer.answers["RCPT"] = "250 ok"
            peer.loses_250 = True
            await deliver(SENT, routes=again, voice=voice)
            assert sessions + 2 == peer.sessions  # who may have the letter is the last one asked
