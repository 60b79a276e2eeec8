import json
import shutil
from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import polars as pl
import pytest

import paring
from commands import Paring, written
from paring.cli import similarity
from paring.dataset.scores import Scores
from paring.dataset.subset import Subset
from paring.images.network import curve as curve_module
from paring.images.network.cut import keep_representatives
from paring.images.similarity.opening import Comparing
from videos import video

FILES = {
    "before",
    "report",
    *("subset.json", "scores.parquet", "edges.parquet", "network.json", "network.graphml"),
    *("network.gexf", "curve.parquet", "kept.txt", "run.json"),
}
SMALL = ("--size", 32, "--workers", 2)
COMMAND = ("images", "similarity")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty scenes in bursts of near-duplicates, with annotations, to be copied from."""
    folder = tmp_path_factory.mktemp("drawn")
    data = paring.scenes(40, seed=1, folder=folder / "images", size=(48, 64))
    data.write(folder / "scenes.json")
    return folder


@pytest.fixture
def frames(drawn: Path, tmp_path: Path) -> Path:
    """The images alone."""
    return Path(shutil.copytree(drawn / "images", tmp_path / "frames"))


@pytest.fixture
def scenes_file(drawn: Path, tmp_path: Path) -> Path:
    shutil.copytree(drawn / "images", tmp_path / "images")
    return Path(shutil.copy(drawn / "scenes.json", tmp_path))


def about(run: Path) -> dict:
    return json.loads((run / "run.json").read_text())


def strict_json(path: Path) -> dict:
    def refuse(word: str) -> None:
        raise AssertionError(word)

    return json.loads(path.read_text(), parse_constant=refuse)


def test_a_run_on_plain_images_holds_all_its_files_and_they_agree(
    paring_here: Paring, frames: Path, tmp_path: Path
) -> None:
    done = paring_here(*COMMAND, "frames", "--rate", 0.5, "-o", "run", *SMALL)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("40 images, 20 removed.\n")
    run = tmp_path / "run"
    assert {path.name for path in run.iterdir()} == FILES | {"tags.csv"}
    subset = Subset.load(run / "subset.json")
    assert (len(subset.kept), len(subset.dropped)) == (20, 20)
    cut = keep_representatives(frames, rate=0.5, how=Comparing(size=32))
    assert subset.kept == cut.subset.kept

    scores = Scores.load(run / "scores.parquet").frame
    assert {"image_id", "file_name", "community", "degree", "score"} <= set(scores.columns)
    assert scores["file_name"].to_list() == [f"{k:06d}.jpg" for k in range(1, 41)]
    edges = pl.read_parquet(run / "edges.parquet")
    assert edges.columns == ["source", "target", "similarity"]
    assert edges.equals(cut.pairs)
    ends = pl.concat([edges["source"], edges["target"]])
    assert scores["degree"].to_list() == [int((ends == i).sum()) for i in scores["image_id"]]
    kept = scores.filter(scores["image_id"].is_in(subset.kept))
    assert (run / "kept.txt").read_text().split() == kept["file_name"].to_list()

    network = strict_json(run / "network.json")
    assert (network["nodes"], network["edges"]) == (40, len(edges))
    assert network["threshold"] == edges["similarity"].min()
    said = strict_json(run / "run.json")
    assert said["method"] == "representatives"
    assert said["network"]["communities"] == scores["community"].n_unique()
    assert said["skipped"] == []
    assert (said["kept"], said["dropped"]) == (20, 20)


def test_the_network_opens_in_other_programs(
    paring_here: Paring, frames: Path, tmp_path: Path
) -> None:
    assert paring_here(*COMMAND, "frames", "--rate", 0.5, "-o", "run", *SMALL).returncode == 0
    run = tmp_path / "run"
    edges = pl.read_parquet(run / "edges.parquet")
    scores = Scores.load(run / "scores.parquet").frame
    for graph in (nx.read_graphml(run / "network.graphml"), nx.read_gexf(run / "network.gexf")):
        assert (graph.number_of_nodes(), graph.number_of_edges()) == (40, len(edges))
        nodes = list(graph.nodes.values())
        assert [node["label"] for node in nodes] == scores["file_name"].to_list()
        assert [node["community"] for node in nodes] == scores["community"].to_list()
        assert sum(node["kept"] for node in nodes) == 20
        weights = {
            (int(a) + 1, int(b) + 1): value["similarity"] for a, b, value in graph.edges(data=True)
        }
        assert {tuple(sorted(k)): v for k, v in weights.items()} == {
            (a, b): v for a, b, v in edges.iter_rows()
        }


def test_annotations_are_cut_with_the_images(
    paring_here: Paring, scenes_file: Path, tmp_path: Path
) -> None:
    done = paring_here(*COMMAND, "scenes.json", "--count", 25, "-o", "run", *SMALL)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("40 images, 15 removed; ")
    run, data = tmp_path / "run", paring.read(scenes_file)
    assert {path.name for path in run.iterdir()} == FILES | {"annotations.json"}
    kept = Subset.load(run / "subset.json").apply(data)
    assert len(kept) == 25
    assert paring.read(run / "annotations.json", images=tmp_path / "images") == kept


def test_frames_of_a_video_are_cut(paring_here: Paring, tmp_path: Path) -> None:
    video(tmp_path / "clip.avi", 12)
    options = ("--frame-step", 2, "--count", 3, "-o", "run", "--link", "kept", *SMALL)
    done = paring_here(*COMMAND, "clip.avi", *options)
    assert done.returncode == 0, done.stderr
    names = (tmp_path / "run" / "kept.txt").read_text().split()
    assert len(names) == 3
    assert set(names) < {f"clip.avi#{k:06d}" for k in range(0, 12, 2)}
    assert (tmp_path / "run" / "frames.txt").read_text().split() == names
    pictures = {name.replace(".avi#", "_") + ".png" for name in names}
    assert {path.name for path in (tmp_path / "kept").iterdir()} == pictures


def test_a_list_of_files_is_cut(paring_here: Paring, frames: Path, tmp_path: Path) -> None:
    listed = [f"frames/{k:06d}.jpg" for k in range(3, 20)]
    (tmp_path / "some.txt").write_text("\n".join(listed))
    done = paring_here(*COMMAND, "some.txt", "--count", 9, "-o", "run", *SMALL)
    assert done.returncode == 0, done.stderr
    names = (tmp_path / "run" / "images.txt").read_text().split()
    assert len(names) == 9
    assert set(names) < set(listed)


def test_the_same_command_gives_the_same_bytes_in_any_process(
    frames: Path, paring_command: Paring, paring_here: Paring
) -> None:
    options = ("--rate", 0.5, "--groups", r"(\d)\.jpg", *SMALL)
    for run, command in (("one", paring_command), ("two", paring_here)):
        done = command(*COMMAND, "frames", *options, "-o", run)
        assert done.returncode == 0, done.stderr
    one, two = (frames.parent / run for run in ("one", "two"))
    names = {path.name for path in one.iterdir()}
    assert names == FILES | {"tags.csv"} == {path.name for path in two.iterdir()}
    assert written(one) == written(two)
    changes = {"command", "seconds", "peak_memory_bytes", "seconds_of"}
    first, second = ({k: v for k, v in about(r).items() if k not in changes} for r in (one, two))
    assert first == second


def test_a_threshold_alone_is_the_rule_of_the_paper(
    paring_here: Paring, frames: Path, tmp_path: Path
) -> None:
    done = paring_here(*COMMAND, "frames", "--threshold", 0.985, "-o", "run", *SMALL)
    assert done.returncode == 0, done.stderr
    scores = Scores.load(tmp_path / "run" / "scores.parquet").frame
    kept = Subset.load(tmp_path / "run" / "subset.json").kept
    sizes = scores.group_by("community").len()
    assert len(kept) == sum(-(-n // 10) for n in sizes["len"])
    assert about(tmp_path / "run")["network"]["threshold"] == 0.985
    assert "at a similarity of 0.985 or more" in done.stdout


def test_every_option_reaches_the_method(paring_here: Paring, frames: Path, tmp_path: Path) -> None:
    options = ("--threshold", 0.9, "--metric", "pcc", "--communities", "leiden", "--keep", 0.4)
    more = ("--resolution", 1.5, "--seed", 7, "--size", 24)
    done = paring_here(*COMMAND, "frames", *options, *more, "-o", "run")
    assert done.returncode == 0, done.stderr
    subset = Subset.load(tmp_path / "run" / "subset.json")
    assert subset.seed == 7
    assert subset.parameters == {
        "metric": "pcc",
        "size": 24,
        "threshold": 0.9,
        "keep": 0.4,
        "communities": "leiden",
        "resolution": 1.5,
    }
    expected = keep_representatives(
        frames,
        threshold=0.9,
        keep=0.4,
        communities="leiden",
        resolution=1.5,
        seed=7,
        how=Comparing(metric="pcc", size=24),
    )
    assert subset.kept == expected.subset.kept


def test_windows_and_data_ranges_reach_the_method(
    paring_here: Paring, frames: Path, tmp_path: Path
) -> None:
    options = ("--window", "gaussian", "--data-range", 128, "--memory", "1GB")
    done = paring_here(*COMMAND, "frames", "--count", 20, *options, "-o", "run", *SMALL)
    assert done.returncode == 0, done.stderr
    parameters = Subset.load(tmp_path / "run" / "subset.json").parameters
    assert (parameters["window"], parameters["data_range"]) == ("gaussian", 128)


def test_the_curve_lists_who_stays_at_each_threshold(
    paring_here: Paring, frames: Path, tmp_path: Path
) -> None:
    done = paring_here(*COMMAND, "frames", "--rate", 0.5, "--curve", "-o", "run", *SMALL)
    assert done.returncode == 0, done.stderr
    curve = pl.read_parquet(tmp_path / "run" / "curve.parquet")
    assert curve.columns == ["threshold", "image_id"]
    counts = curve.group_by("threshold", maintain_order=True).len()
    assert counts["threshold"][0] == 1
    assert counts["len"][0] == 40
    assert counts["len"].min() <= 20
    cut = keep_representatives(frames, threshold=0.98, how=Comparing(size=32))
    assert curve.filter(pl.col("threshold") == 0.98)["image_id"].to_list() == cut.subset.kept


def test_a_search_leaves_who_stays_at_each_threshold_it_tried(
    paring_here: Paring, frames: Path, tmp_path: Path
) -> None:
    done = paring_here(*COMMAND, "frames", "--rate", 0.825, "-o", "run", *SMALL)
    assert done.returncode == 0, done.stderr
    curve = pl.read_parquet(tmp_path / "run" / "curve.parquet")
    assert curve.schema == {"threshold": pl.Float64, "image_id": pl.Int64}
    points = strict_json(tmp_path / "run" / "network.json")["points"]
    assert all(point["stored"] for point in points)
    counts = curve.group_by("threshold", maintain_order=True).len()
    assert counts.rows() == [(point["threshold"], point["kept"]) for point in points]
    assert len(points) > 1
    for k, threshold in enumerate(counts["threshold"][::15]):  # over the whole range
        again = ("--threshold", repr(threshold), "-o", f"again{k}")
        assert paring_here(*COMMAND, "frames", *again, *SMALL).returncode == 0
        kept = Subset.load(tmp_path / f"again{k}" / "subset.json").kept
        assert curve.filter(pl.col("threshold") == threshold)["image_id"].to_list() == kept


def test_subsets_that_are_not_stored_are_told_of(
    paring_here: Paring, frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = (*COMMAND, "frames", "--rate", 0.8, "--curve", *SMALL)
    assert "curve.parquet" not in paring_here(*command, "-o", "whole").stderr
    for module in (similarity, curve_module):
        monkeypatch.setattr(module, "CURVE_ROWS", 100)
    done = paring_here(*command, "-o", "run")
    assert done.returncode == 0, done.stderr
    points = strict_json(tmp_path / "run" / "network.json")["points"]
    stored = [point for point in points if point["stored"]]
    assert 0 < sum(point["kept"] for point in stored) <= 100
    said = f"subsets at {len(stored)} of {len(points)} thresholds; all would be more than 100 rows"
    assert said in " ".join(done.stderr.split())


def test_groups_keep_their_floor_and_are_told_of(
    paring_here: Paring, frames: Path, tmp_path: Path
) -> None:
    options = ("--count", 20, "--groups", r"(\d)\.jpg", "--min-per-group", 2)
    done = paring_here(*COMMAND, "frames", *options, "-o", "run", *SMALL)
    assert done.returncode == 0, done.stderr
    groups = strict_json(tmp_path / "run" / "network.json")["groups"]
    assert [group["group"] for group in groups] == list("0123456789")
    assert [group["kept"] for group in groups] == [2] * 10
    assert "10 groups; 0 keeps the smallest share, 2 of 4 images" in done.stdout


def test_names_of_groups_are_not_taken_for_markup(
    paring_here: Paring, frames: Path, tmp_path: Path
) -> None:
    lines = "".join(f"{k:06d}.jpg,[red]\n" for k in range(1, 41))
    (tmp_path / "g.csv").write_text("file_name,group\n" + lines)
    done = paring_here(*COMMAND, "frames", "--count", 9, "--groups", "g.csv", "-o", "r", *SMALL)
    assert "1 group; [red] keeps the smallest share, 9 of 40 images" in done.stdout


def test_json_output_is_one_object_and_kept_images_are_linked(
    paring_here: Paring, frames: Path, tmp_path: Path
) -> None:
    options = ("--rate", 0.5, "-o", "run", "--json", "--link", "kept")
    done = paring_here(*COMMAND, "frames", *options, *SMALL)
    assert json.loads(done.stdout)["kept"] == 20
    assert done.stderr == ""
    linked = sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert linked == (tmp_path / "run" / "kept.txt").read_text().split()


def test_sentences_count_one_as_one(paring_here: Paring, frames: Path, tmp_path: Path) -> None:
    done = paring_here(*COMMAND, "frames", "--count", 39, "-o", "run", *SMALL)
    assert "1 edge at a similarity of" in done.stdout
    assert "the dropped image is 0.9" in done.stdout
    assert "modularity 0.000" in done.stdout


def test_a_single_image_stays(paring_here: Paring, drawn: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    shutil.copy(drawn / "images" / "000001.jpg", tmp_path / "one")
    done = paring_here(*COMMAND, "one", "--rate", 0.5, "-o", "run")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1 image, 0 removed.\n"
    assert (tmp_path / "run" / "kept.txt").read_text() == "000001.jpg\n"
    assert nx.read_gexf(tmp_path / "run" / "network.gexf").number_of_nodes() == 1
    assert strict_json(tmp_path / "run" / "network.json")["edges"] == 0


REFUSED = {
    "--rate 0.99": "at most a rate of 0.9 can be reached",
    "": "give one of the rate to prune, the count to keep, or the threshold",
    "--rate 0.5 --threshold 0.9": "give one of the rate",
    "--rate 1": "0 <= rate < 1, not 1",
    "--count 41": "between 1 and 40, not 41",
    "--count 0": "between 1 and 40, not 0",
    "--threshold nan": "must be a number, not nan",
    "--rate 0.5 --memory lots": "memory 'lots' is no size; give one like 4GB",
    "--rate 0.5 --memory 1MB": "at least 256",
    "--rate 0.5 --keep 0": "share to keep must be above 0",
    "--rate 0.5 --size 4": "between 8 and 1024, not 4",
    "--rate 0.5 --groups (": "is no regular expression",
    "--rate 0.5 --groups (x*)0": "has an empty group for the file name '000001.jpg'",
    "--rate 0.5 --groups x": "does not match the file name '000001.jpg'",
    "--rate 0.5 --groups gone.csv": "gone.csv: cannot be read",
    "--rate 0.5 --min-per-group 2": "needs groups",
    "--rate 0.5 --metric pcc --window gaussian": "PCC has no window",
    "--rate 0.5 --link frames": "frames: exists already",
    "--rate 0.5 --link frames/000001.jpg/kept": "kept: the links cannot be written there",
    "--rate 0.5 --link run/kept": "cannot lie in the run folder",
    "--rate 0.5 --metric foo": "'foo' is not one of",
    "--rate 0.5 --images gone": "images folder does not exist",
    "--extend frames": "frames: is not a run folder",
    "--extend frames --rate 0.5": "--rate is not for --extend",
    "--extend frames --curve": "--curve is not for --extend",
    "--extend frames --metric ssim": "--metric is not for --extend",
}


@pytest.mark.parametrize("options", REFUSED)
def test_what_cannot_be_ends_in_one_sentence_and_leaves_nothing(
    paring_here: Paring, frames: Path, tmp_path: Path, options: str
) -> None:
    before = sorted(tmp_path.rglob("*"))
    done = paring_here(*COMMAND, "frames", "-o", "run", *SMALL[2:], *options.split())
    assert done.returncode == 2
    assert REFUSED[options] in " ".join(done.stderr.split())
    assert done.stdout == ""
    assert done.stderr.count("rror") == 1 + ("Value error" in done.stderr)
    assert sorted(tmp_path.rglob("*")) == before


def test_folders_that_are_not_there_or_empty_are_refused(
    paring_here: Paring, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    for name, said in (
        ("gone", "gone: no such file or folder"),
        ("empty", "empty: holds no images and"),
    ):
        done = paring_here(*COMMAND, name, "--rate", 0.5, "-o", "deep/run")
        assert done.returncode == 2
        assert done.stderr.startswith(f"error: {said}")
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_an_earlier_run_is_replaced_only_when_allowed(
    paring_here: Paring, frames: Path, tmp_path: Path
) -> None:
    command = (*COMMAND, "frames", "-o", "run", *SMALL, "--count")
    assert paring_here(*command, 20).returncode == 0
    assert "exists already" in paring_here(*command, 10).stderr
    assert paring_here(*command, 10, "--overwrite").returncode == 0
    assert len(Subset.load(tmp_path / "run" / "subset.json").kept) == 10


def test_a_run_is_extended_and_says_what_it_extends(
    paring_here: Paring, frames: Path, tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    for number in range(31, 41):
        shutil.move(frames / f"{number:06d}.jpg", tmp_path / "new")
    assert paring_here(*COMMAND, "frames", "--rate", 0.4, "-o", "old", *SMALL).returncode == 0
    old = Subset.load(tmp_path / "old" / "subset.json")
    done = paring_here(*COMMAND, "new", "--extend", "old", "-o", "joined", "--workers", 2)
    assert done.returncode == 0, done.stderr
    joined = Subset.load(tmp_path / "joined" / "subset.json")
    assert joined.parameters["extends"] == old.dataset
    kept = (tmp_path / "joined" / "images.txt").read_text().split()
    assert [name for name in kept if name.startswith("frames/")] == [
        f"frames/{name}" for name in (tmp_path / "old" / "kept.txt").read_text().split()
    ]
    for path in (tmp_path / "new").iterdir():
        shutil.copy(path, frames)
    done = paring_here(*COMMAND, "frames", "--extend", "joined", "-o", "again")
    assert "'new/000031.jpg' is not among those given" in done.stderr
    done = paring_here(*COMMAND, "frames", "--extend", "old", "-o", "grown")
    assert done.returncode == 0, done.stderr
    grown = Subset.load(tmp_path / "grown" / "subset.json")
    assert set(old.kept) <= set(grown.kept)
    files = {path.name for path in (tmp_path / "grown").iterdir()}
    assert files == FILES - {"curve.parquet"} | {"tags.csv"}
    points = strict_json(tmp_path / "grown" / "network.json")["points"]
    assert [point["stored"] for point in points] == [False]


def test_constant_images_have_no_correlation_and_stay(
    paring_here: Paring, frames: Path, tmp_path: Path
) -> None:
    import cv2

    for k in (1, 2):
        cv2.imwrite(str(frames / f"flat{k}.png"), np.full((48, 64), 90, np.uint8))
    done = paring_here(*COMMAND, "frames", "--count", 22, "--metric", "pcc", "-o", "r", *SMALL)
    assert done.returncode == 0, done.stderr
    assert {"flat1.png", "flat2.png"} < set((tmp_path / "r" / "kept.txt").read_text().split())
    strict_json(tmp_path / "r" / "network.json")
    done = paring_here(*COMMAND, "frames", "--count", 22, "-o", "s", *SMALL)
    kept = set((tmp_path / "s" / "kept.txt").read_text().split())
    assert len({"flat1.png", "flat2.png"} & kept) == 1  # exact duplicates by SSIM


def told(frames: Path, **changes: object) -> list[str]:
    cut = keep_representatives(frames, rate=0.5, how=Comparing(size=32))
    return list(similarity._sentences(replace(cut, **changes)))


def test_the_group_of_which_the_smallest_share_stays_is_named(frames: Path) -> None:
    columns = ("group", "images", "kept")
    rows = [("a", 2, 1), ("b", 10, 2), ("c", 100, 20), ("d", 1, 1)]
    groups = pl.DataFrame(rows, schema=columns, orient="row")
    assert "4 groups; c keeps the smallest share, 20 of 100 images" in told(frames, groups=groups)


def test_only_what_is_the_same_is_shown_as_1(frames: Path) -> None:
    covered = {"dropped": 3, "median": 0.9999999, "min": 0.99996, "not comparable": 1}
    edges, dropped, alone = told(frames, coverage=covered, threshold=0.999999)
    assert "at a similarity of 0.999999 or more" in edges
    assert "are 0.9999999 similar to a kept one in the median, 0.99996 at worst" in dropped
    assert alone == "1 dropped image without a correlation to any kept one"
    covered |= {"median": 1.0, "min": 1.0}
    assert "are 1.000 similar to a kept one" in told(frames, coverage=covered)[1]
