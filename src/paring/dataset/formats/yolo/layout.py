"""Where a YOLO data set has its images, labels and class names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paring.dataset.formats.pictures import SPLITS, has_file, image_names, plain_split, spellings
from paring.dataset.formats.yolo.labels import MOST_CLASSES
from paring.dataset.reading import Reading
from paring.errors import InputError

_LARGEST_YAML = 2**24  # bytes; more is no list of names
_ABSENT = ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True)
class Layout:
    """One split of a data set.

    Attributes
    ----------
    root : folder that the image names start from.
    names : images, relative to `root`.
    labels : the label file of each image, whether it exists or not.
    split : name of the split.
    classes : name of each class number, or None where no file names them.
    yaml : text of ``data.yaml``, empty where there is none.
    """

    root: Path
    names: list[str]
    labels: list[Path]
    split: str
    classes: dict[int, str] | None
    yaml: bytes


def label_of(image: Path) -> Path:
    """The label file of an image: the last folder ``images`` becomes ``labels``.

    >>> label_of(Path("a/images/train/b.jpg")).as_posix(), label_of(Path("a/b.jpg")).as_posix()
    ('a/labels/train/b.txt', 'a/b.txt')
    """
    parts = list(image.parts)
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] == "images":
            parts[place] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


# -- data.yaml -------------------------------------------------------------------------------


def yaml_of(path: Path) -> Path | None:
    """The file that describes a data set: the path itself, or one in the folder."""
    if path.is_file():
        return path if path.suffix.lower() in (".yaml", ".yml") and _describes(path) else None
    if (path / "data.yaml").is_file():
        return path / "data.yaml"
    found = [p for p in sorted((*path.glob("*.yaml"), *path.glob("*.yml"))) if _describes(p)]
    if len(found) > 1:
        names = ", ".join(p.name for p in found)
        raise InputError(f"{path}: holds several descriptions; name one of them ({names})")
    return found[0] if found else None


def _describes(path: Path) -> bool:
    """Whether a YAML file names classes and splits."""
    try:
        top = read_yaml(path)[1]
    except InputError:
        return False
    return bool({"names", "nc"} & top.keys()) and bool({*SPLITS, "path"} & top.keys())


def read_yaml(path: Path) -> tuple[bytes, dict[str, Any]]:
    """Text of a YAML file, and what it says with every value as text.

    Values stay text because YAML takes a class called ``no`` for a truth value.
    """
    import yaml

    if path.stat().st_size > _LARGEST_YAML:
        raise InputError(f"{path}: is too large to describe a data set")
    text = path.read_bytes()
    try:
        top = yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split()) or "nested too deep"
        raise InputError(f"{path}: is not valid YAML ({reason})") from error
    if not isinstance(top, dict):
        raise InputError(f"{path}: does not describe a data set; it needs names and train")
    return text, {key: value for key, value in top.items() if isinstance(key, str)}


def edited(text: bytes, changes: Mapping[str, object]) -> str:
    r"""A YAML mapping with some keys set, in place or at its end, or removed (None).

    Every other key keeps its value as it was written.

    >>> edited(b"train: a\nnc: 2\n", {"train": "b.txt", "nc": None, "names": {0: "x"}})
    'train: b.txt\nnames:\n  0: x\n'
    """
    import yaml

    node = yaml.compose(text or b"{}", Loader=yaml.SafeLoader)
    node.flow_style = False
    fresh = {}
    for name, value in changes.items():
        if value is not None:
            plain = yaml.safe_dump({name: value}, allow_unicode=True, sort_keys=False)
            fresh[name] = yaml.compose(plain, Loader=yaml.SafeLoader).value[0]
    pairs = []
    for key, value in node.value:
        if key.value in fresh:
            pairs.append(fresh.pop(key.value))
        elif key.value not in changes:
            pairs.append((key, value))
    node.value = pairs + list(fresh.values())
    return str(yaml.serialize(node, allow_unicode=True, width=2**16))


def _classes(path: Path, top: Mapping[str, Any]) -> dict[int, str]:
    names = top.get("names")
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return _believed(path, dict(enumerate(names)))
    if isinstance(names, dict):
        if not all(str(k).isdecimal() and isinstance(name, str) for k, name in names.items()):
            raise InputError(f"{path}: names must give a name for each class number")
        return _believed(path, {int(k): name for k, name in names.items()})
    count = top.get("nc")
    if names is None and isinstance(count, str) and count.isdecimal() and len(count) < 6:
        return _believed(path, {number: f"class {number}" for number in range(int(count))})
    raise InputError(f"{path}: needs names, a list of the class names")


def _believed(path: Path, classes: dict[int, str]) -> dict[int, str]:
    if not classes or min(classes) < 0 or max(classes) >= MOST_CLASSES:
        raise InputError(f"{path}: classes must be numbered from 0 to at most {MOST_CLASSES - 1:,}")
    return dict(sorted(classes.items()))


# -- splits ----------------------------------------------------------------------------------


def find(reading: Reading) -> Layout:
    """The images and labels that a reading means."""
    described = yaml_of(reading.path)
    if described is None:
        split, entry = _bare_split(reading)
        return _layout(reading, split, [entry], None, b"")
    text, top = read_yaml(described)
    bases = bases_of(described.parent, top)
    given = {plain_split(k): v for k, v in top.items() if plain_split(k) in SPLITS and _listed(v)}
    present = [split for split in SPLITS if split in given]
    split = plain_split(reading.split or next(iter(present), "train"))
    if split not in given:
        words = ", ".join(present) or "none"
        raise InputError(f"{described}: has no split {split!r} (there are: {words})")
    if reading.split is None and (len(present) > 1 or split != "train"):
        reading.say(f"split {split} read of {', '.join(present)}")
    entries = [located(entry, bases) for entry in _listed(given[split])]
    return _layout(reading, split, entries, _classes(described, top), text)


def _listed(value: Any) -> list[str]:
    """The entries of a split, which is one text or a list of them."""
    entries = value if isinstance(value, list) else [value]
    return [e for e in entries if isinstance(e, str) and e.strip() not in _ABSENT]


def bases_of(folder: Path, top: Mapping[str, Any]) -> list[Path]:
    """Folders that the entries of a ``data.yaml`` in `folder` may start from, likeliest first."""
    path = top.get("path")
    if not isinstance(path, str) or path.strip() in _ABSENT:
        return [folder]
    return [folder / path, folder.parent / path, folder]


def located(entry: str, bases: Sequence[Path]) -> Path:
    """Where an entry of a split lies; the likeliest place where it exists nowhere.

    Exports of Roboflow start with ``../`` although their folders lie beside ``data.yaml``.
    """
    entries = (entry, entry[3:]) if entry.startswith("../") else (entry,)
    places = [Path(os.path.abspath(base / e)) for base in bases for e in entries]
    return next((place for place in places if place.exists()), places[0])


def entry_path(entries: object, bases: Sequence[Path]) -> str | list[str] | None:
    """An entry of a split, or several, as absolute paths."""
    found = [str(located(entry, bases)) for entry in _listed(entries)]
    return found if len(found) > 1 else next(iter(found), None)


def has_bare_split(path: Path) -> bool:
    """Whether a folder has images and, below its labels, text files."""
    pairs = [(path / "images", path / "labels")]
    pairs += [(path / split / "images", path / split / "labels") for split in (*SPLITS, "valid")]
    return any(
        images.is_dir() and has_file(labels, frozenset((".txt",))) for images, labels in pairs
    )


def _bare_split(reading: Reading) -> tuple[str, Path]:
    """The images folder of a data set without ``data.yaml``."""
    wanted = SPLITS if reading.split is None else (plain_split(reading.split),)
    for split in wanted:
        for name in spellings(split):
            for folder in (reading.path / "images" / name, reading.path / name / "images"):
                if _is_there(reading, folder):
                    return split, folder
    if reading.split is None and _is_there(reading, reading.path / "images"):
        return "train", reading.path / "images"
    raise InputError(
        f"{reading.path}: has no data.yaml and no folder images/{wanted[0]} or {wanted[0]}/images"
    )


def _is_there(reading: Reading, folder: Path) -> bool:
    """Whether a folder of images, or of labels for images that lie elsewhere, exists."""
    elsewhere = reading.images is not None
    return folder.is_dir() or (elsewhere and label_of(folder / "any.jpg").parent.is_dir())


def _layout(
    reading: Reading,
    split: str,
    entries: Sequence[Path],
    classes: dict[int, str] | None,
    text: bytes,
) -> Layout:
    if len(entries) == 1 and (reading.images is not None or entries[0].is_dir()):
        root = reading.images or entries[0]
        names = image_names(root)
        labels = [label_of(entries[0] / name) for name in names]
        return Layout(root, names, labels, split, classes, text)
    if reading.images is not None:
        raise InputError(f"{reading.path}: lists its images itself; images cannot be given too")
    images = list(_images_of(reading, entries))
    if not images:
        raise InputError(f"{reading.path}: split {split} lists no images")
    root = Path(os.path.commonpath([image.parent for image in images]))
    names = [image.relative_to(root).as_posix() for image in images]
    return Layout(root, names, [label_of(image) for image in images], split, classes, text)


def _images_of(reading: Reading, entries: Iterable[Path]) -> Iterable[Path]:
    seen: set[Path] = set()
    for entry in entries:
        if entry.is_dir():
            found = [(entry / name, name) for name in image_names(entry)]
        elif entry.is_file():
            found = list(_lines(reading, entry))
        else:
            raise InputError(f"{entry}: this folder or list of images does not exist")
        for image, record in found:
            if image in seen:
                reading.refuse("unusable image", record, "the image is listed twice", path=entry)
            else:
                seen.add(image)
                yield image


def _lines(reading: Reading, path: Path) -> Iterable[tuple[Path, str]]:
    """The images of a list and the lines that name them; relative ones start from the list."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not a text list of images in UTF-8") from error
    for number, line in enumerate(lines, start=1):
        if not (name := line.strip()):
            continue
        places = [Path(os.path.abspath(b / name)) for b in (path.parent, reading.path)]
        image = next((p for p in places if "\0" not in name and p.is_file()), None)
        if image is None:
            message = f"the image {name[:200]!r} does not exist"
            reading.refuse("unusable image", f"line {number}", message, path=path)
        else:
            yield image, f"line {number}"
