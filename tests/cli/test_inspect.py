import json
from pathlib import Path

import factory
from commands import Paring


def test_a_sound_data_set_is_described_with_exit_code_0(
    paring_here: Paring, tmp_path: Path
) -> None:
    factory.write_json(tmp_path / "d.json", factory.coco())
    done = paring_here("inspect", "d.json")
    assert done.returncode == 0
    assert done.stdout.startswith("2 images, 3 instances, 2 categories\n")
    assert "small" in done.stdout


def test_oddities_are_listed_and_refusals_all_at_once(paring_here: Paring, tmp_path: Path) -> None:
    square = [factory.rectangle(1, 1, 3, 3)]
    records = [
        factory.annotation(1, 1, 1, [], area=0, bbox=[1, 1, 2, 2]),
        factory.annotation(2, 9, 1, square),
        factory.annotation(3, 1, 9, square),
        factory.annotation(4, 1, 1, square),
    ]
    factory.write_json(tmp_path / "d.json", factory.coco(records))
    done = paring_here("inspect", "d.json")
    assert done.returncode == 2
    assert "odd empty segmentation: 1 (annotation 0 (id 1))" in done.stdout
    assert "refused annotation 1 (id 2): names image 9" in done.stdout
    assert "refused annotation 2 (id 3): names category 9" in done.stdout
    assert "2 records cannot be used" in done.stderr
    listed = json.loads(paring_here("inspect", "d.json", "--json").stdout)
    assert [f["record"] for f in listed["refused"]] == [
        "annotation 1 (id 2)",
        "annotation 2 (id 3)",
    ]
    assert listed["odd"] == {"empty segmentation": 1, "area of zero or less": 1}
    assert listed["instances"] == 2


def test_more_oddities_than_are_shown_are_counted_and_refusals_are_not_odd(
    paring_here: Paring, tmp_path: Path
) -> None:
    square = [factory.rectangle(1, 1, 3, 3)]
    records = [factory.annotation(k, 1, 1, square, area=0) for k in range(7)]
    records.append(factory.annotation(9, 9, 1, square))
    factory.write_json(tmp_path / "d.json", factory.coco(records))
    done = paring_here("inspect", "d.json")
    assert "area of zero or less: 7 (annotation 0 (id 0), " in done.stdout
    assert "annotation 4 (id 4) and 2 more)" in done.stdout
    assert "odd unusable" not in done.stdout
