"""Whether a letter is from whom it says: real signatures, a real DNS server, and those who try to be somebody else."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import dkim
import pytest

from tests.bridge.signed_letters import ed25519_key, letter, plain_letter, publish_key, rsa_key, short_rsa_key, signed
from tests.bridge.zone import Zone, serving
from vetrelay.bridge.ports import Authenticated, Peer
from vetrelay.bridge.proving.authentication import Authentication
from vetrelay.bridge.proving.dmarc import organization_of
from vetrelay.bridge.proving.firstpass import FirstPass
from vetrelay.bridge.proving.letterhead import read_letterhead
from vetrelay.bridge.resolver import DnsResolver

CLINIC = "192.0.2.10"
STRANGER = "203.0.113.66"
REJECT = "v=DMARC1; p=reject"


@dataclass
class Checks:
    """The clinic's zone, and the authentication that asks it."""

    zone: Zone
    authentication: Authentication
    server: str

    async def of(
        self, raw: bytes, *, address: str = STRANGER, mail_from: str = "x@thief.example", helo: str = "mx.thief.example"
    ) -> Authenticated:
        first = FirstPass()
        for at in range(0, len(raw), 50):
            first.feed(raw[at : at + 50])
        first.finish()
        peer = Peer(address=address, helo=helo, tls=True)
        head = read_letterhead(first.head)
        return await self.authentication.of(head, head=first.head, body=first.body, peer=peer, mail_from=mail_from)


@pytest.fixture
async def checks() -> AsyncIterator[Checks]:
    zone = Zone()
    zone.add("clinic.example", "TXT", "v=spf1 ip4:192.0.2.0/24 -all")
    zone.add("thief.example", "TXT", "v=spf1 ip4:203.0.113.66 -all")
    publish_key(zone)
    async with serving(zone) as server:
        authentication = Authentication(DnsResolver((server,)), check_seconds=5)
        yield Checks(zone, authentication, server)
        authentication.close()


async def test_a_letter_from_the_clinics_own_server_passes(checks: Checks) -> None:
    """SPF alone, aligned; the author is told in lower case."""
    found = await checks.of(plain_letter("Vet@Clinic.example"), address=CLINIC, mail_from="vet@clinic.example")
    expected = Authenticated(
        outcome="pass", address="vet@clinic.example", domain="clinic.example", policy=None, spf="pass", dkim=()
    )
    assert expected == found


@pytest.mark.parametrize("body", [b"simple", b"relaxed"])
@pytest.mark.parametrize("head", [b"simple", b"relaxed"])
async def test_a_signed_letter_passes_whoever_hands_it_on(checks: Checks, head: bytes, body: bytes) -> None:
    """DKIM alone, aligned, in every form: a forwarded letter."""
    found = await checks.of(signed(plain_letter(), forms=(head, body)))
    assert ("pass", "pass", ("clinic.example",)) == (found.outcome, found.spf, found.dkim)


async def test_a_signature_of_the_newer_kind_passes(checks: Checks) -> None:
    """Ed25519 (RFC 8463)."""
    private, public = ed25519_key()
    publish_key(checks.zone, selector="ed", record=f"v=DKIM1; k=ed25519; p={public}")
    raw = signed(plain_letter(), selector="ed", key=private, algorithm=b"ed25519-sha256")
    assert "pass" == (await checks.of(raw)).outcome


async def test_a_null_sender_is_checked_by_its_greeting(checks: Checks) -> None:
    """RFC 7208 2.4: answering machines and reports."""
    checks.zone.add("mail.clinic.example", "TXT", "v=spf1 ip4:192.0.2.10 -all")
    raw = plain_letter()
    assert "pass" == (await checks.of(raw, address=CLINIC, mail_from="", helo="mail.clinic.example")).outcome
    assert "none" == (await checks.of(raw, address=CLINIC, mail_from="", helo="[192.0.2.10]")).outcome


