"""Too many copies of one file for what they travel in: its records go as one ZIP, and one preview beside it."""

from collections.abc import Sequence
from dataclasses import replace

from vetrelay.inspection.finding import Finding, Output
from vetrelay.inspection.naming import safe_name
from vetrelay.inspection.pack import PackWriter
from vetrelay.inspection.result import Role
from vetrelay.inspection.words import Verdict

_RECORD, _PREVIEW = Role.RECORD.word, Role.PREVIEW.word


def bundled(finding: Finding, *, most: int) -> Finding:
    """The finding itself, or where it has more than `most` records, with all of them in one ZIP, each under its name.

    A message of a hundred files may hold a hundred TIFFs of fifty pages: every page arrives all the same.
    """
    records = [made for made in finding.outputs if made.role == _RECORD]
    if len(records) <= max(1, most):
        return finding
    name = safe_name(finding.name, "zip")
    pack = Output(role=_RECORD, name=name, media_type="application/zip", content=_packed(records))
    first = next((made for made in finding.outputs if made.role == _PREVIEW), None)
    return replace(
        finding,
        verdict=Verdict.CONVERTED if finding.verdict is Verdict.CLEAN else finding.verdict,
        name=name,
        media_type=pack.media_type,
        outputs=(pack,) if first is None else (pack, replace(first, member=None)),
    )


def _packed(records: Sequence[Output]) -> bytes:
    writer, pieces, taken = PackWriter(), bytearray(), set[str]()
    for number, made in enumerate(records, start=1):
        name = made.name if made.name.casefold() not in taken else f"{number}-{made.name}"
        taken.add(name.casefold())
        for piece in writer.member(name, made.content):
            pieces += piece
    for piece in writer.end():
        pieces += piece
    return bytes(pieces)
