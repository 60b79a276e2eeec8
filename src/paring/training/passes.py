"""Many answers of one trained model about the same image: by dropout, or by views of the image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from paring.dataset.reading import Progress
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.evaluation.threads import torch_threads
from paring.training.evaluating import in_order, load_run, refuse_other_classes
from paring.training.recipe import Recipe
from paring.training.samples import Samples

Pass: TypeAlias = tuple[int, int | None, NDArray[np.float32]]
"""Image id, instance id or None, probabilities: of the foreground (T, h, w), or (T, C, h, w)."""

Ask: TypeAlias = Callable[[Mapping[str, Any]], list[Tensor]]
"""A batch to logits: of each image (C, H, W), or of its instances (n, 28, 28)."""


def dropout_passes(
    run: str | Path,
    data: Dataset,
    *,
    passes: int = 10,
    p: float = 0.1,
    seed: int = 0,
    progress: Progress | None = None,
) -> Iterator[Pass]:
    """Answers of a trained model whose last layer sees its features with dropout.

    The rest of the network is in evaluation mode. A dense model is asked about every pixel at
    training size; an instance model about the cells of each annotated instance on its box.

    Parameters
    ----------
    run : folder of a training run.
    data : images, annotated where the model is one of instances.
    passes : number T of answers.
    p : share of the features that are dropped before the head (PRIME's baseline as built here).
    seed : decides which; an image's passes depend on it and on the image's row alone.
    progress : called with a label, images done and images to do.

    Raises `InputError` where the run holds no trained model, or the data not its classes.
    """
    if passes < 1 or not 0 < p < 1:
        raise InputError(f"dropout needs passes >= 1 and 0 < p < 1, not {passes} and {p:g}")
    model, recipe = load_run(run)
    model.eval()
    for batch in _one_by_one(model, data, recipe, progress, "asking with dropout"):
        torch.manual_seed(seed * 1_000_003 + int(batch["row"][0]))
        with torch_threads(recipe.trainer.threads), torch.inference_mode():
            found = _with_dropout(model, batch, passes, p)
        yield from _answers(model, data, batch, found)


def _with_dropout(model: Any, batch: Mapping[str, Any], passes: int, p: float) -> list[Tensor]:
    """Probabilities of the units of an image in each pass.

    Of a dense model only the last layer is asked many times, its features being the same.
    """
    if model.task == "instance":
        with _dropping(model.heads(), p, times=1):
            return [_asked(model, batch)[0] for _ in range(passes)]
    with _dropping(model.heads(), p, times=passes):
        return _asked(model, batch)


@contextmanager
def _dropping(heads: Iterable[nn.Module], p: float, *, times: int) -> Iterator[None]:
    """Dropout on what the heads are given, repeated so many times, while the block runs."""

    def drop(_: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        features = given[0]
        if times > 1:
            features = features.repeat(times, *[1] * (features.ndim - 1))
        return (F.dropout(features, p, training=True), *given[1:])

    hooks = [head.register_forward_pre_hook(drop) for head in heads]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@dataclass(frozen=True)
class View:
    """A change of an image that can be taken back: mirrored, then brightness and contrast."""

    across: bool
    down: bool
    brightness: float
    contrast: float

    def of(self, image: Tensor) -> Tensor:
        """The image (3, H, W) as this view shows it."""
        mean = image.mean()
        toned = (image - mean) * self.contrast + mean
        return self.unwarped((toned * self.brightness).clamp(0, 1))

    def unwarped(self, maps: Tensor) -> Tensor:
        """Maps (..., H, W) mirrored as the view is, which takes a mirroring back."""
        sides = [side for side, wanted in ((-1, self.across), (-2, self.down)) if wanted]
        return maps.flip(sides) if sides else maps

    def boxes(self, boxes: Tensor, size: tuple[int, int]) -> Tensor:
        """Boxes (n, 4) of the image where this view has them."""
        x0, y0, x1, y1 = boxes.unbind(1)
        if self.across:
            x0, x1 = size[1] - x1, size[1] - x0
        if self.down:
            y0, y1 = size[0] - y1, size[0] - y0
        return torch.stack([x0, y0, x1, y1], 1)


def views_of(number: int, seed: int, row: int) -> list[View]:
    """The views of one image: itself, then mirrored each way in turn with a tone drawn by chance.

    >>> [(view.across, view.down) for view in views_of(4, seed=0, row=0)]
    [(False, False), (True, False), (False, True), (True, True)]
    """
    rng = np.random.default_rng((seed, row))
    views = [View(False, False, 1.0, 1.0)]
    for k in range(1, number):
        brightness, contrast = rng.uniform(0.8, 1.2, 2)
        views.append(View(bool(k & 1), bool(k & 2), float(brightness), float(contrast)))
    return views


def augmented_passes(
    run: str | Path,
    data: Dataset,
    *,
    views: int = 8,
    seed: int = 0,
    progress: Progress | None = None,
) -> Iterator[Pass]:
    """Answers of a trained model about views of each image, brought back to the image.

    Parameters
    ----------
    run, data, progress : as in `dropout_passes`.
    views : number of views, the image itself among them; the others are mirrored across, down or
        both, brighter or darker by up to a fifth, and so in contrast.
    seed : decides the tones.

    Raises `InputError` as `dropout_passes` does.
    """
    if views < 2:
        raise InputError(f"consistency needs two views or more, not {views}")
    model, recipe = load_run(run)
    model.eval()
    for batch in _one_by_one(model, data, recipe, progress, "asking about views"):
        shown = views_of(views, seed, int(batch["row"][0]))
        with torch_threads(recipe.trainer.threads), torch.inference_mode():
            found = _asked(model, _seen(batch, shown))
        unwarped = [view.unwarped(z) for view, z in zip(shown, found, strict=True)]
        yield from _answers(model, data, batch, unwarped)


def _seen(batch: Mapping[str, Any], views: list[View]) -> dict[str, Any]:
    """A batch of one image as a batch of its views."""
    image = batch["image"][0]
    size = (int(image.shape[-2]), int(image.shape[-1]))
    seen: dict[str, Any] = {"image": [view.of(image) for view in views]}
    if "boxes" in batch:
        seen["boxes"] = [view.boxes(batch["boxes"][0], size) for view in views]
        seen["labels"] = [batch["labels"][0]] * len(views)
    return seen


def _one_by_one(
    model: Any, data: Dataset, recipe: Recipe, progress: Progress | None, label: str
) -> Iterator[Mapping[str, Any]]:
    if model.task == "instance":
        refuse_other_classes(model, data)
    samples = Samples(
        data,
        model.task,
        model.classes,
        size=recipe.data.size,
        resize=recipe.data.resize,
        targets=model.task == "instance",
    )
    for done, batch in enumerate(in_order(samples, 1, workers=recipe.data.workers), start=1):
        yield batch
        if progress is not None:
            progress(label, done, len(data))


def _asked(model: Any, batch: Mapping[str, Any]) -> list[Tensor]:
    """Probabilities: of each image (C, H, W), or of the instances of each (n, 28, 28)."""
    images = list(batch["image"])
    if model.task == "instance":
        logits = model.mask_logits(images, batch["boxes"], batch["labels"])
        return [z.sigmoid() for z in logits]
    z = model(torch.stack(images))
    return list(z.sigmoid() if model.task == "binary" else z.softmax(1))


def _answers(
    model: Any, data: Dataset, batch: Mapping[str, Any], found: list[Tensor]
) -> Iterator[Pass]:
    """Each unit of a batch of one image with its probabilities, found in each pass."""
    passes = torch.stack(found).float().cpu().numpy()
    image_id = int(batch["image_id"][0])
    if model.task == "instance":
        ids = data.instances["instance_id"]
        for k, row in enumerate(batch["instance_rows"][0].tolist()):
            yield image_id, int(ids[row]), passes[:, k]
        return
    height, width = batch["geometry"][0].inner
    shown = passes[..., :height, :width]
    yield image_id, None, shown[:, 0] if model.task == "binary" else shown


def image_features(
    data: Dataset,
    encoder: str,
    *,
    weights: str | Path | None,
    mean: tuple[float, float, float] | None = None,
    std: tuple[float, float, float] | None = None,
    size: int = 224,
    batch_size: int = 16,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Features (n, d) of the images by an encoder: its deepest map, averaged over the image.

    Parameters
    ----------
    data : images; their masks are not looked at.
    encoder : a name that `paring.models.build_encoder` knows.
    weights : ``"hub"``, a safetensors file, or None for an encoder that was never trained.
    mean, std : of the images that the encoder was trained on; None for the usual ones.
    size : side in pixels that images are stretched to.

    Raises `InputError` as `build_encoder` does, and where an image cannot be read.
    """
    from paring.models import build_encoder

    torch.manual_seed(0)
    net = build_encoder(encoder, weights=weights, mean=mean, std=std).eval()
    samples = Samples(data, "binary", ["foreground"], size=(size, size), targets=False)
    parts = []
    done = 0
    for batch in in_order(samples, batch_size):
        with torch.inference_mode():
            parts.append(net(batch["image"])[-1].mean((2, 3)).numpy())
        done += len(batch["row"])
        if progress is not None:
            progress("computing features", done, len(data))
    return np.concatenate(parts) if parts else np.zeros((0, net.widths[-1]), np.float32)
