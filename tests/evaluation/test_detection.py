from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import coco_oracle
import factory
import paring
from guesses import guessed
from paring.dataset.masks import MaskStore
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.evaluation.detection import category_ap, coco_metrics, map_at

SQUARE = np.zeros((40, 40), np.uint8)
SQUARE[5:15, 5:15] = 1
ELSEWHERE = np.zeros((40, 40), np.uint8)
ELSEWHERE[20:30, 20:30] = 1


def scored(data: Dataset, *scores: float) -> Dataset:
    return replace(data, instances=data.instances.with_columns(score=pl.Series(scores)))


def squares(*bitmaps: np.ndarray, category: list[int] | None = None) -> Dataset:
    """Bitmaps in one image; category 2 is known in any case."""
    labels = category or [1] * len(bitmaps)
    data = factory.from_bitmaps(bitmaps, image=[1] * len(bitmaps), category=labels)
    both = pl.DataFrame({"category_id": [1, 2], "name": ["cat", "dog"]})
    return replace(data, categories=both)


# -- by hand -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["segm", "bbox"])
@pytest.mark.parametrize(
    ("scores", "ap"),
    [
        ((0.9, 0.3), 1.0),  # the hit comes first: precision 1 at every recall
        ((0.3, 0.9), 0.5),  # the false positive comes first: precision 1/2 at every recall
    ],
)
def test_one_truth_with_a_hit_and_a_false_positive(kind, scores, ap) -> None:
    found = scored(squares(SQUARE, ELSEWHERE), *scores)
    got = coco_metrics(squares(SQUARE), found, kind=kind)
    assert got["AP"] == got["AP50"] == got["AP75"] == got["APS"] == pytest.approx(ap, abs=1e-12)
    assert got["AR100"] == 1.0
    assert got["AR1"] == (1.0 if ap == 1 else 0.0)


def test_one_of_two_truths_found_gives_51_of_101_recalls() -> None:
    # recall reaches 1/2: precision is 1 at recalls 0, 0.01, ..., 0.5 and 0 beyond
    got = coco_metrics(squares(SQUARE, ELSEWHERE), scored(squares(SQUARE), 0.5))
    assert got["AP"] == pytest.approx(51 / 101, abs=1e-12)
    assert got["AR10"] == 0.5


def test_an_overlap_of_two_thirds_counts_up_to_that_threshold() -> None:
    # 8 of 10 columns in common, 12 in the union: IoU 2/3, above 0.5, 0.55, 0.6, 0.65 of ten
    moved = np.roll(SQUARE, 2, axis=1)
    got = coco_metrics(squares(SQUARE), scored(squares(moved), 0.5))
    assert got["AP"] == pytest.approx(0.4, abs=1e-12)
    assert (got["AP50"], got["AP75"]) == (1.0, 0.0)
    assert map_at(squares(SQUARE), scored(squares(moved), 0.5)) == {
        "mAP25": 1.0, "mAP50": 1.0, "mAP70": 0.0, "mAP75": 0.0
    }  # fmt: skip


def test_a_wrong_label_is_wrong_unless_all_categories_count_as_one() -> None:
    truth, found = squares(SQUARE), scored(squares(SQUARE, category=[2]), 0.5)
    assert coco_metrics(truth, found)["AP"] == 0.0
    assert coco_metrics(truth, found, class_agnostic=True)["AP"] == 1.0


def test_categories_that_the_truth_has_not_are_refused_unless_all_count_as_one() -> None:
    truth = squares(SQUARE)
    thing = pl.DataFrame({"category_id": [7], "name": ["thing"]})
    found = replace(scored(factory.from_bitmaps([SQUARE], image=[1], category=[7]), 0.5))
    assert found.categories["category_id"].to_list() == thing["category_id"].to_list()
    with pytest.raises(InputError, match="prediction 1 names category_id 7, which the truth has"):
        coco_metrics(truth, found)
    assert coco_metrics(truth, found, class_agnostic=True)["AP"] == 1.0


def test_what_lies_in_a_crowd_counts_neither_way() -> None:
    crowd = np.ones((40, 40), np.uint8)
    truth = squares(SQUARE, crowd)
    truth = replace(truth, instances=truth.instances.with_columns(iscrowd=pl.Series([False, True])))
    found = scored(squares(SQUARE, ELSEWHERE, ELSEWHERE), 0.1, 0.9, 0.8)
    assert coco_metrics(truth, found)["AP"] == 1.0
    assert coco_metrics(squares(SQUARE), found)["AP"] == pytest.approx(1 / 3, abs=1e-12)


def test_where_no_truth_is_there_the_number_is_nan_and_not_zero() -> None:
    got = coco_metrics(squares(SQUARE), scored(squares(SQUARE), 0.5))
    assert np.isnan([got["APM"], got["APL"], got["ARM"], got["ARL"]]).all()
    assert got["APS"] == 1.0
    none = squares(SQUARE).subset([])
    assert np.isnan([*coco_metrics(none, scored(none)).values()]).all()


