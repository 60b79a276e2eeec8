"""A run of learning from images alone as its files say it, without any training."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np

import paring
from paring.dataset import rle
from paring.labels.examples import Shape
from paring.labels.free.examples import FILE, THING, FreeExample


def freed_at(
    folder: Path, *, images: int = 14, stage: str = "trained", quality: bool = True
) -> Path:
    """A run on generated scenes: what is annotated stands for what was found."""
    data = paring.scenes(images, seed=0, folder=folder / "photos")
    texts = data.masks.to_rle()
    codes = rle.encode_text(texts.counts, texts.count_offsets)
    owner = data.instances["image_id"].to_numpy()
    trained = stage == "trained"
    examples = []
    for place, (image_id, name, wide, high) in enumerate(
        data.images.select("image_id", "file_name", "width", "height").iter_rows()
    ):
        rows = np.flatnonzero(owner == image_id).tolist()
        shapes = [Shape(THING, 0.5, (high, wide), codes[k].decode()) for k in rows]
        examples.append(
            FreeExample(
                image_id,
                name,
                wide,
                high,
                round(1 - place / images, 3),
                shapes[:2],
                shapes[:3] if trained else [],
                shapes,
                shapes[:1] if trained and place % 2 else [],
            )
        )
    run = folder / "run"
    run.mkdir()
    (run / FILE).write_bytes(msgspec.json.encode(examples))
    facts = {
        "method": "from-images",
        "stage": stage,
        "images": images,
        "free_masks": 100 * images,
        "updated": 33 if trained else None,
        "exemplars": 7 if trained else None,
        "active": 0.125 if trained else None,
        "predictions": 90 if trained else 100 * images,
        "pseudo_labels": 28,
        "images_labelled": 12,
        "seconds_of": {"masks": 12.3, "first": 40.0} if trained else {"masks": 12.3},
        "quality": {"AP50": 0.25} if quality else {},
        "dataset": {"image_root": str(folder / "photos"), "fingerprint": "f" * 32},
    }
    (run / "run.json").write_text(json.dumps(facts))
    return run
