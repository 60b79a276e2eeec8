import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from paring.errors import InputError
from paring.evaluation.dense import DenseTally

THREE = ["road", "tree", "sky"]


def tally(*pairs: tuple[object, object], classes: list[str] = THREE) -> DenseTally:
    """A tally of (predicted, truth) pairs of one row of labels each."""
    out = DenseTally(classes)
    for number, (predicted, truth) in enumerate(pairs):
        out.add(np.array([predicted]), np.array([truth]), image_id=number)
    return out


# -- by hand -----------------------------------------------------------------------------------


def test_two_images_by_hand() -> None:
    # image 0: road hit 1 of truth 2 and predicted 1; tree hit 1 of truth 1 and predicted 2
    # image 1: all three pixels are tree and found
    counted = tally(([0, 1, 1], [0, 0, 1]), ([1, 1, 1], [1, 1, 1]))
    assert counted.confusion.tolist() == [[1, 1, 0], [0, 4, 0], [0, 0, 0]]
    got = counted.result()
    # over all pixels: road 1 / 2, tree 4 / 5; sky occurs nowhere and is left out
    assert got["miou_dataset"] == pytest.approx((1 / 2 + 4 / 5) / 2)
    assert got["dice_dataset"] == pytest.approx((2 / 3 + 8 / 9) / 2)
    # by image: (1/2 + 1/2) / 2 and 1; Dice (2/3 + 2/3) / 2 and 1
    assert got["iou_per_image"] == pytest.approx((1 / 2 + 1) / 2)
    assert got["dice_per_image"] == pytest.approx((2 / 3 + 1) / 2)
    assert got["pixel_accuracy"] == pytest.approx(5 / 6)
    frame = counted.per_image()
    assert frame["image_id"].to_list() == [0, 1]
    assert frame["pixels"].to_list() == [3, 3]
    assert frame["pixel_accuracy"].to_list() == pytest.approx([2 / 3, 1])
    assert frame["iou"].to_list() == pytest.approx([1 / 2, 1])
    assert frame["dice"].to_list() == pytest.approx([2 / 3, 1])


def test_the_table_of_categories_by_hand() -> None:
    table = tally(([0, 1, 1], [0, 0, 1]), ([1, 1, 1], [1, 1, 1])).per_category()
    rows = {row["name"]: row for row in table.iter_rows(named=True)}
    assert rows["road"] == pytest.approx(
        {"name": "road", "images": 1, "truth_pixels": 2, "predicted_pixels": 1, "iou": 0.5,
         "dice": 2 / 3, "precision": 1.0, "recall": 0.5, "iou_per_image": 0.5,
         "dice_per_image": 2 / 3}
    )  # fmt: skip
    assert rows["tree"] == pytest.approx(
        {"name": "tree", "images": 2, "truth_pixels": 4, "predicted_pixels": 5, "iou": 0.8,
         "dice": 8 / 9, "precision": 0.8, "recall": 1.0, "iou_per_image": 0.75,
         "dice_per_image": 5 / 6}
    )  # fmt: skip
    sky = rows["sky"]
    assert (sky["images"], sky["truth_pixels"], sky["predicted_pixels"]) == (0, 0, 0)
    assert np.isnan([sky["iou"], sky["precision"], sky["recall"], sky["dice_per_image"]]).all()


def test_a_class_that_is_only_predicted_counts_as_missed() -> None:
    got = tally(([0, 2], [0, 0])).result()
    assert got["miou_dataset"] == got["iou_per_image"] == pytest.approx((1 / 2 + 0) / 2)


def test_void_pixels_of_the_truth_are_skipped_whatever_is_predicted_there() -> None:
    void = tally(([0, 1, 2, 255], [0, 1, 255, 255]))
    assert void.result() == tally(([0, 1], [0, 1])).result()
    assert void.confusion.sum() == 2
    assert void.per_image()["pixels"].to_list() == [2]


def test_another_label_can_be_void() -> None:
    counted = DenseTally(["a", "b"], void=7)
    counted.add(np.array([[0, 0]]), np.array([[0, 7]]), image_id="x")
    assert counted.result()["pixel_accuracy"] == 1.0
    with pytest.raises(InputError, match="void 1 is the label of a class"):
        DenseTally(["a", "b"], void=1)


def test_an_image_that_is_void_throughout_counts_nowhere() -> None:
    counted = tally(([0, 0], [0, 1]), ([2, 2], [255, 255]))
    assert counted.result() == tally(([0, 0], [0, 1])).result()
    assert len(counted) == 2
    assert np.isnan(counted.per_image().select("pixel_accuracy", "iou", "dice").row(1)).all()


