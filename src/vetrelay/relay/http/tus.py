"""The header fields of tus 1.0, read strictly: pure functions from text to values (tus.io/protocols/resumable-upload)."""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Final

from vetrelay.errors import Refusal
from vetrelay.protocol.ids import PATTERN_32, CaseId, Hash
from vetrelay.relay.payloads import Hasher
from vetrelay.relay.upload import SECRET_BYTES, Checksum, url_hash

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,creation-with-upload,checksum,expiration,termination"
CHUNK_TYPE: Final = "application/offset+octet-stream"
ALGORITHMS: Final[Mapping[str, Callable[[], Hasher]]] = {
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),  # the one that tuspy has: it guards against accidents only
    "sha256": hashlib.sha256,
}
MAX_METADATA_CHARACTERS: Final = 1024
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,15}")
_HASH: Final = re.compile(PATTERN_32)
_SECRET: Final = re.compile(rf"[A-Za-z0-9_-]{{{-(-SECRET_BYTES * 4 // 3)}}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What an upload says of itself: the case it belongs to, and the payload's hash where the client knows it."""

    case: CaseId
    p: Hash | None

    def __str__(self) -> str:
        """As it stands in `Upload-Metadata`."""
        pairs = [("case", self.case), *([("p", self.p)] if self.p is not None else [])]
        return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs)


def parse_metadata(untrusted_text: str | None) -> Metadata:
    """`Upload-Metadata`: exactly `case` and perhaps `p`, each once, each the base64 of an id.

    Nothing else is taken, so that no file name reaches the relay. Raises Refusal `bad_upload_metadata`.
    """
    found: dict[str, str] = {}
    if untrusted_text is None or len(untrusted_text) > MAX_METADATA_CHARACTERS:
        raise Refusal("bad_upload_metadata")
    for untrusted_pair in untrusted_text.split(","):
        key, _, value = untrusted_pair.strip(" ").partition(" ")
        if key not in {"case", "p"} or key in found:
            raise Refusal("bad_upload_metadata")
        found[key] = _parse_id(value)
    if "case" not in found:
        raise Refusal("bad_upload_metadata")
    return Metadata(case=found["case"], p=found.get("p"))


def _parse_id(untrusted_value: str) -> Hash:
    try:
        identifier = base64.b64decode(untrusted_value.encode("ascii"), validate=True).decode("ascii")
    except (binascii.Error, UnicodeError) as wrong:
        raise Refusal("bad_upload_metadata") from wrong
    if not _HASH.fullmatch(identifier):
        raise Refusal("bad_upload_metadata")
    return identifier


def parse_number(untrusted_text: str | None, *, code: str) -> int:
    """`Upload-Length`, `Upload-Offset`: plain decimal, no sign, no leading zeros. Raises Refusal with `code`."""
    if untrusted_text is None or not _NUMBER.fullmatch(untrusted_text):
        raise Refusal(code)
    return int(untrusted_text)


def parse_checksum(untrusted_text: str | None) -> Checksum | None:
    """`Upload-Checksum`: algorithm, one space, base64. None where the field is absent.

    Raises Refusal `bad_checksum` for what is not one of `ALGORITHMS`, or not a hash of its size.
    """
    if untrusted_text is None:
        return None
    name, _, value = untrusted_text.partition(" ")
    if name not in ALGORITHMS:
        raise Refusal("bad_checksum", algorithms=sorted(ALGORITHMS))
    try:
        expected = base64.b64decode(value.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as wrong:
        raise Refusal("bad_checksum", algorithms=sorted(ALGORITHMS)) from wrong
    hasher = ALGORITHMS[name]()
    if len(expected) != len(hasher.digest()):
        raise Refusal("bad_checksum", algorithms=sorted(ALGORITHMS))
    return Checksum(hasher=hasher, expected=expected)


def parse_secret(untrusted_text: str) -> Hash:
    """What an upload is known by, from the last part of its URL. Raises Refusal `upload_unknown`."""
    if not _SECRET.fullmatch(untrusted_text):
        raise Refusal("upload_unknown")
    return url_hash(untrusted_text)


def http_date(time_ms: int) -> str:
    """A moment as `Upload-Expires` wants it (RFC 9110 IMF-fixdate)."""
    return formatdate(time_ms // 1000, usegmt=True)
