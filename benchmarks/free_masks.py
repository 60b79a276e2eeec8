"""Free masks beside their simplest rivals on real pictures, and what batches and losses take.

Run with the folder that holds ``coco160/``, ``dsb2018/``, ``kvasir/`` and ``weights/``:

    python benchmarks/free_masks.py measure DATA WORK [--sets coco160 nuclei kvasir]
    python benchmarks/free_masks.py speed DATA
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F

import paring
from machine import RESULTS, machine, save, spread, words
from paring.dataset import rle
from paring.dataset.masks import MaskStore
from paring.dataset.table import Dataset
from paring.evaluation.matching import match
from paring.labels.free.exemplars import Choosing, coarse_object
from paring.labels.free.finding import find_masks
from paring.labels.free.looking import EncoderFeatures, Looking, seen_at
from paring.labels.free.masks import PUBLISHED, Masking
from paring.labels.proposals import propose_image
from paring.labels.proposals.files import as_proposals
from paring.models.stride import StrideEncoder

SETS = ("coco160", "nuclei", "kvasir")
NUCLEI = 100
SIZE = 384
DETECTIONS = (1, 10, 100)
HALF = [0.5, 0.5, 0.5]

Masks = list[np.ndarray]


def read(data: Path, name: str) -> Dataset:
    """One of the sets."""
    if name == "coco160":
        return paring.read(data / "coco160" / "instances.json")
    if name == "kvasir":
        return paring.read(data / "kvasir" / "train")
    nuclei = paring.read(data / "dsb2018")
    ids = nuclei.images["image_id"].to_list()
    return nuclei.subset(np.random.default_rng(0).choice(ids, NUCLEI, replace=False).tolist())


def encoder_of(data: Path) -> StrideEncoder:
    """MobileNetV2 with ImageNet's weights."""
    weights = data / "weights" / "mobilenet_v2_imagenet.safetensors"
    return StrideEncoder("mobilenet_v2", 32, weights=weights, mean=HALF, std=HALF).eval()


def by_grabcut(pixels: np.ndarray) -> Masks:
    """GrabCut from a rectangle that leaves a tenth at each side."""
    return [coarse_object(pixels, Choosing(margin=0.1, size=10_000), seed=0)]


def by_frame(pixels: np.ndarray) -> Masks:
    """All of it."""
    return [np.ones(pixels.shape[:2], bool)]


def by_size(pixels: np.ndarray) -> Masks:
    """Training-free proposals, the largest first."""
    found = propose_image(pixels, count=500, size=320).masks
    order = np.argsort(-found.areas(), kind="stable")[: DETECTIONS[-1]]
    solid = []
    for row in order.tolist():
        top, left, crop = found.crop(row)
        one = np.zeros(pixels.shape[:2], bool)
        one[top : top + crop.shape[0], left : left + crop.shape[1]] = crop != 0
        solid.append(one)
    return solid


def by_spectrum(pixels: np.ndarray, encoder: StrideEncoder, looking: Looking) -> Masks:
    """One cut of the graph of like places, as TokenCut cuts it, on the same features."""
    size = pixels.shape[0], pixels.shape[1]
    with torch.inference_mode():
        features = encoder(seen_at(pixels, looking.seen(*size))[None])[0]
    high, wide = features.shape[1:]
    ones = F.normalize(features.flatten(1), dim=0)
    affinity = torch.where(ones.T @ ones > 0.2, 1.0, 1.0e-5).double().numpy()
    degree = affinity.sum(axis=1)
    scale = 1 / np.sqrt(degree)
    laplacian = (np.diag(degree) - affinity) * scale[:, None] * scale
    _, vectors = np.linalg.eigh(laplacian)
    second = vectors[:, 1] * scale
    front = second > second.mean()
    seed = int(np.abs(second).argmax())
    if not front[seed]:
        front = ~front
    _, parts = cv2.connectedComponents(front.reshape(high, wide).astype(np.uint8))
    thing = parts == parts.reshape(-1)[seed]
    full = cv2.resize(thing.astype(np.float32), size[::-1], interpolation=cv2.INTER_LINEAR)
    return [full >= 0.5]


def gathered(data: Dataset, way: Callable[[np.ndarray], Masks]) -> tuple[Dataset, list[float]]:
    """Masks of all images by one way, and seconds of each."""
    runs, owner, sizes, scores, took = [], [], [], [], []
    for image_id in data.images["image_id"]:
        pixels = data.read_image(image_id)
        started = time.perf_counter()
        found = way(pixels)
        took.append(time.perf_counter() - started)
        runs += [rle.encode_mask(one) for one in found]
        owner += [image_id] * len(found)
        sizes += [one.shape for one in found]
        scores += np.linspace(1, 0.01, max(1, len(found)))[: len(found)].tolist()
    masks = MaskStore.from_runs(runs, heights=[s[0] for s in sizes], widths=[s[1] for s in sizes])
    return as_proposals(data, owner, masks, scores), took


