"""Stages that are kept, and made anew where what they depend on changed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from paring.labels.stages import Stages


def run(folder: Path, **of_first) -> list[bool]:
    """Which of three stages found what they had made."""
    stages, found = Stages(folder), []
    for name, after, made_from in (
        ("one", (), of_first),
        ("two", (), {}),
        ("three", ("one", "two"), {}),
    ):
        with stages.stage(name, after=after, **made_from) as place:
            found.append((place / "made").exists())
            (place / "made").touch()
    return found


def test_stages_are_kept_while_nothing_changed(tmp_path: Path) -> None:
    assert run(tmp_path) == [False] * 3
    assert run(tmp_path) == [True] * 3


def test_what_depends_on_a_changed_stage_is_made_anew(tmp_path: Path) -> None:
    run(tmp_path, epochs=3)
    assert run(tmp_path, epochs=4) == [False, True, False]


def test_a_stage_that_fails_keeps_what_it_made_and_how_long_it_took(tmp_path: Path) -> None:
    stages = Stages(tmp_path)
    with pytest.raises(RuntimeError), stages.stage("one") as place:
        (place / "half").touch()
        time.sleep(0.05)
        raise RuntimeError
    again = Stages(tmp_path)
    with again.stage("one") as place:
        assert (place / "half").exists()
    assert again.seconds["one"] >= 0.05


def test_a_broken_mark_makes_the_stage_anew(tmp_path: Path) -> None:
    run(tmp_path)
    (tmp_path / "two" / "stage.json").write_text("{")
    assert run(tmp_path) == [True, False, True]
