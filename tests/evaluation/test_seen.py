from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given
from hypothesis import strategies as st
from torchvision.models.detection.roi_heads import paste_masks_in_image

import paring
from paring.dataset.masks import MaskStore
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.evaluation import seen
from paring.evaluation.dense import DenseTally
from paring.evaluation.seen import Collected, labels_of, resized

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def truth() -> Dataset:
    return paring.scenes(4, seed=3, size=(45, 61))


def found(
    masks: Any, *, boxes: Any = None, labels: Any = None, scores: Any = None
) -> dict[str, Any]:
    n = len(masks)
    return {
        "masks": torch.as_tensor(masks, dtype=torch.float32)[:, None],
        "boxes": torch.zeros(n, 4) if boxes is None else torch.as_tensor(boxes, dtype=torch.float),
        "labels": torch.ones(n, dtype=torch.int64) if labels is None else torch.as_tensor(labels),
        "scores": torch.linspace(1, 0.5, n) if scores is None else torch.as_tensor(scores),
    }


def frame(masks: MaskStore, k: int) -> np.ndarray:
    """The bitmap of a mask over its image: runs of 0 and 1 in turn, column by column."""
    runs = masks.to_rle().runs(k)
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape(int(masks.widths[k]), int(masks.heights[k])).T


def names(truth: Dataset) -> list[str]:
    return truth.categories["name"].to_list()


# -- labels -----------------------------------------------------------------------------------


def test_a_label_is_the_largest_of_several_logits_and_one_logit_above_zero() -> None:
    logits = torch.tensor([[[[1.0, -2.0]], [[3.0, -3.0]], [[2.0, -1.0]]]])
    assert labels_of(logits, "semantic").tolist() == [[[1, 2]]]
    one = torch.tensor([[[[0.0, 1e-6, -1e-6]]]])
    assert labels_of(one, "binary").tolist() == [[[0, 1, 0]]]


# -- back to the image ------------------------------------------------------------------------


def test_what_pads_an_image_never_reaches_its_pixels() -> None:
    maps = torch.full((1, 1, 8, 8), 100.0)
    maps[..., :4, :6] = 1.0
    assert resized(maps, (4, 6), (13, 29)).amax() < 1 + 1e-5


def test_maps_of_the_size_of_the_image_stay_as_they_are() -> None:
    maps = torch.rand(2, 3, 9, 7)
    assert torch.equal(resized(maps, (5, 7), (5, 7)), maps[..., :5, :])


