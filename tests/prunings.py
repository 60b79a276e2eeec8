"""A trained network that tests prune, and a network of a user's own."""

from __future__ import annotations

from pathlib import Path

from trainings import make_scenes, tiny

OWN = """
from torch import nn

def small():
    layers = []
    for into, out in ((3, 16), (16, 24), (24, 32)):
        layers += [nn.Conv2d(into, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(32, 2, 1))
"""


def trained_at(folder: Path) -> Path:
    """A small semantic model trained on scenes for one epoch; gives its run."""
    from paring.training.run import train

    train(
        tiny(
            make_scenes(folder, 8),
            make_scenes(folder, 4, seed=1, name="val"),
            trainer={"epochs": 1},
        ),
        folder / "trained",
    )
    return folder / "trained"


def own_at(folder: Path) -> None:
    """A module in a folder whose function `small` gives a network."""
    (folder / "user_nets.py").write_text(OWN)
