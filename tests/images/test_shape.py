import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import factory
import paring
from paring.dataset.masks import MaskStore
from paring.dataset.table import Dataset
from paring.images.shape import (
    count_scores,
    counted,
    instance_shapes,
    outlines,
    shape_complexity,
    shape_scores,
)

SQUARE = 2 / math.sqrt(math.pi)


def scene_of(polygons: list, image: list[int], category: list[int], side: int = 200) -> Dataset:
    n = len(polygons)
    masks = MaskStore.from_polygons(polygons, heights=[side] * n, widths=[side] * n)
    return factory.assemble(masks, image, category, dict.fromkeys(sorted(set(image)), (side, side)))


# -- definitions, by hand ----------------------------------------------------------------------


def test_a_circle_has_complexity_one_and_a_square_two_over_root_pi() -> None:
    r = 7.0
    assert shape_complexity(np.array([math.pi * r * r]), np.array([2 * math.pi * r]))[0] == (
        pytest.approx(1.0, abs=1e-15)
    )
    assert shape_complexity(np.array([25.0]), np.array([20.0]))[0] == pytest.approx(SQUARE)


def test_without_scale_invariance_complexity_is_perimeter_over_area() -> None:
    found = shape_complexity(np.array([25.0, 100.0]), np.array([20.0, 40.0]), scale_invariant=False)
    assert found.tolist() == [0.8, 0.4]


def test_an_outline_without_area_has_complexity_zero() -> None:
    assert shape_complexity(np.zeros(1), np.array([9.0])).tolist() == [0.0]


def test_class_balanced_scores_worked_out_by_hand() -> None:
    # two squares of class 1 in image 1, one in image 2 with the only square of class 2;
    # every square scores 2/sqrt(pi), so class 1 has thirds and class 2 has one
    squares = [[factory.rectangle(10, 10 + 20 * k, 15, 15)] for k in range(4)]
    data = scene_of(squares, [1, 1, 2, 2], [1, 1, 1, 2])
    assert shape_scores(data).frame["score"].to_list() == pytest.approx([2 / 3, 4 / 3])
    unbalanced = shape_scores(data, class_balanced=False).frame["score"].to_list()
    assert unbalanced == pytest.approx([2 * SQUARE, 2 * SQUARE])


def test_the_four_ablations_differ_as_their_formulas_say() -> None:
    data = scene_of(
        [[factory.rectangle(5, 5, 10, 10)], [factory.rectangle(5, 5, 100, 100)]], [1, 2], [1, 1]
    )

    def image_scores(**switches: bool) -> list[float]:
        return shape_scores(data, contour="polygon", **switches).frame["score"].to_list()

    assert image_scores(scale_invariant=False, class_balanced=False) == pytest.approx([0.4, 0.04])
    assert image_scores(class_balanced=False) == pytest.approx([SQUARE, SQUARE])
    assert image_scores(scale_invariant=False) == pytest.approx([10 / 11, 1 / 11])
    assert image_scores() == pytest.approx([0.5, 0.5])


def test_golden_values_of_the_published_measurement() -> None:
    """Shapes and values of OpenCV 4.11 and 5.0, from outside this code."""
    disc = np.zeros((120, 120), np.uint8)
    y, x = np.mgrid[:120, :120] - 60
    disc[x * x + y * y <= 50 * 50] = 1
    ring = disc.copy()
    ring[x * x + y * y <= 30 * 30] = 0
    plus = np.zeros((9, 9), np.uint8)
    plus[4, 3:6] = plus[3:6, 4] = 1
    touching = np.zeros((30, 30), np.uint8)
    touching[2:12, 2:12] = touching[12:22, 12:22] = 1
    apart = np.zeros((40, 40), np.uint8)
    apart[2:12, 2:12] = apart[20:30, 20:30] = 1
    line = np.zeros((9, 9), np.uint8)
    line[4, 1:8] = 1
    block = np.zeros((9, 9), np.uint8)
    block[2:4, 2:4] = 1
    maps = [disc, ring, plus, touching, apart, line, block, np.ones((9, 9), np.uint8)]
    data = factory.from_bitmaps(maps, image=range(1, 9), category=[1] * 8)
    area, perimeter = outlines(data.masks)
    score = shape_complexity(area, perimeter)
    assert area[0] == area[1] == 7704
    assert perimeter[0] == pytest.approx(329.71, abs=5e-3)
    assert score[0] == score[1] == pytest.approx(1.05965, abs=5e-6)
    assert (area[2], round(perimeter[2], 3)) == (2.0, 5.657)
    assert score[2] == pytest.approx(1.1283791, abs=1e-7)
    assert score[3] == pytest.approx(1.6585, abs=5e-5)
    assert score[4] == pytest.approx(1.12838, abs=5e-6)
    assert score[5] == 0.0
    assert score[6:].tolist() == pytest.approx([1.1283792, 1.1283792], abs=5e-8)


