import time

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn

from paring.errors import InputError
from paring.evaluation.cost import count_macs, measure_cost
from paring.models import build

pytestmark = pytest.mark.torch


class Watched(nn.Module):
    """Keeps what it was given and in which state."""

    def __init__(self, task: str | None = None) -> None:
        super().__init__()
        self.given: list[object] = []
        self.states: list[tuple[bool, bool, int]] = []
        if task is not None:
            self.task = task

    def forward(self, images: Tensor | list[Tensor]) -> None:
        self.given.append(images)
        self.states.append((self.training, torch.is_grad_enabled(), torch.get_num_threads()))


def test_macs_of_a_small_network_by_hand() -> None:
    # on 12 x 16 pixels: 3x3 convolution 3 -> 8 at stride 2, padding 1: 6 x 8 pixels out;
    # depthwise 3x3 over 8 channels; 1x1 convolution 8 -> 5
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.MaxPool2d(1),
        nn.Conv2d(8, 5, 1),
        nn.Flatten(2),
    )
    convolutions = 6 * 8 * (8 * 27 + 8 * 9 + 5 * 8)
    assert count_macs(network, size=(12, 16)) == convolutions
    measured = measure_cost(network, size=(12, 16), repeats=1, warmup=0, onnx=False)
    assert measured["macs"] == convolutions
    assert measured["parameters"] == (8 * 27 + 8) + (8 + 8) + (8 * 9 + 8) + (5 * 8 + 5)


def test_attention_counts_as_its_two_matrix_products() -> None:
    class Attention(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return nn.functional.scaled_dot_product_attention(images, images, images)

    # three heads over 6 tokens of 4: q k' and its product with v, 6 x 6 x 4 each
    assert count_macs(Attention(), size=(6, 4)) == 3 * 2 * 6 * 6 * 4


def test_convolutions_grow_with_the_pixels() -> None:
    network = nn.Conv2d(3, 4, 3, padding=1)
    assert count_macs(network, size=(20, 30)) == 6 * count_macs(network, size=(10, 10))


def test_a_dense_model_gets_a_batch_of_one_and_a_detector_a_list_of_one() -> None:
    dense, detector = Watched(), Watched("instance")
    measure_cost(dense, size=(5, 7), repeats=2, warmup=1, onnx=False)
    measure_cost(detector, size=(5, 7), repeats=2, warmup=1, onnx=False)
    assert {tuple(images.shape) for images in dense.given} == {(1, 3, 5, 7)}
    assert all(torch.equal(images, dense.given[0]) for images in dense.given)
    assert [len(images) for images in detector.given] == [1] * 4  # counted, warmed up, timed twice
    assert tuple(detector.given[0][0].shape) == (3, 5, 7)
    assert 0 <= float(dense.given[0].min()) < float(dense.given[0].max()) <= 1


def test_a_model_is_measured_in_evaluation_without_gradients_and_left_as_it_was() -> None:
    watched = nn.Sequential(Watched(), nn.Dropout())
    watched.train()
    watched[1].eval()
    before = torch.get_num_threads()
    out = measure_cost(watched[0], size=(4, 4), repeats=1, warmup=0, threads=1, onnx=False)
    assert watched[0].states == [(False, False, 1)] * 2
    assert (watched[0].training, watched[1].training) == (True, False)
    assert torch.get_num_threads() == before
    assert out["threads"] == 1
    frozen = nn.Sequential(nn.Conv2d(3, 1, 1), nn.BatchNorm2d(1))
    frozen.train()
    frozen[1].eval()
    count_macs(frozen, size=(2, 2))
    assert [part.training for part in frozen.modules()] == [True, True, False]


def test_threads_are_as_before_where_a_model_fails() -> None:
    class Broken(nn.Module):
        def forward(self, images: Tensor) -> None:
            raise RuntimeError("broken")

    before, broken = torch.get_num_threads(), Broken()
    with pytest.raises(RuntimeError, match="broken"):
        measure_cost(broken, size=(4, 4), threads=1, onnx=False)
    assert torch.get_num_threads() == before
    assert broken.training


def test_the_time_is_that_of_the_model() -> None:
    class Slow(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            time.sleep(0.02)
            return images

    measured = measure_cost(Slow(), size=(2, 2), repeats=3, warmup=0, onnx=False)
    assert measured["torch_ms"] >= 20


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return build("unet_mobilenet_v2", ["a", "b"])


def test_a_dense_model_is_timed_in_both_runtimes(model: nn.Module) -> None:
    out = measure_cost(model, size=(32, 64), repeats=3, warmup=1, threads=1)
    assert out["onnx_refused"] is None
    assert out["onnx_ms"] > 0
    assert out["torch_ms"] > 0
    assert min(out["onnx_ms_spread"], out["torch_ms_spread"]) >= 0
    about = {"device": "cpu", "threads": 1, "repeats": 3, "height": 32, "width": 64}
    assert {key: out[key] for key in about} == about
    assert out["parameters"] == sum(p.numel() for p in model.parameters())


def test_times_of_onnx_are_left_out_on_request(model: nn.Module) -> None:
    out = measure_cost(model, size=(32, 32), repeats=1, warmup=0, onnx=False)
    assert (out["onnx_ms"], out["onnx_ms_spread"], out["onnx_refused"]) == (None, None, None)


def test_a_detector_is_timed_in_both_runtimes() -> None:
    detector = build("maskrcnn_mobilenet_v2_fpn", ["a"], proposals=20, detections=5)
    out = measure_cost(detector, size=(64, 96), repeats=1, warmup=0)
    assert out["onnx_refused"] is None
    assert out["torch_ms"] > 0
    assert out["onnx_ms"] > 0
    assert out["macs"] > 1_000_000


def test_a_module_that_is_no_model_is_not_exported() -> None:
    out = measure_cost(nn.Conv2d(3, 1, 1), size=(4, 4), repeats=1, warmup=0)
    assert out["onnx_refused"] == "Conv2d is no model of paring.models"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"repeats": 0}, "repeats 0 cannot be; it is 1 or more"),
        ({"warmup": -1}, "warmup -1 cannot be; it is 0 or more"),
        ({"threads": 0}, "threads 0 cannot be; it is 1 or more"),
        ({"size": (0, 4)}, r"size \(0, 4\) cannot be"),
        ({"size": (4,)}, r"size \(4,\) cannot be"),
    ],
)
def test_what_cannot_be_measured_is_refused(asked, words) -> None:
    with pytest.raises(InputError, match=words):
        measure_cost(nn.Conv2d(3, 1, 1), **({"size": (4, 4)} | asked))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is here")
def test_on_a_gpu_the_clock_stops_when_the_work_is_done() -> None:
    class Heavy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.rand(8192, 8192))

        def forward(self, images: Tensor) -> Tensor:
            out = self.weight
            for _ in range(10):
                out = out @ self.weight
            return out

    heavy = Heavy().cuda()
    out = measure_cost(heavy, size=(4, 4), repeats=3, warmup=2, onnx=False)
    assert out["device"].startswith("cuda")
    # 1.1e13 operations: no GPU does them in 5 ms, and starting them takes less than 1
    assert out["macs"] == 10 * 8192**3
    assert out["torch_ms"] > 5
