"""Writes tests/vectors/*.json, all but seal.json: what this and every other implementation must agree on.

`python -m tests.vectors.generate` writes the files again; everything follows from names, so a second run changes
nothing. What is expected of each case is written by hand, here or in the tables of tests/hostile; the run only fills in
what comes out on success, and fails where the code disagrees.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from tests.chains import (
    RELAY,
    RELAY_SIGNER,
    START_MS,
    ActingParty,
    Logged,
    RunningCase,
    device_named,
    named_hash,
    object_ref,
    party_key,
    seed,
)
from tests.hostile import test_case_chain, test_envelope_rules, test_keys, test_log, test_party_chain, test_strict_json
from tests.hostile import test_manifest as sealed_lies
from tests.protocol import (
    test_bymail,
    test_case,
    test_finding,
    test_grant,
    test_invitation,
    test_manifest,
    test_signature,
)
from tests.vectors.replay import VECTORS, Json, Shared, as_json, outcome
from vetrelay.protocol.age.header import header_mac, render_header
from vetrelay.protocol.age.recipients import recipient_text
from vetrelay.protocol.age.stanza import Stanza, encode_base64
from vetrelay.protocol.age.stream import CHUNK_BYTES, seal_stream
from vetrelay.protocol.ids import b64, unb64
from vetrelay.protocol.invitation import render_link
from vetrelay.protocol.log import Kind, pack_links
from vetrelay.protocol.party import parse_statement
from vetrelay.protocol.session import BEARER_LIFE_MS, SessionRequest
from vetrelay.protocol.signature import Signed, sign
from vetrelay.protocol.statement import render

Case = tuple[str, str, Json, str]
"""Name, comment, input, expected."""


def document(name: str, comment: str, cases: Iterable[Case], **shared: Any) -> str:
    """A file as text; every expectation is checked against the code."""
    values, rows = Shared(shared), []
    for case_name, case_comment, given, expected in cases:
        code, output = outcome(name, values, given)
        if code != expected:
            msg = f"{name}: {case_name!r} should be {expected}, and is {code}"
            raise AssertionError(msg)
        row: Json = {"name": case_name, "comment": case_comment, "input": given, "expect": expected}
        rows.append(row if output is None else {**row, "output": output})
    head = json.dumps({"comment": comment, **shared}, indent=1)[:-2]
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    return f'{head},\n "cases": [\n{lines}\n ]\n}}\n'


def text_of(raw: bytes) -> str:
    """Bytes as they stand in a file."""
    return b64(raw)


# --- bytes ----------------------------------------------------------------------------------------------------------


def ids() -> str:
    """ids.json."""
    device = device_named("ids")
    sixteen, thirty_two = b64(bytes(range(16))), b64(bytes(range(32)))

    def unb64_case(name: str, text: str, size_bytes: int | None, expected: str = "bad_base64") -> Case:
        return (name, "One spelling.", {"do": "unb64", "text": text, "size_bytes": size_bytes}, expected)

    return document(
        "ids",
        "unb64: canonical base64url, of a given length if size_bytes is a number. Parts of labelled are hex.",
        [
            unb64_case("nothing", "", None, "success"),
            unb64_case("one byte", "AA", None, "success"),
            unb64_case("both special letters", "-_-_", None, "success"),
            unb64_case("sixteen bytes", sixteen, 16, "success"),
            unb64_case("thirty-two bytes", thirty_two, 32, "success"),
            unb64_case("another length", sixteen, 32),
            unb64_case("padding", "AA==", None),
            unb64_case("leftover bits", "AB", None),
            unb64_case("leftover bits, two bytes", "AAB", None),
            unb64_case("a lone letter", "A", None),
            unb64_case("the standard alphabet", "+/+/", None),
            unb64_case("a space", "AA AA", None),
            unb64_case("a newline at the end", sixteen + "\n", 16),
            unb64_case("a letter beyond ASCII", "AÄ", None),
            (
                "device id",
                "The hash of both public keys, under a label.",
                {"do": "device_id", "sign": device.sign, "seal": device.seal},
                "success",
            ),
            ("relay id", "The hash of the log key.", {"do": "relay_id", "log_key": device.sign}, "success"),
            (
                "labelled",
                "SHA-256 of the label, a zero byte, the parts.",
                {"do": "labelled", "label": "VetRelay-v1 log", "parts": ["00" * 32]},
                "success",
            ),
            ("fingerprint", "Eighty bits, for people.", {"do": "fingerprint", "id": thirty_two}, "success"),
        ],
    )


def statement() -> str:
    """statement.json."""
    both = ("parse_signed", "parse_sealed")
    cases: list[Case] = [
        (f"{name} ({do})", "Strict JSON (N17).", {"do": do, "raw": text_of(raw)}, "bad_json")
        for name, raw in test_strict_json.IN_BOTH.items()
        for do in both
        if len(raw) < 1_000 and (do == "parse_signed" or "surrogate" in name or "key" in name)
    ]
    for name, raw in test_strict_json.ONLY_SEALED.items():
        given = text_of(raw)
        cases.append((f"{name}, signed", "Signed: printable ASCII.", {"do": "parse_signed", "raw": given}, "bad_json"))
        cases.append((f"{name}, sealed", "Sealed: any script.", {"do": "parse_sealed", "raw": given}, "success"))
    for name, raw in test_strict_json.GOOD.items():
        cases.append((name, "The one form.", {"do": "parse_signed", "raw": text_of(raw)}, "success"))
    for kind, body in (("case", "{}"), ("envelope", '{"v":1}'), ("c", "ase{}")):
        covered = {"do": "signing_bytes", "type": kind, "body": body}
        cases.append((f"signing bytes of {kind}", "hex, and the entry id.", covered, "success"))
    return document("statement", "raw is base64url of the body's bytes; body is its text.", cases)


def signature() -> str:
    """signature.json."""
    one, other = device_named("one"), device_named("other")
    good, session = test_signature.SIGNED, {"do": "verify", "type": "session", "keys": [one.sign]}
    cases: list[Case] = [
        ("sign", "No dice.", {"do": "sign", "seed": b64(one.sign_seed), "type": "case", "body": "{}"}, "success"),
        ("verify", "The exact body bytes.", {**session, "signed": as_json(good)}, "success"),
        ("wire form", "Its entry id.", {"do": "parse_wire", "text": test_signature.WIRE}, "success"),
    ]
    for name, broken in test_signature.BROKEN.items():
        if len(broken.sigs) < 10:
            cases.append((name, "N03.", {**session, "signed": as_json(broken)}, "bad_signature"))
    offer = sign("offer", test_signature.BODY, [one.signer, other.signer])
    two = {"do": "verify", "type": "offer", "signed": as_json(offer)}
    cases += [
        ("two signatures", "In order.", {**two, "keys": [one.sign, other.sign]}, "success"),
        ("two signatures, swapped", "In order.", {**two, "keys": [other.sign, one.sign]}, "bad_signature"),
        ("nobody has to sign", "Verifies nothing.", {**two, "keys": []}, "bad_signature"),
        ("another type", "N18.", {**session, "type": "head", "signed": as_json(good)}, "wrong_type"),
        (
            "relabelled",
            "N18.",
            {**session, "type": "head", "signed": as_json(replace(good, type="head"))},
            "bad_signature",
        ),
        ("a full-order key", "N54.", {"do": "check_key", "key": one.sign}, "success"),
    ]
    for name, raw in test_keys.BAD_KEYS.items():
        cases.append((f"key: {name}", "N54.", {"do": "check_key", "key": b64(raw)}, "bad_key"))
    for name, text in (("no JSON", "{"), ("an unknown type", test_signature.WIRE.replace("session", "letter"))):
        cases.append((name, "No wire form.", {"do": "parse_wire", "text": text}, "bad_body"))
    return document("signature", "Ed25519 over the signing bytes of statement.json; keys torsion-free.", cases)


def age() -> str:
    """age.json: what needs no dice. Objects to open are in seal.json."""
    file_key, payload_nonce = seed("file key", 16), seed("payload nonce", 16)
    hybrid = Stanza("mlkem768x25519", (encode_base64(seed("encapsulation") * 35).decode(),), seed("body"))
    header = render_header([hybrid, hybrid], file_key)
    recipient = recipient_text(unb64(party_key("clinic", 0).seal))

    def header_case(name: str, raw: bytes, expected: str = "age_header") -> Case:
        return (name, "Strict headers (C2SP age.md).", {"do": "parse_header", "header": text_of(raw)}, expected)

    def shape_case(name: str, raw: bytes, recipients: int, expected: str) -> Case:
        given = {"do": "sealed_shape", "header": text_of(raw), "recipients": recipients}
        return (name, "N06, N11, N20: what a relay demands of an object.", given, expected)

    def payload_case(name: str, payload: bytes, expected: str) -> Case:
        given = {"do": "open_stream", "file_key": b64(file_key), "payload": text_of(payload)}
        return (name, "STREAM, 64 KiB chunks.", given, expected)

    foreign = render_header(
        [hybrid, Stanza("X25519", (encode_base64(bytes([9]) + bytes(31)).decode(),), bytes(32))], file_key
    )
    payload = b"".join(seal_stream(file_key, payload_nonce, [b"a note"]))
    mac = encode_base64(header_mac(header[: header.index(b"---") + 3], file_key))
    cases: list[Case] = [
        ("identity", "Seed to texts.", {"do": "identity", "seed": b64(seed("identity"))}, "success"),
        ("recipient", "1,216 bytes.", {"do": "parse_recipient", "text": recipient}, "success"),
        (
            "recipient in capitals",
            "The prefix decides.",
            {"do": "parse_recipient", "text": recipient.upper()},
            "age_text",
        ),
        (
            "recipient, one letter changed",
            "Checksum.",
            {"do": "parse_recipient", "text": recipient[:-1] + ("q" if recipient[-1] != "q" else "p")},
            "age_text",
        ),
        (
            "an older recipient",
            "N20.",
            {"do": "parse_recipient", "text": "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"},
            "age_text",
        ),
        header_case("two hybrid stanzas", header, "success"),
        header_case("a payload after it", header + bytes(40), "success"),
        header_case("a foreign stanza", foreign, "success"),
        header_case("no stanza", b"age-encryption.org/v1\n--- " + mac + b"\n"),
        header_case("CRLF", header.replace(b"\n", b"\r\n")),
        header_case("two spaces", header.replace(b"-> mlkem768x25519 ", b"-> mlkem768x25519  ")),
        header_case("a long last line", header.replace(b"-> ", b"->", 1)),
        header_case("cut short", header[:-1]),
        header_case("armored", b"-----BEGIN AGE ENCRYPTED FILE-----\n"),
        shape_case("as many stanzas as recipients", header, 2, "success"),
        shape_case("a stanza more", header, 1, "sealed_shape"),
        shape_case("a stanza fewer", header, 3, "sealed_shape"),
        shape_case("nobody", header, 0, "sealed_shape"),
        shape_case("mixed suites", foreign, 2, "sealed_shape"),
        shape_case("a byte after it", header + b"x", 2, "sealed_shape"),
        payload_case("a note", payload, "success"),
        payload_case("a bit flipped", payload[:-1] + bytes([payload[-1] ^ 1]), "age_payload"),
        payload_case("cut", payload[:-1], "age_payload"),
        payload_case("half a nonce", payload[:8], "age_header"),
    ]
    for times in (0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES):
        given = {
            "do": "seal_stream",
            "file_key": b64(file_key),
            "nonce": b64(payload_nonce),
            "unit": "5a",
            "times": times,
        }
        cases.append((f"{times} bytes sealed", "Size and SHA-256 of the payload.", given, "success"))
    return document("age", "unit is hex, repeated; headers and payloads are base64url.", cases)


def invitation() -> str:
    """invitation.json."""
    secret = b64(test_invitation.SECRET)
    uses = ("invite/sign", "invite/seal", "door/sign", "offer/sign", "kit/sign", "kit/seal")
    cases: list[Case] = [
        (f"derive {use}", "HKDF-SHA256.", {"do": "derive", "secret": secret, "use": use}, "success") for use in uses
    ]
    for link in (test_invitation.INVITATION, test_invitation.DOOR, test_invitation.DEVICE):
        text = render_link(link)
        cases.append(
            (type(link).__name__, "Everything in the fragment.", {"do": "parse_link", "text": text}, "success")
        )
    junk = test_invitation.TEXT.replace("/j#", "/j?utm_source=mail#")
    cases.append(
        ("query junk", "N28: dropped.", {"do": "parse_link", "text": f" {junk[:50]}\n{junk[50:]} "}, "success")
    )
    for name, text in test_invitation.BROKEN.items():
        cases.append((name, "N28.", {"do": "parse_link", "text": text}, "link_broken"))
    return document("invitation", "What follows from a one-time secret, and the links that carry it.", cases)


def words() -> str:
    """words.json."""
    one, other = named_hash("one"), named_hash("other")
    return document(
        "words",
        "Numbers below 2,048, each a word of the BIP 39 English list.",
        [
            (name, "N29.", {"one": first, "other": second, "case": named_hash(case)}, "success")
            for name, first, second, case in (
                ("a pair", one, other, "case"),
                ("the same pair", other, one, "case"),
            )
        ],
    )


def session() -> str:
    """session.json."""
    device, here = device_named("phone"), "https://clinic.example"
    body = SessionRequest(
        v=1, device=device.id, origin=here, relay=RELAY, nonce=named_hash("nonce"), until=START_MS + BEARER_LIFE_MS
    )

    def case(name: str, expected: str, *, by: str = "phone", now_ms: int = START_MS, **change: Any) -> Case:
        signed = sign("session", replace(body, **change), [device_named(by).signer])
        return (name, "Device, relay, address, now.", {"signed": as_json(signed), "now_ms": now_ms}, expected)

    return document(
        "session",
        "A relay with this id and these origins looks at a session request; key is what it has for the device.",
        [
            case("good", "success"),
            case("a look-alike address", "wrong_relay", origin="https://clinic.example.evil.example"),
            case("another relay", "wrong_relay", relay=named_hash("relay")),
            case("over", "session_refused", until=START_MS),
            case("too long", "session_refused", until=START_MS + 2 * BEARER_LIFE_MS + 1),
            case("a day late", "session_refused", now_ms=START_MS + 86_400_000),
            case("another device", "bad_signature", by="stranger"),
            case("version 2", "newer_version", v=2),
            case("version 0", "bad_body", v=0),
        ],
        relay=RELAY,
        origins=[here],
        key=device.sign,
    )


# --- chains and logs -------------------------------------------------------------------------------------------------


class Statements:
    """The statements of a file, each once; cases refer to them by their place."""

    def __init__(self) -> None:
        self.values: list[Json] = []

    def index(self, signed: Signed) -> int:
        """The place of a statement."""
        value = as_json(signed)
        if value not in self.values:
            self.values.append(value)
        return self.values.index(value)

    def log(self, logged: Sequence[Logged]) -> list[list[int]]:
        """Positions of a log, as they stand in a file."""
        return [[each.time_ms, int(each.kind), self.index(each.signed)] for each in logged]


def with_intakes(clinic: ActingParty) -> Signed:
    """A clinic's word that three machines check its files."""
    first, *others = (ActingParty(f"intake {number}", "machine") for number in range(3))
    return clinic.machines(intake=first, beside=others)


