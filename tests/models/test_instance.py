"""What all models of instances share."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from paring.models import InstanceModel, build

NAMES = ("maskrcnn_mobilenet_v2_fpn", "solov2_mobilenet_v2_fpn")


@pytest.mark.parametrize("name", NAMES)
def test_they_freeze_what_their_options_say(name: str) -> None:
    model = build(name, ["disc"], seed=0, trainable_layers=2, frozen_norm=True)
    assert isinstance(model, InstanceModel)
    learning = {key.split(".")[1] for key, w in model.encoder.named_parameters() if w.requires_grad}
    assert learning == {"3", "4", "5", "6"}
    before = {key: one.clone() for key, one in model.encoder.named_buffers()}
    model.train().encoder(torch.rand(2, 3, 64, 64))
    assert all(torch.equal(before[key], one) for key, one in model.encoder.named_buffers())


@pytest.mark.parametrize("name", NAMES)
def test_labels_start_from_1_and_there_is_a_score_of_each_class(name: str) -> None:
    model = build(name, ["disc", "bean"], seed=0)
    assert model.task == "instance"
    first = model.class_layers()[0]
    layer = model.get_submodule(first.name)
    assert len(layer.bias) == first.rows * (2 + first.background)
