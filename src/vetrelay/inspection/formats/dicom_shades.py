"""From stored numbers to what a screen shows: rescaled, windowed, inverted or coloured, eight bits at the end.

A 16-bit radiograph cut off at 255 is a white page, so nothing is ever cut off without a window: the record's own, or
one laid over nearly all of the numbers where the record's shows nothing. Source: PS3.3 sections C.11.1, C.11.2, C.7.6.3.
"""

import struct
from dataclasses import dataclass

import numpy as np

from vetrelay.inspection.formats.dicom_decoding import Samples
from vetrelay.inspection.formats.dicom_facts import word
from vetrelay.inspection.formats.dicom_pixels import Geometry, number
from vetrelay.inspection.formats.dicom_reading import DataSet, Elements
from vetrelay.inspection.words import Reason, Unfit

_SHARED, _PER_FRAME = 0x52009229, 0x52009230
_TRANSFORMATION, _VOI = 0x00289145, 0x00289132
_CENTER, _WIDTH = 0x00281050, 0x00281051
_MODALITY_TABLE, _VOI_TABLE = 0x00283000, 0x00283010
_TABLE_SHAPE, _TABLE = 0x00283002, 0x00283006
_PALETTE = (0x00281101, 0x00281102, 0x00281103)
_PALETTE_TABLES = (0x00281201, 0x00281202, 0x00281203)
# What a window may leave black and white: beyond this share it shows nothing, and another one is laid.
_MOST_CUT = 0.97
_EDGES_PERCENT = (0.5, 99.5)
# BT.601 full range (PS3.3 C.7.6.3.1.2).
_YBR = np.array(((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0)), np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A look-up table: what its first number stands for, its entries, and how many bits these have."""

    first: int
    entries: Samples
    bits: int


def in_colour(samples: Samples, colours: str, geometry: Geometry) -> Samples:
    """Colour samples as RGB of eight bits."""
    narrow = samples if samples.dtype.itemsize == 1 else (samples >> max(0, geometry.bits_stored - 8)).astype(np.uint8)
    rgb = narrow[..., :3].astype(np.uint8)
    if colours not in {"YBR_FULL", "YBR_FULL_422"}:
        return rgb
    shifted = rgb.astype(np.float32)
    shifted[..., 1:] -= 128
    mixed: Samples = np.clip(shifted @ _YBR.T + 0.5, 0, 255).astype(np.uint8)
    return mixed


def by_palette(samples: Samples, data_set: DataSet) -> Samples:
    """Palette numbers as RGB of eight bits. Raises Unfit for a palette that is not there, or in segments."""
    planes = []
    for shape_tag, table_tag in zip(_PALETTE, _PALETTE_TABLES, strict=True):
        table = _table(data_set, data_set.elements, shape_tag, table_tag)
        if table is None:
            raise Unfit(Reason.DICOM_CODING_UNKNOWN)
        entries = table.entries
        # Eight bits may be stored in words; what was meant is seen at the largest one.
        if table.bits > 8 and entries.size and entries.max() > 255:
            entries = entries >> 8
        index = np.clip(samples.astype(np.int64) - table.first, 0, len(entries) - 1)
        planes.append(entries[index].astype(np.uint8))
    return np.stack(planes, axis=-1)


def in_grey(samples: Samples, data_set: DataSet, geometry: Geometry, *, frame: int) -> Samples:
    """Grey numbers as shades of eight bits, 0 black."""
    padding = _padding(samples, data_set, geometry)
    values = samples.astype(np.float32)
    layers = _layers(data_set, frame)
    values = _rescaled(values, data_set, layers)
    shades = _windowed(values, data_set, layers, padding)
    seen = shades if padding is None else shades[~padding]
    if seen.size and np.mean((seen <= 0) | (seen >= 1)) > _MOST_CUT:
        shades = _fitted(values, padding)
    shades = np.clip(shades, 0, 1)
    inverse = word(data_set, 0x20500020) == "INVERSE"
    if (geometry.colours == "MONOCHROME1") != inverse:
        shades = 1 - shades
    if padding is not None:
        shades[padding] = 0
    return (shades * 255 + 0.5).astype(np.uint8)


def _padding(samples: Samples, data_set: DataSet, geometry: Geometry) -> Samples | None:
    """Where the device filled up with a number that is no measure (PixelPaddingValue)."""
    if 0x00280120 not in data_set.elements or geometry.real:
        return None
    value = number(data_set, 0x00280120)
    if geometry.signed and value > 0x7FFF:
        value -= 0x10000
    found = samples == value
    return found if found.any() and not found.all() else None


def _layers(data_set: DataSet, frame: int) -> list[Elements]:
    """Where a frame's rescale and window may stand, nearest first: its own group, the shared one, the record."""
    layers: list[Elements] = []
    for tag, at in ((_PER_FRAME, frame), (_SHARED, 0)):
        element = data_set.elements.get(tag)
        items = () if element is None or element.items is None else element.items
        for macro in (_TRANSFORMATION, _VOI):
            inner = items[at].get(macro) if at < len(items) else None
            layers += list(inner.items[:1]) if inner is not None and inner.items else []
    return [*layers, data_set.elements]


def _decimal(data_set: DataSet, layers: list[Elements], tag: int) -> float | None:
    for layer in layers:
        if tag in layer:
            text = data_set.value(layer[tag])[:64].decode("ascii", "replace").partition("\\")[0].strip("\0 ")
            try:
                found = float(text)
            except ValueError:
                continue
            if abs(found) < 1e12:
                return found
    return None


def _rescaled(values: Samples, data_set: DataSet, layers: list[Elements]) -> Samples:
    table = _first_table(data_set, layers, _MODALITY_TABLE)
    if table is not None:
        return _looked_up(values, table)
    slope = _decimal(data_set, layers, 0x00281053)
    intercept = _decimal(data_set, layers, 0x00281052)
    if slope:
        values *= np.float32(slope)
    if intercept:
        values += np.float32(intercept)
    return values


def _windowed(values: Samples, data_set: DataSet, layers: list[Elements], padding: Samples | None) -> Samples:
    """Shades of 0 to 1, what lies beyond the window below or above that."""
    table = _first_table(data_set, layers, _VOI_TABLE)
    if table is not None:
        return _looked_up(values, table) / np.float32((1 << table.bits) - 1)
    center, width = _decimal(data_set, layers, _CENTER), _decimal(data_set, layers, _WIDTH)
    if center is None or width is None or width <= 0:
        return _fitted(values, padding)
    function = next((word(data_set, 0x00281056) for layer in layers if 0x00281056 in layer), "LINEAR")
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -60, 60)))
    if function != "LINEAR_EXACT" and width > 1:
        # The formula of PS3.3 C.11.2.1.2.1, whose half numbers count pixels rather than lengths.
        center, width = center - 0.5, width - 1
    return (values - np.float32(center)) / np.float32(width) + np.float32(0.5)


