"""Proposals written and read again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import paring
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.labels.proposals import load_proposals, save_proposals
from paring.labels.proposals.files import as_proposals


@pytest.fixture
def data() -> Dataset:
    return paring.scenes(4, seed=0)


@pytest.fixture
def made(data: Dataset) -> Dataset:
    owner = data.instances["image_id"].to_list()
    scores = np.linspace(1, 0, len(owner)) / 3
    return as_proposals(data, owner, data.masks.to_rle(), scores.tolist())


def test_what_is_written_is_read_exactly(data: Dataset, made: Dataset, tmp_path: Path) -> None:
    save_proposals(made, tmp_path / "made")
    assert load_proposals(tmp_path / "made", data) == made


def test_no_proposals_at_all_are_kept_too(data: Dataset, tmp_path: Path) -> None:
    none = as_proposals(data, [], data.masks.take(np.empty(0, np.int64)), [])
    save_proposals(none, tmp_path / "made")
    assert load_proposals(tmp_path / "made", data) == none


def test_images_are_told_by_name_and_others_left_out(
    data: Dataset, made: Dataset, tmp_path: Path
) -> None:
    save_proposals(made, tmp_path / "made")
    part = data.subset([2, 3])
    found = load_proposals(tmp_path / "made", part)
    rows = np.flatnonzero(np.isin(made.instances["image_id"].to_numpy(), [2, 3]))
    assert found.masks == made.masks.take(rows)
    assert found.instances["score"].equals(made.instances["score"][rows])
    renamed = replace(
        data, images=data.images.with_columns(file_name="x" + data.images["file_name"])
    )
    assert len(load_proposals(tmp_path / "made", renamed).instances) == 0


def test_a_folder_in_the_way_is_left_alone(made: Dataset, tmp_path: Path) -> None:
    save_proposals(made, tmp_path / "made")
    with pytest.raises(InputError, match="made"):
        save_proposals(made, tmp_path / "made")


@pytest.mark.parametrize("name", ["proposals.parquet", "masks.npz"])
@pytest.mark.parametrize("harm", ["absent", "empty", "half", "bits"])
def test_broken_files_are_named(
    data: Dataset, made: Dataset, tmp_path: Path, name: str, harm: str
) -> None:
    save_proposals(made, tmp_path / "made")
    path = tmp_path / "made" / name
    raw = bytearray(path.read_bytes())
    if harm == "absent":
        path.unlink()
    elif harm == "bits":
        raw[100:110] = b"\xff" * 10
        path.write_bytes(raw)
    else:
        path.write_bytes(raw[: len(raw) // 2 if harm == "half" else 0])
    with pytest.raises(InputError, match="made"):
        load_proposals(tmp_path / "made", data)


def test_files_of_two_runs_are_refused(data: Dataset, made: Dataset, tmp_path: Path) -> None:
    save_proposals(made, tmp_path / "made")
    few = as_proposals(data, [1], made.masks.take([0]), [0.5])
    save_proposals(few, tmp_path / "few")
    (tmp_path / "few" / "masks.npz").replace(tmp_path / "made" / "masks.npz")
    with pytest.raises(InputError, match="belong together"):
        load_proposals(tmp_path / "made", data)
