"""A letter's bytes on the wire: the feeder against a slow reference, and the reading loop over a real stream."""

import asyncio

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vetrelay.bridge.receiving.data import READ_BYTES, WRITE_BYTES, Dots, Read, read_letter

LINE = 10
WIRE = st.lists(
    st.sampled_from([b"\r", b"\n", b".", b"a", b"\r\n", b"\r\n.", b"\r\n.\r\n", b"abcdefghij"]), max_size=30
)
SMUGGLED = (
    b"\n.\n",
    b"\n.\r\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\n",
    b"\r\n.\r",
    b"\n.\r",
    b"\r\n\x00.\r\n",
    b"\r\n..\r\n",
)


def slowly(raw: bytes) -> tuple[bytes, bool, bool, bytes] | None:
    """RFC 5321 section 4.5.2, line by line: content, bare, overlong, what comes after; None if there is no end."""
    lines, rest = [], raw
    while True:
        line, found, rest = rest.partition(b"\r\n")
        if not found:
            return None
        if line == b".":
            break
        lines.append(line)
    content = b"".join(line.removeprefix(b".") + b"\r\n" for line in lines)
    bare = any(b"\r" in line or b"\n" in line for line in lines)
    return content, bare, any(len(line) > LINE for line in lines), rest


def cut(raw: bytes, sizes: list[int]) -> list[bytes]:
    """The bytes in chunks of these sizes, again and again."""
    chunks, at, turn = [], 0, 0
    while at < len(raw):
        chunks.append(raw[at : at + sizes[turn % len(sizes)]])
        at, turn = at + sizes[turn % len(sizes)], turn + 1
    return chunks


def fed(raw: bytes, sizes: list[int], *, normalize: bool = False) -> tuple[Dots, bytes]:
    """What the feeder makes of it."""
    dots = Dots(line_bytes=LINE, normalize=normalize)
    return dots, b"".join(dots.feed(chunk) for chunk in cut(raw, sizes))


@given(pieces=WIRE, sizes=st.lists(st.integers(1, 7), min_size=1, max_size=5))
@example(pieces=[b".\r\n"], sizes=[1])
@example(pieces=[b"..\r\n.\r\n"], sizes=[2])
@example(pieces=[b"a\r\n\r\n.\r\n.\r\n"], sizes=[3])
def test_any_chunking_gives_what_the_slow_reference_gives(pieces: list[bytes], sizes: list[int]) -> None:
    """Content, findings and what is left over are those of RFC 5321 read line by line, however the bytes are cut."""
    raw = b"".join(pieces)
    dots, content = fed(raw, sizes)
    expected = slowly(raw)

    assert dots.ended == (expected is not None)
    if expected is not None:
        assert expected == (content, dots.bare, dots.overlong, dots.after)
        assert len(expected[0]) == dots.size_bytes
        assert len(raw) - len(expected[3]) == dots.raw_bytes


@given(pieces=WIRE, sizes=st.lists(st.integers(1, 7), min_size=1, max_size=5))
def test_normalized_content_has_crlf_only_and_all_else_as_it_was(pieces: list[bytes], sizes: list[int]) -> None:
    """Bare line ends become CRLF, wherever the bytes are cut."""
    raw = b"".join(pieces)
    expected = slowly(raw)
    dots, content = fed(raw, sizes, normalize=True)

    if expected is not None:
        once = expected[0].replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
        assert once == content
        assert expected[1] == dots.bare


@pytest.mark.parametrize("end", SMUGGLED)
def test_row_09_nothing_but_crlf_dot_crlf_ends_a_letter(end: bytes) -> None:
    """A look-alike of the end stays inside of the letter."""
    inside = b"Text" + end + b"MAIL FROM:<x@y>\r\n"
    dots, content = fed(inside + b".\r\n", [len(inside) + 3])

    assert dots.ended
    assert b"" == dots.after
    assert inside.replace(b"\r\n.", b"\r\n") == content
    assert (end not in {b"\r\n\x00.\r\n", b"\r\n..\r\n"}) == dots.bare


