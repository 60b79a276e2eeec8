import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from paring.experiment.cells import Cell, Place
from paring.experiment.table import results, summarise
from paring.experiment.wording import columns, duration, shown_row, signed, spread, to_markdown

METRICS = ["dice", "iou"]


def table() -> pl.DataFrame:
    cells = [
        (
            Place(method, rate, seed, budget),
            Cell(status="done", metrics={"dice": dice, "iou": 0.5}, images=1234, steps=7),
        )
        for budget in ("epochs", "steps")
        for method, rate, seed, dice in (
            ("full", 0.0, 0, 0.9),
            ("full", 0.0, 1, 0.8),
            ("shape", 0.5, 0, 0.7),
            ("random", 0.5, 0, 0.5),
            ("random", 0.5, 1, 0.7),
        )
        if method != "full" or budget == "epochs"
    ]
    return summarise(results(cells), METRICS)


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_markdown_has_a_table_for_each_budget_with_full_data_and_chance() -> None:
    text = to_markdown(table(), METRICS, seeds=2)
    lines = text.splitlines()
    assert [line for line in lines if line.startswith("##")] == [
        "## Equal epochs",
        "## Equal steps",
    ]
    head = [line for line in lines if line.startswith("| removed")]
    assert [cells_of(line) for line in head] == [columns(METRICS)] * 2
    assert sum("**full data**" in line for line in lines) == 2
    assert sum("**random (chance)**" in line for line in lines) == 2
    widths = {len(cells_of(line)) for line in lines if line.startswith("|")}
    assert widths == {len(columns(METRICS))}


def test_a_row_says_mean_spread_differences_and_how_many_seeds() -> None:
    rows = {row["method"]: row for row in table().filter(pl.col("budget") == "steps").to_dicts()}
    shown = {
        name: dict(zip(columns(METRICS), shown_row(row, METRICS, 2), strict=True))
        for name, row in rows.items()
    }
    # by hand: 0.85 and the root of 2 * 0.05²; 0.6 and the root of 2 * 0.1²
    assert shown["full"]["dice"] == "0.8500 ± 0.0707"
    assert shown["random"]["dice"] == "0.6000 ± 0.1414"
    assert (shown["full"]["to full"], shown["full"]["to chance"]) == ("", "")
    assert (shown["random"]["to full"], shown["random"]["to chance"]) == ("-0.2500", "")
    shape = shown["shape"]
    assert (shape["dice"], shape["to full"], shape["to chance"]) == ("0.7000", "-0.1500", "+0.1000")
    assert (shape["n"], shown["random"]["n"]) == ("1 of 2", "2")
    assert (shape["images"], shape["time to rank"], shape["removed"]) == ("1,234", "-", "50 %")


@given(st.floats(-1, 1), st.floats(0, 1))
def test_numbers_are_read_back_to_four_digits(mean: float, deviation: float) -> None:
    one, other = spread(mean, deviation).split(" ± ")
    assert abs(float(one) - mean) <= 0.5001e-4
    assert abs(float(other) - deviation) <= 0.5001e-4
    assert abs(float(signed(mean)) - mean) <= 0.5001e-4


@given(st.floats(0, 1e6))
def test_times_are_read_back_within_a_hundredth_or_half_a_per_cent(seconds: float) -> None:
    number, unit = duration(seconds).split()
    back = float(number) * {"s": 1, "h": 3600}[unit]
    assert abs(back - seconds) <= max(0.0051, 0.0051 * seconds)
