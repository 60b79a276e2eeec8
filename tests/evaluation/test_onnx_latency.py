from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import nn

from paring.errors import InputError
from paring.evaluation.onnx_latency import measure_onnx
from paring.models.export import export_module

pytestmark = pytest.mark.torch


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 256, 3), nn.ReLU(), nn.Conv2d(256, 4, 1)
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return export_module(net(), torch.rand(1, 3, 64, 48), tmp_path / "m.onnx")


def test_the_time_is_told_in_all_and_by_layer(file: Path) -> None:
    found = measure_onnx(file, repeats=10)
    assert (found["height"], found["width"], found["threads"]) == (64, 48, 1)
    assert found["layers"].keys() == {"0", "2", "4"}
    assert 0.5 * found["ms"] < sum(found["layers"].values()) <= found["ms"] * 1.001
    assert found["layers"]["2"] > found["layers"]["0"]
    assert found["ms_spread"] >= 0


def test_it_needs_no_torch(file: Path) -> None:
    code = (
        "import sys\n"
        "from paring.evaluation.onnx_latency import measure_onnx\n"
        f"assert measure_onnx({str(file)!r}, repeats=2)['ms'] > 0\n"
        "assert not {'torch', 'onnx', 'lightning'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_free_size_must_be_given(tmp_path: Path) -> None:
    file = tmp_path / "free.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net().eval(),
            (torch.rand(1, 3, 16, 16),),
            str(file),
            dynamo=False,
            input_names=["x"],
            dynamic_axes={"x": {0: "n", 2: "h", 3: "w"}},
        )
    with pytest.raises(InputError, match="the size of input x is free"):
        measure_onnx(file, repeats=1)
    assert measure_onnx(file, size=(20, 24), repeats=1)["width"] == 24


@pytest.mark.parametrize(
    ("wished", "says"),
    [({"repeats": 0}, "repeats 0 cannot be"), ({"threads": 0}, "threads 0 cannot be")],
)
def test_what_cannot_be_is_said(file: Path, wished: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        measure_onnx(file, **wished)


def test_a_file_that_is_no_network_is_named(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match=r"m.onnx: ONNX Runtime cannot read it"):
        measure_onnx(tmp_path / "m.onnx")
    with pytest.raises(InputError, match="no such file"):
        measure_onnx(tmp_path / "none.onnx")

    class Whole(nn.Module):
        def forward(self, x):
            return x + 1

    export_module(Whole(), torch.ones(1, 3, 4, 4, dtype=torch.int64), tmp_path / "w.onnx")
    with pytest.raises(InputError, match="not images in float32"):
        measure_onnx(tmp_path / "w.onnx")
