"""The methods that a comparison knows: what each needs, what it may be told, how it ranks.

Everything that needs torch is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from paring.dataset.reading import Progress
from paring.dataset.scores import Scores
from paring.dataset.subset import Subset
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.experiment.cells import CHANCE, FULL

Needs = Literal["nothing", "record", "model"]
"""What a method learns from: the data alone, the record of a training run, or its model."""

BY = "aum"
"""The scores that CCS chooses evenly over, unless others are named (TFDP, as published)."""


@dataclass(frozen=True)
class Material:
    """What a method may rank from.

    Attributes
    ----------
    data : the images that are cut.
    seed : of what is random in it.
    run : the training run of the full data of this seed, or None; its record is of `data`.
    workers : threads.
    options : keywords of the method.
    progress : called with a label, steps done and steps to do.
    """

    data: Dataset
    seed: int
    run: Path | None
    workers: int
    options: Mapping[str, Any]
    progress: Progress | None = None

    @property
    def trained(self) -> Path:
        """The run, for a method that cannot do without."""
        if self.run is None:
            raise ValueError("this method ranks from a training run, and there is none")
        return self.run


@dataclass(frozen=True)
class Method:
    """How one method comes to a subset.

    Attributes
    ----------
    words : what it goes by, for people.
    needs : what it learns from.
    seeded : whether it ranks anew for each seed.
    score : gives its scores, or None.
    choose : gives its choice at a rate, where that is no cut along scores.
    strata : whether it chooses evenly over the scores of another method.
    options : the keywords it may be given.
    """

    words: str
    needs: Needs = "nothing"
    seeded: bool = False
    score: Callable[[Material], Scores] | None = None
    choose: Callable[[Material, float], Subset] | None = None
    strata: bool = False
    options: tuple[str, ...] = ()

    @property
    def trains(self) -> bool:
        """Whether it can only rank after a training on all images."""
        return self.needs != "nothing"


def _shape(scale_invariant: bool, class_balanced: bool) -> Callable[[Material], Scores]:
    def score(material: Material) -> Scores:
        from paring.images.shape import shape_scores

        return shape_scores(
            material.data,
            scale_invariant=scale_invariant,
            class_balanced=class_balanced,
            workers=material.workers,
            **material.options,
        )

    return score


def _count(class_balanced: bool) -> Callable[[Material], Scores]:
    def score(material: Material) -> Scores:
        from paring.images.shape import count_scores

        return count_scores(material.data, class_balanced=class_balanced, **material.options)

    return score


def _similarity(metric: Literal["ssim", "pcc"]) -> Callable[[Material, float], Subset]:
    def choose(material: Material, rate: float) -> Subset:
        from paring.images.network.cut import keep_representatives
        from paring.images.similarity.opening import Comparing

        options = dict(material.options)
        own = {name: options.pop(name) for name in _COMPARING if name in options}
        how = Comparing(metric=metric, workers=material.workers, **own)
        return keep_representatives(
            material.data, rate=rate, seed=material.seed, how=how, curve=False, **options
        ).subset

    return choose


def _dynamics(name: str) -> Callable[[Material], Scores]:
    def score(material: Material) -> Scores:
        from paring.dataset.record import Record
        from paring.images import dynamics

        found: Scores = getattr(dynamics, f"{name}_scores")(
            Record.open(material.trained), material.data, **material.options
        )
        return found

    return score


def _dropout(material: Material) -> Scores:
    from paring.images.consistency import dropout_scores
    from paring.training.passes import dropout_passes

    passes, joined = _divided(material.options, _PASSES)
    found = dropout_passes(material.trained, material.data, seed=material.seed, **passes)
    return dropout_scores(found, material.data, parameters=passes, **joined)


def _consistency(material: Material) -> Scores:
    from paring.images.consistency import consistency_scores
    from paring.training.passes import augmented_passes

    passes, joined = _divided(material.options, _VIEWS)
    found = augmented_passes(material.trained, material.data, seed=material.seed, **passes)
    return consistency_scores(found, material.data, parameters=passes, **joined)


def _centres(material: Material, rate: float) -> Subset:
    from paring.images.centres import keep_centres
    from paring.training.passes import image_features

    options = dict(material.options)
    encoder = options.pop("encoder")
    features = image_features(material.data, encoder, **options)
    said = {"encoder": encoder, **options}
    return keep_centres(features, material.data, rate=rate, parameters=said)


def _divided(
    options: Mapping[str, Any], own: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of the passes, and of the scores made from them."""
    rest = {name: value for name, value in options.items() if name not in own}
    return {name: value for name, value in options.items() if name in own}, rest


