"""The worked example of docs/protocol.md, in real bytes: `python -m tests.vectors.example` writes that chapter again.

Everything follows from seeds that the chapter prints, but for one thing: an encapsulation draws its own randomness. So
the sealed manifest stands in tests/vectors/example.age, and is kept while it still fits.
"""

import re
from pathlib import Path
from textwrap import wrap

from msgspec.structs import replace

from tests.chains import RELAY_SEED, START_MS, ActingParty, RunningCase, nonce, open_case, party_key, seed
from vetrelay.errors import Refusal
from vetrelay.protocol.age.header import parse_header
from vetrelay.protocol.case import Policy
from vetrelay.protocol.derive import derive
from vetrelay.protocol.envelope import Envelope, ObjectRef, View, recipients_of
from vetrelay.protocol.identity import sign_key_of
from vetrelay.protocol.ids import b64, sha256, unb64
from vetrelay.protocol.log import Link, pack_links
from vetrelay.protocol.manifest import Manifest, Text, bind, open_manifest, pad
from vetrelay.protocol.seal import Sealed, seal_bytes
from vetrelay.protocol.signature import Signed
from vetrelay.protocol.statement import signing_bytes
from vetrelay.protocol.unseal import open_file_key, open_object

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "protocol.md"
SEALED = Path(__file__).with_name("example.age")
BEGIN, END = "<!-- the worked example begins -->\n", "<!-- the worked example ends -->\n"
TEXT = Text(text="Luna limps since Tuesday, left hind leg.")
SECRET = seed("example invitation", 16)
FILE_KEY, PAYLOAD_NONCE = seed("example file key", 16), seed("example payload nonce", 16)


class Example:
    """A clinic opens a case, invites an owner, the owner joins and writes."""

    def __init__(self) -> None:
        self.clinic, self.owner = ActingParty("example clinic", "clinic"), ActingParty("example owner")
        policy = Policy(inspection="ends", urgency=False, retention=90)
        self.running: RunningCase = open_case(self.clinic, label="example", policy=policy)
        self.running.invite(self.clinic, "owner", approve=False, label="example invitation")
        self.running.join(self.owner, SECRET, "owner")
        device = self.owner.device()
        binding = bind(nonce("example envelope"), case=self.running.case, device=device.id)
        self.plaintext = pad(Manifest(binding=binding, content=TEXT, files=()))
        self.sealed = self.kept() or self.seal()
        ref = ObjectRef(role="manifest", h0=b64(self.sealed.h0), p=b64(self.sealed.p), size=len(self.sealed.payload))
        self.envelope: Envelope = replace(
            self.running.envelope(self.owner, label="unused", named=(ref,)), id=binding.id
        )
        self.running.send(self.envelope, self.owner)

    def seal(self) -> Sealed:
        """The manifest, sealed to both parties."""
        recipients = [unb64(party_key(each.name, 0).seal, 1216) for each in self.readers()]
        return seal_bytes(self.plaintext, recipients, file_key=FILE_KEY, nonce=PAYLOAD_NONCE)

    def readers(self) -> list[ActingParty]:
        """The parties in the order of the envelope's recipients."""
        units = recipients_of(self.running.roster, "case", sender=self.owner.id, own=self.owner.id)
        parties = {each.id: each for each in (self.clinic, self.owner)}
        return [parties[unit.party] for unit in units]

    def kept(self) -> Sealed | None:
        """The object in example.age, if both readers can open it to this very manifest."""
        if not SEALED.exists():
            return None
        raw = SEALED.read_bytes()
        try:
            size = parse_header(raw).size_bytes
            sealed = Sealed(raw[:size], raw[size:])
            opened = {self.opened(sealed, reader) for reader in self.readers()}
        except Refusal:
            return None
        return sealed if opened == {self.plaintext} else None

    def opened(self, sealed: Sealed, reader: ActingParty) -> bytes:
        """What a reader makes of the object."""
        return open_object(
            sealed,
            [party_key(reader.name, 0).age],
            original_header=sealed.header,
            h0=sealed.h0,
            p=sealed.p,
        )

    def check(self) -> None:
        """Both readers open the manifest, and find what was said."""
        for reader in self.readers():
            opened = open_manifest(self.opened(self.sealed, reader), self.envelope)
            assert opened.content == TEXT
            key = open_file_key(
                self.sealed.header,
                [party_key(reader.name, 0).age],
                original_header=self.sealed.header,
                h0=self.sealed.h0,
            )
            assert key == FILE_KEY


def block(text: str) -> str:
    """A code block."""
    return f"```\n{text}\n```\n"


def hexed(raw: bytes) -> str:
    """Bytes in hex, sixty-four digits a line."""
    return "\n".join(wrap(raw.hex(), 64))


def shortened(example: Example, body: str) -> str:
    """A body with its sealing keys left out: they have 1,622 characters each, and follow from the seeds."""
    keys = {
        each.device().seal: f"‹sealing key of the {label}'s device›"
        for each, label in ((example.clinic, "clinic"), (example.owner, "owner"))
    }
    keys |= {
        party_key(each.name, 0).seal: f"‹sealing key of the {label}, generation 0›"
        for each, label in ((example.clinic, "clinic"), (example.owner, "owner"))
    }
    for key, label in keys.items():
        body = body.replace(key, label)
    return body


