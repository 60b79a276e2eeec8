"""Generated scenes: reproducible, long-tailed, redundant in a known way, annotated exactly."""

import hashlib
import subprocess
import sys

import cv2
import numpy as np
import polars as pl
import pytest

from paring.dataset.scenes.layout import Piece, Thing
from paring.dataset.scenes.making import scenes, visible_things
from paring.dataset.scenes.shapes import NAMES, Outline
from paring.dataset.summary import SIZES
from paring.errors import InputError


@pytest.fixture(scope="module")
def data():
    return scenes(300, seed=0)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return scenes(60, seed=2, folder=tmp_path_factory.mktemp("drawn") / "images")


def digest(folder):
    files = sorted(folder.iterdir())
    return [(f.name, hashlib.sha256(f.read_bytes()).hexdigest()) for f in files]


def labels(data, image_id):
    """How many masks cover each pixel of an image."""
    height, width = data.images.filter(pl.col("image_id") == image_id).row(0)[3:1:-1]
    count = np.zeros((height, width), int)
    for row in np.flatnonzero((data.instances["image_id"] == image_id).to_numpy()):
        top, left, crop = data.masks.crop(int(row))
        count[top : top + crop.shape[0], left : left + crop.shape[1]] += crop
    return count


# -- same seed, same bytes ----------------------------------------------------------------


@pytest.mark.parametrize("image_format", ["jpg", "png"])
def test_the_same_seed_gives_the_same_bytes(tmp_path, image_format):
    one, again = (
        scenes(12, seed=9, folder=tmp_path / name, image_format=image_format) for name in "ab"
    )
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert one == again
    assert one.fingerprint == again.fingerprint
    assert len(list((tmp_path / "a").iterdir())) == 12


def test_another_process_gives_the_same_data_set(data):
    code = "from paring.dataset.scenes.making import scenes; print(scenes(300, seed=0).fingerprint)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == data.fingerprint


def test_another_seed_gives_other_scenes(tmp_path):
    one, other = (scenes(5, seed=seed, folder=tmp_path / str(seed)) for seed in (0, 1))
    assert one.fingerprint != other.fingerprint
    assert not set(digest(tmp_path / "0")) & set(digest(tmp_path / "1"))


def test_a_longer_data_set_begins_with_the_shorter_one(data, tmp_path):
    assert scenes(40, seed=0) == data.subset(range(1, 41))
    scenes(4, seed=0, folder=tmp_path / "short")
    scenes(9, seed=0, folder=tmp_path / "long")
    assert digest(tmp_path / "long")[:4] == digest(tmp_path / "short")


def test_drawing_changes_nothing_in_the_annotations(drawn):
    assert scenes(60, seed=2) == drawn
    assert scenes(60, seed=2).image_root is None


# -- what is in it ------------------------------------------------------------------------


def test_ids_and_names_count_from_one(data):
    assert data.images["image_id"].to_list() == list(range(1, 301))
    assert data.images["file_name"][[0, 299]].to_list() == ["000001.jpg", "000300.jpg"]
    assert data.instances["instance_id"].to_list() == list(range(1, len(data.instances) + 1))
    assert data.categories["category_id"].to_list() == list(range(1, 9))
    assert data.categories["name"].to_list() == list(NAMES)
    assert data.instances["image_id"].is_sorted()


def test_all_categories_occur_in_a_few_hundred_images_with_a_long_tail(data):
    counts = data.summary().categories["instances"]
    assert counts.min() > 0
    assert counts.max() > 12 * counts.min()


def test_thousands_of_instances_have_a_tail_of_about_one_in_thirty_five():
    counts = scenes(3000, seed=0).summary().categories["instances"]
    assert counts.sum() > 8000
    assert 25 <= counts.max() / counts.min() <= 50


def test_about_one_image_in_fifty_is_empty(data):
    assert 1 <= data.summary().empty_images <= 18


def test_sizes_span_all_buckets(data):
    sizes = dict(data.summary().sizes.select("size", "instances").iter_rows())
    assert list(sizes) == list(SIZES)
    assert min(sizes.values()) > 0.02 * sum(sizes.values())


def test_numbers_of_instances_vary_from_image_to_image(data):
    counts = data.instances.group_by("image_id").len()["len"]
    assert counts.min() == 1
    assert counts.max() >= 8
    assert counts.n_unique() >= 7