def test_truth_without_any_prediction_scores_zero() -> None:
    nothing = scored(squares(SQUARE)._keep(np.array([False])))
    nothing = replace(nothing, images=squares(SQUARE).images)
    got = coco_metrics(squares(SQUARE), nothing)
    assert (got["AP"], got["AR100"]) == (0.0, 0.0)


def test_the_annotated_area_decides_the_size_of_a_truth() -> None:
    truth = squares(SQUARE)
    large = replace(truth, instances=truth.instances.with_columns(area=pl.lit(1e5)))
    got = coco_metrics(large, scored(truth, 0.5))
    assert got["APL"] == 1.0
    assert np.isnan(got["APS"])


def test_the_borders_between_sizes_can_be_moved_or_left_out() -> None:
    found = scored(squares(SQUARE), 0.5)
    assert coco_metrics(squares(SQUARE), found, areas=(50, 200))["APM"] == 1.0
    assert np.isnan(coco_metrics(squares(SQUARE), found, areas=(50, 200))["APS"])
    assert [*coco_metrics(squares(SQUARE), found, areas=None)] == [
        "AP", "AP50", "AP75", "AR1", "AR10", "AR100"
    ]  # fmt: skip


def test_a_number_at_a_threshold_that_was_not_measured_is_left_out() -> None:
    found = scored(squares(SQUARE), 0.5)
    got = coco_metrics(squares(SQUARE), found, ious=(0.75, 0.3), areas=None, max_detections=(5,))
    assert got == {"AP": 1.0, "AP75": 1.0, "AR5": 1.0}


def test_a_threshold_that_is_no_whole_per_cent_keeps_its_digits() -> None:
    assert map_at(squares(SQUARE), scored(squares(SQUARE), 0.5), (0.625,)) == {"mAP62.5": 1.0}


def test_each_category_has_its_row_and_one_without_truth_is_nan() -> None:
    truth = squares(SQUARE, ELSEWHERE)
    found = scored(squares(SQUARE, SQUARE, category=[1, 2]), 0.5, 0.4)
    table = category_ap(truth, found)
    assert table["name"].to_list() == ["cat", "dog"]
    assert table["truths"].to_list() == [2, 0]
    assert table["predictions"].to_list() == [1, 1]
    assert table["AP"][0] == pytest.approx(51 / 101, abs=1e-12)
    assert table["AR"][0] == 0.5
    assert np.isnan([table["AP"][1], table["AP50"][1], table["AR"][1]]).all()


def test_the_mean_over_categories_is_the_ap() -> None:
    truth = paring.scenes(30, seed=4, size=(96, 128))
    found = guessed(truth, seed=5)
    table = category_ap(truth, found)
    there = table.filter(pl.col("truths") > 0)["AP"]
    assert coco_metrics(truth, found)["AP"] == pytest.approx(there.mean(), abs=1e-12)


# -- against COCO's own tool -------------------------------------------------------------------


@pytest.fixture(scope="module")
def scenes() -> tuple[Dataset, Dataset]:
    """Scenes with crowds and all sizes, and guesses with ties and mistakes."""
    truth = paring.scenes(60, seed=1, size=(160, 200))
    assert truth.instances["iscrowd"].any()
    # ids that neither count from 1 nor rise
    ids = np.random.default_rng(0).permutation(len(truth)) * 7 + 1000
    image = pl.col("image_id").replace_strict(truth.images["image_id"], ids.tolist())
    truth = replace(
        truth,
        images=truth.images.with_columns(image),
        instances=truth.instances.with_columns(image),
    )
    return truth, guessed(truth, seed=2)


@pytest.mark.parametrize("class_agnostic", [False, True])
@pytest.mark.parametrize("kind", ["segm", "bbox"])
def test_all_numbers_are_those_of_pycocotools(scenes, tmp_path: Path, kind, class_agnostic) -> None:
    truth, found = scenes
    tool = coco_oracle.evaluated(truth, found, tmp_path, kind=kind, class_agnostic=class_agnostic)
    got = coco_metrics(truth, found, kind=kind, class_agnostic=class_agnostic)
    want = coco_oracle.numbers(tool)
    assert set(got) == set(want)
    assert got == pytest.approx(want, abs=1e-10, nan_ok=True)
    assert 0.05 < got["AP"] < 0.95
    assert got["AP50"] > got["AP75"] > 0


