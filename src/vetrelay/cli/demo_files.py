"""The demo's second act: a letter of an earlier clinic, an imaging study and a video, and what becomes of them."""

import io
import zipfile
from pathlib import Path
from typing import Any, Final

from PIL import Image
from rich.color import Color
from rich.style import Style
from rich.text import Text

from vetrelay.cli.demo_records import SLICES, RecordSecrets, can_make_video, make_pdf, make_study, make_video
from vetrelay.cli.demo_stage import Demo, checked_files

NOTE_TO_VET: Final = "Here are the letter and the scan of our earlier clinic, and a video of his gait."
_LETTER: Final = (
    "Dear colleague,\nBramblewick was seen at our earlier clinic.\nPlease find the scan beside this letter."
)
_COLUMNS: Final = 40


def send_records(demo: Demo, case: str, secrets: RecordSecrets) -> None:
    """The owner sends the records; the veterinarian saves and sees what was made of them."""
    before = demo.folder / "records" / "before"
    before.mkdir(parents=True)
    files = [
        make_pdf(before / "letter.pdf", _LETTER, secrets),
        make_study(before / "scan", "Fennimore^Bramblewick", "Fennimore", secrets),
    ]
    if can_make_video():
        files.append(make_video(before / "gait.mp4", secrets))
    else:
        demo.console.print("  videos are left out here: the extra `video` is not installed")
    demo.run("owner", "send", case, "--text", NOTE_TO_VET, *(str(path) for path in files))
    entry = checked_files(demo, case, 1)
    after = demo.folder / "records" / "after"
    demo.run("vet", "save", case, entry.get("envelope", ""), "--previews", "--out", str(after))
    _check(demo, entry, after, secrets, sent=len(files))
    for preview in sorted([*after.glob("*-preview*.jpg"), *after.glob("*-strip*.jpg")]):
        _draw(demo, preview)


def _check(demo: Demo, entry: dict[str, Any], after: Path, secrets: RecordSecrets, *, sent: int) -> None:
    verdicts = {file["name"]: file["verdict"] for file in entry.get("attachments", [])}
    ready = [name for name, verdict in verdicts.items() if verdict in {"clean", "converted"}]
    demo.hold(f"ready: {', '.join(sorted(ready))}", true=len(ready) == sent)
    for file in entry.get("attachments", []):
        demo.console.print(f"    {file['name']}: {', '.join(file['notes'])}", markup=False)
    notes = {note for file in entry.get("attachments", []) for note in file["notes"]}
    demo.hold("nothing warns of another animal", true=not any(note.startswith("warning") for note in notes))
    contents = [content for path in sorted(after.glob("*")) for content in _contents(path)]
    planted = (secrets.author, secrets.script, secrets.private_tag, secrets.place)
    left = [word for word in planted if any(word.encode() in content for content in contents)]
    demo.hold("no author, script, private tag or place is left in the copies", true=bool(contents) and not left)
    slices = [content for content in contents if content[128:132] == b"DICM"]
    demo.hold(f"{SLICES} images of the scan arrived, the viewer program did not", true=len(slices) == SLICES)


def _contents(path: Path) -> list[bytes]:
    """A file, or the files in an archive of files; of a PDF also what is packed in it."""
    content = path.read_bytes()
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(path) as pack:
            return [pack.read(name) for name in pack.namelist()]
    if content.startswith(b"%PDF"):
        import pikepdf

        with pikepdf.open(path) as pdf:
            packed = [bytes(found.read_bytes()) for found in pdf.objects if isinstance(found, pikepdf.Stream)]
        return [content, *packed]
    return [content]


def _draw(demo: Demo, picture: Path) -> None:
    """A preview as coloured half blocks where the terminal has colours, else its name and size."""
    with Image.open(picture) as opened:
        size = f"{opened.width}×{opened.height}"
        rows = max(2, round(_COLUMNS * opened.height / opened.width / 2) * 2)
        small = opened.convert("RGB").resize((_COLUMNS, rows))
    demo.console.print(f"  preview  {picture.name}  {size}", markup=False)
    if not demo.console.color_system:
        return
    for row in range(0, rows, 2):
        line = Text("    ")
        for column in range(_COLUMNS):
            upper, lower = (_rgb(small, column, row + below) for below in (0, 1))
            line.append("▀", Style(color=upper, bgcolor=lower))
        demo.console.print(line)


def _rgb(picture: Image.Image, column: int, row: int) -> Color:
    pixel = picture.getpixel((column, row))
    assert isinstance(pixel, tuple)
    return Color.from_rgb(*pixel[:3])
