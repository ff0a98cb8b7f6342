"""The demo: VetRelay's main job on real input, from a worried owner's photos to a veterinarian's answer, and back.

Everything runs as it would in a practice: real processes, real HTTP on loopback, the same commands a person types.
`--check` ends with an exit code; without it the gateway stays up and says what to try.
"""

import base64
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table

from vetrelay.cli.demo_files import NOTE_TO_VET, send_records
from vetrelay.cli.demo_mail import WORDS, by_email, settings_for
from vetrelay.cli.demo_pictures import Secrets, make_photos, metadata_left
from vetrelay.cli.demo_post import PostOffice, post_office
from vetrelay.cli.demo_records import RecordSecrets
from vetrelay.cli.demo_stage import Demo, checked_files, end_gateway, start_gateway

NAMES: Final = ("marzipanpaw.jpg", "thistlewound.jpg", "quincetoes.jpg")
TITLE: Final = "Bramblewick limps since the zephyrhill walk"
TEXT: Final = (
    "Bramblewick stepped on something near zephyrhill: the gorsethorn paw is swollen, pollardred and warm. "
    "He ate half of his kedgeree, drank from the puddlewell, and slept under the hornbeamdesk. Temperature 39point3. "
    "We gave no carprofenol yet. Should we come tonight? Yours, worriedly: the Fennimores of Larkspurlane."
)
ANSWER: Final = (
    "Dear Fennimores, please rinse the gorsethorn spot with lukewarm salinewater and keep Bramblewick off the gravelpath. "
    "No carprofenol before I have seen him. Come to the Wrenfield practice tomorrow at nineoclocksharp. Dr. Oleander"
)
CANARIES: Final = (
    *("Bramblewick", "zephyrhill", "gorsethorn", "pollardred", "kedgeree", "puddlewell", "hornbeamdesk", "39point3"),
    *("carprofenol", "worriedly", "Fennimores", "Larkspurlane", "salinewater", "gravelpath", "nineoclocksharp"),
    *("Oleander", "Wrenfield", "marzipanpaw", "thistlewound", "quincetoes", "Pixelhaus", "SN-7741-VETCANARY"),
    *("Fennimore family phone", "taken-at-home-comment", "swollen", "lukewarm", "tonight", "practice tomorrow"),
    *("have seen him", "half of his", "slept under", "stepped on", "Temperature 39", "Should we come", "keep Bramb"),
    *("rinse the", "Dr. Oleander", "limps since", "spot with", "gave no", "Prior Author Canary", "script-canary-7"),
    *("PRIVATE-CANARY-9", "+52.5211+013.4099/", "earlier clinic", "left front paw"),
    *WORDS,
)
CANARIES_IN_RECORDS: Final = RecordSecrets(
    author="Prior Author Canary", script="script-canary-7", private_tag="PRIVATE-CANARY-9", place="+52.5211+013.4099/"
)
MEDICAL_LINE: Final = "VetRelay is not for emergencies: call your clinic or an emergency clinic."


def set_up(demo: Demo, ready: dict[str, Any]) -> str:
    """A clinic, its file check, a case, and the owner who joins by a link. The case's id."""
    demo.url = ready["url"]
    relay = ("--relay", demo.url)
    demo.run(
        "vet",
        *relay,
        "clinic",
        "create",
        "Wrenfield Veterinary Practice",
        "--as",
        "Dr. Oleander",
        "--code",
        ready["clinic_code"],
    )
    for offer in ready["offers"]:
        demo.run("vet", "clinic", "adopt", offer)
    about = ("--animal", "Bramblewick", "--species", "dog", "--owner", "Fennimore")
    case = demo.run("vet", "case", "open", "--title", TITLE, *about).split()[-1]
    link = demo.run("vet", "case", "invite", case).split()[-1]
    demo.run("owner", "case", "join", link, "--name", "Fennimores")
    return case


def send_photos(demo: Demo, case: str) -> tuple[list[Path], dict[str, Any]]:
    """The owner sends text and photos; the veterinarian waits for the verdict and reads."""
    secrets = Secrets(
        maker="Pixelhaus",
        serial="SN-7741-VETCANARY",
        artist="Fennimore family phone",
        comment="taken-at-home-comment",
    )
    photos = make_photos(demo.folder / "pictures" / "before", NAMES, secrets)
    demo.run("owner", "send", case, "--text", TEXT, *(str(path) for path in photos))
    return photos, checked_files(demo, case, 0)


def check_photos(demo: Demo, case: str, entry: dict[str, Any], photos: list[Path]) -> None:
    """Saves the normalized copies and looks at them."""
    after = demo.folder / "pictures" / "after"
    demo.run("vet", "save", case, entry.get("envelope", ""), "--out", str(after))
    saved = sorted(after.glob("*")) if after.exists() else []
    demo.hold(f"{len(photos)} photos arrived, normalized", true=len(saved) == len(photos))
    notes = {note for file in entry.get("attachments", []) for note in file["notes"]}
    demo.hold(
        f"the veterinarian is told: {', '.join(sorted(notes))}", true={"location removed", "turned upright"} <= notes
    )
    demo.hold("no place, serial number, name or comment is left in them", true=not any(map(metadata_left, saved)))
    from PIL import Image

    upright = all(Image.open(path).height > Image.open(path).width for path in saved)
    demo.hold("every photo is upright", true=bool(saved) and upright)


