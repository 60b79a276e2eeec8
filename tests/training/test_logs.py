from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from paring.errors import InputError
from paring.training.logs import TableLog

pytestmark = pytest.mark.torch


def written(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_numbers_of_one_step_share_a_row_and_those_of_another_have_their_own(
    tmp_path: Path,
) -> None:
    log = TableLog(tmp_path / "metrics.csv")
    log.log_metrics({"epoch": 0, "loss": 0.5}, step=1)
    log.log_metrics({"epoch": 0, "val_AP": 0.25}, step=1)
    log.log_metrics({"epoch": 1, "loss": 0.125}, step=3)
    log.save()
    assert written(log.path) == ["epoch,step,loss,val_AP", "0,1,0.5,0.25", "1,3,0.125,"]


def test_names_stand_in_the_order_of_the_alphabet_whatever_came_first(tmp_path: Path) -> None:
    log = TableLog(tmp_path / "metrics.csv")
    for step, name in enumerate(("loss", "epoch_loss", "a")):
        log.log_metrics({"epoch": 0, name: 1.0}, step=step)
    log.save()
    assert written(log.path)[0] == "epoch,step,a,epoch_loss,loss"


def test_a_log_that_is_gone_on_with_keeps_its_rows_to_the_last_digit(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    first = TableLog(path)
    for step, loss in enumerate((1 / 3, 1e-30, 2**0.5, 12345678.9)):
        first.log_metrics({"epoch": step // 2, "loss": loss}, step=step)
    first.save()
    before = path.read_bytes()
    again = TableLog(path)
    assert again.rows == first.rows
    again.save()
    assert path.read_bytes() == before


def test_rows_from_an_epoch_on_are_forgotten_and_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    log = TableLog(path)
    for epoch in range(3):
        log.log_metrics({"epoch": epoch, "loss": float(epoch)}, step=epoch)
    log.finalize("failed")
    again = TableLog(path)
    again.drop_from(1)
    again.log_metrics({"epoch": 1, "loss": 9.0}, step=1)
    again.save()
    assert written(path) == ["epoch,step,loss", "0,0,0.0", "1,1,9.0"]


def test_what_was_not_a_number_stays_so(tmp_path: Path) -> None:
    log = TableLog(tmp_path / "metrics.csv")
    log.log_metrics({"epoch": 0, "val_APL": float("nan")}, step=0)
    log.save()
    (row,) = TableLog(log.path).rows
    assert row["val_APL"] != row["val_APL"]


@pytest.mark.parametrize(
    "content",
    [b"epoch,step,loss\n0,1,much\n", b"epoch,step\n0,1,2,3\n", b"epoch,step\n0,\xff\n"],
    ids=["a word", "too many columns", "no text"],
)
def test_a_broken_log_is_one_sentence_naming_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "metrics.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"metrics\.csv: is not the log of a training \("):
        TableLog(path)


@pytest.mark.parametrize("content", [b"loss\n0.5\n", b"epoch,step,loss\n0\n", b"epoch\n\n0\n"])
def test_a_log_whose_rows_have_no_epoch_or_step_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "metrics.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is not the log of a training"):
        TableLog(path)


def test_an_empty_log_has_the_header_alone(tmp_path: Path) -> None:
    log = TableLog(tmp_path / "metrics.csv")
    log.save()
    assert written(log.path) == ["epoch,step"]
    assert TableLog(log.path).rows == []
