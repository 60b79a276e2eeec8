import json
import math
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

import paring
from paring.dataset.subset import Subset
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.images.network.community import find_communities
from paring.images.network.cut import keep_representatives
from paring.images.network.graph import modularity, similarity_network
from paring.images.similarity import similar_pairs
from paring.images.similarity.opening import Comparing
from similarity_oracle import all_similarities, write_images

SMALL = Comparing(size=32, workers=2)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("scenes") / "images"
    return paring.scenes(60, seed=1, size=(48, 64), folder=folder)


def plain_rule(data: Dataset, threshold: float, keep: float, method: str, how: Comparing):
    """The paper's rule written out: kept ids, and community and degrees of each image."""
    pairs = similar_pairs(
        data, threshold=threshold, metric=how.metric, window=how.window, size=how.size
    )
    ids = data.images["image_id"].to_list()
    row = {image: k for k, image in enumerate(ids)}
    graph = nx.empty_graph(len(ids))
    graph.add_edges_from((row[s], row[t]) for s, t, _ in pairs.iter_rows())
    ends = np.array(list(graph.edges), dtype=np.int64).reshape(-1, 2)
    network = similarity_network(ends[:, 0], ends[:, 1], len(ids))
    labels = find_communities(network, method=method, seed=0).tolist()
    kept = set()
    for community in set(labels):
        members = [k for k in graph if labels[k] == community]
        rank = {k: (-sum(o in members for o in graph[k]), -graph.degree[k], k) for k in members}
        quota = math.ceil(Fraction(str(keep)) * len(members))
        kept |= set(sorted(members, key=rank.get)[:quota])
    within = [sum(labels[o] == labels[k] for o in graph[k]) for k in graph]
    return [ids[k] for k in sorted(kept)], labels, [graph.degree[k] for k in graph], within


def adjusted_rand_index(one: list, other: list) -> float:
    """Hubert and Arabie 1985, Eq. 5."""

    def pairs(sizes: Counter) -> int:
        return sum(math.comb(n, 2) for n in sizes.values())

    both = pairs(Counter(zip(one, other, strict=True)))
    a, b = pairs(Counter(one)), pairs(Counter(other))
    chance = a * b / math.comb(len(one), 2)
    return (both - chance) / ((a + b) / 2 - chance)


def test_the_index_of_rand_is_that_of_a_hand_computed_case() -> None:
    # pairs together: in both 1, in one 2 and 2, of 6; (1 - 4/6) / (2 - 4/6)
    assert adjusted_rand_index([0, 0, 1, 1], [5, 5, 6, 7]) == pytest.approx(4 / 7)
    assert adjusted_rand_index([0, 0, 1, 1], [5, 6, 5, 6]) == pytest.approx(-0.5)
    assert adjusted_rand_index([0, 0, 1, 1], [3, 3, 2, 2]) == 1


@pytest.mark.parametrize("communities", ["louvain", "leiden"])
@pytest.mark.parametrize("seed", range(3))
def test_bursts_of_near_duplicates_are_found_and_none_is_lost(
    tmp_path: Path, seed: int, communities
) -> None:
    data = paring.scenes(180, seed=seed, size=(60, 80), folder=tmp_path / "images")
    burst = data.images["group"].to_list()
    cut = keep_representatives(
        data,
        rate=1 - len(set(burst)) / 180,
        communities=communities,
        how=Comparing(size=64, workers=2),
    )
    # when this was written, it was 1 for twelve of twelve seeds and methods
    assert adjusted_rand_index(cut.labels.tolist(), burst) >= 0.98
    of_image = dict(zip(data.images["image_id"].to_list(), burst, strict=True))
    assert {of_image[image] for image in cut.subset.kept} == set(burst)


