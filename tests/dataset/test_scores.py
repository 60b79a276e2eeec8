from pathlib import Path

import polars as pl
import pytest

from paring.dataset.scores import Scores
from paring.errors import InputError


def scores(values: list[float], **more: object) -> Scores:
    frame = pl.DataFrame({"image_id": range(len(values)), "score": values})
    return Scores(frame, method="test", dataset="abc", **more)  # type: ignore[arg-type]


def test_the_hard_end_comes_first_and_ties_keep_their_order() -> None:
    assert scores([1.0, 3.0, 1.0, 3.0]).ranking().tolist() == [1, 3, 0, 2]
    assert scores([1.0, 3.0, 1.0, 3.0], hard="low").ranking().tolist() == [0, 2, 1, 3]


def test_scores_come_back_from_their_file_with_all_they_say(tmp_path: Path) -> None:
    before = scores([0.1, 0.2], hard="low", parameters={"k": 3})
    before.save(tmp_path / "s.parquet")
    after = Scores.load(tmp_path / "s.parquet")
    assert after.frame.equals(before.frame)
    assert (after.method, after.dataset, after.hard, after.parameters) == (
        *("test", "abc", "low"),
        {"k": 3},
    )


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_an_image_without_score_is_refused(value: float | None) -> None:
    with pytest.raises(InputError, match="image 1 has no score"):
        scores([0.5, value])  # type: ignore[list-item]


def test_files_that_hold_no_scores_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"x\.parquet: is not a Parquet file of scores"):
        Scores.load(tmp_path / "x.parquet")
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "y.parquet")
    with pytest.raises(InputError, match=r"y\.parquet: was not written as scores"):
        Scores.load(tmp_path / "y.parquet")
    with pytest.raises(InputError, match="no such file"):
        Scores.load(tmp_path / "z.parquet")
    with pytest.raises(InputError, match="no column 'score'"):
        Scores(pl.DataFrame({"image_id": [1]}), method="m", dataset="")


@pytest.mark.parametrize("hard", ["high", "low"])
def test_ties_keep_their_order_among_many(hard: str) -> None:
    assert scores([0.0, 1.0] * 500, hard=hard).ranking()[:500].tolist() == list(
        range(int(hard == "high"), 1000, 2)
    )


def test_scores_that_are_words_are_refused() -> None:
    with pytest.raises(InputError, match="scores are not numbers"):
        scores(["high"])  # type: ignore[list-item]


def test_a_file_of_scores_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    scores([0.5]).save(path)
    about = pl.read_parquet_metadata(path)
    pl.DataFrame({"image_id": [1]}).write_parquet(path, metadata={"paring": about["paring"]})
    with pytest.raises(InputError, match=r"s\.parquet: scores have no column 'score'"):
        Scores.load(path)
