import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from paring.dataset.formats import read
from paring.errors import InputError
from paring.images.similarity.tiles import Found, Tile
from paring.images.similarity.work import Work, images_key, locked, together
from similarity_oracle import write_images

TILE = Tile(slice(0, 3), slice(0, 3))
FOUND = Found(
    0.5,
    False,
    np.array([0, 1], np.int32),
    np.array([1, 2], np.int32),
    np.array([0.75, np.nextafter(0.8, 1)]),
)


def contents(found: Found) -> tuple:
    rows = found.first.tolist(), found.second.tolist()
    return found.low, found.complete, *rows, found.value.tolist()


# -- pairs of a tile ---------------------------------------------------------------------------


def test_pairs_come_back_bit_for_bit(tmp_path: Path) -> None:
    Work(tmp_path, {"size": 8}).save("ssim", TILE, FOUND)
    again = Work(tmp_path, {"size": 8}).load("ssim", TILE)
    assert contents(again) == contents(FOUND)
    assert [part.dtype for part in (again.first, again.second, again.value)] == [
        np.int32,
        np.int32,
        np.float64,
    ]


def test_pairs_of_another_tile_or_formula_are_not_there(tmp_path: Path) -> None:
    work = Work(tmp_path, {})
    work.save("ssim", TILE, FOUND)
    assert work.load("pcc", TILE) is None
    assert work.load("ssim", Tile(slice(0, 3), slice(3, 6))) is None


def test_a_later_result_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    work = Work(tmp_path, {})
    work.save("ssim", TILE, FOUND)
    none = np.empty(0, np.int32)
    work.save("ssim", TILE, Found(0.25, True, none, none, np.empty(0)))
    assert contents(work.load("ssim", TILE)) == (0.25, True, [], [], [])


def test_damaged_pairs_are_never_believed(tmp_path: Path) -> None:
    work = Work(tmp_path, {})
    work.save("ssim", TILE, FOUND)
    (path,) = tmp_path.glob("*.npz")
    content = path.read_bytes()
    chance = random.Random(0)
    for place in range(0, len(content), 3):
        path.write_bytes(content[:place])
        assert work.load("ssim", TILE) is None
        flipped = bytes([content[place] ^ (1 << chance.randrange(8))])
        path.write_bytes(content[:place] + flipped + content[place + 1 :])
        found = work.load("ssim", TILE)
        assert found is None or contents(found) == contents(FOUND)


# -- whose folder it is ------------------------------------------------------------------------


@pytest.mark.parametrize("key", [{"size": 9}, {"size": 8, "images": "b"}, {}])
def test_another_key_clears_the_folder(key: dict, tmp_path: Path) -> None:
    Work(tmp_path, {"size": 8, "images": "a"}).save("ssim", TILE, FOUND)
    (tmp_path / "pixels.npy").touch()
    assert Work(tmp_path, key).load("ssim", TILE) is None
    assert not (tmp_path / "pixels.npy").exists()
    assert Work(tmp_path, {"size": 8, "images": "a"}).load("ssim", TILE) is None


@pytest.mark.parametrize("mark", [b"", b"{", b"\xff\xfe"])
def test_a_mark_that_was_cut_off_clears_the_folder(mark: bytes, tmp_path: Path) -> None:
    Work(tmp_path, {"size": 8}).save("ssim", TILE, FOUND)
    (tmp_path / "paring-work.json").write_bytes(mark)
    assert Work(tmp_path, {"size": 8}).load("ssim", TILE) is None


def test_the_order_of_a_key_does_not_matter(tmp_path: Path) -> None:
    Work(tmp_path, {"size": 8, "bits": 8}).save("ssim", TILE, FOUND)
    assert Work(tmp_path, {"bits": 8, "size": 8}).load("ssim", TILE) is not None


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    np.save(tmp_path / "precious.npy", np.arange(3))
    for enter in (lambda: Work(tmp_path, {}), lambda: locked(tmp_path).__enter__()):
        with pytest.raises(InputError, match=r"holds something else; .* another place"):
            enter()
    assert [path.name for path in tmp_path.iterdir()] == ["precious.npy"]


