"""What the README shows is what happens."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A line of the README in a shell; it must succeed."""
    here = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | {"PATH": here},
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done


def test_every_command_runs_and_prints_what_the_readme_shows(tmp_path: Path) -> None:
    shown = []
    for block in blocks("console"):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = step.partition("\n")
            done = run(command, tmp_path)
            plain = "\n".join(line.rstrip() for line in done.stdout.splitlines())
            assert plain == expected.rstrip("\n"), command
            shown.append(command.split()[1])
    assert shown == ["demo", "images", "images", "report", "images", "inspect", "convert"]
    for block in blocks("python"):
        subprocess.run([sys.executable, "-c", block], cwd=tmp_path, check=True)
    assert (tmp_path / "kept.json").is_file()


LINES = [x for block in blocks("sh") for x in block.splitlines() if x.startswith("paring ")]

QUICK = {
    "compare": "'methods=[count]' 'rates=[0.8]' 'seeds=[0]' budget=epochs train.trainer.epochs=1",
    "labels from-tags": (
        "'classifier.size=[96,128]' classifier.fitting.epochs=1 network.limit=60 "
        "'network.sizes=[128]' network.fitting.epochs=1 'inference.sizes=[128]'"
    ),
}
"""What makes a command of the README small enough for a test."""


def run_quickly(lines: list[str], folder: Path) -> None:
    for line in lines:
        added = [words for name, words in QUICK.items() if line.startswith(f"paring {name}")]
        run(" ".join((line, *added)), folder)


@pytest.mark.torch
def test_every_training_that_the_readme_shows_runs(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (recipe,) = blocks("yaml")
    (tmp_path / "comparison.yaml").write_text(recipe, encoding="utf-8")
    lines = [line for line in LINES if not line.startswith("paring labels ")]
    run_quickly(["paring demo --images 40 -o demo", *lines], tmp_path)
    assert (tmp_path / "compared" / "report" / "index.html").is_file()
    assert (tmp_path / "pruned" / "model.onnx").is_file()


@pytest.mark.torch
def test_every_way_to_labels_that_the_readme_shows_runs(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    lines = [line for line in LINES if line.startswith("paring labels ")]
    run_quickly(["paring demo --images 30 -o demo", *lines], tmp_path)
    assert (tmp_path / "masks" / "pseudo_labels.json").is_file()
    assert (tmp_path / "found" / "pseudo_labels.json").is_file()


TARGETS = re.findall(r"^make (\S+)", "\n".join(blocks("sh")), re.MULTILINE)


@pytest.mark.parametrize("target", TARGETS)
def test_every_make_target_named_is_there(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_link_leads_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