def test_a_tally_of_nothing_is_nan() -> None:
    assert np.isnan([*DenseTally(THREE).result().values()]).all()
    assert np.isnan([*DenseTally(["polyp"]).result().values()]).all()
    assert len(DenseTally(THREE).per_image()) == 0
    assert DenseTally(THREE).per_category()["iou"].is_nan().all()


# -- binary masks ------------------------------------------------------------------------------


def test_a_binary_mask_is_measured_by_its_foreground_alone() -> None:
    # hits 1, truth 2, predicted 2: IoU 1/3, Dice 1/2; four of six pixels are right
    got = tally(([1, 1, 0, 0, 0, 0], [1, 0, 1, 0, 0, 0]), classes=["polyp"]).result()
    assert got["miou_dataset"] == got["iou_per_image"] == pytest.approx(1 / 3)
    assert got["dice_dataset"] == got["dice_per_image"] == pytest.approx(1 / 2)
    assert got["pixel_accuracy"] == pytest.approx(4 / 6)


def test_an_image_without_foreground_in_truth_and_prediction_has_dice_1() -> None:
    nothing = tally(([0, 0], [0, 255]), classes=["polyp"])
    assert nothing.result() == dict.fromkeys(nothing.result(), 1.0)
    both = tally(([0, 0], [0, 0]), ([1, 1], [1, 0]), classes=["polyp"])
    assert both.result()["dice_per_image"] == pytest.approx((1 + 2 / 3) / 2)
    assert both.result()["dice_dataset"] == pytest.approx(2 / 3)
    assert both.per_category()["dice_per_image"].to_list() == pytest.approx([(1 + 2 / 3) / 2])
    assert both.per_category()["images"].to_list() == [2]


def test_foreground_found_where_none_is_has_dice_0_and_a_void_image_has_none() -> None:
    assert tally(([1, 0], [0, 0]), classes=["polyp"]).result()["dice_per_image"] == 0.0
    void = tally(([1, 0], [255, 255]), ([1, 0], [0, 0]), classes=["polyp"])
    assert void.result()["dice_per_image"] == 0.0
    assert np.isnan(void.per_image()["dice"][0])


def test_booleans_are_labels_of_a_binary_mask() -> None:
    counted = DenseTally(["polyp"])
    counted.add(np.array([[True, False]]), np.array([[True, True]]), image_id=1)
    assert counted.result()["dice_dataset"] == pytest.approx(2 / 3)


# -- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("predicted", "truth", "words"),
    [
        ([[0, 3]], [[0, 1]], "image 4: the prediction holds label 3; labels are 0 to 2"),
        ([[0, 1]], [[0, -1]], "image 4: the truth holds label -1; labels are 0 to 2"),
        ([[0, 255]], [[0, 0]], "image 4: the prediction holds label 255"),
        ([[0.0, 0.9]], [[0, 1]], "image 4: the prediction holds float64, not whole labels"),
        ([[0, 1]], [[0], [1]], r"image 4: the prediction has shape \(1, 2\) and the truth \(2, 1"),
        ([0, 1], [0, 1], r"image 4: the prediction has shape \(2,\)"),
    ],
)
def test_labels_that_are_none_are_refused_and_not_counted(predicted, truth, words) -> None:
    counted = DenseTally(THREE)
    with pytest.raises(InputError, match=words):
        counted.add(np.array(predicted), np.array(truth), image_id=4)
    assert len(counted) == 0
    assert counted.confusion.sum() == 0


def test_an_image_is_counted_once() -> None:
    counted = tally(([0], [0]))
    with pytest.raises(InputError, match="image 0 was counted already"):
        counted.add(np.array([[0]]), np.array([[0]]), image_id=0)


@pytest.mark.parametrize("classes", [[], "polyp"])
def test_classes_are_a_list_of_names(classes) -> None:
    with pytest.raises(InputError, match="classes are a list"):
        DenseTally(classes)


# -- properties --------------------------------------------------------------------------------

labels = st.integers(0, 2)
shapes = st.tuples(st.integers(1, 5), st.integers(1, 5))


