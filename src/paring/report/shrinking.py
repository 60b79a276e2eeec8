"""One image made small: any kind of file, in colours of 8 bits, the right way up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from paring.dataset.content import Unreadable, read_content
from paring.dataset.hush import hushed
from paring.images.similarity.decoding import pillow_pixels
from paring.images.similarity.headers import (
    DEEP_SUFFIXES,
    Header,
    read_header,
    without_extras,
)

if TYPE_CHECKING:
    from PIL import Image

Colours: TypeAlias = NDArray[Any]  # RGB (height, width, 3), uint8 or uint16
Size: TypeAlias = tuple[int, int]  # width and height in pixels

_ORIENTATION = 274  # EXIF and TIFF tag
_ON_THEIR_SIDE, _FLIPPED, _MIRRORED = (5, 6, 7, 8), (3, 4, 7, 8), (2, 3, 6, 7)  # its values
_BACK = {6: 8, 8: 6}  # what undoes an orientation; each of the others undoes itself
_DARKEST, _BRIGHTEST = 0.5, 99.5  # percentiles that become black and white of deep images


def shrink_file(path: Path, record: Size, side: int) -> Colours:
    """A thumbnail of an image file, uint8, its longer side at most `side`.

    It is upright, unless `record` (width, height) is the size of the picture as it is stored on
    its side, and so not that of the upright one; a square tells nothing and is drawn upright.
    Transparency has no part, and of an animation the first picture counts.

    Raises
    ------
    Unreadable
        One phrase that says what is wrong with the file.
    """
    raw = without_extras(read_content(path))
    header = read_header(raw, deep=path.suffix.lower() in DEEP_SUFFIXES)
    stored, turn = None, header.orientation
    if header.picture is not None:
        stored = header.picture.size
        turn = _turn(header.picture, turn, record)
    return _turned(shrink(_decoded(raw, header, side), side, stored), turn)


def shrink(pixels: Colours, side: int, size: Size | None = None) -> Colours:
    """Pixels (height, width, 3) as a thumbnail, uint8; they are not enlarged.

    Deep ones (uint16) are stretched between two percentiles. `size` is the width and height of
    the picture where it was decoded smaller than that.

    >>> shrink(np.zeros((300, 400, 3), np.uint8), 100).shape
    (75, 100, 3)
    """
    import cv2

    fitted = _fitted(size or (pixels.shape[1], pixels.shape[0]), side)
    small = np.asarray(cv2.resize(pixels, fitted, interpolation=cv2.INTER_AREA))
    if small.dtype == np.uint16:
        small = _stretched(small)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_GRAY2RGB)) if small.ndim == 2 else small


def encode(pixels: Colours, quality: int) -> bytes:
    """Pixels (height, width, 3), uint8, as a JPEG file of a quality from 1 to 100."""
    import cv2

    blue_first = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode(".jpg", blue_first, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(jpeg)


def _turn(picture: Image.Image, orientation: int, record: Size) -> int:
    """Which EXIF orientation to undo, so that the picture lies as its record says."""
    square = record[0] == record[1]
    if picture.format != "TIFF":
        lies = orientation in _ON_THEIR_SIDE and picture.size == record and not square
        return 1 if lies else orientation
    # Pillow turns a TIFF by itself, and here it is turned back where the record wants that
    turned = getattr(picture, "tag_v2", {}).get(_ORIENTATION, 1)
    lies = turned in _ON_THEIR_SIDE and picture.size == record[::-1] and not square
    return _BACK.get(turned, turned) if lies else 1


def _decoded(raw: bytes, header: Header, side: int) -> Colours:
    """Pixels as they lie in the file; grey (height, width) for some deep ones."""
    import cv2

    if header.opencv:
        # deep colours of JPEG 2000 are not told by its header as Pillow reads it
        deep = header.depth == 16 or getattr(header.picture, "format", None) == "JPEG2000"
        # deep TIFF files come out as noise where OpenCV 5.0 is asked for RGB itself
        how = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH if deep else cv2.IMREAD_COLOR_RGB
        try:
            with hushed():
                coded = np.frombuffer(raw, np.uint8)
                pixels: Any = cv2.imdecode(coded, how | cv2.IMREAD_IGNORE_ORIENTATION)
                if pixels is not None and deep:
                    pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
        except cv2.error:
            pixels = None
        if pixels is not None and pixels.ndim == 3 and pixels.dtype in (np.uint8, np.uint16):
            return np.asarray(pixels)
    if header.picture is None:
        raise Unreadable("cannot be decoded (it is no image of a known kind)")
    return pillow_pixels(header.picture, "RGB", _fitted(header.picture.size, side))


def _fitted(size: Size, side: int) -> Size:
    """Width and height of the thumbnail of a picture.

    >>> _fitted((640, 481), 256), _fitted((100, 50), 256), _fitted((9000, 1), 256)
    ((256, 192), (100, 50), (256, 1))
    """
    scale = min(1.0, side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _stretched(deep: Colours) -> Colours:
    """Deep pixels in 8 bits, over the range that they use; most would look black otherwise."""
    low, high = np.percentile(deep, (_DARKEST, _BRIGHTEST))
    if high <= low:  # one value alone
        low, high = 0.0, 65535.0
    stretched = (deep.astype(np.float64) - low) * (255 / (high - low))
    return np.asarray(np.rint(stretched.clip(0, 255)), np.uint8)


def _turned(pixels: Colours, orientation: int) -> Colours:
    if orientation in _ON_THEIR_SIDE:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in _FLIPPED:
        pixels = pixels[::-1]
    if orientation in _MIRRORED:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