@pytest.mark.parametrize("rate", [0, 0.01, 0.05, 0.29, 0.5, 0.57, 0.7, 0.85, 0.9])
def test_exactly_n_less_the_whole_part_of_the_rate_stay(scenes: Dataset, rate: float) -> None:
    cut = keep_representatives(scenes, rate=rate, how=SMALL)
    assert len(cut.subset.kept) == 60 - int(Fraction(str(rate)) * 60)
    assert sorted(cut.subset.kept + cut.subset.dropped) == scenes.images["image_id"].to_list()
    assert cut.subset.parameters["rate"] == rate
    assert (cut.threshold is None) == (len(cut.subset.dropped) == 0)


@pytest.mark.parametrize("count", [60, 59, 31, 7, np.int64(20)])
def test_a_count_stays_whatever_the_threshold_can(scenes: Dataset, count: int) -> None:
    cut = keep_representatives(scenes, count=count, how=SMALL)
    assert len(cut.subset.kept) == count
    assert Subset.from_json(cut.subset.to_json()) == cut.subset


@pytest.mark.parametrize(
    ("threshold", "keep", "communities", "how"),
    [
        (0.95, 0.1, "louvain", SMALL),
        (0.7, 0.1, "louvain", SMALL),
        (0.3, 0.3, "leiden", SMALL),
        (0.9, 0.5, "leiden", Comparing(metric="pcc", size=32)),
        (0.6, 0.1, "louvain", Comparing(metric="pcc", size=32)),
        (0.5, 0.1, "louvain", Comparing(window="gaussian", size=32)),
        (2.0, 0.1, "louvain", SMALL),
        (-1.0, 0.1, "louvain", SMALL),
    ],
)
def test_a_threshold_alone_is_the_rule_of_the_paper(
    scenes: Dataset, threshold, keep, communities, how
) -> None:
    kept, labels, degree, within = plain_rule(scenes, threshold, keep, communities, how)
    cut = keep_representatives(
        scenes, threshold=threshold, keep=keep, communities=communities, how=how
    )
    assert cut.subset.kept == kept
    assert cut.labels.tolist() == labels
    assert cut.threshold == threshold
    frame = cut.scores.frame
    assert frame["community"].to_list() == labels
    assert frame["degree"].to_list() == degree
    assert frame["degree_within"].to_list() == within
    assert cut.statistics.modularity == modularity(cut.network, cut.labels)
    alone = [image for image, d in zip(frame["image_id"], degree, strict=True) if d == 0]
    assert set(alone) <= set(cut.subset.kept)


def test_a_searched_threshold_prunes_what_the_same_threshold_given_does(scenes: Dataset) -> None:
    found = keep_representatives(scenes, rate=0.55, how=SMALL)
    given = keep_representatives(scenes, threshold=found.threshold, how=SMALL)
    assert found.labels.tolist() == given.labels.tolist()
    assert found.pairs.equals(given.pairs)
    assert set(given.subset.kept) <= set(found.subset.kept)
    back = set(found.subset.kept) - set(given.subset.kept)
    assert {k for k, why in found.subset.reasons.items() if "brought back" in why} == back


@pytest.mark.parametrize("metric", ["ssim", "pcc"])
def test_a_fresh_process_keeps_the_same(scenes: Dataset, metric) -> None:
    code = f"""
import paring
from paring.images import Comparing, keep_representatives
cut = keep_representatives(
    {str(scenes.image_root)!r}, rate=0.6, seed=3, how=Comparing({metric!r}, size=32, workers=1)
)
print(cut.threshold, cut.subset.kept, cut.labels.tolist())
"""
    there = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    how = Comparing(metric=metric, size=32, workers=2)
    cut = keep_representatives(scenes.image_root, rate=0.6, seed=3, how=how)
    here = f"{cut.threshold} {cut.subset.kept} {cut.labels.tolist()}"
    assert there.stdout.strip() == here


def test_to_keep_all_of_each_community_keeps_all(scenes: Dataset) -> None:
    cut = keep_representatives(scenes, threshold=0.5, keep=1.0, how=SMALL)
    assert cut.subset.dropped == []
    assert cut.coverage == {"dropped": 0}
    assert cut.scores.frame["covered_by"].null_count() == 60
    with pytest.raises(InputError, match="at most a rate of 0 can"):
        keep_representatives(scenes, rate=0.5, keep=1.0, how=SMALL)


