from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import numpy as np
import onnxruntime

from commands import Paring
from paring.models import load
from prunings import own_at, trained_at

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained_at(tmp_path_factory.mktemp("made"))


def test_a_network_is_measured_in_all_and_by_layer(
    paring_here: Paring, trained: Path, tmp_path: Path
) -> None:
    done = paring_here("channels", "measure", trained, "--repeats", 2, "-o", "cost.json")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "cost.json").read_text())
    model = load(trained / "model.safetensors")
    assert found["parameters"] == sum(p.numel() for p in model.parameters())
    assert (found["height"], found["width"]) == (64, 64)
    rows = {row["layer"]: row for row in found["table"]}
    assert rows["net.encoder.features.0.0"]["channels"] == 32
    assert sum(row["macs"] for row in found["table"]) == found["macs"]
    assert rows["net.head"]["kept_whole"] == "its channels are an output of the network"
    assert "net.encoder.features.0.0" in done.stdout
    assert f"{found['macs']:,} MACs" in done.stderr


def test_an_onnx_file_is_written_and_measured(
    paring_here: Paring, trained: Path, tmp_path: Path
) -> None:
    done = paring_here("channels", "export", trained, "-o", "m.onnx", "--size", "64x96")
    assert done.returncode == 0, done.stderr
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    x = np.random.default_rng(0).random((1, 3, 64, 96), np.float32)
    with torch.no_grad():
        expected = load(trained / "model.safetensors")(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(session.run(None, {"images": x})[0], expected, atol=1e-4)
    done = paring_here("channels", "measure", "m.onnx", "--repeats", 2, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["height"], found["width"]) == (64, 96)
    assert "net.encoder.features.0.0" in found["layers"]


def test_a_network_of_ones_own_is_measured_and_exported(
    paring_here: Paring, tmp_path: Path
) -> None:
    own_at(tmp_path)
    done = paring_here("channels", "measure", "user_nets:small", "--size", "32x32", "--json")
    assert done.returncode == 0, done.stderr
    assert [row["channels"] for row in json.loads(done.stdout)["table"]] == [16, 24, 32, 2]
    options = ("--size", "32x32", "--opset", 17, "--json")
    done = paring_here("channels", "export", "user_nets:small", "-o", "own.onnx", *options)
    assert json.loads(done.stdout) == {
        "file": "own.onnx",
        "height": 32,
        "width": 32,
        "opset": 17,
    }
    assert onnxruntime.InferenceSession(tmp_path / "own.onnx").get_inputs()[0].shape[1:] == [
        *(3, 32, 32)
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("measure", "nowhere"), "nowhere: is no folder of a training"),
        (("measure", "user_nets:small"), "the size of its images is not known; give --size HxW"),
        (("measure", "user_nets:small", "--size", "32"), "size '32' is not as in 192x256"),
        (("measure", "user_nets:small", "--size", "0x9"), "size '0x9' is not as in 192x256"),
        (("measure", "none.onnx"), "none.onnx: no such file"),
        (("export", "nowhere", "-o", "m.onnx"), "nowhere: is no folder of a training"),
        (
            ("export", "user_nets:small", "-o", "gone/m.onnx", "--size", "8x8"),
            "there is no folder gone to write the model in",
        ),
    ],
)
def test_bad_input_ends_in_one_sentence_and_code_2(
    paring_here: Paring, tmp_path: Path, arguments: tuple, says: str
) -> None:
    own_at(tmp_path)
    done = paring_here("channels", *arguments)
    assert done.returncode == 2
    assert says in done.stderr.replace("\n", " ")
    assert not list(tmp_path.glob("*.onnx*"))
