"""Policies of domains, fetched from a real https server by names of a real DNS server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from tests.bridge.certificates import Authority
from tests.bridge.zone import Zone, serving
from vetrelay.bridge.resolver import DnsResolver
from vetrelay.bridge.sending.mta_sts import AGAIN_MS, MAX_POLICY_BYTES, Policies, Policy, parse_policy, record_id

DAY_SECONDS = 86_400
TEXT = f"version: STSv1\r\nmode: enforce\r\nmx: mx.clinic.example\r\nmx: *.pool.example\r\nmax_age: {DAY_SECONDS}\r\n"
POLICY = Policy(mode="enforce", mx=("mx.clinic.example", "*.pool.example"), max_age_seconds=DAY_SECONDS)


@dataclass
class World:
    """A domain's DNS and its policy page, both of which a test may change, and a clock."""

    zone: Zone
    dns: str
    policies: Policies = field(init=False)
    text: str = TEXT
    status: int = 200
    kind: str = "text/plain"
    now_ms: int = 1_800_000_000_000
    fetches: list[str] = field(default_factory=list)

    async def page(self, request: web.Request) -> web.Response:
        """The policy page."""
        self.fetches.append(request.host)
        headers = {"Location": "/other"} if self.status == 302 else {}
        return web.Response(text=self.text, status=self.status, content_type=self.kind, headers=headers)

    async def other(self, _request: web.Request) -> web.Response:
        """Where a redirect leads: a policy in order."""
        return web.Response(text=TEXT)


@asynccontextmanager
async def world(folder: Path, *, name: str = "mta-sts.clinic.example", private: bool = True) -> AsyncIterator[World]:
    """The world of clinic.example, with a certificate for `name`."""
    authority = Authority(folder)
    zone = Zone()
    zone.add("_mta-sts.clinic.example", "TXT", "v=STSv1; id=20261122;")
    zone.add("mta-sts.clinic.example", "A", "127.0.0.1")
    application = web.Application()
    async with serving(zone) as resolver:
        there = World(zone=zone, dns=resolver)
        application.router.add_get("/.well-known/mta-sts.txt", there.page)
        application.router.add_get("/other", there.other)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=authority.certificate(name).context).start()
        there.policies = Policies(
            DnsResolver((resolver,)),
            now_ms=lambda: there.now_ms,
            trust=authority.trust,
            port=runner.addresses[0][1],
            unsafe_private=private,
        )
        try:
            yield there
        finally:
            await runner.cleanup()


async def test_a_policy_is_fetched_once_and_kept(tmp_path: Path) -> None:
    """The second question goes to the DNS alone."""
    async with world(tmp_path) as there:
        assert POLICY == await there.policies.policy("clinic.example")
        assert POLICY == await there.policies.policy("clinic.example")
        assert 1 == len(there.fetches)


async def test_a_policy_is_fetched_again_when_its_record_has_a_new_id(tmp_path: Path) -> None:
    """And when its time is over."""
    async with world(tmp_path) as there:
        await there.policies.policy("clinic.example")
        there.zone.replace("_mta-sts.clinic.example", "TXT", "v=STSv1; id=2")
        there.text = TEXT.replace("enforce", "testing")
        there.policies._resolver = DnsResolver((there.dns,))  # one that has not kept the old record
        found = await there.policies.policy("clinic.example")
        assert found is not None
        assert "testing" == found.mode
        there.now_ms += DAY_SECONDS * 1000
        await there.policies.policy("clinic.example")
        assert 3 == len(there.fetches)


@pytest.mark.parametrize("how", ["record gone", "DNS broken", "page gone", "page spoilt"])
async def test_a_kept_policy_stays_in_force_when_somebody_makes_it_disappear(tmp_path: Path, how: str) -> None:
    """Until its time is over, and then it is gone."""
    async with world(tmp_path) as there:
        await there.policies.policy("clinic.example")
        if how == "record gone":
            del there.zone.records["_mta-sts.clinic.example", "TXT"]
        elif how == "DNS broken":
            there.zone.broken.add("_mta-sts.clinic.example")
        else:
            there.zone.replace("_mta-sts.clinic.example", "TXT", "v=STSv1; id=2")
            there.status, there.text = (404, TEXT) if how == "page gone" else (200, "version: STSv2\n")
        there.policies._resolver = DnsResolver((there.dns,))
        fetches = len(there.fetches)
        for _ in range(2):
            assert POLICY == await there.policies.policy("clinic.example")
        assert fetches + how.startswith("page") == len(there.fetches)  # it is asked once, and left in peace
        there.now_ms += DAY_SECONDS * 1000
        assert None is await there.policies.policy("clinic.example")


