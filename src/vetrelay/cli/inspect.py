"""`inspect`: what the file check would say of local files; no keys, no server, the same jail."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from vetrelay.cli.bars import bars
from vetrelay.cli.run import EndCommand
from vetrelay.cli.terminal import Line, answer_json, answer_lines, note, printable
from vetrelay.cli.words import VERDICTS, amount
from vetrelay.client.fetch import free_path
from vetrelay.errors import Refusal
from vetrelay.inspection.finding import Finding, finding_as_json
from vetrelay.inspection.inspect import Inspector, Settings
from vetrelay.inspection.wishes import Wishes
from vetrelay.inspection.words import Verdict

PURPOSES: Final = ("wound", "skin", "eye")


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A file that was inspected: what is told of it, without the contents of what was made."""

    path: Path
    verdict: Verdict
    told: dict[str, Any]
    written: tuple[str, ...]


@click.command(cls=EndCommand)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write what was made into this folder.")
@click.option("--purpose", type=click.Choice(PURPOSES), help="What the photos show: these are kept larger.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def inspect(*, files: tuple[Path, ...], out: Path | None, purpose: str | None, as_json: bool) -> None:
    """Check files exactly as the file check does, on this machine.

    \b
    Example:
      vetrelay inspect ear.jpg scan.pdf --out checked
    """
    looked, unread = asyncio.run(_looked_at(files, purpose, out))
    counts = Counter(one.verdict for one in looked)
    if as_json:
        shown = [{"path": str(one.path), **one.told, "written": list(one.written)} for one in looked]
        answer_json({"files": shown, "counts": {verdict.value: counts[verdict] for verdict in Verdict}})
    else:
        told = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict])
        answer_lines(line for one in looked for line in _lines(one))
        answer_lines([Line(text=f"{len(looked)} inspected: {told or 'none'}", style="title")])
    for path in unread:
        note(f"cannot be read: {printable(str(path))}")
    if unread:
        raise Refusal("file_unreadable")


async def _looked_at(files: Sequence[Path], purpose: str | None, out: Path | None) -> tuple[list[Looked], list[Path]]:
    """Every file that can be read, in the order in which they were named; and those that cannot."""
    settings = Settings()
    places = asyncio.Semaphore(settings.parallel_jobs)
    async with Inspector.start(settings) as inspector:
        with bars()("inspecting", len(files)) as step:

            async def one(path: Path) -> Looked | None:
                async with places:
                    looked = await _look(inspector, path, purpose, out)
                step(1)
                return looked

            found = await asyncio.gather(*(one(path) for path in files))
    return [one for one in found if one], [path for path, one in zip(files, found, strict=True) if one is None]


async def _look(inspector: Inspector, path: Path, purpose: str | None, out: Path | None) -> Looked | None:
    try:
        with path.open("rb") as content:
            finding = await inspector.inspect(content.fileno(), path.name, wishes=Wishes(purpose=purpose))
    except OSError:
        return None
    written = _write(finding, out) if out else ()
    return Looked(path=path, verdict=finding.verdict, told=finding_as_json(finding), written=written)


def _write(finding: Finding, out: Path) -> tuple[str, ...]:
    """Writes what was made under names that are free; the paths."""
    out.mkdir(parents=True, exist_ok=True)
    written: list[str] = []
    for made in finding.outputs:
        path = free_path(out, made.name)
        with path.open("xb") as file:
            file.write(made.content)
        written.append(str(path))
    return tuple(written)


def _lines(looked: Looked) -> Iterator[Line]:
    words, style = VERDICTS[looked.verdict.value]
    notes = f" ({', '.join(looked.told['notes'])})" if looked.told["notes"] else ""
    yield Line(text=f"{printable(str(looked.path))}  {looked.verdict.value}: {words}{notes}", style=style)
    if looked.told["sentence"]:
        yield Line(text=looked.told["sentence"], style="quiet", indent=2)
    for made in looked.told["outputs"]:
        size = f"{made['width']}×{made['height']}  {amount(made['size_bytes'])}"
        yield Line(text=f"{made['role']}  {made['name']}  {made['media_type']}  {size}", style="quiet", indent=2)
    for place in looked.written:
        yield Line(text=f"written: {printable(place)}", style="quiet", indent=2)
