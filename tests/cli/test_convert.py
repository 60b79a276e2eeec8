import json
import shutil
from pathlib import Path, PurePosixPath

import pytest
from PIL import Image

import factory
import paring
from commands import Paring
from paring.dataset.table import Dataset
from videos import STEP, number_of, video


def overlapping(tmp_path: Path) -> Dataset:
    """Two squares that share 25 pixels, and a crowd."""
    crowd = {"size": [48, 64], "counts": [2, 10, 48 * 64 - 12]}
    records = [
        factory.annotation(1, 1, 1, [factory.rectangle(5, 5, 10, 10)]),
        factory.annotation(2, 1, 2, [factory.rectangle(10, 10, 10, 10)]),
        factory.annotation(3, 1, 1, crowd, iscrowd=1, area=10, bbox=[0, 2, 1, 10]),
    ]
    return paring.read(factory.write_json(tmp_path / "d.json", factory.coco(records)))


def test_losses_are_counted_on_screen_and_in_the_run(paring_here: Paring, tmp_path: Path) -> None:
    overlapping(tmp_path)
    done = paring_here("convert", "d.json", "--to", "voc", "-o", "out")
    assert done.returncode == 0, done.stderr
    about = json.loads((tmp_path / "out" / "run.json").read_text())
    assert about["losses"]["overlapping pixels"] == 25
    assert about["losses"]["crowd instances"] == 1
    assert "lost 25 overlapping pixels" in done.stdout
    assert "lost 1 crowd instances" in done.stdout
    assert (tmp_path / "out" / "SegmentationObject" / "a.png").is_file()


def test_strict_refuses_to_lose_anything(paring_here: Paring, tmp_path: Path) -> None:
    overlapping(tmp_path)
    done = paring_here("convert", "d.json", "--to", "voc", "-o", "out", "--strict")
    assert done.returncode == 2
    assert "25 overlapping pixels" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("to", ["coco", "voc", "yolo", "pairs"])
def test_what_is_written_in_a_format_reads_back_with_its_images(
    paring_here: Paring, tmp_path: Path, to: str
) -> None:
    data = paring.scenes(6, seed=3, folder=tmp_path / "images")
    data.write(tmp_path / "scenes.json", format="coco")
    options = ["--to", to, "-o", "out", "--pictures", "copy"]
    done = paring_here("convert", "scenes.json", *options)
    assert done.returncode == 0, done.stderr
    again = paring.read(tmp_path / "out")
    assert again.origin.format == to
    assert len(again) == 6
    for image_id in again.images["image_id"]:
        assert again.read_image(image_id).shape == (240, 320, 3)
    counts = data.summary().categories.filter(data.summary().categories["instances"] > 0)
    assert set(counts["name"]) <= set(again.categories["name"])


def test_repair_leaves_out_what_is_broken_and_says_so(paring_here: Paring, tmp_path: Path) -> None:
    square = [factory.rectangle(1, 1, 3, 3)]
    records = [
        factory.annotation(1, 1, 1, square),
        factory.annotation(1, 1, 1, square),
        factory.annotation(2, 7, 1, square),
    ]
    factory.write_json(tmp_path / "d.json", factory.coco(records))
    assert paring_here("convert", "d.json", "--to", "coco", "-o", "out").returncode == 2
    done = paring_here("convert", "d.json", "--to", "coco", "-o", "out", "--repair")
    assert done.returncode == 0, done.stderr
    assert "1 annotation ids given anew" in done.stdout
    assert "left out annotation 2 (id 2): names image 7" in done.stdout
    mended = paring.read(tmp_path / "out" / "annotations.json")
    assert mended.instances["instance_id"].to_list() == [1, 2]
    about = json.loads((tmp_path / "out" / "run.json").read_text())
    assert about["left_out"] == ["annotation 2 (id 2): names image 7, which is not there"]


