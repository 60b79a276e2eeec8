"""Stages of long work: each in a folder of its own, gone on with where it was cut short."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paring import __version__
from paring.dataset.writing import beside

_KEY, _TIME = "stage.json", "seconds.json"


class Stages:
    """A folder of stages, each of which knows what it was made from.

    Parameters
    ----------
    folder : of all stages.

    Attributes
    ----------
    seconds : of each stage, those of earlier runs included.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seconds: dict[str, float] = {}
        self._keys: dict[str, str] = {}

    @contextmanager
    def stage(self, name: str, *, after: Sequence[str] = (), **made_from: Any) -> Iterator[Path]:
        """The folder of a stage, emptied where it was made from something else.

        How long the block takes is added to what it took before.

        Parameters
        ----------
        name : of the stage and its folder.
        after : the stages that it depends on.
        made_from : all else that it depends on.

        Example
        -------

        >>> import tempfile
        >>> stages = Stages(Path(tempfile.mkdtemp()))
        >>> with stages.stage("first", epochs=3) as folder:
        ...     (folder / "made").touch()
        >>> again = Stages(stages.folder)
        >>> with again.stage("first", epochs=3) as folder:
        ...     print((folder / "made").exists())
        True
        >>> with Stages(stages.folder).stage("first", epochs=4) as folder:
        ...     print((folder / "made").exists())
        False
        """
        before = [self._keys[one] for one in after]
        said = json.dumps([__version__, before, name, made_from], sort_keys=True, default=str)
        key = self._keys[name] = hashlib.sha256(said.encode()).hexdigest()
        folder = self.folder / name
        if _read(folder / _KEY) != key:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            _write(folder / _KEY, key)
        took = float(_read(folder / _TIME) or 0.0)
        started = time.perf_counter()
        try:
            yield folder
        finally:
            self.seconds[name] = round(took + time.perf_counter() - started, 3)
            _write(folder / _TIME, self.seconds[name])


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):  # none yet, or cut short: the stage is made anew
        return None


def _write(path: Path, value: Any) -> None:
    with beside(path, overwrite=True) as fresh:
        fresh.write_text(json.dumps(value), encoding="utf-8")
