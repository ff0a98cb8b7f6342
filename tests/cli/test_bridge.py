"""Email in a case, by typed commands: a whole gateway, a DNS server of the test's own, and real SMTP both ways."""

import asyncio
import json
import os
import signal
import smtplib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.bridge.zone import Zone, serving
from tests.gateway import Gateway, Person, running_gateway, type_here

DOMAIN, CLINIC = "post.practice.example", "clinic.example"
EYE = f"eye@{CLINIC}"
WAIT_SECONDS = 60
T = TypeVar("T")


@dataclass
class World:
    """Everybody else's mail server: takes what the bridge sends, or refuses it for now."""

    letters: list[EmailMessage] = field(default_factory=list)
    busy: bool = False

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's
        """Keeps a letter."""
        if self.busy:
            return "450 4.3.2 Come again"
        assert isinstance(envelope.content, bytes)
        self.letters.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 2.0.0 OK queued as K1"

    def to(self, address: str) -> list[EmailMessage]:
        """What went to somebody."""
        return [letter for letter in self.letters if address in str(letter["To"])]


@contextmanager
def served(zone: Zone) -> Iterator[str]:
    """The zone, on a loop of its own in a thread."""
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


@dataclass(frozen=True, kw_only=True)
class Post:
    """A practice with an email bridge, and the world around it."""

    gateway: Gateway
    world: World
    vet: Person
    smtp: str

    @property
    def config(self) -> str:
        """The bridge's settings file."""
        return str(self.gateway.folder / "bridge.toml")

    def write(self, to: str, *, sender: str = EYE, subject: str = "Re: the ear", text: str = "Give 2 ml.") -> None:
        """Somebody's letter to us, by real SMTP."""
        letter = EmailMessage()
        letter["From"], letter["To"], letter["Subject"] = sender, to, subject
        letter["Message-ID"] = f"<{time.time_ns()}@{CLINIC}>"
        letter.set_content(text)
        host, _, port = self.smtp.rpartition(":")
        with smtplib.SMTP(host, int(port)) as session:
            session.send_message(letter, sender, [to])


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Post]:
    """The gateway is up, the clinic has adopted its machines. `clinic.example` proves its letters, others do not."""
    zone, world = Zone(), World()
    for domain in (CLINIC, "other.example"):
        zone.add(domain, "TXT", "v=spf1 ip4:127.0.0.1 -all")
        zone.add(domain, "MX", f"10 mail.{domain}.")
        zone.add(f"_dmarc.{domain}", "TXT", "v=DMARC1; p=reject")
    home = tmp_path_factory.mktemp("post")
    folder = home / "gateway"
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sink = Controller(world, hostname="127.0.0.1", port=port)
    sink.start()
    with served(zone) as resolver:
        settings = {
            "data": "bridge",
            "relay_url": "unix:relay.sock",
            "code_file": "bridge.code",
            "offer_file": "offers/bridge.json",
            "domain": DOMAIN,
            "hostname": "mail.practice.example",
            "web_listen": "127.0.0.1:8426",
            "web_url": "http://127.0.0.1:8426",
            "smarthost": f"127.0.0.1:{port}",
            "smarthost_tls": "off",
            "resolver": resolver,
        }
        (folder / "bridge.toml").write_text("".join(f"{name} = {json.dumps(v)}\n" for name, v in settings.items()))
        try:
            with running_gateway(folder) as gateway:
                ready = json.loads((folder / "ready.json").read_text())
                vet = gateway.clinic(home / "vet")
                yield Post(gateway=gateway, world=world, vet=vet, smtp=ready["smtp"])
        finally:
            sink.stop()


@pytest.fixture
def luna(post: Post, tmp_path: Path) -> tuple[str, Person]:
    """A case with its owner."""
    return post.gateway.case(post.vet, tmp_path / "anna", title="Luna, itchy ear")


