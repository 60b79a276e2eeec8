"""What the header of an image file tells: its size, its depth, which way up it is.

Nothing is decoded here. What no decoder could make honest grey values of is refused.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from paring.dataset.content import Unreadable
from paring.dataset.hush import undisturbed
from paring.dataset.labelmaps import LARGEST_IMAGE, LARGEST_SIDE

if TYPE_CHECKING:
    from PIL import Image

DEEP_SUFFIXES = frozenset(
    (
        *(".png", ".apng", ".tif", ".tiff", ".pgm", ".ppm", ".pnm"),
        *(".jp2", ".j2k", ".j2c", ".jpc"),
    )
)
"""Endings of the files whose pixels can have 16 bits; all others are read with 8."""

_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_WIDTH, _HEIGHT, _BITS, _ORIENTATION, _SAMPLES = 256, 257, 258, 274, 339  # TIFF tags
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3  # values of the last of them
_MAXVAL = re.compile(rb"P[2356]\s+\d+\s+\d+\s+(\d+)\s")
_LOUD = ("JPEG", "MPO")  # OpenCV lets libjpeg write to stderr; Pillow gives the same grey values


@dataclass(frozen=True)
class Header:
    """An image before it is decoded.

    Attributes
    ----------
    depth : bits of a pixel, 8 or 16.
    orientation : 1 to 8 as in EXIF, what is left to do to the decoded pixels.
    opencv : whether OpenCV makes of it what the file says, and that silently.
    picture : the image opened by Pillow, where Pillow knows its kind.
    """

    depth: int
    orientation: int
    opencv: bool
    picture: Image.Image | None


def stored_depth(path: Path) -> int:
    """Bits of a pixel that a file holds, 8 or 16, from its header alone.

    Raises `Unreadable` where the file cannot be opened or its header is broken.
    """
    if path.suffix.lower() not in DEEP_SUFFIXES:
        return 8
    try:
        with path.open("rb") as file:
            return _depth(file)
    except OSError as error:
        raise Unreadable(f"cannot be read ({error.strerror or error})") from error


def read_header(raw: bytes, *, deep: bool) -> Header:
    """The header of an image file by its content; with `deep`, it may have 16 bits.

    Raises `Unreadable` where there is none, where it tells of more pixels than are believed, and
    where these are not whole numbers from 0 on of 16 bits at most.
    """
    depth = _depth(BytesIO(raw)) if deep else 8
    if raw.startswith(_TIFF):
        return _tiff_header(raw, depth)
    picture = _opened(BytesIO(raw))
    _believe(*picture.size)
    if picture.mode == "F":
        raise Unreadable("holds 32-bit float pixels")
    scaled = _maxval(raw[:1024]) in (None, 255, 65535)  # OpenCV leaves other ranges as they are
    opencv = scaled and picture.format not in _LOUD
    return Header(depth, _orientation(picture), opencv, picture)


def without_extras(raw: bytes) -> bytes:
    """A file as it came; a PNG checked, and without what has no part in its pixels.

    libpng writes to stderr about every profile and comment that it finds odd. Raises `Unreadable`
    where a PNG is cut short or a checksum of its pixels does not fit.
    """
    if not raw.startswith(_PNG):
        if raw[:4] == b"RIFF" and int.from_bytes(raw[4:8], "little") + 8 > len(raw):
            raise Unreadable("is truncated")
        return raw
    view, at, kept = memoryview(raw), 8, [memoryview(raw)[:8]]
    while True:
        length, kind = int.from_bytes(view[at : at + 4], "big"), bytes(view[at + 4 : at + 8])
        end = at + 12 + length
        if end > len(raw):
            raise Unreadable("is truncated")
        if kind in (b"IHDR", b"PLTE", b"IDAT", b"eXIf", b"IEND"):
            checksum = int.from_bytes(view[end - 4 : end], "big")
            if zlib.crc32(view[at + 4 : end - 4]) == checksum:
                kept.append(view[at:end])
            elif kind != b"eXIf":
                raise Unreadable("is damaged (a checksum does not fit)")
        if kind == b"IEND":
            return b"".join(kept)
        at = end


def reason(error: BaseException) -> str:
    """In a phrase, why Pillow could not read a file."""
    from PIL import UnidentifiedImageError

    said = str(error)
    if isinstance(error, EOFError) or re.search("truncat|unexpected end|not enough", said.lower()):
        return "is truncated"
    if isinstance(error, UnidentifiedImageError) or not said:
        return "cannot be decoded (it is no image of a known kind)"
    return f"cannot be decoded ({said})"


def _depth(file: BinaryIO) -> int:
    head = file.read(1024)
    file.seek(0)
    if head.startswith(_PNG):
        return 16 if head[24:25] == b"\x10" else 8
    if head.startswith(_TIFF):
        return 16 if 8 < _bits(_tags(file)) <= 16 else 8
    maxval = _maxval(head)
    if maxval is not None:
        return 16 if maxval > 255 else 8
    return 16 if _opened(file).mode.startswith("I") else 8


def _maxval(head: bytes) -> int | None:
    """The value of white in a PGM or PPM."""
    found = _MAXVAL.match(re.sub(rb"#[^\n]*\n?", b"", head[:1024]))
    return None if found is None else int(found[1])


def _tiff_header(raw: bytes, depth: int) -> Header:
    tags = _tags(BytesIO(raw))
    bits, sample = _bits(tags), tags.get(_SAMPLES, (_UNSIGNED,))
    sample = sample[0] if isinstance(sample, tuple) else sample
    width, height = (tags.get(tag, 0) for tag in (_WIDTH, _HEIGHT))
    if not (isinstance(width, int) and isinstance(height, int)):
        raise Unreadable("cannot be decoded (its header is broken)")
    _believe(width, height)
    if sample == _FLOAT:
        raise Unreadable(f"holds {bits}-bit float pixels")
    if sample == _SIGNED or bits > 16:
        raise Unreadable(f"holds {bits}-bit {'signed ' if sample == _SIGNED else ''}pixels")
    try:
        picture = _opened(BytesIO(raw))
    except Unreadable:
        return Header(depth, 1, opencv=True, picture=None)
    # Pillow turns a TIFF by itself; OpenCV turns some of them
    return Header(depth, 1, opencv=tags.get(_ORIENTATION, 1) == 1, picture=picture)


def _tags(file: BinaryIO) -> dict[int, Any]:
    """The tags of the first image of a TIFF."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    with undisturbed():
        try:
            start = file.read(8)
            start += file.read(8) if start[2:3] == b"+" or start[3:4] == b"+" else b""
            tags = ImageFileDirectory_v2(start)
            file.seek(tags.next)
            tags.load(file)
            return dict(tags)
        except Exception as error:  # a broken file makes Pillow raise anything
            raise Unreadable(reason(error)) from error