def test_an_empty_folder_and_a_locked_one_are_welcome(tmp_path: Path) -> None:
    with locked(tmp_path / "new"):
        Work(tmp_path / "new", {}).save("ssim", TILE, FOUND)
    with locked(tmp_path / "new"):
        assert Work(tmp_path / "new", {}).load("ssim", TILE) is not None


# -- one run at a time -------------------------------------------------------------------------


def test_two_runs_in_one_folder_are_refused_until_the_first_ends(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    with locked(folder):
        with pytest.raises(InputError, match="work: another run is at work there"):
            locked(folder).__enter__()
        with locked(tmp_path / "other"):
            pass
    with locked(folder):
        pass


def test_a_run_in_another_process_holds_the_folder_too(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from paring.images.similarity.work import locked\n"
        f"with locked(Path({str(tmp_path)!r})): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(InputError, match="another run"):
            locked(tmp_path).__enter__()
        other.kill()  # a run that was killed holds nothing
    with locked(tmp_path):
        pass


def test_a_place_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file: cannot be written"):
        locked(tmp_path / "file").__enter__()


def test_no_folder_needs_no_lock() -> None:
    with locked(None):
        pass


# -- the key of images -------------------------------------------------------------------------


def pictures(folder: Path, names: tuple[str, ...] = ("a.png", "b.png")) -> str:
    write_images(folder, {name: np.full((9, 9), k, np.uint8) for k, name in enumerate(names)})
    for name in names:
        os.utime(folder / name, ns=(0, 10**18))
    return images_key(read(folder))


def test_equal_looking_files_in_another_folder_have_another_key(tmp_path: Path) -> None:
    assert pictures(tmp_path / "here") != pictures(tmp_path / "there")


def test_the_same_images_have_the_same_key_by_whatever_way(tmp_path: Path) -> None:
    key = pictures(tmp_path / "here")
    (tmp_path / "way").symlink_to(tmp_path / "here")
    assert images_key(read(tmp_path / "way")) == images_key(read(tmp_path / "here")) == key


def test_files_that_are_not_ours_stay_when_the_folder_is_cleared(tmp_path: Path) -> None:
    Work(tmp_path, {"size": 8}).save("ssim", TILE, FOUND)
    np.save(tmp_path / "precious.npy", np.arange(3))
    assert Work(tmp_path, {"size": 9}).load("ssim", TILE) is None
    assert (tmp_path / "precious.npy").exists()


def test_a_folder_that_another_process_holds_is_refused(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; "
        "from paring.images.similarity.work import Work; "
        "work = Work(Path(sys.argv[1]), {}); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(InputError, match="another run is at work there"):
            Work(tmp_path, {})
        other.kill()
    Work(tmp_path, {})


def test_a_change_of_time_size_or_name_changes_the_key(tmp_path: Path) -> None:
    keys = [pictures(tmp_path)]
    data = read(tmp_path)
    os.utime(tmp_path / "a.png", ns=(0, 10**18 + 1))
    keys.append(images_key(data))
    with (tmp_path / "a.png").open("ab") as file:
        file.write(b"\0")
    os.utime(tmp_path / "a.png", ns=(0, 10**18))
    keys.append(images_key(data))
    (tmp_path / "a.png").unlink()
    keys.append(images_key(data))
    keys.append(pictures(tmp_path / "other", ("a.png", "c.png")))
    keys.append(pictures(tmp_path / "more", ("a.png", "b.png", "c.png")))
    assert len(set(keys)) == 6


# -- tiles together ----------------------------------------------------------------------------


def test_pairs_of_tiles_together_are_sorted_and_none_is_too_low() -> None:
    def part(first: list[int], second: list[int], value: list[float]) -> Found:
        rows = np.array(first, np.int32), np.array(second, np.int32)
        return Found(0.1, False, *rows, np.array(value))

    parts = [
        part([2, 2], [5, 4], [0.9, np.nan]),
        part([0, 2], [9, 3], [0.5, 0.4]),
        part([], [], []),
    ]
    found = together(parts, 0.5)
    assert contents(found) == (0.5, True, [0, 2], [9, 5], [0.5, 0.9])


def test_what_others_wrote_into_a_held_folder_is_gone_on_with(tmp_path: Path) -> None:
    with locked(tmp_path / "new"):
        (tmp_path / "new" / "stage").mkdir()
    with locked(tmp_path / "new"):
        assert (tmp_path / "new" / "stage").is_dir()