def until(look: Callable[[], T], holds: Callable[[T], Any] = bool) -> T:
    """What is seen once it holds."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        seen = look()
        if holds(seen):
            return seen
        assert time.monotonic() < deadline, seen
        time.sleep(0.3)


def listed(post: Post, case: str, *words: str, address: str = EYE) -> dict[str, Any]:
    """A correspondent that has its address: what `bridge address` says of it."""
    post.vet.run("bridge", "correspondents", case, "--add", address, "--name", "Dr. Eye", *words)
    addresses: list[dict[str, Any]] = post.vet.json("bridge", "address", case)["addresses"]
    return next(one for one in addresses if one["address"] == address)


def waiting(post: Post, *words: str) -> list[dict[str, Any]]:
    """The letters that wait; none ends with 4."""
    done = post.vet.run("bridge", *words, "--json", code=None)
    letters: list[dict[str, Any]] = json.loads(done.out)["letters"]
    assert (0 if letters else 4) == done.code
    return letters


def test_a_case_goes_by_email_and_everybody_sees_it(post: Post, luna: tuple[str, Person]) -> None:
    """Listed, addressed, written to; what is said goes out as a notice without a word of it, and the case says so."""
    case, anna = luna
    told = post.vet.run("bridge", "correspondents", case, "--add", EYE.upper(), "--name", "Dr. Eye")
    assert "email is on in this case; everybody in it sees that" in told.err
    assert f"Dr. Eye <{EYE}>: a notice with a link, not one word of content" in told.out
    shown = post.vet.run("bridge", "address", case)
    (known,) = post.vet.json("bridge", "address", case)["addresses"]
    assert known["mail"].endswith(f"@{DOMAIN}")
    assert 8 == len(known["code"])
    assert all(known[part] in shown.out for part in ("mail", "upload", "code"))
    for person in (post.vet, anna):
        text = person.run("case", "show", case).out
        assert "email bridge  fingerprint " in text
        assert f"Dr. Eye <{EYE}>  by email" in text
        assert "email is not sealed end to end beyond the bridge" in text
    sent = anna.run("send", case, "--text", "She scratches all night, the swordfish.")
    assert f"by email too: Dr. Eye <{EYE}> (a notice with a link, not one word of content)" in sent.err
    (letter, *_) = until(lambda: post.world.to(EYE))
    assert "swordfish" not in letter.as_string()
    assert known["mail"] in str(letter["From"])
    entry = until(lambda: post.vet.json("read", case)["entries"][0], lambda seen: "deliveries" in seen)
    assert [(EYE, "emailed")] == [(one["address"], one["state"]) for one in entry["deliveries"]]
    post.world.letters.clear()


def test_turning_email_on_and_off_is_said_and_may_be_repeated(post: Post, luna: tuple[str, Person]) -> None:
    """The owner may put the bridge out; only the clinic lets it in."""
    case, anna = luna
    assert (
        "may_not" in anna.run("bridge", "on", case, code=3).err
        or "no_bridge" in anna.run("bridge", "on", case, code=3).err
    )
    assert "email is on" in post.vet.run("bridge", "on", case).err
    assert "it was so before" in post.vet.run("bridge", "on", case).err
    assert post.vet.json("case", "show", case)["mail"]["on"]
    assert 1 == len(anna.json("case", "show", case)["bridges"])
    assert "no longer" in anna.run("bridge", "off", case).out
    assert "it was so before" in anna.run("bridge", "off", case).err
    assert [] == post.vet.json("case", "show", case)["bridges"]


def test_nobody_listed_is_nothing_there(post: Post, luna: tuple[str, Person]) -> None:
    """Exit 4, and how to list somebody."""
    done = post.vet.run("bridge", "address", luna[0], code=4)
    assert "nobody is listed yet" in done.err
    assert "nobody takes part by email" in post.vet.run("bridge", "correspondents", luna[0]).out


def test_a_bridge_that_does_not_answer_is_said(post: Post, luna: tuple[str, Person]) -> None:
    """Exit 1, repeating is safe; once it answers, the address is there."""
    case = luna[0]
    bridge = post.gateway.child("bridge")
    os.kill(bridge, signal.SIGSTOP)
    try:
        post.vet.run("bridge", "correspondents", case, "--add", EYE)
        assert "bridge_silent" in post.vet.run("bridge", "address", case, "--wait", "1", code=1).err
    finally:
        os.kill(bridge, signal.SIGCONT)
    assert DOMAIN in post.vet.run("bridge", "address", case).out


def test_filing_a_letter_leaves_its_sender_as_they_are_listed(post: Post, luna: tuple[str, Person]) -> None:
    """`--list` lists who is not listed; how somebody is written to is not changed by a letter."""
    case = luna[0]
    known = listed(post, case, "--reference", "P-1", address="known@other.example")
    assert known["mail"]
    post.vet.run("bridge", "front-door", case, "--on")
    until(lambda: _written(post, "known@other.example"))
    (letter,) = until(lambda: waiting(post, "unfiled"))
    post.vet.run("bridge", "unfiled", "--file", letter["letter"], case, "--list")
    (one,) = post.vet.json("bridge", "correspondents", case)["correspondents"]
    assert ("Dr. Eye", "P-1") == (one["name"], one["reference"])
    post.vet.run("bridge", "front-door", case, "--off")


def _written(post: Post, sender: str) -> bool:
    """Whether the front door took a letter: it opens when the bridge has read that it does."""
    with suppress(smtplib.SMTPRecipientsRefused):
        post.write(f"records@{DOMAIN}", sender=sender, subject="Records")
        return True
    return False


def test_what_is_not_said_of_a_correspondent_stays_as_it_was(post: Post, luna: tuple[str, Person]) -> None:
    """Number, confirmation, name; and striking off ends it."""
    case = luna[0]
    listed(post, case, "--reference", "P-4711", "--confirm")
    assert "nothing was changed" in post.vet.run("bridge", "correspondents", case, "--add", EYE).err
    post.vet.run("bridge", "correspondents", case, "--add", EYE, "--no-confirm")
    (one,) = post.vet.json("bridge", "correspondents", case)["correspondents"]
    assert ("Dr. Eye", "P-4711", False, "notify") == (one["name"], one["reference"], one["confirm"], one["mode"])
    post.vet.run("bridge", "correspondents", case, "--add", EYE, "--reference", "")
    (one,) = post.vet.json("bridge", "correspondents", case)["correspondents"]
    assert one["reference"] is None
    assert "takes part no longer" in post.vet.run("bridge", "correspondents", case, "--remove", EYE).out
    assert [] == post.vet.json("bridge", "correspondents", case)["correspondents"]
    assert "no_such_correspondent" in post.vet.run("bridge", "correspondents", case, "--remove", EYE, code=4).err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("correspondents", "CASE", "--add", "nobody"), 3, "no_mail_address"),
        (("correspondents", "CASE", "--add", EYE, "--mode", "pgp"), 3, "key_wanted"),
        (("correspondents", "CASE", "--add", f"@{CLINIC}", "--mode", "plain"), 3, "whole_domain"),
        (("correspondents", "CASE", "--add", EYE, "--remove", EYE), 2, "two wishes"),
        (("correspondents", "CASE", "--name", "x"), 2, "go with --add"),
        (("correspondents", "CASE", "--add", EYE, "--reference", "Bello <3"), 2, "letters, digits"),
        (("keys", "CASE", "stranger@x.example"), 4, "no_such_correspondent"),
        (("consent", "CASE", "stranger@x.example", "--give"), 4, "no_such_correspondent"),
        (("waiting", "--take", "aaaaaaaa"), 4, "no_such_letter"),
        (("waiting", "--list"), 2, "--list goes with --take"),
        (("waiting", "--take", "a", "--deny", "b"), 2, "two wishes"),
        (("unfiled", "--decline", "aaaaaaaa"), 4, "no_such_letter"),
        (("unfiled", "--file", "aaaaaaaa", "CASE", "--decline", "b"), 2, "two wishes"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    post: Post, luna: tuple[str, Person], words: tuple[str, ...], code: int, said: str
) -> None:
    """With the code of its kind, and in the one form."""
    typed = [luna[0] if word == "CASE" else word for word in words]
    assert said in post.vet.run("bridge", *typed, code=code).err


def test_a_whole_domain_may_be_listed_to_write_in(post: Post, luna: tuple[str, Person]) -> None:
    """Whoever writes from there is let in; nothing is sent there."""
    case, anna = luna
    known = listed(post, case, address=f"@{CLINIC}")
    assert f"everybody at {CLINIC}" in post.vet.run("bridge", "correspondents", case).out
    assert "by email too" not in anna.run("send", case, "--text", "hello").err
    post.write(known["mail"], sender=f"nurse@{CLINIC}", text="The bandage may come off.")
    entries = until(lambda: anna.json("read", case)["entries"], lambda seen: len(seen) == 2)
    assert "The bandage may come off." in entries[1]["text"]
    assert entries[1]["letter"]["known"]


def test_a_letter_from_a_stranger_waits_and_is_taken_or_denied(post: Post, luna: tuple[str, Person]) -> None:
    """It is told in the case, shown with what it says of itself, and decided by its number or the beginning of it."""
    case, anna = luna
    known = listed(post, case)
    post.write(known["mail"], sender="colleague@other.example", subject="My \x1b[31m view", text="Rather 3 ml.")
    (letter,) = until(lambda: waiting(post, "waiting", case))
    assert ("colleague@other.example", True, "not_listed") == (
        letter["sender"],
        letter["sender_proved"],
        letter["reason"],
    )
    text = post.vet.run("bridge", "waiting").out
    assert "says it is from colleague@other.example" in text
    assert "\x1b" not in text
    assert "may_not" in anna.run("bridge", "waiting", "--take", letter["letter"], code=3).err
    taken = post.vet.run("bridge", "waiting", "--take", letter["letter"][:8], "--list")
    assert "is let into" in taken.out
    entries = until(
        lambda: post.vet.json("read", case)["entries"], lambda seen: any("3 ml" in (one["text"] or "") for one in seen)
    )
    assert "colleague@other.example" in post.vet.run("read", case).out
    assert [] == waiting(post, "waiting", case)
    post.write(known["mail"], sender="spam@other.example", subject="Buy")
    (letter,) = until(lambda: waiting(post, "waiting", case))
    assert "kept out of" in post.vet.run("bridge", "waiting", "--deny", letter["letter"]).out
    assert [] == waiting(post, "waiting", case)
    assert len(entries) <= len(post.vet.json("read", case)["entries"])


def test_letters_to_the_general_address_are_filed_from_the_front_door(post: Post, luna: tuple[str, Person]) -> None:
    """Off, nobody of that name is there; on, they wait in staff's own case and go where staff say."""
    case, anna = luna
    desk = post.vet.word("case", "open", "--title", "Front desk")
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        post.write(f"records@{DOMAIN}")
    assert "come into case" in post.vet.run("bridge", "front-door", desk, "--on").out
    assert post.vet.json("bridge", "front-door", desk)["front_door"]

    until(lambda: _written(post, EYE))
    (letter,) = until(lambda: waiting(post, "unfiled"))
    assert (EYE, "front_door") == (letter["sender"], letter["reason"])
    post.vet.run("bridge", "on", case)
    filed = post.vet.json("bridge", "unfiled", "--file", letter["letter"], case, "--list")
    assert (desk, case) == (filed["from_case"], filed["case"])
    until(lambda: anna.json("read", case)["entries"], lambda seen: seen and "Give 2 ml." in seen[0]["text"])
    assert "do not come into" in post.vet.run("bridge", "front-door", desk, "--off").out


