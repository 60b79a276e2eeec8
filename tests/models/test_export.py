from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import onnxruntime

from paring.errors import InputError
from paring.models import build, export_onnx

pytestmark = pytest.mark.torch


def run(file: Path, images: Any) -> list[Any]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it tells of shapes that the pasting of masks widens
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return session.run(None, {"images": images.numpy()})


def test_an_exported_detector_finds_what_torch_finds_be_it_nothing(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = build("maskrcnn_mobilenet_v2_fpn", ["a", "b"], seed=0, detections=8, score_threshold=0)
    with torch.no_grad():
        model.rcnn.roi_heads.box_predictor.cls_score.weight.mul_(30)
        for _ in range(5):  # so that features differ between images
            model.train().encoder(torch.rand(4, 3, 65, 97))
        model.eval()
        images = [torch.rand(1, 3, 65, 97), torch.zeros(1, 3, 65, 97)]
        coarse = torch.rand(1, 3, 5, 7).repeat_interleave(13, 2).repeat_interleave(14, 3)
        images.append(coarse[..., :65, :97])
        best = sorted(float(model(list(image))[0]["scores"][0]) for image in images)
        model.rcnn.roi_heads.score_thresh = (best[0] + best[1]) / 2
        expected = [model(list(image))[0] for image in images]
    file = export_onnx(model, tmp_path / "detector.onnx", size=(65, 97))
    counts = [len(one["scores"]) for one in expected]
    assert min(counts) == 0 < max(counts)
    for image, one in zip(images, expected, strict=True):
        boxes, labels, scores, masks = run(file, image)
        assert labels.tolist() == one["labels"].tolist()
        assert masks.shape == tuple(one["masks"].shape)
        if len(labels):
            assert np.abs(boxes - one["boxes"].numpy()).max() < 0.01
            assert np.abs(scores - one["scores"].numpy()).max() < 1e-4
            assert np.abs(masks - one["masks"].numpy()).max() < 1e-3


def test_an_exported_solo_finds_what_torch_finds_be_it_nothing(tmp_path: Path) -> None:
    torch.manual_seed(0)
    name, narrow = "solov2_mobilenet_v2_fpn", {"head_width": 32, "head_layers": 2, "mask_width": 16}
    model = build(name, ["a", "b"], seed=0, detections=8, **narrow)
    with torch.no_grad():
        model.head.category.weight.mul_(20)
        model.head.kernel.weight.mul_(40)
        for _ in range(5):  # so that features differ between images
            model.train().encoder(torch.rand(4, 3, 65, 97))
        model.eval()
        images = [torch.rand(1, 3, 65, 97), torch.zeros(1, 3, 65, 97)]
        found = [model(list(image))[0]["scores"] for image in images]
        best = sorted(float(one[0]) if len(one) else 0.0 for one in found)
        weights, between = model.state_dict(), (best[0] + best[1]) / 2
        model = build(name, ["a", "b"], detections=8, kept_score=between, **narrow).eval()
        model.load_state_dict(weights)
        expected = [model(list(image))[0] for image in images]
    file = export_onnx(model, tmp_path / "solo.onnx", size=(65, 97))
    counts = [len(one["scores"]) for one in expected]
    assert min(counts) == 0 < max(counts)
    for image, one in zip(images, expected, strict=True):
        boxes, labels, scores, masks = run(file, image)
        assert labels.tolist() == one["labels"].tolist()
        assert masks.shape == tuple(one["masks"].shape)
        if len(labels):
            assert np.abs(boxes - one["boxes"].numpy()).max() < 0.01
            assert np.abs(scores - one["scores"].numpy()).max() < 1e-3
            assert np.abs(masks - one["masks"].numpy()).max() < 1e-2


@pytest.mark.parametrize("size", [(1, 1), (70, 33), (96, 160)])
def test_pyramid_pooling_is_exported_at_sizes_its_bins_do_not_divide(
    size: tuple[int, int], tmp_path: Path
) -> None:
    model = build("pspnet_mobilenet_v2", ["a", "b"], seed=0)
    torch.manual_seed(0)
    for _ in range(5):
        model.train().stages(torch.rand(2, 3, 64, 64))
    model.eval()
    images = torch.rand(2, 3, *size)
    with torch.no_grad():
        expected = model(images).numpy()
    (given,) = run(export_onnx(model, tmp_path / "psp.onnx", size=size), images)
    assert np.abs(expected).max() > 1e-3
    assert np.abs(given - expected).max() < 1e-4


def test_the_model_stays_as_it_was_and_nothing_lies_beside_the_file(tmp_path: Path) -> None:
    model = build("emcad_mobilenet_v2", ["p"], seed=0, output="sum").train()
    model.encoder.eval()
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    file = export_onnx(model, tmp_path / "model.onnx", size=(64, 64))
    assert model.training
    assert not model.encoder.training
    assert all(torch.equal(before[key], tensor) for key, tensor in model.state_dict().items())
    assert list(tmp_path.iterdir()) == [file]
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert np.abs(run(file, image)[0] - model.eval()(image).numpy()).max() < 1e-4


def test_a_size_or_a_place_that_cannot_be_is_refused(tmp_path: Path) -> None:
    model = build("emcad_mobilenet_v2", ["p"])
    with pytest.raises(InputError, match="1 pixel or more each way"):
        export_onnx(model, tmp_path / "m.onnx", size=(0, 64))
    with pytest.raises(InputError, match="there is no folder"):
        export_onnx(model, tmp_path / "none" / "m.onnx", size=(64, 64))
