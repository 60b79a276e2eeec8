"""Recipes of learning from images alone: every key, its kind, its range and its default."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from paring.errors import InputError
from paring.labels.free.contrast import Contrasting
from paring.labels.free.exemplars import Choosing
from paring.labels.free.lesson import Coarse
from paring.labels.free.looking import Looking
from paring.labels.free.masks import Masking
from paring.labels.free.views import Viewing
from paring.models.options import SoloOptions, read_options
from paring.models.table import TABLE, names
from paring.training.completing import complete, settle_weights
from paring.training.fitting import Fitting
from paring.training.notation import write_yaml
from paring.training.recipe import built_in, recipe_tree
from paring.training.sections import NotNegative, Positive, Section, Share, Side, Whole

_HERE = "paring.labels.free"
_STEP = 32  # pixels, of the deepest feature


class Networking(Section, frozen=True):
    """The network, what it sees, and how it is trained in each stage.

    Attributes
    ----------
    size : (height, width) in pixels that images are stretched to, whole numbers of 32.
    options : of SOLOv2, see `paring.models.options.SoloOptions`; the embedding is that of the
        free masks.
    views, coarse : of the images, and the losses.
    cache : bytes of memory for resized images.
    fitting : of the first stage and of the second.
    """

    size: tuple[Side, Side] = (640, 640)
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    views: Viewing = Viewing()
    coarse: Coarse = Coarse()
    cache: Annotated[int, Meta(ge=0)] = 2**30
    fitting: Fitting = Fitting(batch_size=8, lr=1.0e-3)


class Picking(Section, frozen=True):
    """Which masks become pseudo-labels.

    Attributes
    ----------
    score : least score.
    count : of an image at most, the best ones.
    highest, widest : see `paring.labels.free.masks.Masking`.
    """

    score: NotNegative = 0.3
    count: Whole = 20
    highest: Share = 0.0
    widest: Positive = 1.0


class FreeRecipe(Section, frozen=True):
    """Everything that decides what is learnt from images alone.

    Attributes
    ----------
    seed : decides all that is drawn.
    encoder : whose features the free masks are found in, a name of `paring.models` or of timm;
        the network has the same one.
    weights : path, ``"hub"``, or None for an encoder that was never trained.
    mean, std : how images are normalised for them; None is ImageNet's.
    first, second : which free masks the first network learns from, and which of its predictions
        the second one.
    keep : least score of a pseudo-label among the last predictions.

    Example
    -------
    >>> FreeRecipe().contrast.tau
    0.25
    """

    seed: Annotated[int, Meta(ge=0, lt=2**31)] = 0
    encoder: str = "resnet50"
    weights: str | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[Positive, Positive, Positive] | None = None
    looking: Looking = Looking()
    masks: Masking = Masking()
    network: Networking = Networking()
    first: Picking = Picking(score=0.0, count=5)
    second: Picking = Picking()
    exemplars: Choosing = Choosing()
    contrast: Contrasting = Contrasting()
    keep: Share = 0.3

    def to_yaml(self) -> str:
        """Every key with its value; `load_free_recipe` reads it back as the same."""
        return write_yaml(msgspec.to_builtins(self))

    @property
    def model(self) -> str:
        """Name of the network in the table of models.

        Raises `InputError` where there is none with this encoder.
        """
        name = f"solov2_{self.encoder}_fpn"
        if name not in TABLE:
            known = [TABLE[one].encoder for one in names("solov2_*")]
            raise InputError(
                f"encoder {self.encoder!r} has no SOLOv2 to train; those that have are "
                f"{', '.join(known)}, and free masks alone can be made with any"
            )
        return name

    def options(self) -> dict[str, Any]:
        """The options of the network; `InputError` for one that cannot be."""
        given = {"embedding": self.masks.embedding, **self.network.options}
        if self.weights is not None:
            given = {"frozen_norm": True, **given}
        read_options(SoloOptions, given, model=self.model)
        return given


def free_recipes() -> list[str]:
    """Names of the recipes that come with the package.

    >>> free_recipes()
    ['exemplar-freesolo', 'small']
    """
    return sorted(built_in(_HERE))


def load_free_recipe(path: str | Path, overrides: Sequence[str] = ()) -> FreeRecipe:
    """Read a recipe of learning from images alone, with some values set anew.

    Parameters
    ----------
    path : a YAML file, or the name of a built-in recipe (`free_recipes`).
    overrides : ``key=value`` each, the key dotted, the value as in YAML.

    Raises
    ------
    InputError
        One sentence naming the file, the key, what is wrong with it, and the nearest key known.

    Example
    -------
    >>> load_free_recipe("small", ["contrast.weight=0"]).contrast.weight
    0.0
    """
    tree, where, folder = recipe_tree(path, _HERE, such_as="masks")
    recipe = complete(
        tree,
        overrides,
        FreeRecipe,
        where=where,
        folder=folder,
        settle=settle_weights,
        defaults=FreeRecipe(),
    )
    wrong = [side for side in recipe.network.size if side % _STEP]
    if wrong:
        raise InputError(
            f"{where}: network.size must be whole numbers of {_STEP} pixels, not {wrong[0]}"
        )
    if recipe.exemplars.count < 0:
        raise InputError(f"{where}: exemplars.count must be 0 or more")
    return recipe


__all__ = ["FreeRecipe", "free_recipes", "load_free_recipe"]