def test_only_the_owner_allows_plain_email(post: Post, luna: tuple[str, Person]) -> None:
    """Without that word it is a notice that goes; with it, the letter waits for a connection that is verified."""
    case, anna = luna
    listed(post, case)
    told = post.vet.run("bridge", "correspondents", case, "--add", EYE, "--mode", "plain")
    assert "plain email waits for the owner's consent" in told.out
    assert "may_not" in post.vet.run("bridge", "consent", case, EYE, "--give", code=3).err
    assert not anna.json("bridge", "consent", case, EYE)["plain_consent"]
    assert "is allowed" in anna.run("bridge", "consent", case, EYE, "--give").out
    assert "nothing was changed" in anna.run("bridge", "consent", case, EYE, "--give").err
    assert "letters in plain email" in post.vet.run("bridge", "correspondents", case).out
    assert "is not allowed" in anna.run("bridge", "consent", case, EYE, "--withdraw").out


def test_a_key_counts_once_its_fingerprint_was_typed(post: Post, luna: tuple[str, Person], tmp_path: Path) -> None:
    """As its owner read it out; another one, or none, approves nothing."""
    from pysequoia import Tsk

    case = luna[0]
    listed(post, case)
    key = Tsk.generate(f"Dr. Eye <{EYE}>").extract_certificate()
    (tmp_path / "eye.asc").write_text(str(key))
    words = ("bridge", "keys", case, EYE, str(tmp_path / "eye.asc"))
    assert "fingerprint_needed" in post.vet.run(*words, code=3).err
    assert "fingerprint_differs" in post.vet.run(*words, "--fingerprint", "0" * 40, code=3).err
    print_ = key.fingerprint
    spaced = " ".join(print_[at : at + 4] for at in range(0, 40, 4))
    done = post.vet.run(*words, "--fingerprint", spaced)
    assert "sealed with their PGP key" in done.out
    assert "this key says it is of:" in done.err
    shown = post.vet.json("bridge", "keys", case, EYE)
    assert ("pgp", print_.upper()) == (shown["mode"], shown["approved"])
    post.vet.run("bridge", "correspondents", case, "--add", EYE, "--name", "Dr. E.")
    assert "pgp" == post.vet.json("bridge", "keys", case, EYE)["mode"]
    (tmp_path / "none.asc").write_text("no key at all")
    assert "mail_key_unreadable" in post.vet.run("bridge", "keys", case, EYE, str(tmp_path / "none.asc"), code=3).err


