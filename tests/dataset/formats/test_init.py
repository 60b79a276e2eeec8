import os
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

import factory
import paring
from paring.dataset.formats import FORMATS, format_of
from paring.dataset.table import Dataset
from paring.errors import InputError


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    (tmp_path / "data").mkdir()
    return paring.read(factory.write_json(tmp_path / "data" / "d.json", factory.coco()))


def test_an_error_of_the_system_while_reading_names_the_file(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(InputError, match=r"d\.json: cannot be read \(Permission denied\)"):
        paring.read(data.origin.path)


@pytest.mark.parametrize("place", ["data/d.json", "data", "."])
def test_what_was_read_is_never_written_over(data: Dataset, tmp_path: Path, place: str) -> None:
    before = data.origin.path.read_bytes()
    with pytest.raises(InputError, match="it is never changed"):
        data.write(tmp_path / place, format="coco", overwrite=True)
    assert data.origin.path.read_bytes() == before


def test_what_is_there_is_written_over_only_when_allowed(data: Dataset, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        data.write(tmp_path / "x.json")
    assert (tmp_path / "x.json").read_text() == "mine"


def test_a_format_that_is_not_there_is_refused(data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="format 'tiff' is not known; there are cityscapes, coco"):
        paring.read(tmp_path, format="tiff")
    with pytest.raises(InputError, match="format 'tiff' is not known; there are cityscapes, coco"):
        data.write(tmp_path / "x", format="tiff")


def test_strict_writing_refuses_what_would_be_lost(data: Dataset, tmp_path: Path) -> None:
    crowd = {"size": [48, 64], "counts": [0, 48 * 64]}
    record = factory.annotation(1, 1, 1, crowd, iscrowd=1, area=3072, bbox=[0, 0, 64, 48])
    crowded = paring.read(factory.write_json(tmp_path / "c.json", factory.coco([record])))
    with pytest.raises(InputError, match="writing as voc would lose 1 crowd instances"):
        crowded.write(tmp_path / "out", format="voc", strict=True)
    assert not (tmp_path / "out").exists()


def test_a_path_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    for look in (format_of, paring.read):
        with pytest.raises(InputError, match="gone: no such file or folder"):
            look(tmp_path / "gone")


def test_an_empty_folder_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / ".hidden").touch()
    with pytest.raises(InputError, match=r": holds no images and no annotations$"):
        paring.read(tmp_path)
    (tmp_path / "notes.md").touch()
    with pytest.raises(InputError, match="not recognised as a data set"):
        paring.read(tmp_path)


def test_the_command_line_knows_every_format() -> None:
    from paring.cli.options import FormatName

    assert {f.value for f in FormatName} == set(FORMATS)


def test_images_and_every_part_of_a_whole_are_guarded_and_edits_do_not_lift_it(
    tmp_path: Path,
) -> None:
    made = paring.scenes(4, seed=0, folder=tmp_path / "images")
    for name, ids in (("a.json", [1, 2]), ("b.json", [3, 4])):
        made.subset(ids).write(tmp_path / name, format="coco")
    one, other = (paring.read(tmp_path / name) for name in ("a.json", "b.json"))
    edited = replace(one, instances=one.instances.with_columns(area=pl.col("area") * 2))
    attempts = [
        (one, "images", "yolo"),
        (edited, "a.json", "coco"),
        (paring.Dataset.concat([one, other]), "b.json", "coco"),
    ]
    for data, place, format in attempts:
        with pytest.raises(InputError, match="never changed"):
            data.write(tmp_path / place, format=format, overwrite=True)
    assert len(paring.read(tmp_path / "b.json")) == 2
    assert len(list((tmp_path / "images").iterdir())) == 4


def test_a_folder_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="folders are never replaced"):
        paring.scenes(2, seed=0).write(tmp_path / "mine", overwrite=True)
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_what_is_neither_file_nor_folder_and_what_is_packed_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="neither a file nor a folder"):
        paring.read(tmp_path / "pipe", format="coco")
    (tmp_path / "d.json.gz").write_bytes(b"")
    with pytest.raises(InputError, match="unpack it first"):
        paring.read(tmp_path / "d.json.gz", format="coco")


def test_an_unknown_task_is_refused(tmp_path: Path) -> None:
    path = factory.write_json(tmp_path / "d.json", factory.coco())
    with pytest.raises(InputError, match="'instances' or 'semantic'"):
        paring.read(path, task="panoptic")  # type: ignore[arg-type]
