"""What is compared: the recipe of a comparison, and its cells in order."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from paring.errors import InputError
from paring.experiment.cells import CHANCE, FULL, Budget, Place
from paring.experiment.methods import BY, METHODS, refuse_options
from paring.training.nearest import in_words, refuse_endless, refuse_unknown
from paring.training.notation import parse_yaml, write_yaml
from paring.training.overrides import parse_override, put_value
from paring.training.recipe import complete_recipe, load_recipe, recipes
from paring.training.sections import DataSource, Recipe, Section

_WHAT = "comparison"
_SHOWN = ("metrics",)
"""Keys that decide what is shown and not what is done, so that they may change later."""


class Plan(Section, frozen=True):
    """A whole comparison in words and numbers; `load_plan` reads one.

    Attributes
    ----------
    train : the training recipe; the images of its training data are what is cut. In a file it is
        the name or the path of one, or a section of its keys; the key ``recipe`` in it names one
        that the others change.
    test : the data that the table is measured on; None for the validation data of `train`.
    methods : names of `paring.experiment.methods.METHODS`; the full data and chance are always
        among them.
    rates : shares of the images removed.
    seeds : of choices and trainings; each is a cell of its own.
    budget : ``"epochs"`` trains a subset for the epochs of the recipe, which are fewer steps;
        ``"steps"`` for as many optimiser steps as the full data takes; ``"both"`` does both.
    metrics : which metrics are shown; the first orders the table.
    scores : options by method.
    """

    train: Recipe
    test: DataSource | None = None
    methods: tuple[str, ...] = (FULL, CHANCE, "similarity-ssim", "shape-si-cb")
    rates: tuple[Annotated[float, Meta(gt=0, lt=1)], ...] = (0.4, 0.56)
    seeds: tuple[Annotated[int, Meta(ge=0, lt=2**32)], ...] = (0, 1, 2)
    budget: Literal["epochs", "steps", "both"] = "epochs"
    metrics: tuple[str, ...] = ("dice_per_image",)
    scores: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """What subsets are trained for."""
        return ("epochs", "steps") if self.budget == "both" else (self.budget,)

    @property
    def cuts(self) -> tuple[str, ...]:
        """The methods that cut: chance first, then the others as they were named."""
        return (CHANCE, *(name for name in self.methods if name not in (FULL, CHANCE)))

    @property
    def needs_record(self) -> bool:
        """Whether a method ranks from the record of a training."""
        return any(map(self.reads_record, self.cuts))

    def reads_record(self, method: str) -> bool:
        """Whether a method ranks from the record of the training on all images."""
        return METHODS[self.scored_by(method)].needs == "record"

    def trains(self, method: str) -> bool:
        """Whether a method can only rank after a training on all images."""
        return METHODS[self.scored_by(method)].trains

    def scored_by(self, method: str) -> str:
        """The method whose scores one goes by: its own, but for those that choose over others."""
        if not METHODS[method].strata:
            return method
        by: str = self.scores.get(method, {}).get("by", BY)
        return by

    def places(self) -> list[Place]:
        """The cells in order: the full data for every seed, then rates, budgets, methods, seeds.

        A comparison that is cut short so has whole tables of the first rates.
        """
        return [
            *(Place(FULL, 0.0, seed, "epochs") for seed in self.seeds),
            *(
                Place(method, rate, seed, budget)
                for rate in self.rates
                for budget in self.budgets
                for method in self.cuts
                for seed in self.seeds
            ),
        ]

    def to_yaml(self) -> str:
        """Every key with its value, paths absolute; `load_plan` reads it back as the same."""
        return write_yaml(msgspec.to_builtins(self))


def load_plan(path: str | Path, overrides: Sequence[str] = ()) -> Plan:
    r"""Read the recipe of a comparison, set some of its values anew, and check it.

    Parameters
    ----------
    path : a YAML file.
    overrides : ``key=value`` each, the key dotted, in turn; keys that begin with ``train.`` are
        those of the training recipe. Their paths start from the working folder, those of the file
        from the folder that it lies in.

    Raises
    ------
    InputError
        One sentence naming the file, the key, what is wrong with it, and the nearest key known.

    Example
    -------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "cut.yaml"
    >>> _ = file.write_text("train: polyp\ntest: test\nrates: [0.5]\nseeds: [3]\n")
    >>> plan = load_plan(file, ["train.data.train=images", "train.trainer.epochs=2"])
    >>> [str(place) for place in plan.places()][:2]
    ['full data, seed 3', 'random at 50 %, seed 3, equal epochs']
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is no text in UTF-8, so it is no recipe") from error
    where = str(path)
    tree = parse_yaml(text, where)
    if not isinstance(tree, dict):
        raise InputError(f"{where}: is no {_WHAT}; it must be a section with keys, such as train")
    _refuse_unknown(tree, where)
    _settle(tree, file.parent)
    for_training: list[str] = []
    for override in overrides:
        key, value = parse_override(override)
        if key[0] == "train" and len(key) > 1:
            for_training.append(override.partition(".")[2])
            continue
        part: dict[str, Any] = {}
        put_value(part, key, value)
        _refuse_unknown(part, override)
        _settle(part, Path.cwd())
        put_value(tree, key[:1], _merged(tree.get(key[0]), part[key[0]], whole=len(key) == 1))
    return _plan_of(tree, for_training, where, file.parent)


