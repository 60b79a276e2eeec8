from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import paring
from paring.dataset.table import Dataset
from paring.report.outlines import outlines
from paring.report.pictures import Pictures, pictures_section
from paring.report.thumbnails import draw_thumbnails


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return paring.scenes(8, seed=2, folder=tmp_path / "images", size=(48, 64))


def section(data: Dataset, rows: list[int], folder: Path, **options: Any) -> dict[str, Any]:
    return pictures_section(
        data,
        rows,
        folder,
        options.pop("pictures", Pictures()),
        workers=options.pop("workers", 2),
        progress=options.pop("progress", None),
    )


def test_a_page_knows_file_and_size_of_each_thumbnail(data: Dataset, tmp_path: Path) -> None:
    found = section(data, [5, 0, 7], tmp_path / "report")
    assert list(found["files"]) == ["5", "0", "7"]
    for row, (name, width, height) in found["files"].items():
        path = tmp_path / "report" / found["folder"] / name
        assert name == f"{int(row):06d}.jpg"
        with Image.open(path) as picture:
            assert picture.size == (width, height)
    assert len(list((tmp_path / "report" / found["folder"]).iterdir())) == 3
    assert (found["shown"], found["all"], found["too_large"]) == (True, True, 0)
    assert found["faults"] == {}


def test_outlines_are_those_of_the_thumbnails(data: Dataset, tmp_path: Path) -> None:
    found = section(data, [1, 3], tmp_path)["outlines"]
    expected = outlines(data, [1, 3])
    assert set(found) == {str(row) for row in expected} != set()
    for row, one in expected.items():
        assert found[str(row)] == {
            "size": one.size,
            "shapes": one.shapes,
            "left_out": one.left_out,
        }


def test_an_image_that_cannot_be_read_has_a_fault_and_its_outlines_all_the_same(
    data: Dataset, tmp_path: Path
) -> None:
    (tmp_path / "images" / "000003.jpg").write_bytes(b"none")
    (tmp_path / "images" / "000004.jpg").unlink()
    found = section(data, [1, 2, 3], tmp_path / "report")
    assert set(found["files"]) == {"1"}
    assert set(found["outlines"]) == {"1", "2", "3"}
    assert set(found["faults"]) == {"2", "3"}


def test_a_page_without_pictures_draws_nothing(data: Dataset, tmp_path: Path) -> None:
    found = section(data, [1, 2], tmp_path / "report", pictures=Pictures(shown=False))
    assert found == {"shown": False}
    assert not (tmp_path / "report").exists()


def test_what_the_limit_of_bytes_leaves_out_is_told(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def frugal(*arguments: Any, **options: Any) -> Any:
        return draw_thumbnails(*arguments, **options, most_bytes=1)

    monkeypatch.setattr("paring.report.pictures.draw_thumbnails", frugal)
    found = section(data, [1, 2, 3], tmp_path)
    assert found["files"] == {}
    assert found["too_large"] == 3


def test_progress_ends_with_all_rows(data: Dataset, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    section(data, [1, 2, 3], tmp_path, progress=lambda *step: told.append(step))
    assert told[-1] == ("drawing thumbnails", 3, 3)


def test_the_number_of_threads_changes_nothing(data: Dataset, tmp_path: Path) -> None:
    rows = list(range(8))
    found = [section(data, rows, tmp_path / str(n), workers=n) for n in (1, 4)]
    assert found[0] == found[1]
    for one, other in zip(
        sorted((tmp_path / "1").rglob("*.jpg")),
        sorted((tmp_path / "4").rglob("*.jpg")),
        strict=True,
    ):
        assert one.read_bytes() == other.read_bytes()
