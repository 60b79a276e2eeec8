from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from paring.errors import InputError
from paring.models import build, save, start_from

pytestmark = pytest.mark.torch

DETECTOR = "maskrcnn_mobilenet_v2_fpn"
SEMANTIC = "unet_mobilenet_v2"


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    model = build(DETECTOR, ["cat", "dog", "cow"], seed=1)
    path = tmp_path_factory.mktemp("trained") / "detector.safetensors"
    save(model, path)
    return model.state_dict(), path


@pytest.fixture(scope="module")
def semantic(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    model = build(SEMANTIC, ["ground", "cat", "dog"], seed=1, mean=[0.5] * 3)
    path = tmp_path_factory.mktemp("trained") / "semantic.safetensors"
    save(model, path)
    return model.state_dict(), path


def test_rows_of_classes_of_equal_name_move_to_their_new_places(detector: Any) -> None:
    theirs, path = detector
    model = build(DETECTOR, ["dog", "pig"], seed=2)
    fresh = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    started = start_from(model, path)
    ours = model.state_dict()
    head = "rcnn.roi_heads."
    for part in ("weight", "bias"):
        scores = f"{head}box_predictor.cls_score.{part}"
        assert torch.equal(ours[scores][[0, 1]], theirs[scores][[0, 2]])
        assert torch.equal(ours[scores][2], fresh[scores][2])
        boxes = f"{head}box_predictor.bbox_pred.{part}"
        assert torch.equal(ours[boxes][0:8], torch.cat((theirs[boxes][0:4], theirs[boxes][8:12])))
        assert torch.equal(ours[boxes][8:12], fresh[boxes][8:12])
        masks = f"{head}mask_predictor.mask_fcn_logits.{part}"
        assert torch.equal(ours[masks][[0, 1]], theirs[masks][[0, 2]])
        assert torch.equal(ours[masks][2], fresh[masks][2])
    assert (started.copied, started.fresh, started.layers_fresh) == (["dog"], ["pig"], [])


def test_all_other_weights_are_theirs(detector: Any) -> None:
    theirs, path = detector
    model = build(DETECTOR, ["dog", "pig"], seed=2)
    start_from(model, path)
    ours = model.state_dict()
    equal = {key for key in ours if ours[key].shape == theirs[key].shape}
    assert all(torch.equal(ours[key], theirs[key]) for key in equal)
    assert {key.split(".")[-2] for key in ours.keys() - equal} == {
        "cls_score",
        "bbox_pred",
        "mask_fcn_logits",
    }


def test_classes_of_other_names_move_by_a_mapping_which_goes_before_equal_names(
    semantic: Any,
) -> None:
    theirs, path = semantic
    model = build(SEMANTIC, ["dog", "kitten", "ground", "pig"], seed=2)
    fresh = model.state_dict()["net.head.weight"].clone()
    started = start_from(model, path, mapping={"kitten": "cat", "dog": "ground"})
    ours = model.state_dict()
    for layer in ("net.head", "net.aux.4"):
        for part in ("weight", "bias"):
            key = f"{layer}.{part}"
            assert torch.equal(ours[key][:3], theirs[key][[0, 1, 0]])
    assert torch.equal(ours["net.head.weight"][3], fresh[3])
    assert (started.copied, started.fresh) == (["dog", "kitten", "ground"], ["pig"])


def test_the_same_classes_in_another_order_give_the_same_answers_in_that_order(
    semantic: Any,
) -> None:
    _, path = semantic
    trained = build(SEMANTIC, ["ground", "cat", "dog"], seed=1, mean=[0.5] * 3).eval()
    model = build(SEMANTIC, ["dog", "ground", "cat"], seed=2)
    start_from(model, path)
    model.eval()
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(model(image), trained(image)[:, [2, 0, 1]], atol=1e-6)


def test_layers_that_options_change_stay_as_initialised_and_are_named(detector: Any) -> None:
    theirs, path = detector
    model = build(DETECTOR, ["cat", "dog", "cow"], seed=2, aspect_ratios=[1.0])
    before = model.state_dict()["rcnn.rpn.head.cls_logits.weight"].clone()
    started = start_from(model, path)
    assert started.layers_fresh == [
        f"rcnn.rpn.head.{layer}.{part}"
        for layer in ("cls_logits", "bbox_pred")
        for part in ("weight", "bias")
    ]
    ours = model.state_dict()
    assert torch.equal(ours["rcnn.rpn.head.cls_logits.weight"], before)
    key = "rcnn.roi_heads.box_predictor.cls_score.weight"
    assert torch.equal(ours[key], theirs[key])


def test_a_binary_model_of_another_class_keeps_new_heads(tmp_path: Path) -> None:
    save(build("emcad_mobilenet_v2", ["polyp"], seed=1), tmp_path / "m")
    model = build("emcad_mobilenet_v2", ["nucleus"], seed=2)
    before = model.state_dict()["net.stage_heads.3.weight"].clone()
    started = start_from(model, tmp_path / "m")
    assert (started.copied, started.fresh) == ([], ["nucleus"])
    assert torch.equal(model.state_dict()["net.stage_heads.3.weight"], before)
    mapped = start_from(model, tmp_path / "m", mapping={"nucleus": "polyp"})
    assert mapped.copied == ["nucleus"]
    assert not torch.equal(model.state_dict()["net.stage_heads.3.weight"], before)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"pig": "sheep"}, r"detector\.safetensors: has no class 'sheep', .* it has cat, dog, cow"),
        ({"sheep": "cow"}, "the mapping names class 'sheep', which the model does not have"),
    ],
)
def test_a_mapping_to_or_from_no_class_is_refused_and_nothing_changes(
    mapping: dict[str, str], message: str, detector: Any
) -> None:
    model = build(DETECTOR, ["dog", "pig"], seed=2)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    with pytest.raises(InputError, match=message):
        start_from(model, detector[1], mapping=mapping)
    assert all(torch.equal(before[key], tensor) for key, tensor in model.state_dict().items())


def test_another_architecture_is_refused(detector: Any) -> None:
    with pytest.raises(InputError, match=r"holds maskrcnn_.*_fpn, from which unet_.* cannot start"):
        start_from(build(SEMANTIC, ["a", "b"]), detector[1])


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file of a model"):
        start_from(build(SEMANTIC, ["a", "b"]), tmp_path / "none")
