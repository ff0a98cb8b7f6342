"""Strict JSON and signing bytes: one spelling per value, one rule per signature (docs/protocol.md, chapter 2).

A body is refused unless writing it again gives the same bytes: sorted keys, no spaces,
plain integers 0...2^53-1, no floats. Signed bodies hold printable ASCII only; sealed
bodies (manifest, slip, card) hold any Unicode scalar value, escaped as JSON.stringify does.
"""

import json
from typing import Any, Final, TypeVar

import msgspec

from vetrelay.errors import Refusal

MAX_BODY_BYTES: Final = 64 * 1024
MAX_ENVELOPE_BYTES: Final = 128 * 1024
MAX_SEALED_JSON_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 8
MAX_INTEGER: Final = 2**53 - 1
VERSION: Final = 1
_PLAIN: Final = bytes(range(0x20, 0x7F)).replace(b"\\", b"")

T = TypeVar("T")


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Root of every JSON value on the wire: all keys present, no unknown keys, absent = null."""


def render(value: object) -> bytes:
    """The one spelling of a JSON value. `value` is a `Body` or builtins without floats."""
    spelled = msgspec.json.encode(value, order="sorted")
    if not spelled.translate(None, _PLAIN):
        return spelled  # printable ASCII, nothing escaped: the two libraries write the same
    builtins = msgspec.to_builtins(value)
    return json.dumps(builtins, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _within_limits(value: object, depth: int, *, ascii_only: bool) -> bool:
    if isinstance(value, dict):
        # Keys are ASCII in sealed bodies too: beyond it, languages sort them differently.
        return depth < MAX_DEPTH and all(
            _within_limits(key, depth + 1, ascii_only=True) and _within_limits(part, depth + 1, ascii_only=ascii_only)
            for key, part in value.items()
        )
    if isinstance(value, list):
        return depth < MAX_DEPTH and all(_within_limits(part, depth + 1, ascii_only=ascii_only) for part in value)
    if isinstance(value, str):
        return not ascii_only or (value.isascii() and value.isprintable())
    return value is None or isinstance(value, bool) or (isinstance(value, int) and 0 <= value <= MAX_INTEGER)


def _counts_only(value: object, depth: int) -> bool:
    """What is left of `_within_limits` where every string is known to be printable ASCII."""
    if isinstance(value, dict | list):
        if depth == MAX_DEPTH:
            return False
        for part in value.values() if isinstance(value, dict) else value:
            if type(part) is not str and not _counts_only(part, depth + 1):
                return False
        return True
    return value is None or isinstance(value, bool) or (isinstance(value, int) and 0 <= value <= MAX_INTEGER)


def _parse_plain(raw: bytes) -> dict[str, Any]:
    """As `_parse`, for bytes that are printable ASCII without a backslash, as nearly all signed bodies are.

    Each string then stands for itself, so that nothing depends on how two libraries escape: the fast one reads and
    writes it. A relay does this for every envelope.
    """
    try:
        value = msgspec.json.decode(raw)
        same = isinstance(value, dict) and _counts_only(value, 0) and msgspec.json.encode(value, order="sorted") == raw
    except (msgspec.DecodeError, RecursionError) as wrong:
        raise Refusal("bad_json") from wrong
    if not same:
        raise Refusal("bad_json")
    parsed: dict[str, Any] = value
    return parsed


def _parse(raw: bytes, *, ascii_only: bool, max_bytes: int) -> dict[str, Any]:
    if len(raw) > max_bytes:
        raise Refusal("too_large")
    if not raw.translate(None, _PLAIN):
        return _parse_plain(raw)
    try:
        value = json.loads(raw.decode("utf-8"))
        same = isinstance(value, dict) and _within_limits(value, 0, ascii_only=ascii_only) and render(value) == raw
    except (ValueError, RecursionError, UnicodeEncodeError) as wrong:
        raise Refusal("bad_json") from wrong
    if not same:
        raise Refusal("bad_json")
    parsed: dict[str, Any] = value
    return parsed


def parse_signed(raw: bytes, *, max_bytes: int = MAX_BODY_BYTES) -> dict[str, Any]:
    """A signed body as builtins. Raises Refusal `bad_json` or `too_large`."""
    return _parse(raw, ascii_only=True, max_bytes=max_bytes)


def parse_sealed(raw: bytes) -> dict[str, Any]:
    """A sealed body (manifest, slip, card) as builtins. Raises Refusal `bad_json` or `too_large`."""
    return _parse(raw, ascii_only=False, max_bytes=MAX_SEALED_JSON_BYTES)


def convert(value: dict[str, Any], kind: type[T]) -> T:
    """Builtins as a typed body. Raises Refusal `newer_version` for a later `v`, else `bad_body`."""
    version = value.get("v", VERSION)  # sealed parts carry it in their binding
    if type(version) is not int or version < VERSION:  # to Python, true is an int too
        raise Refusal("bad_body")
    if version > VERSION:
        raise Refusal("newer_version")
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as wrong:
        raise Refusal("bad_body") from wrong


def read_plain(raw: bytes, kind: type[T]) -> T | None:
    """What `convert(parse_signed(raw), kind)` gives, if one look tells; None where that must be asked.

    A typed value whose spelling is the very bytes it was read from, all printable ASCII without a backslash, has
    passed every check there: keys, their order and number, and the bounds that its type states. `kind` must be a
    `Body` of known depth whose integers are bounded, but for `v`.
    """
    if raw.translate(None, _PLAIN):
        return None
    try:
        value = msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, RecursionError):
        return None
    return value if msgspec.json.encode(value, order="sorted") == raw and getattr(value, "v", None) == VERSION else None


def signing_bytes(kind: str, body: bytes) -> bytes:
    """What a signature covers: the label, the type and the exact body bytes, each with its length."""
    name = kind.encode("ascii")
    return b"VetRelay-v1\0" + len(name).to_bytes(2, "big") + name + len(body).to_bytes(4, "big") + body
