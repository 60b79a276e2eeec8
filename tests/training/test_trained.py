from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from paring.errors import InputError
from paring.training.trained import Trained


def finished(folder: Path) -> Trained:
    return Trained(
        folder=folder,
        model="unet_mobilenet_v2",
        classes=["disc", "star"],
        images=9,
        instances=31,
        epochs=2,
        steps=6,
        seconds=1.5,
        waited=0.25,
        recorded=0.125,
        device="cpu",
        metrics={"AP": 0.5},
        notes=["going on after epoch 1 of 2"],
    )


def test_what_is_saved_is_loaded_again(tmp_path: Path) -> None:
    trained = finished(tmp_path)
    trained.save()
    assert Trained.load(tmp_path) == trained
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"AP": 0.5}


def test_neither_folder_nor_process_stands_in_the_file(tmp_path: Path) -> None:
    finished(tmp_path).save()
    facts = json.loads((tmp_path / "trained.json").read_text())
    assert not {"folder", "leads"} & facts.keys()
    assert (facts["images"], facts["instances"], facts["waited"]) == (9, 31, 0.25)
    assert str(tmp_path) not in (tmp_path / "trained.json").read_text()


def test_the_metrics_are_there_before_the_file_that_says_finished(tmp_path: Path) -> None:
    broken = replace(finished(tmp_path), notes=[object()])  # what no JSON can hold
    with pytest.raises(TypeError):
        broken.save()
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"AP": 0.5}
    assert not (tmp_path / "trained.json").exists()


def test_a_metric_that_is_not_a_number_survives(tmp_path: Path) -> None:
    replace(finished(tmp_path), metrics={"APL": float("nan")}).save()
    value = Trained.load(tmp_path).metrics["APL"]
    assert value != value


@pytest.mark.parametrize("content", ["{", "[]", '{"model": "unet"}', '{"colour": 1}', "null"])
def test_another_file_of_that_name_is_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "trained.json").write_text(content)
    with pytest.raises(InputError, match=r"trained\.json: is not what a training wrote"):
        Trained.load(tmp_path)


def test_a_folder_without_it_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"trained\.json: is not what a training wrote"):
        Trained.load(tmp_path)
