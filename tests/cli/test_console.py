import io

import polars as pl
import pytest
from rich.console import Console

import paring
from paring.cli import console
from paring.dataset.summary import compare


def test_the_headline_rounds_what_is_kept_down() -> None:
    data = paring.scenes(60, seed=0)
    before = data.summary()
    after = data.subset(range(1, 20)).summary()
    losses = compare(before, after)
    worst = losses.filter(pl.col("group") == "category").row(0, named=True)
    words = console.headline(before, after, losses)
    assert words.startswith(f"60 images, 41 removed; {after.instances:,} of ")
    least = int(words.split("at least ")[1].split(" %")[0])
    assert least <= 100 * (1 - worst["lost"]) < least + 1
    assert f"{worst['name']} lost most" in words


def test_nothing_lost_is_said_so() -> None:
    summary = paring.scenes(10, seed=0).summary()
    words = console.headline(summary, summary, compare(summary, summary))
    assert words.endswith("no category lost any.")


def test_a_bar_shows_only_for_work_of_more_than_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    screen = io.StringIO()
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(console, "err", Console(file=screen, force_terminal=True))
    with console.bars() as bars:
        bars("fast", 1, 2)
        bars("fast", 2, 2)
        bars("slow", 1, 9)
        assert screen.getvalue() == ""
        now[0] = 1.5
        bars("slow", 2, 9)
    assert "slow" in screen.getvalue()
    assert "fast" not in screen.getvalue()


def test_warnings_become_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    import warnings

    with console.warnings_said():
        warnings.warn("3 masks are odd", UserWarning, stacklevel=1)
    assert "3 masks are odd" in capsys.readouterr().err
