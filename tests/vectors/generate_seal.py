"""Writes tests/vectors/seal.json: objects to open, for this and every other implementation.

`python -m tests.vectors.generate_seal` writes the file again. Seeds, file keys and
nonces are fixed; an encapsulation draws its own randomness, so a header that is in
the file already and still fits is kept, and a second run changes nothing.

Open-only. A case names an identity, the `header` for it, the `original_header` and
the `h0` and `p` of the author's signed envelope; its payload may be cut after
`keep_bytes` or get the bytes of `append`. `expect` is `success` (then SHA-256 of the
plaintext follows) or the one code of the refusal. Binary values are base64url
without padding.
"""

import base64
import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.protocol.salamander import forge
from vetrelay.errors import Refusal
from vetrelay.protocol.age.header import check_mac, parse_header, render_header
from vetrelay.protocol.age.identities import HybridIdentity
from vetrelay.protocol.age.stanza import Stanza, encode_base64
from vetrelay.protocol.age.stream import CHUNK_BYTES, NONCE_BYTES, SEALED_CHUNK_BYTES, open_stream, seal_stream
from vetrelay.protocol.seal import seal_header

SEAL_JSON = Path(__file__).with_name("seal.json")

IDENTITIES = {
    name: HybridIdentity(hashlib.sha256(f"VetRelay test identity {name}".encode()).digest())
    for name in ("owner", "clinic", "provider", "stranger")
}
FILE_KEY = bytes(range(16))
OTHER_KEY = bytes(range(16, 32))
NONCE = bytes(range(32, 48))
NOTE = b"Luna limps since Tuesday, left hind leg."
PLAINTEXTS = {
    "note": NOTE,
    "empty": b"",
    "two chunks": bytes(number * number % 251 for number in range(CHUNK_BYTES + 1)),
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One object as one reader meets it; headers and payloads by name."""

    name: str
    comment: str
    expect: str = "success"
    identity: str = "owner"
    header: str = "owner and clinic"
    original_header: str | None = None
    h0_of: str | None = None
    payload: str = "note"
    p_of: str | None = None
    keep_bytes: int | None = None
    append: bytes = b""


def b64(payload: bytes) -> str:
    return base64.urlsafe_b64encode(payload).rstrip(b"=").decode()


def un_b64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def kept_headers() -> dict[str, bytes]:
    """The headers that the file holds already."""
    if not SEAL_JSON.exists():
        return {}
    return {name: un_b64(text) for name, text in json.loads(SEAL_JSON.read_text())["headers"].items()}


def header_for(kept: bytes, readers: Sequence[str], file_key: bytes) -> bytes:
    """`kept` if it gives `file_key` to `readers`, else a fresh header."""
    try:
        check_mac(kept, file_key)
        stanzas = parse_header(kept).stanzas
        if [file_key] * len(stanzas) == [IDENTITIES[name].unwrap(stanzas) for name in readers]:
            return kept
    except Refusal:
        pass
    return seal_header([IDENTITIES[name].recipient for name in readers], file_key)


def make_headers() -> dict[str, bytes]:
    """Good headers, kept where possible, and what an adversary makes of them."""
    kept = kept_headers()
    wanted = {
        "owner and clinic": (["owner", "clinic"], FILE_KEY),
        "clinic alone": (["clinic"], FILE_KEY),
        "granted to provider": (["provider"], FILE_KEY),
        "granted with another key": (["provider"], OTHER_KEY),
        "owner, another key": (["owner"], OTHER_KEY),
    }
    made = {name: header_for(kept.get(name, b""), *arguments) for name, arguments in wanted.items()}
    good = made["owner and clinic"]
    first, second = parse_header(good).stanzas
    foreign = Stanza("X25519", (encode_base64(bytes([9]) + bytes(31)).decode(),), bytes(32))
    passphrase = Stanza("scrypt", (encode_base64(bytes(16)).decode(), "10"), bytes(32))
    encapsulation = base64.b64decode(first.args[0] + "=" * (-len(first.args[0]) % 4))
    low_order = (encode_base64(encapsulation[:1088] + bytes(32)).decode(),)
    noise = hashlib.sha256(b"noise").digest()
    return made | {
        "MAC changed": good[:-6] + (b"A" if good[-6:-5] != b"A" else b"B") + good[-5:],
        "owner's stanza is noise": render_header([replace(first, body=noise), second], FILE_KEY),
        "a reader cut out": good.replace(render_header([second], FILE_KEY)[22:-48], b""),
        "mixed suites": render_header([first, foreign], FILE_KEY),
        "a passphrase beside": render_header([first, passphrase], FILE_KEY),
        "low order": render_header([replace(first, args=low_order), second], FILE_KEY),
        "no stanza": good[:22] + good[-48:],
        "CRLF": good.replace(b"\n", b"\r\n"),
        "a byte after it": good + b"\n",
        "armored": b"-----BEGIN AGE ENCRYPTED FILE-----\n" + base64.encodebytes(good),
    }


def make_payloads() -> dict[str, bytes]:
    """Good payloads, and what an adversary with or without the file key makes of them."""
    made = {name: b"".join(seal_stream(FILE_KEY, NONCE, [plaintext])) for name, plaintext in PLAINTEXTS.items()}
    note = made["note"]
    texts = b"Dose: 0.1 mg/kg!", b"Dose: 1.0 mg/kg!"
    return made | {
        "note by another reader": b"".join(seal_stream(FILE_KEY, NONCE, [b"No need to come in, all is well today ok"])),
        "a bit flipped": note[:20] + bytes([note[20] ^ 1]) + note[21:],
        "salamander": forge((FILE_KEY, OTHER_KEY), NONCE, texts, random.Random(6)),
    }


CASES = (
    Case(name="first of two readers", comment="A note to owner and clinic, opened by the owner."),
    Case(name="second of two readers", comment="The same, opened by the clinic.", identity="clinic"),
    Case(name="empty plaintext", comment="The one case of an empty final chunk.", payload="empty"),
    Case(name="two chunks", comment="One chunk of full size and one byte.", payload="two chunks"),
    Case(
        name="granted",
        comment="A later header over the same payload; the original header commits to the same key.",
        identity="provider",
        header="granted to provider",
        original_header="owner and clinic",
    ),
    Case(
        name="salamander, author's side",
        comment="N02: a payload that opens under two keys; the author's header commits to this one.",
        payload="salamander",
    ),
    Case(
        name="salamander, other side",
        comment="N02: the same payload under a second header with the other key.",
        expect="commitment",
        header="owner, another key",
        original_header="owner and clinic",
        payload="salamander",
    ),
    Case(
        name="granted with a wrong key",
        comment="N33: the granter wrapped another key; the payload is beside the point.",
        expect="commitment",
        identity="provider",
        header="granted with another key",
        original_header="owner and clinic",
    ),
    Case(
        name="another original header",
        comment="N13: the header served as the original is not the one that was signed.",
        expect="commitment",
        header="owner, another key",
        h0_of="owner and clinic",
    ),
    Case(
        name="payload swapped by a co-recipient",
        comment="N01: sealed under the same file key beneath the untouched header, but not the p that was signed.",
        expect="commitment",
        payload="note by another reader",
        p_of="note",
    ),
    Case(
        name="not mine",
        comment="N39: no stanza is for this identity.",
        expect="cannot_open",
        identity="stranger",
    ),
    Case(
        name="MAC changed", comment="N39: the header's MAC does not hold.", expect="cannot_open", header="MAC changed"
    ),
    Case(
        name="tag changed", comment="N39: a chunk's tag does not hold.", expect="cannot_open", payload="a bit flipped"
    ),
    Case(
        name="noise for one reader",
        comment="N08: the owner's stanza has a random body; the owner has to be told.",
        expect="cannot_open",
        header="owner's stanza is noise",
    ),
    Case(
        name="noise for the other reader",
        comment="N08: the clinic opens the same object.",
        identity="clinic",
        header="owner's stanza is noise",
    ),
    Case(
        name="a reader cut out",
        comment="N07: the second stanza was removed on the way; the MAC tells.",
        expect="cannot_open",
        header="a reader cut out",
    ),
    *(
        Case(
            name=name,
            comment="N11, N20: not a strict header of hybrid stanzas only.",
            expect="cannot_open",
            header=name,
        )
        for name in (
            "mixed suites",
            "a passphrase beside",
            "low order",
            "no stanza",
            "CRLF",
            "a byte after it",
            "armored",
        )
    ),
    Case(
        name="cut at the chunk border",
        comment="N12: the final chunk was dropped.",
        expect="cannot_open",
        payload="two chunks",
        keep_bytes=NONCE_BYTES + SEALED_CHUNK_BYTES,
    ),
    Case(
        name="cut inside the first chunk",
        comment="N12: half a chunk.",
        expect="cannot_open",
        payload="two chunks",
        keep_bytes=NONCE_BYTES + SEALED_CHUNK_BYTES // 2,
    ),
    Case(name="no chunk", comment="N12: a nonce and nothing.", expect="cannot_open", keep_bytes=NONCE_BYTES),
    Case(name="half a nonce", comment="N12: fewer than 16 bytes.", expect="cannot_open", keep_bytes=8),
    Case(name="nothing", comment="N12: no payload at all.", expect="cannot_open", keep_bytes=0),
    Case(name="a byte after the end", comment="N12: something follows.", expect="cannot_open", append=b"\x00"),
)


def rendered(case: Case, headers: dict[str, bytes], payloads: dict[str, bytes]) -> dict[str, Any]:
    """A case as it stands in the file."""
    original = case.original_header or case.header
    payload = payloads[case.payload][: case.keep_bytes] + case.append
    signed = payloads[case.p_of] if case.p_of else payload
    fields: dict[str, Any] = {
        "name": case.name,
        "comment": case.comment,
        "identity": case.identity,
        "header": case.header,
        "original_header": original,
        "h0": b64(hashlib.sha256(headers[case.h0_of or original]).digest()),
        "payload": case.payload,
        "p": b64(hashlib.sha256(signed).digest()),
        "expect": case.expect,
    }
    if case.keep_bytes is not None:
        fields["keep_bytes"] = case.keep_bytes
    if case.append:
        fields["append"] = b64(case.append)
    if case.expect == "success":
        plaintext = PLAINTEXTS.get(case.payload)
        if plaintext is None:  # the forgery: whatever its first key makes of it
            plaintext = b"".join(open_stream(FILE_KEY, [payload]))
        fields["plaintext_sha256"] = b64(hashlib.sha256(plaintext).digest())
    return fields


def generate() -> str:
    """The whole file as text."""
    headers, payloads = make_headers(), make_payloads()
    document = {
        "comment": " ".join((__doc__ or "").split("Open-only.")[1].split()),
        "identities": {
            name: {"text": identity.text, "recipient_sha256": b64(hashlib.sha256(identity.recipient).digest())}
            for name, identity in IDENTITIES.items()
        },
        "headers": {name: b64(raw) for name, raw in headers.items()},
        "payloads": {name: b64(raw) for name, raw in payloads.items()},
        "cases": [rendered(case, headers, payloads) for case in CASES],
    }
    return json.dumps(document, indent=1, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    SEAL_JSON.write_text(generate())
