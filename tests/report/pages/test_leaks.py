import json
import shutil
from pathlib import Path

import polars as pl
import pytest

import paring
from commands import Paring
from paring.report.making import write_report

OPTIONS = ("--threshold", 0.99, "--size", 32, "-o", "run")


@pytest.fixture
def leaking(tmp_path: Path, paring_here: Paring) -> Path:
    """A run over two sets of which the test set holds two pictures of the training set."""
    paring.scenes(12, seed=0, size=(48, 64), folder=tmp_path / "train")
    paring.scenes(9, seed=5, size=(48, 64), folder=tmp_path / "test")
    for name, copy in (("000002.jpg", "a.jpg"), ("000011.jpg", "patient.jpg")):
        shutil.copy(tmp_path / "train" / name, tmp_path / "test" / copy)
    done = paring_here("images", "leaks", "train", "test", *OPTIONS)
    assert done.returncode == 0, done.stderr
    return tmp_path / "run"


def data_of(run: Path) -> dict:
    text = (run / "report" / "index.html").read_text(encoding="utf-8")
    return json.loads(text.split('id="data">')[1].split("</script>")[0])


def test_the_page_has_the_pairs_of_the_list_with_both_pictures(leaking: Path) -> None:
    listed = pl.read_csv(leaking / "leaks.csv")
    shown = data_of(leaking)
    names = shown["images"]["names"]
    assert len(listed) == len(shown["leaks"]["pairs"]) >= 2
    for row, (cluster, value, train, test) in zip(
        listed.iter_rows(named=True), shown["leaks"]["pairs"], strict=True
    ):
        assert cluster == row["cluster"]
        assert row["similarity"] - 1e-6 <= value <= row["similarity"]
        assert names[train] == f"train/{row['train_file']}"
        assert names[test] == f"test/{row['test_file']}"
        for k in (train, test):
            assert (
                leaking / "report" / "thumbnails" / shown["pictures"]["files"][str(k)][0]
            ).is_file()


def test_the_headline_is_that_of_the_terminal(leaking: Path, paring_here: Paring) -> None:
    done = paring_here("images", "leaks", "train", "test", *OPTIONS[:-1], "again")
    text = (leaking / "report" / "index.html").read_text(encoding="utf-8")
    assert f'<h1 id="headline">{done.stdout.splitlines()[0]}</h1>' in text


def test_the_page_is_made_again_from_the_folder_alone(leaking: Path) -> None:
    page = leaking / "report" / "index.html"
    first = page.read_bytes()
    write_report(leaking)
    assert page.read_bytes() == first
    shutil.rmtree(leaking.parent / "test")
    write_report(leaking)
    faults = data_of(leaking)["pictures"]["faults"]
    assert len(faults) > 0
    assert set(faults.values()) == {"does not exist"}


def test_hashed_names_show_no_file_of_either_set(leaking: Path, paring_here: Paring) -> None:
    assert paring_here("report", "run", "--hash-names", "--no-images").returncode == 0
    raw = (leaking / "report" / "index.html").read_text(encoding="utf-8")
    for word in ("patient", "000002", str(leaking.parent), "train/"):
        assert word not in raw
    assert not (leaking / "report" / "thumbnails").exists()


def test_a_list_of_pairs_that_is_none_is_refused(leaking: Path, paring_here: Paring) -> None:
    page = leaking / "report" / "index.html"
    first = page.read_bytes()
    for text in ("nothing\n1\n", "cluster,similarity,train_id,test_id\n1,0.99,99,1\n"):
        (leaking / "leaks.csv").write_text(text)
        done = paring_here("report", "run")
        assert done.returncode == 2
        assert "leaks.csv" in done.stderr
        assert page.read_bytes() == first
    done = paring_here("report", "run", "--images", "train")
    assert done.returncode == 2
    assert "--images" in done.stderr


def test_a_run_may_go_without_a_page(leaking: Path, paring_here: Paring) -> None:
    done = paring_here("images", "leaks", "train", "test", *OPTIONS[:-1], "plain", "--no-report")
    assert done.returncode == 0
    assert not (leaking.parent / "plain" / "report").exists()
    assert "look at it" not in done.stderr
