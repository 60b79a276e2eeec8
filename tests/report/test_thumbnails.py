from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from PIL import Image

import paring
from paring.dataset import jobs
from paring.dataset import video as videos_of
from paring.dataset.formats.pictures import images_alone
from paring.dataset.table import IMAGES, Dataset
from paring.errors import InputError
from paring.report.thumbnails import Thumbnails, draw_thumbnails, thumbnail_name
from videos import number_of, video


def folder_of(root: Path, names: list[str]) -> Dataset:
    """A data set that names images of a folder, there or not."""
    rows = [(k + 1, name, 9, 9) for k, name in enumerate(names)]
    return images_alone(pl.DataFrame(rows, schema=IMAGES, orient="row"), root)


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_each_row_is_drawn_under_its_number(tmp_path: Path) -> None:
    data = paring.scenes(3, seed=0, folder=tmp_path / "images")
    drawn = draw_thumbnails(data, [2, 0], tmp_path / "a" / "b", side=80)
    assert drawn == Thumbnails({2: (80, 60), 0: (80, 60)}, {}, 0)
    assert list(drawn.sizes) == [2, 0]
    assert set(files_in(tmp_path / "a" / "b")) == {"000000.jpg", "000002.jpg"}
    for row in (0, 2):
        small = cv2.imread(str(tmp_path / "a" / "b" / thumbnail_name(row)), cv2.IMREAD_COLOR_RGB)
        whole = data.read_image(data.images["image_id"][row])
        expected = cv2.resize(whole, (80, 60), interpolation=cv2.INTER_AREA)
        assert np.abs(small.astype(int) - expected).mean() < 6


def test_a_row_asked_for_twice_is_drawn_once(tmp_path: Path) -> None:
    data = paring.scenes(2, seed=0, folder=tmp_path / "images")
    drawn = draw_thumbnails(data, [1, 1, 0, 1], tmp_path / "t", most_bytes=10**9)
    assert (list(drawn.sizes), drawn.left_out) == ([1, 0], 0)


def test_nothing_asked_for_is_an_empty_folder(tmp_path: Path) -> None:
    data = paring.scenes(1, seed=0, folder=tmp_path / "images")
    assert draw_thumbnails(data, [], tmp_path / "t") == Thumbnails({}, {}, 0)
    assert files_in(tmp_path / "t") == {}


def mixed(root: Path) -> Dataset:
    """Images, frames of two videos, broken and missing files, in turn."""
    scenes = paring.scenes(8, seed=1, folder=root)
    video(root / "a.avi", 12)
    video(root / "b.avi", 4)
    (root / "broken.png").write_bytes(b"text")
    pictures = scenes.images["file_name"].to_list()
    others = [f"a.avi#{n:06d}" for n in (9, 3, 3, 7)] + ["b.avi#000002", "b.avi#000009"]
    others += ["broken.png", "lost.png"]
    return folder_of(root, [name for pair in zip(pictures, others, strict=True) for name in pair])


@pytest.mark.parametrize("share", [1.0, 0.75, 0.5, 0.3, 0.0])
def test_the_result_is_the_same_for_any_number_of_workers(tmp_path: Path, share: float) -> None:
    data = mixed(tmp_path / "images")
    rows = np.random.default_rng(0).permutation(len(data)).tolist()
    draw_thumbnails(data, rows, tmp_path / "all")
    most = int(share * sum(map(len, files_in(tmp_path / "all").values())))
    results = []
    for workers in (1, 2, 7):
        folder = tmp_path / f"{workers}"
        drawn = draw_thumbnails(data, rows, folder, workers=workers, most_bytes=most)
        results.append((drawn, list(drawn.sizes), list(drawn.faults), files_in(folder)))
    assert results[0] == results[1] == results[2]
    assert len(results[0][3]) == len(results[0][1])


def test_the_first_files_that_fit_are_kept_to_the_byte(tmp_path: Path) -> None:
    data = mixed(tmp_path / "images")
    rows = list(range(len(data)))[::-1]
    everything = draw_thumbnails(data, rows, tmp_path / "all")
    files = files_in(tmp_path / "all")
    size = {row: len(files[thumbnail_name(row)]) for row in everything.sizes}
    order = list(everything.sizes)
    for count in range(len(order) + 1):
        fits = sum(size[row] for row in order[:count])
        end = rows.index(order[count]) if count < len(order) else len(rows)
        for most in (fits, fits + size[order[count]] - 1 if count < len(order) else fits + 1):
            folder = tmp_path / f"{count}-{most}"
            drawn = draw_thumbnails(data, rows, folder, most_bytes=most, workers=3)
            assert list(drawn.sizes) == order[:count]
            assert sorted(files_in(folder)) == sorted(map(thumbnail_name, order[:count]))
            assert drawn.left_out == len(rows) - end
            assert set(drawn.faults) == set(everything.faults) & set(rows[:end])