def test_the_queue_tells_states_and_nothing_of_whose_they_are(post: Post, luna: tuple[str, Person]) -> None:
    """A letter that waits is named by its number, tried again on wish, and then gone from the queue."""
    case, anna = luna
    listed(post, case, address=f"slow@{CLINIC}")
    post.world.busy = True
    anna.run("send", case, "--text", "no hurry")
    words = ("bridge", "queue", "--config", post.config, "--json")
    seen = until(lambda: type_here(*words).json(), lambda seen: any(one["attempts"] for one in seen["letters"]))
    (letter,) = [one for one in seen["letters"] if one["attempts"]]
    shown = type_here("bridge", "queue", "--config", post.config).out
    assert letter["id"][:12] in shown
    assert CLINIC not in shown + json.dumps(seen)
    assert 2 == type_here("bridge", "retry", "--config", post.config).code
    assert 4 == type_here("bridge", "retry", "aaaaaa1", "--config", post.config).code
    post.world.busy = False
    until(
        lambda: type_here("bridge", "retry", letter["id"][:8], "--config", post.config).code,
        lambda code: code in (0, 4),
    )
    until(lambda: post.world.to(f"slow@{CLINIC}"))
    gone = until(
        lambda: type_here(*words).json(), lambda seen: letter["id"] not in {one["id"] for one in seen["letters"]}
    )
    assert "handed" in {one["state"] for one in gone["departures"]}
    assert type_here("bridge", "retry", "--all", "--config", post.config).out.startswith("0 letters are due now")


def test_a_bridge_that_never_ran_has_no_queue(tmp_path: Path) -> None:
    """A word about that, and no file is made."""
    config = tmp_path / "bridge.toml"
    config.write_text(
        'data = "b"\nrelay_url = "x"\ndomain = "d.example"\nhostname = "h.example"\nweb_url = "https://h.example"\n'
    )
    assert "has not been started" in type_here("bridge", "queue", "--config", str(config)).err
    assert not (tmp_path / "b").exists()
