"""Ready: the gateway's folder prepared, its address chosen, and `ready.json` while it works."""

import asyncio
import fcntl
import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vetrelay.cli.settings import bridge_config, relay_config
from vetrelay.client.keyring import FILE_NAME as KEYRING_NAME
from vetrelay.client.keyring import write_durably
from vetrelay.errors import Refusal

DEFAULT_LISTEN: Final = "127.0.0.1:8440"
SOCKET: Final = "unix:relay.sock"
READY_FILE: Final = "ready.json"
RELAY_FILE: Final = "relay.toml"
INTAKE_FILE: Final = "intake.toml"
BRIDGE_FILE: Final = "bridge.toml"
OFFER: Final = "offers/intake.json"
BRIDGE_OFFER: Final = "offers/bridge.json"
CLINIC_CODE: Final = "clinic.code"
INTAKE_CODE: Final = "intake.code"
BRIDGE_CODE: Final = "bridge.code"
MACHINES: Final = (("intake", INTAKE_CODE), ("bridge", BRIDGE_CODE))
PLACES_FILE: Final = "listen.json"
MAIL_PLACES_FILE: Final = "mail.json"
TRIAL_SMTP: Final = "127.0.0.1:8425"
TRIAL_PAGES: Final = "127.0.0.1:8426"
ANY_PORT: Final = "127.0.0.1:0"
LOCK: Final = "up.lock"
EVERYWHERE: Final = frozenset({"0.0.0.0", "[::]"})  # noqa: S104  # to tell them from places, not to listen there
HOME_HOSTS: Final = ("127.0.0.1", "localhost")
RELAY_TOML: Final = f"""# Written by `vetrelay up`, yours to change: every key and its reason stand in config/relay.toml.
# Relative paths start from this folder. `up` itself says where to listen (--listen) and adds those addresses to `origins`.
data = "relay"
listen = ["{DEFAULT_LISTEN}", "{SOCKET}"]
# Behind a proxy with a certificate, the address that clients use: origins = ["https://messages.example-clinic.test"]
origins = []
"""
INTAKE_TOML: Final = f"""# Written by `vetrelay up`, yours to change: every key and its reason stand in config/intake.toml.
# Relative paths start from this folder.
data = "intake"
relay_url = "{SOCKET}"
code_file = "{INTAKE_CODE}"
offer_file = "{OFFER}"
"""
BRIDGE_TOML: Final = f"""# Written by `vetrelay up`, yours to change: every key and its reason stand in config/bridge.toml.
# Relative paths start from this folder. As it stands, letters come and go on this machine alone: good for trying out. For
# the world: a domain and a name of your own, `listen`, a certificate, a DKIM key, and `web_url` behind a proxy;
# `vetrelay doctor mail --config bridge.toml` says what is missing.
data = "bridge"
relay_url = "{SOCKET}"
code_file = "{BRIDGE_CODE}"
offer_file = "{BRIDGE_OFFER}"
domain = "mail.localhost"
hostname = "mail.localhost"
listen = ["{TRIAL_SMTP}"]
web_listen = "{TRIAL_PAGES}"
web_url = "http://{TRIAL_PAGES}"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailPlaces:
    """Where letters come in, where the bridge's web pages are, and the address of these that stands in letters."""

    smtp: tuple[str, ...]
    pages: str
    pages_url: str


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """Has the gateway's folder to itself. Raises Refusal `already_running`."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(data / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as held:
        raise Refusal("already_running") from held
    finally:
        os.close(lock)


def prepare(data: Path) -> None:
    """Settings where there are none, the relay's database brought up to date, and codes for who has yet to enrol."""
    for name, text in ((RELAY_FILE, RELAY_TOML), (INTAKE_FILE, INTAKE_TOML), (BRIDGE_FILE, BRIDGE_TOML)):
        if not (data / name).exists():
            write_durably(data / name, text.encode(), mode=0o640)
    (data / OFFER).parent.mkdir(exist_ok=True)
    wanted = [] if _is_unused(data) else [CLINIC_CODE]
    for home, code in MACHINES:
        if not (data / home / KEYRING_NAME).exists() and not (data / code).exists():
            wanted.append(code)
    if wanted:
        _issue(data, wanted)


def _is_unused(data: Path) -> bool:
    """Whether the clinic's code that was made earlier is still good."""
    if not (data / CLINIC_CODE).exists():
        return False
    from vetrelay.relay.look import is_unused
    from vetrelay.relay.process import DATABASE
    from vetrelay.relay.storage.engine import reader_engine

    database = Path(relay_config(data / RELAY_FILE).data) / DATABASE
    if not database.exists():
        return False
    engine = reader_engine(database)
    try:
        return is_unused(engine, (data / CLINIC_CODE).read_text())
    finally:
        engine.dispose()


def _issue(data: Path, names: Sequence[str]) -> None:
    from vetrelay.relay.enrol import issue_code
    from vetrelay.relay.process import open_relay

    config = relay_config(data / RELAY_FILE)

    async def issue() -> None:
        async with open_relay(Path(config.data), config.limits, origins=frozenset()) as relay:
            for name in names:
                code = await issue_code(relay, "clinic" if name == CLINIC_CODE else "machine")
                write_durably(data / name, code.encode() + b"\n")

    asyncio.run(issue())


