"""Arrays by name in one compressed file, whole or not there; nothing is pickled."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile
from zlib import error as BadStream

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paring.dataset.writing import beside
from paring.errors import InputError


def write_arrays(path: Path, **arrays: ArrayLike) -> None:
    """Write arrays as one file, beside its place and renamed; one that is there is replaced."""
    buffer = BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    with beside(path, overwrite=True) as fresh:
        fresh.write_bytes(buffer.getvalue())


def read_arrays(path: Path, *names: str) -> dict[str, NDArray[Any]]:
    """The arrays of some names; `InputError` where the file is broken or lacks one.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "a.npz"
    >>> write_arrays(file, one=[1, 2])
    >>> read_arrays(file, "one")
    {'one': array([1, 2])}
    """
    try:
        with np.load(BytesIO(path.read_bytes())) as file:
            return {name: file[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, BadStream) as error:
        raise InputError(f"{path}: cannot be read ({error}); remove it") from error
