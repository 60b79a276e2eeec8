"""Run-length encoded masks in flat buffers: COCO's text form, area, box and bitmaps.

A mask of an image of height H and width W is read column by column; ``counts`` gives the
lengths of its runs, background first (COCO format, "RLE"). Many masks lie in one uint32 buffer
with offsets; no function here loops over masks in Python unless it makes a bitmap of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from paring.dataset import ragged
from paring.dataset.ragged import Offsets

_MORE = 0x20  # set on every character of a number but its last
_SIGN = 0x10  # set on the last character of a negative number
_LONGEST = 7  # characters of five bits that hold a signed 32-bit number


def decode_text(texts: Sequence[bytes]) -> tuple[NDArray[np.int64], Offsets]:
    """Run lengths of masks in COCO's compressed text, as one buffer with offsets.

    Each run is a base-32 number, least significant digit first, written from character ``0``
    on; from the fourth run on the text holds the difference to the run two before.

    Raises ``ValueError`` with the position (in ``texts``) of the first text that is not such a
    code; whether runs fill their image is for the caller to check.

    >>> decode_text([b"61X13mN000`0"])
    (array([ 6,  1, 40,  4,  5,  4,  5,  4, 21]), array([0, 9]))
    """
    text_offsets = ragged.offsets_of(np.fromiter(map(len, texts), np.int64, len(texts)))
    chars = np.frombuffer(b"".join(texts), dtype=np.uint8).astype(np.int64) - 48
    last = (chars & _MORE) == 0
    ends = np.flatnonzero(last)
    starts = np.concatenate(([0], ends[:-1] + 1)) if len(ends) else ends
    full = text_offsets[1:] > text_offsets[:-1]
    wrong = np.zeros(len(texts), dtype=bool)
    wrong[full] = ~last[text_offsets[1:][full] - 1]
    outside = (chars < 0) | (chars > 63)
    if len(ends):
        longest = ragged.rows_of(text_offsets)[ends[(ends - starts) >= _LONGEST]]
        wrong[longest] = True
    wrong[ragged.rows_of(text_offsets)[outside]] = True
    if wrong.any():
        raise ValueError(int(np.flatnonzero(wrong)[0]))

    digit = np.arange(len(chars)) - np.repeat(starts, ends - starts + 1)
    values = ragged.reduce(
        np.add, (chars & 0x1F) << (5 * digit), np.append(starts, len(chars)).astype(np.int64)
    )
    negative = (chars[ends] & _SIGN) != 0
    values[negative] -= np.int64(1) << (5 * (ends - starts + 1)[negative])
    offsets = np.searchsorted(ends, text_offsets).astype(np.int64)
    return _undo_differences(values, offsets), offsets


def _undo_differences(values: NDArray[np.int64], offsets: Offsets) -> NDArray[np.int64]:
    """Runs from differences to the run two before, which start with the fourth run."""
    place = np.arange(len(values)) - np.repeat(offsets[:-1], np.diff(offsets))
    out = values.copy()
    for parity in (0, 1):
        chosen = np.flatnonzero((place % 2 == parity) & (place > 0))
        if not len(chosen):
            continue
        total = np.cumsum(values[chosen])
        first = np.flatnonzero(place[chosen] <= 2)
        lengths = np.diff(np.append(first, len(chosen)))
        out[chosen] = total - np.repeat(total[first] - values[chosen][first], lengths)
    return out


def encode_text(counts: NDArray[np.uint32], offsets: Offsets) -> list[bytes]:
    """COCO's compressed text of each mask; the inverse of :func:`decode_text`.

    >>> encode_text(np.array([6, 1, 40, 4, 5, 4, 5, 4, 21], np.uint32), np.array([0, 9]))
    [b'61X13mN000`0']
    """
    values = counts.astype(np.int64)
    place = np.arange(len(values)) - np.repeat(offsets[:-1], np.diff(offsets))
    later = np.flatnonzero(place > 2)
    values[later] -= counts[later - 2].astype(np.int64)

    magnitude = np.where(values < 0, -values - 1, values)
    digits = np.ones(len(values), dtype=np.int64)
    for n in range(1, _LONGEST):
        digits += magnitude >= (np.int64(1) << (5 * n - 1))
    digit_offsets = ragged.offsets_of(digits)
    shift = np.arange(digit_offsets[-1]) - np.repeat(digit_offsets[:-1], digits)
    chars = (np.repeat(values, digits) >> (5 * shift)) & 0x1F
    chars[shift < np.repeat(digits, digits) - 1] |= _MORE
    text = (chars + 48).astype(np.uint8).tobytes()
    bounds = digit_offsets[offsets]
    return [text[a:b] for a, b in pairwise(bounds)]


def foreground(counts: NDArray[np.uint32], offsets: Offsets) -> NDArray[np.bool_]:
    """Which runs are foreground: every second one of a mask."""
    place = np.arange(len(counts)) - np.repeat(offsets[:-1], np.diff(offsets))
    odd: NDArray[np.bool_] = place % 2 == 1
    return odd


def areas(counts: NDArray[np.uint32], offsets: Offsets) -> NDArray[np.int64]:
    """Number of pixels of each mask (n,)."""
    inside = np.where(foreground(counts, offsets), counts, 0).astype(np.int64)
    return ragged.reduce(np.add, inside, offsets)


def boxes(
    counts: NDArray[np.uint32], offsets: Offsets, heights: NDArray[np.int32]
) -> NDArray[np.int64]:
    """Pixel box of each mask (n, 4): x, y, width, height; zeros for a mask without pixels."""
    ends = np.cumsum(counts, dtype=np.int64)
    ends -= np.repeat(np.concatenate(([0], ends))[offsets[:-1]], np.diff(offsets))
    solid = np.flatnonzero(foreground(counts, offsets) & (counts > 0))
    solid_offsets = np.searchsorted(solid, offsets).astype(np.int64)
    stop = ends[solid]
    start = stop - counts[solid]
    height = np.repeat(heights.astype(np.int64), np.diff(solid_offsets))
    left, right = start // height, (stop - 1) // height
    top, bottom = start % height, (stop - 1) % height
    spans = left != right
    top[spans] = 0
    bottom[spans] = height[spans] - 1
    out = np.zeros((len(offsets) - 1, 4), dtype=np.int64)
    out[:, 0] = ragged.reduce(np.minimum, left, solid_offsets)
    out[:, 1] = ragged.reduce(np.minimum, top, solid_offsets)
    out[:, 2] = ragged.reduce(np.maximum, right, solid_offsets, empty=-1) - out[:, 0] + 1
    out[:, 3] = ragged.reduce(np.maximum, bottom, solid_offsets, empty=-1) - out[:, 1] + 1
    return out


def bitmap(counts: NDArray[np.uint32], height: int, box: Sequence[int]) -> NDArray[np.uint8]:
    """Bitmap (h, w) of one mask inside its box (x, y, w, h); pixels outside are not made."""
    x, y, w, h = (int(v) for v in box)
    out = np.zeros((w, h), dtype=np.uint8)  # transposed: runs follow columns
    stops = np.cumsum(counts, dtype=np.int64)
    starts = stops - counts
    for start, stop in zip(starts[1::2], stops[1::2], strict=True):
        if stop == start:
            continue
        (c0, r0), (c1, r1) = divmod(int(start), height), divmod(int(stop) - 1, height)
        for column in range(c0, c1 + 1):
            low = r0 if column == c0 else 0
            high = r1 if column == c1 else height - 1
            out[column - x, max(low - y, 0) : high - y + 1] = 1
    return np.ascontiguousarray(out.T)


def encode_bitmap(
    crop: NDArray[np.uint8], top: int, left: int, height: int, width: int
) -> NDArray[np.uint32]:
    """Run lengths in an image of (height, width) of a bitmap (h, w) lying at (top, left).

    >>> encode_bitmap(np.ones((2, 1), np.uint8), top=1, left=0, height=4, width=2)
    array([1, 2, 5], dtype=uint32)
    """
    padded = np.zeros((crop.shape[1], crop.shape[0] + 2), dtype=np.int8)
    padded[:, 1:-1] = crop.T != 0
    column, row = np.nonzero(np.diff(padded, axis=1))
    edges = (column + left) * height + row + top
    # a run that reaches the last row goes on in the next column: equal edges cancel in pairs
    joined = np.flatnonzero(edges[1:] == edges[:-1])
    edges = np.delete(edges, np.concatenate((joined, joined + 1)))
    ends = np.concatenate(([0], edges, [height * width]))
    runs = np.diff(ends)
    return (runs if runs[-1] or len(runs) == 1 else runs[:-1]).astype(np.uint32)


def encode_mask(solid: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Run lengths of a mask (H, W) of a whole image, worked out within its box.

    >>> encode_mask(np.array([[False, True], [False, False]]))
    array([2, 1, 1], dtype=uint32)
    """
    rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    height, width = solid.shape
    if not len(rows):
        return np.array([height * width], np.uint32)
    top, left = int(rows[0]), int(columns[0])
    crop = solid[top : rows[-1] + 1, left : columns[-1] + 1].astype(np.uint8)
    return encode_bitmap(crop, top, left, height, width)
