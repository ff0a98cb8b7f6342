"""A practice's own words on the policy table: it may switch types off and lower limits, never raise one."""

from collections.abc import Mapping
from dataclasses import replace

import msgspec

from vetrelay.config import FileType, FileTypes
from vetrelay.errors import Fault
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.policy import ROWS, MiB, Row

KINDS_OF_TYPE: Mapping[str, tuple[Kind, ...]] = {
    "jpeg": (Kind.JPEG,),
    "png": (Kind.PNG,),
    "webp": (Kind.WEBP,),
    "heic": (Kind.HEIC,),
    "avif": (Kind.AVIF,),
    "gif": (Kind.GIF,),
    "bmp": (Kind.BMP,),
    "tiff": (Kind.TIFF,),
    "pdf": (Kind.PDF,),
    "dicom": (Kind.DICOM,),
    "video": (Kind.MP4, Kind.QUICKTIME, Kind.WEBM, Kind.AVI),
    "audio": (Kind.MP3, Kind.M4A, Kind.OGG, Kind.WAV, Kind.FLAC, Kind.AMR),
    "text": (Kind.TEXT, Kind.CSV, Kind.JSON, Kind.MARKDOWN),
    "rtf": (Kind.RTF,),
    "office": (Kind.DOCX, Kind.XLSX, Kind.ODT, Kind.OFFICE_ZIP),
    "mail": (Kind.MAIL, Kind.TNEF),
    "zip": (Kind.ZIP,),
}
"""The kinds that one word of `config/intake.toml` speaks of; together they are the whole table."""


def tightened(types: FileTypes) -> Mapping[Kind, Row]:
    """The table with a practice's own words in it. Raises Fault `bad_config`, which names the limit that is too high."""
    rows: dict[Kind, Row] = {}
    for name, kinds in KINDS_OF_TYPE.items():
        wanted: FileType = getattr(types, name)
        for kind in kinds:
            rows[kind] = _row(ROWS[kind], wanted, setting=f"types.{name}")
    return rows


def _row(row: Row, wanted: FileType, *, setting: str) -> Row:
    file_bytes = row.file_bytes if wanted.file_mib is None else wanted.file_mib * MiB
    most = row.most if wanted.most is None else wanted.most
    for named, value, shipped in (("file_mib", file_bytes, row.file_bytes), ("most", most, row.most)):
        if shipped and value > shipped:  # 0: nothing to count
            raise Fault("bad_config", setting=f"{setting}.{named}", reason="it may be lowered, not raised")
    chosen = {
        key: value
        for key, value in msgspec.structs.asdict(wanted).items()
        if key in {"accept", "keep_original", "preview"} and value is not None
    }
    return replace(row, file_bytes=file_bytes, most=most, **chosen)