def _plan_of(tree: dict[str, Any], overrides: Sequence[str], where: str, folder: Path) -> Plan:
    named = tree.get("train")
    if named is None:
        raise InputError(f"{where}: train is missing; name a training recipe, such as polyp")
    if isinstance(named, dict):
        base = named.pop("recipe", None)
        if base is not None:
            named = _merged(msgspec.to_builtins(load_recipe(base)), named, whole=False)
        recipe = complete_recipe(named, overrides, where=f"{where}: train", folder=folder)
    elif isinstance(named, str):
        recipe = load_recipe(named, overrides)
    else:
        raise InputError(f"{where}: train must be a name, a path or a section, not {named!r}")
    tree["train"] = msgspec.to_builtins(recipe)
    refuse_endless(tree, where)
    try:
        plan = msgspec.convert(tree, Plan)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: {in_words(error, tree, Plan)}") from error
    for method in plan.methods:
        refuse_options(method, {}, where)
    for method, options in plan.scores.items():
        refuse_options(method, options, where)
        _refuse_by(options.get("by", BY), method, where)
    plan = _with_encoder(plan)
    for problem in _problems(plan):
        raise InputError(f"{where}: {problem}")
    return plan


def _with_encoder(plan: Plan) -> Plan:
    """The plan with the encoder of k-centre spelt out: that of the model, where none is named."""
    if "k-centre" not in plan.cuts:
        return plan
    from paring.models.table import entry_of

    recipe = plan.train
    own: dict[str, Any] = {"encoder": entry_of(recipe.model).encoder}
    own |= {name: getattr(recipe, name) for name in ("weights", "mean", "std")}
    options = own | plan.scores.get("k-centre", {})
    return msgspec.structs.replace(plan, scores=plan.scores | {"k-centre": options})


def _settle(tree: dict[str, Any], folder: Path) -> None:
    """Spell out, in place, what may be written shortly, and make paths absolute."""
    if tree.get("scores", 0) is None:
        tree["scores"] = {}
    for method, options in (tree.get("scores") or {}).items():
        if options is None:
            tree["scores"][method] = {}
    features = (tree.get("scores") or {}).get("k-centre", {})
    if isinstance(features.get("weights"), str) and features["weights"] != "hub":
        features["weights"] = _absolute(features["weights"], folder)
    if isinstance(tree.get("test"), str):
        tree["test"] = {"path": tree["test"]}
    if isinstance(tree.get("test"), dict):
        for key in ("path", "images"):
            if isinstance(tree["test"].get(key), str):
                tree["test"][key] = _absolute(tree["test"][key], folder)
    if isinstance(tree.get("train"), str):
        tree["train"] = _placed(tree["train"], folder)
    if isinstance(tree.get("train"), dict) and isinstance(tree["train"].get("recipe"), str):
        tree["train"]["recipe"] = _placed(tree["train"]["recipe"], folder)


def _refuse_unknown(tree: dict[str, Any], where: str) -> None:
    """`InputError` for a key that a comparison does not have; ``train.recipe`` is one it has."""
    named = tree.get("train")
    if isinstance(named, dict):
        tree = tree | {"train": {name: named[name] for name in named if name != "recipe"}}
    refuse_unknown(tree, Plan, where, what=_WHAT)


def _placed(recipe: str, folder: Path) -> str:
    """The name of a built-in recipe, or the path of one."""
    if recipe in recipes() and not (folder / recipe).is_file():
        return recipe
    return _absolute(recipe, folder)


def _absolute(path: str, folder: Path) -> str:
    return os.path.abspath(folder / Path(path).expanduser())


def _merged(old: Any, new: Any, *, whole: bool) -> Any:
    """A value set anew; of a section, only the keys that are named."""
    if whole or not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return old | {name: _merged(old.get(name), value, whole=False) for name, value in new.items()}


def _problems(plan: Plan) -> Iterator[str]:
    for name in ("methods", "rates", "seeds", "metrics"):
        values = getattr(plan, name)
        if len(set(values)) < len(values):
            yield f"{name} names one twice"
        if not values and name != "methods":
            yield f"{name} is empty; name at least one"
    data = plan.train.data
    if data.train is None:
        yield "train.data.train is not given; name the data set whose images are to be cut"
    if data.subset is not None:
        yield "train.data.subset is given, but a comparison makes the subsets; leave it out"
    if data.holdout:
        yield (
            "train.data.holdout is given, but each seed would hold out other images; name data to "
            "measure on in test or train.data.val"
        )
    if plan.test is None and data.val is None:
        yield "test is not given, and the training recipe has no data.val to measure on"
    if "k-centre" in plan.cuts and plan.scores["k-centre"]["weights"] is None:
        yield (
            "k-centre compares images by a trained encoder; give scores.k-centre.weights, hub or a "
            "path"
        )


def _refuse_by(by: Any, method: str, where: str) -> None:
    if not METHODS[method].strata:
        return
    able = [name for name, other in METHODS.items() if other.score is not None]
    if by not in able:
        raise InputError(
            f"{where}: scores.{method}.by must be one of {', '.join(able)}, not {by!r}"
        )


def first_difference(plan: Plan, other: Plan) -> str | None:
    """The first key that two plans differ in, with both values, but for what is only shown.

    None where they are the same.
    """
    old, new = (dict(_flat(msgspec.to_builtins(one))) for one in (other, plan))
    for key in (*new, *old):
        if key.partition(".")[0] not in _SHOWN and (key not in old or new.get(key) != old[key]):
            return f"{key} is {_shown(new, key)} and was {_shown(old, key)}"
    return None


def _flat(tree: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{above}{name}.")
        else:
            yield above + name, value


def _shown(flat: dict[str, Any], key: str) -> str:
    if key not in flat:
        return "not there"
    value = flat[key]
    return value if isinstance(value, str) else json.dumps(value)
