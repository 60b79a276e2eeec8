import csv
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

import factory
import paring
from paring.dataset.formats import format_of
from paring.dataset.table import Dataset
from paring.errors import InputError


def build(root: Path) -> Path:
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for name in "abc":
        Image.new("RGB", (6, 5)).save(root / "images" / f"{name}.jpg")
        picture = Image.fromarray(rng.integers(0, 3, (5, 6), np.uint8))
        picture.putpalette([0, 0, 0, 9, 9, 9, 200, 1, 2])
        picture.save(root / "masks" / f"{name}_mask.png", optimize=True)
    (root / "classes.txt").write_text("background\nx\ny\n")
    return root


@pytest.mark.parametrize("options", [{}, {"components": True}, {"task": "semantic"}])
def test_masks_are_copied_byte_for_byte_and_the_data_set_is_equal(
    tmp_path: Path, options: dict[str, object]
) -> None:
    root = build(tmp_path / "in")
    data = paring.read(root, **options)  # type: ignore[arg-type]
    assert data.write(tmp_path / "out", images="copy") == {}
    for mask in (root / "masks").iterdir():
        assert (tmp_path / "out" / "masks" / mask.name).read_bytes() == mask.read_bytes()
    assert (tmp_path / "out" / "classes.txt").read_text() == "background\nx\ny\n"
    back = paring.read(tmp_path / "out", **options)  # type: ignore[arg-type]
    assert back.fingerprint == data.fingerprint


def test_a_part_is_a_table_of_absolute_paths(tmp_path: Path) -> None:
    data = paring.read(build(tmp_path / "in")).subset([1, 3])
    (tmp_path / "run").mkdir()
    assert format_of(tmp_path / "in").write_part(data, tmp_path / "run") == ["pairs.csv"]
    with (tmp_path / "run" / "pairs.csv").open() as file:
        rows = list(csv.reader(file))
    root = tmp_path / "in"
    assert rows == [
        ["image", "mask"],
        [f"{root}/images/a.jpg", f"{root}/masks/a_mask.png"],
        [f"{root}/images/c.jpg", f"{root}/masks/c_mask.png"],
    ]


