import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

import contour_oracle as oracle
from paring.dataset import rle
from paring.dataset.masks import MaskStore
from paring.errors import InputError
from paring.images.contours import measure as contour
from paring.images.contours.measure import measure_contours

ENGINES = ("opencv", "compiled")
SQRT2 = float(np.float32(np.sqrt(2)))


def from_bitmaps(*bitmaps: NDArray) -> MaskStore:
    runs = [rle.encode_bitmap(b.astype(np.uint8), 0, 0, *b.shape) for b in bitmaps]
    sizes = np.array([b.shape for b in bitmaps])
    return MaskStore.from_runs(runs, heights=sizes[:, 0], widths=sizes[:, 1])


def from_parts(*parts: list[float], size: int = 64) -> MaskStore:
    return MaskStore.from_polygons([list(parts)], heights=[size], widths=[size])


def block(x: int, y: int, width: int, height: int) -> list[float]:
    """The polygon of a block of pixels, which has its vertices at the corner pixels' centres."""
    right, bottom = x + width - 1, y + height - 1
    return [x, y, right, y, right, bottom, x, bottom]


def blocks(size: int, *of: tuple[int, int, int, int]) -> NDArray:
    bitmap = np.zeros((size, size), bool)
    for x, y, width, height in of:
        bitmap[y : y + height, x : x + width] = True
    return bitmap


def disc(radius: int, hole: int = -1) -> NDArray:
    y, x = np.mgrid[-radius - 2 : radius + 3, -radius - 2 : radius + 3]
    distance = x**2 + y**2
    return (distance <= radius**2) & (distance > hole * abs(hole))


