from pathlib import Path

import numpy as np
import polars as pl
import pytest

import paring
from paring.dataset import record
from paring.dataset.record import Keep, Record, RecordWriter, pack, unpack
from paring.dataset.table import Dataset
from paring.errors import InputError
from records import drawn_margins, image_units, instance_units, write_epoch, write_record, writer


@pytest.fixture(scope="module")
def data() -> Dataset:
    return paring.scenes(6, seed=2)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("keep", ["signs", "margins"])
def test_what_was_written_comes_back(data: Dataset, tmp_path: Path, keep: Keep) -> None:
    drawn = drawn_margins(len(data.instances), 3, seed=0, cells=21)
    write_record(tmp_path / "run" / "record", data, drawn, keep=keep, planned=5)
    found = Record.open(tmp_path / "run")
    assert found.epochs == [0, 1, 2]
    assert found.about == {
        "version": 1,
        "dataset": data.fingerprint,
        "model": "maskrcnn_mobilenet_v2_fpn",
        "task": "instance",
        "unit": "instance",
        "keep": keep,
        "epochs": 5,
        "step": 0.0625,
    }
    assert found.units["instance_id"].to_list() == data.instances["instance_id"].to_list()
    means = found.epoch(1)
    assert means["unit"].to_list() == list(range(len(data.instances)))
    assert np.allclose(means["margin"], [m.mean() for m in drawn[1]])
    for units, states in found.states(1):
        for unit, state in zip(units, states, strict=True):
            assert state == pack(drawn[1][unit], keep)
            assert ((unpack(state, 21, keep) > 0) == (drawn[1][unit] > 0)).all()


def test_a_record_opens_by_its_own_folder_and_by_that_of_its_run(
    data: Dataset, tmp_path: Path
) -> None:
    write_record(tmp_path / "record", data, drawn_margins(len(data.instances), 1, seed=0))
    assert Record.open(tmp_path).folder == Record.open(tmp_path / "record").folder


