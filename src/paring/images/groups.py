"""Groups of images: the patient, the video, the site that each comes from."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.dataset.table import Dataset
from paring.errors import InputError

if TYPE_CHECKING:
    import _csv

Groups = str | Path | Mapping[str, str] | Sequence[str]
"""A CSV file (file_name, group), a pattern, a table by file name, or a name for each image."""


def groups_of(data: Dataset, groups: Groups) -> list[str]:
    r"""The group of each image (n,), in data set order.

    Parameters
    ----------
    groups : a CSV file with the columns file_name and group; or a regular expression, whose first
        bracket (or whole match) in the file name is the group; or a mapping from file names; or a
        sequence with one name for each image.

    Raises
    ------
    InputError
        Naming the first image without a group, or what is wrong with the file or pattern.

    Example
    -------
    >>> import paring
    >>> groups_of(paring.scenes(3, seed=0), r"(\d)\.jpg")
    ['1', '2', '3']
    """
    names = data.images["file_name"].to_list()
    if isinstance(groups, str | Path):
        path = Path(groups)
        if path.suffix.lower() == ".csv" or _is_file(path):
            return _from_table(names, _read(path), str(path))
        return _from_pattern(names, str(groups))
    if isinstance(groups, Mapping):
        return _from_table(names, groups, "groups")
    if len(groups) != len(names):
        raise InputError(f"{len(groups):,} groups were given for {len(names):,} images")
    for name, group in zip(names, groups, strict=True):
        if group is None or str(group) == "":
            raise InputError(f"groups: names no group for the image {name!r}")
    return [str(group) for group in groups]


def group_table(
    groups: Sequence[str], kept: NDArray[np.bool_], labels: NDArray[np.int64]
) -> pl.DataFrame:
    """What each group keeps, and how far communities and groups agree.

    Parameters
    ----------
    groups, kept, labels : group, whether it stays, and community of each image (n,).

    Returns
    -------
    pl.DataFrame
        (group, images, kept, communities, purity), by group: in how many communities its images
        lie, and the mean, over its images, of the share of the community that is of this group.
        1 is a group whose communities hold nothing else.
    """
    frame = pl.DataFrame({"group": list(groups), "kept": kept, "community": labels})
    size = pl.len().over("community")
    own = pl.len().over("community", "group")
    return (
        frame.with_columns(purity=own / size)
        .group_by("group")
        .agg(
            pl.len().cast(pl.Int64).alias("images"),
            pl.col("kept").sum().cast(pl.Int64),
            pl.col("community").n_unique().cast(pl.Int64).alias("communities"),
            pl.col("purity").mean(),
        )
        .sort("group")
    )


def purity(groups: Sequence[str], labels: NDArray[np.int64]) -> float:
    """Share of images that are of their community's most frequent group (n,), (n,).

    >>> purity(["a", "a", "b", "b"], np.array([0, 0, 0, 1]))
    0.75
    """
    frame = pl.DataFrame({"group": list(groups), "community": labels})
    counts = frame.group_by("community", "group").len()
    return float(counts.group_by("community").agg(pl.col("len").max())["len"].sum() / len(frame))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a pattern that is no path
        return False


def _from_pattern(names: Sequence[str], pattern: str) -> list[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError(f"groups {pattern!r}: is no regular expression ({error})") from error
    found = []
    for name in names:
        match = compiled.search(name)
        if match is None:
            raise InputError(f"groups {pattern!r}: does not match the file name {name!r}")
        group = match.group(1 if compiled.groups else 0)
        if not group:
            raise InputError(f"groups {pattern!r}: has an empty group for the file name {name!r}")
        found.append(group)
    return found


def _from_table(names: Sequence[str], table: Mapping[str, str], where: str) -> list[str]:
    found = []
    for name in names:
        group = table.get(name, table.get(PurePosixPath(name).name))
        if group is None or str(group) == "":
            raise InputError(f"{where}: names no group for the image {name!r}")
        found.append(str(group))
    return found


def _read(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not a text file in UTF-8") from error
    rows = csv.reader(io.StringIO(text, newline=""))
    try:
        return _table(rows, path)
    except csv.Error as error:
        raise InputError(f"{path}: line {rows.line_num}: {error}") from error


def _table(rows: _csv.Reader, path: Path) -> dict[str, str]:
    header = [word.strip() for word in next(rows, [])]
    if not {"file_name", "group"} <= set(header):
        raise InputError(f"{path}: its first line must name the columns file_name and group")
    name_at, group_at = header.index("file_name"), header.index("group")
    table: dict[str, str] = {}
    for row in rows:
        if not row:
            continue
        if len(row) != len(header):
            raise InputError(
                f"{path}: line {rows.line_num}: has {len(row)} fields, not {len(header)}"
            )
        name, group = row[name_at].strip(), row[group_at].strip()
        if not group:
            raise InputError(f"{path}: line {rows.line_num}: names no group")
        if table.get(name, group) != group:
            raise InputError(f"{path}: line {rows.line_num}: {name!r} is in two groups")
        table[name] = group
    return table
