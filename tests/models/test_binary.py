import pytest

torch = pytest.importorskip("torch")

from paring.models import build

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("name", ["cascade_mobilenet_v2", "emcad_mobilenet_v2"])
def test_the_answer_is_the_finest_stage_or_the_sum_of_all(name: str) -> None:
    last = build(name, ["polyp"], seed=0).eval()
    summed = build(name, ["polyp"], seed=0, output="sum").eval()
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        stages = last.stages(image)
        assert torch.equal(last(image), stages[-1])
        assert torch.allclose(summed(image), torch.stack(stages).sum(0), atol=1e-5)
        assert not torch.allclose(summed(image), stages[-1], atol=1e-5)


def test_stages_come_from_the_coarsest_to_the_finest() -> None:
    model = build("emcad_mobilenet_v2", ["polyp"], seed=0).eval()
    with torch.no_grad():
        own = model.net.supervised(torch.rand(1, 3, 64, 96))
    assert [tuple(logits.shape[2:]) for logits in own] == [(2, 3), (4, 6), (8, 12), (16, 24)]


def test_the_heads_are_those_that_the_answer_is_made_of() -> None:
    last = build("emcad_mobilenet_v2", ["polyp"])
    summed = build("emcad_mobilenet_v2", ["polyp"], output="sum")
    assert [head.in_channels for head in last.heads()] == [24]
    assert [head.in_channels for head in summed.heads()] == [320, 96, 32, 24]
