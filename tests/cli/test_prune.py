from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import numpy as np
import onnxruntime

import paring
from commands import Paring
from paring.channels import PrunePlan
from paring.evaluation.cost import count_macs
from paring.models import load
from prunings import own_at, trained_at

pytestmark = pytest.mark.torch

FILES = {"cost.json", "model.onnx", "model.safetensors", "plan.json", "run.json"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained_at(tmp_path_factory.mktemp("made"))


def test_a_trained_network_is_pruned_to_its_budget(
    paring_here: Paring, trained: Path, tmp_path: Path
) -> None:
    before = {path.name: path.read_bytes() for path in trained.glob("*.*")}
    done = paring_here("channels", "prune", trained, "--keep-macs", 0.5, "-o", "run")
    assert done.returncode == 0, done.stderr
    assert before == {path.name: path.read_bytes() for path in trained.glob("*.*")}
    run = tmp_path / "run"
    assert {path.name for path in run.iterdir()} == FILES | {"report"}
    small, whole = load(run / "model.safetensors"), load(trained / "model.safetensors")
    share = count_macs(small, size=(64, 64)) / count_macs(whole, size=(64, 64))
    assert 0.495 <= share <= 0.5
    cost = json.loads((run / "cost.json").read_text())
    assert cost["macs"]["after"] == count_macs(small, size=(64, 64))
    assert cost["ms"]["before"] > 0 < cost["ms"]["after"]
    assert sum(row["macs"] for row in cost["layers"]) == cost["macs"]["after"]
    assert all(row["ms"] > 0 < row["ms_before"] for row in cost["layers"] if row["macs"] > 1e5)
    again = PrunePlan.load(run / "plan.json").apply(whole)
    x = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(again(x), small(x))
        session = onnxruntime.InferenceSession(run / "model.onnx")
        found = session.run(None, {"images": x.numpy()})[0]
        np.testing.assert_allclose(found, small(x).numpy(), atol=1e-4)
    about = json.loads((run / "run.json").read_text())
    assert about["plan"]["criterion"] == "redundancy"
    assert "50" in done.stdout.splitlines()[-3]
    assert "run written to run" in done.stderr
    # what was pruned is evaluated, pruned and measured like any other
    done = paring_here("channels", "measure", "run/model.safetensors", "--size", "64x64", "--json")
    assert json.loads(done.stdout)["macs"] == cost["macs"]["after"]


def test_the_same_command_gives_the_same_plan_and_weights(
    paring_here: Paring, trained: Path, tmp_path: Path
) -> None:
    for name in ("one", "other"):
        arguments = ("--keep-macs", 0.4, "--criterion", "random", "--seed", 3, "--no-report")
        done = paring_here("channels", "prune", trained, *arguments, "-o", name)
        assert done.returncode == 0, done.stderr
    for name in ("plan.json", "model.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_a_network_is_pruned_while_it_is_fine_tuned(
    paring_here: Paring, trained: Path, tmp_path: Path
) -> None:
    arguments = ("channels", "prune", trained, "--keep-macs", 0.5, "--epochs", 3, "-o", "run")
    done = paring_here(*arguments, "--seed", 5, "optimiser.lr=1e-3", "prune.spread=2")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("pruned after step") == 2
    assert json.loads((tmp_path / "run" / "run.json").read_text())["plan"]["macs_before"] > 0
    assert "seed: 5" in (tmp_path / "run" / "recipe.yaml").read_text()
    run = tmp_path / "run"
    assert {path.name for path in run.iterdir()} >= FILES | {"metrics.json", "trained.json"}
    small = load(run / "model.safetensors")
    whole = count_macs(load(trained / "model.safetensors"), size=(64, 64))
    assert 0.49 <= count_macs(small, size=(64, 64)) / whole <= 0.5
    page = (run / "report" / "index.html").read_text(encoding="utf-8")
    shown = json.loads(page.split('id="data">')[1].split("</script>")[0])["channels"]
    assert shown["metrics"] == json.loads((run / "metrics.json").read_text())
    assert paring_here("evaluate", "run").returncode == 0
    done = paring_here(*arguments)
    assert done.returncode == 2
    assert "run: holds a finished run" in done.stderr


def test_a_network_of_ones_own_is_pruned_on_a_folder_of_pictures(
    paring_here: Paring, tmp_path: Path
) -> None:
    own_at(tmp_path)
    paring.scenes(4, seed=0, size=(48, 64), folder=tmp_path / "pictures")
    torch.manual_seed(0)
    import importlib
    import sys

    sys.path.insert(0, str(tmp_path))
    net = importlib.import_module("user_nets").small()
    sys.path.remove(str(tmp_path))
    torch.save(net.state_dict(), tmp_path / "w.pt")
    done = paring_here(
        *("channels", "prune", "user_nets:small", "--weights", "w.pt", "--data", "pictures"),
        *("--size", "48x64", "--max-params", 3000, "--mean", "0.5,0.5,0.5", "-o", "run"),
    )
    assert done.returncode == 0, done.stderr
    small = PrunePlan.load(tmp_path / "run" / "plan.json").apply(net).eval()
    assert 2900 <= sum(p.numel() for p in small.parameters()) <= 3000
    from safetensors.torch import load_file

    small.load_state_dict(load_file(tmp_path / "run" / "model.safetensors"))
    x = torch.rand(1, 3, 48, 64)
    session = onnxruntime.InferenceSession(tmp_path / "run" / "model.onnx")
    with torch.no_grad():
        np.testing.assert_allclose(
            session.run(None, {"images": x.numpy()})[0], small(x).numpy(), atol=1e-5
        )


def test_milliseconds_of_a_device_are_a_budget(
    paring_here: Paring, trained: Path, tmp_path: Path
) -> None:
    assert paring_here("channels", "export", trained, "-o", "m.onnx").returncode == 0
    assert paring_here("channels", "measure", "m.onnx", "-o", "device.json").returncode == 0
    ms = json.loads((tmp_path / "device.json").read_text())["ms"]
    done = paring_here(
        *("channels", "prune", trained, "--max-latency-ms", 0.8 * ms, "--latency", "device.json"),
        *("--criterion", "l1", "--json", "--no-report", "-o", "run"),
    )
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)["plan"]
    assert 0.75 * ms <= plan["reached"] <= 0.8 * ms


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "how small? give one budget"),
        (("--keep-macs", 0.5, "--max-params", 9), "give one budget"),
        (("--keep-macs", 0), "keep_macs 0 cannot be"),
        (("--keep-macs", 0.0001), "cannot be reached: with as few channels as are allowed it is"),
        (("--keep-macs", 0.5, "--ignore", "head"), "has no module 'head' to be ignored"),
        (("--keep-macs", 0.5, "--criterion", "taylor"), "taylor needs gradients of a training"),
        (("--keep-macs", 0.5, "--data", "gone"), "gone"),
        (("--keep-macs", 0.5, "lr=3"), "lr=3 is for fine-tuning"),
        (("--keep-macs", 0.5, "--latency", "x.json"), "--latency is for --max-latency-ms"),
        (("--keep-macs", 0.5, "--mean", "0,0,0"), "--mean and --std are for your own"),
        (("--keep-macs", 0.5, "--epochs", 9, "--overwrite"), "--overwrite is not for fine-tuning"),
        (("--keep-macs", 0.5, "--epochs", 9, "--size", "8x8"), "--size is not for fine-tuning"),
        (("--keep-macs", 0.5, "--stages", 2), "--stages is for fine-tuning"),
        (("--max-params", 9, "--epochs", 1), "with fine-tuning the budget is --keep-macs"),
        (("--keep-macs", 0.5, "--epochs", 1), "cannot be in a training of 2 steps"),
        (("--keep-macs", 0.5, "--epochs", 4, "prune.every=0"), "prune: "),
        (("--keep-macs", 0.5, "--recipe", "best"), "best: no such recipe file; built in are"),
        (("--max-latency-ms", 1, "--latency", "none.json"), "none.json: cannot be read"),
        (("--keep-macs", 0.5, "--recipe", "sirfp-coco"), "is for deeplabv3_resnet50"),
    ],
)
def test_bad_input_ends_in_one_sentence_and_leaves_nothing(
    paring_here: Paring, trained: Path, tmp_path: Path, arguments: tuple, says: str
) -> None:
    done = paring_here("channels", "prune", trained, *arguments, "-o", "run")
    assert done.returncode == 2, done.stderr
    assert says in done.stderr.replace("\n", " ")
    assert not (tmp_path / "run" / "plan.json").exists()
    if "--epochs" not in arguments:
        assert not (tmp_path / "run").exists()
