"""Settings of the processes, as frozen values; every key stands with its reason in config/*.toml.

Parsing is pure: whoever starts a process reads the file and hands its text in. A key that is not known here is
refused by name, because a wrong guess is worse than no guess.
"""

import re
import tomllib
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from vetrelay.errors import Fault

KiB: Final = 1024
MiB: Final = 1024 * KiB
GiB: Final = 1024 * MiB

Positive = Annotated[int, Meta(ge=1)]
T = TypeVar("T", bound=msgspec.Struct)


class RelayLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the relay takes from one device, one party, one case, one address, and how long it waits."""

    object_bytes: Positive = 2 * GiB + MiB
    submit_bytes: Positive = 2 * MiB
    envelopes_per_minute: Positive = 240
    statements_per_minute: Positive = 120
    open_uploads_per_device: Positive = 16
    leases_per_device: Positive = 256
    uploads_at_once: Positive = 64
    upload_hours: Annotated[int, Meta(ge=1, le=35)] = 24
    case_bytes: Positive = 20 * GiB
    party_bytes: Positive = 200 * GiB
    min_free_bytes: Annotated[int, Meta(ge=0)] = 256 * MiB
    queued_jobs: Positive = 4096
    connections: Positive = 4096
    connections_per_address: Positive = 512
    page_bytes: Positive = 4 * MiB
    wait_seconds: Positive = 25
    idle_seconds: Positive = 75
    body_seconds: Positive = 30


class RelayConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of `vetrelay relay`."""

    data: str
    listen: Annotated[tuple[str, ...], Meta(min_length=1)] = ("127.0.0.1:8460",)
    origins: tuple[str, ...] = ()
    log_json: bool = False
    limits: RelayLimits = RelayLimits()


class FileType(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a practice says of one type of file; what is not said stays as VetRelay ships it."""

    accept: bool = True
    file_mib: Positive | None = None
    most: Positive | None = None
    keep_original: bool | None = None
    preview: bool | None = None


class FileTypes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The types of files that the file check opens."""

    jpeg: FileType = FileType()
    png: FileType = FileType()
    webp: FileType = FileType()
    heic: FileType = FileType()
    avif: FileType = FileType()
    gif: FileType = FileType()
    bmp: FileType = FileType()
    tiff: FileType = FileType()
    pdf: FileType = FileType()
    dicom: FileType = FileType()
    video: FileType = FileType()
    audio: FileType = FileType()
    text: FileType = FileType()
    rtf: FileType = FileType()
    office: FileType = FileType()
    mail: FileType = FileType()
    zip: FileType = FileType()


class IntakeConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of `vetrelay intake`."""

    data: str
    relay_url: str
    code: str | None = None
    code_file: str | None = None
    offer_file: str | None = None
    parallel_jobs: Annotated[int, Meta(ge=0, le=256)] = 0
    clinic_patience: Annotated[int, Meta(ge=1, le=20)] = 4
    dicom: Literal["care", "minimal", "teaching"] = "care"
    flatten_pdf: bool = False
    clamav: Annotated[str, Meta(pattern=r"^(unix:/.+|[^\s/]+:[0-9]{1,5})$")] | None = None
    clamav_seconds: Positive = 120
    clamav_absent: Literal["hold", "pass"] = "hold"
    wait_seconds: Positive = 25
    lease_seconds: Annotated[int, Meta(ge=3, le=300)] = 60
    rotate_days: Positive = 7
    log_json: bool = False
    types: FileTypes = FileTypes()


def parse_config(text: str, kind: type[T]) -> T:
    """The settings in a TOML text. Raises Fault `bad_config`, whose facts name the setting that is wrong."""
    try:
        return msgspec.convert(tomllib.loads(text), kind, strict=True)
    except tomllib.TOMLDecodeError as wrong:
        raise Fault("bad_config", setting="", reason=str(wrong)) from wrong
    except msgspec.ValidationError as wrong:
        reason = str(wrong)
        # msgspec says "Object contains unknown field `x` - at `$.limits`", or "Expected `int` … - at `$.limits.x`".
        place = re.search(r"at `\$\.?(.*?)`$", reason)
        unknown = re.search(r"field `(.*?)`", reason)
        named = [part for part in (place and place[1], unknown and unknown[1]) if part]
        raise Fault("bad_config", setting=".".join(named), reason=reason) from wrong
