"""The network of CIM."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

import paring
from paring.labels.tags.network import MaskFuse, Shape, TagNetwork, load_network, save_network


@pytest.fixture
def network() -> TagNetwork:
    torch.manual_seed(0)
    return TagNetwork(Shape("mobilenet_v2", ["a", "b"], width=8, hidden=16)).eval()


BOXES = torch.tensor([[0.0, 0, 32, 32], [8, 8, 60, 40], [30, 10, 64, 64]])


def test_probabilities_are_what_they_are_said_to_be(network) -> None:
    with torch.no_grad():
        found = network(torch.rand(1, 3, 64, 64), BOXES, torch.ones(3, 7, 7))
    ones = torch.ones(3)
    torch.testing.assert_close(found.classes.sum(dim=1), ones)
    torch.testing.assert_close(found.detection.sum(dim=0), ones)
    assert len(found.refined) == len(found.integrity) == 3
    for refined, integrity in zip(found.refined, found.integrity, strict=True):
        torch.testing.assert_close(refined.sum(dim=1), ones)
        assert bool(((integrity > 0) & (integrity < 1)).all())
    mean = sum(y * t for y, t in zip(found.refined, found.integrity, strict=True)) / 3
    torch.testing.assert_close(found.scores(), mean)
    assert found.judged


def test_without_integrity_heads_scores_are_those_of_the_classes() -> None:
    shape = Shape("mobilenet_v2", ["a"], width=4, hidden=8, branches=2, integrity=False)
    with torch.no_grad():
        found = TagNetwork(shape).eval()(torch.rand(1, 3, 64, 64), BOXES, torch.ones(3, 7, 7))
    assert not found.judged
    torch.testing.assert_close(found.scores(), sum(found.refined) / 2)


def test_mask_fuse_sees_the_box_and_what_is_inside_the_mask() -> None:
    torch.manual_seed(1)
    fuse = MaskFuse(3, 5)
    boxes, masks = torch.rand(2, 3, 7, 7), (torch.rand(2, 7, 7) > 0.5).float()
    expected = torch.relu(fuse.conv(torch.cat((boxes, boxes * masks[:, None]), dim=1)))
    torch.testing.assert_close(fuse(boxes, masks), expected)
    # the same box with two masks has two features
    assert not torch.equal(fuse(boxes, masks), fuse(boxes, 1 - masks))


def test_a_network_comes_back_from_its_file(network, tmp_path: Path) -> None:
    save_network(network, tmp_path / "n.safetensors")
    back = load_network(tmp_path / "n.safetensors")
    assert back.shape == network.shape
    image, masks = torch.rand(1, 3, 64, 64), torch.ones(3, 7, 7)
    with torch.no_grad():
        assert torch.equal(
            back(image, BOXES, masks).scores(), network(image, BOXES, masks).scores()
        )


def test_files_of_something_else_are_named(network, tmp_path: Path) -> None:
    with pytest.raises(paring.InputError, match="no such file"):
        load_network(tmp_path / "none")
    (tmp_path / "x").write_bytes(b"none")
    with pytest.raises(paring.InputError, match="holds no network learnt from tags"):
        load_network(tmp_path / "x")
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, tmp_path / "y")
    with pytest.raises(paring.InputError, match="holds no network learnt from tags"):
        load_network(tmp_path / "y")
