"""The recordings of the checklist, through the real jail: verdicts, what stays of a film, and what must not."""

import asyncio
import io
import random
from collections.abc import AsyncIterator, Callable
from importlib.util import find_spec

import pytest
import pytest_asyncio
from PIL import Image

from tests.hostile.bare import leftovers
from vetrelay.inspection.finding import Finding, Output
from vetrelay.inspection.inspect import Inspector, Settings
from vetrelay.inspection.kinds import KINDS, Family
from vetrelay.inspection.words import JAIL_ENDS, Verdict

if find_spec("av") is None:
    pytest.skip("FFmpeg is not installed: the extra [video] brings it", allow_module_level=True)

from tests.hostile import films, prying_films

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILM, SOUND = ("record", "preview", "viewing", "strip"), ("record", "preview")
MADE = {Verdict.CLEAN, Verdict.CONVERTED}
COPIED = "a copy that plays everywhere was made"
Make = Callable[[], bytes]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def inspector() -> AsyncIterator[Inspector]:
    """One inspector for all files: none of them may leave it unfit for the next."""
    async with Inspector.start(Settings()) as started:
        yield started


def output(finding: Finding, role: str) -> Output:
    """The one output of this role."""
    (found,) = (made for made in finding.outputs if made.role == role)
    return found


def told(finding: Finding) -> tuple[str, str | None]:
    """Verdict and reason, as keys."""
    return finding.verdict, None if finding.reason is None else finding.reason.key


def picture(content: bytes) -> Image.Image:
    """The first frame of a film, as it lies in the file."""
    with films.opened(content) as source:
        made: Image.Image = next(source.decode(video=0)).to_image()  # type: ignore[no-untyped-call]  # PyAV's
        return made


# --- kinds --------------------------------------------------------------------------------------------------------------

KINDS_OF_RECORDINGS = [
    ("a.mp4", films.phone_mp4, "clean", "video/mp4", FILM),
    (
        "pieces.mp4",
        lambda: films.phone_mp4(options={"movflags": "frag_keyframe+empty_moov"}),
        "clean",
        "video/mp4",
        FILM,
    ),
    ("hevc.mp4", lambda: films.recording("mp4", ["libx265"], ["aac"]), "clean", "video/mp4", FILM),
    ("silent.mp4", lambda: films.recording("mp4", ["libx264"]), "clean", "video/mp4", FILM),
    ("a.mov", lambda: films.recording("mov", ["libx264"], ["aac"]), "converted", "video/mp4", FILM),
    ("pcm.mov", lambda: films.recording("mov", ["libx264"], ["pcm_s16le"]), "clean", "video/quicktime", FILM),
    ("a.3gp", lambda: films.recording("3gp", ["libx264"], ["aac"]), "clean", "video/mp4", FILM),
    ("a.webm", films.webm, "clean", "video/webm", FILM),
    ("vp9.webm", lambda: films.recording("webm", ["libvpx-vp9"], ["vorbis"]), "clean", "video/webm", FILM),
    ("live.webm", lambda: films.webm(options={"live": "1"}), "clean", "video/webm", FILM),
    ("a.mkv", lambda: films.recording("matroska", ["libx264"], ["aac"]), "converted", "video/mp4", FILM),
    ("a.avi", lambda: films.recording("avi", ["mpeg4"], ["libmp3lame"]), "kept-sealed", "video/x-msvideo", FILM[1:]),
    ("a.mp3", films.mp3, "clean", "audio/mpeg", SOUND),
    ("a.m4a", lambda: films.recording("ipod", (), ["aac"]), "clean", "audio/mp4", SOUND),
    ("alac.m4a", lambda: films.recording("ipod", (), ["alac"]), "clean", "audio/mp4", (*SOUND, "viewing")),
    ("a.ogg", films.ogg, "clean", "audio/ogg", (*SOUND, "viewing")),
    ("flac.ogg", lambda: films.recording("ogg", (), ["flac"]), "clean", "audio/ogg", (*SOUND, "viewing")),
    ("a.wav", lambda: films.recording("wav", (), ["pcm_s16le"]), "clean", "audio/wav", SOUND),
    ("a.flac", lambda: films.recording("flac", (), ["flac"]), "clean", "audio/flac", SOUND),
    ("a.amr", films.amr, "kept-sealed", "audio/amr", ("preview", "viewing")),
    ("sound.mp4", lambda: films.recording("mp4", (), ["aac"]), "converted", "audio/mp4", SOUND),
    ("sound.webm", lambda: films.recording("webm", (), ["libopus"]), "clean", "video/webm", (*SOUND, "viewing")),
]


