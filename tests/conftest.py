"""What all tests share: real data where it lies beside the project, and the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from commands import Paring

# times depend on what else the machine does, and never decide a test
settings.register_profile("paring", deadline=None)
settings.load_profile("paring")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data sets, which are not part of the project."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data sets (../shared/data) are not here")
    return folder


@pytest.fixture
def paring_command(tmp_path: Path) -> Paring:
    """Run `paring` with arguments in the test's folder, in a process of its own."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "paring", *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    return run
