"""Proposals of a data set: the same on any number of workers, gone on with after a stop."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import paring
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.labels.proposals import making, propose, propose_image

pytest.importorskip("skimage")


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return paring.scenes(4, seed=2, folder=tmp_path / "scenes")


def test_proposals_are_those_of_each_image(data: Dataset) -> None:
    found = propose(data, count=15, size=96, workers=1)
    assert found.images.equals(data.images)
    assert found.image_root == data.image_root
    assert found.categories.rows() == [(1, "object")]
    owner = found.instances["image_id"].to_numpy()
    for image_id in data.images["image_id"].to_list():
        rows = np.flatnonzero(owner == image_id)
        alone = propose_image(data.read_image(image_id), count=15, size=96)
        assert found.masks.take(rows) == alone.masks
        assert found.instances["score"].to_numpy()[rows].tolist() == alone.scores.tolist()


def test_the_number_of_workers_does_not_count(data: Dataset) -> None:
    one, two = (propose(data, count=10, size=96, workers=workers) for workers in (1, 2))
    assert one == two


def test_a_stopped_run_goes_on_and_ends_as_an_unbroken_one(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = propose(data, count=10, size=96, workers=1)
    folder = tmp_path / "work"

    def stop(_: str, done: int, of: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        propose(data, count=10, size=96, workers=1, folder=folder, progress=stop)
    made = []
    carry_out = making._carry_out
    monkeypatch.setattr(making, "_carry_out", lambda task: (made.append(task), carry_out(task)))
    again = propose(data, count=10, size=96, workers=1, folder=folder)
    assert len(made) == 2
    assert again == whole


def test_what_was_kept_in_part_is_made_anew(data: Dataset, tmp_path: Path) -> None:
    whole = propose(data, count=10, size=96, workers=1, folder=tmp_path / "work")
    for number, file in enumerate(sorted((tmp_path / "work").glob("*.npz"))):
        raw = bytearray(file.read_bytes())
        if number == 0:
            file.write_bytes(raw[: len(raw) // 2])
        elif number == 1:
            raw[120] ^= 0xFF  # within what is compressed
            file.write_bytes(raw)
        elif number == 2:
            file.write_bytes(b"")
    assert propose(data, count=10, size=96, workers=1, folder=tmp_path / "work") == whole


def test_other_options_or_a_changed_image_are_not_gone_on_with(
    data: Dataset, tmp_path: Path
) -> None:
    propose(data, count=10, size=96, workers=1, folder=tmp_path / "work")
    for options in ({"count": 5, "size": 96}, {"count": 10, "size": 64}):
        kept = propose(data, **options, workers=1, folder=tmp_path / "work")
        assert kept == propose(data, **options, workers=1)
    first = data.image_path(data.images["image_id"][0])
    cv2.imwrite(str(first), np.full((240, 320, 3), 90, np.uint8))
    os.utime(first, ns=(1, 1))
    kept = propose(data, count=10, size=96, workers=1, folder=tmp_path / "work")
    assert kept == propose(data, count=10, size=96, workers=1)


def test_progress_ends_with_all_images(data: Dataset) -> None:
    said = []
    propose(data, count=2, size=64, workers=1, progress=lambda *step: said.append(step[1:]))
    assert said == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_an_image_that_cannot_be_read_is_named(data: Dataset) -> None:
    path = data.image_path(data.images["image_id"][1])
    path.write_bytes(b"no image")
    for workers in (1, 2):
        with pytest.raises(InputError, match=path.name):
            propose(data, count=2, size=64, workers=workers)


def test_a_process_that_is_killed_ends_in_a_sentence(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "_settle", lambda: os._exit(9))
    with pytest.raises(InputError, match="fewer workers need less"):
        propose(data, count=2, size=64, workers=2)


def test_images_that_are_nowhere_are_refused(data: Dataset) -> None:
    with pytest.raises(InputError, match="not known"):
        propose(replace(data, image_root=None))


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch, data: Dataset) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"paring\[labels\]"):
        propose(data)