def test_a_mask_that_has_gone_since_is_named(tmp_path: Path) -> None:
    data = paring.read(build(tmp_path / "in"))
    (tmp_path / "in" / "masks" / "b_mask.png").unlink()
    with pytest.raises(InputError, match=r"b_mask\.png: does not exist any more"):
        data.write(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_other_data_is_painted_small_over_large_by_place_of_its_class(tmp_path: Path) -> None:
    large, small, other = (np.zeros((6, 8), np.uint8) for _ in range(3))
    large[0:5, 0:5], small[2:4, 2:4], other[5, 7] = 1, 1, 1
    data = factory.from_bitmaps([small, large, other], image=[1, 1, 1], category=[70, 30, 70])
    losses = data.write(tmp_path / "out", format="pairs")
    assert losses == {"overlapping pixels": 4, "instances joined": 1}
    assert (tmp_path / "out" / "classes.txt").read_text() == "background\nclass 30\nclass 70\n"
    expected = np.where(small | other, 2, large)
    stored = np.asarray(Image.open(tmp_path / "out" / "masks" / "0001.png"))
    np.testing.assert_array_equal(stored, expected)
    back = paring.read(tmp_path / "out")
    assert back.categories["name"].to_list() == ["class 30", "class 70"]
    assert back.instances["area"].to_list() == [21, 5]


def test_losses_are_those_of_a_count_pixel_by_pixel(tmp_path: Path) -> None:
    masks = factory.random_polygons(30, seed=5).to_rle()
    owners = [1 + k % 3 for k in range(30)]
    kinds = [1 + k % 4 for k in range(30)]
    data = factory.assemble(masks, owners, kinds, dict.fromkeys((1, 2, 3), (48, 64)))
    crowd = pl.Series([k == 4 for k in range(30)])
    score = pl.Series([0.5] * 30)
    instances = data.instances.with_columns(iscrowd=crowd, score=score)
    data = Dataset(data.images, instances, data.categories, data.masks)
    claims = np.zeros((3, 48, 64), int)
    regions: dict[tuple[int, int], int] = {}
    for k in range(30):
        top, left, crop = masks.crop(k)
        if k != 4 and crop.any():
            window = (slice(top, top + crop.shape[0]), slice(left, left + crop.shape[1]))
            claims[owners[k] - 1][window] += crop
            regions[owners[k], kinds[k]] = regions.get((owners[k], kinds[k]), 0) + 1
    losses = data.write(tmp_path / "out", format="pairs")
    assert losses["overlapping pixels"] == (claims > 1).sum()
    assert losses["instances joined"] == sum(regions.values()) - len(regions)
    assert losses["crowd instances"] == 1
    assert losses["scores"] == 30


def test_polygons_and_run_lengths_of_the_same_masks_are_painted_alike(tmp_path: Path) -> None:
    masks = factory.random_polygons(12, seed=7)
    for name, store in (("polygons", masks), ("runs", masks.to_rle())):
        data = factory.assemble(store, [1] * 12, [1] * 12, {1: (48, 64)})
        data.write(tmp_path / name, format="pairs")
    one, other = (tmp_path / n / "masks" / "0001.png" for n in ("polygons", "runs"))
    union = np.zeros((48, 64), bool)
    for row in range(12):
        top, left, crop = masks.crop(row)
        union[top : top + crop.shape[0], left : left + crop.shape[1]] |= crop != 0
    np.testing.assert_array_equal(np.asarray(Image.open(one)) == 1, union)
    np.testing.assert_array_equal(np.asarray(Image.open(other)) == 1, union)


def test_semantic_label_maps_of_another_format_are_written_as_masks(tmp_path: Path) -> None:
    source = paring.read(build(tmp_path / "in"), task="semantic")
    renamed = source.categories.with_columns(name=pl.Series(["background", "p", "q"]))
    data = Dataset(
        *(source.images, source.instances, renamed, source.masks), label_maps=source.label_maps
    )
    assert data.origin is None
    assert data.write(tmp_path / "out", format="pairs") == {}
    back = paring.read(tmp_path / "out", task="semantic")
    assert back.categories["name"].to_list() == ["background", "p", "q"]
    for image_id in (1, 2, 3):
        assert source.label_maps is not None
        assert back.label_maps is not None
        np.testing.assert_array_equal(
            back.label_maps.read(image_id), source.label_maps.read(image_id)
        )


def test_a_part_of_changed_data_is_written_whole(tmp_path: Path) -> None:
    source = paring.read(build(tmp_path / "in"))
    changed = source.instances.with_columns(score=pl.Series([0.5] * len(source.instances)))
    data = Dataset(source.images, changed, source.categories, source.masks)
    (tmp_path / "run").mkdir()
    assert format_of(tmp_path / "in").write_part(data, tmp_path / "run") == ["part"]
    assert len(list((tmp_path / "run" / "part" / "masks").iterdir())) == 3


def test_more_classes_than_eight_bits_tell_apart_are_refused(tmp_path: Path) -> None:
    bitmap = np.ones((2, 2), np.uint8)
    data = factory.from_bitmaps([bitmap] * 255, image=[1] * 255, category=list(range(1, 256)))
    with pytest.raises(InputError, match="255 categories cannot be written as masks"):
        data.write(tmp_path / "out", format="pairs")
    fewer = factory.from_bitmaps([bitmap] * 254, image=[1] * 254, category=list(range(1, 255)))
    fewer.write(tmp_path / "out", format="pairs")
    stored = np.asarray(Image.open(tmp_path / "out" / "masks" / "0001.png"))
    assert set(stored.flat) == {254}


def test_images_that_would_share_a_mask_are_refused(tmp_path: Path) -> None:
    value = factory.coco()
    value["images"] = [
        image | {"file_name": f"a.{ending}"}
        for image, ending in zip(value["images"], ("jpg", "png"), strict=True)
    ]
    data = paring.read(factory.write_json(tmp_path / "d.json", value))
    with pytest.raises(InputError, match=r"'a\.jpg' and 'a\.png' would share one mask"):
        data.write(tmp_path / "out", format="pairs")


def test_real_masks_survive_a_round_trip(tmp_path: Path, shared_data: Path) -> None:
    data = paring.read(shared_data / "kvasir", split="test", classes=["polyp"])
    data.write(tmp_path / "copied", images="link")
    assert paring.read(tmp_path / "copied", classes=["polyp"]) == data
    coco = paring.read(_as_coco(data, tmp_path / "d.json"), images=data.image_root)
    assert coco.write(tmp_path / "painted", format="pairs", images="link") == {}
    back = paring.read(tmp_path / "painted")
    assert back.masks == data.masks
    assert back.categories.equals(data.categories)


def _as_coco(data: Dataset, path: Path) -> Path:
    data.write(path, format="coco")
    return path
