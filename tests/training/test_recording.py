from __future__ import annotations

import json
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torchvision.models.detection.roi_heads import project_masks_on_boxes

from paring.dataset.record import Record, unpack
from paring.training.cells import softmax_cells
from paring.training.evaluating import in_order, load_run, samples_for
from paring.training.recording import (
    GRID,
    Recording,
    image_cells,
    instance_cells,
    on_grid,
    units_of,
)
from paring.training.run import train
from paring.training.sources import prepare_data
from trainings import make_scenes, tiny

pytestmark = pytest.mark.torch


# -- the truth on the grid --------------------------------------------------------------------


def test_a_mask_on_a_grid_of_two_pixels_a_cell() -> None:
    masks = torch.zeros(1, 80, 70, dtype=torch.uint8)
    masks[0, 10:66, 5:33] = 1  # the left half of its box, 56 pixels a side
    got = on_grid(masks, torch.tensor([[5.0, 10.0, 61.0, 66.0]]))
    assert got.dtype == torch.uint8
    wanted = torch.zeros(28, 28, dtype=torch.uint8)
    wanted[:, :14] = 1
    assert torch.equal(got[0], wanted)


def test_a_cell_takes_the_mean_of_the_pixels_around_its_corner_and_half_is_enough() -> None:
    masks = torch.zeros(2, 40, 40, dtype=torch.uint8)
    masks[0, :, 7] = 1  # a line: half of the cells on both of its sides
    masks[1, 5, 7] = 1  # a point: a quarter of four cells
    got = on_grid(masks, torch.tensor([[0.0, 0.0, 28.0, 28.0]] * 2))
    assert got[0].all(0).nonzero().flatten().tolist() == [6, 7]
    assert got[0].sum() == 2 * 28
    assert not got[1].any()


def test_the_grid_is_torchvisions_wherever_it_is_sure() -> None:
    drawn = torch.Generator().manual_seed(0)
    soft = torch.rand(6, 1, 8, 8, generator=drawn)
    masks = (torch.nn.functional.interpolate(soft, (64, 80), mode="bicubic")[:, 0] > 0.5).byte()
    corner = torch.rand(6, 2, generator=drawn) * 30
    boxes = torch.cat([corner, corner + 4 + torch.rand(6, 2, generator=drawn) * 28], 1)
    theirs = project_masks_on_boxes(masks, boxes, torch.arange(6), GRID)
    assert torch.equal(on_grid(masks, boxes), (theirs >= 0.5).byte())
    assert 0 < on_grid(masks, boxes).float().mean() < 1


def test_no_masks_make_no_grids() -> None:
    none = torch.zeros(0, 8, 8, dtype=torch.uint8)
    assert on_grid(none, torch.zeros(0, 4)).shape == (0, 28, 28)


# -- cells ------------------------------------------------------------------------------------


class Saying(torch.nn.Module):
    """A model whose logits are given."""

    def __init__(self, task: str, logits: Any) -> None:
        super().__init__()
        self.task, self.logits = task, logits

    def mask_logits(self, *_: Any) -> Any:
        return self.logits

    def forward(self, _: Any) -> Any:
        return self.logits


def test_logits_of_a_region_become_margins_by_the_truth_of_each_cell() -> None:
    masks = torch.zeros(1, 56, 56, dtype=torch.uint8)
    masks[0, :, :28] = 1
    z = torch.randn(1, 28, 28, generator=torch.Generator().manual_seed(1))
    batch = {
        "image": torch.zeros(2, 3, 56, 56),
        "boxes": [torch.zeros(0, 4), torch.tensor([[0.0, 0.0, 56.0, 56.0]])],
        "labels": [torch.zeros(0), torch.ones(1)],
        "instance_rows": [torch.zeros(0, dtype=torch.int64), torch.tensor([42])],
        "masks": [masks[:0], masks],
    }
    ((unit, cells),) = instance_cells(Saying("instance", [z[:0], z]), batch)
    assert unit == 42
    by_hand = z[0].clone()
    by_hand[:, 14:] *= -1
    assert torch.equal(cells.margin, by_hand.flatten())
    p = torch.sigmoid(z[0, 0, 20])
    assert float(cells.el2n[20]) == pytest.approx(2**0.5 * float(p), abs=1e-6)
    entropy = -(p * p.log() + (1 - p) * (1 - p).log())
    assert float(cells.entropy[20]) == pytest.approx(float(entropy), abs=1e-5)


