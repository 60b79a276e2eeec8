import zlib
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from paring.dataset.content import Unreadable
from paring.images.similarity.headers import read_header, stored_depth, without_extras

DEEP = np.arange(600, dtype=np.uint16).reshape(20, 30) * 109


def netpbm(maxval: int, comment: bytes = b"") -> bytes:
    width = 2 if maxval > 255 else 1
    return b"P5\n" + comment + f"30 20\n{maxval}\n".encode() + bytes(600 * width)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm", ".jp2"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_depth_is_told_by_the_header(tmp_path: Path, suffix: str, dtype: type) -> None:
    cv2.imwrite(str(tmp_path / f"x{suffix}"), DEEP.astype(dtype))
    assert stored_depth(tmp_path / f"x{suffix}") == np.dtype(dtype).itemsize * 8


@pytest.mark.parametrize("suffix", [".png", ".tif", ".ppm"])
def test_colours_of_16_bits_are_deep_too(tmp_path: Path, suffix: str) -> None:
    cv2.imwrite(str(tmp_path / f"x{suffix}"), np.dstack([DEEP] * 3))
    assert stored_depth(tmp_path / f"x{suffix}") == 16


@pytest.mark.parametrize(("maxval", "depth"), [(1, 8), (255, 8), (256, 16), (4095, 16)])
def test_white_tells_the_depth_of_a_pgm_comments_or_not(
    tmp_path: Path, maxval: int, depth: int
) -> None:
    for comment in (b"", b"# made by 65535 hands\n"):
        (tmp_path / "x.pgm").write_bytes(netpbm(maxval, comment))
        assert stored_depth(tmp_path / "x.pgm") == depth


def test_the_depth_needs_no_pixels_and_no_file_of_another_kind(tmp_path: Path) -> None:
    whole = cv2.imencode(".png", DEEP)[1].tobytes()
    (tmp_path / "x.png").write_bytes(whole[:60])
    assert stored_depth(tmp_path / "x.png") == 16
    assert stored_depth(tmp_path / "not there.jpg") == 8
    with pytest.raises(Unreadable, match="No such file"):
        stored_depth(tmp_path / "not there.png")
    (tmp_path / "x.tif").write_bytes(b"II*\0")
    with pytest.raises(Unreadable):
        stored_depth(tmp_path / "x.tif")


@pytest.mark.parametrize(
    ("suffix", "dtype", "message"),
    [
        (".tif", np.float32, "holds 32-bit float pixels"),
        (".tif", np.float64, "holds 64-bit float pixels"),
        (".tif", np.int32, "holds 32-bit signed pixels"),
        (".tif", np.int16, "holds 16-bit signed pixels"),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_that_are_no_small_whole_numbers_are_refused(
    suffix: str, dtype: type, message: str, channels: int
) -> None:
    done, raw = cv2.imencode(suffix, np.ones((4, 5, channels), dtype))
    assert done
    with pytest.raises(Unreadable, match=f"^{message}$"):
        read_header(raw.tobytes(), deep=True)


def test_a_float_map_is_refused() -> None:
    raw = b"Pf\n2 1\n-1.0\n" + bytes(8)
    with pytest.raises(Unreadable, match="^holds 32-bit float pixels$"):
        read_header(raw, deep=False)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm", ".bmp"])
def test_a_bomb_is_refused_before_a_pixel_is_decoded(suffix: str) -> None:
    tall = cv2.imencode(suffix, np.zeros((100_001, 1), np.uint8))[1].tobytes()
    with pytest.raises(Unreadable, match="^is 1 x 100001 pixels, more than is believed"):
        read_header(tall, deep=True)
    claimed = bytearray(cv2.imencode(".png", np.zeros((1, 1), np.uint8))[1].tobytes())
    claimed[16:24] = (60_000).to_bytes(4, "big") * 2
    claimed[29:33] = zlib.crc32(claimed[12:29]).to_bytes(4, "big")
    with pytest.raises(Unreadable, match="^is 60000 x 60000 pixels, more than is believed"):
        read_header(bytes(claimed), deep=True)


def test_an_image_larger_than_pillow_believes_gives_no_warning() -> None:
    limit = Image.MAX_IMAGE_PIXELS
    claimed = b"P5\n20000 20000\n255\n"  # 400 million pixels
    assert read_header(claimed, deep=True).depth == 8
    assert limit == Image.MAX_IMAGE_PIXELS


def with_chunk(raw: bytes, kind: bytes, content: bytes, checksum: int | None = None) -> bytes:
    told = zlib.crc32(kind + content) if checksum is None else checksum
    chunk = len(content).to_bytes(4, "big") + kind + content + told.to_bytes(4, "big")
    return raw[:33] + chunk + raw[33:]


def test_odd_extras_of_a_png_are_left_out() -> None:
    raw = cv2.imencode(".png", DEEP)[1].tobytes()
    odd = with_chunk(with_chunk(raw, b"iCCP", b"x\0\0junk"), b"tEXt", b"a\0b", checksum=7)
    assert without_extras(odd + b"behind the end") == without_extras(raw)
    assert np.array_equal(cv2.imdecode(np.frombuffer(without_extras(odd), np.uint8), -1), DEEP)


def test_a_png_cut_anywhere_is_truncated() -> None:
    raw = cv2.imencode(".png", DEEP)[1].tobytes()
    for length in range(8, len(raw)):
        with pytest.raises(Unreadable, match="^is truncated$"):
            without_extras(raw[:length])


def test_a_png_with_a_byte_changed_among_its_pixels_is_damaged() -> None:
    raw = bytearray(cv2.imencode(".png", DEEP)[1].tobytes())
    raw[len(raw) // 2] ^= 1
    with pytest.raises(Unreadable, match="is damaged"):
        without_extras(bytes(raw))


def test_broken_exif_data_leaves_an_image_as_it_lies() -> None:
    raw = cv2.imencode(".png", DEEP)[1].tobytes()
    assert read_header(with_chunk(raw, b"eXIf", b"II*\0junk"), deep=True).orientation == 1
    photo = BytesIO()
    Image.new("L", (4, 3)).save(photo, "JPEG", exif=b"Exif\0\0MM\0*junk")
    assert read_header(photo.getvalue(), deep=False).orientation == 1


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP", "PPM", "JPEG2000"])
def test_bytes_changed_at_random_raise_nothing_but_unreadable(kind: str) -> None:
    file = BytesIO()
    Image.fromarray((DEEP >> 8).astype(np.uint8)).save(file, kind)
    raw, rng = file.getvalue(), np.random.default_rng(0)
    for _ in range(200):
        broken = bytearray(raw[: rng.integers(1, len(raw) + 1)])
        for place in rng.integers(0, min(len(broken), 80), 4):
            broken[place] = rng.integers(0, 256)
        try:
            read_header(without_extras(bytes(broken)), deep=True)
        except Unreadable as fault:
            assert 5 < len(fault.message) < 200
