"""Recipes of pruning: those of training, with a section ``prune``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from paring.channels.importance import Criterion
from paring.channels.network import Network
from paring.channels.ranking import Score
from paring.channels.redundancy import Distribution, Metric, Resolution
from paring.channels.stages import Pruning, Spread, Stage
from paring.errors import InputError
from paring.training.notation import parse_yaml
from paring.training.recipe import Recipe, built_in, complete_recipe, recipe_text

_HERE = "paring.channels"
Share = Annotated[float, Meta(gt=0, le=1)]
Whole = Annotated[int, Meta(ge=1)]


class Prune(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section ``prune``; see `Pruning` for what is not said here.

    Attributes
    ----------
    stages : (optimiser step, share of the first MACs that stays) of each.
    spread : how many stages in equal distances over the first half of the training, where `stages`
        is not given; then a share to keep is to be given.
    """

    criterion: Criterion | Literal["redundancy"] = "redundancy"
    score: Score = "sum"
    metric: Metric = "js"
    distribution: Distribution = "l1"
    resolution: Resolution = "full"
    every: Whole = 1
    restart: bool = False
    slimming: Annotated[float, Meta(ge=0)] = 0.0
    loss_after: Literal["cross_entropy", "gsrl", "structure"] | None = None
    multiple: Whole = 1
    floor: Annotated[float, Meta(ge=0, le=1)] = 0.02
    ignored: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    stages: tuple[tuple[Whole, Share], ...] = ()
    spread: Whole = 3

    def pruning(self, seed: int) -> Pruning:
        """How it is pruned."""
        own = {k: getattr(self, k) for k in self.__struct_fields__ if k not in ("stages", "spread")}
        return Pruning(**own, seed=seed)

    def when(self, keep_macs: float | None) -> list[Stage] | Spread:
        """When: `keep_macs` is for a spread, and for stages the share after the last."""
        if not self.stages:
            if keep_macs is None:
                raise InputError("how much is to stay? give --keep-macs")
            return Spread(keep_macs, self.spread)
        found = [Stage(step, share) for step, share in self.stages]
        if keep_macs is not None and keep_macs != found[-1].keep_macs:
            raise InputError(
                f"the recipe keeps {found[-1].keep_macs:g} of the MACs in its last stage; "
                "take --keep-macs out, or prune.stages"
            )
        return found


def pruning_recipes() -> list[str]:
    """Names of the recipes of pruning that come with the package.

    >>> "sirfp-cityscapes" in pruning_recipes()
    True
    """
    return sorted(built_in(_HERE))


def pruning_recipe(
    network: Network,
    path: str | None,
    overrides: Sequence[str] = (),
    *,
    data: Path | None = None,
    images: Path | None = None,
    wished: Mapping[str, Any] | None = None,
) -> tuple[Recipe, Prune]:
    """The recipe by which a trained network is pruned and fine-tuned.

    Parameters
    ----------
    network : of ours.
    path : a YAML file, or the name of a built-in recipe; None takes that of the network's own
        training, and the defaults for pruning.
    overrides : ``key=value`` each, as `load_recipe` takes them; those of ``prune.`` too.
    data, images : training data and the folder of its images, instead of the recipe's.
    wished : values of the section ``prune`` that go before the recipe's.

    Raises
    ------
    InputError
        One sentence naming the file and key.
    """
    own = network.recipe
    where, folder = path or network.spec, Path.cwd()
    if path is None:
        if own is None:
            raise InputError(f"{network.spec}: has no recipe beside it; give --recipe")
        tree: dict[str, Any] = msgspec.to_builtins(own)
    else:
        text, where, folder = recipe_text(path, _HERE)
        tree = parse_yaml(text, where)
        if not isinstance(tree, dict):
            raise InputError(f"{where}: is no recipe; it must be a section with keys")
    section = dict(tree.pop("prune", None) or {})
    name = network.model.name
    if tree.setdefault("model", name) != name:
        raise InputError(f"{where}: is for {tree['model']}, and {network.spec} holds {name}")
    tree["options"] = dict(network.model.options)  # type: ignore[arg-type]
    for key in ("mean", "std"):
        tree[key] = getattr(network.model, key).tolist()
    inner = tree.setdefault("data", {})
    if own is not None:
        theirs = msgspec.to_builtins(own.data)
        for key in ("train", "val", "holdout", "classes", "background", "size", "resize"):
            inner.setdefault(key, theirs[key])
    if data is not None:
        inner["train"] = {"path": str(data.absolute())}
    if images is not None and isinstance(inner["train"], dict):
        inner["train"]["images"] = str(images.absolute())
    rest = []
    for override in overrides:
        key, equals, value = override.partition("=")
        if key.startswith("prune.") and equals:
            section[key.removeprefix("prune.")] = parse_yaml(value, override)
        else:
            rest.append(override)
    section |= {key: value for key, value in (wished or {}).items() if value is not None}
    prune = section_of(section, where=where)
    return complete_recipe(tree, rest, where=where, folder=folder), prune


def section_of(values: Mapping[str, Any], *, where: str) -> Prune:
    """The section from its values; `InputError` says what cannot be."""
    try:
        return msgspec.convert(values, Prune)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: prune: {error}") from error


__all__ = ["Prune", "pruning_recipe", "pruning_recipes", "section_of"]
