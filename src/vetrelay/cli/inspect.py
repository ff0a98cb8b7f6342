"""`inspect`: what the file check would say of local files; no keys, no server, the same jail."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from vetrelay.cli.bars import bars
from vetrelay.cli.run import EndCommand
from vetrelay.cli.settings import intake_config
from vetrelay.cli.sweep_report import kinds_and_verdicts, report_lines, verdict_counts
from vetrelay.cli.terminal import Line, answer_json, answer_lines, note, printable
from vetrelay.cli.words import LEFT_OUT, VERDICTS, amount, reason_sentence
from vetrelay.client.fetch import free_path
from vetrelay.errors import Refusal
from vetrelay.inspection.finding import Finding, finding_as_json
from vetrelay.inspection.inspect import Inspector, Settings
from vetrelay.inspection.wishes import Wishes
from vetrelay.intake.process import inspection_settings

PURPOSES: Final = ("wound", "skin", "eye")


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A file that was inspected: what is told of it, without the contents of what was made."""

    path: Path
    told: Mapping[str, Any]
    written: tuple[str, ...]


class _Sheet:
    """Where a pack of many files is packed anew: a file under a free name, which is there only if it was needed."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self.path: Path | None = None

    def write(self, piece: bytes) -> object:
        """Appends to the file, which begins with the first piece."""
        if self.path is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self.path = free_path(self._folder, self._name)
            self.path.touch(exist_ok=False)
        with self.path.open("ab") as file:
            return file.write(piece)

    def drop(self) -> None:
        """Removes what was written of a pack that came to nothing."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


@click.command(cls=EndCommand)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write what was made into this folder.")
@click.option("--purpose", type=click.Choice(PURPOSES), help="What the photos show: these are kept larger.")
@click.option("--full-size", is_flag=True, help="Keep photos at their full size.")
@click.option("--keep-motion", is_flag=True, help="Keep the motion of animated pictures.")
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Check by the settings of this practice's file check (intake.toml).",
)
@click.option("--summary", is_flag=True, help="Only how many files of which kind got which verdict.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def inspect(
    *,
    paths: tuple[Path, ...],
    out: Path | None,
    purpose: str | None,
    full_size: bool,
    keep_motion: bool,
    config: Path | None,
    summary: bool,
    as_json: bool,
) -> None:
    """Check files and folders exactly as the file check does, on this machine.

    \b
    Examples:
      vetrelay inspect ear.jpg scan.pdf --out checked
      vetrelay inspect old-records/ --summary
    """
    wishes = Wishes(purpose=purpose, full_size=full_size, keep_motion=keep_motion)
    settings = Settings() if config is None else inspection_settings(intake_config(config))
    files = tuple(file for path in paths for file in _files(path))
    looked, unread = asyncio.run(_looked_at(files, settings, wishes, out))
    told = [one.told for one in looked]
    if as_json:
        shown = [{"path": str(one.path), **one.told, "written": list(one.written)} for one in looked]
        counts = {"counts": verdict_counts(told), "kinds": kinds_and_verdicts(told)}
        answer_json(counts if summary else {"files": shown, **counts})
    else:
        if not summary:
            answer_lines(line for one in looked for line in _lines(one))
        answer_lines(report_lines(told, table=summary or len(paths) < len(files)))
    for path in unread:
        note(f"cannot be read: {printable(str(path))}")
    if unread:
        raise Refusal("file_unreadable")


def _files(path: Path) -> Iterator[Path]:
    """The file itself, or every file below a folder in the order of their names; links are not followed."""
    if not path.is_dir():
        yield path
        return
    for below in sorted(path.iterdir()):
        if below.is_symlink():
            continue
        if below.is_dir() or below.is_file():
            yield from _files(below)


async def _looked_at(
    files: Sequence[Path], settings: Settings, wishes: Wishes, out: Path | None
) -> tuple[list[Looked], list[Path]]:
    """Every file that can be read, in the order in which they were named; and those that cannot."""
    async with Inspector.start(settings) as inspector:
        # A few more than there are cores: the next files are read while those before them are looked at.
        places = asyncio.Semaphore(2 * inspector.parallel_jobs)
        with bars()("inspecting", len(files)) as step:

            async def one(path: Path) -> Looked | None:
                async with places:
                    looked = await _look(inspector, path, wishes, out)
                step(1)
                return looked

            found = await asyncio.gather(*(one(path) for path in files))
    return [one for one in found if one], [path for path, one in zip(files, found, strict=True) if one is None]


async def _look(inspector: Inspector, path: Path, wishes: Wishes, out: Path | None) -> Looked | None:
    sheet = _Sheet(out, f"{path.stem}.zip") if out else None
    try:
        with path.open("rb") as content:
            finding = await inspector.inspect(content.fileno(), path.name, wishes=wishes, sink=sheet)
    except OSError:
        if sheet is not None:
            sheet.drop()
        return None
    if sheet is not None and not any(made.written for made in finding.outputs):
        sheet.drop()
    written = _write(finding, out, sheet) if out else ()
    return Looked(path=path, told=finding_as_json(finding), written=written)


def _write(finding: Finding, out: Path, sheet: _Sheet | None) -> tuple[str, ...]:
    """Writes what was made under names that are free; the paths."""
    out.mkdir(parents=True, exist_ok=True)
    written: list[str] = []
    for made in finding.outputs:
        if made.written is not None and sheet is not None and sheet.path is not None:
            written.append(str(sheet.path))
            continue
        path = free_path(out, made.name)
        with path.open("xb") as file:
            file.write(made.content)
        written.append(str(path))
    return tuple(written)


def _lines(looked: Looked) -> Iterator[Line]:
    words, style = VERDICTS[looked.told["verdict"]]
    notes = f" ({', '.join(looked.told['notes'])})" if looked.told["notes"] else ""
    yield Line(text=f"{printable(str(looked.path))}  {looked.told['verdict']}: {words}{notes}", style=style)
    if looked.told["sentence"]:
        yield Line(text=looked.told["sentence"], style="quiet", indent=2)
    for member in looked.told["members"]:
        became = LEFT_OUT.get(member["verdict"], VERDICTS[member["verdict"]][0])
        why = f": {reason_sentence(member['reason'])}" if member["reason"] else ""
        yield Line(text=f"{printable(member['name'])}  {became}{why}", style="quiet", indent=2)
    for made in looked.told["outputs"]:
        size = f"{made['width']}×{made['height']}  " if made["width"] else ""
        yield Line(
            text=f"{made['role']}  {made['name']}  {made['media_type']}  {size}{amount(made['size_bytes'])}",
            style="quiet",
            indent=2,
        )
    for place in looked.written:
        yield Line(text=f"written: {printable(place)}", style="quiet", indent=2)