def test_polygon_and_run_lengths_of_one_object_score_differently_as_published() -> None:
    part = [10.6, 10.6, 20.6, 10.6, 20.6, 15.6, 10.6, 15.6]
    masks = MaskStore.from_polygons([[part]], heights=[40], widths=[40])
    drawn, coded = outlines(masks)[0][0], outlines(masks.to_rle())[0][0]
    assert drawn == 10 * 5  # truncated corners, through pixel centres: 11 by 6 pixels
    assert coded == 9 * 4  # COCO's own fill: 10 by 5 pixels


# -- the authors' measurement, by their loop -----------------------------------------------------


def test_scores_equal_the_published_loop_bit_for_bit() -> None:
    masks = MaskStore.concat(
        [factory.random_polygons(300, seed=5), factory.random_polygons(100, seed=6).to_rle()]
    )
    area, perimeter = outlines(masks)
    expected = [factory.published_outline(masks, k) for k in range(len(masks))]
    assert list(zip(area.tolist(), perimeter.tolist(), strict=True)) == expected


# -- what counts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"iscrowd": [True, False]},
        {"area": [0.0, 225.0]},
        {"area": [-1.0, 225.0]},
        {"bbox": [[300.0, 10.0, 15.0, 15.0], [10.0, 10.0, 15.0, 15.0]]},
        {"bbox": [[10.0, -20.0, 15.0, 15.0], [10.0, 10.0, 15.0, 15.0]]},
        {"bbox": [[10.0, 10.0, 0.5, 15.0], [10.0, 10.0, 15.0, 15.0]]},
        {"ignore": [True, False]},
    ],
)
def test_what_the_authors_filter_out_counts_neither_in_scores_nor_in_class_sums(
    change: dict[str, list],
) -> None:
    data = scene_of([[factory.rectangle(10, 10, 15, 15)]] * 2, [1, 2], [1, 1])
    frame = data.instances
    for name, values in change.items():
        dtype = frame.schema.get(name, pl.Boolean)
        frame = frame.with_columns(pl.Series(name, values, dtype=dtype))
    data = replace(data, instances=frame)
    assert counted(data).tolist() == [False, True]
    assert shape_scores(data).frame["score"].to_list() == [0.0, 1.0]
    assert count_scores(data).frame["score"].to_list() == [0.0, 1.0]


def test_small_images_count_unless_told_as_published() -> None:
    data = scene_of([[factory.rectangle(1, 1, 5, 5)]] * 2, [1, 2], [1, 1], side=31)
    assert counted(data).all()
    assert not counted(data, min_image_side=32).any()


def test_images_without_score_rank_last_and_are_not_lost() -> None:
    data = scene_of([[factory.rectangle(10, 10, 15, 15)], []], [2, 1], [1, 1])
    scores = shape_scores(data)
    assert scores.frame["score"].to_list() == [0.0, 1.0]
    assert scores.ranking().tolist() == [1, 0]
    assert paring.images.keep_top(scores, rate=0.0).kept == [1, 2]


# -- explanations ------------------------------------------------------------------------------


def test_scores_say_why() -> None:
    star = [[50, 10, 60, 40, 90, 50, 60, 60, 50, 90, 40, 60, 10, 50, 40, 40]]
    square = [factory.rectangle(100, 100, 20, 20)]
    data = scene_of([square, star, square, []], [1, 1, 2, 3], [1, 1, 1, 1])
    frame = shape_scores(data).frame
    assert frame["instances"].to_list() == [2, 1, 0]
    assert frame["strongest_instance"].to_list() == [2, 3, None]
    assert frame["strongest_category"].to_list() == ["class 1", "class 1", None]
    assert frame["strongest_score"][0] > frame["strongest_score"][1] > 0
    assert frame["strongest_score"][2] is None


def test_the_count_rival_weighs_each_category_alike() -> None:
    data = scene_of([[factory.rectangle(5, 5, 9, 9)]] * 5, [1, 1, 2, 2, 2], [1, 2, 1, 1, 1])
    scores = count_scores(data)
    assert scores.frame["score"].to_list() == pytest.approx([1 / 4 + 1, 3 / 4])
    assert scores.method == "count"


def test_the_plain_count_rival_counts_instances_whatever_their_category() -> None:
    data = paring.scenes(30, seed=2)
    scores = count_scores(data, class_balanced=False)
    rows = data.instances.filter(counted(data))["image_id"].to_list()
    assert scores.frame["score"].to_list() == [
        float(rows.count(i)) for i in scores.frame["image_id"]
    ]
    assert scores.parameters == {"class_balanced": False, "min_image_side": 0}


