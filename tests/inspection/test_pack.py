"""What we pack is read by our own reader and by anybody's, byte for byte, whichever way it was written."""

import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vetrelay.inspection import pack as packing
from vetrelay.inspection.archive import read_archive
from vetrelay.inspection.entries import Room
from vetrelay.inspection.pack import HashedSink, PackTooLarge, PackWriter
from vetrelay.inspection.source import BytesSource

ROOM = Room(file_bytes=1 << 30, most=5000, plain_bytes=1 << 30, ratio=1)
NAMES = st.lists(
    st.from_regex(r"[a-zß日]{1,5}(/[0-9]{1,3})?", fullmatch=True), max_size=8, unique_by=lambda n: n[0] + n[-1]
)


def packed(files: dict[str, bytes], *, streamed: bool) -> bytes:
    """A pack of these files."""
    writer, made = PackWriter(), bytearray()
    for name, content in files.items():
        pieces = (content[:7], content[7:])
        made += b"".join(writer.stream(name, pieces) if streamed else writer.member(name, content))
    return bytes(made) + b"".join(writer.end())


@given(names=NAMES, data=st.data(), streamed=st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_pack_is_read_as_it_was_written(*, names: list[str], data: st.DataObject, streamed: bool) -> None:
    """Whatever is in it: our reader takes it, zipfile takes it, and every byte is right."""
    files = {f"{number}/{name}": data.draw(st.binary(max_size=100)) for number, name in enumerate(names)}
    made = packed(files, streamed=streamed)
    entries = read_archive(BytesSource(made), room=ROOM)
    assert files == {one.name: made[one.offset : one.offset + one.plain_bytes] for one in entries}
    with zipfile.ZipFile(io.BytesIO(made)) as opened:
        assert opened.testzip() is None
        assert files == {name: opened.read(name) for name in opened.namelist()}


def test_the_same_files_give_the_same_pack() -> None:
    """Nothing in it tells when or where it was made."""
    files = {"a.dcm": b"a", "b.dcm": b"b"}
    assert packed(files, streamed=True) == packed(files, streamed=True)


@pytest.mark.parametrize("streamed", [False, True])
def test_what_the_format_cannot_say_is_not_written(*, streamed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many bytes, or too many members: said before the pack is called finished."""
    monkeypatch.setattr(packing, "MAX_BYTES", 100)
    with pytest.raises(PackTooLarge):
        packed({"a": bytes(200)}, streamed=streamed)
    monkeypatch.setattr(packing, "MAX_BYTES", 1000)
    monkeypatch.setattr(packing, "MAX_MEMBERS", 2)
    with pytest.raises(PackTooLarge):
        packed(dict.fromkeys("abc", b""), streamed=streamed)


def test_a_pack_in_memory_has_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sink of the caller's has none."""
    monkeypatch.setattr(packing, "MAX_IN_MEMORY_BYTES", 10)
    kept, passed = HashedSink(None), HashedSink(io.BytesIO())
    kept.write(b"0123456789")
    assert b"0123456789" == kept.content
    with pytest.raises(PackTooLarge):
        kept.write(b"x")
    passed.write(bytes(1000))
    assert (1000, None) == (passed.written().size_bytes, passed.content)
