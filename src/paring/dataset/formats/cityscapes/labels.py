"""The classes of Cityscapes, by the numbers and names that its files use."""

from __future__ import annotations

import numpy as np

from paring.dataset.labelmaps import VOID

SPAN = 1000
"""An instance has the value label x 1000 + number; a crowd region that of its label."""

INSTANCE_CLASSES = {
    24: "person",
    25: "rider",
    26: "car",
    27: "truck",
    28: "bus",
    31: "train",
    32: "motorcycle",
    33: "bicycle",
}
"""Label ids whose instances are told apart and evaluated."""

TRAIN_CLASSES = {
    7: "road",
    8: "sidewalk",
    11: "building",
    12: "wall",
    13: "fence",
    17: "pole",
    19: "traffic light",
    20: "traffic sign",
    21: "vegetation",
    22: "terrain",
    23: "sky",
} | INSTANCE_CLASSES
"""Label ids of the 19 classes that networks are trained on, in order of their train ids."""

OTHERS = frozenset(
    (
        *("unlabeled", "ego vehicle", "rectification border", "out of roi", "static", "dynamic"),
        *("ground", "parking", "rail track", "guard rail", "bridge", "tunnel", "polegroup"),
        *("caravan", "trailer"),
    )
)
"""Labels that are neither; their regions are painted, but belong to no class here."""

UNPAINTED = "license plate"
"""The one label that is not painted: what lies under it shows."""


def semantic_lookup() -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Train id (34,) of each label id, `VOID` for those that are not trained on."""
    lookup = np.full(max(TRAIN_CLASSES) + 1, VOID, np.int64)
    lookup[list(TRAIN_CLASSES)] = np.arange(len(TRAIN_CLASSES))
    return lookup


def value_of(label: str) -> tuple[int, bool] | None:
    """Label id of a polygon's label, and whether it is a crowd; 0 where it is no instance.

    None for a label that Cityscapes does not have.

    >>> value_of("car"), value_of("cargroup"), value_of("sky"), value_of("cra")
    ((26, False), (26, True), (0, False), None)
    """
    ids = {name: number for number, name in INSTANCE_CLASSES.items()}
    if label in ids:
        return ids[label], False
    if label in OTHERS or label in TRAIN_CLASSES.values():
        return 0, False
    single = label.removesuffix("group")
    if single != label and (known := value_of(single)) is not None:
        return known[0], True
    return None