def assert_equal(masks: MaskStore, engine: str) -> None:
    expected = oracle.measure(masks)
    for ours, theirs in zip(measure_contours(masks, engine=engine), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


# -- the definition ---------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("mask", "area", "perimeter", "score"),
    [
        pytest.param(blocks(8), 0, 0, 0, id="no pixel"),
        pytest.param(blocks(8, (3, 3, 1, 1)), 0, 0, 0, id="one pixel"),
        pytest.param(blocks(8, (3, 3, 2, 1)), 0, 2, 0, id="two pixels"),
        pytest.param(blocks(8, (3, 1, 1, 6)), 0, 10, 0, id="a line"),
        pytest.param(np.eye(8, dtype=bool), 0, 2 * np.sqrt(np.float32(98)), 0, id="a slanted line"),
        pytest.param(blocks(8, (3, 3, 2, 2)), 1, 4, 1.1283792, id="2 x 2"),
        pytest.param(blocks(8, (3, 3, 3, 3)), 4, 8, 1.1283792, id="3 x 3"),
        pytest.param(blocks(20, (3, 3, 10, 10)), 81, 36, 1.1283792, id="10 x 10"),
        pytest.param(blocks(20, (0, 0, 20, 20)), 361, 76, 1.1283792, id="the whole image"),
        pytest.param(disc(1), 2, 4 * SQRT2, 1.1283791, id="a plus"),
        pytest.param(disc(50), 7704, 329.71, 1.05965, id="a disc"),
        pytest.param(disc(50, hole=30), 7704, 329.71, 1.05965, id="a ring is its disc"),
        pytest.param(
            blocks(40, (0, 0, 10, 10), (20, 20, 10, 10)), 81, 36, 1.12838, id="one of two squares"
        ),
        pytest.param(
            *(blocks(40, (0, 0, 10, 10), (10, 10, 10, 10)), 162, 72 + 2 * SQRT2, 1.6585),
            id="squares that touch at a corner are one",
        ),
    ],
)
def test_shapes_have_the_published_measures(
    engine: str, mask: NDArray, area: float, perimeter: float, score: float
) -> None:
    measured_area, measured_perimeter = measure_contours(from_bitmaps(mask), engine=engine)
    assert measured_area[0] == area
    assert measured_perimeter[0] == pytest.approx(perimeter, abs=5e-3)
    si = measured_perimeter[0] / (2 * np.sqrt(np.pi * area)) if area else 0.0
    assert si == pytest.approx(score, abs=5e-6 if score < 1.6 else 5e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_vertices_are_truncated_toward_zero_and_borders_are_filled(engine: str) -> None:
    square = [10.6, 10.6, 20.6, 10.6, 20.6, 20.6, 10.6, 20.6]  # pixels 10 to 20
    left = [-0.9, 0.9, 4.9, 0.9, 4.9, 3.2, -0.9, 3.2]  # columns 0 to 4, rows 0 to 3
    masks = MaskStore.from_polygons([[square], [left]], heights=[30, 30], widths=[30, 30])
    area, perimeter = measure_contours(masks, engine=engine)
    assert area.tolist() == [100.0, 12.0]
    assert perimeter.tolist() == [40.0, 14.0]


@pytest.mark.parametrize("engine", ENGINES)
def test_parts_that_overlap_unite(engine: str) -> None:
    area, perimeter = measure_contours(
        from_parts(block(0, 0, 10, 10), block(5, 0, 10, 10)), engine=engine
    )
    assert (area[0], perimeter[0]) == (14 * 9, 2 * (14 + 9))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_larger_shape_outside_beats_what_lies_in_a_hole(engine: str) -> None:
    ring_with_core = blocks(64, (0, 0, 21, 21))
    ring_with_core[1:20, 1:20] = False
    ring_with_core[5:15, 5:15] = True
    area, _ = measure_contours(from_bitmaps(ring_with_core), engine=engine)
    assert area[0] == 400


@pytest.mark.parametrize("engine", ENGINES)
def test_of_equal_areas_the_one_that_begins_last_in_row_order_counts(engine: str) -> None:
    diamond = [11.0, 2, 12, 3, 11, 4, 10, 3]  # a plus: area 2, perimeter 4 sqrt(2)
    bar = block(2, 20, 3, 2)  # area 2, perimeter 6; below the plus, and to its left
    low_plus = [v + 40 * (k % 2) for k, v in enumerate(diamond)]
    both, swapped = (from_parts(d, bar) for d in (diamond, low_plus))
    as_runs = from_bitmaps(*(oracle.draw(m.polygon(0), 64, 64) for m in (both, swapped)))
    for masks in (MaskStore.concat([both, swapped]), as_runs):
        area, perimeter = measure_contours(masks, engine=engine)
        assert area.tolist() == [2.0, 2.0]
        assert perimeter.tolist() == [6.0, 4 * SQRT2]


@pytest.mark.parametrize("engine", ENGINES)
def test_masks_without_pixels_in_their_image_measure_zero(engine: str) -> None:
    polygons = [[], [[]], [block(-30, 2, 5, 5)], [block(20, 0, 5, 5)], [block(0, 0, 5, 5)]]
    masks = MaskStore.from_polygons(polygons, heights=[9, 9, 9, 9, 0], widths=[20, 20, 20, 20, 0])
    area, perimeter = measure_contours(masks, engine=engine)
    assert area.tolist() == perimeter.tolist() == [0.0] * 5


# -- equal to the oracle ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", oracle.KINDS)
def test_random_polygons_measure_as_on_the_full_image(kind: str) -> None:
    n = 100 if kind == "far away" else 1500  # OpenCV goes through a million rows for these
    masks = oracle.random_polygons(seed=oracle.KINDS.index(kind), kind=kind, n=n)
    for engine in ENGINES:
        assert_equal(masks, engine)


def test_random_run_lengths_measure_as_on_the_full_image() -> None:
    masks = oracle.random_runs(seed=3, n=2000)
    for engine in ENGINES:
        assert_equal(masks, engine)


@settings(max_examples=300, deadline=None)
@given(oracle.polygon_masks())
def test_any_polygon_measures_as_on_the_full_image(masks: MaskStore) -> None:
    for engine in ENGINES:
        assert_equal(masks, engine)


@settings(max_examples=200, deadline=None)
@given(oracle.run_masks())
def test_any_run_lengths_measure_as_on_the_full_image(masks: MaskStore) -> None:
    for engine in ENGINES:
        assert_equal(masks, engine)


def test_large_slants_are_rounded_as_opencv_rounds_them() -> None:
    # the squares of such lengths do not fit single precision
    corners = [[0, 0, k, k, 0, 2 * k] for k in (5001, 7777)]
    masks = MaskStore.from_polygons([[c] for c in corners], heights=[16000] * 2, widths=[8000] * 2)
    for engine in ENGINES:
        assert_equal(masks, engine)


def test_coco_polygons_measure_as_on_the_full_image(shared_data: Path) -> None:
    import paring

    masks = paring.read(shared_data / "coco160" / "instances.json").masks
    for engine in ENGINES:
        assert_equal(masks, engine)


# -- workers, progress, errors ----------------------------------------------------------------


def test_the_number_of_workers_and_the_order_change_nothing() -> None:
    masks = oracle.random_polygons(seed=9, kind="star", n=5000)
    one = measure_contours(masks, engine="compiled", workers=1)
    two = measure_contours(masks, engine="compiled", workers=2)
    reverse = np.arange(len(masks))[::-1]
    back = measure_contours(masks.take(reverse), engine="compiled", workers=3)
    for a, b, c in zip(one, two, back, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c[reverse])


@pytest.mark.parametrize("engine", ENGINES)
def test_progress_rises_to_the_number_of_masks(engine: str) -> None:
    masks = oracle.random_polygons(seed=1, kind="inside", n=2500)
    seen: list[int] = []
    measure_contours(masks, engine=engine, workers=2, progress=seen.append)
    assert seen == sorted(set(seen))
    assert seen[-1] == 2500


@pytest.mark.parametrize("engine", ENGINES)
def test_a_box_of_too_many_pixels_is_refused_by_number(engine: str) -> None:
    size = [40_000] * 2
    small, large = block(39_000, 39_000, 50, 50), block(-5, -5, 40_100, 40_100)
    masks = MaskStore.from_polygons([[small], [large]], heights=size, widths=size)
    with pytest.raises(InputError, match="mask 1 spans 40000 x 40000 pixels"):
        measure_contours(masks, engine=engine)
    runs = [np.array([0, 40_000**2], np.uint32)]
    with pytest.raises(InputError, match="mask 0 spans"):
        measure_contours(
            MaskStore.from_runs(runs, heights=size[:1], widths=size[:1]), engine=engine
        )
    area, _ = measure_contours(masks.take([0]), engine=engine)
    assert area[0] == 49 * 49


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -(2.0**30), 1e300])
def test_a_vertex_that_is_no_pixel_is_refused_by_number(engine: str, value: float) -> None:
    polygons = [[block(0, 0, 5, 5)], [], [block(0, 0, 5, 5), [1, 1, 4, value, 4, 4]]]
    masks = MaskStore.from_polygons(polygons, heights=[9] * 3, widths=[9] * 3)
    with pytest.raises(InputError, match="mask 2 has a vertex"):
        measure_contours(masks, engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_run_lengths_that_overfill_their_image_are_refused_by_number(engine: str) -> None:
    runs = [np.array([3, 6], np.uint32), np.array([3, 7], np.uint32)]
    masks = MaskStore.from_runs(runs, heights=[3, 3], widths=[3, 3])
    with pytest.raises(InputError, match="mask 1 has run lengths"):
        measure_contours(masks, engine=engine)


def test_a_mask_too_large_for_compiled_scratch_memory_is_measured_all_the_same() -> None:
    size = 2_100
    x = np.arange(size)
    zigzag = np.stack((x, (x % 2) * (size - 1)), axis=1).reshape(-1)  # 4.4 million edge rows
    masks = MaskStore.from_polygons([[zigzag]], heights=[size], widths=[size])
    assert_equal(masks, "compiled")


@pytest.mark.parametrize(("option", "value"), [("engine", "gpu"), ("workers", 0)])
def test_an_unknown_option_is_refused(option: str, value: object) -> None:
    masks = from_parts(block(0, 0, 5, 5))
    with pytest.raises(InputError, match=option):
        measure_contours(masks, **{option: value})  # type: ignore[arg-type]


# -- which engine -----------------------------------------------------------------------------


def measure_in_new_process(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


USE_ONE_MASK = """
import sys
from paring.dataset.masks import MaskStore
from paring.images.contours import measure as contour
assert "cv2" not in sys.modules and "numba" not in sys.modules, "imported too early"
masks = MaskStore.from_polygons([[[0, 0, 9, 0, 9, 9]]] * {n}, heights=[20] * {n}, widths=[20] * {n})
area, _ = contour.measure_contours(masks)
print(area[-1], "numba" in sys.modules, contour._is_ready())
"""


def test_a_small_job_imports_opencv_alone_and_only_when_it_measures() -> None:
    assert measure_in_new_process(USE_ONE_MASK.format(n=1)).split() == ["40.5", "False", "False"]


def test_auto_does_without_compiled_code_where_it_cannot_be_cached() -> None:
    no_folder_will_do = """
from numba.core import caching
from paring.dataset.masks import MaskStore
from paring.images.contours import measure as contour
caching.CacheImpl._locator_classes = []
contour._SECONDS_TO_COMPILE = contour._SECONDS_TO_LOAD = 0
masks = MaskStore.from_polygons([[[0, 0, 9, 0, 9, 9]]], heights=[20], widths=[20])
print(contour.measure_contours(masks)[0][0], contour._is_ready())
"""
    assert measure_in_new_process(no_folder_will_do).split() == ["40.5", "False"]


def test_auto_does_without_compiled_code_where_numba_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setattr(contour, "_is_ready", lambda: False)
    monkeypatch.setattr(contour, "_SECONDS_TO_COMPILE", 0.0)
    monkeypatch.setattr(contour, "_SECONDS_TO_LOAD", 0.0)
    monkeypatch.setattr(contour, "_measure_compiled", None)
    area, _ = measure_contours(from_parts(block(0, 0, 5, 5)))
    assert area[0] == 16


def test_auto_compiles_for_a_job_that_is_large_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    masks = from_parts(block(0, 0, 5, 5))
    monkeypatch.setattr(contour, "_is_ready", lambda: False)
    for cached, worth in ((True, contour._SECONDS_TO_LOAD), (False, contour._SECONDS_TO_COMPILE)):
        monkeypatch.setattr(contour, "_is_cached", lambda cached=cached: cached)
        monkeypatch.setattr(contour, "_SECONDS_SAVED_PER_MASK", 0.99 * worth)
        assert not contour._compiled_pays_off(masks)
        monkeypatch.setattr(contour, "_SECONDS_SAVED_PER_MASK", 1.01 * worth)
        assert contour._compiled_pays_off(masks)