@pytest.mark.parametrize(
    ("record", "outcome"),
    [
        (REJECT, "fail"),
        ("v=DMARC1; p=quarantine", "fail"),
        ("v=DMARC1; p=none", "none"),
        ("v=DMARC1; p=quarantine; pct=0", "none"),
        ("v=DMARC1; p=nonsense", "none"),
        ("v=DMARC2; p=reject", "none"),
        (None, "none"),
    ],
)
async def test_row_16_a_spoofed_clinic_fails_where_its_policy_says_so(
    checks: Checks, record: str | None, outcome: str
) -> None:
    """Neither SPF nor DKIM is aligned."""
    if record is not None:
        checks.zone.add("_dmarc.clinic.example", "TXT", record)
    found = await checks.of(plain_letter())
    assert (outcome, "vet@clinic.example", ()) == (found.outcome, found.address, found.dkim)


async def test_row_16_two_records_are_like_none(checks: Checks) -> None:
    """RFC 7489 6.6.3; other texts at that name do not count."""
    checks.zone.add("_dmarc.clinic.example", "TXT", REJECT, "unrelated")
    assert "fail" == (await checks.of(plain_letter())).outcome
    checks.zone.add("_dmarc.lab.example", "TXT", REJECT, "v=DMARC1; p=none")
    assert "none" == (await checks.of(plain_letter("vet@lab.example"))).outcome


async def test_row_16_a_subdomain_is_under_its_organizations_policy(checks: Checks) -> None:
    """With its own tag for subdomains, and by the list of public suffixes."""
    checks.zone.add("_dmarc.clinic.co.uk", "TXT", "v=DMARC1; p=none; sp=reject")
    found = await checks.of(plain_letter("vet@x-ray.clinic.co.uk"))
    assert ("fail", "reject") == (found.outcome, found.policy)
    assert "none" == (await checks.of(plain_letter("vet@clinic.co.uk"))).outcome
    assert "none" == (await checks.of(plain_letter("vet@other.co.uk"))).outcome


async def test_a_broken_signature_is_none(checks: Checks) -> None:
    """A changed body, a changed subject, a key withdrawn, and a key that there is not."""
    raw = signed(plain_letter())
    assert () == (await checks.of(raw.replace(b"x-ray", b"X-ray"))).dkim
    assert () == (await checks.of(raw.replace(b"K7Q2", b"K7Q3"))).dkim
    assert () == (await checks.of(signed(plain_letter(), selector="unknown"))).dkim
    publish_key(checks.zone, record="v=DKIM1; p=", selector="gone")
    assert () == (await checks.of(signed(plain_letter(), selector="gone"))).dkim


async def test_row_17_a_second_author_is_never_authenticated(checks: Checks) -> None:
    """Two From fields, one put on top of or under a good signature, and one field with two addresses."""
    good = signed(plain_letter())
    for raw in (
        b"From: thief@thief.example\r\n" + good,
        good.replace(b"\r\n\r\n", b"\r\nFrom: thief@thief.example\r\n\r\n", 1),
        b"From : thief@thief.example\r\n" + good,
        signed(letter("From: vet@clinic.example", "From: vet@clinic.example", "To: a@b.example", "Subject: x")),
        signed(plain_letter("vet@clinic.example, thief@thief.example")),
    ):
        found = await checks.of(raw, address=CLINIC, mail_from="vet@clinic.example")
        assert ("none", None) == (found.outcome, found.address)


async def test_row_17_a_signature_with_a_length_is_absent(checks: Checks) -> None:
    """Whether text was appended or not."""
    raw = signed(plain_letter(), length=True)
    assert dkim.verify(raw + b"give 20 ml\r\n", dnsfunc=lambda *_, **__: f"p={rsa_key()[1]}".encode())
    assert ("none", ()) == ((await checks.of(raw)).outcome, (await checks.of(raw)).dkim)
    assert "none" == (await checks.of(raw + b"give 20 ml\r\n")).outcome


async def test_row_17_a_signature_without_the_author_is_absent(checks: Checks) -> None:
    """RFC 6376 5.4: From must be signed; dkimpy would take it."""
    named = signed(plain_letter()).replace(b"h=from : ", b"h=", 1)
    assert () == (await checks.of(named)).dkim


