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


class BridgeLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the bridge takes from one connection, one address, one letter, and how long it waits."""

    letter_bytes: Positive = 50 * MiB
    upload_bytes: Positive = 2 * GiB
    spool_bytes: Positive = 20 * GiB
    min_free_percent: Annotated[int, Meta(ge=0, le=90)] = 10
    connections: Positive = 200
    connections_per_address: Positive = 20
    recipients: Positive = 20
    letters_per_session: Positive = 20
    wrong_recipients: Positive = 5
    session_seconds: Positive = 900
    idle_seconds: Positive = 60
    hook_seconds: Positive = 60
    parallel_letters: Annotated[int, Meta(ge=1, le=64)] = 4


class BridgeConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of `vetrelay bridge run`."""

    data: str
    relay_url: str
    domain: Annotated[str, Meta(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)*$", max_length=200)]
    hostname: Annotated[str, Meta(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)*$", max_length=200)]
    web_url: Annotated[str, Meta(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$")]
    code: str | None = None
    code_file: str | None = None
    offer_file: str | None = None
    listen: Annotated[tuple[str, ...], Meta(min_length=1)] = ("127.0.0.1:8425",)
    web_listen: str = "127.0.0.1:8426"
    tls_cert: str | None = None
    tls_key: str | None = None
    require_tls_from: tuple[str, ...] = ()
    smarthost: Annotated[str, Meta(pattern=r"^\S+:[0-9]{1,5}$")] | None = None
    smarthost_user: str | None = None
    smarthost_password_file: str | None = None
    smarthost_tls: Literal["verified", "opportunistic", "off"] = "verified"
    pins: dict[str, Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]] = {}
    dkim_selector: Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,63}$")] = "vetrelay"
    dkim_key_file: str | None = None
    resolver: Annotated[str, Meta(pattern=r"^\S+:[0-9]{1,5}$")] | None = None
    database: str | None = None
    front_door: Annotated[str, Meta(pattern=r"^[a-z0-9._-]{1,64}$")] = "records"
    from_name: Annotated[str, Meta(min_length=1, max_length=80)] | None = None
    bare_line_feeds: Literal["refuse", "normalize"] = "refuse"
    retry_hours: Annotated[int, Meta(ge=1, le=240)] = 48
    page_days: Annotated[int, Meta(ge=1, le=90)] = 14
    wait_seconds: Positive = 25
    rotate_days: Positive = 7
    log_json: bool = False
    limits: BridgeLimits = BridgeLimits()


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