# All of them are in tests/hostile/test_party_chain.py; a public key of 1,216 bytes makes each statement large.
PARTY_ATTEMPTS = (
    "N21 device.add by a desk",
    "N21 device.add by a revoked admin",
    "N45 rotate by a desk",
    "N45 machines by a desk",
    "N31 device.role by the kit",
    "N31 a kit that is admin",
    "a desk becomes a kit",
    "N21 unsigned offer",
    "N21 offer without the secret",
    "N21 offer in the wrong order",
    "N30 offer made for another party",
    "N22 a device that was revoked",
    "N27 a device left out",
    "N47 the kit left out",
    "N27 a device boxed twice",
    "N27 a generation skipped",
    "device.add with an old generation's box",
    "the last admin revokes itself",
    "the last admin steps down",
    "revoking a device twice",
    "an intake named twice",
    "intakes out of order",
    "nine intakes",
    "no party",
    "a gap",
    "a stale prev",
    "a second genesis",
    "N18 signed as a case statement",
    "N03 no signature",
    "signature of another body",
)
PARTY_BEGINNINGS = (
    "a place named",
    "not an admin",
    "signed by another",
    "no box",
    "a way back",
    "a sealing key that is none",
    "N50 a first statement of version 2",
)


def party() -> str:
    """party.json."""
    statements = Statements()

    def case(name: str, comment: str, chain: Iterable[Signed], expected: str) -> Case:
        return (name, comment, {"chain": [statements.index(signed) for signed in chain]}, expected)

    clinic = test_party_chain.clinic()
    machine, owner = ActingParty("intake", "machine"), ActingParty("owner")
    machine.take(machine.rotate())
    cases = [
        case("a household", "One device, one key.", owner.chain, "success"),
        case("a clinic", "Devices added and revoked, a kit.", clinic.chain, "success"),
        case("a machine", "Rotated, with no way back.", machine.chain, "success"),
        case("a clinic with three intakes", "By party id.", [*clinic.chain, with_intakes(clinic)], "success"),
        case("a machine adds a device", "N21.", [*machine.chain, machine.device_add("second")], "not_admin"),
        case("a household opens a door", "N44.", [*owner.chain, owner.door(seed("door", 16))], "not_a_clinic"),
    ]
    for name in PARTY_ATTEMPTS:
        code, attempt = test_party_chain.ATTEMPTS[name]
        chain = [*clinic.chain, attempt(clinic.copy())]
        cases.append(case(name, "One attempt after the clinic's chain.", chain, code))
    for name in PARTY_BEGINNINGS:
        code, begin = test_party_chain.BEGINNINGS[name]
        cases.append(case(f"begins: {name}", "Genesis alone.", [begin()], code))
    later = clinic.copy()
    rotation: Any = parse_statement(later.rotate().content())
    newer = later.take(later.sign(replace(rotation, v=2)))
    cases.append(case("N50 version 2", "Newer, not forged.", [*clinic.chain, newer, later.rotate()], "success"))
    return document("party", "chain: places in statements, in order.", cases, statements=statements.values)


