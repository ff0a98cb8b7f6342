"""Content is handed to the jail in memory that nobody can change."""

import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from vetrelay.inspection.handover import handed_over, is_sealed, memory, seal
from vetrelay.inspection.source import BytesSource, DescriptorSource

CONTENT = bytes(range(256)) * 5000


def read(descriptor: int) -> bytes:
    """All that is behind a descriptor, wherever it stands."""
    return os.pread(descriptor, 1 << 30, 0)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    """An ordinary file with the content."""
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    descriptor = os.open(path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


async def test_sealed_memory_is_passed_on_without_a_copy() -> None:
    """The caller's own descriptor is what the jail maps, and stays the caller's."""
    descriptor = memory()
    os.write(descriptor, CONTENT)
    async with handed_over(DescriptorSource(seal(descriptor)), most_bytes=len(CONTENT), head_bytes=4) as handover:
        assert (descriptor, len(CONTENT)) == (handover.descriptor, handover.size_bytes)
    os.close(descriptor)


async def test_bytes_and_files_are_copied_into_sealed_memory(file: int) -> None:
    """What arrives is whole, sealed, and gone from this process afterwards."""
    for content in (BytesSource(CONTENT), DescriptorSource(file)):
        async with handed_over(content, most_bytes=len(CONTENT), head_bytes=8) as handover:
            assert CONTENT == read(handover.descriptor)
            assert is_sealed(handover.descriptor)
            assert len(CONTENT) == handover.size_bytes
            inside = handover.descriptor
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(inside)


async def test_memory_that_is_not_sealed_is_copied() -> None:
    """A descriptor whose content may still change is not what gets judged."""
    descriptor = memory()
    os.write(descriptor, CONTENT)
    assert not is_sealed(descriptor)
    async with handed_over(DescriptorSource(descriptor), most_bytes=len(CONTENT), head_bytes=8) as handover:
        assert descriptor != handover.descriptor
        os.pwrite(descriptor, b"changed", 0)
        assert CONTENT == read(handover.descriptor)
    os.close(descriptor)


async def test_of_a_file_that_is_too_large_only_the_head_is_copied(file: int) -> None:
    """It is going to be sniffed, not opened; its true size is told beside it."""
    for content in (BytesSource(CONTENT), DescriptorSource(file)):
        async with handed_over(content, most_bytes=len(CONTENT) - 1, head_bytes=100) as handover:
            assert CONTENT[:100] == read(handover.descriptor)
            assert len(CONTENT) == handover.size_bytes


async def test_sealed_memory_cannot_be_changed() -> None:
    """Not written, not grown, not shrunk, not mapped to be written, not unsealed."""
    descriptor = memory()
    os.write(descriptor, CONTENT)
    seal(descriptor)
    with pytest.raises(PermissionError):
        os.pwrite(descriptor, b"x", 0)
    with pytest.raises(PermissionError):
        os.ftruncate(descriptor, 1)
    with pytest.raises(PermissionError):
        mmap.mmap(descriptor, 10)
    os.close(descriptor)


async def test_nothing_is_handed_over_as_nothing() -> None:
    """An empty file has a descriptor too."""
    async with handed_over(BytesSource(b""), most_bytes=10, head_bytes=10) as handover:
        assert (b"", 0) == (read(handover.descriptor), handover.size_bytes)
