"""The table of models: every name, what it is for, and of what it is made. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Literal

from paring.errors import InputError
from paring.models.options import (
    BinaryOptions,
    DeepLabV3Options,
    DeepLabV3PlusOptions,
    MaskRCNNOptions,
    Options,
    PSPNetOptions,
    SemanticOptions,
    SoloOptions,
)

Task = Literal["instance", "semantic", "binary"]


@dataclass(frozen=True)
class Entry:
    """One model of the table.

    Attributes
    ----------
    task : what it predicts.
    architecture : what is built upon the encoder.
    encoder : name of the encoder, see `paring.models.encoders`.
    options : which options it takes.
    """

    task: Task
    architecture: str
    encoder: str
    options: type[Options]


TABLE: dict[str, Entry] = {
    "maskrcnn_resnet50_fpn": Entry("instance", "maskrcnn", "resnet50", MaskRCNNOptions),
    "maskrcnn_resnet101_fpn": Entry("instance", "maskrcnn", "resnet101", MaskRCNNOptions),
    "maskrcnn_resnext101_32x4d_fpn": Entry(
        "instance", "maskrcnn", "resnext101_32x4d", MaskRCNNOptions
    ),
    "maskrcnn_mobilenet_v2_fpn": Entry("instance", "maskrcnn", "mobilenet_v2", MaskRCNNOptions),
    "solov2_resnet50_fpn": Entry("instance", "solov2", "resnet50", SoloOptions),
    "solov2_resnet101_fpn": Entry("instance", "solov2", "resnet101", SoloOptions),
    "solov2_mobilenet_v2_fpn": Entry("instance", "solov2", "mobilenet_v2", SoloOptions),
    "deeplabv3_resnet50": Entry("semantic", "deeplabv3", "resnet50", DeepLabV3Options),
    "deeplabv3_resnet101": Entry("semantic", "deeplabv3", "resnet101", DeepLabV3Options),
    "deeplabv3_mobilenet_v2": Entry("semantic", "deeplabv3", "mobilenet_v2", DeepLabV3Options),
    "deeplabv3plus_resnet50": Entry("semantic", "deeplabv3plus", "resnet50", DeepLabV3PlusOptions),
    "deeplabv3plus_resnet101": Entry(
        "semantic", "deeplabv3plus", "resnet101", DeepLabV3PlusOptions
    ),
    "deeplabv3plus_mobilenet_v2": Entry(
        "semantic", "deeplabv3plus", "mobilenet_v2", DeepLabV3PlusOptions
    ),
    "pspnet_resnet50": Entry("semantic", "pspnet", "resnet50", PSPNetOptions),
    "pspnet_resnet101": Entry("semantic", "pspnet", "resnet101", PSPNetOptions),
    "pspnet_mobilenet_v2": Entry("semantic", "pspnet", "mobilenet_v2", PSPNetOptions),
    "unet_resnet50": Entry("semantic", "unet", "resnet50", SemanticOptions),
    "unet_resnet101": Entry("semantic", "unet", "resnet101", SemanticOptions),
    "unet_mobilenet_v2": Entry("semantic", "unet", "mobilenet_v2", SemanticOptions),
    "segformer_resnet50": Entry("semantic", "segformer", "resnet50", SemanticOptions),
    "segformer_resnet101": Entry("semantic", "segformer", "resnet101", SemanticOptions),
    "segformer_mobilenet_v2": Entry("semantic", "segformer", "mobilenet_v2", SemanticOptions),
    "cascade_pvt_v2_b2": Entry("binary", "cascade", "pvt_v2_b2", BinaryOptions),
    "cascade_resnet50": Entry("binary", "cascade", "resnet50", BinaryOptions),
    "cascade_mobilenet_v2": Entry("binary", "cascade", "mobilenet_v2", BinaryOptions),
    "emcad_pvt_v2_b2": Entry("binary", "emcad", "pvt_v2_b2", BinaryOptions),
    "emcad_resnet50": Entry("binary", "emcad", "resnet50", BinaryOptions),
    "emcad_mobilenet_v2": Entry("binary", "emcad", "mobilenet_v2", BinaryOptions),
}


def names(pattern: str = "*", *, task: str | None = None) -> list[str]:
    """Names of models that fit a wildcard pattern and are for a task, in the table's order.

    >>> names("*_mobilenet_v2", task="binary")
    ['cascade_mobilenet_v2', 'emcad_mobilenet_v2']
    """
    tasks = ("instance", "semantic", "binary")
    if task is not None and task not in tasks:
        raise InputError(f"task {task!r} is not known; it is one of {', '.join(tasks)}")
    return [
        name
        for name, entry in TABLE.items()
        if fnmatchcase(name, pattern) and task in (None, entry.task)
    ]


def task_of(name: str) -> str:
    """What a model is for: ``"instance"``, ``"semantic"`` or ``"binary"``.

    >>> task_of("maskrcnn_resnet50_fpn")
    'instance'
    """
    return entry_of(name).task


def entry_of(name: str) -> Entry:
    """The table's entry of a name; `InputError` suggests the nearest of the names there are.

    >>> entry_of("emcad_resnet50").encoder
    'resnet50'
    """
    if name not in TABLE:
        raise InputError(f"model {name!r} is not known; {suggestion(name, list(TABLE))}")
    return TABLE[name]


def suggestion(given: str, known: Sequence[str]) -> str:
    """Words that point from a wrong name to the nearest of those there are.

    >>> suggestion("resnet5", ["resnet50", "pvt_v2_b2"])
    'did you mean resnet50?'
    >>> suggestion("xyz", ["resnet50", "pvt_v2_b2"])
    'there are resnet50, pvt_v2_b2'
    """
    near = get_close_matches(given, known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
