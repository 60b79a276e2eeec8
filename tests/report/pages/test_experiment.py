import json
from pathlib import Path

import pytest

from commands import Paring
from comparisons import compared_at
from paring.errors import InputError
from paring.experiment.cells import Place
from paring.report.making import write_report

FAILED = Place("random", 0.4, 1, "epochs")


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return compared_at(tmp_path, failed=[FAILED])


def data_of(output: Path) -> dict:
    text = (output / "report" / "index.html").read_text(encoding="utf-8")
    return json.loads(text.split('id="data">')[1].split("</script>")[0])


def test_a_comparison_has_a_page_that_needs_no_picture(output: Path, paring_here: Paring) -> None:
    done = paring_here("report", output)
    assert done.returncode == 0, done.stderr
    shown = data_of(output)
    assert {row["method"] for row in shown["experiment"]["rows"]} == {
        *("full", "random", "shape-si-cb"),
    }
    assert shown["experiment"]["recipe"] == (output / "recipe.yaml").read_text()
    files = (path.name for path in (output / "report").rglob("*") if path.is_file())
    assert sorted(files) == ["LICENSES.txt", "index.html"]


def test_the_page_is_the_same_when_it_is_made_again(output: Path) -> None:
    page = write_report(output)
    first = page.read_bytes()
    assert write_report(output).read_bytes() == first


def test_hidden_names_show_no_path_of_the_recipe_or_of_a_failure(output: Path) -> None:
    page = write_report(output, hash_names=True)
    raw = page.read_text(encoding="utf-8")
    for word in (str(output.parent), "secret", "scenes.json", "000001"):
        assert word not in raw
    assert "secret" in write_report(output).read_text(encoding="utf-8")


def test_pictures_elsewhere_are_nothing_to_such_a_page(output: Path) -> None:
    with pytest.raises(InputError, match="has no pictures, so --images is not for it"):
        write_report(output, images=output.parent / "images")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("run.json", '{"method": "compare"}', "run.json: is not what a run wrote"),
        ("results.csv", "nothing\n", "results.csv: is not what a comparison wrote"),
        ("data.json", "[]", "data.json: is not what a comparison wrote"),
        ("recipe.yaml", None, "recipe.yaml: cannot be read"),
    ],
)
def test_a_broken_file_of_a_comparison_is_refused_with_its_name(
    output: Path, name: str, text: str | None, message: str
) -> None:
    (output / name).unlink()
    if text is not None:
        (output / name).write_text(text)
    with pytest.raises(InputError, match=message):
        write_report(output)
