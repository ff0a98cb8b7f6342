"""What the bridge asks the domain name system, against a real server on loopback."""

import pytest

from tests.bridge.zone import Zone, serving
from vetrelay.bridge.resolver import DnsResolver, Resolver
from vetrelay.errors import Fault


async def test_records_of_every_kind_come_back() -> None:
    """TXT joined, MX in order, both address families, names of an address."""
    zone = Zone()
    zone.add("clinic.example", "TXT", "v=spf1 -all", "other")
    zone.add("clinic.example", "MX", "20 b.clinic.example", "10 A.clinic.example")
    zone.add("a.clinic.example", "A", "192.0.2.1")
    zone.add("a.clinic.example", "AAAA", "2001:db8::1")
    zone.add_ptr("192.0.2.1", "A.clinic.example")
    zone.add_ptr("2001:db8::1", "a.clinic.example")
    async with serving(zone) as server:
        resolver = DnsResolver((server,))
        assert {"v=spf1 -all", "other"} == set(await resolver.txt("clinic.example"))
        assert ((10, "a.clinic.example"), (20, "b.clinic.example")) == await resolver.mx("Clinic.Example.")
        assert ("192.0.2.1", "2001:db8::1") == await resolver.addresses("a.clinic.example")
        assert ("a.clinic.example",) == await resolver.ptr("192.0.2.1")
        assert ("a.clinic.example",) == await resolver.ptr("2001:db8::1")


async def test_a_domain_that_takes_no_mail_has_an_empty_server() -> None:
    """RFC 7505."""
    zone = Zone()
    zone.add("nomail.example", "MX", "0 .")
    async with serving(zone) as server:
        assert ((0, ""),) == await DnsResolver((server,)).mx("nomail.example")


async def test_what_is_not_there_is_an_empty_answer() -> None:
    """No such name, no such record, and what cannot be a name or an address."""
    zone = Zone()
    zone.add("clinic.example", "A", "192.0.2.1")
    async with serving(zone) as server:
        resolver = DnsResolver((server,))
        assert () == await resolver.txt("clinic.example")
        assert () == await resolver.txt("nowhere.example")
        assert () == await resolver.txt("a..b")
        assert () == await resolver.mx("x" * 64 + ".example")
        assert () == await resolver.addresses("nowhere.example")
        assert () == await resolver.ptr("not an address")


async def test_a_server_that_fails_is_a_fault_and_the_next_try_counts() -> None:
    """SERVFAIL is not remembered."""
    zone = Zone(broken={"clinic.example"})
    zone.add("clinic.example", "TXT", "late")
    async with serving(zone) as server:
        resolver = DnsResolver((server,))
        with pytest.raises(Fault, match="dns_unanswered"):
            await resolver.txt("clinic.example")
        with pytest.raises(Fault, match="dns_unanswered"):
            await resolver.addresses("clinic.example")
        zone.broken.clear()
        assert ("late",) == await resolver.txt("clinic.example")


async def test_silence_is_a_fault() -> None:
    """Nobody answers at all."""
    async with serving(Zone(silent={"clinic.example"})) as server:
        with pytest.raises(Fault, match="dns_unanswered"):
            await DnsResolver((server,), question_seconds=0.2).mx("clinic.example")


async def test_a_long_answer_comes_over_tcp_and_bytes_stay_bytes() -> None:
    """A key of 2048 bits does not fit a datagram of 512 bytes; a byte beyond ASCII is one character."""
    zone = Zone()
    zone.add("k._domainkey.clinic.example", "TXT", 'v=DKIM1; "p=' + "A" * 1500 + "\xff")
    async with serving(zone) as server:
        found = await DnsResolver((server,)).txt("k._domainkey.clinic.example")
    assert ('v=DKIM1; "p=' + "A" * 1500 + "\xff",) == found
    assert 2 == len(zone.asked)


async def test_an_alias_is_followed() -> None:
    """CNAME, as selectors of hosted mail have it."""
    zone = Zone()
    zone.add("s._domainkey.clinic.example", "CNAME", "s.hoster.example")
    zone.add("s.hoster.example", "TXT", "v=DKIM1; p=")
    async with serving(zone) as server:
        assert ("v=DKIM1; p=",) == await DnsResolver((server,)).txt("s._domainkey.clinic.example")


async def test_an_answer_is_asked_for_once_while_it_holds() -> None:
    """The small memory, of answers and of their absence; never for longer than five minutes."""
    now = [100.0]
    zone = Zone(ttl_seconds=86400)
    zone.add("clinic.example", "TXT", "one")
    async with serving(zone) as server:
        resolver = DnsResolver((server,), clock_seconds=lambda: now[0])
        for name, found in (("clinic.example", ("one",)), ("no.example", ())):
            assert [found] * 3 == [await resolver.txt(name) for _ in range(3)]
        assert ((),) == (await resolver.mx("clinic.example"),)
        assert 3 == len(zone.asked)
        now[0] += 301
        zone.replace("clinic.example", "TXT", "two")
        assert ("two",) == await resolver.txt("clinic.example")


async def test_the_memory_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest answer goes first."""
    monkeypatch.setattr("vetrelay.bridge.resolver.REMEMBERED_ANSWERS", 3)
    zone = Zone(ttl_seconds=60)
    async with serving(zone) as server:
        resolver = DnsResolver((server,))
        for at in range(4):
            await resolver.txt(f"n{at}.example")
        zone.asked.clear()
        await resolver.txt("n3.example")
        await resolver.txt("n0.example")
    assert [("n0.example", "TXT")] == zone.asked


async def test_nothing_is_not_remembered_where_nobody_says_for_how_long() -> None:
    """RFC 2308 5: without a SOA."""
    zone = Zone()
    async with serving(zone) as server:
        resolver = DnsResolver((server,))
        assert () == await resolver.txt("clinic.example")
        zone.add("clinic.example", "TXT", "now")
        assert ("now",) == await resolver.txt("clinic.example")


@pytest.mark.parametrize("listed", ["", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:0", "dns.example:53"])
def test_a_server_in_another_form_is_refused(listed: str) -> None:
    """HOST:PORT, the host an address."""
    with pytest.raises(Fault, match="bad_listen"):
        DnsResolver((listed,))


def test_a_server_may_have_an_address_of_either_family() -> None:
    """An IPv6 server stands in brackets."""
    for listed in ("127.0.0.1:5353", "[::1]:53"):
        assert isinstance(DnsResolver((listed,)), Resolver)


def test_without_a_server_the_machines_own_is_asked() -> None:
    """Those of its settings; if it has none, the one that runs on it."""
    assert isinstance(DnsResolver(), Resolver)
