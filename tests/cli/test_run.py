from pathlib import Path

import pytest

from paring.cli.run import new_run, peak_memory, versions
from paring.errors import InputError


def test_a_run_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), new_run(tmp_path / "run", overwrite=False) as run:
        (run.folder / "x").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_only_run_folders_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with (
        pytest.raises(InputError, match="is not a run folder"),
        new_run(tmp_path / "mine", overwrite=True),
    ):
        pass


def test_a_run_says_what_made_it(tmp_path: Path) -> None:
    with new_run(tmp_path / "run", overwrite=False) as run:
        run.facts["kept"] = 3
        about = run.finish()
    assert (tmp_path / "run" / "run.json").is_file()
    assert about["kept"] == 3
    assert about["versions"] == versions()
    assert peak_memory() > 10_000_000
