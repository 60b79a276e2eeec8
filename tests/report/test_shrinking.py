from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from paring.dataset.content import Unreadable
from paring.report import shrinking
from paring.report.shrinking import encode, shrink, shrink_file

SIDE = 16


def scene(width: int = 80, height: int = 60) -> np.ndarray:
    """Smooth colours without any symmetry (height, width, 3)."""
    small = np.random.default_rng(3).integers(0, 256, (4, 5, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def small_of(colours: np.ndarray) -> np.ndarray:
    """The plain way, for landscapes of four by three."""
    return cv2.resize(colours, (SIDE, SIDE * 3 // 4), interpolation=cv2.INTER_AREA)


def away(one: np.ndarray, other: np.ndarray) -> int:
    """The largest difference of two pictures of one size."""
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other.astype(int)).max())


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
@pytest.mark.parametrize("kind", ["png", "tif", "jpg", "bmp", "gif", "webp", "tga", "jp2"])
def test_every_mode_of_every_kind_gives_the_colours_that_pillow_gives(
    tmp_path: Path, mode: str, kind: str
) -> None:
    path = tmp_path / f"x.{kind}"
    try:
        Image.fromarray(scene()).convert(mode, dither=Image.Dither.NONE).save(path)
    except (OSError, ValueError):
        pytest.skip(f"{kind} has no {mode}")
    with Image.open(path) as picture:
        expected = small_of(np.asarray(picture.convert("RGB")))
    # decoding in part blurs hard edges; of YCbCr in JPEG 2000 each decoder has its own idea
    within = {("jpg", "1"): 45, ("jp2", "YCbCr"): 25}.get((kind, mode), 12 if kind == "jpg" else 3)
    assert away(shrink_file(path, (80, 60), SIDE), expected) <= within


def test_transparency_has_no_part(tmp_path: Path) -> None:
    veiled = Image.fromarray(scene()).convert("RGBA")
    veiled.putalpha(0)
    veiled.save(tmp_path / "rgba.png")
    palette = Image.fromarray(scene()).quantize(200)
    palette.save(tmp_path / "p.png", transparency=bytes(200))
    assert away(shrink_file(tmp_path / "rgba.png", (80, 60), SIDE), small_of(scene())) <= 1
    expected = small_of(np.asarray(palette.convert("RGB")))
    assert away(shrink_file(tmp_path / "p.png", (80, 60), SIDE), expected) <= 1


@pytest.mark.parametrize("size", [(1, 1), (7, 16), (16, 16)])
def test_a_small_image_is_not_enlarged(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.fromarray(scene(*size)).save(tmp_path / "x.png")
    assert np.array_equal(shrink_file(tmp_path / "x.png", size, SIDE), scene(*size))


@pytest.mark.parametrize("kind", ["png", "jpg"])
@pytest.mark.parametrize(("size", "fitted"), [((40_000, 3), (16, 1)), ((3, 40_000), (1, 16))])
def test_a_strip_keeps_a_pixel_of_its_shorter_side(
    tmp_path: Path, kind: str, size: tuple[int, int], fitted: tuple[int, int]
) -> None:
    Image.new("RGB", size, (9, 90, 200)).save(tmp_path / f"x.{kind}")
    small = shrink_file(tmp_path / f"x.{kind}", size, SIDE)
    assert small.shape == (fitted[1], fitted[0], 3)
    assert away(small, np.full_like(small, (9, 90, 200))) <= 3


@pytest.mark.parametrize("size", [(1601, 1203), (1280, 960), (130, 97)])
def test_a_jpeg_decoded_in_part_looks_like_one_decoded_whole(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    path = tmp_path / "x.jpg"
    Image.fromarray(scene(*size)).save(path, quality=95)
    whole = shrink(cv2.imread(str(path), cv2.IMREAD_COLOR_RGB), 100)
    small = shrink_file(path, size, 100)
    assert small.shape == whole.shape == (75, 100, 3)
    assert away(small, whole) <= 8


def test_of_a_large_jpeg_no_more_pixels_are_decoded_than_are_of_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = []

    def seen(pixels: np.ndarray, *more: object) -> np.ndarray:
        shapes.append(pixels.shape[:2])
        return shrink(pixels, *more)

    monkeypatch.setattr(shrinking, "shrink", seen)
    for size in ((1600, 1200), (640, 480), (120, 90)):
        Image.fromarray(scene(*size)).save(tmp_path / "x.jpg")
        shrink_file(tmp_path / "x.jpg", size, 100)
    assert shapes == [(150, 200), (120, 160), (90, 120)]


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photograph_is_upright_unless_its_record_has_the_stored_size(
    tmp_path: Path, orientation: int, kind: str
) -> None:
    path, exif = tmp_path / f"x.{kind}", Image.Exif()
    exif[274] = orientation
    Image.fromarray(scene()).save(path, exif=exif, **({"quality": 95} if kind != "tif" else {}))
    if kind == "tif":  # Pillow turns it by itself
        with Image.open(path) as picture:
            upright = np.asarray(picture.convert("RGB"))
    else:
        upright = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    aside = orientation > 4
    assert upright.shape[:2] == ((80, 60) if aside else (60, 80))
    expected = shrink(upright, SIDE)
    within = {"jpg": 12, "webp": 12}.get(kind, 1)
    for record in ((60, 80) if aside else (80, 60), (0, 0), (5, 5)):
        assert away(shrink_file(path, record, SIDE), expected) <= within
    stored = shrink_file(path, (80, 60), SIDE)
    assert away(stored, small_of(scene()) if aside else expected) <= within


def test_a_square_on_its_side_is_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    for name in ("x.png", "x.tif"):
        Image.fromarray(scene(20, 20)).save(tmp_path / name, exif=exif)
        small = shrink_file(tmp_path / name, (20, 20), 20)
        assert np.array_equal(small, np.rot90(scene(20, 20), -1))


@pytest.mark.parametrize("kind", ["png", "tif", "ppm", "jp2"])
def test_a_dark_deep_image_uses_all_of_eight_bits(tmp_path: Path, kind: str) -> None:
    deep = scene(64, 48).astype(np.uint16) * 3 + 1000
    cv2.imwrite(str(tmp_path / f"x.{kind}"), deep[..., ::-1])
    low, high = np.percentile(deep, (0.5, 99.5))
    expected = np.clip((deep - low) / (high - low) * 255, 0, 255)
    assert away(shrink_file(tmp_path / f"x.{kind}", (64, 48), 64), expected) <= 2
    cv2.imwrite(str(tmp_path / f"grey.{kind if kind != 'ppm' else 'pgm'}"), deep[..., 0])
    (grey,) = tmp_path.glob("grey.*")
    small = shrink_file(grey, (64, 48), 64)
    assert (small.min(), small.max()) == (0, 255)
    assert np.array_equal(small[..., 0], small[..., 2])


def test_a_few_pixels_far_out_do_not_make_a_deep_image_black(tmp_path: Path) -> None:
    deep = np.linspace(100, 200, 10_000).round().astype(np.uint16).reshape(100, 100)
    deep[0, 0] = 65535
    cv2.imwrite(str(tmp_path / "x.png"), deep)
    assert shrink_file(tmp_path / "x.png", (100, 100), 100).std() > 60


def test_a_deep_image_of_one_value_keeps_its_place_between_black_and_white(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "x.png"), np.full((9, 9), 257 * 100, np.uint16))
    assert np.array_equal(shrink_file(tmp_path / "x.png", (9, 9), 9), np.full((9, 9, 3), 100))


def test_the_first_picture_of_an_animation_counts(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert away(shrink_file(tmp_path / "x.gif", (9, 9), 9), np.full((9, 9, 3), (255, 0, 0))) <= 1


def test_what_cannot_be_read_is_told_without_its_path(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.png").write_bytes(b"text")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "folder.jpg").mkdir()
    Image.fromarray(scene()).save(tmp_path / "x.jpg")
    (tmp_path / "short.jpg").write_bytes((tmp_path / "x.jpg").read_bytes()[:900])
    Image.new("F", (3, 3)).save(tmp_path / "float.tif")
    reasons = {
        "text.png": "cannot be decoded (it is no image of a known kind)",
        "empty.jpg": "is empty (0 bytes)",
        "folder.jpg": "is a folder",
        "short.jpg": "is truncated",
        "float.tif": "holds 32-bit float pixels",
        "lost.jpg": "does not exist",
        "nul\0.jpg": "cannot be read (embedded null byte)",
        f"{'long' * 100}.jpg": "cannot be read (File name too long)",
    }
    for name, why in reasons.items():
        with pytest.raises(Unreadable) as fault:
            shrink_file(tmp_path / name, (80, 60), SIDE)
        assert fault.value.message == why
    assert capfd.readouterr() == ("", "")


def test_a_thumbnail_is_a_jpeg_of_the_quality_asked_for() -> None:
    pixels = scene()
    fine, rough = encode(pixels, 95), encode(pixels, 20)
    assert len(fine) > len(rough)
    decoded = cv2.imdecode(np.frombuffer(fine, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert away(decoded, pixels) <= 20
