"""Names of weights: from one library's layout of an encoder to that of another. No torch here."""

from __future__ import annotations

from collections.abc import Callable, Iterable

CLASSIFIERS = ("classifier.", "fc.", "head.", "head_dist.")
_STAGES = (1, 2, 3, 4, 3, 3, 1)  # MobileNetV2: inverted residual blocks per stage

_WRAPPERS = (
    "module.",
    "teacher.",
    "module.",
    "encoder_q.",
    "base_encoder.",
    "backbone.",
    "encoder.",
    "model.",
)
"""Parts that an encoder lies in, from the outermost."""

_INNER = "model."

Layout = Callable[[str], str | None]


def layouts_of(own: Iterable[str]) -> list[Layout]:
    """How the keys of a file may become those of an encoder, the likeliest first.

    A layout gives the encoder's key for a file's key, or None for weights that belong to a part
    which the encoder does not have, such as the classifier.

    Parameters
    ----------
    own : the keys of the encoder, which tell what it is.
    """
    keys = set(own)
    if "conv_stem.weight" in keys:
        return [_as_is, _mobilenet(to_timm=True)]
    if "features.0.0.weight" in keys:
        return [_as_is, _mobilenet(to_timm=False)]
    if "stages_0.norm.weight" in keys:
        return [_as_is, _flat_stages]
    if all(key.startswith(_INNER) for key in keys):
        return [_as_is, _inner]
    return [_as_is]


def _inner(key: str) -> str | None:
    """A transformer of timm that gives features keeps the whole one within, without its end.

    >>> _inner("blocks.0.norm1.weight"), _inner("norm.weight")
    ('model.blocks.0.norm1.weight', None)
    """
    if key.startswith("norm."):
        return None
    plain = _as_is(key)
    return None if plain is None else _INNER + plain


def unwrapped(keys: Iterable[str]) -> dict[str, str]:
    """Keys of an encoder within the network that a self-supervised training saves, stripped.

    Of MoCo that is the query encoder, of DINO the teacher's backbone, of DenseCL and others the
    backbone; what lies beside it (heads, key encoder, queue) is left out.

    Returns
    -------
    dict
        The file's key of each encoder's key.

    >>> unwrapped(["module.encoder_q.conv1.bias", "module.encoder_k.conv1.bias", "module.queue"])
    {'conv1.bias': 'module.encoder_q.conv1.bias'}
    """
    found = {key: key for key in keys}
    for wrapper in _WRAPPERS:
        inside = {
            key.removeprefix(wrapper): whole
            for key, whole in found.items()
            if key.startswith(wrapper)
        }
        found = inside or found
    return found


def _as_is(key: str) -> str | None:
    """The encoder's own layout; timm's and torchvision's of ResNet are one.

    >>> _as_is("layer1.0.conv1.weight"), _as_is("fc.weight")
    ('layer1.0.conv1.weight', None)
    """
    return None if key.startswith(CLASSIFIERS) else key


def _flat_stages(key: str) -> str | None:
    """A whole model of timm has ``stages.0.``, its features ``stages_0.``.

    >>> _flat_stages("stages.3.norm.bias")
    'stages_3.norm.bias'
    """
    if key.startswith("stages."):
        return "stages_" + key.removeprefix("stages.")
    return _as_is(key)


def _mobilenet(*, to_timm: bool) -> Layout:
    """Between torchvision's and timm's layout of MobileNetV2."""
    pairs = _mobilenet_modules()
    renamed = pairs if to_timm else {timm: vision for vision, timm in pairs.items()}

    def rename(key: str) -> str | None:
        module, _, leaf = key.rpartition(".")
        return f"{renamed[module]}.{leaf}" if module in renamed else _as_is(key)

    return rename


def _mobilenet_modules() -> dict[str, str]:
    """Modules of MobileNetV2, from torchvision's name to timm's.

    >>> modules = _mobilenet_modules()
    >>> modules["features.1.conv.1"], modules["features.2.conv.1.0"], len(modules)
    ('blocks.0.0.conv_pw', 'blocks.1.0.conv_dw', 104)
    """
    modules = {
        "features.0.0": "conv_stem",
        "features.0.1": "bn1",
        "features.18.0": "conv_head",
        "features.18.1": "bn2",
    }
    number = 1
    for stage, blocks in enumerate(_STAGES):
        for block in range(blocks):
            vision, timm = f"features.{number}.conv", f"blocks.{stage}.{block}"
            parts = ("dw", "pw") if stage == 0 else ("pw", "dw", "pwl")
            last = len(parts) - 1
            for place, part in enumerate(parts):
                # in torchvision the last convolution and its norm are not a pair of their own
                conv, norm = (
                    (f"{place}", f"{place + 1}") if place == last else (f"{place}.0", f"{place}.1")
                )
                modules[f"{vision}.{conv}"] = f"{timm}.conv_{part}"
                modules[f"{vision}.{norm}"] = f"{timm}.bn{place + 1}"
            number += 1
    return modules