def bilinear(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map at another size, pixel by pixel: middles of pixels over the same length."""
    high, wide = plane.shape
    out = np.zeros(size)
    for i in range(size[0]):
        for j in range(size[1]):
            y = max((i + 0.5) * high / size[0] - 0.5, 0)
            x = max((j + 0.5) * wide / size[1] - 0.5, 0)
            y0, x0 = int(y), int(x)
            y1, x1 = min(y0 + 1, high - 1), min(x0 + 1, wide - 1)
            a, b = y - y0, x - x0
            out[i, j] = (
                plane[y0, x0] * (1 - a) * (1 - b)
                + plane[y0, x1] * (1 - a) * b
                + plane[y1, x0] * a * (1 - b)
                + plane[y1, x1] * a * b
            )
    return out


@given(
    content=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    seed=st.integers(0, 99),
)
def test_resizing_is_bilinear_about_the_middles_of_pixels(
    content: tuple[int, int], size: tuple[int, int], seed: int
) -> None:
    plane = np.random.default_rng(seed).random((9, 9)).astype(np.float32)
    got = resized(torch.from_numpy(plane)[None, None], content, size)[0, 0].numpy()
    np.testing.assert_allclose(got, bilinear(plane[: content[0], : content[1]], size), atol=1e-5)


# -- instances --------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [(32, 48), (32, 43), (24, 48)], ids=["stretch", "high", "wide"])
@pytest.mark.parametrize("at_once", [2**24, 2 * 45 * 61, 1])
def test_masks_are_those_of_a_computation_over_the_whole_frame(
    truth: Dataset, content: tuple[int, int], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seen, "_AT_ONCE", at_once)
    rng = np.random.default_rng(5)
    soft = np.stack([bilinear(rng.random((6, 6)), (32, 48)) for _ in range(5)])
    soft[4] = 0.1  # nothing is left of it
    collected = Collected(truth, names(truth))
    collected.add(found(soft), 2, content=content, size=(45, 61))
    predictions = collected.predictions()
    for k, plane in enumerate(soft.astype(np.float32)):
        whole = bilinear(plane[: content[0], : content[1]], (45, 61))
        sure = np.abs(whole - 0.5) > 1e-5
        got = frame(predictions.masks, k)
        assert got.shape == (45, 61)
        assert (got == (whole >= 0.5))[sure].all()
        assert predictions.instances["area"][k] == got.sum()
    assert predictions.instances["area"][4] == 0
    assert predictions.instances["image_id"].to_list() == [2] * 5


def test_boxes_are_scaled_by_side_and_clipped_to_the_image(truth: Dataset) -> None:
    collected = Collected(truth, names(truth))
    boxes = [[8.0, 4.0, 24.0, 16.0], [-3.0, 30.0, 50.0, 70.0]]
    collected.add(found(np.zeros((2, 64, 64)), boxes=boxes), 1, content=(32, 48), size=(64, 24))
    # down by 2, across by 1/2; as x, y, width, height
    assert collected.predictions().instances["bbox"].to_list() == [
        [4.0, 8.0, 8.0, 24.0],
        [0.0, 60.0, 24.0, 4.0],
    ]


def test_labels_become_the_ids_of_the_categories_by_name(truth: Dataset) -> None:
    ids = dict(truth.categories.select("name", "category_id").iter_rows())
    classes = names(truth)[::-1][:3]
    collected = Collected(truth, classes)
    collected.add(found(np.ones((3, 45, 61)), labels=[3, 1, 2]), 3, content=(45, 61), size=(45, 61))
    got = collected.predictions().instances
    assert got["category_id"].to_list() == [ids[classes[k]] for k in (2, 0, 1)]
    assert got["score"].to_list() == pytest.approx([1.0, 0.75, 0.5])
    assert got["instance_id"].to_list() == [1, 2, 3]


def test_a_class_that_the_truth_has_not_is_refused_with_those_it_has(truth: Dataset) -> None:
    with pytest.raises(InputError, match=r"'zebra', which is no category .* \(disc, "):
        Collected(truth, ["disc", "zebra"])


def test_what_is_the_truth_itself_has_ap_one_whatever_the_geometry(truth: Dataset) -> None:
    index = {i: k + 1 for k, i in enumerate(truth.categories["category_id"].to_list())}
    solid = truth.instances["iscrowd"].not_().to_numpy() & ~truth.masks.is_empty
    collected = Collected(truth, names(truth))
    for row, image_id in enumerate(truth.images["image_id"].to_list()):
        rows = np.flatnonzero((truth.image_rows == row) & solid)
        masks = [frame(truth.masks, k) for k in rows]
        corners = [[x, y, x + w, y + h] for x, y, w, h in truth.instances["bbox"][rows].to_list()]
        padded = np.zeros((len(rows), 64, 80), np.float32)
        padded[:, :45, :61] = masks
        labels = [index[k] for k in truth.instances["category_id"][rows].to_list()]
        one = found(padded, boxes=corners, labels=labels)
        collected.add(one, image_id, content=(45, 61), size=(45, 61))
    result = collected.result()
    assert (result["AP"], result["AP50"], result["AR100"]) == (1, 1, 1)
    assert (result["box_AP"], result["box_AR100"]) == (1, 1)


def test_nothing_found_is_an_ap_of_zero(truth: Dataset) -> None:
    collected = Collected(truth, names(truth))
    collected.add(found(np.zeros((0, 45, 61))), 1, content=(45, 61), size=(45, 61))
    assert len(collected.predictions().instances) == 0
    assert collected.result()["AP"] == 0
    assert collected.result()["box_AR100"] == 0


def test_what_torchvision_pastes_is_kept_pixel_by_pixel(truth: Dataset) -> None:
    boxes = torch.tensor([[3.2, 5.1, 40.7, 33.3], [20.0, 0.0, 61.0, 45.0]])
    small = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    pasted = paste_masks_in_image(small, boxes, (45, 61))
    collected = Collected(truth, names(truth))
    collected.add(found(pasted[:, 0], boxes=boxes), 1, content=(45, 61), size=(45, 61))
    masks = collected.predictions().masks
    for k in range(2):
        assert (frame(masks, k) == (pasted[k, 0] >= 0.5).numpy()).all()


# -- dense ------------------------------------------------------------------------------------


def test_logits_of_a_sample_are_counted_at_the_size_of_the_image() -> None:
    truth = np.zeros((6, 8), np.int64)
    truth[:, 4:] = 1
    logits = torch.zeros(1, 2, 4, 4)
    logits[:, 1, :, 2:] = 2.0
    logits[:, 0, :, :2] = 2.0
    logits[:, 1, 3] = 99.0  # pads
    labels = labels_of(resized(logits, (3, 4), (6, 8)), "semantic")[0]
    tally = DenseTally(["left", "right"])
    tally.add(labels, truth, 1)
    assert tally.result()["miou_dataset"] == 1
