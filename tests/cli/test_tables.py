from __future__ import annotations

import io

from rich.console import Console

from paring.cli.tables import number, plain_table, values_table


def shown(table) -> list[list[str]]:
    written = io.StringIO()
    Console(file=written, width=80).print(table)
    return [line.split() for line in written.getvalue().splitlines()]


def test_values_within_values_are_shown_with_both_names() -> None:
    values = {"AP": 0.25, "cost": {"parameters": 12345, "refused": None}, "kind": "segm"}
    assert shown(values_table(values))[-3:] == [
        ["AP", "0.2500"],
        ["cost", "parameters", "12,345"],
        ["kind", "segm"],
    ]


def test_markup_in_a_value_is_shown_and_not_obeyed() -> None:
    assert shown(values_table({"name": "[red]tile"}))[-1] == ["name", "[red]tile"]


def test_what_could_not_be_measured_is_a_dash() -> None:
    assert number(float("nan")) == "-"


def test_a_plain_table_has_its_names_at_the_top() -> None:
    assert shown(plain_table("category", "AP", "AP50"))[0] == ["category", "AP", "AP50"]


def test_nothing_of_a_table_that_is_too_wide_is_cut_off() -> None:
    table = plain_table("", *(f"number_{k}" for k in range(12)))
    table.add_row("everything", *["1,234,567"] * 12)
    text = "".join("".join(line) for line in shown(table))
    assert "…" not in text
    assert sum(digit in "1234567" for digit in text) >= 12 * 7
