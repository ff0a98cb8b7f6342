"""Strangers' upload headers and URLs: whatever they say, the answer is a value or a refusal, and the same code each time."""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chains import named_hash
from tests.housed_relay import HousedRelay, answering, housed_relay
from vetrelay.errors import Refusal
from vetrelay.protocol.ids import unb64
from vetrelay.relay.http.tus import parse_checksum, parse_metadata, parse_number, parse_secret

HEADER_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=200) | st.text(
    alphabet="case p,=AQaz09+/-_ ", max_size=200
)
PAIRS = st.lists(
    st.tuples(
        st.sampled_from(["case", "p", "filename", "Case", ""]),
        st.one_of(st.just(named_hash("case")), st.text(max_size=50)).map(
            lambda text: base64.b64encode(text.encode()).decode()
        ),
    ),
    max_size=4,
)


@contextmanager
def suppress_code(code: str) -> Iterator[None]:
    """A refusal with this code is as good as none."""
    try:
        yield
    except Refusal as refusal:
        assert code == refusal.code  # noqa: PT017  # either outcome is right


@given(HEADER_TEXT)
def test_metadata_is_two_ids_or_refused(text: str) -> None:
    """Whatever is taken is canonical, and says the same when it is written again."""
    with suppress_code("bad_upload_metadata"):
        metadata = parse_metadata(text)
        assert metadata == parse_metadata(str(metadata))


@given(PAIRS)
def test_metadata_of_well_formed_pairs_is_taken_only_whole(pairs: list[tuple[str, str]]) -> None:
    """One strange pair, and nothing is taken: what a client says beside its case is never quietly dropped."""
    text = ",".join(f"{key} {value}" for key, value in pairs)
    with suppress_code("bad_upload_metadata"):
        metadata = parse_metadata(text)
        assert len(pairs) == 1 + (metadata.p is not None)
        assert {"case", "p"} >= {key for key, _ in pairs}
        unb64(metadata.case, 32)


@given(HEADER_TEXT)
def test_checksums_and_numbers_are_values_or_refused(text: str) -> None:
    """No other exception leaves the parsers."""
    with suppress_code("bad_checksum"):
        parse_checksum(text)
    with suppress_code("bad_upload"):
        assert text == str(parse_number(text, code="bad_upload"))


@given(st.text(max_size=60))
def test_a_secret_is_a_hash_or_nothing(text: str) -> None:
    """Every text is an upload's secret or no upload."""
    with suppress_code("upload_unknown"):
        unb64(parse_secret(text), 32)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[HousedRelay]:
    """A relay that answers on a port."""
    async with housed_relay(tmp_path) as house, answering(house):
        yield house


HEADS = [
    b"PATCH /v1/uploads/x HTTP/1.1\r\nHost: r\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"PATCH /v1/uploads/x HTTP/1.1\r\nHost: r\r\nContent-Length: -5\r\n\r\n",
    b"PATCH /v1/uploads/x HTTP/1.1\r\nHost: r\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"PATCH /v1/uploads/x HTTP/1.1\r\nHost: r\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"PATCH /v1/uploads/x HTTP/1.1\r\nHost: r\r\nUpload-Offset: 1\r\nUpload-Offset: 2\r\n\r\n",
    b"POST /v1/uploads HTTP/1.1\r\nHost: r\r\nUpload-Metadata: \xff\xfe\r\nTus-Resumable: 1.0.0\r\n\r\n",
    b"POST /v1/uploads HTTP/1.1\r\nHost: r\r\nUpload-Metadata: " + b"a" * 20_000 + b"\r\n\r\n",
    b"HEAD /v1/uploads/%2e%2e%2f%2e%2e%2fetc%2fpasswd HTTP/1.1\r\nHost: r\r\nTus-Resumable: 1.0.0\r\n\r\n",
    b"DELETE /v1/uploads/../../x HTTP/1.1\r\nHost: r\r\nTus-Resumable: 1.0.0\r\n\r\n",
]


@pytest.mark.parametrize("head", HEADS, ids=range(len(HEADS)))
async def test_a_malformed_request_is_refused_and_the_relay_goes_on(house: HousedRelay, head: bytes) -> None:
    """A 4xx or an end of the connection, never a 5xx; the next client is served."""
    split = urlsplit(house.url)
    for asked in (head, b"GET /health HTTP/1.1\r\nHost: r\r\n\r\n"):
        reader, writer = await asyncio.open_connection(split.hostname, split.port)
        writer.write(asked)
        line = await reader.readline()
        writer.close()
        assert line == b"" or line.split()[1].startswith(b"4" if asked is head else b"2")