@pytest.mark.parametrize(
    "record",
    [
        "v=DKIM1; t=y; p={p}",
        "v=DKIM1; h=sha1; p={p}",
        "v=DKIM1; s=tlsrpt; p={p}",
        "v=DKIM1; k=ed25519; p={p}",
        "v=DKIM2; p={p}",
        "p={p}; p={p}",
        "p=!!!",
        "p=AAAA",
        "",
        "no tags",
        "p={p};" + " " * 5000,
    ],
)
async def test_row_17_a_key_that_may_not_sign_is_none(checks: Checks, record: str) -> None:
    """In testing, for other hashes, for other services, of another kind, or unreadable."""
    publish_key(checks.zone, record=record.format(p=rsa_key()[1]))
    assert () == (await checks.of(signed(plain_letter()))).dkim


async def test_row_17_a_short_key_is_none(checks: Checks) -> None:
    """RFC 8301 3.2."""
    private, public = short_rsa_key()
    publish_key(checks.zone, selector="short", record=f"v=DKIM1; p={public}")
    raw = signed(plain_letter(), selector="short", key=private)
    assert () == (await checks.of(raw)).dkim


async def test_row_17_sha1_is_none(checks: Checks) -> None:
    """RFC 8301 3.1."""
    raw = signed(plain_letter(), algorithm=b"rsa-sha1")
    assert dkim.verify(raw, dnsfunc=lambda *_, **__: f"p={rsa_key()[1]}".encode())
    assert () == (await checks.of(raw)).dkim


async def test_row_18_a_pass_for_another_domain_is_not_aligned(checks: Checks) -> None:
    """SPF and DKIM of the thief's own domain: they pass, and say nothing of the clinic."""
    publish_key(checks.zone, "thief.example")
    found = await checks.of(signed(plain_letter(), "thief.example"))
    assert ("none", "pass", ("thief.example",)) == (found.outcome, found.spf, found.dkim)
    checks.zone.add("_dmarc.clinic.example", "TXT", REJECT)
    assert "fail" == (await checks.of(signed(plain_letter(), "thief.example"))).outcome


@pytest.mark.parametrize(
    "mail_from",
    [
        "x@clinic.example-thief.example",
        '"x@clinic.example"@thief.example',
        "x@thief.example@clinic.example",
        "x@thief.example\0@clinic.example",
    ],
)
async def test_row_18_no_sender_is_taken_for_the_clinic_by_its_spelling(checks: Checks, mail_from: str) -> None:
    """A well-known library ends a domain at its hyphen, pyspf splits at the first at sign: neither decides here."""
    checks.zone.add("clinic.example-thief.example", "TXT", "v=spf1 +all")
    assert "none" == (await checks.of(plain_letter(), mail_from=mail_from)).outcome


async def test_row_18_alignment_is_as_loose_as_the_record_says(checks: Checks) -> None:
    """Relaxed: the same organization. Strict: the same domain."""
    checks.zone.add("mail.clinic.example", "TXT", "v=spf1 ip4:192.0.2.10 -all")
    by_post = {"address": CLINIC, "mail_from": "x@mail.clinic.example"}
    publish_key(checks.zone, "mail.clinic.example")
    signature = signed(plain_letter(), "mail.clinic.example")
    assert "pass" == (await checks.of(plain_letter(), **by_post)).outcome
    assert "pass" == (await checks.of(signature)).outcome
    checks.zone.add("_dmarc.clinic.example", "TXT", "v=DMARC1; p=none; aspf=s; adkim=s")
    assert "pass" == (await checks.of(signed(plain_letter()))).outcome


async def test_row_18_strict_alignment_wants_the_same_domain(checks: Checks) -> None:
    """Asked for by the clinic's record."""
    checks.zone.add("_dmarc.clinic.example", "TXT", "v=DMARC1; p=none; aspf=s; adkim=s")
    checks.zone.add("mail.clinic.example", "TXT", "v=spf1 ip4:192.0.2.10 -all")
    publish_key(checks.zone, "mail.clinic.example")
    signature = signed(plain_letter(), "mail.clinic.example")
    assert "none" == (await checks.of(signature, address=CLINIC, mail_from="x@mail.clinic.example")).outcome
    assert "pass" == (await checks.of(signature, address=CLINIC, mail_from="x@clinic.example")).outcome


