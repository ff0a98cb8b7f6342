"""A letter's bytes on the wire, from 354 to the dot: found, unstuffed and looked at in whole chunks, never line by line.

`Dots` is pure. Only CRLF.CRLF ends a letter (RFC 5321 section 4.1.1.4); a bare line feed or carriage return ends nothing,
and is remembered, because a peer that reads it otherwise would see two letters where we see one. `read_letter` is the
loop on top: what it holds at any time is one chunk, whatever the size of the letter or of a line in it.

A chunk is searched as an array of bytes: about ten times as fast as the searches of `bytes` for line ends, which mail is
full of.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

END: Final = b"\r\n.\r\n"
LINE_BYTES: Final = 64 * 1024
"""The longest line that is taken, without its end; RFC 5321 says 998, and real mail does not keep to it."""
READ_BYTES: Final = 128 * 1024
WRITE_BYTES: Final = 64 * 1024

_ANY_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_CR, _LF, _DOT = b"\r\n."
_HELD: Final = (END[:4], END[:3], END[:2], END[:1])


class Dots:
    """Takes the letter as it comes, in chunks of any size, and gives back its content.

    After each `feed`: `ended` says whether the dot was seen, `after` what came behind it, `size_bytes` how long the
    letter is so far with dots unstuffed (RFC 1870), `raw_bytes` how much was taken off the wire, `bare` whether there was
    a line feed or carriage return on its own, and `overlong` whether a line was longer than `line_bytes`.
    With `normalize`, what is given back has only CRLF for line ends; `size_bytes` stays the wire's.
    """

    __slots__ = (
        "_first",
        "_held",
        "_line_bytes",
        "_normalize",
        "_open_line_bytes",
        "after",
        "bare",
        "ended",
        "overlong",
        "raw_bytes",
        "size_bytes",
    )

    def __init__(self, *, line_bytes: int = LINE_BYTES, normalize: bool = False) -> None:
        self._line_bytes = line_bytes
        self._normalize = normalize
        # DATA begins at the beginning of a line: as if a line end stood before it, which is not given back.
        self._held = b"\r\n"
        self._first = True
        self._open_line_bytes = 0
        self.after = b""
        self.bare = self.ended = self.overlong = False
        self.raw_bytes = self.size_bytes = 0

    def feed(self, chunk: bytes) -> bytes:
        """The content that is certain by now; up to 4 bytes are held back until it is clear what they are."""
        if self.ended:
            self.after += chunk
            return b""
        if not chunk:
            return b""
        self.raw_bytes += len(chunk)
        seen = self._held + chunk if self._held else chunk
        octets = np.frombuffer(seen, np.uint8)
        feeds, returns = octets == _LF, octets == _CR
        # Neither the end nor anything to unstuff is where no line begins with a dot, as is so for nearly every chunk.
        dotted = bool((feeds[:-1] & (octets[1:] == _DOT)).any())
        end = seen.find(END) if dotted else -1
        if end >= 0:
            self.ended = True
            self.after = seen[end + len(END) :]
            self.raw_bytes -= len(self.after)
            self._held = b""
            whole = end + 2
        else:
            self._held = next((held for held in _HELD if seen.endswith(held)), b"")
            whole = len(seen) - len(self._held)
        if not whole:
            return b""
        # A piece is never cut inside of a CRLF, so a feed without a return before it, or the other way round, is bare.
        feeds, returns = feeds[:whole], returns[:whole]
        bare = bool(feeds[0] or returns[-1] or not np.array_equal(feeds[1:], returns[:-1]))
        return self._content(seen[:whole], dotted=dotted, bare=bare)

    def _content(self, piece: bytes, *, dotted: bool, bare: bool) -> bytes:
        """A piece unstuffed. A dot that begins a line always stands in one piece with the CRLF before it."""
        self._measure(piece)
        content = piece.replace(b"\r\n.", b"\r\n") if dotted else piece
        if self._first:
            content, self._first = content[2:], False
        self.size_bytes += len(content)
        if bare:
            self.bare = True
            if self._normalize:
                return _ANY_LINE_END.sub(b"\r\n", content)
        return content

    def _measure(self, piece: bytes) -> None:
        """Looks for a line that is too long, in strides of what a line may be: each stride must hold a line end."""
        start, most = -self._open_line_bytes, self._line_bytes
        while start + most < len(piece):
            line_end = piece.rfind(b"\r\n", max(start, 0), start + most + 2)
            if line_end < 0:
                self.overlong = True
                break
            start = line_end + 2
        last = piece.rfind(b"\r\n", max(start, 0))
        self._open_line_bytes = len(piece) - (last + 2 if last >= 0 else start)


@dataclass(slots=True, kw_only=True)
class Read:
    """How reading a letter ended, and what was wrong with it. It is whole only if `ended`.

    `endless`: cut off at twice the limit. `followed`: there was more behind the dot. `failed`: what `write` raised; from then on the bytes were thrown away.
    """

    ended: bool
    endless: bool
    followed: bool
    bare: bool
    overlong: bool
    too_large: bool
    failed: Exception | None


async def read_letter(
    reader: asyncio.StreamReader,
    write: Callable[[bytes], None],
    *,
    most_bytes: int,
    normalize: bool,
    alive: Callable[[], None],
    line_bytes: int = LINE_BYTES,
) -> Read:
    """Reads to the dot, to the end of the connection, or to twice `most_bytes`; writes as long as nothing is wrong.

    A letter that is refused is still read to its dot, because only then the answer is heard. `alive` is called for each
    chunk that arrives: the clock that ends a silent session is the caller's. Raises what the reader raises.
    """
    dots = Dots(line_bytes=line_bytes, normalize=normalize)
    failed: Exception | None = None
    pieces: list[bytes] = []
    waiting_bytes = 0
    endless = False
    while True:
        chunk = await reader.read(READ_BYTES)
        if not chunk:
            break
        alive()
        piece = dots.feed(chunk)
        spoilt = failed or dots.overlong or dots.size_bytes > most_bytes or (dots.bare and not normalize)
        if spoilt:
            pieces.clear()
            waiting_bytes = 0
        else:
            pieces.append(piece)
            waiting_bytes += len(piece)
        if waiting_bytes >= WRITE_BYTES or (dots.ended and pieces):
            try:
                write(b"".join(pieces))
            except Exception as error:  # noqa: BLE001  # whatever it is, the letter is read on and then answered
                failed = error
            pieces, waiting_bytes = [], 0
        endless = not dots.ended and dots.raw_bytes > 2 * most_bytes
        if dots.ended or endless:
            break
    return Read(
        ended=dots.ended,
        endless=endless,
        followed=bool(dots.after),
        bare=dots.bare and not normalize,
        overlong=dots.overlong,
        too_large=dots.size_bytes > most_bytes,
        failed=failed,
    )
