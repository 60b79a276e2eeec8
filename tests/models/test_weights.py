from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import timm
import torchvision
from safetensors.torch import load_file, save_file
from torchvision.models._utils import IntermediateLayerGetter

from paring.errors import InputError
from paring.models import build, build_encoder
from paring.models.weights import read_tensors

pytestmark = pytest.mark.torch

LAYERS = {f"layer{k + 1}": str(k) for k in range(4)}


def lively(net: Any) -> Any:
    """A network whose batch norms are not those of a new one."""
    torch.manual_seed(1)
    for key, tensor in net.state_dict().items():
        if key.endswith(("running_var", "norm.weight", "bn1.weight")):
            tensor.uniform_(0.5, 1.5)
        elif key.endswith(("running_mean", "bias")):
            tensor.normal_(0, 0.1)
    return net.eval()


def file_of(net: Any, folder: Path) -> Path:
    path = folder / "weights.safetensors"
    save_file(net.state_dict(), path)
    return path


def test_resnet_of_torchvision_gives_the_features_it_gives_there(tmp_path: Path) -> None:
    theirs = lively(torchvision.models.resnet50(weights=None))
    encoder = build_encoder("resnet50", weights=file_of(theirs, tmp_path)).eval()
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected = IntermediateLayerGetter(theirs, LAYERS)(encoder.normalised(images))
        given = encoder(images)
    assert all(
        torch.allclose(a, b, atol=1e-4) for a, b in zip(given, expected.values(), strict=True)
    )


def features_of_torchvision(net: Any, images: Any) -> list[Any]:
    """What MobileNetV2's blocks give at strides 4, 8, 16 and 32."""
    found = []
    for place, block in enumerate(net.features):
        images = block(images)
        if place in (3, 6, 13, 17):
            found.append(images)
    return found


@pytest.mark.parametrize("kind", ["torchvision", "timm", "own"])
def test_mobilenet_of_any_layout_gives_the_same_features(kind: str, tmp_path: Path) -> None:
    theirs = lively(torchvision.models.mobilenet_v2(weights=None))
    encoder = build_encoder("mobilenet_v2", weights=file_of(theirs, tmp_path)).eval()
    images = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        expected = features_of_torchvision(theirs, encoder.normalised(images))
    if kind == "own":
        encoder = build_encoder("mobilenet_v2", weights=file_of(encoder.net, tmp_path)).eval()
    if kind == "timm":
        whole = timm.create_model("mobilenetv2_100", pretrained=False)
        whole.load_state_dict(encoder.net.state_dict(), strict=False)
        encoder = build_encoder("mobilenet_v2", weights=file_of(whole, tmp_path)).eval()
    with torch.no_grad():
        given = encoder(images)
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(given, expected, strict=True))


def test_a_whole_transformer_of_timm_gives_the_features_it_gives_there(tmp_path: Path) -> None:
    theirs = lively(timm.create_model("pvt_v2_b2", pretrained=False))
    encoder = build_encoder("pvt_v2_b2", weights=file_of(theirs, tmp_path)).eval()
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        deepest = theirs.forward_features(encoder.normalised(images))
        assert torch.allclose(encoder(images)[-1], deepest, atol=1e-4)


@pytest.mark.parametrize("kind", ["torchvision", "timm"])
def test_mobilenet_of_semantic_models_takes_both_layouts(kind: str, tmp_path: Path) -> None:
    vision = lively(torchvision.models.mobilenet_v2(weights=None))
    file = file_of(vision, tmp_path)
    if kind == "timm":
        whole = timm.create_model("mobilenetv2_100", pretrained=False)
        source = load_file(file)
        from paring.models.weights import fitted

        body = {k: v for k, v in whole.state_dict().items() if not k.startswith("classifier")}
        whole.load_state_dict(fitted(body, source, place="", encoder=""), strict=False)
        # the part behind the features, which encoders of features lack, is timm's here
        file = file_of(whole, tmp_path)
    model = build("unet_mobilenet_v2", ["a", "b"], weights=file).eval()
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        deepest = model.encoder(images)[-1]
        assert torch.allclose(deepest, vision.features(images), atol=1e-4)


def test_the_trained_mobilenet_tells_a_photo_s_features_as_torchvision_does(
    shared_data: Path,
) -> None:
    file = shared_data / "weights" / "mobilenet_v2_imagenet.safetensors"
    theirs = torchvision.models.mobilenet_v2(weights=None).eval()
    theirs.load_state_dict({key: tensor.float() for key, tensor in load_file(file).items()})
    half = [0.5, 0.5, 0.5]
    encoder = build_encoder("mobilenet_v2", weights=file, mean=half, std=half).eval()
    images = torch.rand(2, 3, 96, 64)
    with torch.no_grad():
        expected = features_of_torchvision(theirs, 2 * images - 1)
        given = encoder(images)
    assert all(torch.allclose(a, b, atol=1e-3) for a, b in zip(given, expected, strict=True))
    assert all(
        part.dtype == torch.float32
        for part in encoder.state_dict().values()
        if part.is_floating_point()
    )


