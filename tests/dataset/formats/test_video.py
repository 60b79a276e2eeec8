from pathlib import Path

import pytest
from PIL import Image

import paring
from paring.dataset.formats import carry_out, format_of
from paring.dataset.reading import Reading
from paring.errors import InputError
from videos import number_of, video


def test_a_video_is_a_data_set_of_its_frames(tmp_path: Path) -> None:
    data = paring.read(video(tmp_path / "x.avi", 5), frame_step=2)
    assert data.images.rows() == [
        (1, "x.avi#000000", 48, 32),
        (2, "x.avi#000002", 48, 32),
        (3, "x.avi#000004", 48, 32),
    ]
    assert data.origin.format == "video"
    assert [number_of(data.read_image(k)) for k in (3, 1, 2)] == [4, 0, 2]
    assert len(data.instances) == len(data.categories) == 0


def test_a_folder_of_videos_gives_all_frames_and_names_them_apart(tmp_path: Path) -> None:
    video(tmp_path / "b" / "x.avi", 2)
    video(tmp_path / "a" / "x.avi", 3)
    data = paring.read(tmp_path)
    expected = [f"a/x.avi#00000{k}" for k in range(3)] + [f"b/x.avi#00000{k}" for k in range(2)]
    assert data.images["file_name"].to_list() == expected
    assert data.images["image_id"].to_list() == [1, 2, 3, 4, 5]
    assert number_of(data.read_image(5)) == 1


def test_a_folder_with_images_too_is_one_of_images(tmp_path: Path) -> None:
    video(tmp_path / "x.avi", 2)
    Image.new("L", (4, 3)).save(tmp_path / "x.png")
    assert format_of(tmp_path).name == "folder"
    assert len(paring.read(tmp_path, format="video")) == 2
    assert format_of(tmp_path / "x.avi").name == "video"


def test_videos_deeper_than_three_folders_are_not_recognised(tmp_path: Path) -> None:
    video(tmp_path / "1" / "2" / "x.avi", 1)
    assert format_of(tmp_path).name == "video"
    (tmp_path / "1" / "2" / "3").mkdir()
    (tmp_path / "1" / "2" / "x.avi").rename(tmp_path / "1" / "2" / "3" / "x.avi")
    with pytest.raises(InputError, match="not recognised as a data set"):
        format_of(tmp_path)


@pytest.mark.parametrize("step", [0, -3])
def test_a_step_below_one_is_refused(tmp_path: Path, step: int) -> None:
    with pytest.raises(InputError, match=f"frame_step {step} is no step; it is 1 or more"):
        paring.read(video(tmp_path / "x.avi", 2), frame_step=step)


def test_a_broken_video_is_refused_by_name_or_listed(tmp_path: Path) -> None:
    video(tmp_path / "a.avi", 2)
    (tmp_path / "b.mp4").write_text("no video")
    (tmp_path / "c.mov").touch()
    with pytest.raises(InputError, match=r"b\.mp4: the video cannot be opened as a video"):
        paring.read(tmp_path)
    reading = Reading(tmp_path, strict=False)
    assert len(carry_out(reading)) == 2
    assert [(f.record, f.message) for f in reading.faults if f.refused] == [
        ("b.mp4", "the video cannot be opened as a video"),
        ("c.mov", "the video is empty (0 bytes)"),
    ]
    with pytest.raises(InputError, match="holds no videos that can be used"):
        carry_out(Reading(tmp_path / "c.mov", strict=False))


def test_frames_hold_no_label_maps(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="videos hold no label maps"):
        paring.read(video(tmp_path / "x.avi", 2), task="semantic")


def test_a_list_of_frames_reads_back(tmp_path: Path) -> None:
    video(tmp_path / "data" / "x.avi", 6)
    data = paring.read(tmp_path / "data", frame_step=3)
    assert data.write(tmp_path / "out") == {}
    text = (tmp_path / "out" / "frames.txt").read_text()
    assert text == "x.avi#000000\nx.avi#000003\n"
    again = paring.read(tmp_path / "out" / "frames.txt", images=tmp_path / "data")
    assert again.images.equals(data.images)
    assert number_of(again.read_image(2)) == 3


def test_frames_are_written_as_pictures_where_asked_for(tmp_path: Path) -> None:
    data = paring.read(video(tmp_path / "data" / "x.avi", 3))
    data.write(tmp_path / "out", images="copy")
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == ["frames.txt", "x_000000.png", "x_000001.png", "x_000002.png"]


def test_a_list_of_frames_counts_what_it_does_not_hold(tmp_path: Path) -> None:
    losses = paring.scenes(4, seed=0).write(tmp_path / "out", format="video")
    assert losses["instances"] > 0
    assert losses["categories"] > 0
