"""Animations that are to stay animations: a GIF, an animated WebP or PNG, rebuilt as an animated WebP.

How long each picture is shown is kept, for a gait is judged by it; more than ten pictures a second are thinned out.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from PIL import Image, ImageFile

from vetrelay.inspection.ask import Ask
from vetrelay.inspection.formats import colour, exif
from vetrelay.inspection.formats.decoding import Decoder, decoding, opened
from vetrelay.inspection.formats.render import preview_of, resized, upright
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.notes import Note, counted
from vetrelay.inspection.outlines.outline import Content, Outline, check_size
from vetrelay.inspection.result import RawOutput, Result, Role
from vetrelay.inspection.words import Reason, Unfit

KINDS = frozenset({Kind.GIF, Kind.WEBP, Kind.PNG})
"""The kinds whose movement can be kept."""

_MOST_PIXELS = 200_000_000
_SHORTEST_MS = 100
_LONGEST_MS = 300_000
# Every browser shows a picture that names no time, or next to none, for a tenth of a second.
_NO_TIME_MS = 10
_WEBP_SIDE_PX = 16_383
_QUALITY = 80
_MOST_LOOPS = 65_535
# In the first chunk of an animated WebP (RFC 9649, 2.7): that something in it is transparent.
_FLAGS_AT, _ALPHA_FLAG = 20, 0x10


@dataclass(slots=True)
class _Seen:
    """What is known of the pictures only when all of them were made."""

    notes: set[Note] = field(default_factory=set)
    transparent: bool = False


class _Reel:
    """The pictures after the first, as Pillow's writer takes them: asked for one by one, never all at once."""

    def __init__(self, pictures: Iterator[Image.Image], first: Image.Image, count: int) -> None:
        self._pictures = pictures
        self._current = first
        self.n_frames = count

    def seek(self, _frame: int) -> None:
        """The next picture."""
        self._current = next(self._pictures)

    @property
    def mode(self) -> str:
        """The present picture's, which is RGB or RGBA."""
        return self._current.mode

    def getim(self) -> object:
        """The present picture's pixels, as Pillow's encoders take them."""
        return self._current.getim()


def thinned(frames_ms: Sequence[int]) -> list[tuple[int, int]]:
    """Which pictures stay, and how long each is shown: at most ten a second, each beginning when it did.

    Pure. The whole takes as long as before.
    """
    shown_ms = [_SHORTEST_MS if ms <= _NO_TIME_MS else min(ms, _LONGEST_MS) for ms in frames_ms]
    whole_ms = sum(shown_ms)
    starts: list[tuple[int, int]] = []
    start_ms = 0
    for index, ms in enumerate(shown_ms):
        if not starts or (start_ms - starts[-1][1] >= _SHORTEST_MS and whole_ms - start_ms >= _SHORTEST_MS):
            starts.append((index, start_ms))
        start_ms += ms
    ends = [*(start for _, start in starts[1:]), whole_ms]
    return [(index, end - start) for (index, start), end in zip(starts, ends, strict=True)]


def rebuilt(content: Content, kind: Kind, outline: Outline, decoder: Decoder, ask: Ask) -> Result | None:
    """The animation and a still preview, or None where thinning leaves one picture. Raises Unfit, MemoryError."""
    count = len(outline.frames_ms)
    if (ask.most and count > ask.most) or count * outline.width_px * outline.height_px > _MOST_PIXELS:
        raise Unfit(Reason.MOVES_TOO_LONG)
    kept = thinned(outline.frames_ms)
    if len(kept) == 1:
        return None
    seen = _Seen(set(outline.notes))
    with decoding():
        image = opened(content, decoder)
        check_size(*image.size)
        image.load()
        told = exif.read(image)
        side_px = min(ask.longest_side_px, _WEBP_SIDE_PX)
        pictures = _pictures(image, [index for index, _ in kept], told.orientation, side_px, seen)
        first = next(pictures).copy()
        first.info = {}
        preview = (preview_of(first),) if ask.preview else ()
        made = _encoded(first, pictures, [ms for _, ms in kept], loops=_loops(image))
        if seen.transparent:
            # Where each picture is cut down to its opaque part, libwebp says that nothing is transparent.
            made[_FLAGS_AT] |= _ALPHA_FLAG
    record = RawOutput(
        role=Role.RECORD, kind=Kind.WEBP, width_px=first.width, height_px=first.height, content=bytes(made)
    )
    if kind is not Kind.WEBP:
        seen.notes.add(Note.CONVERTED_TO_WEBP)
    told_notes = counted(seen.notes | told.notes | ({Note.TURNED_UPRIGHT} if outline.turned else set()))
    if len(kept) < count:
        told_notes[Note.FRAMES_LEFT_OUT] = count - len(kept)
    return Result(
        kind=kind,
        notes=told_notes,
        width_px=outline.width_px,
        height_px=outline.height_px,
        items=count,
        duration_ms=sum(ms for _, ms in kept),
        captured=told.captured,
        outputs=(record, *preview),
    )


def _pictures(
    image: ImageFile.ImageFile, wanted: list[int], orientation: int, side_px: int, seen: _Seen
) -> Iterator[Image.Image]:
    """The wanted pictures, each as it is shown: RGB or RGBA."""
    icc_profile = image.info.get("icc_profile")
    # A PNG may hold one more picture for programs that know no animation.
    before = int(getattr(image, "default_image", False))
    for index in range(wanted[-1] + 1):
        image.seek(before + index)
        image.load()
        if index not in wanted:
            continue
        picture, _ = colour.to_workable(image)
        picture, resize_notes = resized(picture, side_px)
        picture, colour_notes = colour.to_srgb(upright(picture, orientation), icc_profile)
        seen.notes |= resize_notes | colour_notes
        transparent = picture.mode in {"LA", "RGBA"}
        seen.transparent |= transparent
        yield picture.convert("RGBA" if transparent else "RGB")


def _encoded(first: Image.Image, later: Iterator[Image.Image], frames_ms: list[int], *, loops: int) -> bytearray:
    buffer = io.BytesIO()
    first.save(
        buffer,
        format="WEBP",
        save_all=True,
        append_images=[_Reel(later, first, len(frames_ms) - 1)],
        duration=frames_ms,
        loop=loops,
        quality=_QUALITY,
        method=0,  # the others take several times as long and save a tenth
    )
    return bytearray(buffer.getbuffer())


def _loops(image: Image.Image) -> int:
    """How often it is shown, 0 for without end; a file that does not say so is shown once."""
    said = image.info.get("loop", 1)
    return min(max(0, said), _MOST_LOOPS) if isinstance(said, int) else 1
