import threading
import time
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from PIL import Image

from paring.dataset.content import Unreadable
from paring.dataset.formats.listing import of_files
from paring.dataset.formats.pictures import SUFFIXES, images_alone
from paring.dataset.table import IMAGES, Dataset
from paring.errors import InputError
from paring.images.similarity.decoding import (
    bit_depth,
    decode,
    read_grey,
    stored_depth,
)
from videos import STEP, video

SIZE = 16


def scene(width: int = 80, height: int = 60) -> np.ndarray:
    """Smooth colours without any symmetry (height, width, 3)."""
    small = np.random.default_rng(3).integers(0, 256, (4, 5, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def grey_of(colours: np.ndarray, size: int = SIZE) -> np.ndarray:
    """The plain way: grey, then one resize."""
    return cv2.resize(
        cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY), (size, size), interpolation=cv2.INTER_AREA
    )


def near(one: np.ndarray, other: np.ndarray, within: int) -> bool:
    return bool(np.abs(one.astype(int) - other.astype(int)).max() <= within)


def save(path: Path, picture: Image.Image, **options: object) -> Path:
    picture.save(path, **options)
    return path


def folder_of(root: Path, names: list[str]) -> Dataset:
    """A data set that names images of a folder, there or not."""
    rows = [(k + 1, name, 9, 9) for k, name in enumerate(names)]
    return images_alone(pl.DataFrame(rows, schema=IMAGES, orient="row"), root)


# -- kinds of files --------------------------------------------------------------------------

KINDS = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), ("JPEG", 5)),
    **dict.fromkeys((".png", ".apng"), ("PNG", 1)),
    **dict.fromkeys((".bmp",), ("BMP", 1)),
    **dict.fromkeys((".dib",), ("DIB", 1)),
    **dict.fromkeys((".tif", ".tiff"), ("TIFF", 1)),
    **dict.fromkeys((".webp",), ("WEBP", 12)),
    **dict.fromkeys((".avif",), ("AVIF", 12)),
    **dict.fromkeys((".gif",), ("GIF", 30)),
    **dict.fromkeys((".jp2", ".j2k", ".j2c", ".jpc"), ("JPEG2000", 2)),
    **dict.fromkeys((".ppm", ".pnm"), ("PPM", 1)),
    **dict.fromkeys((".tga",), ("TGA", 1)),
    **dict.fromkeys((".pcx",), ("PCX", 1)),
    **dict.fromkeys((".qoi",), ("QOI", 1)),
    **dict.fromkeys((".sgi",), ("SGI", 1)),
}


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_every_ending_that_counts_as_image_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    if suffix in KINDS:
        kind, within = KINDS[suffix]
        save(path, Image.fromarray(scene()), format=kind)
    else:
        within = 1
        colours = scene()[..., ::-1]
        if suffix in (".pbm", ".pgm"):
            save(path, Image.fromarray(scene()).convert("L"), format="PPM")
        else:
            cv2.imwrite(str(path), colours)
    found = read_grey(path, SIZE)
    assert found.shape == (SIZE, SIZE)
    assert found.dtype == np.uint8
    assert near(found, grey_of(scene()), within)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
@pytest.mark.parametrize("kind", ["png", "tif", "jpg", "bmp", "gif", "webp"])
def test_every_mode_gives_the_grey_values_that_pillow_gives(
    tmp_path: Path, mode: str, kind: str
) -> None:
    path = tmp_path / f"x.{kind}"
    try:
        save(path, Image.fromarray(scene(SIZE, SIZE)).convert(mode))
    except (OSError, ValueError):
        pytest.skip(f"{kind} has no {mode}")
    with Image.open(path) as picture:
        expected = np.asarray(picture.convert("L"))
    assert near(read_grey(path, SIZE), expected, 4 if kind == "jpg" else 2)


def test_transparency_has_no_part(tmp_path: Path) -> None:
    colours, alpha = Image.fromarray(scene()), Image.new("L", (80, 60), 0)
    for mode, path in (("RGBA", "rgba.png"), ("LA", "la.png"), ("RGBA", "rgba.tga")):
        veiled = colours.convert(mode)
        veiled.putalpha(alpha)
        assert near(read_grey(save(tmp_path / path, veiled), SIZE), grey_of(scene()), 1)
    palette = colours.quantize(200)
    save(tmp_path / "p.png", palette, transparency=bytes(200))
    assert near(read_grey(tmp_path / "p.png", SIZE), grey_of(np.asarray(palette.convert("RGB"))), 1)


