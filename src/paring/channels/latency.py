"""Where the milliseconds of a network go, as a device has measured it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from paring.channels.costs import CostModel
from paring.errors import InputError


class _Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed of the file of a measurement; it holds more."""

    ms: float
    layers: dict[str, float]


@dataclass(frozen=True, eq=False)
class Latency:
    """Milliseconds of a network on one image.

    Attributes
    ----------
    total : of the whole network.
    layers : of single layers, by their path in the model; the rest is taken to be fixed.
    """

    total: float
    layers: Mapping[str, float]

    @classmethod
    def load(cls, path: str | Path) -> Latency:
        """From the JSON that `paring channels measure` wrote on the device.

        Raises
        ------
        InputError
            Naming a file that is something else.
        """
        try:
            read = msgspec.json.decode(Path(path).read_bytes(), type=_Measured)
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error
        except msgspec.DecodeError as error:
            raise InputError(
                f"{path}: is not what `paring channels measure` writes ({error})"
            ) from error
        return cls(read.ms, read.layers)

    def fit(self, costs: CostModel) -> None:
        """Raise `InputError` where hardly any layer of a network was measured."""
        known = {
            path for path, area in zip(costs.layers, costs.by_area, strict=True) if area
        } & self.layers.keys()
        if not known:
            raise InputError(
                "the latency is of another network: none of its layers is one of the model "
                f"({', '.join(list(self.layers)[:3]) or 'it has none'})"
            )

    def predicted(self, costs: CostModel) -> Callable[[NDArray[Any]], float]:
        """Milliseconds without so many units of each group: a layer's go with its MACs."""
        whole = costs.layer_macs(np.zeros(len(costs.sizes)))
        times = np.array([self.layers.get(path, 0.0) for path in costs.layers])
        rate = np.divide(times, whole, out=np.zeros_like(times), where=whole > 0)
        fixed = self.total - float(rate @ whole)
        return lambda removed: fixed + float(rate @ costs.layer_macs(removed))