@pytest.mark.parametrize(
    ("name", "make", "verdict", "media_type", "roles"), KINDS_OF_RECORDINGS, ids=[row[0] for row in KINDS_OF_RECORDINGS]
)
async def test_each_kind_is_rebuilt_and_shown(
    inspector: Inspector, name: str, make: Make, verdict: str, media_type: str, roles: tuple[str, ...]
) -> None:
    """A record of the same kind where it plays, pictures that say what it is, and a copy that plays everywhere."""
    finding = await inspector.inspect(make(), name)
    assert (verdict, media_type) == (finding.verdict, finding.media_type)
    assert roles == tuple(made.role for made in finding.outputs)
    assert 900 <= finding.facts.duration_ms <= 1100
    preview = output(finding, "preview")
    assert [] == leftovers(preview.content)
    assert (preview.width, preview.height) == Image.open(io.BytesIO(preview.content)).size
    assert 120 <= max(preview.width, preview.height) <= 800
    if "strip" in roles:
        strip = output(finding, "strip")
        assert [] == leftovers(strip.content)
        assert strip.width in {5 * 160, 6 * 160}
        assert (160, 120) == (finding.facts.width, finding.facts.height)


# --- what stays ---------------------------------------------------------------------------------------------------------

LATE_MS = (500, 533, 600, 900)
UNEVEN_MS = (0, 33, 70, 100, 167, 300, 301, 333, 700, 733, 990)
KEPT = [
    ("a.mp4", films.phone_mp4, "video"),
    ("uneven.mp4", lambda: films.recording("mp4", ["libx264"], ["aac"], times_ms=UNEVEN_MS), "video"),
    ("a.mp4", films.phone_mp4, "audio"),
    ("hevc.mov", lambda: films.recording("mov", ["libx265"], ["pcm_s16le"]), "video"),
    ("a.mkv", lambda: films.recording("matroska", ["libx264"], ["aac"], times_ms=UNEVEN_MS), "video"),
    ("a.webm", films.webm, "video"),
    ("a.webm", films.webm, "audio"),
    ("uneven.webm", lambda: films.recording("webm", ["libvpx-vp9"], ["libopus"], times_ms=UNEVEN_MS), "video"),
    ("a.mp3", films.mp3, "audio"),
    ("a.mp3", prying_films.prying_mp3, "audio"),
    ("a.m4a", lambda: films.recording("ipod", (), ["aac"]), "audio"),
    ("alac.m4a", lambda: films.recording("ipod", (), ["alac"]), "audio"),
    ("a.ogg", films.ogg, "audio"),
    ("vorbis.ogg", lambda: films.recording("ogg", (), ["vorbis"]), "audio"),
    ("a.wav", lambda: films.recording("wav", (), ["pcm_s16le"]), "audio"),
    ("a.flac", prying_films.prying_flac, "audio"),
]


