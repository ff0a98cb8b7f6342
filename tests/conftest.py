"""What all tests share: the folders and programs they may ask for, and the switch for the long ones."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.corpora import ABSENT, corpora_folder
from tests.gateway import Gateway, running_gateway
from tests.node import find_node

# No test passes or fails by a clock: a slow machine is not a broken program.
settings.register_profile("vetrelay", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vetrelay")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --soak."""
    parser.addoption("--soak", action="store_true", help="run the long soak tests too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked slow, unless --soak was given."""
    if config.getoption("--soak"):
        return
    long_one = pytest.mark.skip(reason="a long soak: run with --soak")
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(long_one)


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The shared corpora, or a skip that says how to name them."""
    folder = corpora_folder()
    if folder is None:
        pytest.skip(ABSENT)
    return folder


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A running gateway that all tests of this session share; its log lies beside its folder."""
    with running_gateway(tmp_path_factory.mktemp("gateway") / "data") as running:
        yield running


@pytest.fixture(scope="session")
def node() -> Path:
    """A node for the JavaScript clients in tests/js."""
    return find_node()
