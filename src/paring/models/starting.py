"""Start a model of some classes from one that was trained on others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from paring.errors import InputError
from paring.models.cuts import apply_cuts, read_cuts
from paring.models.model import ClassLayer, Model
from paring.models.saving import read_saved


@dataclass(frozen=True)
class Started:
    """What a start from another model took over.

    Attributes
    ----------
    copied : our classes whose rows of the last layers were copied.
    fresh : our classes whose rows stay as initialised.
    layers_fresh : weights that stay as initialised whole: the file has none of that name and
        shape, as after a change of options.
    """

    copied: list[str]
    fresh: list[str]
    layers_fresh: list[str]


def start_from(
    model: Model, path: str | Path, *, mapping: Mapping[str, str] | None = None
) -> Started:
    """Copy into a model what a saved one of the same name and other classes has learnt.

    All weights of equal name and shape are copied, the normalisation of images among them. In the
    layers whose rows belong to classes, the rows of a class are copied where the file has a class
    of its name, or where the mapping names one; the background's rows are copied. This is how
    TFDP moves pretrained models to a data set of other classes (Tables 5 and 13). A model of whose
    file channels were taken out loses the same.

    Parameters
    ----------
    model : what to write into.
    path : of a file that `paring.models.save` wrote.
    mapping : our class to theirs, for classes of other names; it goes before equal names.

    Raises
    ------
    InputError
        Where the file holds another architecture, or the mapping names a class that is not there.
        The model is then as it was.
    """
    saved = read_saved(path)
    theirs = saved.about.classes
    if saved.about.name != model.name:
        raise InputError(
            f"{path}: holds {saved.about.name}, from which {model.name} cannot start; "
            f"give a trained {model.name}"
        )
    if saved.about.cuts:
        if model.cuts not in ({}, saved.about.cuts):
            raise InputError(f"{path}: other channels were taken out of it than of the model")
        try:
            cuts = read_cuts({} if model.cuts else saved.about.cuts)
        except ValueError as error:
            raise InputError(f"{path}: {error}") from error
    source = _sources(model.classes, theirs, mapping or {}, path)
    if saved.about.cuts:
        apply_cuts(model, cuts)
    own = model.state_dict()
    by_class = {
        f"{layer.name}.{part}": layer
        for layer in model.class_layers()
        for part in ("weight", "bias")
    }
    merged: dict[str, Tensor] = {}
    layers_fresh: list[str] = []
    for key, ours in own.items():
        given = saved.weights.get(key)
        if given is None or not _same_but_classes(ours, given, by_class.get(key), len(theirs)):
            merged[key] = ours
            layers_fresh.append(key)
        elif key in by_class:
            merged[key] = _rows_copied(ours, given, by_class[key], source)
        else:
            merged[key] = given
    model.load_state_dict(merged)
    return Started(
        copied=[one for one, place in zip(model.classes, source, strict=True) if place is not None],
        fresh=[one for one, place in zip(model.classes, source, strict=True) if place is None],
        layers_fresh=[key for key in layers_fresh if not key.endswith(".num_batches_tracked")],
    )


def _sources(
    ours: list[str], theirs: list[str], mapping: Mapping[str, str], path: str | Path
) -> list[int | None]:
    """Place among theirs of each of our classes, None where there is none."""
    for one, other in mapping.items():
        if one not in ours:
            raise InputError(
                f"the mapping names class {one!r}, which the model does not have; "
                f"it has {', '.join(ours)}"
            )
        if other not in theirs:
            raise InputError(
                f"{path}: has no class {other!r}, to which the mapping leads {one!r}; "
                f"it has {', '.join(theirs)}"
            )
    wanted = [mapping.get(one, one) for one in ours]
    return [theirs.index(one) if one in theirs else None for one in wanted]


def _same_but_classes(ours: Tensor, given: Tensor, layer: ClassLayer | None, n_theirs: int) -> bool:
    """Whether shapes are equal, but for the number of rows where these belong to classes."""
    if layer is None:
        return ours.shape == given.shape
    rows = (n_theirs + layer.background) * layer.rows
    return given.shape == (rows, *ours.shape[1:])


def _rows_copied(
    ours: Tensor, given: Tensor, layer: ClassLayer, source: list[int | None]
) -> Tensor:
    """Our rows, with theirs in the places of the classes that both have."""
    result = ours.clone()
    pairs = [
        (place + layer.background, from_place + layer.background)
        for place, from_place in enumerate(source)
        if from_place is not None
    ]
    if layer.background:
        pairs.append((0, 0))
    for place, from_place in pairs:
        to_rows = slice(place * layer.rows, (place + 1) * layer.rows)
        result[to_rows] = given[from_place * layer.rows : (from_place + 1) * layer.rows].to(result)
    return result
