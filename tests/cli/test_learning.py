"""What commands that learn masks share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import paring
from freeing import tiny
from paring.cli import comparison


def test_a_training_that_fails_is_one_sentence_and_its_stages_stay(
    paring_here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "_WORTH_KEEPING", 0.0)  # seconds
    paring.scenes(4, seed=5, size=(60, 80), folder=tmp_path / "photos")
    words = ("labels", "from-images", "photos", *tiny("network.fitting.warmup_steps=0"))
    failed = paring_here(*words, "network.fitting.lr=1e30", "--no-report", "-o", "run")
    assert failed.returncode == 2
    assert "the loss became" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not (tmp_path / "run").exists()
    (kept,) = tmp_path.glob(".run*")
    assert len(list(kept.rglob("masks/*.npz"))) == 4
    done = paring_here(*words, "--no-report", "--json", "-o", "run")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["run"] == "run"
    assert not list(tmp_path.glob(".run*"))


def test_images_that_cannot_be_read_are_listed(paring_here, tmp_path: Path) -> None:
    paring.scenes(4, seed=5, size=(60, 80), folder=tmp_path / "photos")
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"no picture")
    words = ("labels", "from-images", "photos", *tiny(), "--stage", "masks", "--no-report")
    assert paring_here(*words, "-o", "run").returncode == 2
    done = paring_here(*words, "--on-error", "skip", "--json", "-o", "run")
    assert done.returncode == 0, done.stderr
    (skipped,) = json.loads(done.stdout)["skipped"]
    assert skipped.startswith("broken.jpg: the image cannot be read")


@pytest.mark.parametrize("command", ["from-images", "from-tags"])
def test_options_hold_against_the_keys_of_the_recipe(paring_here, command: str) -> None:
    def seed(*words: str) -> str:
        shown = paring_here("labels", command, "photos", *words, "--show", "-o", "run")
        assert shown.returncode == 0, shown.stderr
        (line,) = (one for one in shown.stdout.splitlines() if one.startswith("seed:"))
        return line

    assert seed() == "seed: 0"
    assert seed("seed=5") == "seed: 5"
    assert seed("seed=5", "--seed", "0") == "seed: 0"
