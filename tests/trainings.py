"""Small data sets and recipes that train in seconds."""

from __future__ import annotations

from pathlib import Path

import paring

SIZE = (64, 96)

NARROW = {
    "anchor_sizes": [[8], [16], [24], [32], [48]],
    "fpn_channels": 32,
    "box_width": 64,
    "mask_width": 32,
    "rois_per_image": 16,
    "proposals_in_training": 50,
    "proposals": 50,
    "detections": 20,
}
"""Options of a Mask R-CNN that two cores can train in a test."""

NARROW_SOLO = {
    "grids": [8, 8, 6, 4, 2],
    "ranges": [[1, 24], [12, 48], [24, 96], [48, 192], [96, 512]],
    "fpn_channels": 32,
    "head_width": 32,
    "head_layers": 1,
    "mask_width": 16,
    "detections": 20,
    "least_area": 0.0,
}
"""The same of a SOLOv2."""


def make_scenes(folder: Path, n: int = 12, *, seed: int = 0, name: str = "scenes") -> Path:
    """Scenes with their images in a folder; gives the annotation file."""
    data = paring.scenes(n, seed=seed, size=SIZE, folder=folder / f"{name}-images")
    file = folder / f"{name}.json"
    data.write(file, format="coco")
    return file


def tiny(train: Path, val: Path | None = None, model: str = "unet_mobilenet_v2", **sections: dict):
    """A recipe that two cores finish in a second or two; sections add to or replace its own."""
    from paring.training.recipe import load_recipe

    wished = {
        "data": {
            "train": {"path": train, "images": train.with_name(f"{train.stem}-images")},
            "val": val and {"path": val, "images": val.with_name(f"{val.stem}-images")},
            "size": [64, 64],
            "batch_size": 4,
            "workers": 0,
        },
        "optimiser": {"lr": 0.002},
        "trainer": {"epochs": 2, "accelerator": "cpu"},
        "log": {"every": 1, "tensorboard": False},
        "augment": {"flip": 0.5},
    }
    options = sections.pop("options", {})
    for section, values in sections.items():
        wished.setdefault(section, {}).update(values)
    if model.startswith("maskrcnn"):
        options = {**NARROW, **options}
    if model.startswith("solov2"):
        options = {**NARROW_SOLO, **options}
    lines = [f"{s}.{k}={_yaml(v)}" for s, keys in wished.items() for k, v in keys.items()]
    lines += [f"options.{k}={_yaml(v)}" for k, v in options.items()]
    base = train.with_name("tiny.yaml")
    base.write_text(f"model: {model}\n", encoding="utf-8")
    return load_recipe(base, lines)


def _yaml(value: object) -> str:
    import json

    return json.dumps(value, default=str)