def choose_places(data: Path, wanted: Sequence[str]) -> tuple[str, ...]:
    """Where to listen: what was asked for, else what the settings say. Port 0 becomes a free one, the last one if it can.

    A gateway that comes back under its old port keeps every link and every keyring that names it good.
    """
    places = tuple(wanted) or tuple(place for place in relay_config(data / RELAY_FILE).listen if place != SOCKET)
    return (*_chosen(data / PLACES_FILE, places), SOCKET)


def choose_mail_places(data: Path, smtp: Sequence[str], pages: str | None, *, beside: Sequence[str]) -> MailPlaces:
    """The same for letters and the bridge's web pages. Where the gateway itself (`beside`) takes a free port, so do they.

    The address that letters name follows the port, unless the settings have one of their own.
    """
    settings = bridge_config(data / BRIDGE_FILE)
    free = any(place.endswith(":0") for place in beside)
    wanted = tuple(smtp) or ((ANY_PORT,) if free else settings.listen)
    wanted_pages = pages or (ANY_PORT if free else settings.web_listen)
    *chosen, page_place = _chosen(data / MAIL_PLACES_FILE, (*wanted, wanted_pages))
    follows = settings.web_url == f"http://{settings.web_listen}"
    url = f"http://{_named(page_place)}" if follows else settings.web_url
    return MailPlaces(smtp=tuple(chosen), pages=page_place, pages_url=url)


def _chosen(file: Path, places: Sequence[str]) -> tuple[str, ...]:
    before: list[str] = []
    with suppress(OSError, ValueError):
        before = json.loads(file.read_text())
    # Each by its own last port; another's, freed by now, could be the next one's.
    chosen = tuple(_with_port(place, before[number : number + 1]) for number, place in enumerate(places))
    write_durably(file, json.dumps(chosen).encode())
    return chosen


def _named(place: str) -> str:
    """A place as somebody on this machine reaches it."""
    host, _, port = place.rpartition(":")
    return f"{HOME_HOSTS[0] if host in EVERYWHERE else host}:{port}"


def _with_port(place: str, before: Sequence[str]) -> str:
    host, _, port = place.rpartition(":")
    if port != "0":
        return place
    last = next((int(known.rpartition(":")[2]) for known in before if known.rpartition(":")[0] == host), 0)
    for number in (last, 0):
        with suppress(OSError), _bound(host, number) as bound:
            return f"{host}:{bound.getsockname()[1]}"
    return place


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    bare = host.removeprefix("[").removesuffix("]")
    with socket.socket(socket.AF_INET6 if ":" in bare else socket.AF_INET, socket.SOCK_STREAM) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((bare, port))
        yield bound


def origins_of(places: Sequence[str]) -> tuple[str, ...]:
    """The addresses that clients on this machine may know the gateway by; others are for the settings to name."""
    origins: list[str] = []
    for place in places:
        if place.startswith("unix:"):
            origins.append(place)
            continue
        host, _, port = place.rpartition(":")
        hosts = HOME_HOSTS if host in EVERYWHERE or host in HOME_HOSTS else (host,)
        origins += [f"http://{name}:{port}" for name in dict.fromkeys((*hosts, host)) if name not in EVERYWHERE]
    return tuple(origins)


def public_url(data: Path, places: Sequence[str]) -> str:
    """The address to give to people: the settings' public one, else where it listens first."""
    configured = relay_config(data / RELAY_FILE).origins
    return configured[0] if configured else f"http://{_named(places[0])}"


def is_unnamed(data: Path, places: Sequence[str]) -> bool:
    """Whether it listens on every address of this machine, and nobody has said by which one others know it."""
    everywhere = any(place.rpartition(":")[0] in EVERYWHERE for place in places)
    return everywhere and not relay_config(data / RELAY_FILE).origins


def write_ready(data: Path, url: str, mail: MailPlaces) -> None:
    """`ready.json`: whole or not at all."""
    ready = {
        "url": url,
        "clinic_code": (data / CLINIC_CODE).read_text().strip(),
        "offers": [str((data / offer).absolute()) for offer in (OFFER, BRIDGE_OFFER)],
        "smtp": _named(mail.smtp[0]),
        "mail_pages": mail.pages_url,
    }
    write_durably(data / READY_FILE, json.dumps(ready, indent=2).encode() + b"\n")


def drop_ready(data: Path) -> None:
    """Nobody shall wait for a gateway that is gone."""
    (data / READY_FILE).unlink(missing_ok=True)


async def answers_ready(data: Path) -> bool:
    """Whether the relay says, through its socket, that it can accept."""
    try:
        reader, writer = await asyncio.open_unix_connection(_short_path(data / "relay.sock"))
    except OSError:
        return False
    try:
        writer.write(b"GET /ready HTTP/1.0\r\nHost: relay\r\n\r\n")
        await writer.drain()
        return b" 200 " in await reader.readline()
    except OSError:
        return False
    finally:
        writer.close()


def _short_path(path: Path) -> str:
    """A socket's path, short enough for the kernel: as seen from here."""
    return os.path.relpath(path)
