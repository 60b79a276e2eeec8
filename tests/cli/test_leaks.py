import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

import paring
from commands import Paring
from paring.images.leaks import find_leaks
from paring.images.similarity.opening import Comparing

COMMAND = ("images", "leaks", "train", "test", "-o", "run", "--size", 32, "--workers", 2)
HEADER = "cluster,similarity,train_id,train_file,test_id,test_file\n"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "images"
    paring.scenes(40, seed=2, folder=folder, size=(48, 64))
    return folder


@pytest.fixture
def sets(drawn: Path, tmp_path: Path) -> Path:
    """Two folders of twenty images, of which none is in both."""
    for name, numbers in (("train", range(1, 21)), ("test", range(21, 41))):
        (tmp_path / name).mkdir()
        for number in numbers:
            shutil.copy(drawn / f"{number:06d}.jpg", tmp_path / name)
    return tmp_path


def test_pairs_are_listed_on_screen_and_in_a_table(paring_here: Paring, sets: Path) -> None:
    for number in (3, 12):
        shutil.copy(sets / "train" / f"{number:06d}.jpg", sets / "test" / f"[b]{number}.jpg")
    done = paring_here(*COMMAND, "--threshold", 0.9999)
    assert done.returncode == 0, done.stderr
    first, header, *lines = done.stdout.splitlines()
    assert first == "2 of 22 test images are 0.9999 or more similar to one of 20 training images."
    assert header.split() == ["cluster", "similarity", "training", "image", "test", "image"]
    assert [line.split() for line in lines] == [
        ["1", "1.0000", "000003.jpg", "[b]3.jpg"],
        ["2", "1.0000", "000012.jpg", "[b]12.jpg"],
    ]
    assert done.stderr.startswith("2 pairs written to run/leaks.csv in ")
    listed = pl.read_csv(sets / "run" / "leaks.csv")
    how = Comparing(size=32)
    found = find_leaks(sets / "train", sets / "test", threshold=0.9999, how=how)
    assert listed.equals(found.pairs)
    assert {path.name for path in (sets / "run").iterdir()} == {
        *("leaks.csv", "run.json", "before", "report"),
    }


def test_a_run_tells_what_was_compared(paring_here: Paring, sets: Path) -> None:
    shutil.copy(sets / "train" / "000003.jpg", sets / "test" / "x.jpg")
    done = paring_here(*COMMAND, "--threshold", 0.9999, "--json")
    about = json.loads(done.stdout)
    assert about["run"] == "run"
    assert {k: v for k, v in about.items() if k != "run"} == json.loads(
        (sets / "run" / "run.json").read_text()
    )
    assert (about["pairs"], about["clusters"], about["test_images_that_leak"]) == (1, 1, 1)
    train = paring.read(sets / "train")
    assert about["train"] == {
        "path": "train",
        "image_root": str((sets / "train").resolve()),
        "fingerprint": train.fingerprint,
        "images": 20,
        "compared": 20,
    }
    assert about["test"]["images"] == 21
    assert about["threshold"] == 0.9999
    assert about["skipped"] == []


def test_one_leak_is_told_in_the_singular(paring_here: Paring, sets: Path) -> None:
    shutil.copy(sets / "train" / "000003.jpg", sets / "test" / "x.jpg")
    done = paring_here(*COMMAND, "--threshold", 0.9999)
    assert done.stdout.startswith("1 of 21 test images is 0.9999 or more similar to one of 20 tr")
    assert done.stderr.startswith("1 pair written")


def test_nothing_found_is_said_and_the_table_has_its_header(
    paring_here: Paring, sets: Path
) -> None:
    done = paring_here(*COMMAND, "--threshold", 0.9999)
    assert done.returncode == 0, done.stderr
    words = "none of 20 test images is 0.9999 or more similar to one of 20 training images.\n"
    assert done.stdout == words
    assert done.stderr.startswith("0 pairs written to run/leaks.csv in ")
    assert (sets / "run" / "leaks.csv").read_text() == HEADER


def test_more_pairs_than_fit_a_screen_are_counted(paring_here: Paring, sets: Path) -> None:
    done = paring_here(*COMMAND, "--threshold", 0)
    n_pairs = len(pl.read_csv(sets / "run" / "leaks.csv"))
    assert n_pairs > 20
    assert len(done.stdout.splitlines()) == 2 + 20 + 1
    assert done.stdout.endswith(f"and {n_pairs - 20:,} more pairs\n")


