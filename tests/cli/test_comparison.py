import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from PIL import Image

import factory
import paring
from commands import Paring, written
from paring.cli import comparison
from paring.cli.comparison import Comparison, bytes_of, kept_work
from paring.dataset.subset import Subset
from paring.errors import InputError
from paring.images.similarity import decoding, opening
from paring.images.similarity.tiles import Engine

COMMAND = ("images", "similarity", "frames", "--size", 32, "--workers", 2)


# -- options -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4GB", 4 * 2**30),
        ("512M", 512 * 2**20),
        ("1.5 GiB", 3 * 2**29),
        (" 300mb ", 300 * 2**20),
        ("1T", 2**40),
        ("268435456", 2**28),
        ("268435456 B", 2**28),
    ],
)
def test_sizes_are_read_in_the_ways_people_write_them(text: str, size: int) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "4 apples", "4GBB", "1e9", "4,5GB", "nan"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="is no size; give one like 4GB"):
        bytes_of(text)


def test_options_reach_the_comparison() -> None:
    how = Comparison(memory="1GB", workers=3, size=64).comparing()
    assert (how.memory, how.workers, how.size, how.metric) == (2**30, 3, 64, "ssim")
    assert (how.window, how.on_error, how.data_range) == ("global", "refuse", None)


# -- the folder of the work --------------------------------------------------------------------


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_working_folder_goes_with_success(tmp_path: Path) -> None:
    with kept_work(tmp_path / "run") as folder:
        (folder / "done").write_text("x")
        assert folder == tmp_path / ".run.work"
    assert names(tmp_path) == []


def test_the_working_folder_goes_where_little_was_done(tmp_path: Path) -> None:
    with pytest.raises(KeyError), kept_work(tmp_path / "run") as folder:
        (folder / "done").write_text("x")
        raise KeyError
    assert names(tmp_path) == []


def test_long_work_is_kept_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(comparison, "_WORTH_KEEPING", -1)
    with pytest.raises(KeyError), kept_work(tmp_path / "run") as folder:
        (folder / "paring-work.json").write_text("{}")
        raise KeyError
    assert (tmp_path / ".run.work" / "paring-work.json").is_file()
    assert "the same command goes on from there" in capsys.readouterr().err


def test_work_that_was_there_before_is_kept_however_soon_it_fails(tmp_path: Path) -> None:
    (tmp_path / ".run.work").mkdir()
    (tmp_path / ".run.work" / "paring-work.json").write_text("{}")
    with pytest.raises(KeyError), kept_work(tmp_path / "run"):
        raise KeyError
    assert (tmp_path / ".run.work" / "paring-work.json").is_file()


