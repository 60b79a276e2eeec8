from __future__ import annotations

import json
from pathlib import Path

import msgspec

from paring.report.sections.channels import Cost, Pruned, channels_headline, channels_section
from pruned_runs import pruned_at


def read(folder: Path, **options) -> tuple[Pruned, Cost]:
    run = pruned_at(folder, **options)
    return (
        msgspec.convert(json.loads((run / "run.json").read_text()), Pruned),
        msgspec.convert(json.loads((run / "cost.json").read_text()), Cost),
    )


def test_the_headline_says_what_stays(tmp_path: Path) -> None:
    _, cost = read(tmp_path)
    assert channels_headline(cost) == (
        "The network keeps 50.0% of the multiply-accumulates and 40.0% of the parameters, "
        "and takes 75.0% of the time."
    )


def test_without_a_time_the_headline_leaves_it_out(tmp_path: Path) -> None:
    run, cost = read(tmp_path, timed=False)
    assert channels_headline(cost).endswith("40.0% of the parameters.")
    assert channels_section(run, cost, {}, hidden=False)["refused"] == "secret cannot be exported"


def test_hidden_names_are_numbers(tmp_path: Path) -> None:
    run, cost = read(tmp_path, timed=False)
    section = channels_section(run, cost, {"miou": 0.5}, hidden=True)
    assert "secret" not in json.dumps(section).lower()
    assert [one["layer"] for one in section["layers"]] == [f"layer {k}" for k in (1, 2, 3, 4)]
    assert section["metrics"] == {"miou": 0.5}
