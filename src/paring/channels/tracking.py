"""Redundancy of a network's channels gathered while it runs (SIRFP, Eq. 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from paring.channels.groups import Group
from paring.channels.redundancy import (
    Distribution,
    Metric,
    Resolution,
    check_names,
    pairwise_redundancy,
)
from paring.channels.structure import Structure, find_structure
from paring.channels.tracing import NORMS, Forward, call
from paring.errors import InputError
from paring.models.calling import evaluating
from paring.models.cuts import Cuts
from paring.training.moving import moved

DECAY = 0.99


@dataclass(eq=False)
class _Average:
    """Moving average of the edge weights of a layer, those above the diagonal alone.

    Attributes
    ----------
    half : (C(C-1)/2,), on the device of the features; not yet corrected for its start at 0.
    channels, times : C, and how many batches are in it.
    """

    half: Tensor
    channels: int
    times: int = 0

    def add(self, weights: Tensor, decay: float) -> None:
        """One batch more, of weights (C, C)."""
        row, column = torch.triu_indices(
            self.channels, self.channels, offset=1, device=weights.device
        )
        self.half = self.half.to(weights.device)
        self.half.mul_(decay).add_(weights[row, column], alpha=1 - decay)
        self.times += 1

    def matrix(self, decay: float) -> NDArray[np.float64]:
        """The average (C, C), in double precision, with zeros on the diagonal."""
        out = np.zeros((self.channels, self.channels))
        row, column = np.triu_indices(self.channels, 1)
        out[row, column] = self.half.cpu().numpy()
        out += out.T
        return out / (1 - decay**self.times)

    def without(self, kept: NDArray[np.intp]) -> _Average:
        """That of the channels that stay."""
        n = self.channels
        row, column = (kept[k] for k in np.triu_indices(len(kept), 1))
        place = row * n - row * (row + 1) // 2 + column - row - 1
        half = self.half[torch.from_numpy(place).to(self.half.device)]
        return _Average(half, len(kept), self.times)


@dataclass(eq=False)
class Tracker:
    """What `track` gives; it listens until `close`, or to the end of its ``with``.

    Attributes
    ----------
    structure : of the network that it listens to.
    """

    structure: Structure
    metric: Metric
    distribution: Distribution
    resolution: Resolution
    decay: float
    every: int
    always: bool
    _averages: dict[str, _Average] = field(default_factory=dict)
    _passes: dict[str, int] = field(default_factory=dict)
    _single: set[str] = field(default_factory=set)
    _handles: list[Any] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening; what was gathered stays."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def listen(self, model: nn.Module) -> None:
        """Listen to the network of the structure, at the width that it has now."""
        self.close()
        for layer in dict.fromkeys(maker for g in self.structure.groups for maker in g.makers):
            last = isinstance(model.get_submodule(layer), nn.Linear)
            place = model.get_submodule(self.structure.norms.get(layer, layer))
            # a norm with its activation inside, as timm has it, is heard before that
            act = getattr(place, "act", None) if isinstance(place, NORMS) else None
            if isinstance(act, nn.Module):
                self._handles.append(act.register_forward_pre_hook(self._before(layer, last)))
            else:
                self._handles.append(place.register_forward_hook(self._behind(layer, last)))

    def edge_weights(self, group: Group) -> NDArray[np.float64] | None:
        """Edge weights between the units of a group (n, n), zero on the diagonal.

        The mean over the layers that make its channels, and over the channels of a unit; None where
        nothing was gathered of it. Maps of a single pixel count where there are no others.
        """
        makers = [layer for layer in group.makers if layer in self._averages]
        makers = [layer for layer in makers if layer not in self._single] or makers
        if not makers:
            return None
        total = np.zeros((group.size, group.size))
        for layer in makers:
            matrix, places = self._averages[layer].matrix(self.decay), group.places_out(layer)
            for part in places.T:
                total += matrix[np.ix_(part, part)] / (places.shape[1] * len(makers))
        return total

    def times(self, group: Group) -> int:
        """How many batches are in the averages of a group, the fewest of its layers."""
        found = [a.times for k, a in self._averages.items() if k in group.makers]
        return min(found, default=0)

    def cut(self, structure: Structure, cuts: Cuts, *, restart: bool = False) -> None:
        """Go on with the network that `cuts` leave, of that structure; call `listen` after it.

        The averages are sliced and go on, or begin anew by `restart`.
        """
        self.structure = structure
        kept = {layer: sides["out"].places for layer, sides in cuts.items() if "out" in sides}
        averages = {} if restart else self._averages
        self._averages = {
            layer: average.without(kept[layer]) if layer in kept else average
            for layer, average in averages.items()
        }

    def state_dict(self) -> dict[str, Any]:
        """What was gathered, to go on with in another process."""
        return {
            "averages": {
                layer: {"half": a.half.cpu(), "channels": a.channels, "times": a.times}
                for layer, a in self._averages.items()
            },
            "passes": dict(self._passes),
            "single": sorted(self._single),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with what was gathered."""
        self._averages = {layer: _Average(**a) for layer, a in state["averages"].items()}
        self._passes = dict(state["passes"])
        self._single = set(state["single"])

    def _behind(self, layer: str, last: bool) -> Callable[..., None]:
        return lambda _, __, out: self._hear(layer, out, last)

    def _before(self, layer: str, last: bool) -> Callable[..., None]:
        return lambda _, given: self._hear(layer, given[0], last)

    def _hear(self, layer: str, features: Any, last: bool) -> None:
        """Gather the features of one pass, whose channels come second or last, if this counts."""
        if not (self.always or torch.is_grad_enabled()) or not isinstance(features, Tensor):
            return
        passed = self._passes.get(layer, 0)
        self._passes[layer] = passed + 1
        if passed % self.every:
            return
        maps = _as_maps(features.detach(), last)
        resolution = self.resolution
        if maps.shape[2] * maps.shape[3] == 1:
            if len(maps) < 2:
                return  # neither space nor images to compare over
            self._single.add(layer)
            resolution = "vector"
        with torch.no_grad(), torch.autocast(maps.device.type, enabled=False):
            try:
                redundancy = pairwise_redundancy(
                    maps, metric=self.metric, distribution=self.distribution, resolution=resolution
                )
            except InputError as error:
                raise InputError(f"layer {layer}: {error}") from error
            channels = len(redundancy)
            if layer not in self._averages:
                half = redundancy.new_zeros(channels * (channels - 1) // 2)
                self._averages[layer] = _Average(half, channels)
            average = self._averages[layer]
            if average.channels != channels:
                raise InputError(
                    f"layer {layer} gives {channels} channels where {average.channels} were "
                    "gathered; the network was cut without its tracker"
                )
            average.add(1 - redundancy, self.decay)


def track(
    model: nn.Module,
    structure: Structure,
    *,
    metric: Metric = "js",
    distribution: Distribution = "l1",
    resolution: Resolution = "full",
    decay: float = DECAY,
    every: int = 1,
    always: bool = False,
) -> Tracker:
    """Gather the redundancy of a network's channels from each pass of its training.

    It listens to each layer that makes channels which may go: to what its batch norm gives, before
    the activation, or to the layer itself where no norm follows. With r the redundancy of two
    channels on a batch, the weight of their edge is the moving average (Eq. 4)::

        a <- decay * a + (1 - decay) * (1 - r),    divided by 1 - decay^t after t batches

    kept on the device of the features, half of each symmetric matrix. The division, which the paper
    does not have, makes up for the start at 0.

    Parameters
    ----------
    model, structure : a network and what `find_structure` says of it.
    metric, distribution, resolution : see `pairwise_redundancy`. Maps of a single pixel, as in
        squeeze-and-excitation, are compared over the images of the batch.
    decay : of the average, 0 to below 1.
    every : only each n-th pass of a layer is measured.
    always : also passes without gradients, which else are taken to be validation.

    Returns
    -------
    Tracker
        `make_plan` takes it as `scores`. Its `close` ends the listening.

    References
    ----------
    Structural Pruning via Spatial-aware Information Redundancy for Semantic Segmentation, Eq. 4.

    Example
    -------
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1))
    >>> found = find_structure(net, torch.rand(1, 3, 8, 8))
    >>> with track(net, found) as tracker:
    ...     loss = net(torch.rand(2, 3, 8, 8)).sum()  # and so on
    >>> tracker.edge_weights(found.groups[0]).shape, tracker.times(found.groups[0])
    ((4, 4), 1)
    """
    check_names(metric, distribution, resolution)
    if not 0 <= decay < 1:
        raise InputError(f"decay {decay:g} cannot be; it is 0 or more and below 1")
    if every < 1:
        raise InputError(f"every {every} cannot be; it is 1 or more")
    tracker = Tracker(structure, metric, distribution, resolution, decay, every, always)
    tracker.listen(model)
    return tracker


def calibrate(
    model: nn.Module,
    loader: Iterable[Any],
    *,
    batches: int = 64,
    structure: Structure | None = None,
    forward: Forward | None = None,
    metric: Metric = "js",
    distribution: Distribution = "l1",
    resolution: Resolution = "full",
    decay: float = DECAY,
) -> Tracker:
    """Gather the redundancy of a trained network's channels from some batches, without training.

    The network runs in evaluation mode, without gradients, and is afterwards as it was.

    Parameters
    ----------
    model : any module.
    loader : gives batches: tensors, sequences whose first is the images, or dicts that have them as
        ``image`` or ``images``.
    batches : how many to take at most.
    structure : what `find_structure` says of the model; None finds it on the first batch.
    forward : how the model is run on a batch, ``forward(model, batch)``, where it is not called
        with its images.
    metric, distribution, resolution, decay : see `track`.

    Raises
    ------
    InputError
        Where the loader gives nothing, or a batch holds no images.

    Example
    -------
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1))
    >>> scores = calibrate(net, [torch.rand(2, 3, 8, 8) for _ in range(3)])
    >>> scores.times(scores.structure.groups[0])
    3
    """
    if batches < 1:
        raise InputError(f"batches {batches} cannot be; it is 1 or more")
    run: Forward = forward or (lambda model, batch: call(model, images_of(batch)))
    tracker: Tracker | None = None
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    try:
        for batch in islice(loader, batches):
            batch = moved(batch, device)
            if tracker is None:
                found = structure or find_structure(model, batch, forward=run)
                tracker = track(
                    model, found, metric=metric, distribution=distribution,
                    resolution=resolution, decay=decay, always=True,
                )  # fmt: skip
            with evaluating(model), torch.no_grad():
                run(model, batch)
    finally:
        if tracker is not None:
            tracker.close()
    if tracker is None:
        raise InputError("the loader gives no batch to calibrate on")
    return tracker


def images_of(batch: Any) -> Any:
    """The images of a batch of a data loader.

    >>> images_of({"image": 1, "target": 2}), images_of([3, 4])
    (1, 3)
    """
    if isinstance(batch, Mapping):
        for name in ("image", "images"):
            if name in batch:
                return batch[name]
        raise InputError(
            f"a batch has {', '.join(map(str, batch))} and no image; say how the model is run on "
            "it (forward)"
        )
    return batch[0] if isinstance(batch, list | tuple) else batch


def _as_maps(features: Tensor, last: bool) -> Tensor:
    """Features (B, C, ...), or (B, ..., C) where channels are the last, as (B, C, H, W)."""
    first = features.movedim(-1, 1) if last else features
    if first.ndim == 4:
        return first
    return first[..., None, None] if first.ndim == 2 else first.flatten(2)[:, :, None]


__all__ = ["DECAY", "Tracker", "calibrate", "images_of", "track"]