@pytest.mark.parametrize("task", ["semantic", "binary"])
def test_void_pixels_and_images_of_nothing_else_are_left_out(task: str) -> None:
    channels = 1 if task == "binary" else 3
    logits = torch.randn(3, channels, 2, 3, generator=torch.Generator().manual_seed(2))
    target = torch.tensor([[[0, 255, 1], [1, 0, 255]], [[255] * 3] * 2, [[1] * 3] * 2])
    batch = {"image": None, "row": torch.tensor([7, 8, 9]), "target": target}
    said = dict(image_cells(Saying(task, logits), batch))
    assert [*said] == [7, 9]
    assert (len(said[7].margin), len(said[9].margin)) == (4, 6)
    places = [(0, 0), (0, 2), (1, 0), (1, 1)]  # row by row
    for got, (i, j) in zip(said[7].margin.tolist(), places, strict=True):
        z, y = logits[0, :, i, j], int(target[0, i, j])
        if task == "binary":
            assert got == pytest.approx(float(z[0]) * (1 if y else -1))
        else:
            others = [float(z[k]) for k in range(3) if k != y]
            assert got == pytest.approx(float(z[y]) - max(others))


def test_units_are_the_rows_of_instances_or_of_images(tmp_path: Path) -> None:
    data = prepare_data(tiny(make_scenes(tmp_path, 3))).train
    instances = units_of(data, "instance", np.zeros(3, np.int64))
    assert instances["unit"].to_list() == [*range(len(data.instances))]
    assert instances["instance_id"].to_list() == data.instances["instance_id"].to_list()
    assert set(instances["cells"]) == {784}
    images = units_of(data, "binary", np.array([5, 0, 7]))
    assert images["cells"].to_list() == [5, 0, 7]
    assert images["instance_id"].null_count() == images["category_id"].null_count() == 3
    assert images["image_id"].to_list() == data.images["image_id"].to_list()


# -- a training -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_scenes(tmp_path_factory.mktemp("scenes"), 6)


PAD = {"size": [64, 80], "resize": "pad", "batch_size": 4}  # what pads is void