def told(example: Example, n: int, title: str, text: str) -> str:
    """One position of the log."""
    logged = example.running.log[n - 1]
    signed: Signed = logged.signed
    lines = [
        f"### Position {n}: {title}\n",
        text,
        "The body, one line:\n",
        block(shortened(example, signed.content().decode())),
    ]
    signatures = "\n".join(f"sig   {each.sig}\n      by {each.key}" for each in signed.sigs)
    lines += [
        block(
            f"entry {signed.entry_id()}\n{signatures}\n"
            f"link  time_ms {logged.time_ms}, kind {int(logged.kind)}, entry as above\n"
            f"head  {example.running.tails[n].head}"
        )
    ]
    return "\n".join(lines)


def seeds(example: Example) -> str:
    """What everything below follows from."""
    rows = ["| whose | what | 32 bytes, hex |", "|---|---|---|"]
    for party, label in ((example.clinic, "clinic"), (example.owner, "owner")):
        device = party.device()
        rows += [
            f"| {label}'s device | Ed25519 seed | `{device.sign_seed.hex()}` |",
            f"| {label}'s device | age seed | `{device.seal_seed.hex()}` |",
            f"| {label} | age seed, generation 0 | `{party_key(party.name, 0).seed.hex()}` |",
        ]
    rows += [f"| relay | Ed25519 seed of the log key | `{RELAY_SEED.hex()}` |"]
    return "\n".join(rows) + "\n"


def names(example: Example) -> str:
    """The ids that follow."""
    rows = ["| what | value |", "|---|---|"]
    for party, label in ((example.clinic, "clinic"), (example.owner, "owner")):
        device = party.device()
        rows += [
            f"| {label}'s device: signing key | `{device.sign}` |",
            f"| SHA-256 of its sealing key | `{b64(sha256(unb64(device.seal)))}` |",
            f"| its device id | `{device.id}` |",
            f"| SHA-256 of the {label}'s sealing key, generation 0 | `{b64(sha256(unb64(party_key(party.name, 0).seal)))}` |",
            f"| the {label}'s party id | `{party.id}` |",
        ]
    rows += [f"| relay id | `{example.running.relay}` |", f"| case id | `{example.running.case}` |"]
    return "\n".join(rows) + "\n"


def chapter() -> str:
    """The chapter's text between its marks."""
    example = Example()
    example.check()
    running = example.running
    opened = running.log[1].signed
    covered = signing_bytes("case", opened.content())
    links = [Link(time_ms=each.time_ms, kind=each.kind, entry=each.signed.entry_id()) for each in running.log]
    size = len(example.plaintext)
    unpadded = len(example.plaintext.rstrip(b" "))
    view: View = example.envelope.view
    return "\n".join(
        [
            "A clinic opens a case, invites an owner without approval (the first owner needs none), the owner joins and",
            "writes one line. Inspection is `ends`, so there is no slip. The hashes of boxes are made up here; all else is",
            "real, and a test computes this chapter again.\n",
            seeds(example),
            f"The invitation's secret is `{SECRET.hex()}`; `invite/sign` derives the seed",
            f"`{derive(SECRET, 'invite/sign').hex()}`, whose public key is",
            f"`{sign_key_of(derive(SECRET, 'invite/sign'))}`.\n",
            names(example),
            f"### Position 0\n\nhead_0 is the hash of the case's id under its label: `{running.tails[0].head}`.\n",
            told(
                example,
                1,
                "the clinic's chain (kind 2)",
                "The opener's chain stands before `case.open`. The entry id is the party id.\n",
            ),
            told(example, 2, "`case.open` (kind 1)", "The entry id is the case id.\n"),
            "Its signing bytes:\n",
            block(hexed(covered)),
            told(example, 3, "`invite.open` (kind 1)", "No card was sent along.\n"),
            told(example, 4, "the owner's chain (kind 2)", "Whole, before the statement that names it.\n"),
            told(
                example,
                5,
                "`party.add` (kind 1)",
                "Signed by the invitation's key and by the owner's device. No approval is needed, so the owner is in.\n",
            ),
            told(
                example,
                6,
                "an envelope (kind 3)",
                f"Sealed at view {view.n}. Its one object is the manifest: {unpadded} bytes of JSON, padded to {size}:\n\n"
                + block(example.plaintext.rstrip(b" ").decode())
                + f"\nsealed with the file key `{FILE_KEY.hex()}` and the payload nonce `{PAYLOAD_NONCE.hex()}`. The header has\n"
                f"{len(example.sealed.header)} bytes, the payload {len(example.sealed.payload)}; both are in `tests/vectors/example.age`, one after the other: a plain age\n"
                "file that either party's age identity opens.\n",
            ),
            "### The links, packed\n",
            block("\n".join(pack_links([link]).hex() for link in links)),
            "### The relay's head at the end\n",
            block(
                running.head(time_ms=START_MS + 60_000).content().decode()
                + "\nsig   "
                + running.head(time_ms=START_MS + 60_000).sigs[0].sig
            ),
        ]
    )


def replaced(document: str, text: str) -> str:
    """The document with this text between the marks."""
    return re.sub(
        re.escape(BEGIN) + ".*" + re.escape(END), lambda _: f"{BEGIN}\n{text}\n{END}", document, flags=re.DOTALL
    )


if __name__ == "__main__":
    SEALED.write_bytes(Example().sealed.age_file)
    DOCUMENT.write_text(replaced(DOCUMENT.read_text(), chapter()))
