from pathlib import Path

import numpy as np
import pytest

import paring
from commands import Paring
from paring.dataset.scores import Scores
from paring.report.pages.cut import cut_page
from paring.report.subject import Wishes


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    paring.scenes(150, seed=0, size=(48, 64), folder=tmp_path / "images").write(tmp_path / "d.json")
    return tmp_path


def test_the_headline_is_that_of_the_terminal(scenes: Path, paring_here: Paring) -> None:
    done = paring_here("images", "count", "d.json", "--rate", 0.4, "-o", "run", "--no-report")
    subject = cut_page(scenes / "run", Wishes())
    assert subject is not None
    assert subject.headline == done.stdout.splitlines()[0]
    assert subject.title == "run · paring"


def test_both_ends_of_a_ranking_are_most_worth_seeing(scenes: Path, paring_here: Paring) -> None:
    paring_here("images", "shape", "d.json", "--rate", 0.4, "-o", "run", "--no-report")
    subject = cut_page(scenes / "run", Wishes())
    assert subject is not None
    order = Scores.load(scenes / "run" / "scores.parquet").ranking().tolist()
    assert list(subject.worth[0]) == order[:60]
    assert list(subject.worth[1]) == order[::-1][:60]
    assert set().union(*map(set, subject.worth)) == set(range(150))


def test_the_worst_covered_pairs_are_most_worth_seeing(scenes: Path, paring_here: Paring) -> None:
    how = ("--rate", 0.5, "--size", 32, "-o", "run", "--no-report")
    paring_here("images", "similarity", "images", *how)
    subject = cut_page(scenes / "run", Wishes())
    assert subject is not None
    frame = Scores.load(scenes / "run" / "scores.parquet").frame
    worst = np.argsort(frame["similarity"].fill_null(2.0).to_numpy(), kind="stable")[:5].tolist()
    pairs = list(subject.worth[0])
    assert pairs[0:10:2] == worst
    covers = frame["image_id"].to_list()
    assert [covers[row] for row in pairs[1:10:2]] == frame["covered_by"].gather(worst).to_list()


def test_a_folder_without_a_subset_is_none_of_ours(tmp_path: Path) -> None:
    assert cut_page(tmp_path, Wishes()) is None
