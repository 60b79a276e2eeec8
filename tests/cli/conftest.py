"""A command line run in a process of its own, as a user would."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Paring = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def paring_command(tmp_path: Path) -> Paring:
    """Run `paring` with arguments in the test's folder."""

    def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "paring", *map(str, arguments)]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=120, **options
        )

    return run
