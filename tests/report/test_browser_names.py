"""Names that try to be markup, names that are hidden, and pictures that are not there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import html5lib
import pytest

import factory
import paring
from browser import Look, Runs, View, paring_in

NASTY = (
    "<img src=x onerror=window.hacked=1>.jpg",
    "</script><script>window.hacked=1</script>.png",
    "@@data@@.jpg",
    "\"quotes' & &amp; `${window.hacked=1}`.jpg",
    "back\\slash\\u003c.jpg",
    "🦊 é ß.jpg",
    "שלום\u202egpj.עולם.jpg",
    "line\nbreak\ttab.jpg",
    "control\u0085\x7f\u2028.jpg",
    "__proto__",
    "=1+1;,.jpg",
)
KINDS = (
    "<b onmouseover=window.hacked=1>",
    "</script><script>window.hacked=1</script>",
    "constructor",
)


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs on images and categories of such names; those that a file system allows are there."""
    folder = tmp_path_factory.mktemp("nasty")
    drawn = paring.scenes(len(NASTY), seed=2, folder=folder / "drawn", size=(48, 64))
    images, annotations = [], []
    for k, name in enumerate(NASTY):
        images.append({"id": k + 1, "file_name": name, "width": 64, "height": 48})
        side = 6 + 2 * k
        square = [factory.rectangle(2, 2, side, side)]
        annotations.append(factory.annotation(k + 1, k + 1, k % len(KINDS), square))
        file = folder / "images" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "drawn" / drawn.images["file_name"][k], file)
    kinds = [{"id": k, "name": name} for k, name in enumerate(KINDS)]
    about = factory.coco(annotations, images=images, categories=kinds)
    factory.write_json(folder / "data.json", about)
    source = ("data.json", "--images", "images", "--rate", 0.5)
    paring_in(folder, "images", "shape", *source, "-o", "<i>run&amp;")
    paring_in(folder, "images", "similarity", *source, "--size", 16, "-o", "similarity")
    return folder


@pytest.mark.parametrize("run", ["<i>run&amp;", "similarity"])
def test_names_that_look_like_markup_are_shown_as_they_are(
    look: Look, nasty: Path, run: str
) -> None:
    view = look(nasty / run / "report" / "index.html")
    assert view.js("images.names") == list(NASTY)
    assert view.page.title() == f"{run} · paring"
    view.draw_all()
    view.page.select_option("#sort", "data")
    view.js("document.querySelector('#images .virtual').style.height = '3000px'")
    view.settle()
    view.settle()
    assert view.texts("#images .row .name") == list(NASTY)
    assert set(view.texts("#losses tbody th bdi")) >= set(KINDS)
    for row in range(len(NASTY)):
        view.page.locator(f"#images [data-row='{row}']").click()
        assert view.page.locator("#viewer-title").text_content() == NASTY[row]
        assert KINDS[row % len(KINDS)] in view.texts("#viewer")[0]
        view.page.keyboard.press("Escape")
    for place in view.page.locator(".chart").all():  # hints are elements as well
        place.scroll_into_view_if_needed()
        box = place.bounding_box()
        assert box is not None
        for share in (0.2, 0.35, 0.5):
            view.page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] * share)
    assert view.js("typeof window.hacked") == "undefined"
    assert view.js("document.querySelectorAll('img[onerror], b, i').length") == 0


def test_a_page_of_such_names_is_well_formed_and_its_pictures_are_there(
    look: Look, nasty: Path
) -> None:
    page = nasty / "<i>run&amp;" / "report" / "index.html"
    html5lib.HTMLParser(strict=True).parse(page.read_bytes())
    view = look(page)
    faults = view.js("pictures.faults")
    assert faults == {}
    assert len(view.js("Object.keys(pictures.files)")) == len(NASTY)


def missing(view: View) -> list[str]:
    kinds = "#images .row .picture.none, #images .row .picture.blank"
    return view.texts(kinds)


def test_a_page_of_missing_images_says_so_and_stays_useful(look: Look, tmp_path: Path) -> None:
    data = paring.scenes(12, seed=4, folder=tmp_path / "images", size=(48, 64))
    data.write(tmp_path / "scenes.json", format="coco")
    for k in (1, 3):
        (tmp_path / "images" / f"{k:06d}.jpg").unlink()
    (tmp_path / "images" / "000005.jpg").write_bytes(b"no picture")
    source = ("scenes.json", "--images", "images")
    paring_in(tmp_path, "images", "shape", *source, "--rate", 0.5, "-o", "run")
    view = look(tmp_path / "run" / "report" / "index.html")
    assert "3 pictures could not be drawn; the numbers are complete" in view.text("#said")
    view.page.select_option("#sort", "data")
    view.settle()
    assert len(missing(view)) == 3
    told = view.texts("#about details li")
    assert sorted(line.split()[0] for line in told) == ["000001.jpg", "000003.jpg", "000005.jpg"]
    assert str(tmp_path) not in view.file.read_text(encoding="utf-8").split('"faults"')[1]
    view.slide(750)
    assert sum(view.kept()) == 3
    view.page.locator("#images [data-row='0']").click()
    assert view.text("#viewer-title") == "000001.jpg"


