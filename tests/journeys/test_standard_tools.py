"""Records are never locked in: what the relay stores opens in other people's software, with the party's own identity."""

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.gateway import Gateway, Person
from tests.journeys.fetching import fetched_object
from tests.practice import photo
from vetrelay.protocol.age.identities import HybridIdentity, parse_identity
from vetrelay.protocol.unseal import open_age_file

JS = Path(__file__).parents[1] / "js"


def in_javascript(node: Path, request: dict[str, Any]) -> dict[str, str]:
    """One request to npm's age-encryption."""
    done = subprocess.run(
        [node, JS / "age_interop.mjs"], input=json.dumps(request), capture_output=True, text=True, check=True, cwd=JS
    )
    answer: dict[str, str] = json.loads(done.stdout)
    return answer


@pytest.fixture(scope="module")
def checked_photo(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> tuple[Person, bytes, bytes]:
    """A veterinarian, the normalized copy they saved, and the same object as the relay serves it: an age file."""
    folder = tmp_path_factory.mktemp("tools")
    vet = gateway.clinic(folder / "vet")
    case, owner = gateway.case(vet, folder / "owner")
    picture = folder / "paw.jpg"
    picture.write_bytes(photo())
    owner.run("send", case, "--text", "look", str(picture))
    file: dict[str, Any] = {}
    entry: dict[str, Any] = {}
    for _ in range(20):
        vet.run("receive", "--wait", "5", code=None)
        (entry,) = vet.json("read", case)["entries"]
        (file,) = entry["attachments"]
        if file["verdict"] != "pending":
            break
    assert "clean" == file["verdict"]
    vet.run("save", case, entry["envelope"], "--out", str(folder / "saved"))
    (saved,) = (folder / "saved").iterdir()
    return vet, saved.read_bytes(), fetched_object(vet.home, case, role="record")


def identity_of(vet: Person) -> str:
    """The party's identity, as `device export-identity` prints it."""
    printed = vet.run("device", "export-identity", "--unsafe-print").out
    return next(line for line in printed.splitlines() if line.startswith("AGE-SECRET-KEY-PQ-1"))


def test_npm_age_encryption_opens_what_the_relay_serves(node: Path, checked_photo: tuple[Person, bytes, bytes]) -> None:
    """The exported party identity and the relay's bytes are all that a JavaScript program needs."""
    vet, saved, served = checked_photo
    file = base64.b64encode(served).decode()
    answer = in_javascript(node, {"do": "open", "identity": identity_of(vet), "file": file})
    assert saved == base64.b64decode(answer["plaintext"])


def test_what_npm_age_encryption_seals_to_a_party_opens_here(
    node: Path, checked_photo: tuple[Person, bytes, bytes]
) -> None:
    """The reverse: a file sealed by a JavaScript program to the party's public half."""
    text = identity_of(checked_photo[0])
    recipient = in_javascript(node, {"do": "recipient", "identity": text})["recipient"]
    plaintext = base64.b64encode(b"from another program").decode()
    sealed = in_javascript(node, {"do": "seal", "recipients": [recipient], "plaintext": plaintext})["file"]
    identity = parse_identity(text)
    assert isinstance(identity, HybridIdentity)
    assert b"from another program" == open_age_file(base64.b64decode(sealed), [identity])


def test_stock_age_opens_what_the_relay_serves(checked_photo: tuple[Person, bytes, bytes], tmp_path: Path) -> None:
    """The same with the age program, where a version that knows hybrid keys (1.3) is on PATH."""
    age = shutil.which("age")
    version = subprocess.run([age, "--version"], capture_output=True, text=True, check=True).stdout if age else ""
    if not version.lstrip("v").startswith(("1.3", "1.4", "2.")):
        pytest.skip("stock age 1.3 or newer, which knows hybrid keys, is not on PATH")
    vet, saved, served = checked_photo
    (tmp_path / "identity").write_text(identity_of(vet) + "\n")
    assert age is not None
    done = subprocess.run([age, "-d", "-i", tmp_path / "identity"], input=served, capture_output=True, check=True)
    assert saved == done.stdout
