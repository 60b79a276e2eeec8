import json
from pathlib import Path

import pytest

import factory
from paring.cli.cutting import cut
from paring.cli.options import Output, Source
from paring.dataset.reading import Progress
from paring.dataset.subset import Subset
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.images.selection import keep_random


def choose(data: Dataset, _: Progress) -> tuple[Subset, None]:
    return keep_random(data, count=1, seed=0), None


def test_a_selection_becomes_a_run_that_names_the_libraries_it_used(tmp_path: Path) -> None:
    file = factory.write_json(tmp_path / "d.json", factory.coco())
    output = Output(tmp_path / "run", report=False)
    cut(Source(file), output, choose, libraries=("hypothesis",))
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    assert about["kept"] == 1
    assert {"paring", "numpy", "hypothesis"} <= set(about["versions"])
    assert not (tmp_path / "run" / "scores.parquet").exists()


def test_a_selection_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(data: Dataset, _: Progress) -> tuple[Subset, None]:
        raise InputError("cannot choose")

    file = factory.write_json(tmp_path / "d.json", factory.coco())
    with pytest.raises(InputError, match="cannot choose"):
        cut(Source(file), Output(tmp_path / "run"), fail)
    assert [path.name for path in tmp_path.iterdir()] == ["d.json"]
