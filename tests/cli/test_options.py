from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from paring.cli.options import Selection, shares


@dataclass
class Group:
    panel = "Group"
    name: Annotated[str, typer.Argument()]
    size: Annotated[int, typer.Option(help="How large.")] = 3


def test_the_fields_of_a_group_become_options_of_the_command() -> None:
    seen = []

    @shares
    def command(group: Group, deep: Annotated[bool, typer.Option("--deep")] = False) -> None:
        seen.append((group, deep))

    app = typer.Typer()
    app.command()(command)
    assert CliRunner().invoke(app, ["x", "--size", "5", "--deep"]).exit_code == 0
    assert CliRunner().invoke(app, ["y"]).exit_code == 0
    assert seen == [(Group("x", 5), True), (Group("y", 3), False)]
    assert CliRunner().invoke(app, []).exit_code == 2


def test_a_selection_speaks_the_words_of_the_library() -> None:
    assert Selection(rate=0.5, min_per_size=2).amount() == {
        "rate": 0.5,
        "count": None,
        "min_per_category": 0,
        "min_per_size": 2,
        "floor_unit": "instances",
    }