def case() -> str:
    """case.json."""
    cases: list[Case] = []
    for name, body in test_case.EACH.items():
        cases.append((name, "Comes back the same.", {"body": render(body).decode()}, "success"))
        cases.append((f"{name}: unknown key", "Refused.", {"body": test_case.spoilt(name, x=1).decode()}, "bad_body"))
        missing = test_case.spoilt(name, nonce=...).decode()
        cases.append((f"{name}: nonce missing", "Absent is null.", {"body": missing}, "bad_body"))
    for key, value in (("v", 2), ("statement", "party.rename")):
        body_text = test_case.spoilt("close", **{key: value}, more={}).decode()
        cases.append((f"newer: {key}", "N50: only the case is read.", {"body": body_text}, "success"))
    spoilt: tuple[tuple[str, str, Any, str], ...] = (
        ("case.open", "v", 2, "newer_version"),
        ("close", "v", 0, "bad_body"),
        ("close", "v", True, "bad_body"),
        ("close", "case", ..., "bad_body"),
        ("close", "case", "AAAA", "bad_body"),
        ("invite.open", "role", "intake", "bad_body"),
        ("invite.open", "until", "1", "bad_body"),
        ("case.open", "role", "consultant", "bad_body"),
    )
    for name, key, value, code in spoilt:
        body_text = test_case.spoilt(name, **{key: value}).decode()
        told = "missing" if value is ... else json.dumps(value)
        cases.append((f"{name}: {key} {told}", "One field.", {"body": body_text}, code))
    return document("case", "body: the exact bytes of a case statement, as text.", cases)


