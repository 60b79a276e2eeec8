from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torchvision.models.detection.roi_heads import paste_masks_in_image

from paring.models import build

pytestmark = pytest.mark.torch

NAME = "maskrcnn_mobilenet_v2_fpn"


@pytest.fixture(scope="module")
def model() -> Any:
    return build(NAME, ["disc", "bean"], seed=0, detections=6).eval()


def target(n: int, height: int = 64, width: int = 80) -> dict[str, Any]:
    masks = torch.zeros(n, height, width, dtype=torch.uint8)
    masks[:, 8:40, 10:44] = 1
    boxes = torch.tensor([[10.0, 8.0, 44.0, 40.0]]).repeat(n, 1)
    return {"boxes": boxes, "labels": torch.ones(n, dtype=torch.int64), "masks": masks}


def test_images_of_several_sizes_are_answered_each_in_its_own(model: Any) -> None:
    images = [torch.rand(3, 64, 80), torch.rand(3, 50, 33)]
    with torch.no_grad():
        found = model(images)
    for image, one in zip(images, found, strict=True):
        height, width = image.shape[1:]
        assert one["masks"].shape[-2:] == (height, width)
        assert (one["boxes"] <= torch.tensor([width, height, width, height])).all()
        assert len(one["scores"]) == 6
        assert set(one["labels"].tolist()) <= {1, 2}


def test_the_mask_head_says_on_found_boxes_what_is_pasted_as_their_masks(model: Any) -> None:
    images = [torch.rand(3, 64, 80), torch.rand(3, 50, 33)]
    with torch.no_grad():
        found = model(images)
        logits = model.mask_logits(
            images, [one["boxes"] for one in found], [one["labels"] for one in found]
        )
    for image, one, said in zip(images, found, logits, strict=True):
        assert said.shape == (6, 28, 28)
        pasted = paste_masks_in_image(said.sigmoid()[:, None], one["boxes"], tuple(image.shape[1:]))
        assert torch.allclose(pasted, one["masks"], atol=1e-4)


def test_what_is_found_does_not_depend_on_the_size_of_the_first_image_ever_seen() -> None:
    image = torch.rand(3, 64, 64)
    found = []
    for first in ((3, 64, 64), (3, 65, 97)):  # the second is padded by half its height
        model = build(NAME, ["disc", "bean"], seed=0, detections=6).eval()
        with torch.no_grad():
            model([torch.rand(first)])
            found.append(model([image])[0])
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])


def test_an_image_without_boxes_has_no_mask_logits(model: Any) -> None:
    boxes = [torch.zeros(0, 4), torch.tensor([[1.0, 2.0, 30.0, 40.0]])]
    labels = [torch.zeros(0, dtype=torch.int64), torch.tensor([2])]
    with torch.no_grad():
        logits = model.mask_logits([torch.rand(3, 64, 64)] * 2, boxes, labels)
    assert [tuple(part.shape) for part in logits] == [(0, 28, 28), (1, 28, 28)]


@pytest.mark.parametrize("counts", [(2, 0), (0, 0)])
def test_images_without_instances_can_be_trained_on(counts: tuple[int, int]) -> None:
    model = build(NAME, ["disc", "bean"], seed=0).train()
    losses = model([torch.rand(3, 64, 80)] * 2, [target(n) for n in counts])
    total = sum(losses.values())
    total.backward()
    assert torch.isfinite(total)


def test_one_image_of_a_few_pixels_can_be_trained_on() -> None:
    model = build(NAME, ["disc", "bean"], seed=0).train()
    few = {
        "boxes": torch.tensor([[1.0, 1.0, 7.0, 7.0]]),
        "labels": torch.tensor([1]),
        "masks": torch.ones(1, 8, 8, dtype=torch.uint8),
    }
    assert torch.isfinite(sum(model([torch.rand(3, 8, 8)], [few]).values()))


def test_a_frozen_norm_neither_learns_nor_follows_the_batch() -> None:
    model = build(NAME, ["disc"], seed=0, frozen_norm=True).train()
    before = {key: part.clone() for key, part in model.encoder.named_buffers()}
    sum(model([torch.rand(3, 64, 80)], [target(1)]).values()).backward()
    assert all(torch.equal(before[key], part) for key, part in model.encoder.named_buffers())
    assert not any(
        ".bn" in key or key.startswith("bn") for key, _ in model.encoder.named_parameters()
    )


def test_layers_that_do_not_learn_get_no_gradient_and_the_others_do() -> None:
    model = build(NAME, ["disc"], seed=0, trainable_layers=2).train()
    sum(model([torch.rand(3, 64, 80)], [target(1)]).values()).backward()
    learning = {
        key.split(".")[1] for key, w in model.encoder.named_parameters() if w.grad is not None
    }
    assert learning == {"3", "4", "5", "6"}


def test_options_reach_the_detector() -> None:
    model = build(
        NAME,
        ["disc"],
        anchor_sizes=[[8], [16], [32], [64], [128]],
        aspect_ratios=[1.0],
        rois_per_image=64,
        anchors_per_image=32,
        proposals=50,
        proposals_in_training=70,
        fpn_channels=64,
        score_threshold=0.3,
        nms=0.7,
    )
    rpn, heads = model.rcnn.rpn, model.rcnn.roi_heads
    assert rpn.anchor_generator.sizes == ((8.0,), (16.0,), (32.0,), (64.0,), (128.0,))
    assert rpn.anchor_generator.num_anchors_per_location() == [1] * 5
    assert heads.fg_bg_sampler.batch_size_per_image == 64
    assert rpn.fg_bg_sampler.batch_size_per_image == 32
    assert (rpn._post_nms_top_n["training"], rpn._post_nms_top_n["testing"]) == (70, 50)
    assert model.rcnn.backbone.out_channels == 64
    assert (heads.score_thresh, heads.nms_thresh) == (0.3, 0.7)


def test_the_heads_give_one_logit_per_class_and_the_background(model: Any) -> None:
    scores, masks = model.heads()
    assert (scores.out_features, masks.out_channels) == (3, 3)