@pytest.mark.parametrize(("name", "make", "kind"), KEPT, ids=[f"{row[0]} {row[2]}" for row in KEPT])
async def test_the_record_has_the_same_packets_at_the_same_times(
    inspector: Inspector, name: str, make: Make, kind: str
) -> None:
    """A gait is judged by the moments of the frames: not one is moved, and none is encoded anew."""
    content = make()
    finding = await inspector.inspect(content, name)
    before, after = films.packets(content, kind), films.packets(output(finding, "record").content, kind)
    if name == "a.mp3" and before[-1][2][:1] != b"\xff":
        before.pop()  # labels behind the sound, which FFmpeg takes for sound
    # The end of an Ogg file may not say when its last packet is heard.
    assert [moment for moment, _, _ in before if moment is not None] == [
        moment for (moment, _, _), (known, _, _) in zip(after, before, strict=True) if known is not None
    ]
    assert [whole for _, whole, _ in before] == [whole for _, whole, _ in after]
    if name.endswith((".mp4", ".mov", ".mkv")) and kind == "video":
        hevc = name.startswith("hevc")
        before = [(moment, whole, films.unwritten(payload, hevc=hevc)) for moment, whole, payload in before]
        after = [(moment, whole, films.unwritten(payload, hevc=hevc)) for moment, whole, payload in after]
    assert [payload for _, _, payload in before] == [payload for _, _, payload in after]
    assert before


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turned", [0, 90, 180, 270])
async def test_a_turned_film_stays_turned_and_its_copy_is_upright(
    inspector: Inspector,
    turned: int,
    mirrored: bool,  # noqa: FBT001 - a case of the table
) -> None:
    """The record keeps the matrix that says how the phone was held; the copy's pixels are turned by it."""
    content = films.recording("mp4", ["libx264"], seconds=0.2, turned=turned, mirrored=mirrored)
    finding = await inspector.inspect(content, "a.mp4")
    matrix = films.matrix_of(content)
    assert matrix == films.matrix_of(output(finding, "record").content)
    viewing = output(finding, "viewing")
    size = (120, 160) if turned % 180 else (160, 120)
    assert size == (viewing.width, viewing.height) == (finding.facts.width, finding.facts.height)
    shown = picture(viewing.content).convert("RGB")
    assert size == shown.size
    # The red corner of the stored picture, seen from its middle, goes where the matrix sends it.
    a, b, _, c, d, *_ = matrix or (1, 0, 0, 0, 1, 0, 0, 0, 1)
    across, down = ((a > 0) - (a < 0), (b > 0) - (b < 0)), ((c > 0) - (c < 0), (d > 0) - (d < 0))
    column = size[0] // 2 + (-60 * across[0] - 45 * down[0])
    row = size[1] // 2 + (-60 * across[1] - 45 * down[1])
    pixel = shown.getpixel((column, row))
    assert isinstance(pixel, tuple)
    assert pixel[0] > pixel[1] + 60, pixel
    for role in ("preview", "strip"):
        assert output(finding, role).height == size[1]


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("a.mp4", lambda: films.phone_mp4(size=(1920, 1080), seconds=0.2)),
        ("a.mp4", lambda: films.recording("mp4", ["libx265"], ["aac"], times_ms=UNEVEN_MS)),
        ("a.mov", lambda: films.recording("mov", ["libx264"], ["pcm_s16le"], pixels="yuv422p10le")),
        ("a.webm", films.webm),
        ("late.mkv", lambda: films.recording("matroska", ["libx264"], ["libopus"], times_ms=LATE_MS)),
        ("a.avi", lambda: films.recording("avi", ["mjpeg"], ["pcm_s16le"], pixels="yuvj420p")),
    ],
)
async def test_the_copy_plays_everywhere_and_as_long(inspector: Inspector, name: str, make: Make) -> None:
    """H.264 in 8 bits of at most 720p with AAC, in MP4; it lasts as long as the original, but for a frame."""
    content = make()
    viewing = output(await inspector.inspect(content, name), "viewing").content
    with films.opened(viewing) as copy:
        (shown,), (heard,) = copy.streams.video, copy.streams.audio
        assert ("h264", "yuv420p", "aac") == (shown.codec_context.name, shown.pix_fmt, heard.codec_context.name)
        assert shown.height <= 720
        assert sum(frame.samples for frame in copy.decode(audio=0)) > 0
    frames, again = films.moments(content), films.moments(viewing)
    assert abs(frames[0] - again[0]) <= 1 / 25
    assert abs(frames[-1] - again[-1]) <= 1 / 25


