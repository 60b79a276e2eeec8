"""Small JPEG files of images: any kind of file, drawn by a few threads, some bytes in all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from pathlib import Path
from threading import Event, Lock

from paring.dataset.content import Unreadable
from paring.dataset.hush import hushed
from paring.dataset.jobs import Frames, Job, jobs_of, read_places
from paring.dataset.table import Dataset
from paring.dataset.threads import share_out
from paring.errors import InputError
from paring.report.shrinking import Colours, Size, encode, shrink, shrink_file

MOST_BYTES = 300 * 2**20
"""Bytes of all thumbnails of one folder together, unless asked for otherwise."""


@dataclass(frozen=True)
class Thumbnails:
    """What became of the rows asked for; each is in one of the three.

    Attributes
    ----------
    sizes : width and height in pixels of the thumbnail by row, in the order asked for.
    faults : by row, in a phrase without a path, why there is none.
    left_out : rows not drawn because the limit of bytes was reached.
    """

    sizes: dict[int, Size]
    faults: dict[int, str]
    left_out: int


def thumbnail_name(row: int) -> str:
    """The name of the file that shows a row of `Dataset.images`.

    >>> thumbnail_name(123)
    '000123.jpg'
    """
    return f"{row:06d}.jpg"


def draw_thumbnails(
    data: Dataset,
    rows: Sequence[int],
    folder: Path,
    *,
    side: int = 256,
    quality: int = 80,
    most_bytes: int = MOST_BYTES,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Thumbnails:
    """Draw images into JPEG files; an image that cannot be read is told of, not raised.

    Images are shown upright, except where only the picture as stored has the size of its record:
    masks lie on the grid of the record. Transparency has no part. Deep images (16 bits) are
    stretched between two percentiles of what is shown. The bytes do not depend on `workers`.

    Parameters
    ----------
    rows : rows of `data.images`, the most important first.
    folder : where the files go; made if it is not there.
    side : longer side of a thumbnail in pixels; smaller images are not enlarged.
    quality : of the JPEG files, 1 to 100.
    most_bytes : of all files together. The first that does not fit and all after it are left out.
    workers : threads; each has one image at a time, or one video from its start to its end.
    progress : called in the calling thread with the number of rows done.

    Raises
    ------
    InputError
        Where the folder or a file in it cannot be written, and where `side` is below 1.

    Example
    -------
    >>> import tempfile, paring
    >>> drawn = draw_thumbnails(paring.scenes(2, seed=0), [1], Path(tempfile.mkdtemp()))
    >>> drawn.faults
    {1: 'the folder of the images is not known'}
    """
    if side < 1:
        raise InputError(f"thumbnails of {side} pixels have nothing to show; ask for 1 or more")
    rows = list(dict.fromkeys(int(row) for row in rows))
    shelf = _Shelf(folder, rows, most_bytes, quality)
    root, stop = data.image_root, Event()
    if root is None:
        shelf.put(range(len(rows)), "the folder of the images is not known")
        return shelf.result()
    images = data.images[rows]
    names = images["file_name"].to_list()
    sizes = list(zip(images["width"], images["height"], strict=True))

    def work(job: Job) -> None:
        if isinstance(job, int):
            if shelf.is_open(job):
                shelf.put([job], _image_or_fault(root / names[job], sizes[job], side))
            return
        wanted = {n: places for n, places in job[1].items() if any(map(shelf.is_open, places))}
        for places, outcome in _frames(root / job[0], wanted, side):
            if stop.is_set():
                return
            shelf.put(places, outcome)

    def watch() -> None:
        if progress is not None:
            progress(shelf.done)

    with hushed():
        share_out(iter(jobs_of(enumerate(names))), work, workers=workers, stop=stop, watch=watch)
    if progress is not None:  # what was left out is done as well
        progress(len(rows))
    return shelf.result()


class _Shelf:
    """The files drawn so far; however they come, the first in the order of rows are kept.

    Whenever there are too many bytes, the last file goes, and no file from its place on is taken
    any more. In the end all files before that place are there and fit, while those up to and with
    it do not: so it is the first that does not fit, whatever the order of drawing was.
    """

    def __init__(self, folder: Path, rows: list[int], most: int, quality: int) -> None:
        self.done = 0
        self._folder, self._rows, self._most, self._quality = folder, rows, most, quality
        self._end, self._bytes = len(rows), 0
        self._files: list[tuple[int, int]] = []  # a heap of minus the place, and bytes
        self._sizes: dict[int, Size] = {}
        self._faults: dict[int, str] = {}
        self._lock = Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{folder}: cannot be made ({error.strerror or error})") from error

    def is_open(self, place: int) -> bool:
        """Whether a file at this place may still be kept."""
        return place < self._end

    def put(self, places: Sequence[int], outcome: Colours | str) -> None:
        """Keep one thumbnail for some places, or why there is none."""
        if isinstance(outcome, str):
            with self._lock:
                self._faults |= dict.fromkeys(places, outcome)
                self.done += len(places)
            return
        jpeg = encode(outcome, self._quality)
        for place in places:
            path = self._path(place)
            try:
                path.write_bytes(jpeg)
            except OSError as error:
                said = error.strerror or error
                raise InputError(f"{path}: the thumbnail cannot be written ({said})") from error
            with self._lock:
                self._add(place, len(jpeg))
                self._sizes[place] = outcome.shape[1], outcome.shape[0]
                self.done += 1

    def _add(self, place: int, size: int) -> None:
        heappush(self._files, (-place, size))
        self._bytes += size
        while self._files and (self._bytes > self._most or -self._files[0][0] >= self._end):
            last, size = heappop(self._files)
            self._end = min(self._end, -last)
            self._bytes -= size
            self._path(-last).unlink()

    def _path(self, place: int) -> Path:
        return self._folder / thumbnail_name(self._rows[place])

    def result(self) -> Thumbnails:
        rows, kept = self._rows, range(self._end)
        return Thumbnails(
            sizes={rows[k]: self._sizes[k] for k in kept if k in self._sizes},
            faults={rows[k]: self._faults[k] for k in kept if k in self._faults},
            left_out=len(rows) - self._end,
        )


def _frames(path: Path, left: Frames, side: int) -> Iterator[tuple[list[int], Colours | str]]:
    """Places and thumbnail of frames of one video, or what is wrong from some frame on."""
    import cv2

    try:
        for same, found in read_places(path, left):
            yield same, found if isinstance(found, str) else shrink(found, side)
    except (OSError, ValueError) as error:  # a name that the system refuses
        said = error.strerror if isinstance(error, OSError) else error
        why = f"cannot be read ({said})"
        yield from ((same, why) for same in left.values())
    except cv2.error:
        yield from ((same, "cannot be decoded") for same in left.values())


def _image_or_fault(path: Path, record: Size, side: int) -> Colours | str:
    try:
        return shrink_file(path, record, side)
    except Unreadable as fault:
        return fault.message
