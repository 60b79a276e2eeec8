import csv
import json
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import factory
import paring
import voc_folder
from commands import Paring, written
from paring.dataset.scores import Scores
from paring.errors import InputError
from paring.report.hiding import hashed
from paring.report.making import compare_runs, refuse_foreign, write_report
from paring.report.pictures import Pictures
from videos import video

SHAPE = ("images", "shape")
RANDOM = ("images", "random")
SIMILAR = ("images", "similarity")
SMALL = ("--size", 32, "--workers", 2)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four scenes with their annotations, to be copied from."""
    folder = tmp_path_factory.mktemp("drawn")
    data = paring.scenes(24, seed=1, folder=folder / "images", size=(48, 64))
    data.write(folder / "scenes.json", format="coco")
    return folder


@pytest.fixture
def scenes(drawn: Path, tmp_path: Path) -> Path:
    shutil.copytree(drawn / "images", tmp_path / "images")
    return Path(shutil.copy(drawn / "scenes.json", tmp_path))


def cut(paring_here: Paring, *arguments: object) -> None:
    done = paring_here(*arguments)
    assert done.returncode == 0, done.stderr


def page(report: Path) -> dict[str, Any]:
    """What the page of a report holds."""
    text = (report / "index.html").read_text(encoding="utf-8")
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert match is not None
    found: dict[str, Any] = json.loads(match[1])
    return found


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def made_again(run: Path, **options: Any) -> dict[str, bytes]:
    """The files of the report that a run folder alone gives."""
    shutil.rmtree(run / "report", ignore_errors=True)
    write_report(run, **options)
    return files(run / "report")


# -- the same from the run folder alone ------------------------------------------------------


def as_format(root: Path, name: str) -> Path:
    paring.read(root / "scenes.json").write(root / name, format=name, images="copy")
    return root / name


def elsewhere(root: Path) -> Path:
    (root / "images").rename(root / "pictures of it")
    return root / "scenes.json"


def label_maps(root: Path) -> Path:
    """Image + mask folders: 0 to 3 are labels, 9 lies at a border."""
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (root / "maps" / folder).mkdir(parents=True)
    for name in "abcdefgh":
        values = np.kron(rng.integers(0, 4, (4, 5)), np.ones((8, 8))).astype(np.uint8)
        values[:, :2] = 9
        Image.fromarray(values).save(root / "maps" / "masks" / f"{name}.png")
        colours = rng.integers(0, 255, (*values.shape, 3), np.uint8)
        Image.fromarray(colours).save(root / "maps" / "images" / f"{name}.png")
    return root / "maps"


def voc(root: Path) -> Path:
    maps = (
        np.kron(voc_folder.OBJECTS, np.ones((8, 8))),
        np.kron(voc_folder.CLASSES, np.ones((8, 8))),
    )
    stems = list("abcd")
    lists = {"train": stems[:1], "val": stems[1:]}
    return voc_folder.voc(root / "voc", dict.fromkeys(stems, maps), lists=lists)


def cityscapes(root: Path) -> Path:
    values = np.kron([[26000, 26, 7], [26000, 7, 24000]], np.ones((8, 8))).astype(np.uint16)
    for number in range(4):
        for place, file, picture in (
            ("gtFine", "gtFine_instanceIds", values),
            ("gtFine", "gtFine_labelIds", np.where(values >= 1000, values // 1000, values)),
            ("leftImg8bit", "leftImg8bit", np.full((*values.shape, 3), 40 * number)),
        ):
            path = root / "city" / place / "train" / "ulm" / f"ulm_{number:06d}_000019_{file}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            kind = np.uint16 if file.endswith("instanceIds") else np.uint8
            Image.fromarray(picture.astype(kind)).save(path)
    return root / "city"


def tagged(root: Path) -> Path:
    for tag in ("day", "night"):
        paring.scenes(6, seed=len(tag), folder=root / "photos" / tag, size=(48, 64))
    return root / "photos"


def listed(root: Path) -> Path:
    names = sorted(f"images/{path.name}" for path in (root / "images").iterdir())
    (root / "some.txt").write_text("\n".join(names[:12]))
    return root / "some.txt"


def flat_areas(root: Path) -> Path:
    """Annotations whose areas and boxes are not those of their masks."""
    whole = json.loads((root / "scenes.json").read_text())
    for annotation in whole["annotations"]:
        annotation |= {"area": 3.0, "bbox": [0, 0, 2, 2]}
    return factory.write_json(root / "scenes.json", whole)


def two_formats(root: Path) -> Path:
    """A YOLO folder that has COCO annotations as well, of other sizes."""
    folder = as_format(root, "yolo")
    (folder / "annotations").mkdir()
    shutil.copy(root / "scenes.json", folder / "annotations" / "instances_train.json")
    return folder


MAPS = ("--classes", "sky,road,car,tree", "--void", 9)
KINDS: dict[str, tuple[Callable[[Path], Path], tuple[object, ...], bool]] = {
    "coco": (lambda root: root / "scenes.json", SHAPE, True),
    "coco folder": (lambda root: as_format(root, "coco"), SHAPE, True),
    "coco with images elsewhere": (elsewhere, (*SHAPE, "--images", "pictures of it"), True),
    "coco recomputed": (flat_areas, (*SHAPE, "--recompute", "--min-per-size", 2), True),
    "voc": (lambda root: as_format(root, "voc"), SHAPE, True),
    "voc split": (voc, (*SHAPE, "--split", "val"), True),
    "yolo": (lambda root: as_format(root, "yolo"), SHAPE, True),
    "yolo named": (two_formats, (*SHAPE, "--format", "yolo"), True),
    "yolo named, recomputed": (two_formats, (*SHAPE, "--format", "yolo", "--recompute"), True),
    "pairs": (lambda root: as_format(root, "pairs"), SHAPE, True),
    "label maps": (label_maps, (*SHAPE, *MAPS), True),
    "label maps in components": (label_maps, (*SHAPE, *MAPS, "--components"), True),
    "label maps counted down": (label_maps, (*SHAPE, "--void", 9, "--reduce-zero-label"), True),
    "cityscapes": (cityscapes, (*SHAPE, "--split", "train"), True),
    "tags": (tagged, RANDOM, False),
    "listing": (listed, RANDOM, False),
    "video": (lambda root: video(root / "x.avi", 12), (*RANDOM, "--frame-step", 2), False),
    "videos": (lambda root: video(root / "clips" / "x.avi", 9).parent, RANDOM, False),
    "count": (lambda root: root / "scenes.json", ("images", "count"), True),
    "similar": (lambda root: root / "scenes.json", (*SIMILAR, "--curve", *SMALL), True),
    "similar images": (lambda root: root / "images", (*SIMILAR, *SMALL), False),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_folder_alone_gives_the_report_that_its_command_made(
    paring_here: Paring,
    scenes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    build, command, masks = KINDS[kind]
    path = build(tmp_path).relative_to(tmp_path)
    cut(paring_here, *command[:2], path, *command[2:], "--rate", 0.4, "-o", "run")
    first = files(tmp_path / "run" / "report")
    found = page(tmp_path / "run" / "report")
    assert found["said"] == []
    assert found["pictures"]["faults"] == {}
    assert len(found["pictures"]["files"]) == len(found["images"]["names"])
    assert bool(found["pictures"]["outlines"]) == masks
    (tmp_path / "far").mkdir()
    monkeypatch.chdir(tmp_path / "far")
    again = made_again(Path("../run"))
    assert page(tmp_path / "run" / "report")["said"] == []
    assert again == first


def test_the_same_command_makes_the_same_page_twice(
    paring_here: Paring, scenes: Path, tmp_path: Path
) -> None:
    for run in ("a/run", "b/run"):
        cut(paring_here, *SHAPE, "scenes.json", "--rate", 0.5, "-o", run)
    assert files(tmp_path / "a" / "run" / "report") == files(tmp_path / "b" / "run" / "report")
    assert written(tmp_path / "a" / "run") == written(tmp_path / "b" / "run")


def test_the_number_of_threads_changes_nothing(
    paring_here: Paring, scenes: Path, tmp_path: Path
) -> None:
    cut(paring_here, *SHAPE, "scenes.json", "--rate", 0.5, "-o", "run")
    assert made_again(tmp_path / "run", workers=1) == made_again(tmp_path / "run", workers=5)


@pytest.mark.parametrize("broken", [0, 1])
def test_images_that_were_skipped_are_no_change_of_the_data_set(
    paring_here: Paring, scenes: Path, tmp_path: Path, broken: int
) -> None:
    """One that is no image at all, or one that ends early."""
    raw = (tmp_path / "images" / "000003.jpg").read_bytes()
    (tmp_path / "images" / "000003.jpg").write_bytes((b"none", raw[: len(raw) // 2])[broken])
    options = ("--rate", 0.4, "--on-error", "skip", "-o", "run", *SMALL)
    for path in ("scenes.json", "images"):
        cut(paring_here, *SIMILAR, path, *options, "--overwrite")
        first = files(tmp_path / "run" / "report")
        assert made_again(tmp_path / "run") == first
        assert page(tmp_path / "run" / "report")["said"] == []


def test_an_extended_run_is_reported_like_any_other(
    paring_here: Paring, scenes: Path, tmp_path: Path
) -> None:
    (tmp_path / "new").mkdir()
    for number in range(19, 25):
        name = f"{number:06d}.jpg"
        (tmp_path / "images" / name).rename(tmp_path / "new" / name)
    cut(paring_here, *SIMILAR, "images", "--rate", 0.4, "-o", "old", *SMALL)
    cut(paring_here, *SIMILAR, "new", "--extend", "old", "-o", "joined")
    first = files(tmp_path / "joined" / "report")
    assert made_again(tmp_path / "joined") == first
    found = page(tmp_path / "joined" / "report")
    assert (found["said"], len(found["images"]["names"])) == ([], 24)
    assert len(found["pictures"]["files"]) == 24


def test_a_subset_forced_on_another_data_set_is_reported(
    paring_here: Paring, scenes: Path, tmp_path: Path
) -> None:
    cut(paring_here, *SHAPE, "scenes.json", "--rate", 0.5, "-o", "run")
    whole = json.loads(scenes.read_text())
    whole["annotations"] = whole["annotations"][1:]
    factory.write_json(tmp_path / "less.json", whole)
    options = ("--subset", "run/subset.json", "--force", "-o", "applied")
    cut(paring_here, "images", "apply", "less.json", *options)
    first = files(tmp_path / "applied" / "report")
    assert page(tmp_path / "applied" / "report")["cuts"][0]["slider"] is None
    assert made_again(tmp_path / "applied") == first


def test_a_subset_forced_on_a_part_of_its_data_set_is_reported(
    paring_here: Paring, scenes: Path, tmp_path: Path
) -> None:
    """The subset has reasons for images that the part has not."""
    cut(paring_here, *SIMILAR, "scenes.json", "--rate", 0.5, "-o", "run", *SMALL)
    subset = json.loads((tmp_path / "run" / "subset.json").read_text())
    gone = subset["dropped"][::2]
    assert {str(image) for image in gone} < set(subset["reasons"])
    data = paring.read(scenes)
    ids = [image for image in data.images["image_id"].to_list() if image not in gone]
    data.subset(ids).write(tmp_path / "part.json", format="coco")
    options = ("--subset", "run/subset.json", "--force", "-o", "applied")
    cut(paring_here, "images", "apply", "part.json", *options)
    found = page(tmp_path / "applied" / "report")
    assert found["cuts"][0]["reasons"] == {
        str(ids.index(int(image))): why
        for image, why in subset["reasons"].items()
        if int(image) not in gone
    }


@pytest.mark.parametrize("amount", [("--rate", 0), ("--threshold", 1), ("--count", 1)])
def test_the_ends_of_a_search_are_reported(
    paring_here: Paring, scenes: Path, tmp_path: Path, amount: tuple[object, ...]
) -> None:
    (tmp_path / "few").mkdir()
    for number in range(1, 6):
        shutil.copy(tmp_path / "images" / f"{number:06d}.jpg", tmp_path / "few")
    done = paring_here(*SIMILAR, "few", *amount, "-o", "run", *SMALL)
    if done.returncode:
        assert "at most" in done.stderr or "largest" in done.stderr, done.stderr
        return
    first = files(tmp_path / "run" / "report")
    assert made_again(tmp_path / "run") == first


def test_images_without_a_correlation_have_no_similarity_on_the_page(
    paring_here: Paring, scenes: Path, tmp_path: Path
) -> None:
    for name in ("flat1.png", "flat2.png"):
        Image.new("L", (64, 48), 90).save(tmp_path / "images" / name)
    options = ("--count", 12, "--metric", "pcc", "-o", "run", *SMALL)
    cut(paring_here, *SIMILAR, "images", *options)
    names = page(tmp_path / "run" / "report")["images"]["names"]
    values = page(tmp_path / "run" / "report")["cuts"][0]["measure"]["values"]
    assert [values[names.index(name)] for name in ("flat1.png", "flat2.png")] == [None, None]


# -- data that has moved or changed ----------------------------------------------------------


@pytest.fixture
def run(paring_here: Paring, scenes: Path, tmp_path: Path) -> Path:
    floors = ("--min-per-category", 2, "--min-per-size", 1)
    cut(paring_here, *SHAPE, "scenes.json", "--rate", 0.4, *floors, "-o", "run")
    return tmp_path / "run"


def test_a_data_set_that_is_gone_is_said_and_leaves_the_numbers(run: Path, scenes: Path) -> None:
    before = page(run / "report")
    scenes.unlink()
    write_report(run)
    after = page(run / "report")
    assert after["said"] == [f"no outlines are drawn: {scenes}: no such file or folder"]
    assert after["pictures"].pop("outlines") == {}
    assert before["pictures"].pop("outlines")
    assert {**before, "said": []} == {**after, "said": []}


def test_a_data_set_that_has_changed_is_said_and_leaves_the_numbers(
    run: Path, scenes: Path
) -> None:
    before = page(run / "report")
    whole = json.loads(scenes.read_text())
    whole["annotations"] = whole["annotations"][:-1]
    factory.write_json(scenes, whole)
    write_report(run)
    after = page(run / "report")
    assert after["said"] == [f"no outlines are drawn: {scenes}: has changed since the run"]
    assert after["pictures"]["outlines"] == {}
    assert (after["images"], after["cuts"]) == (before["images"], before["cuts"])


def test_a_data_set_that_can_no_longer_be_read_is_said(run: Path, scenes: Path) -> None:
    scenes.write_text("[")
    write_report(run)
    (said,) = page(run / "report")["said"]
    assert said.startswith(f"no outlines are drawn: {scenes}: ")
    assert page(run / "report")["pictures"]["outlines"] == {}


def test_images_that_are_gone_are_told_of_one_by_one(run: Path, tmp_path: Path) -> None:
    (tmp_path / "images").rename(tmp_path / "moved")
    write_report(run)
    found = page(run / "report")["pictures"]
    assert found["files"] == {}
    assert set(found["faults"]) == {str(row) for row in range(24)}
    assert not any(str(tmp_path) in why for why in found["faults"].values())


def test_images_that_moved_are_found_where_they_are_said_to_be(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = files(run / "report")
    (tmp_path / "images").rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    for place in ("moved", tmp_path / "moved"):
        assert made_again(run, images=place) == first


def test_images_named_by_an_option_that_moved_bring_their_outlines_back(
    paring_here: Paring, scenes: Path, tmp_path: Path
) -> None:
    path = elsewhere(tmp_path)
    cut(paring_here, *SHAPE, path, "--images", "pictures of it", "--rate", 0.4, "-o", "run")
    first = files(tmp_path / "run" / "report")
    (tmp_path / "pictures of it").rename(tmp_path / "moved")
    again = made_again(tmp_path / "run", images=tmp_path / "moved")
    assert page(tmp_path / "run" / "report")["said"] == []
    assert again == first


def test_floors_are_moved_as_ever_where_annotations_are_gone_and_images_moved(
    run: Path, scenes: Path, tmp_path: Path
) -> None:
    before = page(run / "report")["cuts"]
    scenes.unlink()
    (tmp_path / "images").rename(tmp_path / "moved")
    write_report(run, images=tmp_path / "moved")
    assert len(before[0]["slider"]["points"]) > 5
    assert page(run / "report")["cuts"] == before


def test_an_images_folder_that_is_not_there_is_refused(run: Path) -> None:
    first = files(run)
    with pytest.raises(InputError, match="nowhere: the images folder does not exist"):
        write_report(run, images="nowhere")
    assert files(run) == first


def test_a_demo_that_is_moved_as_a_whole_keeps_its_pictures(
    paring_here: Paring, tmp_path: Path
) -> None:
    cut(paring_here, "demo", "-o", "demo", "--images", 8)
    first = files(tmp_path / "demo" / "report")
    (tmp_path / "new").mkdir()
    (tmp_path / "demo").rename(tmp_path / "new" / "demo")
    assert made_again(tmp_path / "new" / "demo") == first
    assert page(tmp_path / "new" / "demo" / "report")["said"] == []


# -- what is replaced ------------------------------------------------------------------------

MINE = {
    "a file beside the page": "notes.txt",
    "a file among the thumbnails": "thumbnails/notes.txt",
    "a picture among the thumbnails": "thumbnails/holiday.jpg",
}


@pytest.mark.parametrize("case", MINE)
def test_a_report_that_holds_more_than_it_should_is_not_replaced(run: Path, case: str) -> None:
    mine = run / "report" / MINE[case]
    mine.write_text("mine")
    first = files(run)
    with pytest.raises(InputError, match=f"{mine.name}.*not replaced"):
        write_report(run)
    assert files(run) == first


def test_only_a_report_is_replaced(run: Path, tmp_path: Path) -> None:
    other, report = tmp_path / "other", run / "report"
    shutil.rmtree(report)
    for make in (report.mkdir, report.touch, lambda: report.symlink_to(other)):
        shutil.rmtree(other, ignore_errors=True)
        other.mkdir()
        make()
        with pytest.raises(InputError, match="report: is no report, so it is not replaced"):
            write_report(run)
        assert not report.is_dir() or not list(report.iterdir())
        report.rmdir() if report.is_dir() and not report.is_symlink() else report.unlink()
    report.symlink_to("nowhere")
    with pytest.raises(InputError, match="is no report"):
        refuse_foreign(report)


def test_a_page_of_someone_else_is_no_report(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("<h1>my own page</h1>")
    with pytest.raises(InputError, match="is no report, so it is not replaced"):
        refuse_foreign(tmp_path / "site")


def test_a_report_is_replaced_as_a_whole(run: Path) -> None:
    first = files(run / "report")
    write_report(run, pictures=Pictures(number=3))
    assert len(list((run / "report" / "thumbnails").iterdir())) == 3
    write_report(run, pictures=Pictures(shown=False))
    assert {path.name for path in (run / "report").iterdir()} == {"index.html", "LICENSES.txt"}
    write_report(run)
    assert files(run / "report") == first


def test_a_run_remains_replaceable_after_every_kind_of_report(
    paring_here: Paring, run: Path
) -> None:
    command = (*SHAPE, "scenes.json", "--rate", 0.4, "-o", "run", "--overwrite")
    options: list[dict[str, Any]] = [
        {},
        {"pictures": Pictures(number=3)},
        {"pictures": Pictures(shown=False)},
        {"hash_names": True},
    ]
    for case in options:
        write_report(run, **case)
        cut(paring_here, *command)
    assert not (run / "report-names.csv").exists()


def test_a_report_changes_nothing_of_its_run(run: Path) -> None:
    before = files(run)
    write_report(run, pictures=Pictures(shown=False), hash_names=True)
    after = files(run)
    assert {n for n in before if before[n] != after.get(n) and not n.startswith("report/")} == set()
    assert set(after) - set(before) == {"report-names.csv"}


def test_what_a_user_put_beside_a_run_is_never_taken_for_its_own(
    paring_here: Paring, run: Path
) -> None:
    (run / "thesis.txt").write_text("mine")
    write_report(run)
    done = paring_here(*SHAPE, "scenes.json", "--rate", 0.4, "-o", "run", "--overwrite")
    assert done.returncode == 2
    assert "holds more or less than its run wrote" in done.stderr
    assert (run / "thesis.txt").read_text() == "mine"


# -- pictures --------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1, 7, 24, 1000])
def test_as_many_thumbnails_are_drawn_as_are_asked_for(run: Path, number: int) -> None:
    write_report(run, pictures=Pictures(number=number))
    found = page(run / "report")["pictures"]
    expected = min(number, 24)
    assert len(list((run / "report" / "thumbnails").iterdir())) == expected
    assert len(found["files"]) == expected


def test_without_pictures_there_are_none(run: Path) -> None:
    write_report(run, pictures=Pictures(shown=False))
    assert page(run / "report")["pictures"] == {"shown": False}
    assert not (run / "report" / "thumbnails").exists()


def test_both_ends_and_the_border_of_a_ranking_are_seen_first(run: Path) -> None:
    write_report(run, pictures=Pictures(number=2))
    scores = Scores.load(run / "scores.parquet")
    best = scores.ranking()[:2].tolist()
    assert set(page(run / "report")["pictures"]["files"]) == {str(row) for row in best}


def test_of_a_network_the_worst_covered_is_seen_first_beside_what_covers_it(
    paring_here: Paring, scenes: Path, tmp_path: Path
) -> None:
    cut(paring_here, *SIMILAR, "images", "--rate", 0.5, "-o", "run", *SMALL)
    write_report(tmp_path / "run", pictures=Pictures(number=2))
    frame = Scores.load(tmp_path / "run" / "scores.parquet").frame
    worst = frame.drop_nulls("covered_by").sort("similarity").row(0, named=True)
    rows = {str(worst[name] - 1) for name in ("image_id", "covered_by")}
    assert set(page(tmp_path / "run" / "report")["pictures"]["files"]) == rows


# -- names that are kept to oneself ----------------------------------------------------------


@pytest.fixture
def clinic(drawn: Path, tmp_path: Path) -> Path:
    """The scenes under names that say something."""
    (tmp_path / "clinic").mkdir()
    whole = json.loads((drawn / "scenes.json").read_text())
    for number, image in enumerate(whole["images"]):
        name = f"mueller{'abc'[number % 3]}-{number}.jpg"
        shutil.copy(drawn / "images" / image["file_name"], tmp_path / "clinic" / name)
        image["file_name"] = name
    return factory.write_json(tmp_path / "clinic" / "mueller.json", whole)


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ((*SIMILAR, *SMALL, "--groups", "mueller[abc]", "--min-per-group", 3), "clinic"),
        ((*SIMILAR, *SMALL, "--groups", "mueller[abc]"), "clinic/mueller.json"),
        ((*SHAPE, "--images", "clinic", "--min-per-category", 2), "clinic/mueller.json"),
        (RANDOM, "clinic/mueller.json"),
        (RANDOM, "clinic"),
    ],
)
def test_hashed_names_leave_no_name_and_no_path_on_the_page(
    paring_here: Paring, clinic: Path, tmp_path: Path, command: tuple[object, ...], path: str
) -> None:
    if path == "clinic":
        clinic.unlink()
    cut(paring_here, *command[:2], path, *command[2:], "--rate", 0.5, "-o", "run")
    run = tmp_path / "run"
    fingerprint = json.loads((run / "run.json").read_text())["dataset"]["fingerprint"]
    secrets = ("mueller", "clinic", str(tmp_path), fingerprint)
    shown = (run / "report" / "index.html").read_text(encoding="utf-8")
    assert all(word in shown for word in ("mueller", "clinic", fingerprint))
    write_report(run, hash_names=True)
    assert page(run / "report")["images"]["hidden"]
    for name, raw in files(run / "report").items():
        for word in secrets:
            assert word.encode() not in raw, (name, word)


def test_hashed_names_leave_the_name_of_the_run_out_as_the_title_does(
    paring_here: Paring, scenes: Path, tmp_path: Path
) -> None:
    cut(paring_here, *RANDOM, "scenes.json", "--rate", 0.5, "-o", "mueller-run")
    write_report(tmp_path / "mueller-run", hash_names=True)
    raw = (tmp_path / "mueller-run" / "report" / "index.html").read_bytes()
    assert b"mueller" not in raw


def test_hashed_names_leave_no_path_in_what_is_said(
    paring_here: Paring, clinic: Path, tmp_path: Path
) -> None:
    cut(paring_here, *SHAPE, "clinic/mueller.json", "--rate", 0.5, "-o", "run")
    (tmp_path / "clinic").rename(tmp_path / "gone")
    write_report(tmp_path / "run", hash_names=True)
    raw = (tmp_path / "run" / "report" / "index.html").read_bytes()
    for word in ("mueller", "clinic", str(tmp_path)):
        assert word.encode() not in raw, word


def test_a_group_with_a_quote_in_its_name_is_kept_back_as_well(
    paring_here: Paring, scenes: Path, tmp_path: Path
) -> None:
    options = ("--rate", 0.5, *SMALL, "-o", "run", "--overwrite")
    cut(paring_here, *SIMILAR, "images", *options)
    gone = json.loads((tmp_path / "run" / "subset.json").read_text())["dropped"][:4]
    with (tmp_path / "groups.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("file_name", "group"))
        for number in range(1, 25):
            table.writerow((f"{number:06d}.jpg", "O'Brien" if number in gone else "others"))
    groups = ("--groups", "groups.csv", "--min-per-group", 4)
    cut(paring_here, *SIMILAR, "images", *options, *groups)
    reasons = json.loads((tmp_path / "run" / "subset.json").read_text())["reasons"]
    assert any(why.startswith("kept") and "O'Brien" in why for why in reasons.values())
    write_report(tmp_path / "run", hash_names=True)
    assert b"Brien" not in (tmp_path / "run" / "report" / "index.html").read_bytes()


def test_a_list_beside_the_report_tells_which_hash_is_which_file(run: Path) -> None:
    write_report(run, hash_names=True)
    shown = page(run / "report")["images"]["names"]
    with (run / "report-names.csv").open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    names = [f"{number:06d}.jpg" for number in range(1, 25)]
    assert head == ["shown", "file_name"]
    assert rows == [list(pair) for pair in zip(shown, names, strict=True)]
    key = json.loads((run / "run.json").read_text())["dataset"]["fingerprint"].encode()
    assert shown == [hashed(name, key) for name in names]
    assert len(set(shown)) == 24
    write_report(run)
    assert not (run / "report-names.csv").exists()
    assert page(run / "report")["images"]["names"] == names


def test_a_data_set_has_the_same_hashes_in_all_its_reports(
    paring_here: Paring, run: Path, tmp_path: Path
) -> None:
    cut(paring_here, *RANDOM, "scenes.json", "--rate", 0.4, "-o", "other")
    seen = []
    for path in (run, tmp_path / "other"):
        write_report(path, hash_names=True)
        seen.append(page(path / "report")["images"]["names"])
    compare_runs([run, tmp_path / "other"], tmp_path / "both", hash_names=True)
    assert seen == [page(tmp_path / "both")["images"]["names"]] * 2


def test_a_subset_of_another_data_set_leaves_the_hashes_those_of_this_one(
    paring_here: Paring, run: Path, scenes: Path, tmp_path: Path
) -> None:
    whole = json.loads(scenes.read_text())
    whole["annotations"] = whole["annotations"][1:]
    factory.write_json(tmp_path / "less.json", whole)
    options = ("--subset", "run/subset.json", "--force", "-o", "applied")
    cut(paring_here, "images", "apply", "less.json", *options)
    cut(paring_here, *RANDOM, "less.json", "--rate", 0.4, "-o", "other")
    seen = []
    for name in ("applied", "other"):
        write_report(tmp_path / name, hash_names=True)
        seen.append(page(tmp_path / name / "report")["images"]["names"])
    assert seen[0] == seen[1]


# -- runs that cannot be reported ------------------------------------------------------------


def broken(run: Path, name: str, text: str | bytes) -> None:
    (run / name).write_bytes(text.encode() if isinstance(text, str) else text)


BROKEN = {
    "run.json": "{",
    "subset.json": "{",
    "scores.parquet": "PAR1",
    "before/images.parquet": "PAR1",
    "before/instances.parquet": "PAR1",
    "before/categories.parquet": "PAR1",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_of_a_run_is_named_and_the_old_report_stays(run: Path, name: str) -> None:
    broken(run, name, BROKEN[name])
    first = files(run)
    with pytest.raises(InputError) as refused:
        write_report(run)
    assert name in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert files(run) == first
    shutil.rmtree(run / "report")
    with pytest.raises(InputError, match=re.escape(name)):
        write_report(run)
    assert not (run / "report").exists()
    assert [path.name for path in run.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("name", ["run.json", "before/images.parquet", "before/categories.parquet"])
def test_a_file_that_a_run_lacks_is_named(run: Path, name: str) -> None:
    (run / name).unlink()
    with pytest.raises(InputError, match=re.escape(name)):
        write_report(run)


def test_a_cut_without_its_subset_has_no_report(run: Path) -> None:
    (run / "subset.json").unlink()
    first = files(run)
    with pytest.raises(InputError, match=r"^[^\n]*run[^\n]*$"):
        write_report(run)
    assert files(run) == first


@pytest.fixture
def similar(paring_here: Paring, scenes: Path, tmp_path: Path) -> Path:
    cut(paring_here, *SIMILAR, "scenes.json", "--rate", 0.5, "--curve", "-o", "run", *SMALL)
    return tmp_path / "run"


OF_A_NETWORK = ["network.json", "curve.parquet", "edges.parquet", "scores.parquet"]


@pytest.mark.parametrize("name", OF_A_NETWORK)
@pytest.mark.parametrize("content", [b"", b"PAR1", b"[]", b"\xff\xfe"])
def test_a_broken_file_of_a_network_is_named_and_the_old_report_stays(
    similar: Path, name: str, content: bytes
) -> None:
    broken(similar, name, content)
    first = files(similar)
    with pytest.raises(InputError, match=re.escape(name)):
        write_report(similar)
    assert files(similar) == first


def test_the_scores_of_another_method_are_refused_in_a_run_by_similarity(
    paring_here: Paring, similar: Path, tmp_path: Path
) -> None:
    cut(paring_here, *SHAPE, "scenes.json", "--rate", 0.5, "-o", "other", "--no-report")
    shutil.copy(tmp_path / "other" / "scores.parquet", similar)
    with pytest.raises(InputError, match=r"scores\.parquet"):
        write_report(similar)


@pytest.mark.parametrize("kept", [[1, 2, 99], [-1]])
def test_a_subset_of_other_images_is_refused(run: Path, kept: list[int]) -> None:
    subset = json.loads((run / "subset.json").read_text())
    factory.write_json(run / "subset.json", subset | {"kept": kept})
    with pytest.raises(InputError, match=rf"subset\.json keeps image {kept[-1]}, which is not"):
        write_report(run)


FALSE = {
    "reasons that are no table": {"reasons": [1]},
    "parameters that are no table": {"parameters": [1]},
}


@pytest.mark.parametrize("case", FALSE)
def test_a_subset_with_something_odd_in_it_is_refused_in_a_sentence(run: Path, case: str) -> None:
    subset = json.loads((run / "subset.json").read_text())
    factory.write_json(run / "subset.json", subset | FALSE[case])
    with pytest.raises(InputError, match=r"subset\.json"):
        write_report(run)


# -- several runs ----------------------------------------------------------------------------


@pytest.fixture
def other(paring_here: Paring, run: Path, tmp_path: Path) -> Path:
    cut(paring_here, *RANDOM, "scenes.json", "--rate", 0.4, "--seed", 5, "-o", "other")
    return tmp_path / "other"


def test_runs_stand_side_by_side_in_the_order_given(run: Path, other: Path, tmp_path: Path) -> None:
    assert compare_runs([other, run], tmp_path / "both") == tmp_path / "both" / "index.html"
    found = page(tmp_path / "both")
    alone = [page(one / "report")["cuts"][0] for one in (other, run)]
    assert found["cuts"] == [{name: one[name] for name in found["cuts"][0]} for one in alone]
    assert found["images"] == page(run / "report")["images"]
    assert "network" not in found
    assert found["pictures"]["outlines"]


def test_images_on_which_runs_disagree_are_seen_first(
    run: Path, other: Path, tmp_path: Path
) -> None:
    kept = [set(json.loads((one / "subset.json").read_text())["kept"]) for one in (run, other)]
    split = {str(image - 1) for image in kept[0] ^ kept[1]}
    assert 0 < len(split) < 24
    compare_runs([run, other], tmp_path / "both", pictures=Pictures(number=len(split)))
    assert set(page(tmp_path / "both")["pictures"]["files"]) == split


def test_runs_of_different_data_sets_are_refused_by_name(
    paring_here: Paring, run: Path, tmp_path: Path
) -> None:
    factory.write_json(tmp_path / "d.json", factory.coco())
    cut(paring_here, *RANDOM, "d.json", "--count", 1, "-o", "foreign")
    foreign = tmp_path / "foreign"
    for pair in ([run, foreign], [foreign, run]):
        with pytest.raises(InputError) as refused:
            compare_runs(pair, tmp_path / "both")
        assert str(refused.value) == (
            f"{pair[1]}: is of another data set than {pair[0]}, so the two cannot be compared"
        )
    assert not (tmp_path / "both").exists()


def test_a_comparison_replaces_a_comparison_and_nothing_else(
    run: Path, other: Path, tmp_path: Path
) -> None:
    both = tmp_path / "both"
    both.mkdir()
    (both / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="both: is no report, so it is not replaced"):
        compare_runs([run, other], both)
    assert files(both) == {"notes.txt": b"mine"}
    shutil.rmtree(both)
    compare_runs([run, other], both)
    first = files(both)
    compare_runs([run, other], both, pictures=Pictures(shown=False))
    compare_runs([run, other], both)
    assert files(both) == first


def test_a_comparison_leaves_its_runs_as_they_are(run: Path, other: Path, tmp_path: Path) -> None:
    before = files(run), files(other)
    compare_runs([run, other], tmp_path / "both", hash_names=True)
    assert (files(run), files(other)) == before


def test_hashed_names_of_a_comparison_are_told_beside_it(
    run: Path, other: Path, tmp_path: Path
) -> None:
    compare_runs([run, other], tmp_path / "both", hash_names=True)
    for raw in files(tmp_path / "both").values():
        assert b'000001.jpg"' not in raw.replace(b'["000001.jpg"', b"")
        assert str(tmp_path).encode() not in raw
    lines = (tmp_path / "both-names.csv").read_text().splitlines()
    assert [line.split(",")[1] for line in lines[1:]] == [f"{n:06d}.jpg" for n in range(1, 25)]
    compare_runs([run, other], tmp_path / "both")
    assert not (tmp_path / "both-names.csv").exists()


def test_a_list_of_names_that_is_the_users_own_is_left_alone(
    run: Path, other: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "class-names.csv"
    mine.write_text("id,name\n1,cat\n")
    compare_runs([run, other], tmp_path / "class")
    assert mine.read_text() == "id,name\n1,cat\n"


def test_a_list_of_names_in_a_run_that_is_the_users_own_is_left_alone(run: Path) -> None:
    (run / "report-names.csv").write_text("my own list\n")
    for hide in (False, True):
        with suppress(InputError):
            write_report(run, hash_names=hide)
        assert (run / "report-names.csv").read_text() == "my own list\n"


def test_hashed_names_leave_out_where_runs_of_the_same_name_lie(
    paring_here: Paring, scenes: Path, tmp_path: Path
) -> None:
    runs = [tmp_path / "mueller" / "run", tmp_path / "meier" / "run"]
    for run in runs:
        options = ("--rate", 0.4, "--no-report", "-o", run)
        cut(paring_here, *RANDOM, "scenes.json", *options)
    compare_runs(runs, tmp_path / "both", hash_names=True)
    raw = (tmp_path / "both" / "index.html").read_bytes()
    assert b"mueller" not in raw
    assert b"meier" not in raw


def test_runs_of_the_same_name_are_told_apart(
    paring_here: Paring, scenes: Path, tmp_path: Path
) -> None:
    for name, seed in (("a/run", 1), ("b/run", 2)):
        options = ("--rate", 0.4, "--seed", seed, "--no-report", "-o", name)
        cut(paring_here, *RANDOM, "scenes.json", *options)
    compare_runs([tmp_path / "a" / "run", tmp_path / "b" / "run"], tmp_path / "both")
    names = [one["name"] for one in page(tmp_path / "both")["cuts"]]
    assert len(set(names)) == 2, names


def test_a_comparison_with_its_data_set_gone_says_so_once(
    run: Path, other: Path, scenes: Path, tmp_path: Path
) -> None:
    scenes.unlink()
    compare_runs([run, other], tmp_path / "both")
    found = page(tmp_path / "both")
    assert found["said"] == [f"no outlines are drawn: {scenes}: no such file or folder"]
    assert len(found["pictures"]["files"]) == 24


def test_images_of_a_comparison_are_found_where_they_are_said_to_be(
    run: Path, other: Path, tmp_path: Path
) -> None:
    compare_runs([run, other], tmp_path / "both")
    first = files(tmp_path / "both")
    (tmp_path / "images").rename(tmp_path / "moved")
    compare_runs([run, other], tmp_path / "both", images=tmp_path / "moved")
    assert files(tmp_path / "both") == first
