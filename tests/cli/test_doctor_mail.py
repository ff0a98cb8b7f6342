"""The mail doctor: records to publish, and one verdict for each thing that letters depend on."""

import asyncio
import datetime as dt
import json
import socket
import ssl
import threading
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.bridge.zone import Zone, serving
from tests.gateway import type_here
from vetrelay.bridge.resolver import DnsResolver
from vetrelay.bridge.sending.dkim_sign import dns_record, make_key
from vetrelay.cli import mail_reach
from vetrelay.cli.mail_records import records_of
from vetrelay.config import BridgeConfig, parse_config

DOMAIN, HOST = "post.clinic.example", "mail.clinic.example"
NOW = dt.datetime.now(tz=dt.UTC)
T = TypeVar("T")


@pytest.fixture(scope="module")
def dkim_pem() -> bytes:
    """A DKIM key; making one takes a moment."""
    return make_key()


def write_certificate(folder: Path, *, host: str = HOST, days: int = 90) -> None:
    """mail.pem and mail.key, for this name and so long."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW - dt.timedelta(days=400))
        .not_valid_after(NOW + dt.timedelta(days=days, hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "mail.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "mail.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@dataclass(kw_only=True)
class Practice:
    """A bridge's settings in a folder, the names that are published of it, and the doctor."""

    folder: Path
    zone: Zone
    resolver: str
    port: int
    extra: dict[str, str] = field(default_factory=dict)

    def write(self) -> Path:
        """bridge.toml."""
        settings = {
            "data": '"bridge"',
            "relay_url": '"http://127.0.0.1:9"',
            "domain": f'"{DOMAIN}"',
            "hostname": f'"{HOST}"',
            "listen": f'["127.0.0.1:{self.port}"]',
            "web_url": '"http://127.0.0.1:9"',
            "resolver": f'"{self.resolver}"',
            **self.extra,
        }
        path = self.folder / "bridge.toml"
        path.write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        return path

    def doctor(self, *words: str) -> dict[str, Any]:
        """Its one document; the exit code fits the verdicts."""
        done = type_here("doctor", "mail", "--config", str(self.write()), "--json", *words)
        told: dict[str, Any] = json.loads(done.out)
        assert int(any(one["verdict"] == "bad" for one in told["checks"])) == done.code
        return told

    def checks(self, *words: str) -> dict[str, tuple[str, str]]:
        """Verdict and finding of each check."""
        return {one["check"]: (one["verdict"], one["what"]) for one in self.doctor(*words)["checks"]}

    def publish(self, dkim_pem: bytes) -> None:
        """Everything as it should be."""
        (self.folder / "dkim.pem").write_bytes(dkim_pem)
        self.extra["dkim_key_file"] = '"dkim.pem"'
        self.zone.add(DOMAIN, "MX", f"10 {HOST}.")
        self.zone.add(HOST, "A", "127.0.0.1")
        self.zone.add_ptr("127.0.0.1", f"{HOST}.")
        self.zone.add(DOMAIN, "TXT", "v=spf1 mx -all")
        self.zone.add(f"vetrelay._domainkey.{DOMAIN}", "TXT", dns_record(dkim_pem))
        self.zone.add(f"_dmarc.{DOMAIN}", "TXT", "v=DMARC1; p=reject")


