from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import Paring
from paring.errors import InputError
from paring.report.making import write_report
from pruned_runs import pruned_at


def data_of(page: Path) -> dict:
    text = page.read_text(encoding="utf-8")
    return json.loads(text.split('id="data">')[1].split("</script>")[0])


def test_a_pruned_network_has_a_page_that_needs_no_picture(
    paring_here: Paring, tmp_path: Path
) -> None:
    run = pruned_at(tmp_path, tuned=True)
    done = paring_here("report", run)
    assert done.returncode == 0, done.stderr
    shown = data_of(run / "report" / "index.html")["channels"]
    assert [layer["channels"] for layer in shown["layers"]] == [20, 64, 40, 11]
    assert shown["metrics"] == {"miou_dataset": 0.625}
    files = (path.name for path in (run / "report").rglob("*") if path.is_file())
    assert sorted(files) == ["LICENSES.txt", "index.html"]


def test_the_page_is_the_same_when_it_is_made_again(tmp_path: Path) -> None:
    run = pruned_at(tmp_path)
    first = write_report(run).read_bytes()
    assert write_report(run).read_bytes() == first


def test_hidden_names_show_no_layer_and_no_model(tmp_path: Path) -> None:
    run = pruned_at(tmp_path, timed=False)
    assert "secret" in write_report(run).read_text(encoding="utf-8")
    page = write_report(run, hash_names=True).read_text(encoding="utf-8")
    assert "secret" not in page.lower()
    assert "layer 3" in page


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("cost.json", "{", "cost.json: cannot be read"),
        ("cost.json", "{}", "cost.json: is not what a run wrote"),
        ("metrics.json", "[]", "metrics.json: is not what a run wrote"),
        ("run.json", '{"method": "prune channels"}', "run.json: is not what a run wrote"),
    ],
)
def test_a_file_that_a_run_did_not_write_is_named(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    run = pruned_at(tmp_path)
    (run / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        write_report(run)


def test_pictures_elsewhere_are_nothing_to_such_a_page(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no pictures, so --images is not for it"):
        write_report(pruned_at(tmp_path), images=tmp_path)