# -- polygon mode -------------------------------------------------------------------------------


def test_polygon_mode_takes_the_part_of_largest_area_and_the_first_on_ties() -> None:
    small, large = factory.rectangle(0, 0, 2, 2), factory.rectangle(50, 50, 10, 2)
    same = factory.rectangle(90, 90, 5, 4)
    masks = MaskStore.from_polygons([[small, large, same]], heights=[200], widths=[200])
    area, perimeter = outlines(masks, contour="polygon")
    assert (area[0], perimeter[0]) == (20.0, 24.0)


def test_polygon_mode_measures_run_lengths_as_raster_and_says_so() -> None:
    polygons = factory.random_polygons(5, seed=2)
    both = MaskStore.concat([polygons, polygons.to_rle()])
    with pytest.warns(UserWarning, match="5 of 10 masks are run lengths"):
        area, _ = outlines(both, contour="polygon")
    assert area[5:].tolist() == outlines(polygons.to_rle())[0].tolist()


def test_an_unknown_contour_is_refused() -> None:
    with pytest.raises(paring.InputError, match="'raster' or 'polygon'"):
        outlines(factory.random_polygons(1, seed=0), contour="circle")  # type: ignore[arg-type]


# -- properties ----------------------------------------------------------------------------------


@given(st.integers(0, 10_000), st.floats(0.01, 1000))
def test_polygon_complexity_does_not_change_with_scale(seed: int, factor: float) -> None:
    masks = factory.random_polygons(10, seed=seed)
    larger = replace(masks, points=masks.points * factor)
    here = shape_complexity(*outlines(masks, contour="polygon"))
    there = shape_complexity(*outlines(larger, contour="polygon"))
    np.testing.assert_allclose(there, here, rtol=1e-9)


def test_raster_complexity_converges_to_polygon_complexity_with_scale() -> None:
    """The perimeter of pixels overstates slanted edges at every scale, by a bounded factor.

    So two scales agree better the larger they are, and the axis-parallel square, which has no
    slanted edge, comes to the exact value.
    """
    masks = factory.random_polygons(40, seed=11)
    inside = (masks.points - masks.points.min(axis=0)) + 1.0

    def at(factor: int) -> np.ndarray:
        side = np.full(40, 100 * factor, np.int32)
        scaled = replace(masks, points=inside * factor, heights=side, widths=side)
        return shape_complexity(*outlines(scaled))

    coarse, middle, fine, finest = (at(f) for f in (1, 4, 16, 32))
    steps = [
        np.median(np.abs(a - b)) for a, b in ((coarse, middle), (middle, fine), (fine, finest))
    ]
    assert steps[0] > 2 * steps[1] > 2 * steps[2]
    assert steps[2] < 0.01


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_every_category_with_a_shape_sums_to_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    masks = factory.random_polygons(30, seed=seed)
    sizes = dict.fromkeys(range(1, 7), (48, 64))
    data = factory.assemble(masks, rng.integers(1, 7, 30), rng.integers(1, 5, 30), sizes)
    shapes = instance_shapes(data)
    sums = shapes.group_by("category_id").agg(pl.col("score").sum())["score"]
    assert sums.to_list() == pytest.approx([1.0] * len(sums))
    assert shape_scores(data).frame["score"].sum() == pytest.approx(len(sums))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_of_records_changes_no_bit_of_any_score(seed: int) -> None:
    rng = np.random.default_rng(seed)
    masks = factory.random_polygons(30, seed=seed)
    sizes = dict.fromkeys(range(1, 7), (48, 64))
    data = factory.assemble(masks, rng.integers(1, 7, 30), rng.integers(1, 5, 30), sizes)
    order = rng.permutation(30)
    shuffled = Dataset(data.images, data.instances[order], data.categories, masks.take(order))
    columns = ["image_id", "score", "instances"]
    for score in (shape_scores, count_scores):
        assert score(shuffled).frame[columns].equals(score(data).frame[columns])


def test_the_number_of_workers_changes_no_bit() -> None:
    data = paring.scenes(60, seed=2)
    assert shape_scores(data, workers=2).frame.equals(shape_scores(data, workers=1).frame)


# -- real data -----------------------------------------------------------------------------------


def test_real_contours_have_the_published_perimeter_over_area(shared_data: Path) -> None:
    """The VOC file holds P/A of each *first* contour; where that is the largest, it is ours."""
    import msgspec

    path = shared_data / "voc2012" / "instances_train.json"
    data = paring.read(path)
    records = msgspec.json.decode(path.read_bytes())["annotations"]
    published = np.array([r["ratio"] for r in records])
    first_area = np.array([r["area"] for r in records])
    area, perimeter = outlines(data.masks)
    same = (area == first_area) & (area > 0)
    assert same.mean() > 0.6  # two in five have another first contour, mostly a speck
    np.testing.assert_allclose(
        shape_complexity(area, perimeter, scale_invariant=False)[same], published[same], rtol=1e-12
    )