@contextmanager
def served(zone: Zone) -> Iterator[str]:
    """The zone on a loop of its own: the doctor, which runs here, brings another."""
    loop, told, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    place: list[str] = []

    async def serve() -> None:
        async with serving(zone) as address:
            place.append(address)
            told.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    told.wait()
    try:
        yield place[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@pytest.fixture
def practice(tmp_path: Path) -> Iterator[Practice]:
    """A practice of which nothing is published yet; nobody listens at its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    zone = Zone()
    with served(zone) as resolver:
        yield Practice(folder=tmp_path, zone=zone, resolver=resolver, port=port)


class Nobody:
    """A mail server's handler that takes nothing."""


@contextmanager
def mail_server(practice: Practice, *, name: str = HOST, tls: bool = True) -> Iterator[None]:
    """A mail server at the bridge's port."""
    context = None
    if tls:
        write_certificate(practice.folder)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(practice.folder / "mail.pem", practice.folder / "mail.key")
    server = Controller(
        Nobody(), hostname="127.0.0.1", port=practice.port, server_hostname=name, ident="x", tls_context=context
    )
    server.start()
    try:
        yield
    finally:
        server.stop()


def test_records_to_publish_are_printed_first(practice: Practice, dkim_pem: bytes) -> None:
    """For a zone file as they are: where letters go, who may send them, which key signs them, what forgers get."""
    practice.publish(dkim_pem)
    records = {(one["name"], one["type"]): one["value"] for one in practice.doctor()["records"]}
    assert f"10 {HOST}." == records[DOMAIN, "MX"]
    assert '"v=spf1 mx -all"' == records[DOMAIN, "TXT"]
    key = records[f"vetrelay._domainkey.{DOMAIN}", "TXT"]
    assert dns_record(dkim_pem) == key.replace('" "', "").strip('"')
    assert all(len(piece) <= 255 for piece in key.split('"'))
    assert '"v=DMARC1; p=quarantine"' == records[f"_dmarc.{DOMAIN}", "TXT"]
    shown = type_here("doctor", "mail", "--config", str(practice.write())).out
    assert "publish these records\n" == shown[: len("publish these records\n")]


def test_everything_published_is_ok(practice: Practice, dkim_pem: bytes) -> None:
    """Names both ways, SPF and DKIM aligned, a policy."""
    practice.publish(dkim_pem)
    checks = practice.checks()
    named = ("MX record", "reverse name", "SPF", "DKIM", "DMARC")
    assert dict.fromkeys(named, "ok") == {name: checks[name][0] for name in named}


def test_nothing_published_is_bad_with_what_to_do(practice: Practice) -> None:
    """Each line says what to publish."""
    told = {one["check"]: one for one in practice.doctor()["checks"]}
    verdicts = {name: told[name]["verdict"] for name in ("MX record", "reverse name", "DKIM", "DMARC")}
    assert {"MX record": "bad", "reverse name": "bad", "DKIM": "warn", "DMARC": "bad"} == verdicts
    assert f"publish: {DOMAIN} MX 10 {HOST}" == told["MX record"]["to_do"]
    assert all(one["to_do"] for one in told.values() if one["verdict"] != "ok")


@pytest.mark.parametrize(
    ("name", "kind", "value", "check", "verdict", "what"),
    [
        (DOMAIN, "MX", "10 elsewhere.example.", "MX record", "bad", "lead elsewhere: elsewhere.example"),
        (DOMAIN, "TXT", "v=spf1 -all", "SPF", "bad", "it says fail"),
        (DOMAIN, "TXT", "v=spf1 a b c", "SPF", "bad", "it says permerror"),
        (f"vetrelay._domainkey.{DOMAIN}", "TXT", "v=DKIM1; k=rsa; p=AAAA", "DKIM", "bad", "another key is published"),
        (f"_dmarc.{DOMAIN}", "TXT", "v=DMARC1; p=none", "DMARC", "warn", "let through (p=none)"),
        ("1.0.0.127.in-addr.arpa", "PTR", "host-7.provider.example.", "reverse name", "bad", "does not point back"),
    ],
)
def test_what_is_published_wrong_is_said(  # each value is one column of the table
    practice: Practice, dkim_pem: bytes, name: str, kind: str, value: str, check: str, verdict: str, what: str
) -> None:
    """One record at a time, the others as they should be."""
    practice.publish(dkim_pem)
    practice.zone.replace(name, kind, value)
    found = practice.checks()[check]
    assert (verdict, True) == (found[0], what in found[1]), found


def test_a_domain_name_system_that_does_not_answer_is_no_verdict(practice: Practice, dkim_pem: bytes) -> None:
    """Nobody is told to publish what may stand there."""
    practice.publish(dkim_pem)
    practice.zone.broken.update({DOMAIN, HOST, f"_dmarc.{DOMAIN}"})
    checks = practice.checks()
    assert {"warn"} == {checks[name][0] for name in ("MX record", "reverse name", "SPF", "DMARC", "port 25 inward")}


@pytest.mark.parametrize(
    ("host", "days", "verdict", "what"),
    [
        (HOST, 90, "ok", "valid for 90 days"),
        (HOST, 3, "warn", "it ends in 3 days"),
        (HOST, -3, "bad", "not valid today"),
        ("www.clinic.example", 90, "bad", "for another name"),
        ("*.clinic.example", 90, "ok", "valid for 90 days"),
    ],
)
def test_a_certificate_is_judged(practice: Practice, host: str, days: int, verdict: str, what: str) -> None:
    """By its name and its dates."""
    write_certificate(practice.folder, host=host, days=days)
    practice.extra |= {"tls_cert": '"mail.pem"', "tls_key": '"mail.key"'}
    found = practice.checks()["TLS certificate"]
    assert (verdict, True) == (found[0], what in found[1]), found


def test_a_certificate_and_a_key_that_do_not_fit_are_found(practice: Practice) -> None:
    """And so are files that cannot be read, and none at all."""
    assert "warn" == practice.checks()["TLS certificate"][0]
    write_certificate(practice.folder)
    key = (practice.folder / "mail.key").read_bytes()
    write_certificate(practice.folder)
    (practice.folder / "mail.key").write_bytes(key)
    practice.extra |= {"tls_cert": '"mail.pem"', "tls_key": '"mail.key"'}
    assert ("bad", "certificate and key do not belong together") == practice.checks()["TLS certificate"]
    (practice.folder / "mail.key").unlink()
    assert ("bad", "tls_cert or tls_key cannot be read") == practice.checks()["TLS certificate"]


def test_what_seals_letters_is_looked_for(practice: Practice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The library for PGP, the program for S/MIME; what is missing is said with what it means."""
    checks = practice.checks()
    assert ("ok", "ok") == (checks["PGP"][0], checks["S/MIME"][0])
    monkeypatch.setattr("vetrelay.bridge.letters.openpgp.sequoia", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    checks = practice.checks()
    assert ("warn", "warn") == (checks["PGP"][0], checks["S/MIME"][0])


def test_the_bridges_own_port_is_tried(practice: Practice) -> None:
    """Nobody there; the bridge without TLS; the bridge; somebody else."""
    assert "bad" == practice.checks()["mail port here"][0]
    with mail_server(practice, tls=False):
        assert ("warn", "the bridge answers, without STARTTLS") == practice.checks()["mail port here"]
    with mail_server(practice):
        assert ("ok", "the bridge answers, with STARTTLS") == practice.checks()["mail port here"]
    with mail_server(practice, name="other.example"):
        assert ("bad", "who answers there greets with another name") == practice.checks()["mail port here"]


def run(practice: Practice, walk: Awaitable[T]) -> T:
    """One of the doctor's walks alone, to a port that a test may have."""

    async def walked() -> T:
        return await walk

    return asyncio.run(walked())


def test_the_way_in_and_the_way_out_are_walked(practice: Practice, dkim_pem: bytes) -> None:
    """Under the public name, to whatever port the world uses; outward to the clinic that is named."""
    practice.publish(dkim_pem)
    config = parse_config(practice.write().read_text(), BridgeConfig)
    resolver = DnsResolver((practice.resolver,))
    closed = run(practice, mail_reach.port_in(config, resolver, port=practice.port))
    assert ("bad", True) == (closed.verdict, "router" in closed.mend)
    practice.zone.add("clinic-b.example", "MX", f"10 {HOST}.")
    with mail_server(practice):
        inward = run(practice, mail_reach.port_in(config, resolver, port=practice.port))
        assert ("warn", "its certificate is not one that others believe") == (inward.verdict, inward.what)
        outward = run(practice, mail_reach.way_out(config, resolver, to="clinic-b.example", port=practice.port))
        assert ("ok", f"{HOST} answers, its certificate proves nothing") == (outward.verdict, outward.what)
    shut = run(practice, mail_reach.way_out(config, resolver, to="clinic-b.example", port=practice.port))
    assert ("bad", True) == (shut.verdict, "smarthost" in shut.mend)
    assert "warn" == practice.checks()["port 25 outward"][0]


def test_a_smarthost_is_asked_instead_of_the_world(practice: Practice) -> None:
    """By the TLS that its setting wants."""
    practice.extra["smarthost"] = f'"127.0.0.1:{practice.port}"'
    assert "bad" == practice.checks()["smarthost"][0]
    with mail_server(practice, tls=False):
        assert "bad" == practice.checks()["smarthost"][0]
        practice.extra["smarthost_tls"] = '"opportunistic"'
        assert "warn" == practice.checks()["smarthost"][0]
    with mail_server(practice):
        assert "ok" == practice.checks()["smarthost"][0]
        practice.extra["smarthost_tls"] = '"verified"'
        assert ("bad", True) == (
            practice.checks()["smarthost"][0],
            "proves nothing" in practice.checks()["smarthost"][1],
        )


def test_a_smarthosts_records_name_it() -> None:
    """Who sends for the domain is the smarthost, and others may be added by its provider."""
    config = BridgeConfig(
        data="x", relay_url="x", domain=DOMAIN, hostname=HOST, web_url="https://x.example", smarthost="smtp.example:587"
    )
    assert '"v=spf1 mx a:smtp.example ~all"' in [record.value for record in records_of(config)]
