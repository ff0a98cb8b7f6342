"""The gateway's folder, its address, and ready.json."""

import json
import socket
from pathlib import Path

import pytest

from vetrelay.cli.ready import (
    BRIDGE_FILE,
    CLINIC_CODE,
    INTAKE_FILE,
    RELAY_FILE,
    MailPlaces,
    alone,
    choose_mail_places,
    choose_places,
    drop_ready,
    is_unnamed,
    origins_of,
    prepare,
    public_url,
    write_ready,
)
from vetrelay.cli.settings import bridge_config, intake_config, relay_config
from vetrelay.errors import Refusal


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A prepared folder."""
    folder = tmp_path / "gateway"
    with alone(folder):
        prepare(folder)
    return folder


def test_a_fresh_folder_gets_settings_a_database_and_codes(data: Path) -> None:
    """Everything both programs need stands in the folder, and the secrets are for its owner alone."""
    assert str(data / "relay") == relay_config(data / RELAY_FILE).data
    assert str(data / "intake") == intake_config(data / INTAKE_FILE).data
    assert str(data / "bridge") == bridge_config(data / BRIDGE_FILE).data
    assert (data / "relay" / "relay.sqlite").exists()
    names = (CLINIC_CODE, "intake.code", "bridge.code")
    assert 3 == len({(data / name).read_text() for name in names})
    assert {0o600} == {(data / name).stat().st_mode & 0o777 for name in names}
    assert 0o700 == data.stat().st_mode & 0o777


def test_settings_and_unused_codes_stay_as_they_are(data: Path) -> None:
    """Preparing again changes nothing that a person may have changed or passed on."""
    (data / RELAY_FILE).write_text((data / RELAY_FILE).read_text() + "log_json = true\n")
    before = {path.name: path.read_text() for path in data.iterdir() if path.is_file()}
    prepare(data)
    assert before == {path.name: path.read_text() for path in data.iterdir() if path.is_file()}


def test_one_gateway_at_a_time_has_a_folder(data: Path) -> None:
    """A second `up` on the same folder refuses."""
    with alone(data), pytest.raises(Refusal) as raised, alone(data):
        pass
    assert "already_running" == raised.value.code


def test_port_0_becomes_a_free_port_and_stays_it(data: Path) -> None:
    """Links and keyrings name the address, so a gateway comes back under the one it had."""
    first = choose_places(data, ["127.0.0.1:0"])
    assert ("unix:relay.sock", first) == (first[-1], choose_places(data, ["127.0.0.1:0"]))
    port = int(first[0].rpartition(":")[2])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert first[0] != choose_places(data, ["127.0.0.1:0"])[0]


def test_without_listen_the_settings_say_where(data: Path) -> None:
    """What `up` is not told stands in relay.toml."""
    assert ("127.0.0.1:8440", "unix:relay.sock") == choose_places(data, [])


def test_letters_and_their_pages_have_places_of_their_own(data: Path) -> None:
    """Fixed ones for trying out; free ones beside a gateway that takes a free one, and the same at the next start."""
    tried = choose_mail_places(data, [], None, beside=[])
    assert (("127.0.0.1:8425",), "127.0.0.1:8426") == (tried.smtp, tried.pages)
    assert "http://127.0.0.1:8426" == tried.pages_url
    free = choose_mail_places(data, [], None, beside=["127.0.0.1:0"])
    assert free == choose_mail_places(data, [], None, beside=["127.0.0.1:0"])
    assert 3 == len({"127.0.0.1:0", *free.smtp, free.pages})
    assert f"http://{free.pages}" == free.pages_url
    said = choose_mail_places(data, ["127.0.0.1:0", "[::1]:2525"], "0.0.0.0:8080", beside=[])
    assert ("[::1]:2525", "http://127.0.0.1:8080") == (said.smtp[1], said.pages_url)


def test_an_address_of_the_pages_that_the_settings_name_stays(data: Path) -> None:
    """Behind a proxy, letters carry the proxy's name wherever the bridge listens."""
    text = (
        (data / BRIDGE_FILE).read_text().replace('web_url = "http://127.0.0.1:8426"', 'web_url = "https://m.example"')
    )
    (data / BRIDGE_FILE).write_text(text)
    assert "https://m.example" == choose_mail_places(data, [], "127.0.0.1:0", beside=[]).pages_url


@pytest.mark.parametrize(
    ("place", "origins"),
    [
        ("127.0.0.1:8440", {"http://127.0.0.1:8440", "http://localhost:8440"}),
        ("0.0.0.0:80", {"http://127.0.0.1:80", "http://localhost:80"}),
        ("[::1]:8440", {"http://[::1]:8440"}),
        ("unix:relay.sock", {"unix:relay.sock"}),
    ],
)
def test_a_place_is_known_by_the_addresses_of_this_machine(place: str, origins: set[str]) -> None:
    """Devices sign the address they talk to; `localhost` is the same place as its number."""
    assert origins == set(origins_of([place]))


def test_the_public_address_is_the_settings_own_if_they_have_one(data: Path) -> None:
    """Behind a proxy, links carry the proxy's name."""
    assert "http://127.0.0.1:8440" == public_url(data, ["0.0.0.0:8440"])
    assert [True, False] == [is_unnamed(data, [place]) for place in ("0.0.0.0:8440", "127.0.0.1:8440")]
    text = (data / RELAY_FILE).read_text().replace("origins = []", 'origins = ["https://m.example"]')
    (data / RELAY_FILE).write_text(text)
    assert "https://m.example" == public_url(data, ["0.0.0.0:8440"])
    assert not is_unnamed(data, ["0.0.0.0:8440"])


def test_ready_json_is_what_the_docs_say_and_goes_at_the_end(data: Path) -> None:
    """Address, code, offers, where letters come in; nobody waits for a gateway that is gone."""
    mail = MailPlaces(smtp=("0.0.0.0:25", "[::]:25"), pages="127.0.0.1:2", pages_url="https://m.example")
    write_ready(data, "http://127.0.0.1:1", mail)
    ready = json.loads((data / "ready.json").read_text())
    assert {"url", "clinic_code", "offers", "smtp", "mail_pages"} == ready.keys()
    offers = [str(data / "offers" / name) for name in ("intake.json", "bridge.json")]
    assert ("http://127.0.0.1:1", offers) == (ready["url"], ready["offers"])
    assert ("127.0.0.1:25", "https://m.example") == (ready["smtp"], ready["mail_pages"])
    assert (data / CLINIC_CODE).read_text().strip() == ready["clinic_code"]
    drop_ready(data)
    assert not (data / "ready.json").exists()