def _fitted(values: Samples, padding: Samples | None) -> Samples:
    """A window over nearly all numbers, the outermost ones left out."""
    seen = values if padding is None else values[~padding]
    seen = seen[np.isfinite(seen)]
    if not seen.size:
        return np.zeros_like(values)
    low, high = np.percentile(seen.ravel()[:: max(1, seen.size // 500_000)], _EDGES_PERCENT)
    if high <= low:
        low, high = float(seen.min()), float(seen.max())
    if high <= low:
        return np.full_like(values, 0.5)
    return (np.nan_to_num(values, nan=low, posinf=high, neginf=low) - np.float32(low)) / np.float32(high - low)


def _looked_up(values: Samples, table: Table) -> Samples:
    index = np.clip(np.nan_to_num(values) - table.first, 0, len(table.entries) - 1).astype(np.int64)
    found: Samples = table.entries[index].astype(np.float32)
    return found


def _first_table(data_set: DataSet, layers: list[Elements], tag: int) -> Table | None:
    for layer in layers:
        element = layer.get(tag)
        if element is not None and element.items:
            return _table(data_set, element.items[0], _TABLE_SHAPE, _TABLE)
    return None


def _table(data_set: DataSet, elements: Elements, shape_tag: int, table_tag: int) -> Table | None:
    """A table whose stated number of entries is there (PS3.3 C.11.1.1.1). None where there is none, or less."""
    shape, entries = elements.get(shape_tag), elements.get(table_tag)
    if shape is None or entries is None or entries.items is not None:
        return None
    raw_shape, raw = data_set.value(shape), data_set.value(entries)
    if len(raw_shape) != 6:
        return None
    order = data_set.syntax.order
    count, first, bits = struct.unpack(order + "HhH", raw_shape)
    count = count or 0x10000
    if not 8 <= bits <= 16:
        return None
    if bits == 8 and len(raw) < 2 * count and len(raw) >= count:
        return Table(first=first, entries=np.frombuffer(raw[:count], np.uint8), bits=8)
    if len(raw) < 2 * count:
        return None
    return Table(first=first, entries=np.frombuffer(raw[: 2 * count], f"{order}u2"), bits=bits)
