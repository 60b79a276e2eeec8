import json
from pathlib import Path

import pytest

import factory
import paring
from commands import Paring
from paring.dataset.table import Dataset


def overlapping(tmp_path: Path) -> Dataset:
    """Two squares that share 25 pixels, and a crowd."""
    crowd = {"size": [48, 64], "counts": [2, 10, 48 * 64 - 12]}
    records = [
        factory.annotation(1, 1, 1, [factory.rectangle(5, 5, 10, 10)]),
        factory.annotation(2, 1, 2, [factory.rectangle(10, 10, 10, 10)]),
        factory.annotation(3, 1, 1, crowd, iscrowd=1, area=10, bbox=[0, 2, 1, 10]),
    ]
    return paring.read(factory.write_json(tmp_path / "d.json", factory.coco(records)))


def test_losses_are_counted_on_screen_and_in_the_run(
    paring_command: Paring, tmp_path: Path
) -> None:
    overlapping(tmp_path)
    done = paring_command("convert", "d.json", "--to", "voc", "-o", "out")
    assert done.returncode == 0, done.stderr
    about = json.loads((tmp_path / "out" / "run.json").read_text())
    assert about["losses"]["overlapping pixels"] == 25
    assert about["losses"]["crowd instances"] == 1
    assert "lost 25 overlapping pixels" in done.stdout
    assert "lost 1 crowd instances" in done.stdout
    assert (tmp_path / "out" / "SegmentationObject" / "a.png").is_file()


def test_strict_refuses_to_lose_anything(paring_command: Paring, tmp_path: Path) -> None:
    overlapping(tmp_path)
    done = paring_command("convert", "d.json", "--to", "voc", "-o", "out", "--strict")
    assert done.returncode == 2
    assert "25 overlapping pixels" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("to", ["coco", "voc", "yolo", "pairs"])
def test_what_is_written_in_a_format_reads_back_with_its_images(
    paring_command: Paring, tmp_path: Path, to: str
) -> None:
    data = paring.scenes(6, seed=3, folder=tmp_path / "images")
    data.write(tmp_path / "scenes.json", format="coco")
    options = ["--to", to, "-o", "out", "--pictures", "copy"]
    done = paring_command("convert", "scenes.json", *options)
    assert done.returncode == 0, done.stderr
    again = paring.read(tmp_path / "out")
    assert again.origin.format == to
    assert len(again) == 6
    for image_id in again.images["image_id"]:
        assert again.read_image(image_id).shape == (240, 320, 3)
    counts = data.summary().categories.filter(data.summary().categories["instances"] > 0)
    assert set(counts["name"]) <= set(again.categories["name"])


def test_repair_leaves_out_what_is_broken_and_says_so(
    paring_command: Paring, tmp_path: Path
) -> None:
    square = [factory.rectangle(1, 1, 3, 3)]
    records = [
        factory.annotation(1, 1, 1, square),
        factory.annotation(1, 1, 1, square),
        factory.annotation(2, 7, 1, square),
    ]
    factory.write_json(tmp_path / "d.json", factory.coco(records))
    assert paring_command("convert", "d.json", "--to", "coco", "-o", "out").returncode == 2
    done = paring_command("convert", "d.json", "--to", "coco", "-o", "out", "--repair")
    assert done.returncode == 0, done.stderr
    assert "1 annotation ids given anew" in done.stdout
    assert "left out annotation 2 (id 2): names image 7" in done.stdout
    mended = paring.read(tmp_path / "out" / "annotations.json")
    assert mended.instances["instance_id"].to_list() == [1, 2]
    about = json.loads((tmp_path / "out" / "run.json").read_text())
    assert about["left_out"] == ["annotation 2 (id 2): names image 7, which is not there"]


def test_json_output_is_one_object_and_an_earlier_output_is_replaced_when_allowed(
    paring_command: Paring, tmp_path: Path
) -> None:
    factory.write_json(tmp_path / "d.json", factory.coco())
    command = ["convert", "d.json", "--to", "voc", "-o", "out"]
    assert paring_command(*command).returncode == 0
    assert paring_command(*command).returncode == 2
    done = paring_command(*command, "--overwrite", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["output"] == "out"
    assert not [p.name for p in (tmp_path / "out").iterdir() if p.name.startswith(".")]


def test_odd_records_are_counted_but_not_said_to_be_left_out(
    paring_command: Paring, tmp_path: Path
) -> None:
    records = [factory.annotation(1, 1, 1, [factory.rectangle(1, 1, 3, 3)], area=0)]
    factory.write_json(tmp_path / "d.json", factory.coco(records))
    done = paring_command("convert", "d.json", "--to", "coco", "-o", "out", "--repair", "--json")
    about = json.loads(done.stdout)
    assert about["left_out"] == []
    assert about["faults"] == {"area of zero or less": 1}