def test_annotated_sets_are_compared_by_their_own_folders(
    paring_here: Paring, drawn: Path, sets: Path
) -> None:
    data = paring.scenes(40, seed=2, size=(48, 64))
    data.subset(range(1, 21)).write(sets / "a.json")
    data.subset(range(11, 31)).write(sets / "b.json")
    command = ("images", "leaks", "a.json", "b.json", "-o", "run", "--size", 32)
    for given, lacks in ((("--train-images", drawn), "b"), (("--test-images", drawn), "a")):
        done = paring_here(*command, *given)
        side = "train" if lacks == "a" else "test"
        assert done.returncode == 2
        assert f"{lacks}.json: the folder of its images is not known" in done.stderr
        assert f"give --{side}-images DIR" in done.stderr
    both = ("--train-images", drawn, "--test-images", drawn, "--threshold", 1)
    assert paring_here(*command, *both).returncode == 0
    listed = pl.read_csv(sets / "run" / "leaks.csv")
    assert (listed["train_id"] == listed["test_id"]).all()
    assert sorted(listed["test_id"]) == list(range(11, 21))


def test_broken_images_are_left_out_on_request_and_named(paring_here: Paring, sets: Path) -> None:
    (sets / "train" / "bad.png").write_bytes(b"no image")
    cut = sets / "test" / "000021.jpg"
    cut.write_bytes(cut.read_bytes()[:900])
    done = paring_here(*COMMAND)
    assert done.returncode == 2
    assert done.stderr.startswith("error: train/bad.png: the image cannot be read")
    assert "--on-error skip" in done.stderr
    assert not (sets / "run").exists()
    done = paring_here(*COMMAND, "--on-error", "skip")
    assert done.returncode == 0, done.stderr
    assert "of 19 test images" in done.stdout
    assert "2 images left out, see run.json" in done.stderr
    said = json.loads((sets / "run" / "run.json").read_text())["skipped"]
    assert [line.split(": ")[:2] for line in said] == [
        ["train", "bad.png"],
        ["test/000021.jpg", "is truncated"],
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "gone"), "gone: no such file or folder"),
        (("empty", "test"), "empty: holds no images and no annotations"),
        (("train", "test", "--threshold", "nan"), "must be a number, not nan"),
        (("train", "test", "--memory", "1 apple"), "is no size"),
        (("train", "test", "--format", "coco"), "train"),
        (("train", "test", "--train-images", "gone"), "gone: the images folder does not exist"),
    ],
)
def test_what_cannot_be_ends_in_one_sentence_and_leaves_nothing(
    paring_here: Paring, sets: Path, arguments: tuple[str, ...], message: str
) -> None:
    (sets / "empty").mkdir()
    before = sorted(sets.rglob("*"))
    done = paring_here("images", "leaks", *arguments, "-o", "run")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert sorted(sets.rglob("*")) == before


def test_a_run_cannot_replace_what_it_compares(paring_here: Paring, sets: Path) -> None:
    assert paring_here(*COMMAND).returncode == 0
    (sets / "run" / "run.json").rename(sets / "test" / "run.json")
    done = paring_here("images", "leaks", "train", "test", "-o", "test", "--overwrite")
    assert done.returncode == 2
    assert (sets / "test" / "000021.jpg").is_file()


def test_pairs_keep_no_images_so_there_is_nothing_to_link(paring_here: Paring, sets: Path) -> None:
    done = paring_here(*COMMAND, "--link", "kept")
    assert done.returncode == 2
    assert "No such option" in done.stderr
    assert "--link" not in paring_here("images", "leaks", "--help").stdout
    assert "--link" in paring_here("images", "similarity", "--help").stdout


def test_what_is_all_but_the_same_is_not_shown_as_the_same(paring_here: Paring, sets: Path) -> None:
    picture = np.array(Image.open(sets / "train" / "000003.jpg").resize((32, 32)))
    Image.fromarray(picture).save(sets / "train" / "x.png")
    picture[0, 0] ^= 4
    Image.fromarray(picture).save(sets / "test" / "x.png")
    done = paring_here(*COMMAND, "--threshold", 0.9999999)
    assert done.stdout.startswith("none of 21 test images is 0.9999999 or more similar")
    done = paring_here(*COMMAND, "--overwrite", "--threshold", 0.9999)
    value = pl.read_csv(sets / "run" / "leaks.csv")["similarity"].item()
    shown = done.stdout.splitlines()[-1].split()[1]
    assert 0.99995 < value < 1
    assert shown == str(value)[: len(shown)]
    assert 0.9999 < float(shown) < 1