class Logs:
    """The logs of a file: cases name the one they begin with."""

    def __init__(self, name: str, running: RunningCase) -> None:
        self.statements = Statements()
        self.base, self.running = name, running
        self.logs = {name: {"case": running.case, "log": self.statements.log(running.log)}}

    def given(self, running: RunningCase, *last: Logged) -> Json:
        """The log of a case: what it has in common with the base is named, the rest follows."""
        same = running.case == self.running.case
        more = [*running.log[len(self.running.log) if same else 0 :], *last]
        head = {"base": self.base} if same else {"base": None, "case": running.case}
        return {**head, "more": self.statements.log(more)}

    def shared(self) -> Json:
        """What the cases refer to."""
        return {"relay": RELAY, "logs": self.logs, "statements": self.statements.values}


Steps = Callable[[test_case_chain.Scene], object]


def beside(scene: test_case_chain.Scene) -> None:
    """A second intake comes into the case; a third is designated, and its chain is not there."""
    second, third = ActingParty("second intake", "machine"), ActingParty("third intake", "machine")
    scene.running.tell(second)
    scene.clinic.take(scene.clinic.machines(intake=scene.intake, beside=[second, third]))
    scene.running.tell(scene.clinic)


GOOD: dict[str, Steps] = {
    "everybody in their place": lambda _s: None,
    "closed": lambda s: s.running.close(s.owner),
    "closed and reopened": lambda s: (s.running.close(s.owner), s.running.reopen(s.clinic)),
    "on hold": lambda s: s.running.say(s.running.written()["hold"], s.clinic),
    "exported": lambda s: s.running.say(s.running.written()["exported"], s.clinic),
    "one who waited is approved": lambda s: s.running.approve(s.waiting, "provider", by=s.owner),
    "one who waited is declined": lambda s: s.running.remove(s.waiting, "provider", by=s.owner),
    "a provider leaves": lambda s: s.running.remove(s.provider, "provider", by=s.clinic),
    "an invitation is opened": lambda s: s.invited(),
    "an invitation is taken back": test_case_chain.closed,
    "an invitation is used": test_case_chain.used,
    "a clinic comes through its door": lambda s: s.running.append(Kind.CASE, test_case_chain.with_door(s)),
    "the desk is revoked": test_case_chain.revoke_desk,
    "the intake is withdrawn": lambda s: (s.clinic.take(s.clinic.machines()), s.running.tell(s.clinic)),
    "several intakes side by side": beside,
    "the ends inspect, and no intake does": test_case_chain.ends,
    "a command line comes in where the ends inspect": lambda s: s.running.append(
        Kind.CASE, test_case_chain.browser_joins(s, ActingParty("command line"))
    ),
    "the intake rotates": lambda s: (s.intake.take(s.intake.rotate()), s.running.tell(s.intake)),
    "N50 a statement of version 2": lambda s: s.running.say(replace(s.running.written()["hold"], v=2), s.owner),
}


