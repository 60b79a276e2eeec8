"""Video files as data sets: an image at every step.

The images are named by video and frame, ``clip.mp4#000030`` (see `paring.dataset.video`). Nothing
is written to disk for them; they are decoded when they are asked for.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import polars as pl

from paring.dataset.formats.indexed import Unusable, usable
from paring.dataset.formats.listing import write_list
from paring.dataset.formats.pictures import files_below, has_file, images_alone, inside
from paring.dataset.origin import Origin
from paring.dataset.reading import Reading
from paring.dataset.table import IMAGES, Dataset
from paring.dataset.video import VIDEO_SUFFIXES, BrokenVideo, frame_name, frame_numbers
from paring.dataset.writing import Images, placed
from paring.errors import InputError

LIST = "frames.txt"


def recognise(path: Path) -> bool:
    """A video file, or a folder with videos at most 3 deep and no images."""
    if path.is_file():
        return path.suffix.lower() in VIDEO_SUFFIXES
    return has_file(path, VIDEO_SUFFIXES) and not has_file(path)


def read(reading: Reading) -> Dataset:
    """Read every `frame_step`-th frame of one video, or of all videos below a folder.

    Videos come in the order of their names, frames in the order of time; ids count them from 1 on.
    The frames of a video are counted by going through it once.
    """
    if reading.task == "semantic":
        raise InputError(f"{reading.path}: videos hold no label maps")
    if reading.path.is_file():
        root, names = reading.path.parent, [reading.path.name]
    else:
        root, names = reading.path, sorted(files_below(reading.path, VIDEO_SUFFIXES))

    def counted(name: str) -> tuple[list[int], int, int]:
        try:
            name.encode()
            return frame_numbers(root / name, reading.frame_step)
        except UnicodeEncodeError as error:
            raise Unusable(root, repr(name), "the file name is not valid text") from error
        except BrokenVideo as fault:
            raise Unusable(root, name, f"the video {fault.message}") from fault

    rows = [
        (frame_name(names[place], number), width, height)
        for place, (numbers, width, height) in usable(counted, names, reading, "videos")
        for number in numbers
    ]
    if not rows:
        raise InputError(f"{reading.path}: holds no videos that can be used")
    schema = {name: kind for name, kind in IMAGES.items() if name != "image_id"}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    images = frame.with_row_index("image_id", 1).with_columns(pl.col("image_id").cast(pl.Int64))
    return images_alone(images, root, Origin("video", reading.path))


def write(data: Dataset, target: Path, images: Images = "none") -> Counter[str]:
    """Write a folder with ``frames.txt`` and, where asked for, each frame as a PNG."""
    target.mkdir(exist_ok=True)
    data = placed(data, target, images)
    names = [str(inside(name)) for name in data.images["file_name"]]
    return write_list(data, target / LIST, names)


def write_part(data: Dataset, folder: Path) -> list[str]:
    """The frames of a part of such a data set, as ``frames.txt``."""
    write(data, folder)
    return [LIST]
