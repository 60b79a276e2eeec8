import json
import shutil
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import paring
from commands import Paring
from paring.dataset.scores import Scores
from paring.dataset.subset import Subset
from paring.dataset.table import rows_of_ids
from paring.errors import InputError
from paring.images.network.cut import keep_representatives
from paring.images.similarity.opening import Comparing
from paring.report.sections.network import network_section

SMALL = ("--size", 32, "--workers", 2, "--no-report")
COMMAND = ("images", "similarity")


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Forty scenes in bursts of near-duplicates."""
    paring.scenes(40, seed=1, folder=tmp_path / "frames", size=(48, 64))
    return tmp_path / "frames"


@pytest.fixture
def run(paring_here: Paring, frames: Path, tmp_path: Path) -> Path:
    options = ("--groups", r"(\d)\.jpg", "-o", "run", *SMALL)
    done = paring_here(*COMMAND, "frames", "--rate", 0.5, *options)
    assert done.returncode == 0, done.stderr
    return tmp_path / "run"


def section(run: Path, ids: list[int] | None = None) -> dict[str, Any]:
    """The section of a run over a data set with some ids, by default those of its scores."""
    if ids is None:
        ids = Scores.load(run / "scores.parquet").frame["image_id"].to_list()
    table = pl.Series(ids)
    kept = table.is_in(Subset.load(run / "subset.json").kept).to_numpy()
    found = network_section(run, lambda wanted: rows_of_ids(table, wanted), kept)
    assert found is not None
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    return found


def test_figures_are_those_of_the_network(run: Path, frames: Path) -> None:
    found = section(run)
    cut = keep_representatives(frames, rate=0.5, groups=r"(\d)\.jpg", how=Comparing(size=32))
    said = cut.statistics.to_dict()
    tables = {
        "degree": said.pop("degree_distribution"),
        "community_size": said.pop("community_size_distribution"),
    }
    assert found["threshold"] == cut.threshold
    assert found["statistics"] == said
    assert found["tables"] == tables
    assert found["coverage"] == cut.coverage
    assert found["points"] == cut.points
    assert found["groups"] == cut.groups.to_dicts()
    assert found["purity"] == cut.purity


def test_every_row_has_what_its_scores_say(run: Path) -> None:
    ids = [*range(40, 0, -1), 99]  # rows in another order, and one that was not compared
    found, frame = section(run, ids), Scores.load(run / "scores.parquet").frame
    for score in frame.iter_rows(named=True):
        row = ids.index(score["image_id"])
        for name in ("community", "degree", "degree_within"):
            assert found[name][row] == score[name]
        by = -1 if score["covered_by"] is None else ids.index(score["covered_by"])
        assert found["covered_by"][row] == by
        assert (found["similarity"][row] is None) == (score["similarity"] is None)
        if score["similarity"] is not None:
            assert 0 <= score["similarity"] - found["similarity"][row] < 1e-6
    assert {found[name][-1] for name in ("community", "degree", "covered_by")} == {-1}
    assert found["similarity"][-1] is None
    assert sorted(found["drawn"]["rows"]) == list(range(40))


def test_the_network_is_drawn_with_all_its_edges(run: Path) -> None:
    ids = list(range(40, 0, -1))
    found, edges = section(run, ids), pl.read_parquet(run / "edges.parquet")
    drawn = found["drawn"]
    assert drawn["left_out"] == {"images": 0, "communities": 0, "edges": 0}
    images = [ids[row] for row in drawn["rows"]]
    pairs = {tuple(sorted((images[i], images[j]))): value for i, j, value in drawn["edges"]}
    assert pairs.keys() == {(a, b) for a, b, _ in edges.iter_rows()}
    for a, b, value in edges.iter_rows():
        assert 0 <= value - pairs[a, b] < 1e-6
    assert len(drawn["discs"]) == found["statistics"]["communities"] > 1
    x, y, radius, label = np.array(drawn["discs"]).T
    for k, row in enumerate(drawn["rows"]):
        disc = label.tolist().index(found["community"][row])
        assert np.hypot(drawn["x"][k] - x[disc], drawn["y"][k] - y[disc]) < radius[disc]
    places = [*drawn["x"], *drawn["y"], *x, *y, *radius]
    assert all(-1 <= v <= 1 and -Decimal(str(v)).as_tuple().exponent <= 4 for v in places)


def test_what_stays_lies_in_the_middle_of_its_community(run: Path) -> None:
    found = section(run)
    frame = Scores.load(run / "scores.parquet").frame
    kept = frame["image_id"].is_in(Subset.load(run / "subset.json").kept).to_list()
    drawn = found["drawn"]
    size = dict.fromkeys(found["community"], 0)
    for row in drawn["rows"]:
        community = found["community"][row]
        if size[community] == 0:
            assert kept[row]
        size[community] += 1


def test_only_a_similarity_of_one_is_shown_as_one(run: Path) -> None:
    edges = pl.read_parquet(run / "edges.parquet")
    values = np.full(len(edges), 0.75)
    values[:3] = 1, 1 - 1e-9, 0.9876549
    edges.with_columns(similarity=values).write_parquet(run / "edges.parquet")
    shown = [value for _, _, value in section(run)["drawn"]["edges"]]
    assert shown[:2] == [1.0, 1 - 1e-9]
    assert shown[2:4] == [0.987654, 0.75]


def test_a_run_that_dropped_nothing_has_a_network_without_edges(
    paring_here: Paring, frames: Path, tmp_path: Path
) -> None:
    assert paring_here(*COMMAND, "frames", "--rate", 0, "-o", "run", *SMALL).returncode == 0
    found = section(tmp_path / "run")
    assert found["threshold"] is None
    assert (found["groups"], found["purity"]) == (None, None)
    assert found["drawn"]["edges"] == []
    assert len(found["drawn"]["discs"]) == len(found["drawn"]["rows"]) == 40
    assert found["covered_by"] == [-1] * 40


def test_an_extended_run_shows_old_and_new_images(
    paring_here: Paring, frames: Path, tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    for k in range(31, 41):
        shutil.move(frames / f"{k:06d}.jpg", tmp_path / "new")
    assert paring_here(*COMMAND, "frames", "--rate", 0.5, "-o", "old", *SMALL).returncode == 0
    more = ("--extend", "old", "-o", "run", "--no-report")
    done = paring_here(*COMMAND, "new", *more)
    assert done.returncode == 0, done.stderr
    found = section(tmp_path / "run")
    assert sorted(found["drawn"]["rows"]) == list(range(40))
    assert len(found["drawn"]["edges"]) == found["statistics"]["edges"] > 0
    assert len(found["points"]) == 1


def test_an_image_that_could_not_be_read_is_not_drawn(
    paring_here: Paring, frames: Path, tmp_path: Path
) -> None:
    picture = (frames / "000004.jpg").read_bytes()
    (frames / "000004.jpg").write_bytes(picture[: len(picture) // 2])
    options = ("--on-error", "skip", "-o", "run", *SMALL)
    done = paring_here(*COMMAND, "frames", "--rate", 0.5, *options)
    assert done.returncode == 0, done.stderr
    found = section(tmp_path / "run", list(range(1, 41)))
    assert found["community"][3] == found["degree"][3] == -1
    assert sorted(found["drawn"]["rows"]) == [k for k in range(40) if k != 3]


def test_a_run_of_another_kind_has_no_network(run: Path) -> None:
    (run / "network.json").unlink()
    assert network_section(run, lambda ids: ids.to_numpy(), np.zeros(40, bool)) is None


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("network.json", "{", "is not JSON"),
        ("network.json", '{"threshold": NaN}', "NaN is no number"),
        ("network.json", "[]", "does not describe a network"),
        ("network.json", '{"threshold": 0.5}', "does not tell the edges"),
        ("scores.parquet", "PAR1", "is not a Parquet file"),
        ("edges.parquet", "PAR1", "is not a Parquet file"),
        ("scores.parquet", None, "no such file"),
        ("edges.parquet", None, "no such file"),
    ],
)
def test_a_broken_or_missing_file_is_named(
    run: Path, file: str, text: str | None, message: str
) -> None:
    kept = np.zeros(40, bool)
    (run / file).unlink()
    if text is not None:
        (run / file).write_text(text)
    with pytest.raises(InputError, match=rf"{file}: .*{message}"):
        network_section(run, lambda ids: ids.to_numpy() - 1, kept)


def test_frames_with_columns_or_images_that_are_not_there_are_refused(run: Path) -> None:
    edges = pl.read_parquet(run / "edges.parquet")
    for wrong, message in [
        (edges.drop("similarity"), "has no column 'similarity'"),
        (edges.with_columns(source=pl.lit("a")), "are no numbers"),
        (edges.with_columns(target=pl.lit(77)), "names image 77, which has no scores"),
    ]:
        wrong.write_parquet(run / "edges.parquet")
        with pytest.raises(InputError, match=rf"edges\.parquet: .*{message}"):
            section(run)
    edges.write_parquet(run / "edges.parquet")
    scores = Scores.load(run / "scores.parquet")
    alone = pl.when(pl.col("image_id") != edges["source"][0]).then("community").alias("community")
    for frame, message in [
        (scores.frame.with_columns(alone), r"edges\.parquet: names image"),
        (pl.concat([scores.frame, scores.frame[:1]]), r"scores\.parquet: .* one twice"),
    ]:
        replace(scores, frame=frame).save(run / "scores.parquet")
        with pytest.raises(InputError, match=message):
            section(run, list(range(1, 41)))
    scores.save(run / "scores.parquet")
    for ids in (list(range(1, 40)), [k for k in range(1, 41) if k != 20]):
        with pytest.raises(InputError, match=r"scores\.parquet: .*not in the data set"):
            section(run, ids)
