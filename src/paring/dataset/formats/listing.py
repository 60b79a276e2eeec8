"""A text file with the path of one image in every line, wherever the images lie.

Blank lines, and lines that begin with ``#``, are passed over. A line may also name a frame of a
video, ``clip.mp4#000030``.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from paring.dataset.formats.losses import left_behind
from paring.dataset.formats.names import read_text
from paring.dataset.formats.pictures import SUFFIXES, image_frame, images_alone
from paring.dataset.origin import Origin
from paring.dataset.reading import Reading
from paring.dataset.table import Dataset
from paring.dataset.video import file_of, frame_of
from paring.dataset.writing import Images, placed
from paring.errors import InputError

LIST = "images.txt"
_GLANCE = 2**16  # bytes in which the first image is looked for


def recognise(path: Path) -> bool:
    """A ``.txt`` file whose first line that says anything ends like an image or names a frame.

    Whether the image is there is found out by reading: it may lie in the folder that the caller
    names, and a list whose images are gone is better told so than not recognised.
    """
    if path.suffix.lower() != ".txt" or not path.is_file():
        return False
    with path.open("rb") as file:
        text = file.read(_GLANCE).decode("utf-8-sig", "replace")
    first = next((name for _, name in _lines(text)), "")
    return frame_of(first) is not None or PurePosixPath(first).suffix.lower() in SUFFIXES


def read(reading: Reading) -> Dataset:
    """Read the images that a list names, in its order.

    A path starts from the folder that the caller names for images, else from the folder of the
    list, or is absolute. Where an image is named again, that line is left out and noted.
    """
    if reading.task == "semantic":
        raise InputError(f"{reading.path}: a list of images holds no label maps")
    if not reading.path.is_file():
        raise InputError(f"{reading.path}: is no list of images in a text file")
    if reading.images is not None and not reading.images.is_dir():
        raise InputError(f"{reading.images}: the images folder does not exist")
    folders = [f for f in (reading.images, reading.path.parent) if f is not None]
    found: dict[str, None] = {}
    again = []
    for line, name in _lines(read_text(reading.path)):
        place = _find(name, folders)
        if place is None:
            message = f"names the image {name[:200]!r}, which does not exist"
            reading.refuse("unusable image", f"line {line}", message)
        elif place in found:
            again.append(f"line {line}")
        else:
            found[place] = None
    reading.note("image named again, left out", again, "names an image that is in the list already")
    return _data_of(reading, list(found), folders, Origin("listing", reading.path))


def of_files(paths: Sequence[str | Path], *, reading: Reading | None = None) -> Dataset:
    """A data set of image files, wherever they lie; a path may end in the number of a frame.

    Files of one name in several folders are as many images. The order stays, and an image given
    again counts once. A lenient `reading` lists what cannot be used instead of raising.

    Raises
    ------
    InputError
        Naming the first file that does not exist or is no image.

    Example
    -------
    >>> import paring, tempfile, pathlib
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> data = paring.scenes(2, seed=0, folder=folder)
    >>> of_files([folder / name for name in data.images["file_name"]])
    Dataset(2 images, 0 instances, 0 categories)
    """
    found = list(dict.fromkeys(os.path.abspath(path) for path in paths))
    if not found:
        raise InputError("no image files were given")
    reading = reading or Reading(Path(_common_folder(found)))
    there = []
    for place in found:
        if os.path.isfile(file_of(place)):
            there.append(place)
        elif reading.strict:
            raise InputError(f"{place}: the image does not exist")
        else:
            reading.refuse("unusable image", place, "the image does not exist")
    return _data_of(reading, there, [], None)


def write(data: Dataset, target: Path, images: Images = "none") -> Counter[str]:
    """Write a folder with ``images.txt`` and, where asked for, the images that it names."""
    target.mkdir(exist_ok=True)
    data = placed(data, target, images)
    return write_list(data, target / LIST, data.images["file_name"].to_list())


def write_part(data: Dataset, folder: Path) -> list[str]:
    """The images of a part of such a data set, as ``images.txt``."""
    write(data, folder)
    return [LIST]


def write_list(data: Dataset, path: Path, names: Sequence[str]) -> Counter[str]:
    """Write names of images, one in a line; what of the data set a list does not hold."""
    for name in names:
        if len(name.splitlines()) != 1 or name != name.strip() or name.startswith("#"):
            raise InputError(f"file name {name!r} cannot stand in a list; rename the image")
    path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8", newline="\n")
    losses = left_behind(data)
    losses["instances"] = len(data.instances)
    losses["categories"] = len(data.categories)
    return +losses


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Number and content of the lines that name something."""
    for number, line in enumerate(text.split("\n"), start=1):
        name = line.strip()
        if name and not name.startswith("#"):
            yield number, name


def _find(name: str, folders: Sequence[Path]) -> str | None:
    """The absolute path of an image by its name in a list; None where there is no such file."""
    if "\0" in name:
        return None
    places = (os.path.abspath(folder / name) for folder in folders)
    return next((place for place in places if os.path.isfile(file_of(place))), None)


def _data_of(
    reading: Reading, places: Sequence[str], folders: Sequence[Path], origin: Origin | None
) -> Dataset:
    """Images by their absolute paths, in the first folder that holds them all."""
    if not places:
        raise InputError(f"{reading.path}: names no images that can be used")
    above = (f for f in folders if all(_is_below(place, f) for place in places))
    root = next(above, None) or Path(_common_folder(places))
    start = os.path.abspath(root)
    names = [Path(os.path.relpath(place, start)).as_posix() for place in places]
    return images_alone(image_frame(reading, root, names), root, origin)


def _is_below(place: str, folder: Path) -> bool:
    start = os.path.abspath(folder)
    return place.startswith(start if start.endswith(os.sep) else start + os.sep)


def _common_folder(places: Sequence[str]) -> str:
    try:
        return os.path.commonpath([os.path.dirname(place) for place in places])
    except ValueError as error:
        raise InputError(f"the images have no folder in common ({error})") from error
