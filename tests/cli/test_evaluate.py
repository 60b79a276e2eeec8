import json
from dataclasses import replace
from pathlib import Path

import pytest

import factory
import paring
from commands import Paring
from guesses import guessed
from paring.dataset.masks import MaskStore
from paring.evaluation import category_ap, coco_metrics, read_results, write_results

FILES = ("evaluate", "--predictions", "found.json", "--annotations", "truth.json")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A truth of generated scenes and guesses at it."""
    truth = paring.scenes(12, seed=1, size=(96, 128))
    truth.write(tmp_path / "truth.json", format="coco")
    write_results(guessed(truth, seed=2), tmp_path / "found.json")
    return tmp_path


def test_a_table_shows_the_metrics_of_masks(paring_here: Paring, folder: Path) -> None:
    done = paring_here(*FILES)
    assert done.returncode == 0, done.stderr
    truth = paring.read(folder / "truth.json")
    found = read_results(folder / "found.json", truth)
    want = coco_metrics(truth, found)
    solid = int((~truth.instances["iscrowd"]).sum())
    lines = done.stdout.splitlines()
    assert lines[0] == f"12 images, {solid} instances, {len(found.instances)} predictions"
    assert lines[1].split() == ["masks"]
    shown = dict(line.split() for line in lines[2:])
    assert shown == {
        name: "-" if value != value else f"{value:.4f}" for name, value in want.items()
    }


def test_boxes_are_shown_beside_masks_on_request(paring_here: Paring, folder: Path) -> None:
    done = paring_here(*FILES, "--kind", "both")
    truth = paring.read(folder / "truth.json")
    found = read_results(folder / "found.json", truth)
    boxes = coco_metrics(truth, found, kind="bbox")["AP"]
    masks = coco_metrics(truth, found)["AP"]
    assert boxes != masks
    assert done.stdout.splitlines()[1].split() == ["masks", "boxes"]
    assert done.stdout.splitlines()[2].split() == ["AP", f"{masks:.4f}", f"{boxes:.4f}"]
    alone = paring_here(*FILES, "--kind", "bbox").stdout.splitlines()
    assert alone[1].split() == ["boxes"]
    assert alone[2].split() == ["AP", f"{boxes:.4f}"]


def test_the_json_object_holds_every_number_and_null_where_none_is(
    paring_here: Paring, folder: Path
) -> None:
    options = ("--class-agnostic", "--areas", "200,100000", "--json", "-o", "numbers.json")
    done = paring_here(*FILES, *options)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    truth = paring.read(folder / "truth.json")
    found = read_results(folder / "found.json", truth)
    want = coco_metrics(truth, found, class_agnostic=True, areas=(200, 100000))
    assert want["APL"] != want["APL"]  # no scene is so large
    assert told["metrics"] == {"segm": {k: None if v != v else v for k, v in want.items()}}
    assert told["fingerprint"] == truth.fingerprint
    assert (told["class_agnostic"], told["areas"]) == (True, [200.0, 100000.0])
    assert json.loads((folder / "numbers.json").read_text()) == told


def test_each_category_has_a_row_on_request(paring_here: Paring, folder: Path) -> None:
    truth = paring.read(folder / "truth.json")
    table = category_ap(truth, read_results(folder / "found.json", truth))
    done = paring_here(*FILES, "--per-category")
    rows = [line.split() for line in done.stdout.splitlines()[-len(table) :]]
    assert [row[0] for row in rows] == table["name"].to_list()
    assert [row[1] for row in rows] == [str(n) for n in table["truths"]]
    first = table.row(0, named=True)
    assert rows[0][3:] == [f"{first[name]:.4f}" for name in ("AP", "AP50", "AP75", "AR")]
    told = json.loads(paring_here(*FILES, "--per-category", "--json").stdout)
    assert [row["name"] for row in told["categories"]["segm"]] == table["name"].to_list()
    assert told["categories"]["segm"][0]["AP"] == first["AP"]


def test_results_of_boxes_alone_are_measured_as_boxes(paring_here: Paring, folder: Path) -> None:
    truth = paring.read(folder / "truth.json")
    found = read_results(folder / "found.json", truth)
    sides = {"heights": found.masks.heights, "widths": found.masks.widths}
    bare = MaskStore.from_polygons([[]] * len(found.masks), **sides)
    write_results(replace(found, masks=bare), folder / "found.json", overwrite=True)
    assert paring_here(*FILES, "--kind", "bbox").returncode == 0
    done = paring_here(*FILES)
    assert done.returncode == 2
    assert "prediction 1 has no mask; measure boxes" in done.stderr


def test_predictions_for_another_data_set_are_named_with_file_and_record(
    paring_here: Paring, folder: Path
) -> None:
    factory.write_json(folder / "truth.json", factory.coco())
    done = paring_here(*FILES)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: found.json: record ")
    assert "which the annotations have not" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "name the folder of a training run, or give both --predictions FILE and --annotat"),
        (FILES[1:3], "name the folder of a training run, or give both"),
        (FILES[3:], "name the folder of a training run, or give both"),
        ((*FILES[1:], "--cost"), "--cost is for a training run, not for predictions of a file"),
        ((*FILES[1:], "--data", "d"), "--data is for a training run, not for predictions of"),
        (("run", "--kind", "segm"), "--kind is for predictions of a file, not for a training"),
        (("run", *FILES[1:3]), "--predictions is for predictions of a file, not for a training"),
        ((*FILES[1:], "--class-agnostic", "--per-category"), "drop --per-category"),
        ((*FILES[1:], "--areas", "12"), "areas '12' are not two numbers like 1024,9216"),
        ((*FILES[1:], "--areas", "a,b"), "areas 'a,b' are not two numbers like 1024,9216"),
        ((*FILES[1:], "--areas", "9,4"), "areas are two rising borders"),
        ((*FILES[1:3], "--annotations", "none.json"), "none.json: no such file"),
        (("--predictions", "none.json", *FILES[3:]), "none.json: no such file"),
    ],
)
def test_what_cannot_be_measured_ends_in_one_sentence_and_exit_code_2(
    paring_here: Paring, folder: Path, options: tuple[str, ...], words: str
) -> None:
    done = paring_here("evaluate", *options)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_file_of_numbers_is_replaced_on_request_and_what_was_read_never(
    paring_here: Paring, folder: Path
) -> None:
    assert paring_here(*FILES, "-o", "numbers.json").returncode == 0
    done = paring_here(*FILES, "-o", "numbers.json")
    assert done.returncode == 2
    assert "numbers.json: exists already" in done.stderr
    assert paring_here(*FILES, "-o", "numbers.json", "--overwrite").returncode == 0
    for name in ("truth.json", "found.json"):
        before = (folder / name).read_bytes()
        done = paring_here(*FILES, "-o", name, "--overwrite")
        assert done.returncode == 2
        assert "what the data set was read from; it is never changed" in done.stderr
        assert (folder / name).read_bytes() == before
