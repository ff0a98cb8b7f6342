"""`inspect`: what the file check would say of local files; no keys, no server, the same jail."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click

from vetrelay.cli.bars import bars
from vetrelay.cli.run import EndCommand
from vetrelay.cli.terminal import Line, answer_json, answer_lines, note, printable
from vetrelay.cli.words import VERDICTS, amount
from vetrelay.client.fetch import free_path
from vetrelay.client.progress import Step
from vetrelay.errors import Refusal
from vetrelay.inspection.inspect import Finding, Inspector, Settings, finding_as_json
from vetrelay.inspection.words import Verdict

PURPOSES: Final = ("wound", "skin", "eye")
_ORDER: Final = {verdict: at for at, verdict in enumerate(Verdict)}


@click.command(cls=EndCommand)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write what was made into this folder.")
@click.option("--purpose", type=click.Choice(PURPOSES), help="What the photos show: these are kept larger.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def inspect(*, files: tuple[Path, ...], out: Path | None, purpose: str | None, as_json: bool) -> None:
    r"""Check files exactly as the file check does, on this machine.

    \b
    Example:
      vetrelay inspect ear.jpg scan.pdf --out checked
    """
    looked = asyncio.run(_looked_at(files, purpose, out))
    counts = Counter(finding.verdict for _, finding, _ in looked)
    if as_json:
        shown = [
            {"path": str(path), **finding_as_json(finding), "written": written} for path, finding, written in looked
        ]
        answer_json({"files": shown, "counts": {verdict.value: counts[verdict] for verdict in Verdict}})
        return
    answer_lines(line for path, finding, written in looked for line in _lines(path, finding, written))
    told = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in sorted(counts, key=lambda one: _ORDER[one]))
    answer_lines([Line(text=f"{len(looked)} inspected: {told}", style="title")])


async def _looked_at(
    files: Sequence[Path], purpose: str | None, out: Path | None
) -> list[tuple[Path, Finding, list[str]]]:
    """Every file with its finding and the paths that were written, in the order in which they were named."""
    settings = Settings()
    waiting = asyncio.Semaphore(settings.parallel_jobs)
    async with Inspector.start(settings) as inspector:
        with bars()("inspecting", len(files)) as step:

            async def one(path: Path) -> Finding | None:
                async with waiting:
                    return await _finding(inspector, path, purpose, step)

            found = await asyncio.gather(*(one(path) for path in files))
    unread = [path for path, finding in zip(files, found, strict=True) if finding is None]
    for path in unread:
        note(f"cannot be read: {printable(str(path))}")
    if unread:
        raise Refusal("file_unreadable")
    return [
        (path, finding, _write(finding, out) if out else [])
        for path, finding in zip(files, found, strict=True)
        if finding is not None
    ]


async def _finding(inspector: Inspector, path: Path, purpose: str | None, step: Step) -> Finding | None:
    try:
        with path.open("rb") as content:
            finding = await inspector.inspect(content.fileno(), path.name, purpose=purpose)
    except OSError:
        return None
    step(1)
    return finding


def _write(finding: Finding, out: Path) -> list[str]:
    """Writes what was made under names that are free; the paths."""
    out.mkdir(parents=True, exist_ok=True)
    written: list[str] = []
    for made in finding.outputs:
        path = free_path(out, made.name)
        with path.open("xb") as file:
            file.write(made.content)
        written.append(str(path))
    return written


def _lines(path: Path, finding: Finding, written: Sequence[str]) -> Iterator[Line]:
    words, style = VERDICTS[finding.verdict.value]
    notes = f" ({', '.join(finding.notes)})" if finding.notes else ""
    shown = f"{printable(str(path))}  {finding.verdict.value}: {words}{notes}"
    yield Line(text=shown, style=style)
    if finding.sentence:
        yield Line(text=finding.sentence, style="quiet", indent=2)
    for made in finding.outputs:
        facts = f"{made.role}  {made.name}  {made.media_type}  {made.width}×{made.height}  {amount(len(made.content))}"
        yield Line(text=facts, style="quiet", indent=2)
    for place in written:
        yield Line(text=f"written: {printable(place)}", style="quiet", indent=2)
