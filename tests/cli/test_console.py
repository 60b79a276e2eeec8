import io

import polars as pl
import pytest
from rich.console import Console

import paring
from paring.cli import console
from paring.dataset.summary import compare


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


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    text = io.StringIO()
    monkeypatch.setattr(console, "out", Console(file=text, width=200))
    return text


def test_a_cut_shows_the_ten_worst_categories_and_how_many_more(
    screen: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "_SHOWN", 3)
    data = paring.scenes(60, seed=0)
    before, after = data.summary(), data.subset(range(1, 20)).summary()
    console.show_cut(before, after, compare(before, after))
    assert "and 5 that lost less" in screen.getvalue()


def test_categories_that_were_never_there_are_not_shown_as_kept(screen: io.StringIO) -> None:
    data = paring.scenes(1, seed=0)
    before = data.summary()
    absent = before.categories.filter(before.categories["instances"] == 0)["name"]
    assert len(absent)
    console.show_cut(before, before, compare(before, before))
    assert not any(f"{name} " in screen.getvalue() for name in absent)


def test_a_summary_lists_the_largest_category_first_and_counts_crowds(screen: io.StringIO) -> None:
    from dataclasses import replace

    data = paring.scenes(30, seed=0)
    crowded = data.instances.with_columns(
        iscrowd=pl.Series([True] + [False] * (len(data.instances) - 1))
    )
    summary = replace(data, instances=crowded).summary()
    console.show_summary(summary)
    names = summary.categories.sort("instances", descending=True)["name"]
    lines = screen.getvalue().splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith(names[0]))
    last = next(k for k, line in enumerate(lines) if line.startswith(names[-1]))
    assert first < last
    assert ", 1 crowds" in screen.getvalue()


def test_bars_go_away_though_the_work_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(console, "err", Console(file=io.StringIO(), force_terminal=True))
    with pytest.raises(RuntimeError), console.bars() as bars:
        bars("slow", 1, 9)
        now[0] = 1.5
        bars("slow", 2, 9)
        assert bars._bars.live.is_started
        raise RuntimeError
    assert not bars._bars.live.is_started