def test_two_runs_do_not_share_a_working_folder(tmp_path: Path) -> None:
    with (
        kept_work(tmp_path / "run"),
        pytest.raises(InputError, match="another run is at work there"),
        kept_work(tmp_path / "run"),
    ):
        pass
    assert names(tmp_path) == []


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".run.work").mkdir()
    (tmp_path / ".run.work" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something else"), kept_work(tmp_path / "run"):
        pass
    assert (tmp_path / ".run.work" / "mine.txt").is_file()


# -- bad images --------------------------------------------------------------------------------


def chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def huge_png() -> bytes:
    """A PNG whose header tells of 200,000 x 200,000 pixels, with none of them."""
    header = struct.pack(">IIBBBBB", 200_000, 200_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IEND", b"")


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    folder = tmp_path / "frames"
    paring.scenes(12, seed=1, folder=folder, size=(48, 64))
    return folder


def spoil(folder: Path) -> dict[str, str]:
    """Broken files of every kind, and what must be said of each."""
    whole = (folder / "000002.jpg").read_bytes()
    for name, content in {
        "b-empty.jpg": b"",
        "c-corrupt.png": b"\x89PNG\r\n\x1a\n" + bytes(50),
        "d-text.jpg": b"not an image",
        "e-cut.jpg": whole[:900],
        "f-huge.png": huge_png(),
    }.items():
        (folder / name).write_bytes(content)
    png = cv2.imencode(".png", np.arange(48 * 64, dtype=np.uint8).reshape(48, 64))[1].tobytes()
    (folder / "g-cut.png").write_bytes(png[: len(png) // 2])
    gif = folder / "h-cut.gif"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 64), np.uint8)).save(gif)
    gif.write_bytes(gif.read_bytes()[:400])
    return {
        "b-empty.jpg": "cannot be read",
        "c-corrupt.png": "cannot be read",
        "d-text.jpg": "cannot be read",
        "e-cut.jpg": "truncated",
        "f-huge.png": "200000 x 200000|200,000 x 200,000|exceeds",
        "g-cut.png": "truncated|cut short",
        "h-cut.gif": "truncated|cannot be",
    }


def odd_but_good(folder: Path) -> None:
    """Files that look odd and can be read."""
    colours = np.random.default_rng(1).integers(0, 255, (48, 64, 4), np.uint8)
    Image.fromarray(colours, "CMYK").save(folder / "cmyk.jpg")
    stills = [Image.fromarray(colours[..., k]) for k in range(3)]
    stills[0].save(folder / "moving.gif", save_all=True, append_images=stills[1:])
    for level in (0, 128, 255):
        Image.new("L", (64, 48), level).save(folder / f"flat{level}.png")
    shutil.copy(folder / "000001.jpg", folder / "twin.jpg")
    (folder / "x.jpg").mkdir()
    shutil.copy(folder / "000001.jpg", folder / "x.jpg" / "000001.jpg")
    shutil.copy(folder / "000002.jpg", folder / "x.jpg" / "000002.jpg")


def said_of(run: Path) -> dict[str, str]:
    about = json.loads((run / "run.json").read_text())
    return dict(line.split(": ", 1) for line in about["skipped"])


def test_odd_images_are_images(paring_here: Paring, frames: Path, tmp_path: Path) -> None:
    odd_but_good(frames)
    done = paring_here(*COMMAND, "--rate", 0.4, "-o", "run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("20 images, 8 removed.\n")
    assert said_of(tmp_path / "run") == {}
    scores = pl.read_parquet(tmp_path / "run" / "scores.parquet")
    copies = scores.filter(pl.col("file_name").str.ends_with("000001.jpg"))
    assert copies["file_name"].to_list() == ["000001.jpg", "x.jpg/000001.jpg"]
    twins = scores.filter(pl.col("file_name").is_in([*copies["file_name"], "twin.jpg"]))
    assert twins["community"].n_unique() == 1


def test_broken_images_are_left_out_on_request_and_each_is_named_with_its_reason(
    paring_here: Paring, frames: Path, tmp_path: Path
) -> None:
    reasons = spoil(frames)
    done = paring_here(*COMMAND, "--rate", 0.5, "-o", "run", "--on-error", "skip")
    assert done.returncode == 0, done.stderr
    run = tmp_path / "run"
    said = said_of(run)
    assert said.keys() == reasons.keys()
    for name, words in reasons.items():
        assert any(word in said[name] for word in words.split("|")), said[name]
    assert f"{len(reasons)} images left out: all listed in run.json, first " in done.stderr
    assert "Traceback" not in done.stderr
    # those that only decoding shows to be broken are part of the data set
    subset = Subset.load(run / "subset.json")
    scores = pl.read_parquet(run / "scores.parquet")
    ids = dict(scores.select("file_name", "image_id").iter_rows())
    assert "e-cut.jpg" in ids
    for name in ids.keys() & reasons.keys():
        assert ids[name] in subset.dropped
        assert subset.reasons[ids[name]] == f"cannot be read: {said[name]}"
        assert scores.filter(file_name=name)["community"][0] is None
    assert not set((run / "kept.txt").read_text().split()) & reasons.keys()


def test_one_broken_image_is_told_in_the_singular(
    paring_here: Paring, frames: Path, tmp_path: Path
) -> None:
    (frames / "bad.png").write_bytes(b"no image")
    done = paring_here(*COMMAND, "--rate", 0.5, "-o", "run", "--on-error", "skip")
    assert "1 image left out: bad.png: the image cannot be read" in done.stderr


def test_the_first_broken_image_is_refused_with_the_number_of_the_others(
    paring_here: Paring, frames: Path, tmp_path: Path
) -> None:
    spoil(frames)
    done = paring_here(*COMMAND, "--rate", 0.5, "-o", "run")
    assert done.returncode == 2
    assert done.stderr.startswith("error: frames/b-empty.jpg: the image cannot be read (")
    assert done.stderr.endswith("more cannot be used; --on-error skip leaves such images out\n")
    assert names(tmp_path) == ["frames"]


def test_images_that_only_decoding_shows_to_be_broken_are_counted_too(
    paring_here: Paring, frames: Path, tmp_path: Path
) -> None:
    for number in (3, 5, 8):
        path = frames / f"{number:06d}.jpg"
        path.write_bytes(path.read_bytes()[:900])
    done = paring_here(*COMMAND, "--rate", 0.5, "-o", "run")
    assert done.returncode == 2
    words = "frames/000003.jpg: is truncated; 2 more cannot be read; --on-error skip leaves such"
    assert words in done.stderr
    assert names(tmp_path) == ["frames"]


@pytest.mark.parametrize("on_error", ["refuse", "skip"])
@pytest.mark.parametrize("content", [b"", b"no image", None])
def test_a_folder_of_broken_images_alone_is_refused(
    paring_here: Paring, tmp_path: Path, on_error: str, content: bytes | None
) -> None:
    (tmp_path / "frames").mkdir()
    if content is None:
        paring.scenes(1, seed=0, folder=tmp_path / "drawn", size=(48, 64))
        content = (tmp_path / "drawn" / "000001.jpg").read_bytes()[:900]
        shutil.rmtree(tmp_path / "drawn")
    (tmp_path / "frames" / "a.jpg").write_bytes(content)
    done = paring_here(*COMMAND, "--rate", 0.5, "-o", "run", "--on-error", on_error)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "a.jpg" in done.stderr or "none of the 1 images can be read" in done.stderr
    assert names(tmp_path) == ["frames"]


def test_images_of_annotations_that_are_gone_are_left_out_on_request(
    paring_here: Paring, tmp_path: Path
) -> None:
    data = paring.scenes(12, seed=1, folder=tmp_path / "images", size=(48, 64))
    data.write(tmp_path / "scenes.json")
    (tmp_path / "images" / "000004.jpg").unlink()
    (tmp_path / "images" / "000005.jpg").unlink()
    (tmp_path / "images" / "000005.jpg").mkdir()
    command = ("images", "similarity", "scenes.json", "--rate", 0.5, "-o", "run", "--size", 32)
    done = paring_here(*command)
    assert "000004.jpg: does not exist; 1 more cannot be read" in done.stderr
    assert paring_here(*command, "--on-error", "skip").returncode == 0
    said = said_of(tmp_path / "run")
    assert said == {"000004.jpg": "does not exist", "000005.jpg": "is a folder"}
    kept = Subset.load(tmp_path / "run" / "subset.json").apply(
        paring.read(tmp_path / "scenes.json")
    )
    again = paring.read(tmp_path / "run" / "annotations.json", images=tmp_path / "images")
    assert again == kept


@pytest.mark.parametrize("on_error", ["refuse", "skip"])
def test_broken_annotations_are_refused_whatever_becomes_of_broken_images(
    paring_here: Paring, tmp_path: Path, on_error: str
) -> None:
    square = [factory.rectangle(1, 1, 3, 3)]
    records = [factory.annotation(k, i, 1, square) for k, i in ((1, 1), (2, 77))]
    factory.write_json(tmp_path / "d.json", factory.coco(records))
    command = ("images", "similarity", "d.json", "--rate", 0.5, "-o", "run")
    done = paring_here(*command, "--on-error", on_error)
    assert done.returncode == 2
    assert "annotation 1 (id 2): names image 77, which is not there" in done.stderr
    assert "--on-error" not in done.stderr


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_images_that_may_not_be_read_are_named(
    paring_here: Paring, frames: Path, tmp_path: Path
) -> None:
    (frames / "000003.jpg").chmod(0)
    done = paring_here(*COMMAND, "--rate", 0.5, "-o", "run")
    assert done.returncode == 2
    assert "000003.jpg" in done.stderr
    done = paring_here(*COMMAND, "--rate", 0.5, "-o", "run", "--on-error", "skip")
    assert done.returncode == 0
    assert "ermission" in said_of(tmp_path / "run")["000003.jpg"]


# -- work that is stopped ----------------------------------------------------------------------

SLOWLY = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from paring.images.similarity import decoding, opening
from paring.images.similarity.tiles import Engine
read, find = decoding.read_grey, Engine.find
pause = {"read": 0.0, "find": 0.0} | dict([(sys.argv[1], float(sys.argv[2]))])
def read_slowly(*given, **options):
    time.sleep(pause["read"])
    return read(*given, **options)
def find_slowly(*given, **options):
    time.sleep(pause["find"])
    return find(*given, **options)
decoding.read_grey, Engine.find = read_slowly, find_slowly
opening._A_PAIR = 2**60  # tiles of 256
opening._BETWEEN_NOTES = 0.0
from paring.cli.main import main
sys.argv = ["paring", *sys.argv[3:]]
main()
"""


@pytest.fixture
def stopped(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command slowly, and send it a signal as soon as something is there."""

    def run(
        number: signal.Signals, slow: str, pause: float, until: Callable[[], bool], *words: object
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", SLOWLY, slow, str(pause), *map(str, words)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, cwd=tmp_path, stdout=pipe, stderr=pipe, text=True) as child:
            try:
                for _ in range(3000):
                    if until() or child.poll() is not None:
                        break
                    time.sleep(0.01)
                assert child.poll() is None, child.communicate()
                child.send_signal(number)
                out, err = child.communicate(timeout=60)
            finally:
                child.kill()
        return subprocess.CompletedProcess(command, child.returncode, out, err)

    return run


def n_done(tmp_path: Path) -> int:
    """How many images have been read."""
    try:
        return int(np.load(tmp_path / ".run.work" / "done.npy").sum())
    except (OSError, ValueError, EOFError):
        return 0


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGTERM, 143, ""), (signal.SIGINT, 130, "stopped\n")]
)
def test_a_command_that_is_told_to_stop_says_one_word_and_leaves_nothing(
    stopped: Callable[..., subprocess.CompletedProcess[str]],
    frames: Path,
    tmp_path: Path,
    number: signal.Signals,
    code: int,
    word: str,
) -> None:
    words = (*COMMAND, "--rate", 0.5, "-o", "run")
    done = stopped(number, "read", 0.3, lambda: n_done(tmp_path) >= 2, *words)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", word)
    assert names(tmp_path) == ["frames"]