def authority() -> str:
    """authority.json."""
    logs = Logs("scene", test_case_chain.first_scene().running)
    cases: list[Case] = []
    for name, step in GOOD.items():
        scene = test_case_chain.scene()
        step(scene)
        cases.append((name, "The roster after it.", logs.given(scene.running), "success"))
    for name, (code, attempt) in test_case_chain.ATTEMPTS.items():
        scene = test_case_chain.scene()
        signed = attempt(scene)  # which may move the log and its clock
        last = Logged(time_ms=scene.running.now_ms, kind=Kind.CASE, signed=signed)
        cases.append((name, "The last entry is refused.", logs.given(scene.running, last), code))
    return document(
        "authority",
        "A log: the file's log named by base, then more: [time_ms, kind, place in statements].",
        cases,
        **logs.shared(),
    )


COPIES = (
    object_ref("manifest", "vectors manifest"),
    object_ref("normalized", "vectors normalized"),
    object_ref("preview", "vectors preview"),
)
ORIGINAL = object_ref("attachment", "vectors original")


def envelope() -> str:
    """envelope.json."""
    logs = Logs("scene", test_envelope_rules.first_scene().running)
    cases: list[Case] = []
    scene = test_envelope_rules.scene()
    for name, signed in (
        ("a message", scene.sent(scene.owner)),
        ("a reply from the desk", scene.sent(scene.clinic, "reply", device="desk", signed_by="desk")),
        ("a provider's message", scene.sent(scene.provider)),
        ("an internal note to the team", scene.sent(scene.consultant, "internal", "team")),
        ("an internal note", scene.sent(scene.clinic, "internal", "own")),
        ("a verdict", scene.verdict()),
        ("a verdict on an internal note", scene.verdict(scene.internal, audience="own")),
    ):
        cases.append((name, "Sender and role.", {**logs.given(scene.running), "envelope": as_json(signed)}, "success"))
    at_ends = test_envelope_rules.scene()
    test_envelope_rules.ends(at_ends)
    for name, signed in (
        ("copies, where the ends inspect", at_ends.sent(at_ends.owner, named=COPIES)),
        ("copies and an original, where the ends inspect", at_ends.sent(at_ends.owner, named=(*COPIES, ORIGINAL))),
    ):
        cases.append((name, "No slip.", {**logs.given(at_ends.running), "envelope": as_json(signed)}, "success"))
    for name, (code, attempt) in test_envelope_rules.ATTEMPTS.items():
        scene = test_envelope_rules.scene()
        signed = attempt(scene)
        if len(signed.body) < 12_000:
            given = {**logs.given(scene.running), "envelope": as_json(signed)}
            cases.append((name, "At the position after the log.", given, code))
    return document("envelope", "A log as in authority.json, and an envelope at its end.", cases, **logs.shared())


