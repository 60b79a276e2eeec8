"""Recipes of learning from tags: every key, its kind, its range and its default."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from paring.errors import InputError
from paring.labels.tags.inference import Inference
from paring.labels.tags.lesson import Mining
from paring.training.completing import complete, settle_weights
from paring.training.fitting import Fitting
from paring.training.notation import write_yaml
from paring.training.recipe import built_in, recipe_tree
from paring.training.sections import Positive, Section, Share, Side, Whole

_HERE = "paring.labels.tags"


class Proposing(Section, frozen=True):
    """Proposals: how many an image, and the longest side that they are made at."""

    count: Whole = 500
    size: Side = 320


class Classifying(Section, frozen=True):
    """The classifier: what it sees, and how it is trained.

    Attributes
    ----------
    size : (height, width) in pixels that images are stretched to.
    stride : of the features that it looks at; 16 finds smaller things than the published 32.
    flip : chance of mirroring.
    """

    stride: Literal[8, 16, 32] = 32
    size: tuple[Side, Side] = (448, 448)
    flip: Share = 0.5
    fitting: Fitting = Fitting(batch_size=8, optimiser="adamw", lr=1.0e-4, weight_decay=1.0e-4)


class Peaking(Section, frozen=True):
    """Peaks and support masks.

    Attributes
    ----------
    bound : activation that a peak must exceed, a logit (the authors' is 10), or ``"half"`` of the
        class's largest.
    enlarge : factor by which activation maps are enlarged.
    share : of the proposals that hold a peak, to be in its support mask.
    overlap : IoU with a support mask above which a proposal is of its class.
    """

    bound: float | Literal["half"] = "half"
    enlarge: Whole = 8
    share: Share = 0.7
    overlap: Share = 0.5


class Networking(Section, frozen=True):
    """The network: its size, what it starts from, what it sees, and how it is trained.

    Attributes
    ----------
    width, hidden, branches, integrity : see `paring.labels.tags.network.Shape`.
    start : whether its encoder starts from the recipe's weights or from the classifier's.
    sizes : longest sides of the images in pixels, one of which is drawn each time.
    flip : chance of mirroring.
    limit : proposals of an image at most, the first ones.
    """

    width: Whole = 1024
    hidden: Whole = 4096
    branches: Whole = 3
    integrity: bool = True
    start: Literal["weights", "classifier"] = "weights"
    sizes: Annotated[tuple[Side, ...], Meta(min_length=1)] = (480, 576, 688, 864, 1200)
    flip: Share = 0.5
    limit: Whole = 4096
    fitting: Fitting = Fitting(accumulate=4)


class TagRecipe(Section, frozen=True):
    """Everything that decides what is learnt from tags.

    Attributes
    ----------
    seed : decides all that is drawn.
    encoder : of classifier and network, a name of `paring.models` or of timm.
    weights : path of safetensors, ``"hub"``, or None to start from chance.
    mean, std : how images are normalised for them; None is ImageNet's.

    Example
    -------
    >>> TagRecipe().mining.contains
    0.85
    """

    seed: Annotated[int, Meta(ge=0, lt=2**32)] = 0
    encoder: str = "resnet50"
    weights: str | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[Positive, Positive, Positive] | None = None
    proposals: Proposing = Proposing()
    classifier: Classifying = Classifying()
    peaks: Peaking = Peaking()
    network: Networking = Networking()
    mining: Mining = Mining()
    inference: Inference = Inference()

    def to_yaml(self) -> str:
        """Every key with its value; `load_tag_recipe` reads it back as the same."""
        return write_yaml(msgspec.to_builtins(self))


def tag_recipes() -> list[str]:
    """Names of the recipes that come with the package.

    >>> tag_recipes()
    ['cim-coco', 'cim-voc', 'small']
    """
    return sorted(built_in(_HERE))


def load_tag_recipe(path: str | Path, overrides: Sequence[str] = ()) -> TagRecipe:
    """Read a recipe of learning from tags, with some values set anew.

    Parameters
    ----------
    path : a YAML file, or the name of a built-in recipe (`tag_recipes`).
    overrides : ``key=value`` each, the key dotted, the value as in YAML.

    Raises
    ------
    InputError
        One sentence naming the file, the key, what is wrong with it, and the nearest key known.

    Example
    -------
    >>> load_tag_recipe("small", ["network.fitting.epochs=2"]).network.fitting.epochs
    2
    """
    tree, where, folder = recipe_tree(path, _HERE, such_as="network")
    recipe = complete(
        tree,
        overrides,
        TagRecipe,
        where=where,
        folder=folder,
        settle=settle_weights,
        defaults=TagRecipe(),
    )
    if recipe.weights is None and recipe.network.start == "weights":
        raise InputError(
            f"{where}: network.start is weights, but none are given; give weights=PATH, "
            "weights=hub, or network.start=classifier"
        )
    return recipe


__all__ = ["TagRecipe", "load_tag_recipe", "tag_recipes"]
