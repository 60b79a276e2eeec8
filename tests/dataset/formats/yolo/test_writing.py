from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from PIL import Image
from scipy import ndimage

import factory
import paring
from paring.dataset.formats import format_of
from paring.dataset.table import Dataset
from paring.errors import InputError

LINES = b"0 0.1 0.2 0.60 0.2 0.6 0.7\r\n\n1  .5 .5 .2 .4 \n1 0 0 1 0 1 1"


def build(root: Path) -> Path:
    for number, stem in enumerate("abc"):
        path = root / "images" / "train" / f"{stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20 + number, 10)).save(path)
    (root / "labels" / "train").mkdir(parents=True)
    (root / "labels" / "train" / "a.txt").write_bytes(LINES)
    (root / "labels" / "train" / "b.txt").write_bytes(LINES[:26])
    text = (
        "path: .\ntrain: images/train\nval: images/val\nnc: 2\nnames: ['no', cat]\nextra: 'yes'\n"
    )
    (root / "data.yaml").write_text(text)
    return root


def labels_in(root: Path) -> dict[str, bytes]:
    folder = root / "labels" / "train"
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.txt")}


def test_lines_come_back_byte_for_byte_and_the_data_set_is_equal(tmp_path: Path) -> None:
    data = paring.read(build(tmp_path / "in"))
    assert data.write(tmp_path / "out", images="copy") == {}
    assert labels_in(tmp_path / "out") == {
        "a.txt": LINES.replace(b"\n\n", b"\n"),
        "b.txt": LINES[:26],
        "c.txt": b"",
    }
    assert paring.read(tmp_path / "out") == data
    described = yaml.safe_load((tmp_path / "out" / "data.yaml").read_text())
    assert described == {
        "train": "images/train",
        "val": "images/train",
        "names": {0: "no", 1: "cat"},
        "extra": "yes",
    }


def test_labels_written_without_images_are_read_with_the_images_elsewhere(tmp_path: Path) -> None:
    data = paring.read(build(tmp_path / "in"))
    data.write(tmp_path / "out")
    assert not (tmp_path / "out" / "images").exists()
    assert paring.read(tmp_path / "out", images=data.image_root) == data


def test_a_part_is_a_list_of_absolute_paths_and_a_description_of_it(tmp_path: Path) -> None:
    data = paring.read(build(tmp_path / "in")).subset([1, 3])
    run = tmp_path / "run"
    run.mkdir()
    assert format_of(tmp_path / "in").write_part(data, run) == ["data.yaml", "train.txt"]
    pictures = tmp_path / "in" / "images" / "train"
    assert (run / "train.txt").read_text() == f"{pictures}/a.png\n{pictures}/c.png\n"
    described = yaml.safe_load((run / "data.yaml").read_text())
    assert described == {
        "train": "train.txt",
        "val": str(tmp_path / "in" / "images" / "val"),
        "nc": 2,
        "names": ["no", "cat"],
        "extra": "yes",
    }
    run.rename(tmp_path / "moved")
    back = paring.read(tmp_path / "moved")
    assert back.images["file_name"].to_list() == ["a.png", "c.png"]
    assert back.instances.drop("image_id").equals(data.instances.drop("image_id"))
    assert back.masks == data.masks


def test_a_part_of_a_folder_without_description_gets_one(tmp_path: Path) -> None:
    root = build(tmp_path / "in")
    (root / "data.yaml").unlink()
    data = paring.read(root)
    (tmp_path / "run").mkdir()
    format_of(root).write_part(data.subset([1]), tmp_path / "run")
    back = paring.read(tmp_path / "run")
    assert back.categories.equals(data.categories)
    assert len(back.instances) == 3


def test_other_data_gets_contiguous_classes_and_six_decimals(tmp_path: Path) -> None:
    data = paring.read(factory.write_json(tmp_path / "d.json", factory.coco()))
    losses = data.write(tmp_path / "out", format="yolo")
    assert losses == {"multi-part instances joined": 1}
    a, b = (labels_in(tmp_path / "out")[name].decode().splitlines() for name in ("a.txt", "b.txt"))
    assert [line.split()[0] for line in (*a, *b)] == ["0", "1", "0"]
    # a rectangle (1, 1) to (31, 21) in an image of 40 x 50
    assert b == ["0 0.025000 0.020000 0.775000 0.020000 0.775000 0.420000 0.025000 0.420000"]
    text = (tmp_path / "out" / "data.yaml").read_text()
    assert yaml.safe_load(text) == {
        "train": "images/train",
        "val": "images/train",
        "names": {0: "cat", 1: "dog"},
    }