# --- what must not stay -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "make"), [pytest.param(*row, id=row[0]) for row in prying_films.PRYING_ONES])
async def test_nothing_that_was_written_on_a_recording_is_in_what_is_made(
    inspector: Inspector, name: str, make: Make
) -> None:
    """Names, places, times, pictures, chapters, captions and an encoder's words are gone, and it is told."""
    content = make()
    assert films.PRYING.encode() in content
    finding = await inspector.inspect(content, name)
    assert finding.outputs
    prying = [words.encode(code) for words in ("Prying", "48.2082") for code in ("ascii", "utf-16-le", "utf-16-be")]
    for made in finding.outputs:
        for words in (*prying, b"x264 - core", b"x265 (build", b"2019", b"APETAGEX", b"COMM", b"xmpmeta"):
            assert words not in made.content, made.role
        if made.role in {"record", "viewing"}:
            with films.opened(made.content) as opened:
                assert not opened.chapters()
                assert {"video", "audio"} >= {track.type for track in opened.streams}
                assert not {"creation_time", "title", "comment", "location"} & opened.metadata.keys()
    if finding.verdict in MADE:
        assert {"title and labels removed", "names removed"} & set(finding.notes)
    if name == "a.mov":
        assert "2019-03-04T07:06:07+02:00" == finding.facts.capture_time


async def test_a_film_tells_what_was_taken_from_it(inspector: Inspector) -> None:
    """Each thing once, in fixed words."""
    finding = await inspector.inspect(prying_films.prying_mp4(), "a.mp4")
    expected = {
        "location removed",
        "names removed",
        "comment removed",
        "editing record removed",
        "chapters removed",
        "subtitles removed",
        "cover picture removed",
        "title and labels removed",
        "hidden writing between the frames removed",
        COPIED,
    }
    assert expected == set(finding.notes)


# --- what is not taken --------------------------------------------------------------------------------------------------


def elsewhere() -> bytes:
    """An MP4 that says that its pictures lie in another file."""
    film = films.phone_mp4(seconds=0.2)
    at = film.index(b"url \x00\x00\x00\x01")
    return film[: at + 7] + b"\x00" + film[at + 8 :]


LIMITS = [
    ("too long", lambda: films.recording("mp4", ["libx264"], times_ms=(0, 300_000, 602_000)), "recording_too_long"),
    ("too large", lambda: films.recording("mp4", ["libx264"], seconds=0.1, size=(4112, 64)), "video_too_large"),
    ("too fast", lambda: films.recording("mp4", ["libx264"], rate=240), "too_many_frames_a_second"),
    ("locked", lambda: films.phone_mp4(seconds=0.2).replace(b"avc1\0\0\0\0", b"encv\0\0\0\0"), "recording_locked"),
    ("elsewhere", elsewhere, "incomplete"),
    ("empty", lambda: b"", "empty"),
    ("only a head", lambda: films.phone_mp4(seconds=0.2)[:32], "incomplete"),
    ("no index", lambda: films.phone_mp4(seconds=0.2).replace(b"moov", b"free"), "incomplete"),
    ("only captions", lambda: films.recording("mp4", subtitles="mov_text"), "nothing_to_play"),
]


@pytest.mark.parametrize(("make", "reason"), [pytest.param(*row[1:], id=row[0]) for row in LIMITS])
async def test_what_is_beyond_the_limits_is_refused(inspector: Inspector, make: Make, reason: str) -> None:
    """Each with its own sentence."""
    assert ("refused", reason) == told(await inspector.inspect(make(), "a.mp4"))