@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [
        (404, "text/plain", TEXT),
        (302, "text/plain", TEXT),
        (200, "text/html", TEXT),
        (200, "text/plain", TEXT + "x" * MAX_POLICY_BYTES),
        (200, "text/plain", TEXT.replace("STSv1", "STSv9")),
    ],
    ids=["not there", "a redirect", "a web page", "endless", "another version"],
)
async def test_a_page_that_is_no_policy_gives_none_and_is_left_in_peace(
    tmp_path: Path, status: int, kind: str, text: str
) -> None:
    """Nothing is followed, nothing is guessed; the next fetch comes five minutes later."""
    async with world(tmp_path) as there:
        there.status, there.kind, there.text = status, kind, text
        assert None is await there.policies.policy("clinic.example")
        assert None is await there.policies.policy("clinic.example")
        assert 1 == len(there.fetches)
        there.now_ms += AGAIN_MS
        there.status, there.kind, there.text = 200, "text/plain", TEXT
        assert POLICY == await there.policies.policy("clinic.example")


async def test_a_certificate_for_another_name_gives_no_policy(tmp_path: Path) -> None:
    """Whoever has the address has not the name."""
    async with world(tmp_path, name="mta-sts.other.example") as there:
        assert None is await there.policies.policy("clinic.example")
        assert [] == there.fetches


async def test_a_domain_cannot_have_us_fetch_from_this_network(tmp_path: Path) -> None:
    """Its name points at 127.0.0.1: no connection is made."""
    async with world(tmp_path, private=False) as there:
        assert None is await there.policies.policy("clinic.example")
        assert [] == there.fetches


async def test_a_domain_without_a_record_is_not_fetched_from(tmp_path: Path) -> None:
    """Most domains have none."""
    async with world(tmp_path) as there:
        assert None is await there.policies.policy("quiet.example")
        assert [] == there.fetches


def test_a_star_stands_for_exactly_one_label() -> None:
    """RFC 8461, 4.1."""
    assert POLICY.names("MX.clinic.example.")
    assert POLICY.names("a.pool.example")
    assert not POLICY.names("a.b.pool.example")
    assert not POLICY.names("pool.example")
    assert not POLICY.names("mx2.clinic.example")


@pytest.mark.parametrize(
    ("records", "found"),
    [
        (("v=STSv1; id=20160831085700Z;",), "20160831085700Z"),
        (("v=STSv1;id=1",), "1"),
        (("unrelated", "v=STSv1; id=1;"), "1"),
        (("v=STSv1; id=1;", "v=STSv1; id=2;"), None),
        (("v=STSv1; id=../x;",), None),
        (("v=STSv1;",), None),
        (("id=1; v=STSv1;",), None),
        ((), None),
    ],
)
def test_a_record_is_one_and_well_formed(records: tuple[str, ...], found: str | None) -> None:
    """RFC 8461, 3.1."""
    assert found == record_id(records)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff",
        b"version: STSv1\nmode: enforce\nmax_age: 1\n",
        b"version: STSv1\nmode: enforce\nmx: a.example\n",
        b"version: STSv1\nmode: other\nmx: a.example\nmax_age: 1\n",
        b"version: STSv1\nmode: enforce\nmx: a.example\nmax_age: -1\n",
        "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: ١\n".encode(),
    ],
)
def test_a_policy_with_a_part_missing_or_wrong_is_none(text: bytes) -> None:
    """RFC 8461, 3.2."""
    assert None is parse_policy(text)


def test_a_policy_lasts_a_year_at_most() -> None:
    """The larger number is cut."""
    found = parse_policy(b"version: STSv1\nmode: none\nmax_age: 9999999999\n")
    assert Policy(mode="none", mx=(), max_age_seconds=31_557_600) == found