@pytest.mark.parametrize(("length", "overlong"), [(LINE, False), (LINE + 1, True), (5 * LINE, True)])
@pytest.mark.parametrize("sizes", [[1], [3], [1000]])
def test_a_line_of_the_limit_is_taken_and_one_byte_more_is_not(length: int, overlong: bool, sizes: list[int]) -> None:  # noqa: FBT001  # a parameter
    """The limit counts a line without its end, wherever it stands."""
    dots, _ = fed(b"a\r\n" + b"b" * length + b"\r\nc\r\n.\r\n", sizes)

    assert overlong == dots.overlong


def test_nothing_is_held_back_but_what_may_be_an_end() -> None:
    """What one chunk leaves behind is at most four bytes."""
    dots = Dots()
    given_back = sum(len(dots.feed(chunk)) for chunk in (b"a" * 1000, b"\r\n.\r", b"b" * 1000, b"\r\n."))

    assert 2000 + 3 == given_back  # CRLF and CR stay, the dot that began a line goes


async def read(
    raw: bytes, *, most_bytes: int = 1000, normalize: bool = False, eof: bool = True
) -> tuple[Read, list[bytes]]:
    """What the loop makes of bytes that have all arrived."""
    reader = asyncio.StreamReader(limit=READ_BYTES)
    reader.feed_data(raw)
    if eof:
        reader.feed_eof()
    written: list[bytes] = []
    result = await read_letter(reader, written.append, most_bytes=most_bytes, normalize=normalize, alive=lambda: None)
    return result, written


async def test_a_letter_is_written_in_large_pieces() -> None:
    """A mebibyte is a few writes, not one for each line."""
    body = (b"x" * 70 + b"\r\n") * 15000
    result, written = await read(body + b".\r\n", most_bytes=len(body))

    assert result.ended
    assert body == b"".join(written)
    assert all(len(piece) >= WRITE_BYTES for piece in written[:-1])


async def test_a_small_letter_is_one_write() -> None:
    """However many chunks it came in, there is one write."""
    reader = asyncio.StreamReader()
    written: list[bytes] = []
    task = asyncio.create_task(
        read_letter(reader, written.append, most_bytes=1000, normalize=False, alive=lambda: None)
    )
    for chunk in (b"Subject: a\r\n", b"\r\n", b"Text\r\n", b".\r", b"\nQUIT\r\n"):
        reader.feed_data(chunk)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    result = await task

    assert [b"Subject: a\r\n\r\nText\r\n"] == written
    assert result.followed


async def test_a_letter_over_the_limit_is_read_to_its_dot_and_no_longer_written() -> None:
    """One byte over is too large; what was written is the caller's to abort."""
    exact, _ = await read(b"a" * 998 + b"\r\n.\r\n", most_bytes=1000)
    over, _ = await read(b"a" * 999 + b"\r\n.\r\n", most_bytes=1000)

    assert (True, False) == (exact.ended, exact.too_large)
    assert (True, True) == (over.ended, over.too_large)


async def test_row_06_a_letter_without_end_is_cut_off_at_twice_the_limit() -> None:
    """Whether there are lines in it or not."""
    result, written = await read(b"a" * 3000, most_bytes=1000, eof=False)

    assert (False, True) == (result.ended, result.endless)
    assert [] == written


async def test_a_connection_that_ends_before_the_dot_leaves_no_whole_letter() -> None:
    """Also when only the last byte is missing."""
    result, _ = await read(b"Text\r\n.\r")

    assert (False, False) == (result.ended, result.endless)


async def test_what_writing_raises_is_told_after_the_letter_was_read() -> None:
    """The peer hears an answer only behind its dot."""
    reader = asyncio.StreamReader(limit=READ_BYTES)
    body = (b"x" * 70 + b"\r\n") * 5000
    reader.feed_data(body + b".\r\n")
    full = OSError("full")

    def write(_piece: bytes) -> None:
        raise full

    result = await read_letter(reader, write, most_bytes=len(body), normalize=False, alive=lambda: None)

    assert result.ended
    assert full is result.failed