async def test_half_an_hour_and_a_bit_of_sound_is_too_long(inspector: Inspector) -> None:
    """Sound may last thirty minutes."""
    content = films.amr()[:6] + b"\x3c".ljust(32, b"\0") * 50 * (30 * 60 + 3)
    assert ("refused", "recording_too_long") == told(await inspector.inspect(content, "a.amr"))


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("a.mp4", lambda: films.recording("mp4", ["mpeg2video"])),
        ("a.mkv", lambda: films.recording("matroska", ["libx264"], ["ac3"], seconds=0.2)),
        ("a.wav", lambda: films.recording("wav", (), ["adpcm_ms"], seconds=0.2)),
    ],
)
async def test_a_codec_that_is_not_on_the_list_is_never_decoded(inspector: Inspector, name: str, make: Make) -> None:
    """The original goes on with a warning, and nothing is shown of it."""
    finding = await inspector.inspect(make(), name)
    assert ("kept-sealed", "recording_codec_unknown", ()) == (*told(finding), finding.outputs)


async def test_of_two_films_in_one_file_the_first_is_kept(inspector: Inspector) -> None:
    """And it is told that there was another, and another sound."""
    content = films.recording("mp4", ["libx264", "libx264"], ["aac", "aac"], seconds=0.2)
    finding = await inspector.inspect(content, "a.mp4")
    assert {"second video track removed", "second sound track removed"} <= set(finding.notes)
    with films.opened(output(finding, "record").content) as record:
        assert ["video", "audio"] == [track.type for track in record.streams]


@pytest.mark.parametrize(
    "content",
    [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        b"1\n00:00:00,000 --> 00:00:01,000\nwords\n",
        b"WEBVTT\n\n00:00.000 --> 00:01.000\nwords\n",
        b"[Script Info]\nScriptType: v4.00+\n",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
    ],
)
async def test_a_playlist_is_only_a_text(inspector: Inspector, content: bytes) -> None:
    """No demuxer that opens other files is ever asked: by its own name it is a text, by another's it is refused."""
    assert Family.WRITING is KINDS[(await inspector.inspect(content, "a.txt")).kind].family
    for name in ("a.mp4", "a.mp3", "a.mkv"):
        finding = await inspector.inspect(content, name)
        assert ("refused", "content_differs_from_name") == told(finding)
    hidden = await inspector.inspect(prying_films.id3({"TIT2": b"\0title"}) + content, "a.mp3")
    assert (False, ()) == (hidden.verdict in MADE, hidden.outputs)


# --- damage -------------------------------------------------------------------------------------------------------------

TINY = [
    ("a.mp4", lambda: films.phone_mp4(seconds=0.2, size=(64, 48))),
    ("a.webm", lambda: films.webm(seconds=0.1, size=(64, 48))),
    ("a.mp3", films.mp3),
    ("a.ogg", films.ogg),
]
CUTS = FLIPS = 100


async def judged(inspector: Inspector, name: str, contents: list[bytes]) -> list[Finding]:
    """All of them, as many at once as there are cores."""
    return list(await asyncio.gather(*(inspector.inspect(content, name) for content in contents)))


@pytest.mark.parametrize(("name", "make"), TINY, ids=[row[0] for row in TINY])
async def test_a_recording_cut_anywhere_is_refused(inspector: Inspector, name: str, make: Make) -> None:
    """No part of a recording passes for the whole, wherever the upload broke off."""
    dice, content = random.Random(name), make()
    places = [1, len(content) - 1, *(dice.randrange(4, len(content)) for _ in range(CUTS - 2))]
    findings = await judged(inspector, name, [content[:place] for place in places])
    for place, finding in zip(places, findings, strict=True):
        assert Verdict.REFUSED is finding.verdict, place


@pytest.mark.parametrize(("name", "make"), TINY, ids=[row[0] for row in TINY])
async def test_a_damaged_recording_never_takes_the_check_down(inspector: Inspector, name: str, make: Make) -> None:
    """One bit changed at random: a verdict about the content, never a crash or a hang."""
    dice, content = random.Random(name), make()
    changed = []
    for _ in range(FLIPS):
        flipped = bytearray(content)
        flipped[dice.randrange(len(flipped))] ^= 1 << dice.randrange(8)
        changed.append(bytes(flipped))
    for finding in await judged(inspector, name, changed):
        assert finding.reason is None or finding.reason not in JAIL_ENDS
        assert Verdict.HELD is not finding.verdict or not finding.outputs