async def test_row_19_nobody_answering_is_temporary_and_later_accepted(checks: Checks) -> None:
    """SERVFAIL for the policy, for the key, for SPF: each by itself."""
    names = ("_dmarc.clinic.example", "s1._domainkey.clinic.example", "clinic.example")
    for broken, raw, sender in zip(
        names,
        (signed(plain_letter()), signed(plain_letter()), plain_letter()),
        ("x@thief.example", "x@thief.example", "vet@clinic.example"),
        strict=True,
    ):
        checks.zone.broken.add(broken)
        assert "temporary" == (await checks.of(raw, address=CLINIC, mail_from=sender)).outcome
        checks.zone.broken.clear()
        assert "pass" == (await checks.of(raw, address=CLINIC, mail_from=sender)).outcome


async def test_row_19_only_what_could_have_been_aligned_is_asked_again(checks: Checks) -> None:
    """A mailing service whose key nobody answers for does not hold a letter up, and a pass beside it counts."""
    checks.zone.broken.update({"s1._domainkey.hoster.example", "hoster.example"})
    raw = signed(plain_letter(), "hoster.example")
    assert "none" == (await checks.of(raw, mail_from="x@hoster.example")).outcome
    checks.zone.broken.add("clinic.example")
    assert "pass" == (await checks.of(signed(raw), mail_from="vet@clinic.example")).outcome


@pytest.mark.parametrize("silent", ["_dmarc.clinic.example", "clinic.example", "mail.clinic.example"])
async def test_row_19_a_server_that_says_nothing_does_not_hold_a_letter_for_ever(checks: Checks, silent: str) -> None:
    """The check ends by itself, wherever it waits."""
    checks.zone.replace("clinic.example", "TXT", "v=spf1 a:mail.clinic.example -all")
    checks.zone.silent.add(silent)
    quick = Authentication(DnsResolver((checks.server,)), check_seconds=0.2)
    slow = Checks(checks.zone, quick, checks.server)
    assert "temporary" == (await slow.of(plain_letter(), mail_from="vet@clinic.example")).outcome
    quick.close()


async def test_row_19_a_bridge_that_stops_waits_for_nobody(checks: Checks) -> None:
    """A check under way ends without its answer."""
    checks.zone.replace("clinic.example", "TXT", "v=spf1 a:mail.clinic.example -all")
    checks.zone.silent.add("mail.clinic.example")
    under_way = asyncio.create_task(checks.of(plain_letter(), mail_from="vet@clinic.example"))
    while ("mail.clinic.example", "A") not in checks.zone.asked:  # noqa: ASYNC110  # the zone rings no bell for one question
        await asyncio.sleep(0)
    checks.authentication.close()
    assert "temperror" == (await under_way).spf


async def test_row_20_what_others_say_they_checked_is_ignored(checks: Checks) -> None:
    """In our name, in another's, and sealed as ARC."""
    forged = (
        b"Authentication-Results: practice.example; dmarc=pass header.from=clinic.example; spf=pass; dkim=pass\r\n"
        b"ARC-Authentication-Results: i=1; practice.example; dmarc=pass header.from=clinic.example\r\n"
        b"Received-SPF: pass\r\n"
    )
    checks.zone.add("_dmarc.clinic.example", "TXT", REJECT)
    assert "fail" == (await checks.of(forged + plain_letter())).outcome


