"""Writing YOLO folders: label lines as they came, or polygons made from masks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from paring.dataset.formats.losses import left_behind
from paring.dataset.formats.pictures import SPLITS, inside, spellings
from paring.dataset.formats.yolo.layout import (
    Layout,
    bases_of,
    edited,
    entry_path,
    label_of,
    read_yaml,
    yaml_of,
)
from paring.dataset.formats.yolo.polygons import outline
from paring.dataset.origin import Origin, Records
from paring.dataset.table import Dataset
from paring.dataset.writing import Images, placed
from paring.errors import InputError

_KEYS = (*SPLITS, "validation", "valid", "minival")
_WHY_TWICE = (
    "# train and val name the same images: one split was written, and training with Ultralytics\n"
    "# asks for both. Put your own validation images in the place of the other one.\n"
)


def origin_of(path: Path, layout: Layout, texts: list[bytes]) -> Origin:
    """What is needed to write the label lines and ``data.yaml`` as they came."""
    header = {"yaml": layout.yaml, "split": layout.split.encode()}
    return Origin("yolo", path, instances=Records.of(texts), header=header)


def write(data: Dataset, target: Path, images: Images = "none") -> Counter[str]:
    """Write a YOLO folder with one split.

    Lines that came from YOLO are written as they came. Other data gets classes 0, 1, ... in the
    order of its categories and one polygon per mask, cut at the border of the image, with six
    decimals (see `paring.dataset.formats.yolo_polygons.outline`). An image without instances gets
    an empty label file.

    Raises `InputError` where two images would share a label file.
    """
    target.mkdir(exist_ok=True)
    came = _origin(data)
    split = "train" if came is None else came.header["split"].decode()
    data = placed(data, target / "images" / split, images)
    losses = left_behind(data)
    if came is not None and came.instances is not None:
        lines = list(came.instances)
        _write_yaml(target, came.header["yaml"], split, _names(data))
    else:
        lines = _lines(data, losses)
        _write_yaml(target, b"", split, dict(enumerate(data.categories["name"])))
    _write_labels(data, target, split, lines)
    return +losses


def write_part(data: Dataset, folder: Path) -> list[str]:
    """The images of a part of a YOLO data set as a list, and a ``data.yaml`` that names it.

    The list holds absolute paths, beside which Ultralytics finds the labels by itself. Other
    splits point to where they were. Data that does not hold its label lines any more is written
    whole.
    """
    came = _origin(data)
    if came is None or data.image_root is None:
        write(data, folder, "none")
        return ["data.yaml", "labels"]
    split = came.header["split"].decode()
    root = data.image_root.absolute()
    text = "".join(f"{root / name}\n" for name in data.images["file_name"])
    (folder / f"{split}.txt").write_text(text, encoding="utf-8", newline="\n")
    described = yaml_of(came.path)
    if described is None:
        _write_yaml(folder, b"", split, _names(data), entry=f"{split}.txt")
    else:
        _, top = read_yaml(described)
        bases = bases_of(described.absolute().parent, top)
        key = next((k for k in spellings(split) if k in top), split)
        changes: dict[str, object] = {k: entry_path(top[k], bases) for k in _KEYS if k in top}
        changes |= {"path": None, key: f"{split}.txt"}
        _save_yaml(folder, edited(came.header["yaml"], changes))
    return ["data.yaml", f"{split}.txt"]


def _names(data: Dataset) -> dict[int, str]:
    return dict(data.categories.select("category_id", "name").iter_rows())


def _origin(data: Dataset) -> Origin | None:
    return data.origin if data.origin is not None and data.origin.format == "yolo" else None


# -- data.yaml -------------------------------------------------------------------------------


def _write_yaml(
    folder: Path, text: bytes, split: str, names: dict[int, str], *, entry: str = ""
) -> None:
    """``data.yaml`` of one split; other keys of `text` are kept."""
    entry = entry or f"images/{split}"
    changes: dict[str, object] = dict.fromkeys(("path", *_KEYS))
    changes |= {"train": entry, "val": entry, split: entry, "nc": None, "names": names}
    _save_yaml(folder, _WHY_TWICE + edited(text, changes))


def _save_yaml(folder: Path, text: str) -> None:
    (folder / "data.yaml").write_text(text, encoding="utf-8", newline="\n")


# -- labels ----------------------------------------------------------------------------------


def _write_labels(data: Dataset, target: Path, split: str, lines: list[bytes]) -> None:
    """A label file per image; instances whose line is empty are passed over."""
    order = np.argsort(data.image_rows, kind="stable")
    bounds = np.searchsorted(data.image_rows[order], np.arange(len(data) + 1))
    owner: dict[Path, str] = {}
    for row, name in enumerate(data.images["file_name"]):
        path = target / label_of(Path("images", split, inside(name)))
        if path in owner:
            raise InputError(
                f"images {owner[path]!r} and {name!r} would share one label file in YOLO, which "
                "drops the extension; rename one of them"
            )
        owner[path] = name
        text = _text(lines[k] for k in order[bounds[row] : bounds[row + 1]])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)


def _text(lines: Iterable[bytes]) -> bytes:
    """Lines as one text; the last line of a file may have come without an end."""
    text = b""
    for line in filter(None, lines):
        text += b"\n" + line if text and not text.endswith((b"\n", b"\r")) else line
    return text


def _lines(data: Dataset, losses: Counter[str]) -> list[bytes]:
    """The label line of each instance, empty where it has none; losses are counted."""
    lines = []
    classes = {category: number for number, category in enumerate(data.categories["category_id"])}
    numbers = [classes[category] for category in data.instances["category_id"]]
    widths, heights = (data.images[c].to_numpy()[data.image_rows] for c in ("width", "height"))
    for row, crowd in enumerate(data.instances["iscrowd"]):
        lines.append(b"")
        if crowd:
            losses["crowd instances"] += 1
            continue
        shape = outline(data.masks, row)
        if not len(shape.points):
            losses["instances without a mask"] += 1
            continue
        losses["holes filled"] += shape.holes
        losses["multi-part instances joined"] += shape.parts > 1
        shares = shape.points / (widths[row], heights[row])
        within = np.clip(shares, 0.0, 1.0)
        losses["polygons cut at the image border"] += bool((within != shares).any())
        words = " ".join(f"{value:.6f}" for value in within.reshape(-1).tolist())
        lines[-1] = f"{numbers[row]} {words}\n".encode()
    return lines
