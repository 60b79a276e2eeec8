"""The stages from images to masks, each of which finds what it has done already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from paring.dataset.reading import Progress
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.labels.free.exemplars import (
    choose_images,
    cut_exemplars,
    looked_at,
    replaced_by_truth,
)
from paring.labels.free.finding import find_masks, image_vectors
from paring.labels.free.found import FreeLabels
from paring.labels.free.lesson import ACTIVE, ActiveShare, Exemplars, FreeLesson
from paring.labels.free.looking import EncoderFeatures, Features
from paring.labels.free.losses import HEARD, largest_contrast
from paring.labels.free.predicting import best_mask, predict_free
from paring.labels.free.recipe import FreeRecipe, Picking
from paring.labels.free.views import Views
from paring.labels.proposals.files import rows_by_image
from paring.labels.stages import Stages
from paring.labels.trainings import device_of, fitted_in, is_fitted, note_fitted
from paring.models import build, load, save
from paring.models.solov2 import SoloModel
from paring.models.stride import StrideEncoder
from paring.training.fitting import Fitted, fit
from paring.training.logs import TableLog
from paring.training.trained import LOG

Say = Callable[[str], None]

NETWORK = "network.safetensors"
_FEWEST = 0.1
"""Share of embeddings with a non-zero contrast under which a training is warned about."""


class Way:
    """The stages, each of which finds what it has done already.

    Parameters
    ----------
    data : the images.
    recipe : what decides it all.
    stages : where they are kept.
    features : made elsewhere, in place of the encoder's.
    """

    def __init__(
        self,
        data: Dataset,
        recipe: FreeRecipe,
        stages: Stages,
        *,
        features: Features | None,
        progress: Progress | None,
        say: Say,
    ) -> None:
        self.data, self.recipe, self.stages = data, recipe, stages
        self.given = features
        self.progress, self.say = progress, say
        self.trained: dict[str, Fitted] = {}
        self._features: Features | None = features

    def check(self, *, trains: bool, contrasts: bool) -> None:
        """Raise `InputError` where encoder, weights and network do not fit, before all work."""
        if trains:
            self._new_network()
            if contrasts:
                self._warn_of_a_small_temperature()
        if self.given is None:
            self.features()

    def _warn_of_a_small_temperature(self) -> None:
        wished = self.recipe.contrast
        most = largest_contrast(alpha=wished.alpha, beta=wished.beta, tau=wished.tau)
        if wished.weight and most < HEARD:
            self.say(
                f"a contrast.tau of {wished.tau:g} leaves a loss of at most {most:.1g} between "
                f"contrast.alpha {wished.alpha:g} and contrast.beta {wished.beta:g}, so nothing is "
                f"learnt from exemplars; {(wished.alpha - wished.beta) / 1.28:.2g} pulls most"
            )

    def features(self) -> Features:
        """Those given, or the encoder's."""
        if self._features is None:
            recipe = self.recipe
            if recipe.weights is None:
                self.say(
                    "the encoder starts from chance, in whose features little is found; "
                    "weights=hub or weights=PATH give it some that were learnt"
                )
            torch.manual_seed(recipe.seed)
            encoder = StrideEncoder(
                recipe.encoder,
                recipe.looking.stride,
                weights=recipe.weights,
                mean=recipe.mean,
                std=recipe.std,
            )
            device = device_of(recipe.network.fitting)
            self._features = EncoderFeatures(encoder.eval().to(device), recipe.looking)
        return self._features

    def masks(self) -> FreeLabels:
        """Free masks of all images."""
        recipe = self.recipe
        chance = recipe.seed if recipe.weights is None else None
        made_from = (recipe.encoder, recipe.weights, recipe.mean, recipe.std, chance)
        with self.stages.stage(
            "masks",
            data=self.data.fingerprint,
            encoder=made_from if self.given is None else self.given.name,
            looking=recipe.looking,
            how=recipe.masks,
        ) as folder:
            return find_masks(
                self.data, self.features(), recipe.masks, folder=folder, progress=self.progress
            )

    def network(
        self,
        stage: str,
        labels: FreeLabels,
        *,
        after: Sequence[str],
        exemplars: Dataset | None = None,
        truth: Dataset | None = None,
    ) -> SoloModel:
        """A network trained on pseudo-labels.

        Parameters
        ----------
        stage : its name.
        labels : the pseudo-labels.
        after : stages that it depends on.
        exemplars : what images contrast with.
        truth : exemplars that are the truth of their images.
        """
        recipe, wished = self.recipe, self.recipe.network
        with self.stages.stage(
            stage,
            after=after,
            how=wished,
            picked=recipe.first if stage == "first" else recipe.second,
            seed=recipe.seed,
            contrast=recipe.contrast if exemplars is not None else None,
            exemplars=None if exemplars is None else exemplars.fingerprint,
            truth=None if truth is None else truth.fingerprint,
        ) as folder:
            file = folder / NETWORK
            if not is_fitted(folder):
                data, given, true = labels.data, labels.embeddings, np.zeros(len(labels), bool)
                if truth is not None:
                    data, rows, true = replaced_by_truth(data, truth)
                    given = np.where(true[:, None], 0, labels.embeddings[np.maximum(rows, 0)])
                model = self._new_network()
                views = Views(data, wished.size, wished.views, seed=recipe.seed, cache=wished.cache)
                lesson = FreeLesson(
                    model,
                    wished.coarse,
                    given.astype(np.float32),
                    wished.fitting,
                    recipe.seed,
                    data.images["file_name"].to_list(),
                    true=true,
                    exemplars=self._seen(exemplars),
                    contrasting=recipe.contrast,
                )
                fitted = fit(
                    lesson,
                    views,
                    folder / "training",
                    label=f"training the {stage} stage",
                    progress=self.progress,
                    say=self.say,
                    along=[ActiveShare()],
                )
                save(model, file)
                note_fitted(fitted, folder)
            self.trained[stage] = fitted_in(folder)
            trained = load(file)
            assert isinstance(trained, SoloModel)
            return trained.eval().to(device_of(wished.fitting))

    def _seen(self, exemplars: Dataset | None) -> Exemplars | None:
        if exemplars is None:
            return None
        return looked_at(exemplars, self.recipe.contrast.size)

    def _new_network(self) -> SoloModel:
        recipe = self.recipe
        model = build(
            recipe.model,
            ["object"],
            weights=recipe.weights,
            mean=recipe.mean,
            std=recipe.std,
            seed=recipe.seed,
            **recipe.options(),
        )
        assert isinstance(model, SoloModel)
        return model

    def active(self, stage: str) -> float | None:
        """The share of embeddings with a non-zero contrast, meant over the epochs of a stage."""
        rows = TableLog(self.stages.folder / stage / "training" / LOG).rows
        shares = [float(row[ACTIVE]) for row in rows if ACTIVE in row]
        if not shares:
            return None
        share = float(np.mean(shares))
        if share < _FEWEST:
            self.say(
                f"only {100 * share:.1f} % of the embeddings have both a positive and a negative "
                "exemplar that move them, so the contrast says little; more exemplars, a lower "
                "contrast.alpha, a higher contrast.beta or contrast.tau help"
            )
        return share

    def update(self, model: SoloModel, *, after: Sequence[str]) -> FreeLabels:
        """The pseudo-labels of the second stage: what the first one finds and is sure of."""
        with self.stages.stage("update", after=after) as folder:
            return self.picked(self._predicted(model, folder, "pseudo-labels"), self.recipe.second)

    def picked(self, found: FreeLabels, how: Picking) -> FreeLabels:
        """The masks of each image that become pseudo-labels."""
        scores = found.data.instances["score"].to_numpy()
        masks = found.data.masks
        boxes = np.array(found.data.instances["bbox"].to_list(), np.float64).reshape(-1, 4)
        sound = scores >= how.score
        if how.highest > 0:
            sound &= boxes[:, 1] + boxes[:, 3] / 2 > how.highest * masks.heights
        if how.widest < 1:
            sound &= boxes[:, 2] < how.widest * masks.widths
        rows = [own[sound[own]][: how.count] for own in rows_by_image(self.data, found.data)]
        return found.take(np.concatenate(rows))

    def exemplars(self, model: SoloModel | None, *, after: Sequence[str]) -> Dataset:
        """Exemplar objects cut out of some of the images."""
        recipe, wished = self.recipe, self.recipe.exemplars
        with self.stages.stage("exemplars", after=after, how=wished, seed=recipe.seed):
            rows = choose_images(
                len(self.data),
                wished,
                seed=recipe.seed,
                vectors=lambda: image_vectors(self.data, self.features()),
            )
            self._step("exemplars", 0, 1)
            refine = None
            if wished.refine and model is not None:
                refine = partial(
                    best_mask, model, size=recipe.network.size, score=recipe.second.score
                )
            found, refined = cut_exemplars(self.data, rows, wished, seed=recipe.seed, refine=refine)
            self._step("exemplars", 1, 1)
            if refine is not None and refined < len(rows):
                self.say(
                    f"in {len(rows) - refined} of {len(rows)} exemplar images the network found no "
                    "object; GrabCut's foreground stands for it"
                )
            return found

    def _step(self, label: str, done: int, total: int) -> None:
        """Tell how far it is."""
        if self.progress is not None:
            self.progress(label, done, total)

    def predictions(self, model: SoloModel, *, after: Sequence[str]) -> FreeLabels:
        """What the last network finds."""
        with self.stages.stage("predictions", after=after) as folder:
            return self._predicted(model, folder, "predicting")

    def _predicted(self, model: SoloModel, folder: Path, label: str) -> FreeLabels:
        wished = self.recipe.network
        return predict_free(
            model,
            self.data,
            wished.size,
            folder=folder,
            threads=wished.fitting.threads,
            label=label,
            progress=self.progress,
        )


def refuse_nothing(labels: FreeLabels, stage: str) -> None:
    """Raise `InputError` where there is nothing to learn from."""
    if not len(labels):
        raise InputError(
            f"the {stage} found nothing in any image, so there is nothing to learn from; "
            "masks.least, first.score and second.score say what counts, more training helps, and "
            "images without any texture have nothing to be found"
        )
