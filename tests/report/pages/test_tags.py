from __future__ import annotations

import json
from pathlib import Path

import pytest

from paring.errors import InputError
from paring.report.making import write_report
from tagged_runs import tagged_at


def data_of(page: Path) -> dict:
    text = page.read_text(encoding="utf-8")
    return json.loads(text.split('id="data">')[1].split("</script>")[0])


def test_a_run_has_a_page_with_its_pictures_and_layers(tmp_path: Path) -> None:
    run = tagged_at(tmp_path)
    page = write_report(run)
    data = data_of(page)
    assert len(data["pictures"]["files"]) == 14
    shown = data["tags"]["examples"]
    assert len(shown) == 14
    examples = json.loads((run / "examples.json").read_text())
    for one, example in zip(shown, examples, strict=True):
        assert one["tags"] == example["tags"]
        assert len(one["peaks"]) == len(example["peaks"])
        for layer in ("seeds", "truth", "labels"):
            drawn = one["layers"].get(layer, {"shapes": []})["shapes"]
            assert len(drawn) == len(example[layer])
    assert "28 pseudo-labels from the tags of 14 images; 7 of 8 tags have some." in page.read_text()


def test_the_page_is_the_same_when_it_is_made_again(tmp_path: Path) -> None:
    run = tagged_at(tmp_path, images=4)
    first = write_report(run).read_bytes()
    assert write_report(run).read_bytes() == first


def test_hidden_names_show_neither_files_nor_tags(tmp_path: Path) -> None:
    run = tagged_at(tmp_path, images=4)
    page = write_report(run, hash_names=True).read_text(encoding="utf-8")
    data = data_of(run / "report" / "index.html")
    assert not [name for name in data["images"]["names"] if name.endswith(".jpg")]
    assert str(tmp_path) not in page
    assert [row[0] for row in data["tags"]["tags"]] == [f"tag {k}" for k in range(1, 9)]
    assert not {"disc", "bean", "tile"} & {
        t for one in data["tags"]["examples"] for t in one["tags"]
    }
    assert not {"disc", "bean"} & set(data["images"]["categories"])


def test_images_that_moved_are_found_where_one_says(tmp_path: Path) -> None:
    run = tagged_at(tmp_path, images=3)
    (tmp_path / "photos").rename(tmp_path / "elsewhere")
    said = []
    write_report(run, say=said.append)
    assert any("no picture was found" in sentence for sentence in said)
    write_report(run, images=tmp_path / "elsewhere")
    assert len(data_of(run / "report" / "index.html")["pictures"]["files"]) == 3


@pytest.mark.parametrize(
    ("name", "text"), [("examples.json", "{"), ("examples.json", "[{}]"), ("run.json", None)]
)
def test_files_that_no_run_wrote_are_named(tmp_path: Path, name: str, text: str | None) -> None:
    run = tagged_at(tmp_path, images=2)
    (run / name).write_text(text or '{"method": "from-tags"}')
    with pytest.raises(InputError, match="is not what a run wrote"):
        write_report(run)
