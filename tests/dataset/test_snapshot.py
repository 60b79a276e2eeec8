from pathlib import Path

import polars as pl
import pytest

import paring
from paring.dataset.snapshot import load_frames, save_frames


def test_frames_come_back_as_they_were(tmp_path: Path) -> None:
    data = paring.scenes(12, seed=3)
    save_frames(data, tmp_path / "before")
    back = load_frames(tmp_path / "before", image_root=tmp_path)
    for name in ("images", "instances", "categories"):
        assert getattr(back, name).equals(getattr(data, name)), name
    assert back.image_root == tmp_path
    assert back.masks.is_empty.all()
    assert back.summary().sizes.equals(data.summary().sizes)


def test_tags_come_back(tmp_path: Path) -> None:
    for name, label in (("a", "cat"), ("b", "dog")):
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True)
        paring.scenes(2, seed=0, folder=folder / name)
    data = paring.read(tmp_path / "photos", format="folder")
    assert data.tags is not None
    save_frames(data, tmp_path / "before")
    back = load_frames(tmp_path / "before")
    assert back.tags is not None
    assert back.tags.equals(data.tags)


def test_a_missing_or_foreign_file_is_named(tmp_path: Path) -> None:
    save_frames(paring.scenes(2, seed=0), tmp_path / "before")
    images = tmp_path / "before" / "images.parquet"
    images.write_bytes(b"nothing")
    with pytest.raises(paring.InputError, match=r"images\.parquet: is not a Parquet file"):
        load_frames(tmp_path / "before")
    images.unlink()
    with pytest.raises(paring.InputError, match=r"images\.parquet: no such file"):
        load_frames(tmp_path / "before")
    pl.DataFrame({"image_id": [1]}).write_parquet(images)
    with pytest.raises(paring.InputError, match="the images frame lacks file_name"):
        load_frames(tmp_path / "before")
