"""Still pictures of a video: six frames over its length side by side, and the best of them as its face."""

from dataclasses import dataclass, field

from av.video.frame import VideoFrame
from PIL import Image, ImageStat

from vetrelay.inspection.formats.recording_pictures import jpeg
from vetrelay.inspection.policy import PAGE_PREVIEW_SIDE_PX
from vetrelay.inspection.result import RawOutput, Role

FRAMES = 6
_TILE_PX = (320, 240)
# Below this, a frame is as good as empty: a covered lens, the fade before the first picture.
_FLAT = 8.0


@dataclass(slots=True, kw_only=True)
class Stills:
    """Gathers frames as they come by: the first at or after each sixth's middle."""

    length_seconds: float
    pictures: list[Image.Image] = field(default_factory=list)

    def wants(self, at: float) -> bool:
        """Whether the frame at this second, counted from the first, is one of the six."""
        taken = len(self.pictures)
        return taken < FRAMES and (taken == 0 or at >= (taken + 0.5) / FRAMES * self.length_seconds)

    def take(self, frame: VideoFrame) -> None:
        """Keeps an upright frame."""
        picture: Image.Image = frame.to_image(threads=1)  # type: ignore[no-untyped-call]  # PyAV leaves it untyped
        picture.thumbnail((PAGE_PREVIEW_SIDE_PX, PAGE_PREVIEW_SIDE_PX), Image.Resampling.BILINEAR)
        self.pictures.append(picture)

    def preview(self) -> RawOutput:
        """The first frame that shows something."""
        telling = (picture for picture in self.pictures if ImageStat.Stat(picture.convert("L")).stddev[0] >= _FLAT)
        return jpeg(next(telling, self.pictures[0]), Role.PREVIEW)

    def strip(self) -> RawOutput:
        """All frames side by side, from left to right."""
        tiles = []
        for picture in self.pictures:
            tile = picture.copy()
            tile.thumbnail(_TILE_PX, Image.Resampling.BILINEAR)
            tiles.append(tile)
        joined = Image.new("RGB", (sum(tile.width for tile in tiles), max(tile.height for tile in tiles)))
        left = 0
        for tile in tiles:
            joined.paste(tile, (left, 0))
            left += tile.width
        return jpeg(joined, Role.STRIP)