def test_polygon_geometry_ranks_real_images_as_raster_does(shared_data: Path) -> None:
    data = paring.read(shared_data / "coco160")
    raster = shape_scores(data).frame["score"]
    polygon = pytest.warns(UserWarning, match="run lengths")
    with polygon if counted(data)[data.masks.is_rle].any() else _nothing():
        vertices = shape_scores(data, contour="polygon").frame["score"]
    ranks = pl.DataFrame({"a": raster.rank(), "b": vertices.rank()})
    assert ranks.select(pl.corr("a", "b")).item() > 0.99


def _nothing():
    from contextlib import nullcontext

    return nullcontext()


def test_an_instance_too_large_to_draw_is_named_and_can_be_measured_as_polygon() -> None:
    side = 900_000
    small, large = factory.rectangle(5, 5, 9, 9), factory.rectangle(0, 0, side, side)
    data = scene_of([[small], [large]], [1, 2], [1, 1], side=side)
    with pytest.raises(paring.InputError, match="instance 2 spans 900000 x 900000 pixels"):
        shape_scores(data)
    assert shape_scores(data, contour="polygon").frame["score"].to_list() == [0.5, 0.5]


def test_data_without_a_mask_that_counts_cannot_be_ranked() -> None:
    data = scene_of([[]], [1], [1])
    for score in (shape_scores, count_scores):
        with pytest.raises(paring.InputError, match="no instance counts"):
            score(data)


def test_the_shorter_side_of_an_image_decides_and_the_minimum_itself_counts() -> None:
    sides = {1: (32, 32), 2: (31, 90), 3: (90, 31)}
    masks = MaskStore.from_polygons(
        [[factory.rectangle(1, 1, 5, 5)]] * 3, heights=[32, 31, 90], widths=[32, 90, 31]
    )
    data = factory.assemble(masks, [1, 2, 3], [1, 1, 1], sides)
    assert counted(data, min_image_side=32).tolist() == [True, False, False]
    for score in (shape_scores, count_scores):
        found = score(data, min_image_side=32)
        assert found.frame["score"].to_list() == [1.0, 0.0, 0.0]
        assert found.parameters["min_image_side"] == 32


@pytest.mark.parametrize(
    ("box", "counts"),
    [
        ([10.0, 10.0, 1.0, 1.0], True),
        ([200.0, 10.0, 5.0, 5.0], False),
        ([-5.0, 10.0, 5.0, 5.0], False),
    ],
)
def test_a_box_of_one_pixel_counts_and_one_that_only_touches_the_image_does_not(
    box: list[float], counts: bool
) -> None:
    data = scene_of([[factory.rectangle(10, 10, 15, 15)]], [1], [1])
    boxes = pl.Series("bbox", [box], dtype=pl.Array(pl.Float64, 4))
    assert counted(replace(data, instances=data.instances.with_columns(boxes)))[0] == counts


def test_boxes_are_held_against_the_width_and_height_of_their_image() -> None:
    masks = MaskStore.from_polygons(
        [[factory.rectangle(60, 5, 9, 9)], [factory.rectangle(5, 60, 9, 9)]],
        heights=[50, 50],
        widths=[100, 100],
    )
    data = factory.assemble(masks, [1, 1], [1, 1], {1: (50, 100)})
    assert counted(data).tolist() == [True, False]


def test_the_first_of_equally_strong_instances_is_named() -> None:
    data = scene_of([[factory.rectangle(10, 10, 15, 15)]] * 3, [1, 1, 1], [1, 1, 1])
    assert shape_scores(data).frame["strongest_instance"].to_list() == [1]


def test_progress_tells_the_masks_measured() -> None:
    steps: list[int] = []
    data = scene_of([[factory.rectangle(10, 10, 15, 15)]] * 3, [1, 1, 1], [1, 1, 1])
    instance_shapes(data, progress=steps.append)
    assert steps[-1] == 3


def test_an_instance_is_too_large_by_what_lies_in_its_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import paring

    masks = MaskStore.from_polygons(
        [[factory.rectangle(0, 0, 150, 40)]], heights=[50], widths=[100]
    )
    data = factory.assemble(masks, [1], [1], {1: (50, 100)})
    monkeypatch.setattr("paring.images.shape.LARGEST_BITMAP", 3999)
    with pytest.raises(paring.InputError, match="instance 1 spans 100 x 40 pixels"):
        shape_scores(data)