def answer(demo: Demo, case: str, before: list[str]) -> None:
    """The veterinarian answers, the owner reads."""
    demo.run("vet", "send", case, "--text", ANSWER)
    demo.run("owner", "receive", "--wait", "5")
    thread = demo.json("owner", "read", case)
    texts = [(entry["text"] or "").strip() for entry in thread.get("entries", [])]
    demo.hold("the owner reads it all, word for word", true=texts == [said.strip() for said in (*before, ANSWER)])
    for who in ("owner", "vet"):
        verified = demo.json(who, "verify", case)
        demo.hold(f"{who}: every signature, link and seal verifies from scratch", true=verified.get("problems") == [])


def _spellings(word: str) -> list[bytes]:
    """A word as it could stand in a file: plain, UTF-16, and inside base64 at each of three alignments."""
    raw = word.encode()
    inside = [base64.b64encode(b"\0" * shift + raw)[4 if shift else 0 :].rstrip(b"=")[:-1] for shift in range(3)]
    return [raw, raw.lower(), word.encode("utf-16-le"), *inside]


def search_gateway(demo: Demo) -> tuple[int, int, int]:
    """Searches every byte the gateway keeps for the canary words: (words, found, bytes searched)."""
    found, searched = set(), 0
    places = [path for path in (demo.folder / "gateway").rglob("*") if path.is_file()] + [demo.folder / "gateway.log"]
    for path in places:
        content = path.read_bytes()
        searched += len(content)
        found |= {word for word in CANARIES if any(spelling in content for spelling in _spellings(word))}
    return len(CANARIES), len(found), searched


def show(demo: Demo, case: str, entry: dict[str, Any]) -> None:
    """The two columns."""
    seen = demo.run("vet", "relay", "look", "--data", str(demo.folder / "gateway"), case)
    files = "\n".join(
        f"{file['name']}: {file['verdict']} ({', '.join(file['notes'])})" for file in entry.get("attachments", [])
    )
    people = f"[bold]{TITLE}[/bold]\n\nFennimores: {TEXT}\n\n{files}\n\nDr. Oleander: {ANSWER}"
    table = Table(show_lines=True, width=min(demo.console.width, 150))
    table.add_column("what the relay saw", ratio=1)
    table.add_column("what the people saw", ratio=1)
    table.add_row(seen.strip(), people)
    demo.console.print(table)


def stay(demo: Demo) -> None:
    """Leaves the gateway up until Ctrl-C, and says what to try."""
    program = "vetrelay" if not (Path.cwd() / ".venv/bin/vetrelay").exists() else ".venv/bin/vetrelay"
    demo.console.print(
        f"\nThe gateway stays up at {demo.url}. Try, in another terminal:\n"
        f"  {program} --home {demo.folder}/vet read -\n"
        f"  {program} --home {demo.folder}/owner send - --text 'Thank you!'\n"
        f"  {program} --home {demo.folder}/vet receive --wait 20\n"
        f"  {program} relay look --data {demo.folder}/gateway\n"
        "Ctrl-C ends it.",
        markup=False,
    )
    assert demo.gateway is not None
    try:
        demo.gateway.wait()
    except KeyboardInterrupt:
        demo.console.print("stopping …")


def play(demo: Demo, office: PostOffice) -> None:
    """The whole story, with every claim checked."""
    ready = start_gateway(demo, mail_settings=settings_for(office))
    case = set_up(demo, ready)
    photos, entry = send_photos(demo, case)
    check_photos(demo, case, entry, photos)
    send_records(demo, case, CANARIES_IN_RECORDS)
    said = by_email(demo, case, ready, office, CANARIES_IN_RECORDS)
    answer(demo, case, [TEXT, NOTE_TO_VET, *said])
    show(demo, case, entry)
    words, found, searched = search_gateway(demo)
    demo.hold(
        f"{words} words searched in everything the gateway keeps ({searched / 1e6:.1f} MB): {found} found",
        true=found == 0 and words >= 40,
    )
    demo.console.print(f"Before and after: {demo.folder / 'pictures'}\n{MEDICAL_LINE}")


@click.command()
@click.option("--check", is_flag=True, help="End when all is shown; exit 1 if anything does not hold.")
@click.option("--folder", type=click.Path(path_type=Path), help="A fresh folder to use (default: a temporary one).")
def main(*, check: bool, folder: Path | None) -> None:
    """A worried owner's photos, sealed end to end, checked, read and answered: the whole way, on this machine."""
    place = folder or Path(tempfile.mkdtemp(prefix="vetrelay-demo-"))
    if place.exists() and any(place.iterdir()):
        raise click.UsageError("the folder is not empty; name a fresh one")
    place.mkdir(parents=True, exist_ok=True)
    os.environ.pop("VETRELAY_HOME", None)
    demo = Demo(folder=place, console=Console(width=None if sys.stdout.isatty() else 140, highlight=False))
    try:
        with post_office() as office:
            play(demo, office)
            if not check:
                stay(demo)
    finally:
        end_gateway(demo)
    if demo.failures:
        demo.console.print("\nDid not hold:", *demo.failures, sep="\n  ")
        sys.exit(1)


if __name__ == "__main__":
    main()
