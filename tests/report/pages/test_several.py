from pathlib import Path

import pytest

import paring
from commands import Paring
from paring.report.pages.several import several_page, told_apart
from paring.report.sections.cut import bits
from paring.report.subject import Wishes


@pytest.fixture
def runs(tmp_path: Path, paring_here: Paring) -> list[Path]:
    paring.scenes(24, seed=0, size=(48, 64), folder=tmp_path / "images").write(tmp_path / "d.json")
    for seed in (1, 2, 3):
        run = ("d.json", "--rate", 0.5, "--seed", seed, "-o", f"run{seed}", "--no-report")
        assert paring_here("images", "random", *run).returncode == 0
    return [tmp_path / f"run{seed}" for seed in (1, 2, 3)]


def test_each_cut_is_there_and_disagreements_are_most_worth_seeing(runs: list[Path]) -> None:
    subject = several_page(runs, Wishes())
    kept = [set(paring.Subset.load(run / "subset.json").kept) for run in runs]
    ids = subject.data.images["image_id"].to_list()
    assert [one["name"] for one in subject.sections["cuts"]] == ["run1", "run2", "run3"]
    for one, known in zip(subject.sections["cuts"], kept, strict=True):
        assert one["kept"] == bits([i in known for i in ids])
    split = {row for row, i in enumerate(ids) if 0 < sum(i in k for k in kept) < 3}
    assert split
    assert set(subject.worth[0]) == split
    assert subject.headline == "3 cuts of 24 images side by side."


def test_runs_of_other_data_are_refused_by_name(
    runs: list[Path], tmp_path: Path, paring_here: Paring
) -> None:
    paring.scenes(24, seed=9).write(tmp_path / "e.json")
    paring_here("images", "random", "e.json", "--rate", 0.5, "-o", "other")
    with pytest.raises(paring.InputError, match=r"other: is of another data set than .*run1"):
        several_page([runs[0], tmp_path / "other"], Wishes())


def test_hidden_names_number_the_runs(runs: list[Path]) -> None:
    subject = several_page(runs, Wishes(hash_names=True))
    assert [one["name"] for one in subject.sections["cuts"]] == ["run 1", "run 2", "run 3"]


def test_names_are_as_long_as_it_takes_to_tell_them_apart(tmp_path: Path) -> None:
    assert told_apart(["a/x/run", "b/x/run", "b/y/run"]) == ["a/x/run", "b/x/run", "b/y/run"]
    assert told_apart(["a/run", "b/other", "a/run"]) == ["run", "other", "run (2)"]
