"""Recipes: read from YAML, completed, checked, and written out in full."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from paring.errors import InputError
from paring.training.completing import complete, value_at
from paring.training.nearest import known_keys, nearest
from paring.training.notation import parse_yaml
from paring.training.overrides import put_value
from paring.training.sections import (
    Augment,
    Data,
    DataSource,
    Gsrl,
    Log,
    Loss,
    Optimiser,
    Recipe,
    Recording,
    Schedule,
    Stop,
    Trainer,
)

__all__ = [
    "Augment",
    "Data",
    "DataSource",
    "Gsrl",
    "Log",
    "Loss",
    "Optimiser",
    "Recipe",
    "Recording",
    "Schedule",
    "Stop",
    "Trainer",
    "load_recipe",
    "recipes",
]

_HERE = "paring.training"
_SOURCES = (("data", "train"), ("data", "val"))
_PATHS = (
    ("weights",),
    ("init",),
    ("data", "subset"),
    *((*source, key) for source in _SOURCES for key in ("path", "images")),
)
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9} | {
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
}
_SECTIONS = {key.partition(".")[0] for key in known_keys(Recipe) if "." in key} | {"options", "map"}
_LOSSES = {
    "instance": ("auto",),
    "semantic": ("auto", "cross_entropy", "gsrl"),
    "binary": ("auto", "structure"),
}


@cache
def built_in(package: str) -> dict[str, Any]:
    """Files of the recipes that come with a package, by name."""
    folder = files(package) / "recipes"
    return {p.name[:-5]: p for p in folder.iterdir() if p.name.endswith(".yaml")}


def recipes() -> list[str]:
    """Names of the recipes that come with the package.

    >>> "polyp" in recipes()
    True
    """
    return sorted(built_in(_HERE))


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe, set some of its values anew, and check it.

    Parameters
    ----------
    path : a YAML file, or the name of a built-in recipe (`recipes`).
    overrides : ``key=value`` each, the key dotted, the value as in YAML, in turn. Their paths start
        from the working folder, those of a file from the folder that it lies in.

    Returns
    -------
    Recipe
        All keys with their values, all paths absolute.

    Raises
    ------
    InputError
        One sentence naming the file, the key, what is wrong with it, and the nearest key known.

    Example
    -------
    >>> load_recipe("small-polyp", ["trainer.epochs=3", "optimiser.lr=1e-3"]).optimiser.lr
    0.001
    """
    tree, where, folder = recipe_tree(path, _HERE, such_as="model")
    return complete_recipe(tree, overrides, where=where, folder=folder)


def complete_recipe(
    tree: dict[str, Any], overrides: Sequence[str] = (), *, where: str, folder: Path
) -> Recipe:
    """A recipe from its keys, as `load_recipe` takes them from a file; `tree` is changed.

    `where` is how errors call it, `folder` what its paths start from.

    >>> complete_recipe({"model": "emcad_mobilenet_v2"}, where="here", folder=Path()).seed
    0
    """
    recipe = complete(tree, overrides, Recipe, where=where, folder=folder, settle=_settle)
    _check(recipe, where)
    return recipe


def recipe_tree(
    path: str | Path, package: str, *, such_as: str
) -> tuple[dict[str, Any], str, Path]:
    """The keys of a recipe, how to call it, and the folder that its paths start from.

    Parameters
    ----------
    path, package : see `recipe_text`.
    such_as : a key that recipes of this kind have, for messages.
    """
    text, where, folder = recipe_text(path, package)
    tree = parse_yaml(text, where)
    if not isinstance(tree, dict):
        raise InputError(
            f"{where}: is no recipe; it must be a section with keys, such as {such_as}"
        )
    return tree, where, folder


def recipe_text(path: str | Path, package: str) -> tuple[str, str, Path]:
    """The text of a recipe, how to call it, and the folder that its paths start from.

    `path` is of a file, or the name of a recipe that comes with the package.
    """
    file, known = Path(path), built_in(package)
    if str(path) in known and not file.is_file():
        return known[str(path)].read_text(encoding="utf-8"), f"recipe {path}", Path.cwd()
    if not file.is_file():
        names = sorted(known)
        better = nearest(str(path), names)
        hint = f"did you mean {better}?" if better else f"built in are {', '.join(names)}"
        raise InputError(f"{path}: no such recipe file; {hint}")
    try:
        return file.read_text(encoding="utf-8"), str(path), file.parent
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is no text in UTF-8, so it is no recipe") from error


