"""Previews of records: every kind of numbers shown right, none cut off white, side and warning on a line below."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.sequence import Sequence

from tests.hostile import dicoms
from vetrelay.inspection.ask import Ask
from vetrelay.inspection.formats import dicom, dicom_preview
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.result import RawOutput, Role

dicom.prepare()

Shown = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def previews(content: bytes) -> list[RawOutput]:
    """What is shown of a file."""
    outputs = dicom.normalize(content, Kind.DICOM, Ask()).outputs
    return [output for output in outputs if output.role is Role.PREVIEW]


def shown(content: bytes, mode: str = "L") -> Shown:
    """The first preview's picture without its line, at the record's own size."""
    image = Image.open(io.BytesIO(previews(content)[0].content)).convert(mode)
    scale = 256 // dicoms.ROWS_PX
    width_px, height_px = dicoms.COLUMNS_PX * scale, dicoms.ROWS_PX * scale
    left = (image.width - width_px) // 2
    picture = image.crop((left, 0, left + width_px, height_px))
    return np.asarray(picture.resize((dicoms.COLUMNS_PX, dicoms.ROWS_PX), Image.Resampling.BOX))


def near(expected: Shown, actual: Shown, *, within: int = 3) -> bool:
    """Equal but for what JPEG costs."""
    return bool(np.abs(expected.astype(int) - actual.astype(int)).mean() < within)


def ramp() -> Shown:
    """Black to white."""
    return (dicoms.gradient() / 4095 * 255).astype(np.uint8)


@pytest.mark.parametrize(
    "change",
    [
        lambda _made: None,
        lambda made: made.update({"WindowCenter": None, "WindowWidth": None}),
        lambda made: made.update({"WindowCenter": "-100000", "WindowWidth": "1"}),
        lambda made: made.update({"WindowCenter": "nonsense"[:0], "WindowWidth": "0"}),
        lambda made: made.update({"RescaleSlope": "2", "RescaleIntercept": "-1024", "WindowCenter": "3071", "WindowWidth": "8190"}),
        lambda made: made.update({"BitsStored": 16, "HighBit": 15}),
        lambda made: made.update({"VOILUTFunction": "LINEAR_EXACT"}),
    ],
)  # fmt: skip
def test_sixteen_bits_are_never_cut_off_white(change: Callable[[Dataset], None]) -> None:
    """With a window, without one, with one that shows nothing: a ramp from black to white all the same."""
    made = dicoms.data_set()
    change(made)
    assert near(ramp(), shown(dicoms.saved(made)))


def test_monochrome1_is_turned_round() -> None:
    """Low numbers are bright there: bone stays white."""
    assert near(255 - ramp(), shown(dicoms.changed(PhotometricInterpretation="MONOCHROME1")))
    assert near(255 - ramp(), shown(dicoms.changed(PresentationLUTShape="INVERSE")))


def test_signed_numbers_are_shown() -> None:
    """A CT's air is below nought."""
    values = (dicoms.gradient().astype(np.int32) - 2048).astype("<i2")
    content = dicoms.changed(
        PixelData=values.tobytes(),
        PixelRepresentation=1,
        BitsStored=16,
        HighBit=15,
        WindowCenter="0",
        WindowWidth="4096",
    )
    assert near(ramp(), shown(content))


def test_bits_above_the_stored_ones_are_not_shown() -> None:
    """Overlays once stood there."""
    drawn_on = dicoms.gradient() | (np.indices(dicoms.gradient().shape).sum(axis=0) % 2 << 13).astype(np.uint16)
    assert near(ramp(), shown(dicoms.changed(PixelData=drawn_on.astype("<u2").tobytes())))


def test_a_window_table_is_shown_as_pydicom_shows_it() -> None:
    """VOI and modality tables: against pydicom's own reading of the standard."""
    for keyword, applied in (("VOILUTSequence", apply_voi_lut), ("ModalityLUTSequence", apply_modality_lut)):
        table = Dataset()
        table.LUTDescriptor, table.LUTData = [4096, 0, 16], [int(65535 * (n / 4095) ** 2) for n in range(4096)]
        table["LUTDescriptor"].VR = table["LUTData"].VR = "US"
        made = dicoms.data_set()
        made.WindowCenter, made.WindowWidth = "32768", "65536"
        setattr(made, keyword, Sequence([table]))
        expected = (np.asarray(applied(dicoms.gradient(), made)) >> 8).astype(np.uint8)
        assert near(expected, shown(dicoms.saved(made))), keyword


def test_a_sigmoid_window_is_shown_as_pydicom_shows_it() -> None:
    """The curve of PS3.3 C.11.2.1.3.1."""
    made = dicoms.data_set()
    made.WindowCenter, made.WindowWidth, made.VOILUTFunction = "2048", "1000", "SIGMOID"
    expected = np.asarray(apply_voi_lut(dicoms.gradient(), made)) / 4095 * 255
    assert near(expected.astype(np.uint8), shown(dicoms.saved(made)))