def grant() -> str:
    """grant.json."""
    logs = Logs("records", test_grant.RUNNING)
    cases: list[Case] = []
    for number, (code, signed) in enumerate(test_grant.ATTEMPTS):
        given = {**logs.given(test_grant.RUNNING), "grant": as_json(signed)}
        cases.append((f"grant {number}: {code}", "N31, N32.", given, code))
    return document("grant", "A log as in authority.json, and a grant at its end.", cases, **logs.shared())


def log() -> str:
    """log.json."""
    case_id = test_log.CASE
    cases: list[Case] = [
        (
            "heads",
            "head_0, then one for each link.",
            {"do": "heads", "case": case_id, "links": text_of(pack_links([test_log.A, test_log.B, test_log.C]))},
            "success",
        ),
        (
            "time runs backwards",
            "N52.",
            {"do": "heads", "case": case_id, "links": text_of(pack_links([test_log.B, test_log.A]))},
            "time_backwards",
        ),
    ]
    for name, (code, raw) in test_log.LINKS.items():
        cases.append(
            (f"links: {name}", "41 bytes each.", {"do": "heads", "case": case_id, "links": text_of(raw)}, code)
        )
    checked = {"do": "check_head", "relay": RELAY, "case": case_id}
    for name, (code, signed) in test_log.HEADS.items():
        cases.append((f"head: {name}", "N53.", {**checked, "signed": as_json(signed)}, code))
    known = {"n": test_log.KNOWN.n, "head": test_log.KNOWN.head}
    for name, (code, offered) in test_log.OFFERED.items():
        signed = sign("head", test_log.head_of(offered), [RELAY_SIGNER])
        cases.append((name, "Against a kept head.", {**checked, "known": known, "signed": as_json(signed)}, code))
    return document("log", "links: packed, base64url.", cases)


