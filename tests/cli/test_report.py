import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import factory
import paring
from commands import Paring

SHAPE = ("images", "shape")
RANDOM = ("images", "random")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    data = paring.scenes(12, seed=1, folder=folder / "images", size=(48, 64))
    data.write(folder / "scenes.json", format="coco")
    return folder


@pytest.fixture
def scenes(drawn: Path, tmp_path: Path) -> Path:
    shutil.copytree(drawn / "images", tmp_path / "images")
    return Path(shutil.copy(drawn / "scenes.json", tmp_path))


@pytest.fixture
def runs(paring_here: Paring, scenes: Path, tmp_path: Path) -> Path:
    """The folder of two runs, `one` and `two`, without reports."""
    for name, seed in (("one", 1), ("two", 2)):
        options = ("--rate", 0.5, "--seed", seed, "--no-report", "-o", name)
        done = paring_here(*RANDOM, "scenes.json", *options)
        assert done.returncode == 0, done.stderr
    return tmp_path


def page(report: Path) -> dict[str, Any]:
    text = (report / "index.html").read_text(encoding="utf-8")
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert match is not None
    found: dict[str, Any] = json.loads(match[1])
    return found


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_the_page_of_a_run_lies_in_its_folder_and_its_path_is_printed(
    paring_here: Paring, runs: Path
) -> None:
    done = paring_here("report", "one")
    assert (done.returncode, done.stdout) == (0, "one/report/index.html\n")
    assert page(runs / "one" / "report")["cuts"][0]["name"] == "one"
    assert len(list((runs / "one" / "report" / "thumbnails").iterdir())) == 12


@pytest.mark.parametrize("arguments", [("one",), ("one", "two"), ("one", "-o", "page")])
def test_json_output_is_one_object(
    paring_here: Paring, runs: Path, arguments: tuple[str, ...]
) -> None:
    done = paring_here("report", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert list(found) == ["page"]
    assert Path(found["page"]).name == "index.html"
    assert (runs / found["page"]).is_file()


def test_several_runs_go_into_a_folder_named_after_them(paring_here: Paring, runs: Path) -> None:
    done = paring_here("report", "one", "two/")
    assert (done.returncode, done.stdout) == (0, "compare-one-two/index.html\n")
    cuts = page(runs / "compare-one-two")["cuts"]
    assert [cut["name"] for cut in cuts] == ["one", "two"]
    assert not (runs / "one" / "report").exists()


def test_a_page_goes_where_it_is_asked_for(paring_here: Paring, runs: Path) -> None:
    for arguments, n in ((("one", "two"), 2), (("one",), 1)):
        where = f"deep/er/page{n}"
        done = paring_here("report", *arguments, "-o", where)
        assert (done.returncode, done.stdout) == (0, f"{where}/index.html\n")
        assert len(page(runs / where)["cuts"]) == n
    assert not (runs / "one" / "report").exists()


def test_names_of_many_runs_are_cut_to_a_name_that_files_can_have(
    paring_here: Paring, runs: Path
) -> None:
    for name in ("ä" * 100, "ö" * 100):
        shutil.copytree(runs / "one", runs / name)
    done = paring_here("report", "ä" * 100, "ö" * 100)
    assert done.returncode == 0, done.stderr
    assert (runs / done.stdout.strip()).is_file()


def test_the_same_run_twice_is_no_comparison_or_one_that_can_be_told_apart(
    paring_here: Paring, runs: Path
) -> None:
    done = paring_here("report", "one", "one")
    if done.returncode:
        assert done.returncode == 2
        assert "one" in done.stderr
        return
    names = [cut["name"] for cut in page(runs / "compare-one-one")["cuts"]]
    assert len(set(names)) == len(names), names


def test_runs_of_one_name_are_told_apart(paring_here: Paring, runs: Path) -> None:
    for folder, name in (("a", "one"), ("b", "two")):
        (runs / folder).mkdir()
        (runs / name).rename(runs / folder / "run")
    done = paring_here("report", "a/run", "b/run")
    assert done.returncode == 0, done.stderr
    names = [cut["name"] for cut in page(runs / Path(done.stdout.strip()).parent)["cuts"]]
    assert len(set(names)) == 2, names


def test_runs_of_different_data_sets_are_refused(paring_here: Paring, runs: Path) -> None:
    factory.write_json(runs / "d.json", factory.coco())
    options = ("--count", 1, "--no-report", "-o", "three")
    assert paring_here(*RANDOM, "d.json", *options).returncode == 0
    for pair in (("one", "three"), ("three", "one")):
        done = paring_here("report", *pair)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            f"error: {pair[1]}: is of another data set than {pair[0]}, so the two cannot be "
            "compared\n"
        )
        assert not (runs / f"compare-{pair[0]}-{pair[1]}").exists()