@st.composite
def maps(draw: st.DrawFn) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of a prediction and a truth with void pixels."""
    out = []
    for _ in range(draw(st.integers(1, 4))):
        shape = draw(shapes)
        predicted = draw(arrays.arrays(np.uint8, shape, elements=labels))
        truth = draw(arrays.arrays(np.uint8, shape, elements=labels | st.just(255)))
        out.append((predicted, truth))
    return out


def counted(pairs: list[tuple[np.ndarray, np.ndarray]], void: int = 255) -> DenseTally:
    out = DenseTally(THREE, void)
    for number, (predicted, truth) in enumerate(pairs):
        out.add(predicted, truth, number)
    return out


@given(maps())
def test_ious_are_those_of_sets_of_pixels(pairs) -> None:
    def overlap(chosen: list[tuple[np.ndarray, np.ndarray]]) -> list[float]:
        predicted = np.concatenate([p.ravel() for p, _ in chosen])
        truth = np.concatenate([t.ravel() for _, t in chosen])
        out = []
        for label in range(3):
            one = set(np.flatnonzero((predicted == label) & (truth != 255)).tolist())
            other = set(np.flatnonzero(truth == label).tolist())
            if one | other:
                out.append(len(one & other) / len(one | other))
        return out

    got = counted(pairs)
    whole = overlap(pairs)
    assert got.result()["miou_dataset"] == pytest.approx(
        np.mean(whole) if whole else np.nan, nan_ok=True
    )
    single = [overlap([pair]) for pair in pairs]
    means = [np.mean(one) for one in single if one]
    assert got.result()["iou_per_image"] == pytest.approx(
        np.mean(means) if means else np.nan, nan_ok=True
    )


@given(maps())
def test_dice_follows_from_iou_and_is_never_below_it(pairs) -> None:
    table = counted(pairs).per_category()
    iou, dice = table["iou"].to_numpy(), table["dice"].to_numpy()
    assert dice == pytest.approx(2 * iou / (1 + iou), nan_ok=True)
    assert ((dice >= iou) | np.isnan(iou)).all()


@given(maps(), st.randoms(use_true_random=False))
def test_neither_order_of_images_nor_names_of_classes_change_a_number(pairs, random) -> None:
    order = random.sample(range(len(pairs)), len(pairs))
    renamed = np.append(np.array(random.sample(range(3), 3), np.uint8), [0] * 253)
    renamed[255] = 255
    changed = [(renamed[pairs[k][0]], renamed[pairs[k][1]]) for k in order]
    assert counted(changed).result() == pytest.approx(counted(pairs).result(), nan_ok=True)


@given(maps())
def test_what_is_right_everywhere_scores_1(pairs) -> None:
    got = counted([(np.where(t == 255, 0, t), t) for _, t in pairs]).result()
    assert all(value == 1 or np.isnan(value) for value in got.values())


@given(maps())
def test_one_image_counts_the_same_both_ways(pairs) -> None:
    got = counted(pairs[:1]).result()
    assert got["miou_dataset"] == pytest.approx(got["iou_per_image"], nan_ok=True)
    assert got["dice_dataset"] == pytest.approx(got["dice_per_image"], nan_ok=True)


# -- another library's answer ------------------------------------------------------------------


@pytest.mark.torch
def test_numbers_are_those_of_torchmetrics_where_definitions_agree() -> None:
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchmetrics.functional.classification")
    rng = np.random.default_rng(0)
    pairs = []
    for _ in range(6):
        truth = rng.integers(0, 3, (9, 11))
        predicted = np.where(rng.random((9, 11)) < 0.6, truth, rng.integers(0, 3, (9, 11)))
        pairs.append((predicted, np.where(rng.random((9, 11)) < 0.1, 255, truth)))
    ours = counted(pairs)
    whole = [torch.tensor(np.stack(side)) for side in zip(*pairs, strict=True)]
    asked = {"num_classes": 3, "ignore_index": 255}
    confusion = functional.multiclass_confusion_matrix(*whole, **asked)
    assert ours.confusion.tolist() == confusion.tolist()
    for mine, theirs in (
        ("iou", functional.multiclass_jaccard_index(*whole, average="none", **asked)),
        ("dice", functional.multiclass_f1_score(*whole, average="none", **asked)),
        ("precision", functional.multiclass_precision(*whole, average="none", **asked)),
        ("recall", functional.multiclass_recall(*whole, average="none", **asked)),
    ):
        assert ours.per_category()[mine].to_list() == pytest.approx(theirs.tolist(), abs=1e-6)
    accuracy = functional.multiclass_accuracy(*whole, average="micro", **asked)
    assert ours.result()["pixel_accuracy"] == pytest.approx(accuracy.item(), abs=1e-6)

    binary = DenseTally(["polyp"])
    for number, (predicted, truth) in enumerate(pairs):
        binary.add(predicted > 0, np.where(truth == 255, 255, truth > 0), number)
    whole = [(side > 0).long() * (side != 255) + 255 * (side == 255) for side in whole]
    f1 = functional.binary_f1_score(*whole, ignore_index=255)
    iou = functional.binary_jaccard_index(*whole, ignore_index=255)
    assert binary.result()["dice_dataset"] == pytest.approx(f1.item(), abs=1e-6)
    assert binary.result()["miou_dataset"] == pytest.approx(iou.item(), abs=1e-6)
