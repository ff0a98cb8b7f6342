"""Events: allowed fields, and nothing else, whatever is passed in."""

import json
from collections.abc import Iterator

import pytest
import structlog

from vetrelay.telemetry import ALLOWED_FIELDS, allowed_only, event_log, place_of, set_up_logs


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Leave no settings behind."""
    yield
    structlog.reset_defaults()


def test_a_field_that_is_not_allowed_is_dropped() -> None:
    """A careless call says less, never more."""
    event = {"event": "x", "bearer": "secret", "case": "an id", "path": "/v1/uploads/secret", "size_bytes": 3}
    assert {"event": "x", "size_bytes": 3} == allowed_only(None, "info", event)


@pytest.mark.parametrize(
    "name", ["bearer", "body", "text", "name", "address", "url", "path", "case", "envelope", "key"]
)
def test_nothing_that_tells_of_people_is_allowed(name: str) -> None:
    """Whatever is added to the list later, these are not."""
    assert name not in ALLOWED_FIELDS


@pytest.mark.parametrize("as_json", [True, False])
def test_an_event_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str], *, as_json: bool) -> None:
    """For people or for machines."""
    set_up_logs(as_json=as_json)
    event_log()("upload.finished", size_bytes=5, file_name="biscuit.jpg")
    printed = capsys.readouterr()
    assert ("", 1) == (printed.out, printed.err.count("\n"))
    assert "biscuit" not in printed.err
    if as_json:
        assert {"event": "upload.finished", "size_bytes": 5, "level": "info"}.items() <= json.loads(printed.err).items()


def test_the_place_of_an_error_has_no_text() -> None:
    """Module and line find the mistake; the text may quote what it choked on."""
    with pytest.raises(ValueError, match="secret") as raised:
        int("a secret")
    place = place_of(raised.value)
    assert place.startswith(f"{__name__}:")
    assert "secret" not in place
    assert "" == place_of(ValueError("never raised"))
