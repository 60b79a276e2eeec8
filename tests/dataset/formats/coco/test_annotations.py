from pathlib import Path

import pytest

import factory
import paring
from paring.dataset.formats.coco import annotations as coco_annotations


def test_chunks_do_not_change_what_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [
        factory.annotation(100 - k, 1 + k % 2, 1 + k % 2, [factory.rectangle(k % 7, 1, 3, 4)])
        for k in range(50)
    ]
    records[17]["score"] = 0.5
    path = factory.write_json(tmp_path / "d.json", factory.coco(records))
    whole = paring.read(path)
    monkeypatch.setattr(coco_annotations, "CHUNK", 7)
    steps: list[tuple[int, int]] = []
    chunked = paring.read(path, progress=lambda _, done, total: steps.append((done, total)))
    assert chunked == whole
    assert chunked.instances["score"].to_list()[17] == 0.5
    assert list(chunked.origin.instances) == list(whole.origin.instances)
    assert steps == [(min(k, 50), 50) for k in range(7, 57, 7)]


def test_an_id_repeated_across_chunks_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coco_annotations, "CHUNK", 2)
    records = [factory.annotation(i, 1, 1, [factory.rectangle(1, 1, 3, 3)]) for i in (1, 2, 3, 1)]
    path = factory.write_json(tmp_path / "d.json", factory.coco(records))
    with pytest.raises(paring.InputError, match=r"annotation 3 \(id 1\): this id occurs twice"):
        paring.read(path)
