"""Other implementations of age open what we seal and are opened by us: npm age-encryption, and stock age where it is."""

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.node import JS
from vetrelay.errors import Refusal
from vetrelay.protocol.age.file import open_file
from vetrelay.protocol.age.header import parse_header
from vetrelay.protocol.age.identities import HybridIdentity
from vetrelay.protocol.age.recipients import recipient_text
from vetrelay.protocol.seal import seal_bytes
from vetrelay.protocol.unseal import open_age_file

OWNER, CLINIC = HybridIdentity(bytes(range(32))), HybridIdentity(bytes(range(32, 64)))
PLAINTEXTS = {
    "empty": b"",
    "note": b"Luna limps since Tuesday.",
    "one full chunk": bytes(range(256)) * 256,
    "two chunks and more": bytes(range(256)) * 700,
}


class AgeEncryption:
    """npm age-encryption, one process per question."""

    def __init__(self, node: Path) -> None:
        self.node = node

    def ask(self, **request: object) -> dict[str, str]:
        """The answer of tests/js/age_interop.mjs."""
        answer = subprocess.run(
            [self.node, JS / "age_interop.mjs"],
            input=json.dumps(request).encode(),
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr.decode()
        fields: dict[str, str] = json.loads(answer.stdout)
        return fields


@pytest.fixture
def javascript(node: Path) -> AgeEncryption:
    """The npm package, or a skip."""
    if not (JS / "node_modules" / "age-encryption").is_dir():
        pytest.skip("the npm package age-encryption is not in tests/js: run ./dev setup")
    return AgeEncryption(node)


@pytest.fixture
def stock_age() -> str:
    """A stock `age` that knows the hybrid recipients, or a skip."""
    program = shutil.which("age")
    if program is None:
        pytest.skip("no stock age on PATH")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    numbers = re.search(r"(\d+)\.(\d+)", version)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < (1, 3):
        pytest.skip(f"stock age here is {version.strip()}: hybrid recipients came with 1.3")
    return program


@pytest.mark.parametrize("plaintext", PLAINTEXTS.values(), ids=PLAINTEXTS.keys())
def test_age_encryption_opens_what_we_sealed(javascript: AgeEncryption, plaintext: bytes) -> None:
    """With the exported identity of the second of two readers."""
    sealed = seal_bytes(plaintext, [OWNER.recipient, CLINIC.recipient], file_key=bytes(range(16)), nonce=bytes(16))
    answer = javascript.ask(do="open", identity=CLINIC.text, file=base64.b64encode(sealed.age_file).decode())

    assert plaintext == base64.b64decode(answer["plaintext"])


@pytest.mark.parametrize("plaintext", PLAINTEXTS.values(), ids=PLAINTEXTS.keys())
def test_we_open_what_age_encryption_sealed(javascript: AgeEncryption, plaintext: bytes) -> None:
    """To two recipients in their text form; by the strict hybrid path and by the one for any file."""
    recipients = [recipient_text(identity.recipient) for identity in (OWNER, CLINIC)]
    answer = javascript.ask(do="seal", recipients=recipients, plaintext=base64.b64encode(plaintext).decode())
    age_file = base64.b64decode(answer["file"])

    for identity in (OWNER, CLINIC):
        assert plaintext == open_age_file(age_file, [identity])
        assert plaintext == b"".join(open_file(age_file, [identity]))


def test_age_encryption_names_the_same_recipient(javascript: AgeEncryption) -> None:
    """Seed to recipient, through both implementations."""
    assert recipient_text(OWNER.recipient) == javascript.ask(do="recipient", identity=OWNER.text)["recipient"]


def test_a_file_that_age_encryption_sealed_to_nobody_is_refused(javascript: AgeEncryption) -> None:
    """N11: the npm package writes a file without recipients in silence; we never take one."""
    age_file = base64.b64decode(javascript.ask(do="seal", recipients=[], plaintext="")["file"])
    with pytest.raises(Refusal) as caught:
        parse_header(age_file)

    assert caught.value.code == "age_header"


def test_stock_age_opens_what_we_sealed_and_is_opened_by_us(stock_age: str, tmp_path: Path) -> None:
    """Both ways through the command line, with the exported identity in a file."""
    plaintext = PLAINTEXTS["two chunks and more"]
    identity_file = tmp_path / "identity.txt"
    identity_file.write_text(OWNER.text + "\n")
    sealed = seal_bytes(plaintext, [CLINIC.recipient, OWNER.recipient], file_key=bytes(range(16)), nonce=bytes(16))
    opened = subprocess.run(
        [stock_age, "-d", "-i", identity_file], input=sealed.age_file, capture_output=True, check=True
    ).stdout
    theirs = subprocess.run(
        [stock_age, "-r", recipient_text(OWNER.recipient)], input=plaintext, capture_output=True, check=True
    ).stdout

    assert plaintext == opened
    assert plaintext == open_age_file(theirs, [OWNER])