def test_a_page_of_which_all_images_are_gone_opens(look: Look, tmp_path: Path) -> None:
    paring.scenes(6, seed=4).write(tmp_path / "scenes.json", format="coco")
    paring_in(tmp_path, "images", "count", "scenes.json", "--rate", 0.5, "-o", "run")
    view = look(tmp_path / "run" / "report" / "index.html")
    assert "No picture was found" in view.text("#said")
    assert view.page.locator("img").count() == 0
    assert len(view.rows()) == 6


def test_thumbnails_that_were_removed_are_told_of(look: Look, runs: Runs, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(runs.page("shape").parent, tmp_path / "report"))
    shutil.rmtree(folder / "thumbnails")
    view = look(folder / "index.html")
    view.page.locator("#gallery .card").first.scroll_into_view_if_needed()
    view.wait_for("document.querySelector('#gallery .card .gone')")
    assert view.text("#gallery .card .gone") == "thumbnail is gone"
    view.slide(600)
    assert sum(view.kept()) == 24
    view.settle()
    # the browser itself says that a file is not there, and nothing else is said
    view.expected = "ERR_FILE_NOT_FOUND"
    assert view.problems


def test_without_images_there_is_neither_an_img_nor_a_folder(
    look: Look, runs: Runs, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(runs("similarity"), tmp_path / "similarity"))
    paring_in(tmp_path, "report", "similarity", "--no-images")
    assert {path.name for path in (run / "report").iterdir()} == {"index.html", "LICENSES.txt"}
    view = look(run / "report" / "index.html")
    view.draw_all()
    view.page.locator("#gallery .card").first.click()
    assert view.page.locator("#viewer").is_visible()
    assert view.page.locator("img").count() == 0
    assert "thumbnails/" not in view.js("document.getElementById('data').textContent")
    assert view.text("#gallery .card .picture") == "pictures left out"
    assert "This page was made without pictures." in view.text("#about")


def test_hashed_names_leave_no_trace_of_files_groups_and_paths(look: Look, tmp_path: Path) -> None:
    data = paring.scenes(24, seed=1, folder=tmp_path / "drawn", size=(48, 64))
    (tmp_path / "secretfolder").mkdir()
    patients = ("Müller", "O'Neil", "zoë")
    names = []
    for k, name in enumerate(data.images["file_name"]):
        names.append(f"patient-{patients[k % 3]}_scan{k:03d}.jpg")
        shutil.copy(tmp_path / "drawn" / name, tmp_path / "secretfolder" / names[-1])
    broken = "patient-Broken_scan999.jpg"
    (tmp_path / "secretfolder" / broken).write_bytes(b"no picture")
    options = ("--groups", "patient-(.+?)_", "--min-per-group", 2, "--size", 16)
    paring_in(
        *(tmp_path, "images", "similarity", "secretfolder", "--rate", 0.7, *options),
        *("--on-error", "skip", "-o", "run"),
    )
    shown = (tmp_path / "run" / "report" / "index.html").read_text(encoding="utf-8")
    assert names[0] in shown  # so the test below can fail
    paring_in(tmp_path, "report", "run", "--hash-names")
    view = look(tmp_path / "run" / "report" / "index.html")
    text = view.file.read_text(encoding="utf-8")
    stems = [Path(name).stem for name in (*names, broken)]
    secrets = [*names, broken, *stems, *patients, "Broken", "scan0", "patient"]
    facts = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    secrets += [str(tmp_path), tmp_path.name, "secretfolder", facts["dataset"]["fingerprint"]]
    for secret in secrets:
        for form in (secret, json.dumps(secret)[1:-1]):
            assert form not in text, form
    assert "file names are hashed" in view.text("#facts")
    table = (tmp_path / "run" / "report-names.csv").read_text(encoding="utf-8").splitlines()
    told = dict(line.split(",", 1) for line in table[1:])
    hashes = view.js("images.names")
    assert sorted(told[name] for name in hashes) == sorted(names)
    view.draw_all()
    view.page.locator("#gallery .card").first.click()
    assert view.text("#viewer-title") in told


def test_hashed_names_hold_for_runs_with_annotations_too(runs: Runs, tmp_path: Path) -> None:
    for name in ("shape", "floors", "curve", "ccs"):
        run = Path(shutil.copytree(runs(name), tmp_path / name))
        paring_in(tmp_path, "report", name, "--hash-names")
        text = (run / "report" / "index.html").read_text(encoding="utf-8")
        facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
        for secret in ("scenes.json", str(runs.folder), facts["dataset"]["fingerprint"]):
            assert secret not in text, (name, secret)
        stems = [Path(image).stem for image in runs.data.images["file_name"]]
        found = [
            stem
            for stem in stems
            if f'"{stem}"' in text or f"{stem}." in text.replace("thumbnails/", "")
        ]
        # a thumbnail is called by its place in the data set
        files = json.loads(text.split('id="data">')[1].split("</script>")[0])["pictures"]["files"]
        assert set(found) <= {Path(file).stem for file, *_ in files.values()}
