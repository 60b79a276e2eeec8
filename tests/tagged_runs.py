"""A run of learning from tags as its files say it, without any training."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np

import paring
from paring.dataset import rle
from paring.labels.tags.examples import FILE, Example, Peak, Shape


def tagged_at(folder: Path, *, images: int = 14, quality: bool = True) -> Path:
    """A run on generated scenes: what is annotated stands for what was found."""
    data = paring.scenes(images, seed=0, folder=folder / "photos")
    names = dict(data.categories.select("category_id", "name").iter_rows())
    texts = data.masks.to_rle()
    codes = rle.encode_text(texts.counts, texts.count_offsets)
    owner = data.instances["image_id"].to_numpy()
    categories = data.instances["category_id"].to_list()
    examples = []
    for image_id, file_name, wide, high in data.images.select(
        "image_id", "file_name", "width", "height"
    ).iter_rows():
        rows = np.flatnonzero(owner == image_id).tolist()
        shapes = [Shape(names[categories[k]], 0.5, (high, wide), codes[k].decode()) for k in rows]
        tags = sorted({one.tag for one in shapes})
        seeds = [Shape("", None, one.size, one.counts) for one in shapes[:3]]
        peaks = [Peak(tag, 0.25, 0.75) for tag in tags]
        examples.append(
            Example(image_id, file_name, wide, high, tags, peaks, seeds, shapes[:2], shapes)
        )
    run = folder / "run"
    run.mkdir()
    (run / FILE).write_bytes(msgspec.json.encode(examples))
    tags = [
        {"tag": name, "images": k + 1, "pseudo_labels": k, "images_labelled": min(k, 3)}
        for k, name in enumerate(names.values())
    ]
    facts = {
        "method": "from-tags",
        "images": images,
        "proposals": 150 * images,
        "predictions": 90,
        "pseudo_labels": 28,
        "tags": tags,
        "seconds_of": {"proposals": 12.3, "network": 40.0},
        "quality": {"mAP50": 0.25} if quality else {},
        "dataset": {"image_root": str(folder / "photos"), "fingerprint": "f" * 32},
    }
    (run / "run.json").write_text(json.dumps(facts))
    return run
