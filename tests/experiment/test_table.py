import statistics
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paring.errors import InputError
from paring.experiment.cells import Cell, Place
from paring.experiment.table import metric_names, read_results, results, summarise

Listed = list[tuple[Place, Cell]]


def done(method: str, rate: float, seed: int, dice: float, budget: str = "epochs", **more) -> tuple:
    cell = Cell(status="done", metrics={"dice": dice, "iou": dice / 2}, **more)
    return Place(method, rate, seed, budget), cell


def failed(method: str, rate: float, seed: int, budget: str = "epochs") -> tuple:
    return Place(method, rate, seed, budget), Cell(status="failed", error="no, it said")


CELLS: Listed = [
    done("full", 0.0, 0, 0.9, images=10, instances=40, seconds_to_train=100.0, steps=20),
    done("full", 0.0, 1, 0.8, images=10, instances=40, seconds_to_train=110.0, steps=20),
    done("random", 0.5, 0, 0.6, images=5, instances=21, steps=10),
    done("random", 0.5, 1, 0.7, images=5, instances=24, steps=10),
    done("shape", 0.5, 0, 0.75, images=5, instances=30, seconds_to_rank=2.0, steps=10),
    failed("shape", 0.5, 1),
    failed("aum", 0.5, 0),
    failed("aum", 0.5, 1),
]


def row(table: pl.DataFrame, method: str, **where: object) -> dict:
    return table.row(
        by_predicate=pl.all_horizontal(
            pl.col("method") == method, *(pl.col(key) == value for key, value in where.items())
        ),
        named=True,
    )


def test_results_have_a_row_for_each_cell_with_what_became_of_it() -> None:
    frame = results(CELLS)
    assert len(frame) == len(CELLS)
    assert metric_names(frame) == ["dice", "iou"]
    assert frame["error"].to_list() == [None] * 5 + ["no, it said"] * 3
    assert frame.filter(pl.col("status") == "failed")["dice"].to_list() == [None] * 3


def test_results_survive_their_csv(tmp_path: Path) -> None:
    for cells in (CELLS, CELLS[-2:], []):
        frame = results(cells)
        frame.write_csv(tmp_path / "results.csv")
        assert read_results(tmp_path / "results.csv").equals(frame)


@pytest.mark.parametrize("text", ["", "nothing\n1\n", "method,rate\nfull,much\n"])
def test_a_file_that_holds_no_results_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "results.csv").write_text(text)
    with pytest.raises(InputError, match=r"results\.csv: is not what a comparison wrote"):
        read_results(tmp_path / "results.csv")


def test_the_table_has_mean_and_sample_standard_deviation_over_seeds() -> None:
    table = summarise(results(CELLS), ["dice", "iou"])
    chance = row(table, "random")
    # by hand: 0.65, and the root of ((0.05² + 0.05²) / 1)
    assert chance["dice"] == pytest.approx(0.65)
    assert chance["dice_sd"] == pytest.approx(0.005**0.5)
    assert chance["iou"] == pytest.approx(0.325)
    assert chance["instances"] == 22.5
    assert chance["n"] == 2
    full = row(table, "full")
    assert (full["dice"], full["steps"]) == (pytest.approx(0.85), 20)
    assert full["seconds_to_train"] == pytest.approx(105.0)


def test_differences_are_to_the_full_data_and_to_chance_at_the_same_rate() -> None:
    shape = row(summarise(results(CELLS), ["dice"]), "shape")
    assert shape["dice_to_full"] == pytest.approx(0.75 - 0.85)
    assert shape["dice_to_chance"] == pytest.approx(0.75 - 0.65)


def test_one_cell_has_no_spread_and_failed_ones_are_counted_apart() -> None:
    table = summarise(results(CELLS), ["dice"])
    shape, aum = row(table, "shape"), row(table, "aum")
    assert (shape["n"], shape["failed"], shape["dice_sd"]) == (1, 1, None)
    assert (aum["n"], aum["failed"], aum["dice"]) == (0, 2, None)
    assert (shape["seconds_to_rank"], aum["seconds_to_rank"]) == (2.0, None)


def test_the_full_data_comes_first_then_each_rate_with_the_best_method_first() -> None:
    cells = [
        *CELLS,
        done("shape", 0.25, 0, 0.1),
        done("random", 0.25, 0, 0.2),
        done("aum", 0.25, 0, 0.15),
    ]
    table = summarise(results(cells), ["dice"])
    assert table.select("rate", "method").rows() == [
        (0.0, "full"),
        *((0.25, name) for name in ("random", "aum", "shape")),
        *((0.5, name) for name in ("shape", "random", "aum")),
    ]
    by_iou = summarise(results([done("full", 0.0, 0, 0.5)]), ["iou", "dice"])
    assert by_iou.columns[-8] == "iou"


def test_two_budgets_share_the_full_data() -> None:
    cells = [
        *CELLS[:2],
        done("random", 0.5, 0, 0.6, "epochs"),
        done("random", 0.5, 0, 0.8, "steps"),
    ]
    table = summarise(results(cells), ["dice"])
    assert table.select("budget", "method").rows() == [
        ("epochs", "full"),
        ("epochs", "random"),
        ("steps", "full"),
        ("steps", "random"),
    ]
    assert row(table, "random", budget="steps")["dice_to_full"] == pytest.approx(-0.05)
    assert row(table, "random", budget="epochs")["dice_to_full"] == pytest.approx(-0.25)


def test_a_metric_that_no_cell_has_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"'AP' is not among .* dice, iou; change metrics"):
        summarise(results(CELLS), ["AP"])
    with pytest.raises(InputError, match="no cell is done"):
        summarise(results(CELLS[-3:]), ["AP"])


def test_a_metric_that_is_called_like_a_column_is_refused() -> None:
    with pytest.raises(InputError, match="cannot be called 'steps'"):
        results([(CELLS[0][0], Cell(status="done", metrics={"steps": 1.0}))])


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_mean_and_spread_are_those_of_the_standard_library(values: list[float]) -> None:
    cells = [done("full", 0.0, seed, value) for seed, value in enumerate(values)]
    table = summarise(results(cells), ["dice"])
    assert table["dice"][0] == pytest.approx(statistics.fmean(values))
    assert table["dice_sd"][0] == pytest.approx(statistics.stdev(values), abs=1e-9)


@given(st.permutations(CELLS))
def test_the_order_of_cells_changes_no_number(cells: Listed) -> None:
    by = ["budget", "rate", "method"]
    one, other = (summarise(results(some), ["dice"]).sort(by) for some in (CELLS, cells))
    for name in one.columns:
        assert one[name].to_list() == pytest.approx(other[name].to_list(), nan_ok=True)