@pytest.fixture(scope="module")
def runs(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same training without and with a record."""
    folder = tmp_path_factory.mktemp("runs")
    shared: Any = {"data": PAD, "trainer": {"epochs": 2}}
    train(tiny(scenes, scenes, **shared), folder / "plain")
    kept = {"keep": "margins", "every": 2}
    train(tiny(scenes, scenes, **shared, record={"keep": "margins"}), folder / "recorded")
    train(tiny(scenes, scenes, **shared, record=kept), folder / "sparse")
    return folder / "plain", folder / "recorded"


def test_recording_changes_neither_losses_nor_weights_nor_metrics(
    runs: tuple[Path, Path],
) -> None:
    plain, recorded = runs
    for name in ("metrics.csv", "model.safetensors", "metrics.json"):
        assert (plain / name).read_bytes() == (recorded / name).read_bytes()
    assert not (plain / "record").exists()


def test_only_every_so_many_epochs_are_recorded_and_they_are_the_same(
    runs: tuple[Path, Path],
) -> None:
    whole, sparse = Record.open(runs[1]), Record.open(runs[1].with_name("sparse"))
    assert (whole.epochs, sparse.epochs) == ([0, 1], [1])
    assert whole.epoch(1).equals(sparse.epoch(1))
    assert sparse.about["epochs"] == 2


def test_the_last_epoch_is_what_the_final_model_says_in_evaluation_mode(
    runs: tuple[Path, Path],
) -> None:
    model, recipe = load_run(runs[1])
    data = prepare_data(recipe).train
    samples = samples_for(model, data, recipe)
    record = Record.open(runs[1])
    frame = record.epoch(1)
    assert frame["unit"].to_list() == [*range(6)]
    states = [state for _, block in record.states(1) for state in block]
    for row in range(6):
        sample = samples[row]
        known = sample["target"] != 255
        assert 0 < int(known.sum()) == record.units["cells"][row] < known.numel()
        with torch.no_grad():
            z = model.eval()(sample["image"][None])[0]
        cells = softmax_cells(z[:, known].T, sample["target"][known])
        kept = frame.row(row, named=True)
        assert kept["margin"] == pytest.approx(float(cells.margin.mean()), abs=1e-4)
        assert kept["entropy"] == pytest.approx(float(cells.entropy.mean()), abs=1e-4)
        assert kept["el2n"] == pytest.approx(float(cells.el2n.mean()), abs=1e-4)
        sure = cells.margin.abs() > 1e-3
        margins = unpack(states[row], int(known.sum()), "margins")
        assert ((margins > 0) == (cells.margin > 0).numpy())[sure.numpy()].all()
        assert np.abs(margins - cells.margin.clamp(-7.9, 7.9).numpy()).max() <= 0.0625 + 1e-3


def test_every_part_of_the_model_keeps_its_mode_and_statistics(
    scenes: Path, runs: tuple[Path, Path], tmp_path: Path
) -> None:
    model, recipe = load_run(runs[1])
    data = prepare_data(recipe).train
    model.train()
    model.encoder.eval()  # as one that is not to learn
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [part.training for part in model.modules()]
    recording = Recording(
        tmp_path,
        data,
        lambda model: in_order(samples_for(model, data, recipe), 4),
        model=recipe.model,
        task="semantic",
        keep="signs",
        epochs=3,
    )
    trainer = SimpleNamespace(
        is_global_zero=True,
        current_epoch=0,
        precision_plugin=SimpleNamespace(forward_context=nullcontext),
        strategy=SimpleNamespace(barrier=lambda: None),
    )
    lesson = SimpleNamespace(model=model, device=torch.device("cpu"))
    chance = torch.get_rng_state()
    recording.on_train_start(trainer, lesson)
    recording.on_train_epoch_end(trainer, lesson)
    assert Record.open(tmp_path).epochs == [0]
    assert [part.training for part in model.modules()] == modes
    assert any(modes)
    assert not all(modes)
    after = model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert torch.equal(torch.get_rng_state(), chance)
    assert recording.state_dict() == {"seconds": recording.seconds}
    recording.load_state_dict({"seconds": 9.0})
    assert recording.seconds == 9.0


# -- does it tell the wrong from the right? ---------------------------------------------------

WRONG, SIDE = 9, 25


def discs(folder: Path) -> Path:
    """Pictures of two bright discs each; the mask of one is all of its box but the disc."""
    rng = np.random.default_rng(0)
    (folder / "discs-images").mkdir()
    images, annotations = [], []
    for k in range(1, 11):
        pixels = rng.integers(0, 60, (64, 64, 3), np.uint8)
        for left in (3, 35):
            x, y = left + int(rng.integers(0, 4)), int(rng.integers(2, 62 - SIDE))
            disc = np.zeros((64, 64), np.uint8)
            cv2.circle(disc, (x + SIDE // 2, y + SIDE // 2), SIDE // 2, 1, -1)
            pixels[disc > 0] = rng.integers(170, 255, 3)
            if len(annotations) == WRONG:
                box = np.zeros_like(disc)
                box[y : y + SIDE, x : x + SIDE] = 1
                disc = box - disc
            flat = disc.T.reshape(-1)
            bounds = np.flatnonzero(np.diff(flat)) + 1
            counts = np.diff([0, *bounds, flat.size]).tolist()
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": k,
                    "category_id": 1,
                    "bbox": [x, y, SIDE, SIDE],
                    "area": int(disc.sum()),
                    "iscrowd": 0,
                    "segmentation": {"size": [64, 64], "counts": counts},
                }
            )
        cv2.imwrite(str(folder / "discs-images" / f"{k}.png"), pixels)
        images.append({"id": k, "file_name": f"{k}.png", "height": 64, "width": 64})
    file = folder / "discs.json"
    tree = {"images": images, "annotations": annotations}
    file.write_text(json.dumps(tree | {"categories": [{"id": 1, "name": "disc"}]}))
    return file


@pytest.fixture(scope="module")
def mistaught(tmp_path_factory: pytest.TempPathFactory) -> Record:
    folder = tmp_path_factory.mktemp("mistaught")
    recipe = tiny(
        discs(folder),
        model="maskrcnn_mobilenet_v2_fpn",
        data={"batch_size": 2, "size": [64, 64]},
        trainer={"epochs": 12},
        augment={"flip": 0.0},
        optimiser={"lr": 0.003},
        schedule={"name": "cosine"},
        record={"keep": "signs"},
    )
    train(recipe, folder / "run")
    return Record.open(folder / "run")


def margins_of(record: Record) -> np.ndarray:
    """Mean margin of each unit in each epoch (epochs, units)."""
    frames = [record.epoch(epoch).sort("unit") for epoch in record.epochs]
    return np.stack([frame["margin"].to_numpy() for frame in frames])


def test_an_instance_with_a_wrong_mask_has_the_lowest_area_under_the_margin(
    mistaught: Record,
) -> None:
    aum = margins_of(mistaught).mean(0)
    assert len(aum) == 20
    assert aum.argmin() == WRONG
    assert aum[WRONG] < 0 < np.median(aum)


def test_an_instance_that_was_learnt_is_not_forgotten_in_the_end_and_a_wrong_one_never_learnt(
    mistaught: Record,
) -> None:
    easiest = int(margins_of(mistaught).mean(0).argmax())
    right = []
    for epoch in mistaught.epochs:
        states = dict(zip(*next(mistaught.states(epoch)), strict=True))
        right.append({k: unpack(states[k], 784, "signs") for k in (easiest, WRONG)})
    assert right[-1][easiest].mean() > 0.85
    assert right[-1][WRONG].mean() < 0.5
    last = [flags[easiest] for flags in right[-4:]]
    forgotten = [before & ~after for before, after in pairwise(last)]
    assert max(lost.mean() for lost in forgotten) < 0.05  # along the outline
    assert max(lost.sum() for lost in forgotten[-2:]) <= 784 * 0.02
    assert not any(lost.reshape(28, 28)[7:21, 7:21].any() for lost in forgotten)
