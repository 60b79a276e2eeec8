from pathlib import Path

import msgspec
import pytest

from comparisons import METHODS, compared_at
from paring.experiment.cells import Place
from paring.experiment.folder import RESULTS
from paring.experiment.table import read_results, results, summarise
from paring.report.folder import read_facts
from paring.report.sections.experiment import (
    Experiment,
    experiment_headline,
    experiment_section,
    table_of,
)

FAILED = Place("aum", 0.6, 1, "steps")


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compared_at(
        tmp_path_factory.mktemp("made"),
        methods=METHODS,
        budget="both",
        metrics=["dice_per_image", "miou"],
        failed=[FAILED],
    )


def about(output: Path) -> Experiment:
    return msgspec.convert(read_facts(output)["experiment"], Experiment)


def section(output: Path, **options: object) -> dict:
    plain = {"recipe": "train: x", "hidden": False} | options
    return experiment_section(about(output), read_results(output / RESULTS), **plain)


def test_the_section_has_the_rows_of_the_table_with_spread_and_differences(output: Path) -> None:
    found = section(output)
    table = summarise(read_results(output / RESULTS), ["dice_per_image", "miou"])
    assert len(found["rows"]) == len(table) == 2 * (1 + 2 * (1 + len(METHODS)))
    for row, plain in zip(found["rows"], table.iter_rows(named=True), strict=True):
        assert (row["budget"], row["rate"], row["method"]) == (
            *(plain[name] for name in ("budget", "rate", "method")),
        )
        assert row["values"]["miou"] == [
            plain["miou"],
            plain["miou_sd"],
            plain["miou_to_full"],
            plain["miou_to_chance"],
        ]
    assert found["recipe"] == "train: x"
    assert found["cells"] == {"planned": 2 + 2 * 9 * 2 * 2, "done": 73, "failed": 1}


def test_methods_say_whether_they_need_a_training(output: Path) -> None:
    trained = {one["name"] for one in section(output)["methods"] if one["trains"]}
    assert trained == {"aum", "el2n", "ccs", "mc-dropout", "entropy"}
    assert [one["name"] for one in section(output)["methods"]][:2] == ["full", "random"]


def test_failed_cells_say_why_but_not_where_names_are_hidden(output: Path) -> None:
    (shown,) = section(output)["failed"]
    assert shown["cell"] == "aum at 60 %, seed 1, equal steps"
    assert shown["why"].endswith("the loss is no number")
    (hidden,) = section(output, hidden=True, recipe=None)["failed"]
    assert "secret" not in str(hidden)


def test_the_headline_names_the_best_method_at_the_highest_rate(output: Path) -> None:
    # by hand from the made-up numbers at 60 %: the last method named is best, at equal steps;
    # 0.9 - 0.18 + 0.09 + 0.01 less 0.01, the mean of 0 and 0.02 over two seeds
    table = table_of(read_results(output / RESULTS), ["dice_per_image"])
    assert experiment_headline(about(output), table) == (
        "At 60 % removed, entropy does best: its dice_per_image is 0.8100 "
        "(0.8900 with all images, 0.7300 by chance)."
    )


def test_the_headline_says_where_chance_is_best_and_where_nothing_is_done(tmp_path: Path) -> None:
    output = compared_at(tmp_path, methods=[])
    table = table_of(read_results(output / RESULTS), ["dice_per_image"])
    assert experiment_headline(about(output), table) == (
        "At 60 % removed, no method beats chance, whose dice_per_image is 0.7200 "
        "(0.8900 with all images)."
    )
    assert experiment_headline(about(output), None) == "None of 6 cells is done."
    assert table_of(results([]), ["dice_per_image"]) is None


def test_the_headline_of_the_full_data_alone_says_that_no_cut_is_done(tmp_path: Path) -> None:
    cuts = [Place("random", rate, seed, "epochs") for rate in (0.4, 0.6) for seed in (0, 1)]
    output = compared_at(tmp_path, methods=[], without=cuts)
    table = table_of(read_results(output / RESULTS), ["dice_per_image"])
    assert experiment_headline(about(output), table) == (
        "dice_per_image is 0.8900 with all images; no cut is done."
    )
