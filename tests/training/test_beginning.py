"""How trainings begin."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

import paring
from paring.training.beginning import begin, how_far, settled


def test_lightning_is_quiet_and_threads_are_as_wished_while_it_lasts() -> None:
    log, threads = logging.getLogger("lightning.pytorch"), torch.get_num_threads()
    level = log.level
    with settled(1):
        assert log.level == logging.ERROR
        assert torch.get_num_threads() == 1
    assert log.level == level
    assert torch.get_num_threads() == threads


def test_a_broken_checkpoint_is_named(tmp_path: Path) -> None:
    file = tmp_path / "last.ckpt"
    file.write_bytes(b"none")
    with pytest.raises(paring.InputError, match=r"last\.ckpt: the checkpoint cannot be read"):
        how_far(file, None)


@pytest.mark.parametrize(
    ("steps", "patience", "over"), [(None, None, False), (9, None, True), (None, 2, True)]
)
def test_a_checkpoint_says_how_far_it_is(tmp_path: Path, steps, patience, over: bool) -> None:
    stopper = {} if patience is None else {"e": {"wait_count": 2, "patience": patience}}
    state = {
        "loops": {"fit_loop": {"epoch_progress": {"current": {"processed": 3}}}},
        "global_step": 9,
        "callbacks": stopper,
    }
    torch.save(state, tmp_path / "last.ckpt")
    assert how_far(tmp_path / "last.ckpt", steps) == (3, over)


def test_a_folder_without_a_checkpoint_begins_anew_and_forgets_its_log(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("epoch,step,loss\n0,3,0.5\n")
    begun = begin(tmp_path, epochs=4, steps=None)
    assert (begun.checkpoint, begun.done, begun.epochs, begun.table.rows) == (None, 0, 4, [])


@pytest.mark.parametrize(("steps", "epochs"), [(None, 4), (6, 2), (7, 4)])
def test_a_checkpoint_is_gone_on_from_with_its_log(tmp_path: Path, steps, epochs: int) -> None:
    state = {
        "loops": {"fit_loop": {"epoch_progress": {"current": {"processed": 2}}}},
        "global_step": 6,
        "callbacks": {},
    }
    (tmp_path / "checkpoints").mkdir()
    torch.save(state, tmp_path / "checkpoints" / "last.ckpt")
    (tmp_path / "metrics.csv").write_text("epoch,step,loss\n1,5,0.5\n2,8,0.4\n")
    begun = begin(tmp_path, epochs=4, steps=steps)
    assert begun.checkpoint == tmp_path / "checkpoints" / "last.ckpt"
    assert (begun.done, begun.epochs, len(begun.table.rows)) == (2, epochs, 1)
