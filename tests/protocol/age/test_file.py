"""Whole age files: the 143 C2SP vectors, each in the failure class it names, from both places they come from."""

import base64
import hashlib
import re
import zlib
from dataclasses import dataclass, field

import pytest

from tests.corpora import ABSENT as CORPORA_ABSENT
from tests.corpora import corpora_folder
from tests.node import JS
from vetrelay.errors import Refusal
from vetrelay.protocol.age.armor import read_armor
from vetrelay.protocol.age.file import open_file
from vetrelay.protocol.age.header import parse_header, render_header
from vetrelay.protocol.age.identities import Identity, ScryptIdentity, parse_identity, unwrap
from vetrelay.protocol.age.stream import NONCE_BYTES, StreamOpener, seal_stream

NPM_MODULE = JS / "node_modules" / "cctv-age" / "index.js"
NPM_VECTOR = re.compile(r"// \.\./testdata/(\w+)\nvar \w+ = __toBinary\(\"([^\"]*)\"\);")

CODES = {
    "success": None,
    "no match": "age_no_match",
    "HMAC failure": "age_mac",
    "header failure": "age_header",
    "payload failure": "age_payload",
    "armor failure": "age_armor",
}


@dataclass(frozen=True, kw_only=True)
class Vector:
    """One file of the testkit: what it expects, with whom, and the age file."""

    expect: str
    payload_sha256: str | None
    identities: tuple[Identity, ...] = field(repr=False)
    file_key: bytes | None
    armored: bool
    untrusted_file: bytes = field(repr=False)

    @property
    def age_file(self) -> bytes:
        """The binary form."""
        return read_armor(self.untrusted_file) if self.armored else self.untrusted_file


def parse_vector(raw: bytes) -> Vector:
    head, _, age_file = raw.partition(b"\n\n")
    pairs = [line.split(": ", 1) for line in head.decode().splitlines()]
    fields = dict(pairs)
    known = {"expect", "payload", "identity", "passphrase", "armored", "file key", "comment", "compressed"}
    assert known >= fields.keys()
    identities: list[Identity] = [parse_identity(value) for key, value in pairs if key == "identity"]
    identities += [ScryptIdentity(value.encode()) for key, value in pairs if key == "passphrase"]
    return Vector(
        expect=fields["expect"],
        payload_sha256=fields.get("payload"),
        identities=tuple(identities),
        file_key=bytes.fromhex(fields["file key"]) if "file key" in fields else None,
        armored=fields.get("armored") == "yes",
        untrusted_file=zlib.decompress(age_file) if fields.get("compressed") == "zlib" else age_file,
    )


def corpora_vectors() -> dict[str, bytes]:
    folder = corpora_folder()
    paths = sorted((folder / "age-testkit" / "testdata").iterdir()) if folder else []
    return {path.name: path.read_bytes() for path in paths}


def npm_vectors() -> dict[str, bytes]:
    text = NPM_MODULE.read_text() if NPM_MODULE.is_file() else ""
    return {name: base64.b64decode(encoded) for name, encoded in NPM_VECTOR.findall(text)}


SOURCES = {"corpora": corpora_vectors(), "npm": npm_vectors()}
ABSENT = {
    "corpora": CORPORA_ABSENT,
    "npm": "the npm package cctv-age is not in tests/js: run ./dev setup",
}
ONE_SOURCE = SOURCES["corpora"] or SOURCES["npm"]


def every_vector() -> list[object]:
    """One case per vector and source; a source that is absent is one skip with its reason."""
    cases: list[object] = []
    for source, vectors in SOURCES.items():
        if not vectors:
            cases.append(pytest.param(b"", id=source, marks=pytest.mark.skip(reason=ABSENT[source])))
        marks = [pytest.mark.corpora] if source == "corpora" else []
        cases += [pytest.param(raw, id=f"{source}-{name}", marks=marks) for name, raw in vectors.items()]
    return cases


def one_source(start: str, expect: str = "") -> list[object]:
    """The vectors of either source with that start of a name and that expectation."""
    cases: list[object] = [
        pytest.param(raw, id=name)
        for name, raw in ONE_SOURCE.items()
        if name.startswith(start) and raw.startswith(b"expect: " + expect.encode())
    ]
    skip = pytest.mark.skip(reason="neither the corpora nor npm cctv-age are here")
    return cases or [pytest.param(b"", id="absent", marks=skip)]


def released(vector: Vector) -> tuple[bytes, str | None]:
    """All plaintext that was released, and the code of the refusal that ended it."""
    plain = bytearray()
    try:
        for chunk in open_file(vector.age_file, vector.identities):
            plain += chunk
    except Refusal as refusal:
        return bytes(plain), refusal.code
    return bytes(plain), None


@pytest.mark.parametrize("raw", every_vector())
def test_a_vector_ends_in_the_class_it_names_and_releases_what_it_says(raw: bytes) -> None:
    """Each of the 143 vectors: its failure class, and the hash of the plaintext released even so."""
    vector = parse_vector(raw)
    plain, code = released(vector)

    assert CODES[vector.expect] == code
    if vector.payload_sha256 is None:
        assert plain == b""
    else:
        assert vector.payload_sha256 == hashlib.sha256(plain).hexdigest()


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_of_vectors_is_complete(source: str) -> None:
    """Reading 142 of 143 would pass every other test here."""
    if not SOURCES[source]:
        pytest.skip(ABSENT[source])

    assert len(SOURCES[source]) == 143


@pytest.mark.parametrize("raw", one_source("", expect="success"))
def test_what_opens_can_be_sealed_again_to_the_same_bytes(raw: bytes) -> None:
    """Header and payload of every good vector are rendered from what was read of them, byte for byte."""
    vector = parse_vector(raw)
    age_file = vector.age_file
    header = parse_header(age_file)
    file_key = unwrap(header.stanzas, vector.identities)
    raw_header, payload = age_file[: header.size_bytes], age_file[header.size_bytes :]
    plain, _ = released(vector)

    assert raw_header == render_header(header.stanzas, file_key)
    assert payload == b"".join(seal_stream(file_key, payload[:NONCE_BYTES], [plain]))
    assert vector.file_key in (None, file_key)


@pytest.mark.parametrize("raw", one_source("stream_"))
@pytest.mark.parametrize("piece_bytes", [1021, 65536, 65552, 65553, 1 << 20])
def test_what_is_released_does_not_depend_on_the_pieces(raw: bytes, piece_bytes: int) -> None:
    """A payload cut anywhere releases the same plaintext and ends in the same class."""
    vector = parse_vector(raw)
    header = parse_header(vector.age_file)
    opener = StreamOpener(unwrap(header.stanzas, vector.identities))
    payload = vector.age_file[header.size_bytes :]
    plain, code = hashlib.sha256(), None
    try:
        for start in range(0, len(payload), piece_bytes):
            for chunk in opener.update(payload[start : start + piece_bytes]):
                plain.update(chunk)
        for chunk in opener.finish():
            plain.update(chunk)
    except Refusal as refusal:
        code = refusal.code

    assert CODES[vector.expect] == code
    if vector.payload_sha256 is not None:
        assert vector.payload_sha256 == plain.hexdigest()
