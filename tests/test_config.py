"""Settings: what stands in the file is what is meant, or it is refused by name."""

import re
from pathlib import Path
from typing import Final

import pytest

from vetrelay.config import BridgeConfig, BridgeLimits, RelayConfig, RelayLimits, parse_config
from vetrelay.errors import Fault

ROOT = Path(__file__).resolve().parent.parent


def setting_of(text: str) -> object:
    """The setting that a fault names."""
    with pytest.raises(Fault) as fault:
        parse_config(text, RelayConfig)
    assert "bad_config" == fault.value.code
    return fault.value.facts["setting"]


def test_the_shown_file_says_the_defaults() -> None:
    """config/relay.toml changes nothing but where the data lie."""
    shown = parse_config((ROOT / "config" / "relay.toml").read_text(), RelayConfig)
    assert RelayConfig(data=shown.data) == shown


def test_the_shown_file_of_the_bridge_says_the_defaults() -> None:
    """config/bridge.toml changes nothing but where the data lie, who it works for, and what it is called."""
    shown = parse_config((ROOT / "config" / "bridge.toml").read_text(), BridgeConfig)
    own = {name: getattr(shown, name) for name in ("data", "relay_url", "domain", "hostname", "web_url")}
    assert BridgeConfig(**own) == shown
    assert BridgeLimits() == shown.limits


def test_what_the_shown_file_of_the_bridge_leaves_out_can_be_set() -> None:
    """Its keys behind a `#` are those that are off by default, and their examples are taken."""
    text = re.sub(r"(?m)^#(?=[a-z_]+ = )", "", (ROOT / "config" / "bridge.toml").read_text())
    every = parse_config(text, BridgeConfig)
    assert [] == [name for name in BridgeConfig.__struct_fields__ if getattr(every, name) is None]


def test_a_setting_that_is_not_given_has_its_default() -> None:
    """Only `data` must be said."""
    config = parse_config('data = "x"\n[limits]\nqueued_jobs = 9', RelayConfig)
    assert (RelayLimits().connections, 9) == (config.limits.connections, config.limits.queued_jobs)


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ('data = "x"\nport = 1', "port"),
        ('data = "x"\n[limits]\nobjekt_bytes = 1', "limits.objekt_bytes"),
        ("data = 1", "data"),
        ('data = "x"\n[limits]\nobject_bytes = 0', "limits.object_bytes"),
        ('data = "x"\n[limits]\nobject_bytes = "1"', "limits.object_bytes"),
        ('data = "x"\nlisten = []', "listen"),
        ('data = "x"\nlog_json = 1', "log_json"),
        ("listen = ['a:1']", "data"),
        ("data = ", ""),
    ],
)
def test_a_setting_that_cannot_be_meant_is_named(text: str, setting: str) -> None:
    """A wrong guess would be worse than no guess."""
    assert setting == setting_of(text)


BRIDGE: Final = (
    'data = "x"\nrelay_url = "x"\ndomain = "d.example"\nhostname = "h.example"\nweb_url = "https://h.example"\n'
)


@pytest.mark.parametrize(
    ("line", "setting"),
    [
        ('smarthost = "smtp.example"', "smarthost"),
        ('smarthost_tls = "yes"', "smarthost_tls"),
        ('front_door = "Records"', "front_door"),
        ('pins = { "clinic.example" = "abc" }', "pins"),
        ('from_name = ""', "from_name"),
        ("listen = []", "listen"),
        ("retry_hours = 0", "retry_hours"),
        ("[limits]\nletter_bytes = 0", "limits.letter_bytes"),
        ("[limits]\nmin_free_percent = 100", "limits.min_free_percent"),
        ('domian = "d.example"', "domian"),
    ],
)
def test_a_setting_of_the_bridge_that_cannot_be_meant_is_named(line: str, setting: str) -> None:
    """The same for bridge.toml."""
    with pytest.raises(Fault) as fault:
        parse_config(BRIDGE + line, BridgeConfig)
    assert str(fault.value.facts["setting"]).startswith(setting)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("domain", "post example"),
        ("domain", "Post.example"),
        ("hostname", "h_.example/"),
        ("web_url", "h.example"),
        ("web_url", "ftp://h"),
    ],
)
def test_names_of_the_bridge_are_names(name: str, value: str) -> None:
    """A domain is lower-case and without spaces; the pages have an address of the web."""
    known = {
        "data": "x",
        "relay_url": "x",
        "domain": "d.example",
        "hostname": "h.example",
        "web_url": "https://h.example",
    }
    text = "".join(f'{key} = "{word}"\n' for key, word in {**known, name: value}.items())
    with pytest.raises(Fault) as fault:
        parse_config(text, BridgeConfig)
    assert name == fault.value.facts["setting"]
