import json
from pathlib import Path

import polars as pl
import pytest

import paring
from paring.dataset.record import Record
from paring.dataset.record_files import epoch_path, epochs_in, refuse_gaps
from paring.errors import InputError
from records import drawn_margins, write_record


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = paring.scenes(5, seed=2)
    write_record(tmp_path / "record", data, drawn_margins(len(data.instances), 4, seed=0))
    return tmp_path / "record"


def change(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.parametrize("recorded", [[], [5], [0, 1, 2], [0, 2, 4], [1, 3, 5], [0, 2, 4, 5]])
def test_every_kth_epoch_may_be_recorded_and_the_last(recorded: list[int]) -> None:
    refuse_gaps(Path("record"), recorded)


@pytest.mark.parametrize(
    ("recorded", "lost"), [([0, 1, 3], 2), ([1, 2, 3], 0), ([0, 2, 3, 4], 1), ([0, 2, 6, 8], 4)]
)
def test_a_lost_epoch_is_named(recorded: list[int], lost: int) -> None:
    with pytest.raises(InputError, match=f"epoch-000{lost}.parquet: is missing"):
        refuse_gaps(Path("record"), recorded)


def test_opening_a_record_that_lost_an_epoch_names_its_file(folder: Path) -> None:
    epoch_path(folder, 2).unlink()
    with pytest.raises(InputError, match=r"epoch-0002\.parquet: is missing"):
        Record.open(folder)


def test_other_files_in_the_folder_are_no_epochs(folder: Path) -> None:
    for name in ("epoch-1.parquet", "epoch-0009.parquet.tmp", ".epoch-0009.parquet"):
        (folder / name).write_bytes(b"")
    assert epochs_in(folder) == [0, 1, 2, 3]


def test_a_folder_without_a_record_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no record of a training"):
        Record.open(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"version": 2}, "is of version 2, and 1 is what can be read here"),
        ({"version": None}, "is of version None"),
        ({"keep": "logits"}, "does not describe a record .*keep"),
        ({"dataset": 7}, "does not describe a record .*dataset"),
        ({"step": 0.5}, "has a step or a number of epochs that cannot be"),
        ({"epochs": 0}, "has a step or a number of epochs that cannot be"),
    ],
)
def test_a_description_that_cannot_be_is_refused(
    folder: Path, fields: dict[str, object], said: str
) -> None:
    change(folder / "record.json", **fields)
    with pytest.raises(InputError, match=rf"record\.json: {said}"):
        Record.open(folder)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"version": 1}', b"\xff\xfe", b'"\xff"'])
def test_a_broken_description_is_refused(folder: Path, text: bytes) -> None:
    (folder / "record.json").write_bytes(text)
    with pytest.raises(InputError, match=r"record\.json: does not describe a record"):
        Record.open(folder)


def test_broken_and_lost_units_are_refused(folder: Path) -> None:
    path = folder / "units.parquet"
    frame = pl.read_parquet(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"units\.parquet: cannot be read"):
        Record.open(folder)
    frame.drop("cells").write_parquet(path)
    with pytest.raises(InputError, match=r"units\.parquet: has no column 'cells'"):
        Record.open(folder)
    for column, value in (("unit", 0), ("cells", -1), ("instance_id", None), ("image_id", None)):
        frame.with_columns(pl.lit(value, pl.Int64).alias(column)).write_parquet(path)
        with pytest.raises(InputError, match=r"units\.parquet: its units are not numbered rows"):
            Record.open(folder)
    path.unlink()
    with pytest.raises(InputError, match=r"units\.parquet: is missing"):
        Record.open(folder)


def test_broken_epochs_are_refused_when_they_are_read(folder: Path) -> None:
    path = epoch_path(folder, 1)
    frame, whole = pl.read_parquet(path), path.read_bytes()
    found = Record.open(folder)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"epoch-0001\.parquet: cannot be read"):
        found.epoch(1)
    frame.drop("el2n").write_parquet(path)
    with pytest.raises(InputError, match=r"epoch-0001\.parquet: has no column 'el2n'"):
        found.epoch(1)
    frame.with_columns(pl.col("unit") + 1).write_parquet(path)
    with pytest.raises(InputError, match=r"epoch-0001\.parquet: names a unit that"):
        found.epoch(1)
    frame.reverse().write_parquet(path)
    with pytest.raises(InputError, match=r"epoch-0001\.parquet: names a unit twice, or units out"):
        found.epoch(1)
    frame.with_columns(entropy=pl.lit(None, pl.Float32)).write_parquet(path)
    with pytest.raises(InputError, match=r"epoch-0001\.parquet: unit 0 has no entropy"):
        found.epoch(1)
    frame.with_columns(state=pl.col("state").bin.slice(0, 2)).write_parquet(path)
    with pytest.raises(InputError, match=r"epoch-0001\.parquet: unit 0 has not the bytes of its c"):
        found.signs(1)
    path.unlink()
    with pytest.raises(InputError, match=r"epoch-0001\.parquet: is missing"):
        found.epoch(1)
