"""`Reading`: the options of one read, and what was found wrong or decided on the way."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from paring.dataset.video import file_of
from paring.errors import InputError

_log = logging.getLogger("paring")

Progress = Callable[[str, int, int], None]
"""Called with a label, the steps done and the steps there are."""


@dataclass(frozen=True)
class Fault:
    """One thing wrong with one record.

    A refused record cannot be used; the others are kept and only told about.
    """

    kind: str
    record: str
    message: str
    refused: bool


@dataclass
class Reading:
    """One read of one path.

    A strict reading raises `InputError` at the first record that cannot be used. A lenient one
    (`strict=False`) lists it, and the reader leaves the record out.

    Attributes
    ----------
    path : the file or folder to read.
    images : folder of the images; unset, the usual places are tried.
    task : ``"instances"`` for masks of objects, ``"semantic"`` for label maps.
    split : which part of a data set that has several (VOC lists, YOLO and Cityscapes splits).
    classes : names of the classes of an image + mask folder, in order of their pixel value.
    void : pixel value that belongs to no class.
    reduce_zero_label : pixel value 0 is void and the others count down by one.
    components : split each class of an image + mask folder into connected components.
    frame_step : of a video, every frame_step-th frame is an image, from the first on.
    repair : mend what can be mended (renumber ids, and the like) instead of refusing it.
    """

    path: Path
    images: Path | None = None
    task: Literal["instances", "semantic"] = "instances"
    split: str | None = None
    classes: Sequence[str] | None = None
    void: int | None = None
    reduce_zero_label: bool = False
    components: bool = False
    frame_step: int = 1
    strict: bool = True
    repair: bool = False
    progress: Progress | None = None
    faults: list[Fault] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)

    def refuse(self, kind: str, record: str, message: str, *, path: Path | None = None) -> None:
        """A record that cannot be used: raise, or list it where the reading is lenient."""
        where = f"{path or self.path}: {record}" if record else str(path or self.path)
        if self.strict:
            raise InputError(f"{where}: {message}")
        self.faults.append(Fault(kind, record, message, refused=True))

    def note(self, kind: str, records: Iterable[str], message: str) -> None:
        """Records that are odd but usable."""
        self.faults.extend(Fault(kind, record, message, refused=False) for record in records)

    def say(self, sentence: str) -> None:
        """Something decided for the user that they should see; the logger ``paring`` hears it."""
        self.said.append(sentence)
        _log.info(sentence)

    def step(self, label: str, done: int, total: int) -> None:
        """Tell how far a long read is."""
        if self.progress is not None:
            self.progress(label, done, total)


def find_images(reading: Reading, beside: Path, names: Sequence[str]) -> Path | None:
    """The folder that holds the images, and a word about where it was found.

    Tried in turn: what was asked for; the folder `beside` (the annotation's own); ``images/``
    in it and next to it; a folder named like the annotation's split (``train2017`` for
    ``instances_train2017.json``) in it and next to it. The first that holds the first image wins.
    """
    if reading.images is not None:
        if not reading.images.is_dir():
            raise InputError(f"{reading.images}: the images folder does not exist")
        return reading.images
    if not names:
        return None
    split = reading.path.stem.rsplit("_", 1)[-1]
    tried = (".", "images", "../images", split, f"../{split}", f"../images/{split}")
    for place in tried:
        folder = beside / place
        if (folder / file_of(names[0])).is_file():
            shown = folder.resolve()
            reading.say(f"images taken from {shown}")
            return shown
    return None
