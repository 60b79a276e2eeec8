"""The type of the fixture that runs the command line, and what a run leaves behind."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

Paring: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]


def written(run: Path) -> dict[str, bytes]:
    """All files of a run but ``run.json``; its page without the name of the run."""
    files = {
        str(path.relative_to(run)): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.name != "run.json"
    }
    page = "report/index.html"
    if page in files:
        for shown in ('"name":"{}"', "<title>{} "):
            files[page] = files[page].replace(shown.format(run.name).encode(), b"")
    return files