def test_of_an_animation_the_first_picture_counts(tmp_path: Path) -> None:
    first, second = (Image.new("L", (30, 20), value) for value in (200, 50))
    for name in ("x.gif", "x.webp", "x.png", "x.tif", "x.avif"):
        save(tmp_path / name, first, save_all=True, append_images=[second])
        assert near(read_grey(tmp_path / name, SIZE), np.full((SIZE, SIZE), 200), 2)


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm", "jp2"])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_stay_sixteen(tmp_path: Path, suffix: str, channels: int) -> None:
    if (suffix, channels) in (("pgm", 3), ("jp2", 3)):
        pytest.skip("a PGM is grey; colours of a JPEG 2000 are read with 8 bits")
    side = 64
    deep = np.random.default_rng(1).integers(0, 65536, (side, side), np.uint16)
    path = tmp_path / f"x.{suffix}"
    if suffix == "jp2":
        save(path, Image.fromarray(deep))  # OpenCV writes some of it away
    else:
        cv2.imwrite(str(path), deep if channels == 1 else np.dstack([deep] * 3))
    found = read_grey(path, side)
    assert found.dtype == np.uint16
    assert near(found, deep, 0 if channels == 1 else 2)


def test_pillow_and_opencv_agree_on_sixteen_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = np.random.default_rng(1).integers(0, 65536, (40, 30), np.uint16)
    cv2.imwrite(str(tmp_path / "x.tif"), deep)
    cv2.imwrite(str(tmp_path / "x.png"), deep)
    before = [read_grey(tmp_path / name, SIZE) for name in ("x.tif", "x.png")]
    monkeypatch.setattr(cv2, "imdecode", lambda *_: None)
    after = [read_grey(tmp_path / name, SIZE) for name in ("x.tif", "x.png")]
    assert all(a.dtype == b.dtype == np.uint16 for a, b in zip(before, after, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_has_the_grey_values_that_opencv_gives(tmp_path: Path, mode: str) -> None:
    path = save(tmp_path / "x.jpg", Image.fromarray(scene(SIZE, SIZE)).convert(mode))
    assert np.array_equal(read_grey(path, SIZE), cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))


@pytest.mark.parametrize("kind", ["png", "bmp", "tif", "webp", "jp2", "ppm", "gif"])
def test_pillow_and_opencv_agree(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / f"x.{kind}", Image.fromarray(scene()))
    before = read_grey(path, SIZE)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: None)
    assert near(read_grey(path, SIZE), before, 3)


@pytest.mark.parametrize(("maxval", "dtype"), [(100, np.uint8), (4095, np.uint16)])
def test_white_of_a_pgm_is_white(tmp_path: Path, maxval: int, dtype: type) -> None:
    wide = np.full((20, 30), maxval, dtype).astype(np.dtype(dtype).newbyteorder(">"))
    (tmp_path / "x.pgm").write_bytes(f"P5\n30 20\n{maxval}\n".encode() + wide.tobytes())
    found = read_grey(tmp_path / "x.pgm", SIZE)
    assert found.dtype == dtype
    assert (found == np.iinfo(dtype).max).all()


def test_the_depth_delivered_is_the_depth_told(tmp_path: Path) -> None:
    deep = cv2.imencode(".png", np.full((20, 20), 40_000, np.uint16))[1].tobytes()
    for name, depth in (("x.png", 16), ("named wrongly.jpg", 8)):
        (tmp_path / name).write_bytes(deep)
        assert stored_depth(tmp_path / name) == depth
        assert read_grey(tmp_path / name, SIZE).dtype.itemsize * 8 == depth
    assert near(read_grey(tmp_path / "named wrongly.jpg", SIZE), np.full((16, 16), 156), 1)


