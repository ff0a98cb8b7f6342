"""A ZIP's table of contents, read so that no other program could read it differently. Pure; nothing is inflated.

    local header, data, (descriptor) | the same for every member | central directory | end record

Every byte of the file must be accounted for by this order, and what is said twice must be said alike: any gap, overlap,
or difference is a reason to refuse the whole. Source: PKWARE APPNOTE 6.3.10, sections 4.3 to 4.5; rules:
attachments.md, "ZIP facts". It runs in the parent, over a source of which only headers are read.
"""

import struct
import zlib
from dataclasses import dataclass, replace

from vetrelay.inspection import zipforms
from vetrelay.inspection.entries import Entry, Room, check_room, check_type
from vetrelay.inspection.entrynames import check_name, check_together, read_name
from vetrelay.inspection.source import Source
from vetrelay.inspection.words import Reason, Unfit
from vetrelay.inspection.zipforms import (
    CENTRAL,
    CENTRAL_MARK,
    COUNT_IN_64_BITS,
    DEFLATED,
    DESCRIPTOR_FOLLOWS,
    END,
    END_64,
    END_64_MARK,
    END_MARK,
    IN_64_BITS,
    KNOWN_FLAGS,
    LOCAL,
    LOCAL_MARK,
    LOCATOR_64,
    LOCATOR_64_MARK,
    LOCKED,
    STORED,
    UNICODE_NAME_FIELD,
    UTF8_NAMES,
    ZIP64_FIELD,
    in_full,
    read_extra,
)

_AES = 99
_NEWEST_VERSION = 63
_MAX_COMMENT_BYTES = 0xFFFF
# Its names and fields are never longer; a directory is read as a whole.
_MOST_LISTED_BYTES = 4096
# Its mark, a checksum and two large numbers.
_LONGEST_DESCRIPTOR_BYTES = 24
# A member's header, its name and its fields are rarely longer: one reading for each.
_LOOK_BYTES = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """One line of the central directory, checked by itself; `unicode_name` is its Info-ZIP field as it stands."""

    entry: Entry
    raw_name: bytes
    unicode_name: bytes | None
    flags: int
    header_offset: int
    is_locked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Directory:
    offset: int
    size_bytes: int
    count: int


def read_archive(source: Source, *, room: Room) -> tuple[Entry, ...]:
    """The members of a ZIP, in their order. The data of none of them has been looked at.

    Raises Unfit: INCOMPLETE without an end record, PACK_DISAGREES, PACK_NAME_UNSAFE, PACK_TOO_DEEP, PACK_NAMES_TWICE,
    PACK_LINK, PACK_TOO_MANY, UNPACKS_TOO_LARGE, PACK_METHOD_UNKNOWN; PACK_LOCKED only where nothing else is wrong.
    """
    size_bytes = source.size_bytes
    directory = _find_directory(source, size_bytes)
    if directory.count > room.most:
        raise Unfit(Reason.PACK_TOO_MANY)
    if directory.size_bytes > directory.count * _MOST_LISTED_BYTES:
        raise Unfit(Reason.PACK_DISAGREES)
    listed = _read_directory(_exactly(source, directory.offset, directory.size_bytes), directory.count)
    check_room([one.entry for one in listed], size_bytes, room=room)
    check_together(one.entry.name for one in listed)
    entries = []
    position = 0
    for index, one in enumerate(listed):
        end = listed[index + 1].header_offset if index + 1 < len(listed) else directory.offset
        if one.header_offset != position or end <= position:
            raise Unfit(Reason.PACK_DISAGREES)
        entries.append(_read_local(source, one, end=end))
        position = end
    if position != directory.offset:
        raise Unfit(Reason.PACK_DISAGREES)
    if any(one.is_locked for one in listed):
        raise Unfit(Reason.PACK_LOCKED)
    if any(entry.method not in {STORED, DEFLATED} for entry in entries):
        raise Unfit(Reason.PACK_METHOD_UNKNOWN)
    return tuple(entries)


def _exactly(source: Source, offset: int, size: int) -> bytes:
    taken = source.read(offset, size) if offset >= 0 else b""
    if len(taken) != size:
        raise Unfit(Reason.PACK_DISAGREES)
    return taken