def test_units_are_stored_in_order_whatever_the_order_they_were_seen_in(
    data: Dataset, tmp_path: Path
) -> None:
    n = len(data.instances)
    margins = drawn_margins(n, 1, seed=0)[0]
    write_record(tmp_path / "one", data, [margins])
    other = writer(tmp_path / "two", data, instance_units(data, [20] * n), epochs=1)
    order = np.random.default_rng(0).permutation(n)
    columns = Record.open(tmp_path / "one").epoch(0)[order].to_dict(as_series=False)
    other.write(0, **columns, states=[pack(margins[row], "signs") for row in order])
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_the_same_training_writes_the_same_bytes(data: Dataset, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_record(tmp_path / name, data, drawn_margins(len(data.instances), 2, seed=0))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


@pytest.mark.parametrize("keep", ["signs", "margins"])
@pytest.mark.parametrize("block", [1, 50, 2**24])
def test_signs_are_the_bits_of_all_units_in_turn(
    data: Dataset, tmp_path: Path, keep: Keep, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "_BLOCK", block)
    rng = np.random.default_rng(1)
    margins: list[np.ndarray | None] = [
        rng.normal(size=int(rng.integers(1, 30))) for _ in range(len(data.instances))
    ]
    first = list(margins)
    margins[2] = None
    write_record(tmp_path, data, [first, margins], keep=keep)
    bits, seen = Record.open(tmp_path).signs(1)
    expected = [
        np.zeros_like(np.packbits(whole > 0)) if m is None else np.packbits(m > 0)
        for m, whole in zip(margins, first, strict=True)
    ]
    assert bits.tolist() == np.concatenate(expected).tolist()
    assert seen.tolist() == [m is not None for m in margins]


def test_images_are_units_too(data: Dataset, tmp_path: Path) -> None:
    write_record(tmp_path, data, drawn_margins(len(data), 2, seed=0, cells=9), images=True)
    found = Record.open(tmp_path)
    assert found.about["unit"] == "image"
    assert found.units["instance_id"].null_count() == len(data)
    assert found.units["image_id"].to_list() == data.images["image_id"].to_list()


def test_a_resumed_run_goes_on_with_its_record_and_forgets_later_epochs(
    data: Dataset, tmp_path: Path
) -> None:
    n = len(data.instances)
    drawn = drawn_margins(n, 4, seed=0)
    write_record(tmp_path / "through", data, drawn)
    write_record(tmp_path / "resumed", data, [*drawn[:2], drawn[0]], planned=4)
    again = writer(tmp_path / "resumed", data, instance_units(data, [20] * n), epochs=4)
    again.drop_from(2)
    assert Record.open(tmp_path / "resumed").epochs == [0, 1]
    for epoch in (2, 3):
        write_epoch(again, epoch, drawn[epoch])
    assert contents(tmp_path / "resumed") == contents(tmp_path / "through")


def test_an_epoch_written_again_replaces_the_earlier_one(data: Dataset, tmp_path: Path) -> None:
    n = len(data.instances)
    drawn = drawn_margins(n, 2, seed=0)
    write_record(tmp_path, data, [drawn[0]])
    again = writer(tmp_path, data, instance_units(data, [20] * n), epochs=1)
    write_epoch(again, 0, drawn[1])
    margins = Record.open(tmp_path).epoch(0)["margin"]
    assert np.allclose(margins, [m.mean() for m in drawn[1]])


def test_the_record_of_another_run_is_not_written_into(data: Dataset, tmp_path: Path) -> None:
    n = len(data.instances)
    write_record(tmp_path, data, drawn_margins(n, 1, seed=0), planned=4)
    with pytest.raises(InputError, match="holds the record of another run"):
        writer(tmp_path, data, instance_units(data, [20] * n), keep="margins")
    with pytest.raises(InputError, match="holds the record of another run"):
        writer(tmp_path, data, instance_units(data, [21] * n))


def test_what_a_killed_start_left_is_no_part_of_a_new_record(data: Dataset, tmp_path: Path) -> None:
    n = len(data.instances)
    write_record(tmp_path, data, drawn_margins(n, 2, seed=0))
    (tmp_path / "record.json").unlink()
    writer(tmp_path, data, instance_units(data, [20] * n))
    assert Record.open(tmp_path).epochs == []


def test_a_training_gone_astray_is_refused_and_leaves_no_epoch(
    data: Dataset, tmp_path: Path
) -> None:
    n = len(data.instances)
    made = writer(tmp_path, data, instance_units(data, [20] * n))
    margins = drawn_margins(n, 1, seed=0)[0]
    margins[1][0] = np.inf
    with (
        np.errstate(invalid="ignore", divide="ignore"),
        pytest.raises(InputError, match=r"epoch-0000\.parquet: unit 1 has no margin that is a fin"),
    ):
        write_epoch(made, 0, margins)
    assert Record.open(tmp_path).epochs == []


def test_states_and_units_that_do_not_fit_are_refused(data: Dataset, tmp_path: Path) -> None:
    made = writer(tmp_path, data, image_units(data, [20] * len(data)))
    one = {"margin": [0.1], "entropy": [0.1], "el2n": [0.1], "correct": [0.0]}
    with pytest.raises(ValueError, match="has not the bytes of its unit's cells"):
        made.write(0, [0], **one, states=[bytes(2)])
    with pytest.raises(InputError, match="names a unit that units.parquet has not"):
        made.write(0, [6], **one, states=[bytes(3)])
    with pytest.raises(ValueError, match="the share of correct cells is not that of a state"):
        made.write(0, [0], **one, states=[b"\xf0\x00\x00"])
    two = {name: value * 2 for name, value in one.items()}
    with pytest.raises(InputError, match="names a unit twice"):
        made.write(0, [1, 1], **two, states=[bytes(3)] * 2)


def test_an_epoch_that_was_not_recorded_is_named_with_those_that_were(
    data: Dataset, tmp_path: Path
) -> None:
    write_record(tmp_path, data, drawn_margins(len(data.instances), 2, seed=0))
    found = Record.open(tmp_path)
    for ask in (found.epoch, found.signs):
        with pytest.raises(InputError, match=r"epoch-0007.*was not recorded \(recorded: 0, 1\)"):
            ask(7)


def test_an_epoch_in_which_no_unit_was_seen_is_empty(data: Dataset, tmp_path: Path) -> None:
    n = len(data.instances)
    first = drawn_margins(n, 1, seed=0)[0]
    write_record(tmp_path, data, [first, [None] * n])
    found = Record.open(tmp_path)
    assert len(found.epoch(1)) == 0
    assert not found.signs(1)[1].any()


def test_a_writer_gives_its_units_the_types_of_the_record(data: Dataset, tmp_path: Path) -> None:
    units = instance_units(data, [4] * len(data.instances))
    made = writer(tmp_path, data, units.with_columns(pl.col("cells").cast(pl.Int16), more=1))
    assert isinstance(made, RecordWriter)
    assert set(Record.open(tmp_path).units.dtypes) == {pl.Int64}