def by_image(data: Dataset, found: Dataset) -> dict[str, np.ndarray]:
    """Objects of each image, and how many are found with so many masks, meant over IoUs."""
    counts, hits = [], {n: [] for n in DETECTIONS}
    for image_id in data.images["image_id"].to_list():
        one, other = data.subset([image_id]), found.subset([image_id])
        solid = int((~one.instances["iscrowd"]).sum())
        curves = match(
            one, other, kind="segm", class_agnostic=True, areas=None, max_detections=DETECTIONS
        )
        counts.append(solid)
        for n in DETECTIONS:
            recall = curves.average_recall(detections=n) if solid else 0.0
            hits[n].append(0.0 if recall != recall else recall * solid)
    return {"objects": np.array(counts)} | {f"AR{n}": np.array(hits[n]) for n in DETECTIONS}


def with_interval(parts: dict[str, np.ndarray]) -> dict[str, list[float]]:
    """Recall in per cent, and 95 % of it by bootstrap over images."""
    rng = np.random.default_rng(0)
    n = len(parts["objects"])
    drawn = rng.integers(0, n, (1000, n))
    out = {}
    for name in (f"AR{k}" for k in DETECTIONS):
        objects = np.maximum(parts["objects"][drawn].sum(axis=1), 1)
        values = 100 * parts[name][drawn].sum(axis=1) / objects
        whole = 100 * parts[name].sum() / max(1, parts["objects"].sum())
        out[name] = [round(float(v), 2) for v in (whole, *np.percentile(values, (2.5, 97.5)))]
    return out


def ratio_interval(ours: dict[str, np.ndarray], rival: dict[str, np.ndarray]) -> list[float]:
    """How many times a rival's AR100 ours is, and 95 % by bootstrap over the same images."""
    rng = np.random.default_rng(0)
    n = len(ours["objects"])
    drawn = rng.integers(0, n, (1000, n))
    mine, theirs = (one["AR100"][drawn].sum(axis=1) for one in (ours, rival))
    ratios = mine / np.maximum(theirs, 1e-9)
    whole = ours["AR100"].sum() / max(rival["AR100"].sum(), 1e-9)
    return [round(float(v), 2) for v in (whole, *np.percentile(ratios, (2.5, 97.5)))]


def found_free(
    data: Dataset, features: EncoderFeatures, masking: Masking
) -> tuple[Dataset, list[float]]:
    """Free masks of all images, and seconds of each."""
    took = []
    with tempfile.TemporaryDirectory() as kept:
        for image_id in data.images["image_id"].to_list():
            started = time.perf_counter()
            find_masks(data.subset([image_id]), features, masking, folder=Path(kept))
            took.append(time.perf_counter() - started)
        return find_masks(data, features, masking, folder=Path(kept)).data, took


def measured(data: Path, work: Path, name: str) -> dict[str, Any]:
    """Every way on one set; those that are in a folder already are taken from there."""
    chosen, encoder = read(data, name), encoder_of(data)
    looking = Looking(size=SIZE)
    published = Looking(size=800)
    parts, rows = {}, []
    rivals = {
        "full frame": by_frame,
        "GrabCut from the middle": by_grabcut,
        "proposals, the largest first": by_size,
        "spectral cut of the same features": partial(by_spectrum, encoder=encoder, looking=looking),
    }
    ours = {
        "free masks, published constants": (published, PUBLISHED),
        "free masks": (looking, Masking()),
    }
    ways: dict[str, Callable[[], tuple[Dataset, list[float]]]] = {
        way: partial(gathered, chosen, make) for way, make in rivals.items()
    }
    ways |= {
        way: partial(found_free, chosen, EncoderFeatures(encoder, how), masking)
        for way, (how, masking) in ours.items()
    }
    for way, make in ways.items():
        file = work / f"{name}-{way.replace(' ', '-')}.json"
        if not file.is_file():
            found, took = make()
            about = {"parts": by_image(chosen, found), "seconds": took, "masks": len(found.masks)}
            file.write_text(json.dumps(about, default=np.ndarray.tolist))
            print(name, way, f"{sum(took):.0f} s", flush=True)
        about = json.loads(file.read_text())
        parts[way] = {key: np.array(values) for key, values in about["parts"].items()}
        rows.append(
            {
                "way": way,
                "seconds": spread(about["seconds"]),
                "masks": about["masks"] / len(chosen),
            }
        )
    for row in rows:
        row |= with_interval(parts[row["way"]])
    against = {
        way: ratio_interval(parts["free masks"], parts[way]) for way in rivals if way in parts
    }
    print(name, rows, against, flush=True)
    return {"images": len(chosen), "rows": rows, "against": against}


def cell(values: list[float]) -> str:
    """A recall with its interval."""
    return "{:.1f} ({:.1f} to {:.1f})".format(*values)


