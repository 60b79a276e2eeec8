"""The drawn COCO file is one that COCO's readers accept, and it resembles train2017."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

SOURCE = Path(__file__).parents[2] / "benchmarks" / "coco_file.py"


@pytest.fixture(scope="module")
def coco_file():
    spec = importlib.util.spec_from_file_location("coco_file", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def path(coco_file, tmp_path_factory):
    path = tmp_path_factory.mktemp("coco") / "small.json"
    coco_file.write_coco_file(path, n_images=700, n_instances=5000, seed=3)
    return path


@pytest.fixture(scope="module")
def data(path):
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def polygon_annotations(data):
    return [one for one in data["annotations"] if not one["iscrowd"]]


@pytest.fixture(scope="module")
def image_sizes(data):
    return {image["id"]: (image["width"], image["height"]) for image in data["images"]}


def points_of(part):
    return np.array(part).reshape(-1, 2)


def shoelace(points):
    x, y = points.T
    return abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def test_the_text_is_what_json_would_write(path, data):
    assert list(data) == ["info", "licenses", "images", "annotations", "categories"]
    assert json.dumps(data) == path.read_text()


def test_the_counts_are_those_asked_for(data):
    assert len(data["images"]) == 700
    assert len(data["annotations"]) == 5000
    assert len({one["id"] for one in data["annotations"]}) == 5000
    assert sum(one["iscrowd"] for one in data["annotations"]) == 60


def test_every_reference_resolves_and_six_images_stay_empty(data, image_sizes):
    used = {one["image_id"] for one in data["annotations"]}
    assert len(image_sizes) == 700
    assert used <= set(image_sizes)
    assert len(used) == 700 - round(700 * 1021 / 118287)
    categories = {one["id"]: one["name"] for one in data["categories"]}
    assert len(set(categories.values())) == 80
    assert {one["category_id"] for one in data["annotations"]} <= set(categories)


def test_polygons_lie_in_their_image_with_two_decimals(polygon_annotations, image_sizes):
    for one in polygon_annotations:
        for part in one["segmentation"]:
            points = points_of(part)
            assert len(points) >= 3
            assert (points >= 0).all()
            assert (points <= image_sizes[one["image_id"]]).all()
            assert all(round(number, 2) == number for number in part)


def test_area_and_box_are_those_of_the_polygons(polygon_annotations):
    for one in polygon_annotations:
        parts = [points_of(part) for part in one["segmentation"]]
        low, high = np.vstack(parts).min(axis=0), np.vstack(parts).max(axis=0)
        assert one["area"] > 0
        assert one["area"] == pytest.approx(sum(map(shoelace, parts)), abs=1e-6)
        assert one["bbox"] == pytest.approx([*low, *(high - low)], abs=1e-6)


def test_crowds_are_run_lengths_that_fill_their_image(data, image_sizes):
    for one in data["annotations"]:
        if not one["iscrowd"]:
            continue
        counts, (height, width) = one["segmentation"]["counts"], one["segmentation"]["size"]
        assert (width, height) == image_sizes[one["image_id"]]
        assert sum(counts) == width * height
        assert min(counts[1:]) > 0
        mask = np.repeat(np.arange(len(counts)) % 2, counts).reshape(width, height).T
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        extent = [np.ptp(columns) + 1, np.ptp(rows) + 1]
        assert one["bbox"] == [columns[0], rows[0], *extent]
        assert one["area"] == mask.sum()


def test_the_averages_are_near_those_of_train2017(data, polygon_annotations):
    parts = [len(one["segmentation"]) for one in polygon_annotations]
    vertices = [sum(map(len, one["segmentation"])) / 2 for one in polygon_annotations]
    assert np.mean(parts) == pytest.approx(1.1, abs=0.03)
    assert np.mean(vertices) == pytest.approx(21, abs=1.5)
    areas = np.array([one["area"] for one in data["annotations"]])
    shares = np.histogram(areas, [0, 32**2, 96**2, np.inf])[0] / len(areas)
    assert shares == pytest.approx([0.41, 0.34, 0.25], abs=0.03)
    categories = [one["category_id"] for one in data["annotations"]]
    assert np.bincount(categories).max() / len(categories) == pytest.approx(0.30, abs=0.03)


def test_a_seed_fixes_every_byte(coco_file, tmp_path):
    first, again, other = (tmp_path / name for name in ("first", "again", "other"))
    coco_file.write_coco_file(first, n_images=50, n_instances=300, seed=1)
    coco_file.write_coco_file(again, n_images=50, n_instances=300, seed=1)
    coco_file.write_coco_file(other, n_images=50, n_instances=300, seed=2)
    assert first.read_bytes() == again.read_bytes()
    assert first.read_bytes() != other.read_bytes()


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(coco_file, tmp_path, monkeypatch):
    path = tmp_path / "out.json"
    path.write_text("old")
    monkeypatch.setattr(coco_file, "_categories", lambda: [object()])
    with pytest.raises(TypeError):
        coco_file.write_coco_file(path, n_images=5, n_instances=20)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_no_image_to_place_instances_in_is_refused(coco_file, tmp_path):
    with pytest.raises(ValueError, match="at least one image"):
        coco_file.write_coco_file(tmp_path / "out.json", n_images=0, n_instances=3)