def manifest() -> str:
    """manifest.json."""
    message, verdict, at_ends = test_manifest.MESSAGE, test_manifest.VERDICT, test_finding.MESSAGE
    by_mail = test_bymail.CARRIER
    carriers = {"message": message, "verdict": verdict, "at_ends": at_ends, "by_mail": by_mail}
    cases: list[Case] = [
        (f"Padmé of {size}", "Sizes.", {"do": "padded_size", "size_bytes": size}, "success")
        for size in (0, 1, 2, 7, 8, 9, 11, 100, 1_000, 1_023, 1_025, 70_000, 2**40 + 1)
    ]

    def told(name: str, carrier: Any, part: Any, code: str, *, do: str = "open_manifest", spaces: int = 0) -> Case:
        carrier_name = next(key for key, value in carriers.items() if value is carrier)
        given = {"do": do, "envelope": carrier_name, "plaintext": render(part).decode(), "spaces": spaces}
        return (name, "Binding, files, findings.", given, code)

    judged = test_manifest.manifest_of(verdict, test_manifest.findings_of(verdict))
    cases += [
        told("a text", message, sealed_lies.TOLD, "success", spaces=7),
        told("a verdict", verdict, judged, "success"),
        told("files that their sender checked", at_ends, test_finding.TOLD, "success"),
        told("a slip", message, sealed_lies.SLIP, "success", do="open_slip", spaces=1),
        told("a card", message, test_manifest._card(), "success", do="open_card", spaces=300),
    ]
    cases += [
        told(f"by mail: {name}", by_mail, test_manifest.manifest_of(by_mail, said), "success")
        for name, said in test_bymail.EACH.items()
    ]
    cases += [
        told(f"by mail: {name}", by_mail, test_manifest.manifest_of(by_mail, said), code)
        for name, (code, said) in test_bymail.LIES.items()
    ]
    cases += [told(name, carrier, part, code) for name, (code, carrier, part) in sealed_lies.LIES.items()]
    cases += [
        told(f"slip: {name}", message, slip, code, do="open_slip") for name, (code, slip) in sealed_lies.SLIPS.items()
    ]
    cases += [told(name, at_ends, part, code) for name, (code, part) in test_finding.LIES.items()]
    envelopes = {name: render(carrier).decode() for name, carrier in carriers.items()}
    return document("manifest", "plaintext, then so many spaces.", cases, envelopes=envelopes)


FILES: dict[str, Callable[[], str]] = {
    "ids": ids,
    "statement": statement,
    "signature": signature,
    "age": age,
    "party": party,
    "invitation": invitation,
    "case": case,
    "authority": authority,
    "envelope": envelope,
    "manifest": manifest,
    "log": log,
    "grant": grant,
    "session": session,
    "words": words,
}


def main() -> None:
    """Write every file again."""
    for name, made in FILES.items():
        (VECTORS / f"{name}.json").write_text(made())


if __name__ == "__main__":
    main()