def _find_directory(source: Source, size_bytes: int) -> _Directory:
    """Where the central directory is, by the last end record of the file, which must end with it."""
    tail_bytes = min(size_bytes, END.size + _MAX_COMMENT_BYTES)
    tail = _exactly(source, size_bytes - tail_bytes, tail_bytes)
    at = tail.rfind(END_MARK)
    if at < 0 or len(tail) - at < END.size:
        raise Unfit(Reason.INCOMPLETE)
    _, disk, first_disk, here, count, directory_bytes, offset, comment_bytes = END.unpack_from(tail, at)
    if comment_bytes != len(tail) - at - END.size:
        raise Unfit(Reason.PACK_DISAGREES)
    end = size_bytes - tail_bytes + at
    if disk or first_disk or here != count:
        raise Unfit(Reason.PACK_DISAGREES)
    directory = _Directory(offset=offset, size_bytes=directory_bytes, count=count)
    locator_at = end - LOCATOR_64.size
    if locator_at >= 0 and _exactly(source, locator_at, 4) == LOCATOR_64_MARK:
        directory, end = _find_directory_64(source, locator_at, short=directory)
    elif IN_64_BITS in {offset, directory_bytes}:
        raise Unfit(Reason.PACK_DISAGREES)
    if directory.offset + directory.size_bytes != end:
        raise Unfit(Reason.PACK_DISAGREES)
    return directory


def _find_directory_64(source: Source, locator_at: int, *, short: _Directory) -> tuple[_Directory, int]:
    """The directory by the large end record right before its locator, and where that record begins."""
    _, disk, record_at, disks = LOCATOR_64.unpack(_exactly(source, locator_at, LOCATOR_64.size))
    if disk or disks != 1 or record_at != locator_at - END_64.size:
        raise Unfit(Reason.PACK_DISAGREES)
    mark, rest_bytes, _made, _needed, here, first, here_count, count, directory_bytes, offset = END_64.unpack(
        _exactly(source, record_at, END_64.size)
    )
    if mark != END_64_MARK or rest_bytes != END_64.size - 12 or here or first or here_count != count:
        raise Unfit(Reason.PACK_DISAGREES)
    # Each number of the short record is either the same, or says that it stands in the large one.
    pairs = (
        (short.count, count, COUNT_IN_64_BITS),
        (short.size_bytes, directory_bytes, IN_64_BITS),
        (short.offset, offset, IN_64_BITS),
    )
    if any(said not in {meant, elsewhere} for said, meant, elsewhere in pairs):
        raise Unfit(Reason.PACK_DISAGREES)
    return _Directory(offset=offset, size_bytes=directory_bytes, count=count), record_at


def _read_directory(raw: bytes, count: int) -> list[_Listed]:
    listed = []
    position = 0
    for _ in range(count):
        one, position = _read_listed(raw, position)
        listed.append(one)
    if position != len(raw):
        raise Unfit(Reason.PACK_DISAGREES)
    return listed


def _read_listed(raw: bytes, position: int) -> tuple[_Listed, int]:
    """The next line of the directory, and where it ends."""
    if len(raw) - position < CENTRAL.size:
        raise Unfit(Reason.PACK_DISAGREES)
    (
        mark,
        _made_by,
        version,
        flags,
        method,
        _time,
        _date,
        crc,
        packed,
        plain,
        name_bytes,
        extra_bytes,
        comment_bytes,
        disk,
        _internal,
        external,
        header_offset,
    ) = CENTRAL.unpack_from(raw, position)  # fmt: skip - the format's own order of fields
    name_at = position + CENTRAL.size
    extra_at = name_at + name_bytes
    end = extra_at + extra_bytes + comment_bytes
    if mark != CENTRAL_MARK or disk or flags & ~KNOWN_FLAGS or version & 0xFF > _NEWEST_VERSION or end > len(raw):
        raise Unfit(Reason.PACK_DISAGREES)
    raw_name = raw[name_at:extra_at]
    fields = read_extra(raw[extra_at : extra_at + extra_bytes])
    plain, packed, header_offset = in_full(fields.get(ZIP64_FIELD), (plain, packed, header_offset))
    name = _name(raw_name, flags, fields.get(UNICODE_NAME_FIELD))
    entry = Entry(name=name, method=method, offset=0, packed_bytes=packed, plain_bytes=plain, crc=crc)
    check_type(entry, external)
    is_locked = bool(flags & LOCKED) or method == _AES
    if method == STORED and packed != plain and not is_locked:
        raise Unfit(Reason.PACK_DISAGREES)
    return _Listed(
        entry=entry,
        raw_name=raw_name,
        unicode_name=fields.get(UNICODE_NAME_FIELD),
        flags=flags,
        header_offset=header_offset,
        is_locked=is_locked,
    ), end