# -- one notation for all that may be written in several ways ---------------------------------


def _settle(tree: dict[str, Any], folder: Path, where: str) -> None:
    """Spell out, in place, what may be written shortly: sources, sizes of memory, paths."""
    for name in _SECTIONS & tree.keys():
        if tree[name] is None:
            tree[name] = {}  # all its keys are left out, or commented away
    for source in _SOURCES:
        if isinstance(value_at(tree, source), str):
            put_value(tree, source, {"path": value_at(tree, source)})
    if isinstance(value_at(tree, ("data", "cache")), str):
        put_value(tree, ("data", "cache"), _bytes(value_at(tree, ("data", "cache")), where))
    for key in _PATHS:
        named = value_at(tree, key)
        if isinstance(named, str) and not (key == ("weights",) and named == "hub"):
            if not named:
                raise InputError(f"{where}: {'.'.join(key)} is an empty path; write null for none")
            put_value(tree, key, os.path.abspath(folder / Path(named).expanduser()))


def _bytes(text: str, where: str) -> int:
    """Bytes in words such as 1GiB, 500 MB or 0.

    >>> _bytes("1.5 KiB", "here")
    1536
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)", text.strip())
    unit = _UNITS.get(found[2].upper()) if found else None
    if found is None or unit is None:
        raise InputError(f"{where}: data.cache must be bytes, such as 512MiB or 0, not {text!r}")
    return int(float(found[1]) * unit)


# -- what one key alone cannot tell -----------------------------------------------------------


def _check(recipe: Recipe, where: str) -> None:
    """Raise `InputError` where keys do not go together."""
    for problem in _problems(recipe):
        raise InputError(f"{where}: {problem}")


def _problems(recipe: Recipe) -> Iterator[str]:
    data, trainer = recipe.data, recipe.trainer
    low, high = recipe.augment.scale
    if low > high:
        yield f"augment.scale must rise, not fall from {low:g} to {high:g}"
    if data.val is not None and data.holdout:
        yield "data.val and data.holdout are both given; give one of them"
    watched = recipe.stop.keep == "best" or recipe.stop.patience is not None
    if watched and data.val is None and not data.holdout:
        yield "stop needs validation; give data.val, or a data.holdout of more than 0"
    if data.classes is not None and not data.classes:
        yield "data.classes is empty; name a category, or write null for all"
    if data.classes and len(set(data.classes)) < len(data.classes):
        yield "data.classes names a category twice"
    if not recipe.loss.gsrl.pool % 2:
        yield f"loss.gsrl.pool must be odd, not {recipe.loss.gsrl.pool}"
    if recipe.map and recipe.init is None:
        yield "map says which classes of init are ours, but init is not given"
    if list(recipe.schedule.milestones) != sorted(set(recipe.schedule.milestones)):
        yield "schedule.milestones must rise"
    if recipe.schedule.name == "multistep" and not recipe.schedule.milestones:
        yield "schedule.milestones is empty; multistep needs the epochs at which the rate falls"
    if isinstance(trainer.devices, str) and trainer.devices != "auto":
        yield f"trainer.devices must be a count, a list of numbers or auto, not {trainer.devices}"
    if isinstance(trainer.devices, int) and trainer.devices < 1:
        yield f"trainer.devices must be at least 1, not {trainer.devices}"
    yield from _model_problems(recipe)


def _model_problems(recipe: Recipe) -> Iterator[str]:
    from paring.models import names, task_of

    known = names()
    if recipe.model not in known:
        better = nearest(recipe.model, known)
        hint = f"did you mean {better}?" if better else f"there are {', '.join(known)}"
        yield f"model {recipe.model!r} is not known; {hint}"
        return
    task = task_of(recipe.model)
    if recipe.loss.name not in _LOSSES[task]:
        choice = ", ".join(_LOSSES[task])
        yield f"loss.name {recipe.loss.name} is not for {task} models; it may be {choice}"
    if task == "instance" and recipe.trainer.multi_scale:
        yield "trainer.multi_scale is for dense models; give augment.scale to an instance model"
    if task == "binary" and recipe.data.classes and len(recipe.data.classes) > 1:
        yield f"{recipe.model} tells one class from the rest; name one in data.classes"