def _bits(tags: dict[int, Any]) -> int:
    """Bits of a value in the channel that has the most."""
    given = tags.get(_BITS, 1)
    bits: tuple[int, ...] = given if isinstance(given, tuple) else (given,)
    if not bits or not all(isinstance(b, int) for b in bits):
        raise Unreadable("cannot be decoded (its header is broken)")
    return max(bits)


def _opened(file: BinaryIO) -> Image.Image:
    from PIL import Image

    with undisturbed():
        try:
            return Image.open(file)
        except Exception as error:  # a broken file makes Pillow raise anything
            raise Unreadable(reason(error)) from error


def _orientation(picture: Image.Image) -> int:
    """How a photograph lies by its EXIF data, 1 where that is silent or broken."""
    if "exif" not in picture.info:
        return 1
    with undisturbed():
        try:
            turned = picture.getexif().get(_ORIENTATION, 1)
        except Exception:  # as above; a photograph with broken EXIF data is shown as it lies
            return 1
    return turned if turned in range(1, 9) else 1


def _believe(width: int, height: int) -> None:
    if min(width, height) < 1:
        raise Unreadable(f"is {width} x {height} pixels, so it has none")
    if max(width, height) > LARGEST_SIDE or width * height > LARGEST_IMAGE:
        raise Unreadable(
            f"is {width} x {height} pixels, more than is believed "
            f"({LARGEST_SIDE:,} a side, {LARGEST_IMAGE:,} in all)"
        )