def test_each_frame_has_its_own_window() -> None:
    """Enhanced multi-frame records keep it in their functional groups."""
    group = Dataset()
    voi = Dataset()
    voi.WindowCenter, voi.WindowWidth = "1024", "2048"
    group.FrameVOILUTSequence = Sequence([voi])
    made = dicoms.data_set()
    del made.WindowCenter, made.WindowWidth
    made.PerFrameFunctionalGroupsSequence = Sequence([group])
    assert near(np.clip(ramp().astype(int) * 2, 0, 255).astype(np.uint8), shown(dicoms.saved(made)))


def test_padding_is_black_and_moves_no_window() -> None:
    """What the device filled up with is no measure."""
    values = dicoms.gradient()
    values[:, -4:] = 65535
    made = dicoms.data_set()
    del made.WindowCenter, made.WindowWidth
    made.BitsStored, made.HighBit, made.PixelPaddingValue = 16, 15, 65535
    made["PixelPaddingValue"].VR = "US"
    made.PixelData = values.astype("<u2").tobytes()
    picture = shown(dicoms.saved(made))
    fitted = (dicoms.gradient() / dicoms.gradient()[0, -5] * 255).clip(0, 255).astype(np.uint8)
    assert near(fitted[:, :-6], picture[:, :-6])
    assert picture[:, -2:].max() < 30


def coloured() -> Shown:
    """Red, green and blue stripes and a ramp of each."""
    ramps = ramp()
    return np.stack([ramps, ramps[::-1, ::-1], np.full_like(ramps, 90)], axis=-1)


def colour_record(samples: Shown, colours: str, **entries: object) -> bytes:
    """A record of 8-bit colours."""
    return dicoms.changed(
        **{
            "SamplesPerPixel": 3,
            "PhotometricInterpretation": colours,
            "PlanarConfiguration": 0,
            "BitsAllocated": 8,
            "BitsStored": 8,
            "HighBit": 7,
            "PixelData": samples.tobytes(),
            **entries,
        }
    )


def test_colours_are_shown_in_every_order() -> None:
    """RGB by pixel and by plane, YCbCr whole and shared between neighbours."""
    rgb = coloured()
    ybr = np.asarray(Image.fromarray(rgb).convert("YCbCr"))
    assert near(rgb, shown(colour_record(rgb, "RGB"), "RGB"))
    planes = np.ascontiguousarray(rgb.transpose(2, 0, 1))
    assert near(rgb, shown(colour_record(planes, "RGB", PlanarConfiguration=1), "RGB"))
    assert near(rgb, shown(colour_record(ybr, "YBR_FULL"), "RGB"))
    pairs = ybr.reshape(dicoms.ROWS_PX, -1, 2, 3)
    shared = np.stack([pairs[:, :, 0, 0], pairs[:, :, 1, 0], pairs[:, :, 0, 1], pairs[:, :, 0, 2]], axis=-1)
    assert near(rgb, shown(colour_record(shared, "YBR_FULL_422"), "RGB"), within=6)


def test_a_palette_is_shown() -> None:
    """256 numbers with a colour of 16 bits each."""
    made = dicoms.data_set()
    made.PhotometricInterpretation = "PALETTE COLOR"
    made.BitsAllocated, made.BitsStored, made.HighBit = 8, 8, 7
    made.PixelData = ramp().tobytes()
    for colour, sign in (("Red", 1), ("Green", -1), ("Blue", 1)):
        table = np.arange(256, dtype="<u2")[::sign] * 256
        setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        made[f"{colour}PaletteColorLookupTableDescriptor"].VR = "US"
        setattr(made, f"{colour}PaletteColorLookupTableData", table.tobytes())
    expected = np.stack([ramp(), 255 - ramp(), ramp()], axis=-1)
    assert near(expected, shown(dicoms.saved(made), "RGB"))


def test_side_view_and_warning_stand_below_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a line of their own, never on the picture; the frame's number where there are several."""
    data = dicoms.data_set()
    data.NumberOfFrames, data.PixelData = "3", dicoms.gradient().tobytes() * 3
    content = dicoms.saved(data)
    seen: list[str] = []
    lettered = dicom_preview._lettered

    def listening(picture: Image.Image, line: str) -> Image.Image:
        seen.append(line)
        return lettered(picture, line)

    monkeypatch.setattr(dicom_preview, "_lettered", listening)
    made = previews(content)
    assert [f"L  ·  VD  ·  frame {n} of 3  ·  not for diagnosis" for n in (1, 2, 3)] == seen
    for preview in made:
        below = np.asarray(Image.open(io.BytesIO(preview.content)).convert("L"))[-20:]
        assert below.max() > 200


def test_a_large_picture_is_shown_in_small_and_in_its_true_proportions() -> None:
    """No side beyond 1024; pixels that are twice as high as wide are drawn so."""
    values = np.zeros((5000, 2000), "<u2")
    values[:, 1000:] = 4000
    preview = previews(dicoms.changed(Rows=5000, Columns=2000, PixelData=values.tobytes(), PixelSpacing=[0.1, 0.1]))[0]
    assert 1024 == preview.height_px
    tall = previews(dicoms.changed(PixelSpacing=[0.2, 0.1]))[0]
    assert (dicoms.ROWS_PX * 2 * 2 + 28) == tall.height_px