def test_a_killed_command_goes_on_from_the_images_that_were_read(
    stopped: Callable[..., subprocess.CompletedProcess[str]],
    paring_here: Paring,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paring.scenes(30, seed=1, folder=tmp_path / "frames", size=(48, 64))
    words = (*COMMAND, "--rate", 0.5, "-o", "run")
    stopped(signal.SIGKILL, "read", 0.1, lambda: n_done(tmp_path) >= 6, *words)
    known = n_done(tmp_path)
    assert 6 <= known < 30
    assert not (tmp_path / "run").exists()
    assert (tmp_path / ".run.work" / "pixels.npy").is_file()

    read, again = decoding.read_grey, []
    monkeypatch.setattr(decoding, "read_grey", lambda *a, **k: again.append(a) or read(*a, **k))
    assert paring_here(*words).returncode == 0
    assert len(again) == 30 - known
    assert not (tmp_path / ".run.work").exists()
    assert paring_here(*words[:-1], "scratch").returncode == 0
    assert written(tmp_path / "run") == written(tmp_path / "scratch")


def test_a_killed_command_goes_on_from_the_pairs_that_were_found(
    stopped: Callable[..., subprocess.CompletedProcess[str]],
    paring_here: Paring,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    for name, number in (("train", 10), ("test", 300)):
        (tmp_path / name).mkdir()
        for k in range(number):
            image = rng.integers(0, 256, (16, 16), np.uint8)
            cv2.imwrite(str(tmp_path / name / f"{k:03d}.png"), image)
    shutil.copy(tmp_path / "train" / "004.png", tmp_path / "test" / "004.png")
    words = ("images", "leaks", "train", "test", "-o", "run", "--size", 16, "--workers", 2)

    def one_tile() -> bool:
        return len(list(tmp_path.glob(".run.work/*.npz"))) == 1

    stopped(signal.SIGKILL, "find", 0.5, one_tile, *words)
    assert one_tile()
    searched: list[str] = []
    find = Engine.find

    def watched(self: Engine, tile: object, *given: object, **options: object) -> object:
        searched.append(tile.name)
        return find(self, tile, *given, **options)

    monkeypatch.setattr(Engine, "find", watched)
    monkeypatch.setattr(opening, "_A_PAIR", 2**60)
    assert paring_here(*words).returncode == 0
    assert searched == ["0-10-266-310"]
    assert not (tmp_path / ".run.work").exists()
    listed = pl.read_csv(tmp_path / "run" / "leaks.csv")
    assert listed.select("train_file", "test_file").rows() == [("004.png", "004.png")]


def test_the_next_run_clears_away_what_a_killed_one_had_half_made(
    stopped: Callable[..., subprocess.CompletedProcess[str]],
    paring_command: Paring,
    frames: Path,
    tmp_path: Path,
) -> None:
    words = (*COMMAND, "--rate", 0.5, "-o", "run")
    stopped(signal.SIGKILL, "read", 0.3, lambda: n_done(tmp_path) >= 2, *words)
    assert len(list(tmp_path.glob(".run.????????"))) == 1
    assert paring_command(*words).returncode == 0
    assert names(tmp_path) == ["frames", "run"]