def test_a_folder_that_is_no_report_is_not_replaced(paring_here: Paring, runs: Path) -> None:
    (runs / "mine").mkdir()
    (runs / "mine" / "thesis.txt").write_text("mine")
    done = paring_here("report", "one", "two", "-o", "mine")
    assert done.returncode == 2
    assert done.stderr == "error: mine: is no report, so it is not replaced\n"
    assert files(runs / "mine") == {"thesis.txt": b"mine"}
    before = files(runs / "two")
    assert paring_here("report", "one", "-o", "two").returncode == 2
    assert files(runs / "two") == before


def test_two_comparisons_whose_names_are_cut_alike_do_not_replace_each_other(
    paring_here: Paring, runs: Path
) -> None:
    long = "x" * 118
    shutil.copytree(runs / "one", runs / long)
    shutil.copytree(runs / "one", runs / "three")
    assert paring_here("report", long, "two").returncode == 0
    done = paring_here("report", long, "three")
    found = [page(path.parent)["cuts"][1]["name"] for path in runs.glob("compare-*/index.html")]
    assert done.returncode == 2 or sorted(found) == ["three", "two"]


# -- options ---------------------------------------------------------------------------------


@pytest.mark.parametrize("runs_given", [("one",), ("one", "two")])
def test_the_number_of_thumbnails_is_the_one_asked_for(
    paring_here: Paring, runs: Path, runs_given: tuple[str, ...]
) -> None:
    for number in (0, 1, 5, 99):
        done = paring_here("report", *runs_given, "--thumbnails", number)
        assert done.returncode == 0, done.stderr
        report = runs / Path(done.stdout.strip()).parent
        assert len(list((report / "thumbnails").glob("*.jpg"))) == min(number, 12)


def test_fewer_thumbnails_than_none_are_refused(paring_here: Paring, runs: Path) -> None:
    done = paring_here("report", "one", "--thumbnails", -1)
    assert done.returncode == 2
    assert "thumbnails" in done.stderr
    assert not (runs / "one" / "report").exists()


@pytest.mark.parametrize("runs_given", [("one",), ("one", "two")])
def test_a_page_without_images_has_no_thumbnails(
    paring_here: Paring, runs: Path, runs_given: tuple[str, ...]
) -> None:
    done = paring_here("report", *runs_given, "--no-images")
    assert done.returncode == 0, done.stderr
    report = runs / Path(done.stdout.strip()).parent
    assert {path.name for path in report.iterdir()} == {"index.html", "LICENSES.txt"}
    assert page(report)["pictures"] == {"shown": False}


def test_images_that_moved_are_named(paring_here: Paring, runs: Path) -> None:
    assert paring_here("report", "one").returncode == 0
    first = files(runs / "one" / "report")
    (runs / "images").rename(runs / "moved")
    assert paring_here("report", "one").returncode == 0
    assert page(runs / "one" / "report")["pictures"]["files"] == {}
    assert paring_here("report", "one", "--images", "moved").returncode == 0
    assert files(runs / "one" / "report") == first
    done = paring_here("report", "one", "--images", "nowhere")
    assert done.returncode == 2
    assert done.stderr == "error: nowhere: the images folder does not exist\n"
    assert files(runs / "one" / "report") == first


@pytest.mark.parametrize(
    ("runs_given", "beside"),
    [(("one",), "one/report-names.csv"), (("one", "two"), "compare-one-two-names.csv")],
)
def test_names_are_hashed_on_request_and_a_list_tells_them(
    paring_here: Paring, runs: Path, runs_given: tuple[str, ...], beside: str
) -> None:
    done = paring_here("report", *runs_given, "--hash-names")
    assert done.returncode == 0, done.stderr
    found = page(runs / Path(done.stdout.strip()).parent)
    lines = (runs / beside).read_text().splitlines()
    expected = [f"{shown},{n:06d}.jpg" for n, shown in enumerate(found["images"]["names"], 1)]
    assert lines == ["shown,file_name", *expected]
    assert paring_here("report", *runs_given).returncode == 0
    assert not (runs / beside).exists()


