from typing import Any

import msgspec
import pytest

from paring.errors import InputError
from paring.models.options import (
    BinaryOptions,
    DeepLabV3Options,
    DeepLabV3PlusOptions,
    MaskRCNNOptions,
    PSPNetOptions,
    SemanticOptions,
    read_options,
)


def test_without_any_given_the_defaults_stand() -> None:
    assert read_options(BinaryOptions, {}, model="m") == BinaryOptions(output="last")
    assert read_options(SemanticOptions, {}, model="m").aux
    strides = [kind().output_stride for kind in (DeepLabV3Options, PSPNetOptions)]
    assert (strides, DeepLabV3PlusOptions().output_stride) == ([8, 8], 16)


def test_options_survive_json() -> None:
    given = read_options(
        MaskRCNNOptions, {"anchor_sizes": [[8], [16], [32], [64, 90], [128]]}, model="m"
    )
    text = msgspec.json.encode(given)
    assert read_options(MaskRCNNOptions, msgspec.json.decode(text), model="m") == given
    assert given.anchor_sizes[3] == (64.0, 90.0)


@pytest.mark.parametrize(
    ("kind", "given", "words"),
    [
        (BinaryOptions, {"output": "first"}, r"m: Invalid enum value 'first'.*output"),
        (SemanticOptions, {"aux": 1}, r"m: Expected `bool`, got `int`.*aux"),
        (DeepLabV3Options, {"output_stride": 32}, "output_stride"),
        (PSPNetOptions, {"dropout": 1.0}, r"< 1.*dropout"),
        (MaskRCNNOptions, {"detections": 0}, r">= 1.*detections"),
        (MaskRCNNOptions, {"trainable_layers": 6}, r"<= 5.*trainable_layers"),
        (MaskRCNNOptions, {"anchor_sizes": [[8], [16]]}, "anchor_sizes"),
        (MaskRCNNOptions, {"anchor_sizes": [[8], [16], [32], [64], [-1]]}, "anchor_sizes"),
        (MaskRCNNOptions, {"aspect_ratios": []}, "aspect_ratios"),
        (MaskRCNNOptions, {"detections": object()}, "options of model m"),
    ],
)
def test_a_wrong_value_is_refused_with_its_option(
    kind: Any, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        read_options(kind, given, model="m")


def test_an_unknown_option_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="m has no option 'stride'; its options are output$"):
        read_options(BinaryOptions, {"stride": 8}, model="m")