_PASSES, _VIEWS = ("passes", "p"), ("views",)
_FEATURES = ("encoder", "weights", "mean", "std", "size", "batch_size")
_JOINED = ("cells", "instances")
_COMPARING = ("size", "window", "data_range", "memory")
_NETWORK = ("keep", "communities", "resolution")
_SHAPE = ("contour", "min_image_side")

METHODS: dict[str, Method] = {
    FULL: Method("all images"),
    CHANCE: Method("images by chance", seeded=True),
    "similarity-ssim": Method(
        "representatives of similar images (PRIME), by SSIM",
        seeded=True,
        choose=_similarity("ssim"),
        options=(*_COMPARING, *_NETWORK),
    ),
    "similarity-pcc": Method(
        "representatives of similar images (PRIME), by Pearson's correlation",
        seeded=True,
        choose=_similarity("pcc"),
        options=(*_COMPARING, *_NETWORK),
    ),
    "shape": Method("perimeter over area (SCS)", score=_shape(False, False), options=_SHAPE),
    "shape-si": Method("scale-invariant shape", score=_shape(True, False), options=_SHAPE),
    "shape-cb": Method("class-balanced shape", score=_shape(False, True), options=_SHAPE),
    "shape-si-cb": Method(
        "scale-invariant, class-balanced shape (TFDP)", score=_shape(True, True), options=_SHAPE
    ),
    "count": Method("number of instances", score=_count(False), options=("min_image_side",)),
    "count-balanced": Method(
        "number of instances, each category weighing alike",
        score=_count(True),
        options=("min_image_side",),
    ),
    "entropy": Method(
        "entropy of the predictions",
        needs="record",
        seeded=True,
        score=_dynamics("entropy"),
        options=("epoch", *_JOINED),
    ),
    "el2n": Method(
        "error early in training (EL2N)",
        needs="record",
        seeded=True,
        score=_dynamics("el2n"),
        options=("epoch", *_JOINED),
    ),
    "aum": Method(
        "area under the margin (AUM)",
        needs="record",
        seeded=True,
        score=_dynamics("aum"),
        options=("epoch", *_JOINED),
    ),
    "forgetting": Method(
        "forgetting",
        needs="record",
        seeded=True,
        score=_dynamics("forgetting"),
        options=("epoch", "never", *_JOINED),
    ),
    "ccs": Method(
        "evenly over a score (CCS)", seeded=True, strata=True, options=("by", "strata", "cutoff")
    ),
    "mc-dropout": Method(
        "uncertainty under dropout",
        needs="model",
        seeded=True,
        score=_dropout,
        options=(*_PASSES, *_JOINED),
    ),
    "consistency": Method(
        "disagreement of augmented views",
        needs="model",
        seeded=True,
        score=_consistency,
        options=(*_VIEWS, "how", *_JOINED),
    ),
    "k-centre": Method(
        "centres that cover the features (k-centre)", choose=_centres, options=_FEATURES
    ),
}
"""All methods by name, in the order of the papers' tables."""


def refuse_options(method: str, options: Mapping[str, Any], where: str) -> None:
    """`InputError` for an option that a method does not have, or a method that is not known."""
    from paring.training.nearest import nearest

    if method not in METHODS:
        better = nearest(method, METHODS)
        hint = f"did you mean {better}?" if better else f"there are {', '.join(METHODS)}"
        raise InputError(f"{where}: method {method!r} is not known; {hint}")
    known = METHODS[method].options
    for name in options:
        if name not in known:
            better = nearest(name, known)
            hint = f"did you mean {better}?" if better else f"it has {', '.join(known) or 'none'}"
            raise InputError(f"{where}: scores.{method}.{name} is no option of it; {hint}")
