import pytest

from paring.report.command import AMOUNT, FLOORS, without


@pytest.mark.parametrize(
    "words",
    [
        ["--rate", "0.5"],
        ["--rate=0.5"],
        ["--count", "7"],
        ["-o", "run"],
        ["-orun"],
        ["--output=run"],
        ["--overwrite"],
    ],
)
def test_an_option_goes_with_its_value_wherever_it_stands(words: list[str]) -> None:
    rest = ["images", "shape", "--rated", "a file.json", "--workers", "2"]
    for place in (0, 2, 4, len(rest)):
        line = [*rest[:place], *words, *rest[place:]]
        assert without(line, (*AMOUNT, "-o", "--output"), ("--overwrite",)) == rest


def test_values_that_look_like_options_of_other_names_stay() -> None:
    line = ["similarity", "--groups", "x", "--min-per-group", "3", "--keep", "0.2"]
    assert without(line, FLOORS) == ["similarity", "--groups", "x", "--keep", "0.2"]
