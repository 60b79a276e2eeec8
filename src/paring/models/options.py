"""The options that each architecture takes, their defaults and what they may be. No torch here."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from paring.errors import InputError

Count = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0, lt=1)]
Pixels = Annotated[float, Meta(gt=0)]
Layers = Annotated[int, Meta(ge=0, le=5)]
Ratios = Annotated[tuple[Pixels, ...], Meta(min_length=1)]
Grids = tuple[Count, Count, Count, Count, Count]
Range = tuple[Pixels, Pixels]
Ranges = tuple[Range, Range, Range, Range, Range]
Sizes = tuple[Ratios, Ratios, Ratios, Ratios, Ratios]

_T = TypeVar("_T", bound="Options")


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every architecture's options share: they are checked by name and type."""


class LearningOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of every model of instances.

    Attributes
    ----------
    trainable_layers : how many of the encoder's five layers learn, counted from the deepest.
    frozen_norm : batch norm of the encoder neither learns nor follows the batch; for weights that
        were trained, and for batches of few images.
    """

    trainable_layers: Layers = 5
    frozen_norm: bool = False


class MaskRCNNOptions(LearningOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of Mask R-CNN.

    Attributes
    ----------
    anchor_sizes : side lengths of the anchors in pixels at the five levels of the pyramid.
    aspect_ratios : height over width of the anchors, the same at every level.
    anchors_per_image, rois_per_image : how many anchors and boxes the losses are sampled from.
    proposals_in_training, proposals : how many boxes of an image the region proposals hand on.
    detections : how many detections of an image are given at most.
    score_threshold, nms : the least score of a detection, and the overlap at which the weaker of
        two of a class is dropped.
    fpn_channels, box_width, mask_width : widths of the feature pyramid, of the two layers that
        tell boxes, and of the five that draw masks.
    """

    anchor_sizes: Sizes = ((32.0,), (64.0,), (128.0,), (256.0,), (512.0,))
    aspect_ratios: Ratios = (0.5, 1.0, 2.0)
    anchors_per_image: Count = 256
    rois_per_image: Count = 512
    proposals_in_training: Count = 2000
    proposals: Count = 1000
    detections: Count = 100
    score_threshold: Share = 0.05
    nms: Annotated[float, Meta(gt=0, le=1)] = 0.5
    fpn_channels: Count = 256
    box_width: Count = 1024
    mask_width: Count = 256


class SoloOptions(LearningOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of SOLOv2.

    Attributes
    ----------
    grids : cells a side that tell instances at the five levels of the pyramid.
    ranges : least and largest scale of the instances of each level, the root of the area of the
        box, in pixels.
    centre : share of the box about the centre of mass whose cells tell the instance.
    fpn_channels, head_width, mask_width : widths of the feature pyramid, of the layers that tell
        instances, and of the features of masks, which is that of the kernels.
    head_layers : how many layers tell instances.
    embedding : numbers of a description of each instance, 0 for none.
    dice : weight of the loss of the masks.
    detections : how many detections of an image are given at most.
    candidates : how many cells of an image are asked for their mask at most.
    score_threshold : least score of a cell that is asked, before its mask is known.
    kept_score : least score of a detection, after suppression.
    least_area : pixels that a mask at stride 4 must exceed, as a share of the stride of its level;
        the published 1 is for images of 800 pixels, and loses what is small in smaller ones.
    """

    grids: Grids = (40, 36, 24, 16, 12)
    ranges: Ranges = (
        (1.0, 96.0),
        (48.0, 192.0),
        (96.0, 384.0),
        (192.0, 768.0),
        (384.0, 2048.0),
    )
    centre: Annotated[float, Meta(gt=0, le=1)] = 0.2
    fpn_channels: Count = 256
    head_width: Count = 512
    mask_width: Count = 256
    head_layers: Count = 4
    embedding: Annotated[int, Meta(ge=0)] = 0
    dice: Pixels = 3.0
    detections: Count = 100
    candidates: Count = 500
    score_threshold: Share = 0.1
    kept_score: Share = 0.05
    least_area: Annotated[float, Meta(ge=0)] = 1.0


class SemanticOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of every semantic architecture.

    Attributes
    ----------
    aux : a second, small head on the encoder's fourth feature, used in training only.
    """

    aux: bool = True


class DeepLabV3Options(SemanticOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of DeepLabV3: the stride of the deepest feature, and dropout behind the pyramid."""

    output_stride: Literal[8, 16] = 8
    dropout: Share = 0.5


class DeepLabV3PlusOptions(DeepLabV3Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of DeepLabV3+: as DeepLabV3, at stride 16."""

    output_stride: Literal[8, 16] = 16


class PSPNetOptions(DeepLabV3Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of PSPNet: as DeepLabV3, with less dropout."""

    dropout: Share = 0.2


class BinaryOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of CASCADE and EMCAD.

    Attributes
    ----------
    output : the final logits are those of the finest stage (``"last"``), or the sum of all four.
    """

    output: Literal["last", "sum"] = "last"


def read_options(kind: type[_T], given: dict[str, Any], *, model: str) -> _T:
    """Check what was given against the options of a model.

    Raises `InputError` that names the model, the option and what it may be.

    >>> read_options(BinaryOptions, {"output": "sum"}, model="emcad_pvt_v2_b2")
    BinaryOptions(output='sum')
    """
    known = [field.name for field in msgspec.structs.fields(kind)]
    for key in given:
        if key not in known:
            raise InputError(
                f"model {model} has no option {key!r}; its options are {', '.join(known)}"
            )
    try:
        return msgspec.convert(msgspec.to_builtins(given), kind)
    except (msgspec.ValidationError, TypeError) as error:
        raise InputError(f"options of model {model}: {error}") from error