@pytest.mark.parametrize("kind", ["segm", "bbox"])
def test_other_sizes_thresholds_and_maxima_are_those_of_pycocotools(
    scenes, tmp_path: Path, kind
) -> None:
    truth, found = scenes
    asked = {"areas": (400.0, 2000.0), "ious": [0.3, 0.5, 0.62], "max_detections": (2, 3, 7)}
    tool = coco_oracle.evaluated(truth, found, tmp_path, kind=kind, **asked)
    got = coco_metrics(truth, found, kind=kind, **asked)
    assert got == pytest.approx(coco_oracle.numbers(tool), abs=1e-10, nan_ok=True)


def test_each_categorys_numbers_are_those_of_pycocotools(scenes, tmp_path: Path) -> None:
    truth, found = scenes
    precision = coco_oracle.evaluated(truth, found, tmp_path, kind="segm").eval["precision"]
    table = category_ap(truth, found)
    want = precision[:, :, :, 0, -1].mean(axis=(0, 1))
    assert table["AP"].to_numpy() == pytest.approx(np.where(want < 0, np.nan, want), nan_ok=True)
    ids = truth.categories["category_id"].sort().to_list()
    assert table["category_id"].to_list() == ids


def test_map_at_a_threshold_is_the_ap_of_pycocotools_there(scenes, tmp_path: Path) -> None:
    truth, found = scenes
    got = map_at(truth, found)
    for name, iou in (("mAP25", 0.25), ("mAP50", 0.5), ("mAP70", 0.7), ("mAP75", 0.75)):
        tool = coco_oracle.evaluated(truth, found, tmp_path, kind="segm", ious=[iou])
        assert got[name] == pytest.approx(coco_oracle.numbers(tool)["AP"], abs=1e-10)


@pytest.mark.parametrize("seed", range(4))
def test_polygons_crowds_and_odd_parts_of_the_truth_are_drawn_as_pycocotools_draws_them(
    tmp_path: Path, seed
) -> None:
    masks = factory.random_polygons(30, seed=seed)
    rng = np.random.default_rng(seed)
    truth = factory.assemble(
        masks,
        rng.integers(1, 6, 30).tolist(),
        rng.integers(1, 4, 30).tolist(),
        dict.fromkeys(range(1, 6), (48, 64)),
        iscrowd=rng.random(30) < 0.2,
    )
    found = guessed(truth, seed=seed + 10, invented=1)
    tool = coco_oracle.evaluated(truth, found, tmp_path, kind="segm")
    want = coco_oracle.numbers(tool)
    assert coco_metrics(truth, found) == pytest.approx(want, abs=1e-10, nan_ok=True)


def test_predicted_polygons_count_as_their_pixels() -> None:
    truth = paring.scenes(12, seed=6, size=(96, 128))
    found = scored(truth, *np.linspace(0.1, 0.9, len(truth.instances)))
    drawn = replace(found, masks=found.masks.to_rle())
    assert truth.masks.is_polygon.any()
    assert coco_metrics(truth, found, areas=None) == coco_metrics(truth, drawn, areas=None)


# -- refusals ----------------------------------------------------------------------------------


def test_predictions_without_scores_are_refused() -> None:
    with pytest.raises(InputError, match="the predictions have no scores"):
        coco_metrics(squares(SQUARE), squares(SQUARE))
    with pytest.raises(InputError, match="prediction 1 has no score that is a finite number"):
        coco_metrics(squares(SQUARE), scored(squares(SQUARE), float("nan")))


def test_predictions_for_another_data_set_are_refused_by_their_image() -> None:
    other = scored(factory.from_bitmaps([SQUARE], image=[9], category=[1]), 0.5)
    with pytest.raises(InputError, match="prediction 1 names image_id 9, which the truth has not"):
        coco_metrics(squares(SQUARE), other)


def test_boxes_alone_are_measured_as_boxes_and_refused_as_masks() -> None:
    truth = squares(SQUARE)
    none = MaskStore.from_polygons([[]], heights=[40], widths=[40])
    bare = replace(scored(truth, 0.5), masks=none)
    assert coco_metrics(truth, bare, kind="bbox")["AP"] == 1.0
    with pytest.raises(InputError, match="prediction 1 has no mask; measure boxes"):
        coco_metrics(truth, bare)
    with pytest.raises(InputError, match="the truth has no masks; measure boxes"):
        coco_metrics(replace(truth, masks=none), scored(truth, 0.5))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"kind": "mask"}, "kind 'mask' is not known"),
        ({"ious": (0.0,)}, "IoU thresholds lie above 0"),
        ({"ious": ()}, "IoU thresholds lie above 0"),
        ({"areas": (9, 4)}, "areas are two rising borders"),
        ({"areas": (9,)}, "areas are two rising borders"),
        ({"max_detections": (0, 1)}, "max_detections are whole numbers"),
        ({"max_detections": ()}, "max_detections are whole numbers"),
    ],
)
def test_what_cannot_be_measured_is_refused(asked, words) -> None:
    with pytest.raises(InputError, match=words):
        coco_metrics(squares(SQUARE), scored(squares(SQUARE), 0.5), **asked)
