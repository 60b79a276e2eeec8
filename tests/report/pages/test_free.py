from __future__ import annotations

import json
from pathlib import Path

import pytest

from freed_runs import freed_at
from paring.errors import InputError
from paring.report.making import write_report


def data_of(page: Path) -> dict:
    text = page.read_text(encoding="utf-8")
    return json.loads(text.split('id="data">')[1].split("</script>")[0])


def test_a_run_has_a_page_with_its_pictures_and_layers(tmp_path: Path) -> None:
    run = freed_at(tmp_path)
    page = write_report(run)
    data = data_of(page)
    assert len(data["pictures"]["files"]) == 14
    examples = json.loads((run / "free_examples.json").read_text())
    for one, example in zip(data["free"]["examples"], examples, strict=True):
        for layer in ("labels", "updated", "masks", "exemplars"):
            drawn = one["layers"].get(layer, {"shapes": []})["shapes"]
            assert len(drawn) == len(example[layer])
    assert "28 pseudo-labels in 12 of 14 images, found without any label." in page.read_text()


def test_the_page_is_the_same_when_it_is_made_again(tmp_path: Path) -> None:
    run = freed_at(tmp_path, images=4)
    first = write_report(run).read_bytes()
    assert write_report(run).read_bytes() == first


def test_hidden_names_show_no_files(tmp_path: Path) -> None:
    run = freed_at(tmp_path, images=4)
    page = write_report(run, hash_names=True)
    assert not any(name.endswith(".jpg") for name in data_of(page)["images"]["names"])
    assert "photos" not in page.read_text(encoding="utf-8")
    assert "Masks from images" in page.read_text(encoding="utf-8")


def test_a_run_with_a_broken_file_is_refused(tmp_path: Path) -> None:
    run = freed_at(tmp_path, images=3)
    (run / "free_examples.json").write_text("[{]")
    with pytest.raises(InputError, match="is not what a run wrote"):
        write_report(run)
