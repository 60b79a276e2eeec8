"""The stages from tags to masks, each of which finds what it has done already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from paring.dataset.masks import MaskStore
from paring.dataset.pixels import read_pixels
from paring.dataset.reading import Progress
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.labels.proposals import propose
from paring.labels.proposals.files import rows_by_image
from paring.labels.stages import Stages
from paring.labels.tags.assignment import assign_proposals
from paring.labels.tags.classifier import (
    ClassifierLesson,
    TagClassifier,
    TaggedImages,
    activation_maps,
    build_classifier,
    image_tensor,
)
from paring.labels.tags.given import Tags, images_in_words
from paring.labels.tags.lesson import ProposalSamples, TagLesson, regions_file
from paring.labels.tags.network import (
    STRIDE,
    Shape,
    TagNetwork,
    built,
    load_network,
    save_network,
)
from paring.labels.tags.peaks import find_peaks
from paring.labels.tags.predicting import Found, found_file, predict_image
from paring.labels.tags.recipe import TagRecipe
from paring.labels.tags.regions import Regions, cut_regions, regions_of
from paring.labels.trainings import device_of, fitted_in, is_fitted, note_fitted
from paring.models.calling import evaluating
from paring.models.stride import StrideEncoder
from paring.training.fitting import Fitted, FittedLesson, fit
from paring.training.loading import Seeded

Say = Callable[[str], None]

CLASSIFIER, NETWORK = "classifier.safetensors", "network.safetensors"


class Way:
    """The stages, each of which finds what it has done already."""

    def __init__(
        self, tags: Tags, recipe: TagRecipe, stages: Stages, progress: Progress | None, say: Say
    ) -> None:
        self.tags, self.recipe, self.stages = tags, recipe, stages
        self.progress, self.say = progress, say
        self.trained: dict[str, Fitted] = {}

    def _step(self, label: str, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(label, done, total)

    def check(self) -> None:
        """Raise `InputError` where encoder and weights do not fit, before anything is made."""
        recipe = self.recipe
        for stride in (recipe.classifier.stride, STRIDE):
            StrideEncoder(recipe.encoder, stride, weights=recipe.weights)

    def proposals(self, given: Dataset | None, workers: int | None) -> Dataset:
        """Those given, or new ones."""
        wished = self.recipe.proposals
        data = self.tags.data.fingerprint
        if given is not None:
            with self.stages.stage("proposals", data=data, given=given.fingerprint):
                return given
        with self.stages.stage("proposals", data=data, how=wished) as folder:
            return propose(
                self.tags.data,
                count=wished.count,
                size=wished.size,
                workers=workers,
                folder=folder,
                progress=self.progress,
            )

    def classifier(self) -> TagClassifier:
        """Trained on the tags."""
        recipe, tags = self.recipe, self.tags
        wished = recipe.classifier
        made_from = (recipe.encoder, recipe.weights, recipe.mean, recipe.std, wished, recipe.seed)
        with self.stages.stage("classifier", how=made_from, data=tags.data.fingerprint) as folder:
            torch.manual_seed(recipe.seed)
            model = build_classifier(
                recipe.encoder,
                len(tags.classes),
                stride=wished.stride,
                weights=recipe.weights,
                mean=recipe.mean,
                std=recipe.std,
            )
            if not is_fitted(folder):
                if recipe.weights is None:
                    self.say(
                        "the classifier's encoder starts from chance; weights=hub or weights=PATH "
                        "give it what it can learn much faster from"
                    )
                samples = TaggedImages(
                    tags.data, tags.present, size=wished.size, flip=wished.flip, seed=recipe.seed
                )
                lesson = ClassifierLesson(model, wished.fitting, recipe.seed, _names(tags.data))
                fitted = self._fit("classifier", lesson, samples, folder)
                save_file(_tensors(model), folder / CLASSIFIER)
                note_fitted(fitted, folder)
            model.load_state_dict(load_file(folder / CLASSIFIER))
            self.trained["classifier"] = fitted_in(folder)
            return model.eval().to(device_of(wished.fitting))

    def regions(self, proposals: Dataset, classifier: TagClassifier) -> Tags:
        """Pre-computed pseudo-labels of every image; gives the tags of those with proposals."""
        recipe, tags = self.recipe, self.tags
        made_from = (recipe.peaks, recipe.network.limit)
        before = ("proposals", "classifier")
        by_image = rows_by_image(tags.data, proposals)
        lacking: list[int] = []
        many = sum(len(rows) > recipe.network.limit for rows in by_image)
        if many:
            self.say(
                f"{images_in_words(many)} with more than {recipe.network.limit:,} proposals; the "
                f"first {recipe.network.limit:,} of each count (network.limit)"
            )
        with (
            self.stages.stage("regions", after=before, how=made_from) as folder,
            evaluating(classifier),
        ):
            device = next(classifier.parameters()).device
            images = tags.data.images.select("image_id", "file_name", "height", "width")
            for place, (image_id, name, high, wide) in enumerate(images.iter_rows()):
                self._step("pseudo-labels", place, len(images))
                rows = by_image[place][: recipe.network.limit]
                masks = proposals.masks.take(rows)
                _refuse_other_size(masks, name, (high, wide))
                sound = masks.to_rle().areas() > 0
                if not sound.any():
                    lacking.append(image_id)
                    continue
                file = regions_file(folder, image_id)
                if file.is_file():
                    continue
                pixels = read_pixels(_path(tags.data, name))
                image = image_tensor(pixels, recipe.classifier.size).to(device)
                maps, _ = activation_maps(classifier, image, enlarge=recipe.peaks.enlarge)
                peaks = find_peaks(maps, tags.present[place], bound=recipe.peaks.bound)
                atoms, boxes, small = cut_regions(masks.take(np.flatnonzero(sound)))
                assigned = assign_proposals(
                    atoms, peaks, share=recipe.peaks.share, overlap=recipe.peaks.overlap
                )
                regions_of(atoms, boxes, small, rows[sound], assigned, peaks).save(file)
            self._step("pseudo-labels", len(images), len(images))
        return self._with_proposals(lacking)

    def _with_proposals(self, lacking: list[int]) -> Tags:
        """The tags without the images that have no proposal."""
        tags = self.tags
        if not lacking:
            return tags
        if len(lacking) == len(tags.data):
            raise InputError("no image has a proposal, so there is nothing to choose masks from")
        without = set(lacking)
        ids = tags.data.images["image_id"]
        first = tags.data.images.filter(ids == lacking[0])["file_name"][0]
        self.say(f"{images_in_words(len(lacking))} without a proposal left out, first {first}")
        kept = np.array([i not in without for i in ids], bool)
        return replace(tags, data=tags.data.subset(ids.filter(kept)), present=tags.present[kept])

    def network(self, tags: Tags) -> TagNetwork:
        """Trained on the tags, with refined pseudo-labels."""
        recipe, wished = self.recipe, self.recipe.network
        with self.stages.stage(
            "network", after=("regions",), how=wished, mining=recipe.mining
        ) as folder:
            file = folder / NETWORK
            if not is_fitted(folder):
                model = self._new_network(tags)
                samples = ProposalSamples(
                    tags.data,
                    tags.present,
                    self.stages.folder / "regions",
                    sizes=wished.sizes,
                    flip=wished.flip,
                    seed=recipe.seed,
                )
                lesson = TagLesson(
                    model, recipe.mining, wished.fitting, recipe.seed, _names(tags.data)
                )
                fitted = self._fit("network", lesson, samples, folder)
                save_network(model, file)
                note_fitted(fitted, folder)
            self.trained["network"] = fitted_in(folder)
            return load_network(file).to(device_of(wished.fitting))

    def _new_network(self, tags: Tags) -> TagNetwork:
        recipe, wished = self.recipe, self.recipe.network
        torch.manual_seed(recipe.seed + 1)
        shape = Shape(
            recipe.encoder,
            tags.classes,
            width=wished.width,
            hidden=wished.hidden,
            branches=wished.branches,
            integrity=wished.integrity,
        )
        ours = wished.start == "classifier"
        model = built(
            shape,
            weights=None if ours else recipe.weights,
            mean=recipe.mean,
            std=recipe.std,
            learns=False,
        )
        if ours:
            trained = load_file(self.stages.folder / "classifier" / CLASSIFIER)
            own = model.encoder.state_dict()
            model.encoder.load_state_dict({key: trained[f"encoder.{key}"] for key in own})
        return model

    def predictions(self, tags: Tags, network: TagNetwork) -> dict[int, Found]:
        """Instances of every image, and what the last branch takes for the truth."""
        recipe = self.recipe
        found: dict[int, Found] = {}
        with (
            self.stages.stage("predictions", after=("network",), how=recipe.inference) as folder,
            evaluating(network),
        ):
            images = tags.data.images.select("image_id", "file_name")
            for place, (image_id, name) in enumerate(images.iter_rows()):
                self._step("masks", place, len(images))
                file = found_file(folder, image_id)
                if file.is_file():
                    found[image_id] = Found.load(file)
                else:
                    regions = Regions.load(regions_file(self.stages.folder / "regions", image_id))
                    pixels = read_pixels(_path(tags.data, name))
                    one = found[image_id] = predict_image(
                        network, pixels, regions, recipe.inference, recipe.mining,
                        present=tags.present[place],
                    )  # fmt: skip
                    one.save(file)
            self._step("masks", len(images), len(images))
        return found

    def _fit(self, name: str, lesson: FittedLesson, samples: Seeded, folder: Path) -> Fitted:
        return fit(
            lesson,
            samples,
            folder / "training",
            label=f"training the {name}",
            progress=self.progress,
            say=self.say,
        )


def _names(data: Dataset) -> list[str]:
    names: list[str] = data.images["file_name"].to_list()
    return names


def _path(data: Dataset, name: str) -> Path:
    assert data.image_root is not None
    return data.image_root / name


def _tensors(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {key: one.detach().cpu().contiguous() for key, one in model.state_dict().items()}


def _refuse_other_size(masks: MaskStore, name: str, size: tuple[int, int]) -> None:
    """Raise `InputError` where a proposal is of another size than its image."""
    other = (masks.heights != size[0]) | (masks.widths != size[1])
    if other.any():
        row = int(np.flatnonzero(other)[0])
        raise InputError(
            f"image {name}: has {size[0]} x {size[1]} pixels, and proposal {row + 1} of it is of "
            f"{masks.heights[row]} x {masks.widths[row]}"
        )
