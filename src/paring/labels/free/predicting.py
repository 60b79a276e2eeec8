"""What a class-agnostic SOLOv2 finds in images, with an embedding of each thing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from paring.dataset.reading import Progress
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.evaluation.seen import resized
from paring.evaluation.threads import torch_threads
from paring.labels.free.finding import found_file
from paring.labels.free.found import Found, FreeLabels, gathered
from paring.labels.free.looking import seen_at
from paring.labels.trainings import device_of
from paring.models import load
from paring.models.calling import evaluating
from paring.models.solov2 import SoloModel
from paring.training.fitting import Fitting
from paring.training.resizing import Geometry
from paring.training.samples import Samples

Size = tuple[int, int]


def predict_free(
    model: SoloModel,
    data: Dataset,
    size: Size,
    *,
    folder: Path | None = None,
    threads: int | None = None,
    label: str = "predicting",
    progress: Progress | None = None,
) -> FreeLabels:
    """Things in the images of a data set, class-agnostic.

    Parameters
    ----------
    model : what `labels_from_images` trained; it stays in the mode that it is in.
    data : images; what is annotated is not looked at.
    size : (height, width) in pixels that images are stretched to.
    folder : keeps what is found in each image; a call with the same goes on from there.
    threads : of the processor that torch may use; None for its own choice.
    label, progress : called with the label, images done and images to do.

    Raises
    ------
    InputError
        Where the folder of the images is not known, or one cannot be read.
    """
    samples = Samples(data, "instance", model.classes, size=size, targets=False)
    found: dict[int, Found] = {}
    with torch.inference_mode(), evaluating(model), torch_threads(threads):
        for row, image_id in enumerate(data.images["image_id"]):
            file = None if folder is None else found_file(folder, image_id)
            if file is not None and file.is_file():
                found[image_id] = Found.load(file)
            else:
                sample = samples[row]
                one = found[image_id] = found_in(model, sample["image"], sample["geometry"])
                if file is not None:
                    one.save(file)
            if progress is not None:
                progress(label, row + 1, len(data))
    return gathered(data, found, model.solo.embedding)


def load_free(path: Path) -> SoloModel:
    """The network of a run, in evaluation mode, on a GPU where there is one.

    Raises `InputError` where the file is none of a network that was learnt from images alone.
    """
    if not path.is_file():
        raise InputError(
            f"{path.parent}: has no {path.name}; name a run of `paring labels from-images` that "
            "trained a network"
        )
    model = load(path)
    if not isinstance(model, SoloModel) or not model.solo.embedding:
        raise InputError(
            f"{path}: is a {model.name}, not a network that was learnt from images alone"
        )
    return model.eval().to(device_of(Fitting()))


def found_in(model: SoloModel, image: torch.Tensor, geometry: Geometry) -> Found:
    """What is found in a sample (3, H, W), at the size of its picture."""
    device = model.mean.device
    told = model.told([image.to(device)])
    one = model.detect(told, 0, image.shape[1:])
    assert told.embeddings is not None
    solid = resized(one["masks"], geometry.inner, geometry.original)[:, 0] >= 0.5
    there = solid.flatten(1).any(dim=1)
    scores = one["scores"][there]
    embeddings = F.normalize(told.embeddings[0, one["cells"][there]].float(), dim=1)
    return Found.of(solid[there], scores, scores, embeddings)


def best_mask(
    model: SoloModel, pixels: NDArray[np.uint8], size: Size, *, score: float
) -> NDArray[np.bool_] | None:
    """The best thing (h, w) in a crop (h, w, 3), or None where none reaches a score."""
    with torch.inference_mode(), evaluating(model):
        one = model([seen_at(pixels, size).to(model.mean.device)])[0]
        if not len(one["scores"]) or float(one["scores"][0]) < score:
            return None
        solid = resized(one["masks"][:1], size, (pixels.shape[0], pixels.shape[1]))[0, 0] >= 0.5
    return np.asarray(solid.cpu().numpy(), bool)
