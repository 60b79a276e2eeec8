"""The script of the docs that goes from images to a small network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

import paring
from paring.channels import PrunePlan
from paring.models import load

SCRIPT = Path(__file__).resolve().parents[1] / "docs" / "pipeline.py"


def test_one_script_goes_from_images_to_a_small_network(tmp_path: Path) -> None:
    words = [sys.executable, SCRIPT, "work", "--images", "8", "--quick"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    work = tmp_path / "work"
    labels, kept = paring.read(work / "labels.json"), paring.read(work / "kept.json")
    assert len(labels.instances) > 0
    assert (len(labels), len(kept)) == (8, 4)
    assert set(kept.images["file_name"]) < set(labels.images["file_name"])
    whole, small = load(work / "trained" / "model.safetensors"), load(work / "small.safetensors")
    plan = PrunePlan.load(work / "plan.json")
    assert plan.about["macs"] <= 0.5 * plan.about["macs_before"]
    image = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        assert small(image).shape == whole(image).shape == (1, 2, 64, 96)
        assert torch.allclose(plan.apply(whole)(image), small(image), atol=1e-5)
