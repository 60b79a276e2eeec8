from __future__ import annotations

import io

from rich.console import Console

from paring.cli.layers import cost_sentence, costs_table, layers_table, short


def shown(table) -> list[list[str]]:
    text = io.StringIO()
    Console(file=text, width=200).print(table)
    return [line.split("  ") for line in text.getvalue().splitlines()]


def words(table) -> list[list[str]]:
    return [[cell.strip() for cell in line if cell.strip()] for line in shown(table)]


def row(name: str, channels: int, before: int, **more) -> dict:
    return {
        "layer": name,
        "channels": channels,
        "channels_before": before,
        "macs": 1000 * channels,
        "macs_before": 1000 * before,
        **more,
    }


def test_a_pruned_layer_shows_what_it_was() -> None:
    found = words(layers_table([row("a", 8, 16), row("b", 4, 4)]))
    assert found == [
        ["layer", "channels", "MACs"],
        ["a", "8 of 16", "8,000 of 16.0 k"],
        ["b", "4", "4,000"],
    ]


def test_times_are_shown_where_they_are_known() -> None:
    assert words(layers_table([{"layer": "a", "ms": 1.25}])) == [["layer", "ms"], ["a", "1.250"]]
    rows = [row("a", 8, 8, ms=0.5), row("b", 4, 4, ms=None)]
    assert words(layers_table(rows))[1:] == [["a", "8", "8,000", "0.500"], ["b", "4", "4,000"]]


def test_numbers_have_three_digits_that_count() -> None:
    numbers = (9_999, 10_000, 718_000, 58_982_400, 123_456_789, 4_381_083_000)
    assert [short(n) for n in numbers] == [
        *("9,999", "10.0 k", "718 k", "59.0 M", "123 M", "4.38 G"),
    ]


def test_costs_that_were_not_measured_are_left_out() -> None:
    cost = {
        "macs": {"before": 200, "after": 100},
        "parameters": {"before": 10, "after": 9},
        "ms": {"before": 4.0, "after": None},
    }
    assert [line[0] for line in words(costs_table(cost))[1:]] == ["MACs", "parameters"]
    assert words(costs_table(cost))[1] == ["MACs", "200", "100", "50.0%"]


def test_the_sentence_tells_what_is_known() -> None:
    size = {"height": 8, "width": 9}
    assert cost_sentence({"macs": 1200, "parameters": 5, "refused": "no", **size}) == (
        "1,200 MACs, 5 parameters, not timed: no, of 8 x 9 pixels"
    )
    assert cost_sentence({"ms": 2.5, "ms_spread": 0.5, **size}) == (
        "2.50 ± 0.25 ms an image in ONNX Runtime, of 8 x 9 pixels"
    )