@pytest.mark.parametrize(
    "records",
    [
        ("v=spf1 +all", "v=spf1  +all"),
        ("v=spf1 include:odd.example +all",),
        ("v=spf1 " + "ip4:198.51.100.1 " * 1000 + "+all",),
        ("v=spf1 ip4:999.1.1.1 +all",),
        ("v=spf1 exists:%{x} +all",),
        ("v=spf1 a:1.odd.example a:2.odd.example a:3.odd.example a:4.odd.example +all",),
        ("v=spf1 \xff +all",),
    ],
)
async def test_a_bad_policy_of_senders_is_no_pass(checks: Checks, records: tuple[str, ...]) -> None:
    """Two of them, one that never ends, one far too long, one that cannot be read, one that asks for too much."""
    checks.zone.add("odd.example", "TXT", *records)
    found = await checks.of(plain_letter("v@odd.example"), address=CLINIC, mail_from="v@odd.example")
    assert ("none", "permerror") == (found.outcome, found.spf)


@pytest.mark.parametrize(
    "mechanism",
    [
        "a:mail.clinic.example",
        "mx",
        "ptr:clinic.example",
        "include:clinic.example",
        "exists:mail.clinic.example",
        "redirect=clinic.example",
    ],
)
async def test_every_way_to_name_a_server_is_understood(checks: Checks, mechanism: str) -> None:
    """Over both address families."""
    checks.zone.add("mail.clinic.example", "A", CLINIC)
    checks.zone.add("mail.clinic.example", "AAAA", "2001:db8::10")
    checks.zone.add("clinic.example", "MX", "10 mail.clinic.example")
    checks.zone.add_ptr(CLINIC, "mail.clinic.example")
    checks.zone.add_ptr("2001:db8::10", "mail.clinic.example")
    checks.zone.replace("clinic.example", "TXT", "v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 -all")
    checks.zone.add("lab.example", "TXT", f"v=spf1 {mechanism}")
    checks.zone.add("lab.example", "MX", "10 mail.clinic.example")
    for address in (CLINIC, "2001:db8::10", "::ffff:" + CLINIC):
        found = await checks.of(plain_letter("v@lab.example"), address=address, mail_from="v@lab.example")
        assert ("pass", "pass") == (found.outcome, found.spf)


@pytest.mark.parametrize(
    "field",
    [
        "DKIM-Signature: ",
        "DKIM-Signature: v=1",
        "DKIM-Signature: v=1; a=rsa-sha256; b=\xff; bh=; d=clinic.example; h=from; s=s1",
        "DKIM-Signature: v=1; a=rsa-sha256; b=AAAA; bh=AAAA; d=..; h=from; s=s1",
        "DKIM-Signature: v=1; a=rsa-sha256; b=AAAA; bh=AAAA; d=clinic.example; h=from; s=s1; c=x/y",
        "DKIM-Signature: v=1; a=rsa-sha256; b" + "\r\n " * 2600,
        "DKIM-Signature: v=1; a=rsa-sha256; b=AAAA; bh=AAAA; d=clinic.example; s=s1; h=" + "a:" * 3000 + "from",
    ],
)
async def test_a_hostile_signature_is_no_signature(checks: Checks, field: str) -> None:
    """And costs no time; the good one beside it counts."""
    raw = field.encode("latin-1") + b"\r\n" + signed(plain_letter())
    assert "pass" == (await checks.of(raw)).outcome


@pytest.mark.parametrize(
    "first", [" folded", "\tfolded", "no field", "X\rFrom: thief@thief.example", "X: " + "y" * 40_000]
)
async def test_a_head_that_cannot_be_read_for_certain_is_not_signed(checks: Checks, first: str) -> None:
    """dkimpy and other programs see different letters there."""
    found = await checks.of(first.encode() + b"\r\n" + signed(plain_letter()))
    assert ("none", ()) == (found.outcome, found.dkim)


def test_an_organization_is_what_was_registered() -> None:
    """By the list of public suffixes; a last label that is not in it is one."""
    for domain, organization in (
        ("a.b.clinic.co.uk", "clinic.co.uk"),
        ("co.uk", "co.uk"),
        ("clinic.example", "clinic.example"),
        ("a.clinic.example", "clinic.example"),
        ("one.github.io", "one.github.io"),
        ("vet.xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
        ("x.foo.ck", "x.foo.ck"),
        ("a.www.ck", "www.ck"),
        ("local", "local"),
    ):
        assert organization == organization_of(domain)
