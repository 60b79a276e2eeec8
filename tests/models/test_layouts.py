import pytest

from paring.models.layouts import layouts_of, unwrapped


def test_a_residual_network_has_one_layout_and_loses_its_classifier() -> None:
    (layout,) = layouts_of(["conv1.weight", "layer1.0.conv1.weight"])
    assert layout("layer1.0.conv1.weight") == "layer1.0.conv1.weight"
    assert [layout(key) for key in ("fc.weight", "classifier.1.bias", "head.weight")] == [None] * 3


def test_a_whole_transformer_of_timm_has_its_stages_renamed() -> None:
    own, whole = layouts_of(["stages_0.norm.weight"])
    assert own("stages_0.norm.weight") == whole("stages.0.norm.weight") == "stages_0.norm.weight"
    assert whole("head.weight") is None


def test_both_directions_of_mobilenet_undo_each_other() -> None:
    to_timm = layouts_of(["conv_stem.weight"])[1]
    to_torchvision = layouts_of(["features.0.0.weight"])[1]
    for key in ("features.0.0.weight", "features.1.conv.0.1.bias", "features.17.conv.3.weight"):
        renamed = to_timm(key)
        assert renamed is not None
        assert renamed != key
        assert to_torchvision(renamed) == key


def test_the_first_block_of_mobilenet_has_no_expansion() -> None:
    to_timm = layouts_of(["conv_stem.weight"])[1]
    assert to_timm("features.1.conv.0.0.weight") == "blocks.0.0.conv_dw.weight"
    assert to_timm("features.1.conv.1.weight") == "blocks.0.0.conv_pw.weight"
    assert to_timm("features.1.conv.2.bias") == "blocks.0.0.bn2.bias"
    assert to_timm("features.2.conv.0.0.weight") == "blocks.1.0.conv_pw.weight"
    assert to_timm("features.2.conv.2.weight") == "blocks.1.0.conv_pwl.weight"
    assert to_timm("features.2.conv.3.bias") == "blocks.1.0.bn3.bias"


@pytest.mark.parametrize(
    ("inside", "beside"),
    [
        ("module.encoder_q.", ["module.encoder_k.conv1.weight", "module.queue"]),
        ("module.base_encoder.", ["module.momentum_encoder.conv1.weight"]),
        ("module.backbone.", ["module.head.mlp.0.weight"]),
        ("backbone.", ["neck.mlp.0.weight", "head.fc.bias"]),
        ("teacher.backbone.", ["student.backbone.conv1.weight"]),
        ("", []),
    ],
)
def test_an_encoder_is_found_within_what_its_training_saved(inside: str, beside: list[str]) -> None:
    own = ["conv1.weight", "layer1.0.bn1.bias"]
    found = unwrapped([*(inside + key for key in own), *beside])
    assert found == {key: inside + key for key in own}