def _name(raw_name: bytes, flags: int, unicode_field: bytes | None) -> str:
    """The member's name; one that stands there twice (Info-ZIP's Unicode field) must be about these very bytes."""
    name = read_name(raw_name, is_utf8=bool(flags & UTF8_NAMES))
    check_name(name)
    if unicode_field is None:
        return name
    said = unicode_field[5:]
    if unicode_field[:5] != struct.pack("<BI", 1, zlib.crc32(raw_name)) or said[-1:] != raw_name[-1:]:
        raise Unfit(Reason.PACK_DISAGREES)
    name = read_name(said, is_utf8=True)
    check_name(name)
    return name


def _read_local(source: Source, listed: _Listed, *, end: int) -> Entry:
    """The member with the place of its data, its own header compared with its line in the directory.

    `end` is where the next header, or the directory, begins: the data and its descriptor must end there exactly.
    """
    entry, at = listed.entry, listed.header_offset
    head = _exactly(source, at, min(_LOOK_BYTES, end - at))
    if len(head) < LOCAL.size:
        raise Unfit(Reason.PACK_DISAGREES)
    mark, version, flags, method, _time, _date, crc, packed, plain, name_bytes, extra_bytes = LOCAL.unpack_from(head)
    if mark != LOCAL_MARK or version & 0xFF > _NEWEST_VERSION or (flags, method) != (listed.flags, entry.method):
        raise Unfit(Reason.PACK_DISAGREES)
    offset = at + LOCAL.size + name_bytes + extra_bytes
    data_end = offset + entry.packed_bytes
    if data_end > end:
        raise Unfit(Reason.PACK_DISAGREES)
    if offset - at > len(head):
        head = _exactly(source, at, offset - at)
    named = head[LOCAL.size : offset - at]
    fields = read_extra(named[name_bytes:])
    if named[:name_bytes] != listed.raw_name:
        raise Unfit(Reason.PACK_DISAGREES)
    if fields.get(UNICODE_NAME_FIELD, listed.unicode_name) != listed.unicode_name:
        raise Unfit(Reason.PACK_DISAGREES)
    plain, packed = in_full(fields.get(ZIP64_FIELD), (plain, packed))
    rest = _exactly(source, data_end, min(end - data_end, _LONGEST_DESCRIPTOR_BYTES + 1))
    _check_said(
        (crc, packed, plain),
        (entry.crc, entry.packed_bytes, entry.plain_bytes),
        rest=rest,
        described=bool(flags & DESCRIPTOR_FOLLOWS),
    )
    return replace(entry, offset=offset)


def _check_said(said: tuple[int, ...], meant: tuple[int, int, int], *, rest: bytes, described: bool) -> None:
    """What a member's own header says of its checksum and sizes, and a descriptor behind its data, is what is meant.

    With a descriptor each number may be left open for it to say; without one nothing may stand there.
    """
    if described:
        agrees = all(value in {0, expected} for value, expected in zip(said, meant, strict=True))
        agrees = agrees and rest in _descriptors(meant)
    else:
        agrees = said == meant and not rest
    if not agrees:
        raise Unfit(Reason.PACK_DISAGREES)


def _descriptors(meant: tuple[int, int, int]) -> set[bytes]:
    """Every form in which a descriptor may say this: with its mark or without, in 32 bits or in 64."""
    forms = {zipforms.LONG_DESCRIPTOR.pack(*meant)}
    if max(meant) < IN_64_BITS:
        forms.add(zipforms.SHORT_DESCRIPTOR.pack(*meant))
    return forms | {zipforms.DESCRIPTOR_MARK + form for form in forms}