def test_clusters_are_polygons_of_several_parts(data):
    clusters = np.flatnonzero(data.instances["category_id"] == NAMES.index("cluster") + 1)
    parts = np.diff(data.masks.instance_parts)
    assert parts[clusters].max() >= 3
    assert parts[np.setdiff1d(np.arange(len(parts)), clusters)].max() == 1


def test_rings_have_holes(data):
    rings = np.flatnonzero(data.instances["category_id"] == NAMES.index("ring") + 1)
    assert data.masks.is_rle[rings].all()
    holed = 0
    for row in rings:
        crop = np.pad(data.masks.crop(int(row))[2], 1)
        holed += cv2.connectedComponents(1 - crop, connectivity=4)[0] > 2
    assert holed > 0.6 * len(rings)


def test_crowds_are_run_lengths_of_many_parts(data):
    crowds = np.flatnonzero(data.instances["iscrowd"])
    assert 0 < len(crowds) < 0.05 * len(data.instances)
    assert data.masks.is_rle[crowds].all()


def test_boxes_and_areas_are_those_of_the_geometry(data):
    assert np.array_equal(data.instances["bbox"].to_numpy(), data.masks.boxes())
    assert np.array_equal(data.instances["area"].to_numpy(), data.masks.areas())
    assert data.instances["area"].min() >= 16


def test_masks_lie_in_their_image(data):
    boxes = data.masks.boxes()
    assert boxes[:, :2].min() >= 0
    assert (boxes[:, 0] + boxes[:, 2]).max() <= 320
    assert (boxes[:, 1] + boxes[:, 3]).max() <= 240
    assert not data.masks.is_empty.any()


def test_no_pixel_belongs_to_two_instances(data):
    assert max(labels(data, image_id).max() for image_id in range(1, 120)) == 1


# -- what is visible ----------------------------------------------------------------------


def square(x, y, side, category_id=3):
    line = np.array([[x, y], [x + side, y], [x + side, y + side], [x, y + side]], float)
    centre, radius = (x + side / 2, y + side / 2), side / np.sqrt(2)
    piece = Piece(category_id, Outline((line,)), centre, radius, 0.0)
    return Thing(category_id, (piece,), centre, radius)


def test_a_square_on_the_corner_of_the_image_keeps_its_quarter():
    (one,) = visible_things((square(-10, -10, 20),), (40, 50))
    assert sorted(map(tuple, one.parts[0].tolist())) == [(0, 0), (0, 10), (10, 0), (10, 10)]


def test_a_shape_that_leaves_the_image_twice_keeps_what_is_inside():
    spike = np.array([[30, 5], [60, 10], [30, 20], [60, 30], [30, 35]], float)
    thing = Thing(5, (Piece(5, Outline((spike,)), (45, 20), 25, 0.0),), (45, 20), 25)
    (one,) = visible_things((thing,), (40, 50))
    line = one.parts[0]
    x, y = line.T
    area = abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
    # two rays of base 15 and length 30, each without its tip: 225 (1 - (1/3)^2), by similarity
    assert area == pytest.approx(2 * 225 * 8 / 9, abs=0.2)
    assert x.max() == 50


def test_a_thing_outside_the_image_is_not_annotated():
    assert list(visible_things((square(60, 5, 20), square(-25, 5, 20)), (40, 50))) == []


def test_what_lies_in_front_hides_what_lies_behind_and_stays_whole():
    behind, front = visible_things((square(5, 5, 20), square(15, 10, 20)), (40, 50))
    assert front.runs is None
    assert len(front.parts) == 1
    assert behind.runs is not None
    assert behind.runs[1::2].sum() == 20 * 20 - 10 * 15
    bitmap = np.repeat(np.arange(len(behind.runs)) % 2, behind.runs).reshape(50, 40).T
    wanted = np.zeros((40, 50), int)
    wanted[5:25, 5:25] = 1
    wanted[10:30, 15:35] = 0
    assert np.array_equal(bitmap, wanted)


def test_things_side_by_side_stay_polygons():
    seen = list(visible_things((square(5, 5, 10), square(15, 5, 10)), (40, 50)))
    assert [one.runs is None for one in seen] == [True, True]


