"""What all tests share: real data beside the project, the command line, and a browser."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from browser import Look, Runs, View, started
from commands import Paring

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# tests run side by side; threads of torch that wait for each other would take ten times as long
os.environ.setdefault("OMP_NUM_THREADS", "1")

# times depend on what else the machine does, and never decide a test
settings.register_profile("paring", deadline=None)
settings.load_profile("paring")

LONG = ("test_readme.py", "test_pipeline.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests begin first, so that none is left to one process in the end."""
    items.sort(key=lambda item: item.path.name not in LONG)


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
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)

    return run


@pytest.fixture
def paring_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Paring:
    """The same within this process, which takes a tenth of the time."""
    from paring.cli.main import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["paring", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return subprocess.CompletedProcess(sys.argv, end.value.code or 0, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests of a process."""
    with started() as browser:
        yield browser


@pytest.fixture
def look(chromium: Browser) -> Iterator[Look]:
    """Open reports in the browser; in the end none has complained, nor asked a network."""
    views: list[View] = []

    def open_report(file: Path, **options: Any) -> View:
        views.append(View(chromium, file, **options))
        return views[-1]

    yield open_report
    for view in views:
        view.settle()
        view.page.context.close()
    assert [problem for view in views for problem in view.unexpected()] == []


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Runs on generated scenes, with their reports."""
    return Runs(tmp_path_factory.mktemp("runs"))
