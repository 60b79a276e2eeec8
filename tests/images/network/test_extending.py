import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest

import paring
from paring.dataset.subset import Subset
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.images.network.cut import keep_representatives
from paring.images.network.extending import EDGES, OldRun, _join, extend
from paring.images.network.graph import similarity_network
from paring.images.network.result import NetworkCut
from paring.images.similarity.opening import Comparing
from paring.images.similarity.tiles import Engine

HOW = Comparing(size=32, workers=2)
THRESHOLD = 0.985


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty scenes in bursts of near-duplicates, with annotations, to be copied from."""
    folder = tmp_path_factory.mktemp("drawn")
    data = paring.scenes(40, seed=1, folder=folder / "images", size=(48, 64))
    data.write(folder / "all.json")
    return folder


def place(drawn: Path, folder: Path, numbers: range | list[int]) -> Path:
    """Some of the scenes, under their own names."""
    folder.mkdir(exist_ok=True)
    for number in numbers:
        shutil.copy(drawn / "images" / f"{number:06d}.jpg", folder)
    return folder


def write_run(cut: NetworkCut, folder: Path) -> Path:
    """The files of a run that an extension reads."""
    folder.mkdir()
    cut.subset.save(folder / "subset.json")
    cut.scores.save(folder / "scores.parquet")
    cut.pairs.write_parquet(folder / EDGES)
    about = {"dataset": {"image_root": str(cut.data.image_root.resolve())}}
    (folder / "run.json").write_text(json.dumps(about))
    return folder


def old_run(folder: Path, run: Path, **options: object) -> NetworkCut:
    options = {"threshold": THRESHOLD, "how": HOW} | options
    cut = keep_representatives(folder, **options)
    write_run(cut, run)
    return cut


def by_names(cut: NetworkCut) -> dict[tuple[str, str], float]:
    """Edges by the names of the files, which ids of two data sets have not in common."""
    name = dict(cut.data.images.select("image_id", "file_name").iter_rows())
    return {tuple(sorted((name[a], name[b]))): value for a, b, value in cut.pairs.iter_rows()}


def kept_names(cut: NetworkCut) -> set[str]:
    images = cut.data.images
    return set(images.filter(images["image_id"].is_in(cut.subset.kept))["file_name"])


def communities(cut: NetworkCut) -> dict[str, int]:
    return dict(cut.scores.frame.select("file_name", "community").iter_rows())


ORDERS = {
    "after the old ones": list(range(1, 28)),
    "before the old ones": list(range(14, 41)),
    "between the old ones": [k for k in range(1, 41) if k % 3],
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("metric", ["ssim", "pcc"])
def test_edges_are_those_of_a_run_from_scratch_wherever_new_names_sort(
    drawn: Path, tmp_path: Path, order: str, metric: str
) -> None:
    how = replace(HOW, metric=metric)
    images = place(drawn, tmp_path / "images", ORDERS[order])
    old = old_run(images, tmp_path / "run", how=how)
    place(drawn, images, range(1, 41))
    grown = extend(tmp_path / "run", images, how=how)
    scratch = keep_representatives(images, threshold=THRESHOLD, how=how)
    assert len(old.pairs) < len(grown.pairs)
    assert grown.pairs.equals(scratch.pairs)
    assert (grown.network != scratch.network).nnz == 0
    assert by_names(old).items() <= by_names(grown).items()


@pytest.mark.parametrize("amount", [{"threshold": THRESHOLD}, {"rate": 0.4}, {"count": 20}])
@pytest.mark.parametrize("keep", [0.1, 0.5])
def test_what_was_kept_stays_kept_and_what_was_dropped_stays_dropped(
    drawn: Path, tmp_path: Path, amount: dict[str, float], keep: float
) -> None:
    images = place(drawn, tmp_path / "images", ORDERS["between the old ones"])
    old = old_run(images, tmp_path / "run", **{"threshold": None, "keep": keep} | amount)
    place(drawn, images, range(1, 41))
    grown = extend(tmp_path / "run", images, how=HOW)
    was = set(old.data.images["file_name"])
    assert kept_names(grown) & was == kept_names(old)
    assert len(grown.data) == 40
    assert grown.threshold == old.threshold
    # each community has its share, and no new image stays that the rule does not ask for
    old_share, of, kept = communities(old), communities(grown), kept_names(grown)
    for community in set(of.values()):
        names = {name for name, c in of.items() if c == community}
        wanted = -(-len(names) * round(10 * keep) // 10)
        assert len(names & kept) >= wanted
        if names - was and len(names & kept) > wanted:
            assert not (names & kept) - was
    # communities of old images are not torn apart
    assert len({(old_share[name], of[name]) for name in was}) == len(set(old_share.values()))


def test_new_images_join_the_community_that_they_have_most_edges_with(
    drawn: Path, tmp_path: Path
) -> None:
    images = place(drawn, tmp_path / "images", ORDERS["between the old ones"])
    old = old_run(images, tmp_path / "run")
    place(drawn, images, range(1, 41))
    grown = extend(tmp_path / "run", images, how=HOW)
    was, of, edges = set(old.data.images["file_name"]), communities(grown), by_names(grown)
    joined = 0
    for name in set(of) - was:
        ends = [b if a == name else a for a, b in edges if name in (a, b)]
        votes = [of[end] for end in ends if end in was]
        if votes:
            most = max(map(votes.count, votes))
            assert of[name] == min(c for c in votes if votes.count(c) == most)
            joined += 1
        elif not ends:
            assert name in kept_names(grown)
            assert list(of.values()).count(of[name]) == 1
    assert joined > 3


def test_strangers_form_communities_of_their_own_and_stay(drawn: Path, tmp_path: Path) -> None:
    images = place(drawn, tmp_path / "images", range(1, 21))
    old_run(images, tmp_path / "run")
    rng = np.random.default_rng(0)
    stranger = rng.integers(0, 256, (48, 64), np.uint8)
    for name in ("x1.png", "x2.png"):
        cv2.imwrite(str(images / name), stranger)
    cv2.imwrite(str(images / "alone.png"), rng.integers(0, 256, (48, 64), np.uint8))
    grown = extend(tmp_path / "run", images, how=HOW)
    of, kept = communities(grown), kept_names(grown)
    assert of["x1.png"] == of["x2.png"] != of["alone.png"]
    assert not {of["x1.png"], of["alone.png"]} & {c for n, c in of.items() if n.endswith("jpg")}
    assert {"x1.png", "alone.png"} <= kept
    assert "x2.png" not in kept
    reasons = {grown.data.images["file_name"][i - 1]: r for i, r in grown.subset.reasons.items()}
    assert "new" in reasons["alone.png"]
    assert "x1.png is 1.000 similar" in reasons["x2.png"]


def test_most_edges_decide_and_of_as_many_the_first_community() -> None:
    # two triangles, communities 0 and 1; node 6 has two edges to 1, node 7 one to each, node 8
    # one to node 6 alone
    ends = [(0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5), (6, 0), (6, 3), (6, 4), (7, 2), (7, 5)]
    network = similarity_network(*np.array([*ends, (8, 6)]).T, 9)
    labels = np.array([0, 0, 0, 1, 1, 1, -1, -1, -1])
    _join(network, labels)
    assert labels.tolist() == [0, 0, 0, 1, 1, 1, 1, 0, 1]


def test_a_chain_of_new_images_joins_over_new_ones(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 160, 64), (48, 1))
    wave = 60 * np.sin(np.arange(48) / 4)[:, None]
    images = tmp_path / "images"
    images.mkdir()
    steps = [ramp + share * wave for share in (0, 0.35, 0.7, 1.05)]
    for k in (0, 1):
        cv2.imwrite(str(images / f"{k}.png"), np.clip(steps[0] + 40 + k, 0, 255).astype(np.uint8))
    old_run(images, tmp_path / "run", threshold=0.9)
    for k in (1, 2, 3):
        cv2.imwrite(str(images / f"n{k}.png"), np.clip(steps[k] + 40, 0, 255).astype(np.uint8))
    grown = extend(tmp_path / "run", images, how=HOW)
    edges, of = by_names(grown), communities(grown)
    assert not {("0.png", "n3.png"), ("1.png", "n3.png")} & edges.keys()
    assert ("0.png", "n1.png") in edges
    assert of["n3.png"] == of["0.png"]


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> Callable[[], set[tuple[int, int]]]:
    """The pairs of rows that tiles went through, in the order of the work (old images first)."""
    seen: set[tuple[int, int]] = set()
    find = Engine.find

    def watched(self: Engine, tile: object, *args: object, **options: object) -> object:
        for row in range(tile.rows.start, tile.rows.stop):
            start = row + 1 if tile.diagonal else tile.others.start
            seen.update((row, other) for other in range(start, tile.others.stop))
        return find(self, tile, *args, **options)

    monkeypatch.setattr(Engine, "find", watched)
    return lambda: seen


def test_only_pairs_with_a_new_image_are_compared(
    drawn: Path, tmp_path: Path, compared: Callable[[], set[tuple[int, int]]]
) -> None:
    images = place(drawn, tmp_path / "images", ORDERS["between the old ones"])
    n_old = len(old_run(images, tmp_path / "run").data)
    assert compared() == {(a, b) for a in range(n_old) for b in range(a + 1, n_old)}
    compared().clear()
    place(drawn, images, range(1, 41))
    extend(tmp_path / "run", images, how=HOW)
    assert compared() == {(a, b) for b in range(n_old, 40) for a in range(b)}


def test_nothing_new_changes_nothing(drawn: Path, tmp_path: Path) -> None:
    images = place(drawn, tmp_path / "images", range(1, 25))
    old = old_run(images, tmp_path / "run", threshold=None, rate=0.5)
    grown = extend(tmp_path / "run", images, how=HOW)
    assert grown.subset.kept == old.subset.kept
    assert grown.pairs.equals(old.pairs)
    assert grown.scores.frame.equals(old.scores.frame)


def test_an_extended_run_is_extended_again(drawn: Path, tmp_path: Path) -> None:
    images = place(drawn, tmp_path / "images", [k for k in range(1, 41) if k % 3 == 0])
    first = old_run(images, tmp_path / "one")
    place(drawn, images, [k for k in range(1, 41) if k % 3 == 1])
    second = extend(tmp_path / "one", images, how=HOW)
    write_run(second, tmp_path / "two")
    place(drawn, images, range(1, 41))
    third = extend(tmp_path / "two", images, how=HOW)
    assert kept_names(first) <= kept_names(second) <= kept_names(third)
    assert third.pairs.equals(keep_representatives(images, threshold=THRESHOLD, how=HOW).pairs)
    assert third.subset.parameters["extends"] == second.subset.dataset


def test_an_extended_run_says_by_which_rules_and_not_by_which_rate(
    drawn: Path, tmp_path: Path
) -> None:
    images = place(drawn, tmp_path / "images", range(1, 21))
    options = {"threshold": None, "rate": 0.5, "groups": "[02468]|.", "min_per_group": 1}
    old = old_run(images, tmp_path / "run", **options)
    place(drawn, images, range(1, 25))
    parameters = extend(tmp_path / "run", images, how=HOW).subset.parameters
    rules = ("metric", "size", "window", "data_range", "threshold", "keep", "communities")
    for name in (*rules, "resolution"):
        assert parameters[name] == old.subset.parameters[name]
    assert set(parameters) == {*rules, "resolution", "extends"}


def test_new_images_alone_are_joined_to_the_old_ones_without_annotations(
    drawn: Path, tmp_path: Path
) -> None:
    old = old_run(place(drawn, tmp_path / "old", range(1, 28)), tmp_path / "run")
    new = place(drawn, tmp_path / "new", range(28, 41))
    grown = extend(tmp_path / "run", new, how=HOW)
    assert grown.data.image_root == tmp_path
    names = grown.data.images["file_name"].to_list()
    assert names[:27] == [f"old/{k:06d}.jpg" for k in range(1, 28)]
    assert names[27:] == [f"new/{k:06d}.jpg" for k in range(28, 41)]
    assert len(grown.data.instances) == 0
    assert {n for n in kept_names(grown) if n.startswith("old/")} == {
        f"old/{name}" for name in kept_names(old)
    }
    everything = place(drawn, tmp_path / "all", range(1, 41))
    scratch = by_names(keep_representatives(everything, threshold=THRESHOLD, how=HOW))
    plain = {tuple(sorted(n[4:] for n in pair)): v for pair, v in by_names(grown).items()}
    assert plain == scratch
    part = grown.subset.apply(grown.data)
    assert part.origin is not None
    assert part.origin.format == "listing"


def test_a_list_of_new_files_is_taken(drawn: Path, tmp_path: Path) -> None:
    old_run(place(drawn, tmp_path / "old", range(1, 20)), tmp_path / "run")
    new = sorted(place(drawn, tmp_path / "new", range(20, 24)).iterdir())
    assert len(extend(tmp_path / "run", new, how=HOW).data) == 23


def annotated(drawn: Path, numbers: range) -> Dataset:
    data = paring.read(drawn / "all.json", images=drawn / "images")
    return data.subset(numbers)


def test_a_grown_annotated_data_set_keeps_its_annotations(drawn: Path, tmp_path: Path) -> None:
    old = old_run(annotated(drawn, range(5, 30)), tmp_path / "run")
    whole = annotated(drawn, range(1, 41))
    grown = extend(tmp_path / "run", whole, how=HOW)
    assert grown.data == whole
    part = grown.subset.apply(whole)
    assert len(part.instances) > 0
    assert part.origin is not None
    assert set(old.subset.kept) <= set(grown.subset.kept)
    assert kept_names(grown) & set(old.data.images["file_name"]) == kept_names(old)


def test_annotations_without_the_old_images_are_refused(drawn: Path, tmp_path: Path) -> None:
    old_run(annotated(drawn, range(1, 20)), tmp_path / "run")
    with pytest.raises(InputError, match="to keep annotations, give one that has old and new"):
        extend(tmp_path / "run", annotated(drawn, range(20, 41)), how=HOW)


def test_a_part_of_the_old_images_is_refused_by_the_name_of_the_first_that_lacks(
    drawn: Path, tmp_path: Path
) -> None:
    old_run(annotated(drawn, range(1, 20)), tmp_path / "run")
    with pytest.raises(InputError, match=r"its image '000001\.jpg' is not among those given"):
        extend(tmp_path / "run", annotated(drawn, range(3, 41)), how=HOW)


def test_two_records_of_one_picture_are_two_images(drawn: Path, tmp_path: Path) -> None:
    data = annotated(drawn, range(1, 25))
    name = pl.when(pl.col("image_id") == 9).then(pl.lit("000002.jpg")).otherwise("file_name")
    data = replace(data, images=data.images.with_columns(file_name=name))
    part = data.subset([2, 4, 7, 9, 11])
    old = old_run(part, tmp_path / "run")
    grown = extend(tmp_path / "run", data, how=HOW)
    assert set(old.subset.kept) <= set(grown.subset.kept)
    assert not set(old.subset.dropped) & set(grown.subset.kept)
    assert grown.pairs.equals(keep_representatives(data, threshold=THRESHOLD, how=HOW).pairs)


def test_a_moved_folder_is_found_by_the_names_in_it(drawn: Path, tmp_path: Path) -> None:
    old = old_run(place(drawn, tmp_path / "images", range(1, 28)), tmp_path / "run")
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    images = place(drawn, tmp_path / "elsewhere", range(1, 41))
    grown = extend(tmp_path / "run", images, how=HOW)
    assert len(grown.data) == 40
    assert kept_names(old) <= kept_names(grown)


def test_a_folder_that_is_gone_is_named(drawn: Path, tmp_path: Path) -> None:
    old_run(place(drawn, tmp_path / "images", range(1, 20)), tmp_path / "run")
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    new = place(drawn, tmp_path / "new", range(20, 24))
    with pytest.raises(InputError, match=r"/images, does not exist any more; give a data set"):
        extend(tmp_path / "run", new, how=HOW)


def test_images_that_have_changed_since_are_refused(drawn: Path, tmp_path: Path) -> None:
    images = place(drawn, tmp_path / "images", range(1, 28))
    old = old_run(images, tmp_path / "run")
    changed = sorted(by_names(old))[0][0]
    shutil.copy(drawn / "images" / "000040.jpg", images / changed)
    with pytest.raises(InputError, match=rf"{changed} is not the image any more"):
        extend(tmp_path / "run", images, how=HOW)


def test_images_without_an_edge_that_have_changed_are_refused_too(
    drawn: Path, tmp_path: Path
) -> None:
    images = place(drawn, tmp_path / "images", range(1, 28))
    old = old_run(images, tmp_path / "run")
    alone = old.scores.frame.filter(pl.col("degree") == 0)["file_name"][0]
    shutil.copy(drawn / "images" / "000040.jpg", images / alone)
    with pytest.raises(InputError, match=rf"{alone} is not the image any more"):
        extend(tmp_path / "run", images, how=HOW)


def test_images_that_the_old_run_could_not_read_are_new_ones(drawn: Path, tmp_path: Path) -> None:
    images = place(drawn, tmp_path / "images", range(1, 28))
    whole = (images / "000005.jpg").read_bytes()
    (images / "000005.jpg").write_bytes(whole[:900])
    skip = replace(HOW, on_error="skip")
    old = old_run(images, tmp_path / "run", how=skip)
    assert list(old.faults) == ["000005.jpg"]
    (images / "000005.jpg").write_bytes(whole)
    grown = extend(tmp_path / "run", images, how=HOW)
    assert grown.pairs.equals(keep_representatives(images, threshold=THRESHOLD, how=HOW).pairs)
    assert grown.faults == {}


def test_old_images_that_cannot_be_read_any_more_are_left_out_on_request(
    drawn: Path, tmp_path: Path
) -> None:
    images = place(drawn, tmp_path / "images", range(10, 28))
    old = old_run(images, tmp_path / "run")
    broken = sorted(by_names(old))[0][0]
    (images / broken).write_bytes((images / broken).read_bytes()[:900])
    place(drawn, images, [*range(1, 10), 28, 29, 30])
    with pytest.raises(InputError, match=rf"{broken}: .*--on-error skip"):
        extend(tmp_path / "run", images, how=HOW)
    skip = replace(HOW, on_error="skip")
    grown = extend(tmp_path / "run", images, how=skip)
    assert list(grown.faults) == [broken]
    assert [name for name, of in communities(grown).items() if of is None] == [broken]
    assert broken not in kept_names(grown)
    assert kept_names(grown) >= kept_names(old) - {broken}
    scratch = keep_representatives(images, threshold=THRESHOLD, how=skip)
    assert grown.pairs.equals(scratch.pairs)


def test_new_images_of_16_bits_among_old_ones_of_8_are_refused(drawn: Path, tmp_path: Path) -> None:
    images = place(drawn, tmp_path / "images", range(1, 10))
    old_run(images, tmp_path / "run")
    cv2.imwrite(str(images / "deep.png"), np.full((48, 64), 40_000, np.uint16))
    with pytest.raises(InputError, match="have 8 bits, and some of the new ones 16"):
        extend(tmp_path / "run", images, how=HOW)


def test_groups_count_old_and_new_images(drawn: Path, tmp_path: Path) -> None:
    images = place(drawn, tmp_path / "images", range(1, 28))
    old_run(images, tmp_path / "run")
    place(drawn, images, range(1, 41))
    grown = extend(tmp_path / "run", images, how=HOW, groups=r"(\d)\.jpg")
    assert grown.groups["group"].to_list() == list("0123456789")
    assert grown.groups["images"].to_list() == [4] * 10
    assert grown.groups["kept"].sum() == len(grown.subset.kept)
    assert 0 < grown.purity <= 1


def test_windowed_runs_are_extended_too(drawn: Path, tmp_path: Path) -> None:
    how = replace(HOW, window="gaussian")
    images = place(drawn, tmp_path / "images", ORDERS["between the old ones"])
    old = old_run(images, tmp_path / "run", how=how, threshold=0.8)
    place(drawn, images, range(1, 41))
    grown = extend(tmp_path / "run", images, how=HOW)
    scratch = keep_representatives(images, threshold=0.8, how=how)
    assert len(old.pairs) < len(grown.pairs)
    assert grown.pairs.equals(scratch.pairs)


@pytest.fixture
def small_run(drawn: Path, tmp_path: Path) -> Path:
    old_run(place(drawn, tmp_path / "images", range(1, 12)), tmp_path / "run")
    return tmp_path / "run"


def changed(run: Path, **parts: object) -> None:
    plain = json.loads((run / "subset.json").read_text()) | parts
    (run / "subset.json").write_text(json.dumps(plain))


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match=r"other: is not a run folder"):
        OldRun.load(tmp_path / "other")


def test_a_run_by_another_method_is_refused(small_run: Path) -> None:
    changed(small_run, method="shape")
    with pytest.raises(InputError, match=r"run: is a run by shape, not by similarity"):
        OldRun.load(small_run)


def test_a_run_without_a_threshold_is_refused(small_run: Path) -> None:
    changed(
        small_run,
        parameters=Subset.load(small_run / "subset.json").parameters | {"threshold": None},
    )
    with pytest.raises(InputError, match="has no threshold, as nothing was pruned"):
        OldRun.load(small_run)
    changed(small_run, parameters={"threshold": 0.9})
    with pytest.raises(InputError, match="does not tell by which rules"):
        OldRun.load(small_run)


@pytest.mark.parametrize("name", [EDGES, "run.json", "scores.parquet"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"null"])
def test_an_incomplete_run_is_refused_in_a_sentence(
    small_run: Path, name: str, content: bytes | None
) -> None:
    if content is None:
        (small_run / name).unlink()
    else:
        (small_run / name).write_bytes(content)
    with pytest.raises(InputError, match=r"/run"):
        OldRun.load(small_run)


def test_edges_and_scores_that_say_something_else_are_refused(small_run: Path) -> None:
    edges = pl.read_parquet(small_run / EDGES)
    edges.rename({"source": "from"}).write_parquet(small_run / EDGES)
    with pytest.raises(InputError, match="is not a complete run"):
        OldRun.load(small_run)
    edges.write_parquet(small_run / EDGES)
    data = paring.scenes(11, seed=1)
    paring.images.count_scores(data).save(small_run / "scores.parquet")
    with pytest.raises(InputError, match="its scores lack communities"):
        OldRun.load(small_run)