@pytest.mark.parametrize(
    "name", ["maskrcnn_mobilenet_v2_fpn", "pspnet_mobilenet_v2", "emcad_mobilenet_v2"]
)
def test_weights_reach_the_encoder_of_every_task(name: str, shared_data: Path) -> None:
    file = shared_data / "weights" / "mobilenet_v2_imagenet.safetensors"
    classes = ["polyp"] if name.startswith("emcad") else ["a", "b"]
    model = build(name, classes, weights=file)
    first = next(iter(model.encoder.parameters()))
    assert torch.equal(first, load_file(file)["features.0.0.weight"].float())


@pytest.mark.parametrize("kind", ["moco", "dino", "densecl", "plain"])
def test_weights_as_self_supervised_trainings_save_them_are_found(
    kind: str, tmp_path: Path
) -> None:
    theirs = lively(torchvision.models.resnet50(weights=None))
    body = {key: one for key, one in theirs.state_dict().items() if not key.startswith("fc.")}
    other = {key: one + 1 for key, one in body.items()}
    saved = {
        "moco": {
            "epoch": 200,
            "state_dict": {f"module.encoder_q.{key}": one for key, one in body.items()}
            | {f"module.encoder_k.{key}": one for key, one in other.items()}
            | {"module.encoder_q.fc.0.weight": torch.zeros(4, 4), "module.queue": torch.zeros(2)},
        },
        "dino": {
            "student": {f"module.backbone.{key}": one for key, one in other.items()},
            "teacher": {f"backbone.{key}": one for key, one in body.items()}
            | {"head.mlp.0.weight": torch.zeros(2)},
            "epoch": 1,
        },
        "densecl": {
            "state_dict": {f"backbone.{key}": one for key, one in body.items()}
            | {"neck.mlp.0.weight": torch.zeros(2)}
        },
        "plain": body,
    }[kind]
    torch.save(saved, tmp_path / "weights.pth")
    encoder = build_encoder("resnet50", weights=tmp_path / "weights.pth")
    own = encoder.net.state_dict()
    assert torch.equal(own["conv1.weight"], body["conv1.weight"])
    assert torch.equal(own["layer4.2.bn3.running_var"], body["layer4.2.bn3.running_var"])


def test_a_file_of_pytorch_that_is_more_than_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"run": print}, tmp_path / "weights.pth")
    with pytest.raises(InputError, match=r"weights.pth: cannot be read as weights of PyTorch"):
        read_tensors(tmp_path / "weights.pth")
    torch.save({"epoch": 3}, tmp_path / "weights.pth")
    with pytest.raises(InputError, match=r"weights.pth: holds no weights by name"):
        read_tensors(tmp_path / "weights.pth")


# -- what does not fit -------------------------------------------------------------------------


def changed(folder: Path, **changes: Any) -> Path:
    """A file of ResNet-50 with weights taken out, put in or replaced."""
    state = torchvision.models.resnet50(weights=None).state_dict()
    for key, tensor in changes.items():
        name = key.replace("__", ".")
        if tensor is None:
            del state[name]
        else:
            state[name] = tensor
    path = folder / "changed.safetensors"
    save_file(state, path)
    return path


def refusal(file: Path) -> str:
    encoder = build_encoder("resnet50")
    before = {key: tensor.clone() for key, tensor in encoder.net.state_dict().items()}
    from paring.models.weights import load_encoder_weights

    with pytest.raises(InputError) as caught:
        load_encoder_weights(encoder.net, "resnet50", file)
    after = encoder.net.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    return str(caught.value)


def test_missing_and_unexpected_weights_are_counted_and_the_first_named(tmp_path: Path) -> None:
    file = changed(tmp_path, bn1__bias=None, extra__weight=torch.zeros(1))
    message = refusal(file)
    assert message.startswith(f"{file}: does not hold the weights of encoder resnet50")
    assert "1 key missing (bn1.bias), 1 key unexpected (extra.weight)" in message


def test_weights_of_another_encoder_are_refused_with_three_names_and_the_count(
    tmp_path: Path,
) -> None:
    message = refusal(file_of(torchvision.models.resnet34(weights=None), tmp_path))
    assert "keys missing (conv" in message or "keys missing (layer" in message
    assert ", ...)" in message


def test_a_weight_of_another_shape_is_refused_by_name(tmp_path: Path) -> None:
    message = refusal(changed(tmp_path, conv1__weight=torch.zeros(64, 1, 7, 7)))
    assert (
        "weight conv1.weight has shape (64, 1, 7, 7) where encoder resnet50 has (64, 3, 7, 7)"
        in message
    )


def test_a_weight_that_is_no_number_is_refused_by_name(tmp_path: Path) -> None:
    message = refusal(changed(tmp_path, bn1__bias=torch.full((64,), torch.nan)))
    assert "weight bn1.bias holds values that are not finite" in message


def test_counters_of_batches_may_be_missing(tmp_path: Path) -> None:
    file = changed(tmp_path, bn1__num_batches_tracked=None)
    assert (
        int(build_encoder("resnet50", weights=file).net.state_dict()["bn1.num_batches_tracked"])
        == 0
    )


def test_a_file_that_is_not_there_or_not_safetensors_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.safetensors: no such file of weights"):
        read_tensors(tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text("not weights")
    with pytest.raises(InputError, match=r"text\.safetensors: is not a safetensors file"):
        read_tensors(tmp_path / "text.safetensors")
