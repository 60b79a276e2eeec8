"""Arrays in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import paring
from paring.labels.arrays import read_arrays, write_arrays


def test_arrays_come_back_and_replace_earlier_ones(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    write_arrays(file, x=np.zeros(3))
    write_arrays(file, x=np.arange(4), y=np.ones((2, 2), bool))
    found = read_arrays(file, "y", "x")
    assert list(found) == ["y", "x"]
    np.testing.assert_array_equal(found["x"], np.arange(4))
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    "harm", [lambda raw: b"", lambda raw: raw[: len(raw) // 2], lambda raw: b"x" * 90]
)
def test_broken_files_are_named(tmp_path: Path, harm) -> None:
    file = tmp_path / "a.npz"
    write_arrays(file, x=np.arange(900))
    file.write_bytes(harm(file.read_bytes()))
    with pytest.raises(paring.InputError, match=r"a\.npz: cannot be read"):
        read_arrays(file, "x")


def test_a_name_that_is_not_there_is_said(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.npz", x=[1])
    with pytest.raises(paring.InputError, match="y"):
        read_arrays(tmp_path / "a.npz", "y")