# -- size and way up -------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif", "avif"])
def test_a_turned_photograph_is_read_upright(tmp_path: Path, kind: str, orientation: int) -> None:
    upright = Image.fromarray(scene())
    turn = Image.Transpose
    undone = (
        *(None, turn.FLIP_LEFT_RIGHT, turn.ROTATE_180, turn.FLIP_TOP_BOTTOM),
        *(turn.TRANSPOSE, turn.ROTATE_90, turn.TRANSVERSE, turn.ROTATE_270),
    )[orientation - 1]
    lying = upright if undone is None else upright.transpose(undone)
    exif = Image.Exif()
    exif[274] = orientation
    path = save(tmp_path / f"x.{kind}", lying, exif=exif)
    assert near(read_grey(path, SIZE), grey_of(scene()), 12)


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (500, 3), (8, 8), (16, 16), (17, 15)])
def test_images_of_any_shape_become_squares(tmp_path: Path, shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    cv2.imwrite(str(tmp_path / "x.png"), pixels)
    how = cv2.INTER_AREA if min(shape) >= SIZE else cv2.INTER_LINEAR
    expected = cv2.resize(pixels, (SIZE, SIZE), interpolation=how)
    assert np.array_equal(read_grey(tmp_path / "x.png", SIZE), expected)


# -- what cannot be read ---------------------------------------------------------------------


def encoded(kind: str) -> bytes:
    file = BytesIO()
    Image.fromarray(scene(200, 150)).save(file, kind)
    return file.getvalue()


def phrase(path: Path) -> str:
    """What is wrong with a file."""
    with pytest.raises(Unreadable) as caught:
        read_grey(path, SIZE)
    assert str(path) not in caught.value.message
    assert "\n" not in caught.value.message
    return caught.value.message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        (b"", "is empty (0 bytes)"),
        (b"just words\n" * 50, "cannot be decoded (it is no image of a known kind)"),
        (b"\xff\xd8", "cannot be decoded (it is no image of a known kind)"),
        (b"\x89PNG\r\n\x1a\n", "is truncated"),
        (b"\0" * 5000, "cannot be decoded (it is no image of a known kind)"),
    ],
)
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_a_file_that_is_no_image_is_told(
    tmp_path: Path,
    content: bytes | None,
    message: str,
    suffix: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if content is not None:
        (tmp_path / f"x.{suffix}").write_bytes(content)
    assert phrase(tmp_path / f"x.{suffix}") == message
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "kind", ["JPEG", "PNG", "GIF", "TIFF", "BMP", "PPM", "WEBP", "JPEG2000", "AVIF", "TGA"]
)
@pytest.mark.parametrize("left", [0.2, 0.5, 0.9, 0.99])
def test_a_truncated_image_is_told_silently(
    tmp_path: Path, kind: str, left: float, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = encoded(kind)
    path = tmp_path / f"x.{ {'JPEG2000': 'jp2', 'TIFF': 'tif'}.get(kind, kind.lower()) }"
    path.write_bytes(whole[: int(len(whole) * left)])
    said = phrase(path)
    if kind in ("JPEG", "PNG", "WEBP", "BMP", "PPM", "TIFF"):
        assert said == "is truncated" or "truncated" in said
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_lacks_its_end_is_truncated(tmp_path: Path, progressive: bool) -> None:
    file = BytesIO()
    Image.fromarray(scene(400, 300)).save(file, "JPEG", progressive=progressive)
    for missing in (1, 2, 10, 500):
        (tmp_path / "x.jpg").write_bytes(file.getvalue()[:-missing])
        assert "truncated" in phrase(tmp_path / "x.jpg")
    (tmp_path / "x.jpg").write_bytes(file.getvalue() + b"behind the end" * 100)
    assert read_grey(tmp_path / "x.jpg", SIZE).shape == (SIZE, SIZE)


def test_a_damaged_jpeg_is_read_or_told_but_nothing_is_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole, rng = encoded("JPEG"), np.random.default_rng(0)
    for _ in range(100):
        broken = bytearray(whole)
        for place in rng.integers(2, len(whole), 5):
            broken[place] = rng.integers(0, 256)
        (tmp_path / "x.jpg").write_bytes(bytes(broken))
        try:
            read_grey(tmp_path / "x.jpg", SIZE)
        except Unreadable as fault:
            assert fault.message
    assert capfd.readouterr() == ("", "")


def test_pixels_that_are_no_grey_values_are_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "f.tif"), np.ones((9, 9), np.float32))
    cv2.imwrite(str(tmp_path / "i.tif"), np.ones((9, 9), np.int32))
    assert phrase(tmp_path / "f.tif") == "holds 32-bit float pixels"
    assert phrase(tmp_path / "i.tif") == "holds 32-bit signed pixels"


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    Image.new("1", (100_001, 1)).save(tmp_path / "x.png")
    assert phrase(tmp_path / "x.png").startswith("is 100001 x 1 pixels, more than is believed")


# -- many images -----------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 4])
def test_all_rows_are_read_or_told(tmp_path: Path, workers: int) -> None:
    names = [f"{k}.png" for k in range(30)]
    for k, name in enumerate(names):
        save(tmp_path / name, Image.new("L", (20, 20), 8 * k))
    (tmp_path / "7.png").unlink()
    (tmp_path / "9.png").write_bytes(b"")
    found: dict[int, np.ndarray] = {}
    steps: list[int] = []
    rows = np.array([3, 29, 7, 9, 0, 5], np.int64)
    faults = decode(
        folder_of(tmp_path, names),
        SIZE,
        found.__setitem__,
        rows=rows,
        workers=workers,
        progress=steps.append,
    )
    assert faults == {7: "does not exist", 9: "is empty (0 bytes)"}
    assert {row: int(pixels.mean()) for row, pixels in found.items()} == {
        0: 0,
        3: 24,
        5: 40,
        29: 232,
    }
    assert steps[-1] == 6
    assert (
        decode(folder_of(tmp_path, names), SIZE, found.__setitem__, rows=rows[:0], workers=2) == {}
    )