def test_json_output_is_one_object_and_an_earlier_output_is_replaced_when_allowed(
    paring_here: Paring, tmp_path: Path
) -> None:
    factory.write_json(tmp_path / "d.json", factory.coco())
    command = ["convert", "d.json", "--to", "voc", "-o", "out"]
    assert paring_here(*command).returncode == 0
    assert paring_here(*command).returncode == 2
    done = paring_here(*command, "--overwrite", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["output"] == "out"
    assert not [p.name for p in (tmp_path / "out").iterdir() if p.name.startswith(".")]


def test_odd_records_are_counted_but_not_said_to_be_left_out(
    paring_here: Paring, tmp_path: Path
) -> None:
    records = [factory.annotation(1, 1, 1, [factory.rectangle(1, 1, 3, 3)], area=0)]
    factory.write_json(tmp_path / "d.json", factory.coco(records))
    done = paring_here("convert", "d.json", "--to", "coco", "-o", "out", "--repair", "--json")
    about = json.loads(done.stdout)
    assert about["left_out"] == []
    assert about["faults"] == {"area of zero or less": 1}


@pytest.mark.parametrize("to", ["coco", "voc", "pairs", "folder", "video", "listing"])
@pytest.mark.parametrize("how", ["link", "copy"])
def test_annotations_name_the_pictures_that_frames_of_a_video_became(
    paring_here: Paring, tmp_path: Path, to: str, how: str
) -> None:
    video(tmp_path / "day" / "clip.avi", 7)
    options = ("--frame-step", 3, "--to", to, "--pictures", how, "-o", "out")
    done = paring_here("convert", "day", *options)
    assert done.returncode == 0, done.stderr
    shutil.rmtree(tmp_path / "day")
    listed = {"video": "frames.txt", "listing": "images.txt"}.get(to, ".")
    again = paring.read(tmp_path / "out" / listed)
    assert again.images["file_name"].to_list() == [f"clip_{k:06d}.png" for k in (0, 3, 6)]
    for number, image_id in zip((0, 3, 6), again.images["image_id"], strict=True):
        assert number_of(again.read_image(image_id)) == number


def annotated_frames(tmp_path: Path) -> Path:
    """A COCO file of two frames of a video and a picture, with an object each."""
    video(tmp_path / "images" / "in" / "clip.avi", 4)
    Image.new("L", (48, 32), 200).save(tmp_path / "images" / "still.png")
    names = ("in/clip.avi#000003", "still.png", "in/clip.avi#000001")
    images = [
        {"id": k, "file_name": name, "width": 48, "height": 32, "site": f"s{k}"}
        for k, name in enumerate(names, start=1)
    ]
    square = [factory.rectangle(4, 4, 8, 8)]
    records = [factory.annotation(k, k, 1, square) for k in (1, 2, 3)]
    return factory.write_json(tmp_path / "d.json", factory.coco(records, images=images))


@pytest.mark.parametrize("to", ["coco", "voc", "yolo", "pairs"])
def test_objects_stay_with_the_frames_that_they_are_in(
    paring_here: Paring, tmp_path: Path, to: str
) -> None:
    annotated_frames(tmp_path)
    done = paring_here("convert", "d.json", "--to", to, "--pictures", "copy", "-o", "out")
    assert done.returncode == 0, done.stderr
    shutil.rmtree(tmp_path / "images")
    again = paring.read(tmp_path / "out")
    assert again.origin.format == to
    names = {PurePosixPath(n).name for n in again.images["file_name"]}
    assert names == {"clip_000001.png", "clip_000003.png", "still.png"}
    assert sorted(again.instances["image_id"]) == sorted(again.images["image_id"])
    for image_id, name in again.images.select("image_id", "file_name").iter_rows():
        grey = 200 if "still" in name else STEP * int(name[-5])
        assert abs(again.read_image(image_id).mean() - grey) < 3


def test_records_of_frames_keep_what_else_they_said(paring_here: Paring, tmp_path: Path) -> None:
    annotated_frames(tmp_path)
    done = paring_here("convert", "d.json", "--to", "coco", "--pictures", "link", "-o", "out")
    assert done.returncode == 0, done.stderr
    before = json.loads((tmp_path / "d.json").read_text())
    after = json.loads((tmp_path / "out" / "annotations.json").read_text())
    names = ("in/clip_000003.png", "still.png", "in/clip_000001.png")
    for record, name in zip(before["images"], names, strict=True):
        record["file_name"] = name
    assert after == before
    assert (tmp_path / "out" / "images" / "still.png").is_symlink()


def test_without_pictures_frames_keep_their_names_where_a_format_can_name_them(
    paring_here: Paring, tmp_path: Path
) -> None:
    video(tmp_path / "clip.avi", 3)
    frames = [f"clip.avi#{k:06d}" for k in range(3)]
    for to, file in (
        ("coco", "annotations.json"),
        ("listing", "images.txt"),
        ("video", "frames.txt"),
    ):
        done = paring_here("convert", "clip.avi", "--to", to, "-o", to)
        assert done.returncode == 0, done.stderr
        again = paring.read(tmp_path / to / file, images=tmp_path)
        assert again.images["file_name"].to_list() == frames
        assert number_of(again.read_image(again.images["image_id"][2])) == 2


@pytest.mark.parametrize("to", ["voc", "yolo", "pairs", "folder", "cityscapes"])
def test_without_pictures_formats_that_need_files_refuse_frames(
    paring_here: Paring, tmp_path: Path, to: str
) -> None:
    video(tmp_path / "clip.avi", 3)
    done = paring_here("convert", "clip.avi", "--to", to, "-o", "out")
    assert done.returncode == 2
    assert f"out: {to} needs a file for each image, and clip.avi#000000 is a frame" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.avi"]