def test_a_run_is_replaceable_after_any_report(paring_here: Paring, runs: Path) -> None:
    command = (*RANDOM, "scenes.json", "--rate", 0.5, "-o", "one", "--overwrite")
    for options in ((), ("--no-images",), ("--thumbnails", 3), ("--hash-names",)):
        assert paring_here("report", "one", *options).returncode == 0
        done = paring_here(*command)
        assert done.returncode == 0, done.stderr
        assert not (runs / "one" / "report-names.csv").exists()


def test_a_page_is_made_again_from_anywhere(
    paring_here: Paring, scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert paring_here(*SHAPE, "scenes.json", "--rate", 0.5, "-o", "run").returncode == 0
    first = files(tmp_path / "run" / "report")
    (tmp_path / "far" / "away").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "far" / "away")
    shutil.rmtree(tmp_path / "run" / "report")
    done = paring_here("report", "../../run")
    assert (done.returncode, done.stdout) == (0, "../../run/report/index.html\n")
    assert files(tmp_path / "run" / "report") == first
    monkeypatch.chdir(tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "report")
    assert paring_here("report", ".").returncode == 0
    assert files(tmp_path / "run" / "report") == first


# -- what is no run --------------------------------------------------------------------------


def refused(paring_here: Paring, *arguments: object) -> str:
    """What is said of runs that cannot be reported, in one line."""
    done = paring_here("report", *arguments)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_folders_that_are_no_runs_are_refused(paring_here: Paring, runs: Path) -> None:
    for path in ("images", "nowhere", "scenes.json/"):
        said = refused(paring_here, path)
        assert path.rstrip("/") in said
        assert "run.json" in said
        assert refused(paring_here, "one", path)
    assert list(runs.glob("compare-*")) == []


def test_runs_that_chose_nothing_are_refused(paring_here: Paring, runs: Path) -> None:
    done = paring_here("convert", "scenes.json", "--to", "coco", "-o", "converted")
    assert done.returncode == 0, done.stderr
    before = files(runs / "converted")
    assert "converted" in refused(paring_here, "converted")
    assert "converted" in refused(paring_here, "one", "converted")
    assert files(runs / "converted") == before


def test_a_list_of_leaks_does_not_stand_beside_a_cut(paring_here: Paring, runs: Path) -> None:
    shutil.copytree(runs / "images", runs / "others")
    done = paring_here("images", "leaks", "images", "others", "--size", 32, "-o", "leaking")
    assert done.returncode == 0, done.stderr
    before = files(runs / "leaking")
    for pair in (("one", "leaking"), ("leaking", "one"), ("leaking", "leaking")):
        assert "leaking" in refused(paring_here, *pair)
        assert not (runs / f"compare-{pair[0]}-{pair[1]}").exists()
    assert files(runs / "leaking") == before


def test_runs_of_an_earlier_version_are_refused(paring_here: Paring, runs: Path) -> None:
    shutil.rmtree(runs / "one" / "before")
    said = refused(paring_here, "one")
    assert said.startswith("error: one: was written by an earlier version")
    assert refused(paring_here, "two", "one") == said
    assert not (runs / "one" / "report").exists()


@pytest.mark.parametrize(
    "name", ["run.json", "subset.json", "before/images.parquet", "before/instances.parquet"]
)
def test_a_broken_file_is_named_and_nothing_is_left(
    paring_here: Paring, runs: Path, name: str
) -> None:
    for content in (b"", b"{", b"\xff\xfe\x00"):
        (runs / "one" / name).write_bytes(content)
        before = files(runs)
        assert name in refused(paring_here, "one")
        assert name in refused(paring_here, "one", "two")
        if not name.startswith("before"):  # those of the first run serve all
            assert name in refused(paring_here, "two", "one")
        assert files(runs) == before


def test_a_run_is_asked_for(paring_here: Paring) -> None:
    assert paring_here("report").returncode == 2
