"""Proposals of all images of a data set, on all cores, gone on with where they were cut short."""

from __future__ import annotations

import multiprocessing
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from paring import __version__
from paring.dataset.masks import MaskStore
from paring.dataset.pixels import read_pixels
from paring.dataset.reading import Progress
from paring.dataset.table import Dataset
from paring.dataset.threads import cores
from paring.dataset.video import file_of
from paring.errors import InputError
from paring.labels.arrays import read_arrays, write_arrays
from paring.labels.proposals.files import as_proposals

if TYPE_CHECKING:
    from paring.labels.proposals.image import Proposed

_LABEL = "making proposals"
_KEPT = ("counts", "lengths", "size", "scores")


@dataclass(frozen=True)
class _Task:
    """One image, and where its proposals go."""

    image: Path
    file: Path
    count: int
    size: int


def propose(
    data: Dataset,
    *,
    count: int = 500,
    size: int = 320,
    workers: int | None = None,
    folder: str | Path | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Training-free mask proposals of every image of a data set.

    Parameters
    ----------
    data : images; what is annotated is not looked at.
    count, size : see `propose_image`.
    workers : processes; unset, one a core. The outcome does not depend on them.
    folder : keeps the proposals of each image as it is done; a call with the same images, count
        and size goes on from there.
    progress : called with a label, images done and images to do.

    Returns
    -------
    Dataset
        The images with one category ``object``, and their proposals as instances with a `score`,
        the best first in each image; masks are run lengths.

    Raises
    ------
    InputError
        Where the folder of the images is not known, an image cannot be read, or scikit-image is
        not installed.

    Example
    -------
    >>> import paring, tempfile
    >>> data = paring.scenes(2, seed=0, folder=tempfile.mkdtemp())
    >>> found = propose(data, count=20, workers=1)
    >>> len(found.instances), found.categories["name"].to_list()
    (40, ['object'])
    """
    need_segments()
    if data.image_root is None:
        raise InputError("the folder of the images is not known; give --images DIR")
    with _kept(folder) as place:
        tasks = [
            _Task(path, place / f"{image_id}-{_state(path, count, size)}.npz", count, size)
            for image_id, path in _places(data)
        ]
        ahead = [task for task in tasks if not _is_whole(task.file)]
        done = len(tasks) - len(ahead)
        for number, _ in enumerate(_carried_out(ahead, workers or cores()), 1):
            if progress is not None:
                progress(_LABEL, done + number, len(tasks))
        return _gathered(data, tasks)


def _places(data: Dataset) -> Iterator[tuple[int, Path]]:
    """Id and place of each image."""
    root = data.image_root or Path()
    for image_id, name in data.images.select("image_id", "file_name").iter_rows():
        yield image_id, root / name


def _state(path: Path, count: int, size: int) -> str:
    """A hash of what proposals are made from: the image as it is now, and how."""
    try:
        about = os.stat(file_of(str(path)))
        state = about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino
    except OSError:  # reading the image says what is wrong
        state = 0, 0, 0, 0
    text = f"{os.path.realpath(path)} {state} {count} {size} {__version__}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def need_segments() -> None:
    """Raise `InputError` saying what to install where scikit-image is not."""
    from importlib.util import find_spec

    if find_spec("skimage") is None:
        raise InputError(
            "making proposals needs scikit-image; install the extra: pip install 'paring[labels]'"
        )


@contextmanager
def _kept(folder: str | Path | None) -> Iterator[Path]:
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        yield Path(folder)
        return
    with TemporaryDirectory() as fresh:
        yield Path(fresh)


def _carried_out(tasks: list[_Task], workers: int) -> Iterator[None]:
    """Carry out tasks, in this process or in several; yields after each."""
    if workers == 1 or len(tasks) < 2:
        for task in tasks:
            _carry_out(task)
            yield
        return
    # a forked process starts at once; it uses arrays alone, no frame and no thread of the parent
    forks = "fork" in multiprocessing.get_all_start_methods() and os.name == "posix"
    context = multiprocessing.get_context("fork" if forks else "spawn")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*use of fork\(\) may lead to deadlocks")
        pool = ProcessPoolExecutor(min(workers, len(tasks)), context, initializer=_settle)
        try:
            running = [pool.submit(_carry_out, task) for task in tasks]
            for one in as_completed(running):
                one.result()
                yield
        except BrokenProcessPool as error:
            raise InputError(
                "a process that made proposals was stopped from outside, perhaps for want of "
                "memory; fewer workers need less, and the same call goes on from here"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _settle() -> None:
    """One thread for each process."""
    import cv2

    cv2.setNumThreads(0)


def _carry_out(task: _Task) -> None:
    from paring.labels.proposals.image import propose_image

    found = propose_image(read_pixels(task.image), count=task.count, size=task.size)
    _save(found, task.file)


def _save(found: Proposed, path: Path) -> None:
    masks = found.masks
    write_arrays(
        path,
        counts=masks.counts,
        lengths=np.diff(masks.count_offsets),
        size=np.array([masks.heights[0], masks.widths[0]]),
        scores=found.scores,
    )


def _is_whole(path: Path) -> bool:
    """Whether the proposals of an image are there; what is broken is made anew."""
    try:
        file = read_arrays(path, *_KEPT)
    except InputError:
        return False
    return len(file["scores"]) == len(file["lengths"])


def _gathered(data: Dataset, tasks: list[_Task]) -> Dataset:
    """The proposals of all images, in the order of the data set."""
    runs, scores, owner, heights, widths = [], [], [], [], []
    for image_id, task in zip(data.images["image_id"], tasks, strict=True):
        file = read_arrays(task.file, *_KEPT)
        lengths, (high, wide) = file["lengths"], file["size"].tolist()
        runs += np.split(file["counts"], np.cumsum(lengths)[:-1])
        scores += file["scores"].tolist()
        owner += [image_id] * len(lengths)
        heights += [high] * len(lengths)
        widths += [wide] * len(lengths)
    masks = MaskStore.from_runs(runs, heights=heights, widths=widths)
    return as_proposals(data, owner, masks, scores)
