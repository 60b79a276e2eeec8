from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from freed_runs import freed_at
from paring.labels.free.examples import LAYERS, THING, FreeExample
from paring.report.drawn import layer_of
from paring.report.sections.free import FreeFacts, free_headline, free_section


def section(run: Path) -> dict:
    facts = msgspec.convert(json.loads((run / "run.json").read_text()), FreeFacts)
    text = (run / "free_examples.json").read_bytes()
    examples = msgspec.json.decode(text, type=list[FreeExample])
    layers = {name: layer_of(examples, name, [THING], hidden=False) for name in LAYERS}
    return free_section(facts, examples, layers)


def test_each_stage_has_its_masks_and_how_many_an_image(tmp_path: Path) -> None:
    found = section(freed_at(tmp_path))
    assert found["stages"] == [
        ["free masks", 1400, 100],
        ["found by the first network", 33, pytest.approx(33 / 14)],
        ["exemplars", 7, None],
        ["found by the second network", 90, pytest.approx(90 / 14)],
        ["pseudo-labels", 28, 2],
    ]
    assert found["active"] == 0.125
    assert found["examples"][0]["lines"] == ["maskness 1.00"]


def test_free_masks_alone_have_two_stages(tmp_path: Path) -> None:
    found = section(freed_at(tmp_path, images=4, stage="masks"))
    assert [row[0] for row in found["stages"]] == ["free masks", "pseudo-labels"]
    assert found["active"] is None


def test_the_headline_says_what_came_out(tmp_path: Path) -> None:
    run = freed_at(tmp_path, images=4)
    facts = msgspec.convert(json.loads((run / "run.json").read_text()), FreeFacts)
    expected = "28 pseudo-labels in 12 of 4 images, found without any label."
    assert free_headline(facts) == expected