def test_work_in_a_folder_goes_on_to_the_same_result(scenes: Dataset, tmp_path: Path) -> None:
    runs = [
        keep_representatives(scenes, count=count, how=SMALL, folder=tmp_path / "work")
        for count in (60, 20, 60, 20)
    ]
    plain = keep_representatives(scenes, count=20, how=SMALL)
    assert len(runs[0].subset.kept) == len(runs[2].subset.kept) == 60
    assert runs[1].subset == runs[3].subset == plain.subset


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({}, "one of"),
        ({"rate": 0.5, "threshold": 0.9}, "one of"),
        ({"rate": 0.5, "count": 9}, "one of"),
        ({"count": 9, "threshold": 0.9}, "one of"),
        ({"threshold": float("nan")}, "threshold"),
        ({"rate": 1.0}, "rate"),
        ({"count": 0}, "between 1 and 60"),
        ({"count": 61}, "between 1 and 60"),
        ({"rate": 0.5, "keep": 0.0}, "above 0 and at most 1"),
        ({"threshold": 0.5, "keep": 1.5}, "above 0 and at most 1"),
        ({"rate": 0.5, "communities": "infomap"}, "louvain"),
        ({"rate": 0.5, "min_per_group": 1}, "needs groups"),
        ({"rate": 0.5, "min_per_group": -1}, "below 0"),
        ({"rate": 0.95}, r"at most a rate of 0.9 can be reached \(6 kept\)"),
    ],
)
def test_what_cannot_be_is_refused(scenes: Dataset, asked: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        keep_representatives(scenes, **asked, how=SMALL)


# -- odd images --------------------------------------------------------------------------------


def pictures(n: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 256, (max(1, n // 3), 32, 32))
    shown = [base[k % len(base)] + rng.integers(-9, 10, (32, 32)) for k in range(n)]
    return {
        f"{k:02d}.png": np.clip(image, 0, 255).astype(np.uint8) for k, image in enumerate(shown)
    }


def test_images_that_cannot_be_read_go_with_their_reason_and_count_for_nothing(tmp_path) -> None:
    folder = write_images(tmp_path / "images", pictures(24))
    data = paring.read(folder)
    for name in ("03.png", "11.png"):
        (folder / name).write_bytes(b"\x89PNG nothing")
    with pytest.raises(InputError, match="03.png"):
        keep_representatives(data, rate=0.5, how=SMALL)
    skip = Comparing(size=32, on_error="skip")
    named = [f"site {k % 3}" for k in range(24)]
    cut = keep_representatives(data, rate=0.5, how=skip, groups=named, min_per_group=2)
    assert len(cut.subset.kept) == 11
    assert len(cut.subset.dropped) == 13
    assert set(cut.faults) == {"03.png", "11.png"}
    assert len(cut.labels) == cut.network.shape[0] == len(cut.nodes) == 22
    gone = cut.scores.frame.filter(cut.scores.frame["file_name"].is_in(list(cut.faults)))
    for row in gone.iter_rows(named=True):
        assert row["score"] == 0
        assert [row[c] for c in ("community", "degree", "covered_by", "similarity")] == [None] * 4
        assert cut.subset.reasons[row["image_id"]].startswith("cannot be read: ")
        assert row["image_id"] in cut.subset.dropped
    assert cut.groups["images"].sum() == 22
    assert cut.groups["kept"].to_list() == [
        sum(named[i - 1] == name for i in cut.subset.kept) for name in cut.groups["group"]
    ]
    with pytest.raises(InputError, match="between 1 and 22"):
        keep_representatives(data, count=23, how=skip)


def test_constant_images_have_no_correlation_and_stay(tmp_path: Path) -> None:
    images = pictures(12) | {f"flat{k}.png": np.full((32, 32), 50, np.uint8) for k in range(4)}
    data = paring.read(write_images(tmp_path / "images", images))
    how = Comparing(metric="pcc", size=32)
    cut = keep_representatives(data, count=8, how=how)
    names = dict(zip(data.images["image_id"], data.images["file_name"], strict=True))
    assert {f"flat{k}.png" for k in range(4)} <= {names[i] for i in cut.subset.kept}
    assert keep_representatives(data, count=6, how=how).threshold is not None
    with pytest.raises(InputError, match=r"\(6 kept\)"):
        keep_representatives(data, count=3, how=how)


def test_a_constant_image_that_a_floor_drops_is_covered_by_none(tmp_path: Path) -> None:
    flat = {f"flat{k}.png": np.full((32, 32), 50, np.uint8) for k in range(2)}
    data = paring.read(write_images(tmp_path / "images", pictures(8) | flat))
    # each picture is needed for a group of its own, and one of the two constant ones
    groups = [name[:4] for name in data.images["file_name"]]
    how = Comparing(metric="pcc", size=32)
    cut = keep_representatives(data, count=9, how=how, groups=groups, min_per_group=1)
    assert len(cut.subset.kept) == 9
    (gone,) = cut.subset.dropped
    row = cut.scores.frame.filter(cut.scores.frame["image_id"] == gone).row(0, named=True)
    assert row["file_name"].startswith("flat")
    assert (row["score"], row["covered_by"], row["similarity"]) == (1.0, None, None)
    reason = cut.subset.reasons[gone]
    assert reason == "gave way to a floor (no kept image can be compared with it)"
    assert cut.coverage == {"dropped": 1, "not comparable": 1}


@pytest.mark.parametrize("how", [SMALL, Comparing(metric="pcc", size=32)])
def test_of_equal_images_a_tenth_stays(tmp_path: Path, how: Comparing) -> None:
    image = pictures(1)["00.png"]
    data = paring.read(write_images(tmp_path / "i", {f"{k:02d}.png": image for k in range(25)}))
    assert keep_representatives(data, threshold=1.0, how=how).subset.kept == [1, 2, 3]
    cut = keep_representatives(data, count=10, how=how)
    assert len(cut.subset.kept) == 10
    assert cut.threshold == 1.0
    assert cut.coverage["min"] == 1.0


def test_two_images_and_one(tmp_path: Path) -> None:
    two = paring.read(write_images(tmp_path / "two", pictures(2)))
    cut = keep_representatives(two, count=1, how=SMALL)
    assert (cut.subset.kept, cut.subset.dropped) == ([1], [2])
    for how in (SMALL, Comparing(window="gaussian", size=32), Comparing(metric="pcc", size=32)):
        one = paring.read(write_images(tmp_path / how.metric / how.window, pictures(1)))
        assert keep_representatives(one, rate=0.9, how=how).subset.kept == [1]
        cut = keep_representatives(one, threshold=0.5, how=how, curve=True)
        assert cut.subset.kept == [1]
        json.dumps(cut.statistics.to_dict(), allow_nan=False)


# -- explanations ------------------------------------------------------------------------------


def test_all_similarities_shown_are_those_of_a_whole_table(tmp_path: Path) -> None:
    images = pictures(30)
    data = paring.read(write_images(tmp_path / "images", images))
    grey = np.stack(list(images.values())).reshape(30, -1).astype(np.float64)
    for metric in ("ssim", "pcc"):
        cut = keep_representatives(data, rate=0.6, how=Comparing(metric=metric, size=32))
        table = all_similarities(grey, metric, 255)
        np.fill_diagonal(table, -1)
        kept = np.array(cut.subset.kept) - 1
        for image, by, similarity in cut.scores.frame.select(
            "image_id", "covered_by", "similarity"
        ).iter_rows():
            if image in cut.subset.kept:
                assert (by, similarity) == (None, None)
                continue
            assert by - 1 in kept
            assert similarity == pytest.approx(table[image - 1, kept].max(), abs=1e-12)
            assert similarity == pytest.approx(table[image - 1, by - 1], abs=1e-12)