def test_everything_that_is_lost_is_counted_by_kind(tmp_path: Path) -> None:
    ring = np.zeros((30, 40), np.uint8)
    ring[2:12, 2:12] = 1
    ring[5, 5] = ring[8, 8] = 0
    two = np.zeros((30, 40), np.uint8)
    two[2:5, 2:5] = two[20:25, 20:25] = 1
    nothing = np.zeros((30, 40), np.uint8)
    data = factory.from_bitmaps([ring, two, nothing, ring], image=[1] * 4, category=[1, 2, 1, 1])
    instances = data.instances.with_columns(
        iscrowd=pl.Series([False, False, False, True]),
        score=pl.Series([0.5, None, 0.25, 0.125]),
        ignore=pl.Series([True, False, False, False]),
    )
    tags = pl.DataFrame({"image_id": [1, 1], "category_id": [1, 2]})
    data = Dataset(data.images, instances, data.categories, data.masks, tags=tags)
    losses = data.write(tmp_path / "out", format="yolo")
    assert losses == {
        "holes filled": 2,
        "multi-part instances joined": 1,
        "crowd instances": 1,
        "instances without a mask": 1,
        "scores": 3,
        "ignore flags": 1,
        "image tags": 2,
    }
    lines = labels_in(tmp_path / "out")["0001.txt"].splitlines()
    assert [line.split()[0] for line in lines] == [b"0", b"1"]
    with pytest.raises(InputError, match="would lose 1 crowd instances"):
        data.write(tmp_path / "strict", format="yolo", strict=True)


def test_polygons_past_the_border_are_cut_there_and_counted(tmp_path: Path) -> None:
    value = factory.coco([factory.annotation(1, 1, 1, [factory.rectangle(-4, 3, 100, 5)])])
    data = paring.read(factory.write_json(tmp_path / "d.json", value))
    assert data.write(tmp_path / "out", format="yolo") == {"polygons cut at the image border": 1}
    numbers = labels_in(tmp_path / "out")["a.txt"].split()[1:]
    assert {float(number) for number in numbers[::2]} == {0.0, 1.0}


def test_random_run_lengths_come_back_but_for_their_holes(tmp_path: Path) -> None:
    masks = factory.random_polygons(60, seed=3).to_rle()
    owners = [1 + k % 6 for k in range(60)]
    data = factory.assemble(masks, owners, [1] * 60, dict.fromkeys(range(1, 7), (48, 64)))
    data.write(tmp_path / "out", format="yolo")
    for name in data.images["file_name"]:
        (tmp_path / "pictures").mkdir(exist_ok=True)
        Image.new("L", (64, 48)).save(tmp_path / "pictures" / name)
    back = paring.read(tmp_path / "out", images=tmp_path / "pictures")
    before = [m for m in _frames(data) if m[1].any()]
    after = _frames(back)
    assert [i for i, _ in before] == [i for i, _ in after]
    for (_, one), (_, other) in zip(before, after, strict=True):
        np.testing.assert_array_equal(other, ndimage.binary_fill_holes(one))


def _frames(data: Dataset) -> list[tuple[int, np.ndarray]]:
    """Image id and full bitmap of each mask, image by image."""
    found = []
    for row in np.argsort(data.image_rows, kind="stable"):
        top, left, crop = data.masks.crop(int(row))
        frame = np.zeros((48, 64), bool)
        frame[top : top + crop.shape[0], left : left + crop.shape[1]] = crop
        found.append((data.instances["image_id"][int(row)], frame))
    return found


@pytest.mark.parametrize(
    ("names", "message"),
    [(["a.jpg", "a.png"], "would share one label file"), (["../a.jpg", "b.jpg"], "leads out")],
)
def test_file_names_that_cannot_be_kept_apart_or_inside_are_refused(
    tmp_path: Path, names: list[str], message: str
) -> None:
    value = factory.coco()
    images = [image | {"file_name": n} for image, n in zip(value["images"], names, strict=True)]
    data = paring.read(factory.write_json(tmp_path / "d.json", value | {"images": images}))
    with pytest.raises(InputError, match=message):
        data.write(tmp_path / "out", format="yolo")
    assert not (tmp_path / "out").exists()


def test_real_annotations_keep_their_masks(tmp_path: Path, shared_data: Path) -> None:
    data = paring.read(shared_data / "coco160" / "instances.json")
    losses = data.write(tmp_path / "out", format="yolo", images="link")
    assert losses["crowd instances"] == int(data.instances["iscrowd"].sum())
    back = paring.read(tmp_path / "out")
    rows = np.flatnonzero(~data.instances["iscrowd"].to_numpy())
    kept = data.masks.take(rows[np.argsort(_by_name(data)[rows], kind="stable")])
    back_order = np.argsort(_by_name(back), kind="stable")
    masks = back.masks.take(back_order)
    assert len(masks) == len(kept)
    overlaps = [_iou(kept, masks, row) for row in range(len(kept))]
    large = [o for o, area in zip(overlaps, kept.areas(), strict=True) if area > 100]
    assert min(large) > 0.97
    assert np.mean(overlaps) > 0.995


def _by_name(data: Dataset) -> np.ndarray:
    return data.images["file_name"].to_numpy()[data.image_rows].astype(str)


def _iou(one: paring.MaskStore, other: paring.MaskStore, row: int) -> float:
    size = int(one.heights[row]), int(one.widths[row])
    frames = []
    for masks in (one, other):
        top, left, crop = masks.crop(row)
        frame = np.zeros(size, bool)
        frame[top : top + crop.shape[0], left : left + crop.shape[1]] = crop
        frames.append(frame)
    union = (frames[0] | frames[1]).sum()
    return float((frames[0] & frames[1]).sum() / union) if union else 1.0
