"""What a cell trains by: the recipe of the comparison, at its seed and for its budget."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from paring.errors import InputError
from paring.experiment.cells import FULL, Cell, Place
from paring.experiment.plan import Plan
from paring.training.sections import Recipe


def recipe_of(plan: Plan, place: Place, full: Cell | None, *, share: float) -> Recipe:
    """The training recipe of a cell.

    Parameters
    ----------
    full : the cell of the full data of the same seed, or None for that itself.
    share : of the images that are trained on, in (0, 1].

    Returns
    -------
    Recipe
        With the seed of the cell. The full data is recorded where a method ranks from that, the
        others are not. For equal steps, training ends after as many steps as the full data took;
        what the recipe counts in epochs (milestones, validations) comes after as many images seen,
        an epoch of the subset being shorter.

    Raises
    ------
    InputError
        Where equal steps are asked for and the training on the full data failed.
    """
    recipe = replace(plan.train, seed=place.seed)
    if place.method == FULL:
        if not plan.needs_record or recipe.record.keep is not None:
            return recipe
        return replace(recipe, record=replace(recipe.record, keep="signs"))
    recipe = replace(recipe, record=replace(recipe.record, keep=None))
    if place.budget == "epochs":
        return recipe
    if full is None or not full.steps:
        raise InputError(
            f"the training on the full data of seed {place.seed} failed, so its steps are not "
            "known; --retry makes both once more"
        )
    trainer = replace(
        recipe.trainer,
        steps=full.steps,
        epochs=full.steps,  # at least one step each, so that steps end the training
        validate_every=_stretched([recipe.trainer.validate_every], share)[0],
    )
    schedule = replace(
        recipe.schedule, milestones=tuple(_stretched(recipe.schedule.milestones, share))
    )
    return replace(recipe, trainer=trainer, schedule=schedule)


def _stretched(epochs: Iterable[int], share: float) -> list[int]:
    """Epochs of the full data as epochs of a share of it; they stay apart.

    >>> _stretched([3, 4], 0.5), _stretched([1, 2], 0.9)
    ([6, 8], [1, 2])
    """
    return sorted({max(1, round(epoch / share)) for epoch in epochs})
