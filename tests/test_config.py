"""Settings: what stands in the file is what is meant, or it is refused by name."""

from pathlib import Path

import pytest

from vetrelay.config import RelayConfig, RelayLimits, parse_config
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