def measure(data: Path, work: Path, sets: list[str]) -> None:
    """All sets, those measured before kept."""
    file = RESULTS / "free_masks.json"
    known = json.loads(file.read_text())["sets"] if file.is_file() else {}
    made = known | {name: measured(data, work, name) for name in sets}
    lines = [
        "Recall in per cent, meant over IoU 0.5 to 0.95, of the first 1, 10 and 100 masks of an "
        "image, in brackets 95 % by bootstrap over images. Features are those of MobileNetV2 with "
        "ImageNet's (supervised) weights:",
    ]
    for name in (one for one in SETS if one in made):
        part = made[name]
        lines += [
            "",
            f"{name}, {part['images']} images:",
            "",
            "| | AR1 | AR10 | AR100 | s an image |",
            "|---|---|---|---|---|",
        ]
        for row in part["rows"]:
            recalls = " | ".join(cell(row[f"AR{n}"]) for n in DETECTIONS)
            lines.append(f"| {row['way']} | {recalls} | {words(row['seconds'], '')} |")
        ratios = ", ".join(
            f"{rival} {cell(values)}"
            for rival, values in part["against"].items()
            if values[0] < 1e3
        )
        lines += ["", f"AR100 of free masks, times that of: {ratios}."]
    about = machine("torch", "timm", "opencv-python-headless")
    save("free_masks", {"machine": about, "sets": made}, lines)


def speed(data: Path) -> None:
    """Batches beside one image at a time; losses beside loops over pixels."""
    from paring.labels.free.losses import (
        colour_likeness,
        max_projection_loss,
        pairwise_loss,
    )

    coco, encoder = read(data, "coco160"), encoder_of(data)
    wide = coco.images.filter((coco.images["width"] == 640) & (coco.images["height"] == 480))
    chosen = coco.subset(wide["image_id"].to_list()[:32])
    took: dict[str, list[float]] = {"one at a time": [], "batches of 8": []}
    for name, size in (("one at a time", 1), ("batches of 8", 8)) * 4:
        features = EncoderFeatures(encoder, Looking(size=SIZE, batch_size=size))
        started = time.perf_counter()
        find_masks(chosen, features)
        took[name].append((time.perf_counter() - started) / len(chosen))
    times = {name: spread(values[1:]) for name, values in took.items()}

    torch.manual_seed(0)
    logits, coarse = torch.randn(16, 48, 64), (torch.rand(16, 48, 64) > 0.5).float()
    likeness = colour_likeness(torch.randn(3, 48, 64) * 3)
    inside = torch.ones(16, 48, 64)

    def slow_pairs() -> float:
        total, number = 0.0, 0
        offsets = [(y, x) for y in (-2, 0, 2) for x in (-2, 0, 2) if y or x]
        p = logits.sigmoid()
        for k, (dy, dx) in enumerate(offsets):
            for y in range(max(0, -dy), min(48, 48 - dy)):
                for x in range(max(0, -dx), min(64, 64 - dx)):
                    if likeness[k, y, x] >= 0.3:
                        one, other = p[:, y, x], p[:, y + dy, x + dx]
                        total -= float((one * other + (1 - one) * (1 - other)).log().sum())
                        number += 16
        return total / number

    def slow_projections() -> float:
        p, total = logits.sigmoid(), 0.0
        for mask, true in zip(p, coarse, strict=True):
            for axis, side in ((0, 48), (1, 64)):
                a = [float(mask.select(axis, k).max()) for k in range(side)]
                b = [float(true.select(axis, k).max()) for k in range(side)]
                shared = 2 * sum(x * y for x, y in zip(a, b, strict=True))
                total += 1 - shared / (sum(x * x for x in a) + sum(y * y for y in b) + 1e-5)
        return total / len(p)

    pairs = {
        "pairwise": (lambda: float(pairwise_loss(logits, likeness, inside)), slow_pairs),
        "projections": (
            lambda: float(max_projection_loss(logits.sigmoid(), coarse)),
            slow_projections,
        ),
    }
    losses = {}
    for name, (fast, slow) in pairs.items():
        fast()
        quick = []
        for _ in range(20):
            started = time.perf_counter()
            value = fast()
            quick.append(time.perf_counter() - started)
        started = time.perf_counter()
        expected = slow()
        by_loop = time.perf_counter() - started
        losses[name] = {
            "seconds": spread(quick, 6),
            "loop": round(by_loop, 4),
            "ratio": round(by_loop / spread(quick, 6)["median"], 1),
            "difference": abs(value - expected),
        }
    ratio = times["one at a time"]["median"] / times["batches of 8"]["median"]
    lines = [
        f"Free masks of {len(chosen)} pictures of 640 x 480 on one core: "
        f"{words(times['one at a time'])} an image one at a time, {words(times['batches of 8'])} "
        f"in batches of 8, {ratio:.2f} times as fast. "
        + " ".join(
            f"The {name} loss of 16 masks of 48 x 64 takes {1000 * one['seconds']['median']:.2g} "
            f"ms, {one['ratio']:.0f} times as fast as a loop over pixels (difference "
            f"{one['difference']:.1g})."
            for name, one in losses.items()
        )
    ]
    about = machine("torch", "timm")
    save("free_speed", {"machine": about, "batches": times, "losses": losses}, lines)


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("measure", "speed"))
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path, nargs="?")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if given.what == "speed":
        speed(given.data)
    elif given.work is None:
        parser.error("name a folder for what is measured on the way")
    else:
        given.work.mkdir(parents=True, exist_ok=True)
        measure(given.data, given.work, given.sets)


if __name__ == "__main__":
    main()