def test_a_small_file_after_one_that_does_not_fit_is_left_out(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "large.png")
    Image.new("RGB", (9, 9)).save(tmp_path / "small.png")
    data = folder_of(tmp_path, ["small.png", "large.png", "small.png", "lost.png"])
    drawn = draw_thumbnails(data, range(4), tmp_path / "t", most_bytes=2000)
    assert drawn == Thumbnails({0: (9, 9)}, {}, 3)


def test_a_video_is_read_in_one_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video(tmp_path / "clip.avi", 20)
    passes = []

    def counted(path: Path, numbers: list[int]) -> object:
        passes.append(path.name)
        return videos_of.read_frames(path, numbers)

    monkeypatch.setattr(jobs, "read_frames", counted)
    wanted = [17, 2, 2, 11]
    data = folder_of(tmp_path, [f"clip.avi#{n:06d}" for n in wanted])
    drawn = draw_thumbnails(data, range(4), tmp_path / "t", side=24, workers=2)
    assert drawn.sizes == dict.fromkeys(range(4), (24, 16))
    assert passes == ["clip.avi"]
    for row, number in enumerate(wanted):
        assert number_of(cv2.imread(str(tmp_path / "t" / thumbnail_name(row)))) == number


def test_what_cannot_be_drawn_is_told_by_row(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    video(tmp_path / "clip.avi", 4)
    (tmp_path / "text.png").write_bytes(b"text")
    names = ["lost.jpg", "text.png", "clip.avi#000009", "lost.mp4#000001", "nul\0.avi#000001"]
    names += [f"{'long' * 100}.avi#000001"]
    drawn = draw_thumbnails(folder_of(tmp_path, names), range(6), tmp_path / "t", workers=2)
    assert drawn.sizes == {}
    assert list(drawn.faults.items()) == [
        (0, "does not exist"),
        (1, "cannot be decoded (it is no image of a known kind)"),
        (2, "has no frame 9; it ends after 4"),
        (3, "does not exist"),
        (4, "does not exist"),
        (5, "cannot be read (File name too long)"),
    ]
    assert files_in(tmp_path / "t") == {}
    assert capfd.readouterr() == ("", "")


def test_frames_before_the_end_of_a_broken_video_are_drawn(tmp_path: Path) -> None:
    video(tmp_path / "clip.avi", 4)
    data = folder_of(tmp_path, ["clip.avi#000009", "clip.avi#000003"])
    drawn = draw_thumbnails(data, [0, 1], tmp_path / "t")
    assert (list(drawn.sizes), list(drawn.faults)) == ([1], [0])


def test_without_a_folder_of_images_every_row_is_a_fault(tmp_path: Path) -> None:
    data = paring.scenes(2, seed=0)
    drawn = draw_thumbnails(data, [1, 0], tmp_path / "t")
    why = "the folder of the images is not known"
    assert drawn == Thumbnails({}, {1: why, 0: why}, 0)


def test_odd_file_names_are_read_and_nothing_but_thumbnails_is_written(tmp_path: Path) -> None:
    root = tmp_path / "images"
    root.mkdir()
    names = ["a\nb.png", "'\"<&>.png", "../out.png", "#000001.png", str(tmp_path / "far.png")]
    for name in names:
        Image.new("RGB", (9, 9)).save(root / name)
    before = sorted(tmp_path.rglob("*"))
    drawn = draw_thumbnails(folder_of(root, names), range(5), tmp_path / "t")
    assert drawn.sizes == dict.fromkeys(range(5), (9, 9))
    fresh = {tmp_path / "t", *(tmp_path / "t" / thumbnail_name(row) for row in range(5))}
    assert set(tmp_path.rglob("*")) - set(before) == fresh


def test_progress_rises_to_all_rows_even_where_some_are_left_out(tmp_path: Path) -> None:
    data = paring.scenes(5, seed=0, folder=tmp_path / "images")
    for most in (10**9, 0):
        seen: list[int] = []
        draw_thumbnails(data, range(5), tmp_path / f"{most}", most_bytes=most, progress=seen.append)
        assert seen == sorted(seen)
        assert seen[-1] == 5


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    data = paring.scenes(1, seed=0, folder=tmp_path / "images")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file: cannot be made \(File exists\)"):
        draw_thumbnails(data, [0], tmp_path / "file")
    (tmp_path / "t" / "000000.jpg").mkdir(parents=True)
    with pytest.raises(InputError, match=r"000000\.jpg: the thumbnail cannot be written"):
        draw_thumbnails(data, [0], tmp_path / "t")


def test_a_side_of_no_pixels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ask for 1 or more"):
        draw_thumbnails(paring.scenes(1, seed=0), [0], tmp_path / "t", side=0)