def test_a_thing_wholly_hidden_is_not_annotated():
    (one,) = visible_things((square(10, 10, 8), square(5, 5, 20)), (40, 50))
    assert one.parts[0].min() == 5


# -- redundancy ---------------------------------------------------------------------------


def test_groups_are_runs_of_one_to_eight_consecutive_images(data):
    group = data.images["group"]
    assert group.dtype == pl.Int64
    assert group[0] == 0
    assert set(group.diff().drop_nulls().unique()) == {0, 1}
    lengths = group.value_counts()["count"]
    assert lengths.max() == 8
    assert lengths.n_unique() >= 6
    assert 2.5 < lengths.mean() < 4.5


def test_images_of_a_group_look_alike_and_images_of_two_groups_do_not(drawn):
    gray = [cv2.cvtColor(drawn.read_image(k), cv2.COLOR_RGB2GRAY) for k in range(1, 61)]
    correlation = np.corrcoef(np.array(gray).reshape(60, -1))
    group = drawn.images["group"].to_numpy()
    same = (group[:, None] == group) & ~np.eye(60, dtype=bool)
    across = correlation[group[:, None] != group]
    assert correlation[same].mean() > across.mean() + 0.5
    assert np.quantile(correlation[same], 0.1) > np.quantile(across, 0.9)
    assert correlation[same].max() < 0.9999  # frames, not copies


def test_frames_of_a_group_annotate_the_same_things_a_little_moved(data):
    frame = data.instances.join(data.images.select("image_id", "group"), on="image_id")
    per_image = frame.group_by("group", "image_id").len().group_by("group")
    spread = per_image.agg((pl.col("len").max() - pl.col("len").min()).alias("spread"))["spread"]
    assert spread.mean() < 0.2
    assert frame.filter(pl.col("group") == frame["group"][0])["bbox"].n_unique() > 1


# -- files and refusals -------------------------------------------------------------------


def test_images_are_where_the_data_set_says_and_of_the_size_asked_for(tmp_path):
    data = scenes(3, seed=1, size=(48, 64), folder=tmp_path / "x", image_format="png")
    assert data.image_root == tmp_path / "x"
    assert sorted(f.name for f in (tmp_path / "x").iterdir()) == data.images["file_name"].to_list()
    assert data.read_image(3).shape == (48, 64, 3)
    assert data.images.row(0)[1:4] == ("000001.png", 64, 48)


def test_an_empty_folder_is_filled_and_a_full_one_refused(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    scenes(2, size=(32, 32), folder=folder)
    before = digest(folder)
    with pytest.raises(InputError, match="not an empty folder"):
        scenes(2, seed=1, size=(32, 32), folder=folder)
    assert digest(folder) == before


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="not an empty folder"):
        scenes(2, folder=tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_drawing_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    def fails(image, path):
        raise InputError("disk full")

    monkeypatch.setattr("paring.dataset.scenes.painting.save", fails)
    with pytest.raises(InputError, match="disk full"):
        scenes(2, size=(32, 32), folder=tmp_path / "images")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n_images": 0}, "at least 1"),
        ({"n_images": 1, "size": (31, 64)}, "at least 32"),
        ({"n_images": 1, "size": (64, 31)}, "at least 32"),
        ({"n_images": 1, "seed": -1}, "negative"),
        ({"n_images": 1, "image_format": "gif"}, "jpg, png"),
    ],
)
def test_what_cannot_be_generated_is_refused_with_what_to_do(options, words):
    with pytest.raises(InputError, match=words):
        scenes(**options)


@pytest.mark.parametrize("size", [(32, 32), (32, 300), (500, 400)])
def test_images_of_every_size_have_masks_inside(size):
    data = scenes(40, seed=1, size=size)
    boxes = data.masks.boxes()
    assert len(data.instances) > 40
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, :2] + boxes[:, 2:] <= size[::-1]).all()


def test_one_empty_image_is_a_data_set():
    first_empty = next(
        data for data in (scenes(1, seed=s) for s in range(200)) if not len(data.instances)
    )
    assert len(first_empty) == 1
    assert len(first_empty.masks) == 0


def test_importing_scenes_loads_no_heavy_library():
    code = (
        "import sys, paring.dataset.scenes.making, paring.dataset.scenes.painting;"
        "print([m for m in ('cv2', 'torch', 'scipy', 'numba') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
