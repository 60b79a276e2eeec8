from __future__ import annotations

import msgspec
import pytest

from paring.training.notation import parse_yaml
from paring.training.sections import Recipe

DEFAULTS = """
model: m
options: {}
weights: null
mean: null
std: null
init: null
map: {}
seed: 0
data:
  train: null
  val: null
  holdout: 0.0
  subset: null
  size: [256, 256]
  resize: stretch
  batch_size: 8
  workers: 2
  cache: 1073741824
  classes: null
  background: auto
augment: {flip: 0.5, vflip: 0.0, rotate: 0.0, scale: [1.0, 1.0], crop: null,
  brightness: 0.0, contrast: 0.0, saturation: 0.0, hue: 0.0}
loss: {name: auto, aux_weight: 0.4, aggregate: sum,
  gsrl: {beta: 0.9999, pool: 9, hardness: 9.0}}
optimiser: {name: adamw, lr: 1.0e-4, weight_decay: 1.0e-4, momentum: 0.9, encoder_lr: 1.0}
schedule: {name: constant, warmup_steps: 0, warmup_start: 0.001, milestones: [], gamma: 0.1,
  power: 0.9}
trainer: {epochs: 10, steps: null, precision: 32-true, clip: null, clip_by: norm, accumulate: 1,
  ema: null, accelerator: auto, devices: 1, strategy: auto, multi_scale: [], validate_every: 1,
  threads: null, channels_last: false}
stop: {patience: null, monitor: auto, keep: last}
record: {keep: null, every: 1}
log: {every: 10, tensorboard: true}
"""


def test_the_defaults_are_those_that_are_promised() -> None:
    assert parse_yaml(Recipe(model="m").to_yaml(), "here") == parse_yaml(DEFAULTS, "here")


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("data", "holdout", 1.0),
        ("data", "batch_size", 0),
        ("data", "workers", -1),
        ("data", "size", [256, 0]),
        ("data", "size", [256, 20_000]),
        ("data", "resize", "crop"),
        ("augment", "flip", 1.5),
        ("augment", "rotate", 181),
        ("augment", "hue", 0.6),
        ("augment", "scale", [0, 1]),
        ("optimiser", "lr", 0),
        ("optimiser", "momentum", 1),
        ("optimiser", "name", "adam"),
        ("schedule", "gamma", 0),
        ("schedule", "milestones", [0]),
        ("trainer", "epochs", 0),
        ("trainer", "epochs", 2.5),
        ("trainer", "epochs", True),
        ("trainer", "ema", 1.0),
        ("trainer", "precision", "8"),
        ("trainer", "accumulate", 0),
        ("stop", "patience", 0),
        ("loss", "name", "dice"),
        ("log", "every", 0),
    ],
)
def test_values_out_of_range_are_refused(section: str, key: str, value: object) -> None:
    with pytest.raises(msgspec.ValidationError, match=rf"\$\.{section}\.{key}"):
        msgspec.convert({"model": "m", section: {key: value}}, Recipe)


def test_a_recipe_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Recipe(model="m").seed = 3  # type: ignore[misc]