def test_without_a_folder_the_first_image_is_named(tmp_path: Path) -> None:
    data = folder_of(tmp_path, ["a.png", "b.png"])
    lost = images_alone(data.images, None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"image 'b\.png' is not known; give images=DIR"):
        decode(lost, SIZE, lambda *_: None, rows=np.array([1]), workers=1)
    assert bit_depth(lost, workers=1) == 8


def test_frames_of_a_video_are_read_in_one_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video(tmp_path / "a" / "x.avi", 12)
    video(tmp_path / "b" / "x.avi", 4)
    save(tmp_path / "c#1.png", Image.new("L", (20, 20), 77))
    names = ["a/x.avi#000011", "b/x.avi#000003", "a/x.avi#000002", "c#1.png", "b/x.avi#000004"]
    opened = []
    capture = cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda *a: (opened.append(a[0]), capture(*a))[1])
    found: dict[int, np.ndarray] = {}
    faults = decode(
        folder_of(tmp_path, [*names, names[0]]),
        SIZE,
        found.__setitem__,
        rows=np.arange(6),
        workers=3,
    )
    assert faults == {4: "has no frame 4; it ends after 4"}
    assert sorted(opened) == [str(tmp_path / "a" / "x.avi"), str(tmp_path / "b" / "x.avi")]
    grey = {row: round(float(pixels.mean()) / STEP) for row, pixels in found.items() if row != 3}
    assert grey == {0: 11, 1: 3, 2: 2, 5: 11}
    assert (found[3] == 77).all()
    assert round(float(read_grey(tmp_path / "a" / "x.avi", SIZE, frame=5).mean()) / STEP) == 5
    with pytest.raises(Unreadable, match="has no frame 99"):
        read_grey(tmp_path / "a" / "x.avi", SIZE, frame=99)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_in_put_stops_all_at_once(tmp_path: Path, error: type[BaseException]) -> None:
    save(tmp_path / "x.png", Image.new("L", (20, 20)))
    calls = []

    def put(row: int, _: np.ndarray) -> None:
        calls.append(row)
        if len(calls) == 10:
            raise error("enough")

    data = folder_of(tmp_path, ["x.png"] * 5000)
    with pytest.raises(error, match="enough"):
        decode(data, SIZE, put, rows=np.arange(5000), workers=4)
    assert len(calls) < 1500
    assert not [t for t in threading.enumerate() if t.name.startswith("ThreadPoolExecutor")]


def test_an_interrupt_of_the_caller_stops_all_at_once(tmp_path: Path) -> None:
    save(tmp_path / "x.png", Image.new("L", (20, 20)))
    calls = []

    def put(row: int, _: np.ndarray) -> None:
        calls.append(row)
        time.sleep(0.01)

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    data = folder_of(tmp_path, ["x.png"] * 1000)
    with pytest.raises(KeyboardInterrupt):
        decode(data, SIZE, put, rows=np.arange(1000), workers=2, progress=interrupt)
    assert len(calls) < 200


def test_one_deep_image_makes_a_set_deep(tmp_path: Path) -> None:
    names = [f"{k}.png" for k in range(20)]
    for name in names:
        save(tmp_path / name, Image.new("L", (9, 9)))
    (tmp_path / "3.png").write_bytes(b"")
    data = folder_of(tmp_path, [*names, "gone.png", "x.jpg"])
    assert bit_depth(data, workers=2) == 8
    cv2.imwrite(str(tmp_path / "17.png"), np.zeros((9, 9), np.uint16))
    assert bit_depth(data, workers=2) == 16


def test_files_of_one_name_in_two_folders_are_two_images(tmp_path: Path) -> None:
    for folder, value in (("a", 10), ("b", 90)):
        (tmp_path / folder).mkdir()
        save(tmp_path / folder / "x.png", Image.new("L", (20, 20), value))
    found: dict[int, np.ndarray] = {}
    data = of_files([tmp_path / "b" / "x.png", tmp_path / "a" / "x.png"])
    assert decode(data, SIZE, found.__setitem__, rows=np.arange(2), workers=2) == {}
    assert [int(found[row].mean()) for row in (0, 1)] == [90, 10]
