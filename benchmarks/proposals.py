"""Training-free proposals beside their simplest rivals, and overlaps by atoms beside by pixels.

Run with the folder that holds ``coco160/`` and ``dsb2018/``; it needs higra for the watershed
hierarchy (`pip install higra`):

    python benchmarks/proposals.py DATA
    python benchmarks/proposals.py DATA --fit

The second prints the weights of the ranking, fitted anew on every second picture of coco160.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from skimage.segmentation import felzenszwalb

import paring
from machine import machine, save, spread, words
from paring.dataset import rle
from paring.dataset.masks import MaskStore
from paring.dataset.table import Dataset
from paring.labels.atoms import atoms_of
from paring.labels.proposals.describing import TRAITS, describe
from paring.labels.proposals.files import as_proposals
from paring.labels.proposals.grouping import grow
from paring.labels.proposals.image import propose_image, resized
from paring.labels.proposals.quality import Overlaps, average_recall, best_overlaps
from paring.labels.proposals.segments import WAYS

SIZE = 320
COUNTS = (100, 500, 1000)
NUCLEI = 100

Maker = Callable[[np.ndarray], tuple[list[np.ndarray], tuple[int, int]]]


def bitmaps_to_runs(bitmaps: list[np.ndarray], size: tuple[int, int]) -> list[np.ndarray]:
    """Bitmaps at the working size as run lengths of the image."""
    runs = []
    for one in bitmaps:
        full = cv2.resize(one.astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST)
        runs.append(rle.encode_bitmap(full, 0, 0, *size))
    return runs


def by_felzenszwalb(pixels: np.ndarray) -> list[np.ndarray]:
    """The segments of one scale, the largest first."""
    small = resized(pixels, SIZE)
    labels = felzenszwalb(small, scale=100, sigma=0.8, min_size=20)
    order = np.argsort(-np.bincount(labels.reshape(-1)), kind="stable")
    return bitmaps_to_runs([labels == k for k in order[: COUNTS[-1]]], pixels.shape[:2])


def by_watershed(pixels: np.ndarray) -> list[np.ndarray]:
    """The nodes of one watershed hierarchy by area, of the largest altitudes first."""
    import higra as hg

    small = cv2.GaussianBlur(resized(pixels, SIZE), (0, 0), 0.8)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float64)
    graph = hg.get_4_adjacency_graph(small.shape[:2])
    weights = hg.weight_graph(graph, lab, hg.WeightFunction.L2)
    tree, altitudes = hg.watershed_hierarchy_by_area(graph, weights)
    leaves = tree.num_leaves()
    sizes = hg.attribute_area(tree)
    nodes = np.arange(leaves, tree.num_vertices())
    nodes = nodes[sizes[nodes] >= 20]
    nodes = nodes[np.argsort(-altitudes[nodes], kind="stable")][: COUNTS[-1]]
    masks = []
    for node in nodes.tolist():
        inside = np.zeros(tree.num_vertices(), bool)
        inside[node] = True
        spread_down = hg.propagate_sequential(
            tree, inside, ~inside & (np.arange(tree.num_vertices()) != tree.root())
        )
        masks.append(spread_down[:leaves].reshape(small.shape[:2]).astype(bool))
    return bitmaps_to_runs(masks, pixels.shape[:2])


def by_ours(pixels: np.ndarray) -> list[np.ndarray]:
    """Ours."""
    masks = propose_image(pixels, count=COUNTS[-1], size=SIZE).masks
    return [masks.runs(row) for row in range(len(masks))]


MAKERS = {
    "ours": by_ours,
    "Felzenszwalb, one scale": by_felzenszwalb,
    "watershed hierarchy": by_watershed,
}


def made(
    data: Dataset, maker: Callable[[np.ndarray], list[np.ndarray]]
) -> tuple[Dataset, list[float]]:
    """Proposals of all images by one way, and seconds of each image."""
    runs, owner, heights, widths, scores, took = [], [], [], [], [], []
    for image_id in data.images["image_id"]:
        pixels = data.read_image(image_id)
        started = time.perf_counter()
        mine = maker(pixels)
        took.append(time.perf_counter() - started)
        runs += mine
        owner += [image_id] * len(mine)
        heights += [pixels.shape[0]] * len(mine)
        widths += [pixels.shape[1]] * len(mine)
        scores += np.linspace(1, 0, len(mine)).tolist()
    masks = MaskStore.from_runs(runs, heights=heights, widths=widths)
    return as_proposals(data, owner, masks, scores), took


def interval(found: Overlaps, count: int, measure: Callable[[np.ndarray], float]) -> list[float]:
    """95 % of a measure by bootstrap over the images."""
    rng = np.random.default_rng(0)
    ids, best = np.unique(found.image_ids), found.best[count]
    parts = {i: best[found.image_ids == i] for i in ids.tolist()}
    drawn = [
        measure(np.concatenate([parts[i] for i in rng.choice(ids, len(ids)).tolist()]))
        for _ in range(500)
    ]
    return [round(float(v), 4) for v in np.percentile(drawn, (2.5, 97.5))]


def measured(data: Dataset, halves: bool) -> list[dict[str, Any]]:
    """Every way on one data set."""
    rows = []
    for name, maker in MAKERS.items():
        proposals, took = made(data, maker)
        found = best_overlaps(proposals, data, COUNTS)
        row: dict[str, Any] = {
            "way": name,
            "proposals": round(len(proposals.instances) / len(data), 1),
            "seconds": spread(took),
        }
        for count in COUNTS:
            row[f"AR{count}"] = [
                round(found.recall(count), 4),
                *interval(found, count, average_recall),
            ]
        most = found.best[COUNTS[-1]]
        row["ABO"] = [round(float(most.mean()), 4), *interval(found, COUNTS[-1], np.mean)]
        if halves:
            ids = data.images["image_id"].to_list()
            for half, kept in (("fitted on", ids[::2]), ("not fitted on", ids[1::2])):
                mine = np.isin(found.image_ids, kept)
                row[half] = {
                    f"AR{count}": round(average_recall(found.best[count][mine]), 4)
                    for count in COUNTS
                } | {"ABO": round(float(most[mine].mean()), 4)}
        rows.append(row)
        print(row, flush=True)
    return rows


def equal_numbers(data: Dataset) -> list[dict[str, Any]]:
    """Ours cut down to as many as a rival has of each image, up to a thousand."""
    ours, _ = made(data, by_ours)
    rows = []
    for name in list(MAKERS)[1:]:
        theirs, _ = made(data, MAKERS[name])
        counts = dict(theirs.instances.group_by("image_id").len().iter_rows())
        order = ours.instances["image_id"].to_numpy()
        place = np.concatenate([np.arange(n) for n in np.unique(order, return_counts=True)[1]])
        starts = np.argsort(order, kind="stable")
        rank = np.empty(len(order), np.int64)
        rank[starts] = place
        kept = np.flatnonzero(rank < np.array([counts.get(i, 0) for i in order.tolist()]))
        fewer = as_proposals(data, order[kept].tolist(), ours.masks.take(kept), [0.0] * len(kept))
        mine, rival = (best_overlaps(one, data, (1000,)) for one in (fewer, theirs))
        rows.append(
            {
                "rival": name,
                "proposals": round(len(kept) / len(data), 1),
                "ours": round(mine.recall(1000), 4),
                "theirs": round(rival.recall(1000), 4),
                "ratio": round(mine.recall(1000) / rival.recall(1000), 2),
            }
        )
        print(rows[-1], flush=True)
    return rows


def table_speed(data: Dataset) -> dict[str, Any]:
    """IoU and containment of all pairs of 200 proposals of a picture: atoms beside a loop."""
    pixels = data.read_image(data.images["image_id"][0])
    masks = propose_image(pixels, count=200, size=SIZE).masks
    n = len(masks)
    bitmaps = np.zeros((n, *pixels.shape[:2]), bool)
    for row in range(n):
        top, left, crop = masks.crop(row)
        bitmaps[row, top : top + crop.shape[0], left : left + crop.shape[1]] = crop != 0

    def loop() -> tuple[np.ndarray, np.ndarray]:
        iou, contains = np.zeros((n, n)), np.zeros((n, n))
        for i in range(n):
            for j in range(n):
                shared = np.logical_and(bitmaps[i], bitmaps[j]).sum()
                iou[i, j] = shared / np.logical_or(bitmaps[i], bitmaps[j]).sum()
                contains[i, j] = shared / bitmaps[j].sum()
        return iou, contains

    def product() -> tuple[np.ndarray, np.ndarray]:
        flat = bitmaps.reshape(n, -1).astype(np.float32)
        shared, areas = flat @ flat.T, flat.sum(axis=1)
        return shared / (areas[:, None] + areas - shared), shared / areas

    def atoms() -> tuple[np.ndarray, np.ndarray]:
        return atoms_of(masks).overlaps()

    took: dict[str, list[float]] = {"loop": [], "product": [], "atoms": []}
    outcomes = {}
    for name, work, repeats in (("loop", loop, 1), ("product", product, 3), ("atoms", atoms, 7)):
        if repeats > 1:
            work()
        for _ in range(repeats):
            started = time.perf_counter()
            outcomes[name] = work()
            took[name].append(time.perf_counter() - started)
    error = max(
        float(np.abs(a - b).max()) for a, b in zip(outcomes["loop"], outcomes["atoms"], strict=True)
    )
    times = {name: spread(values) for name, values in took.items()}
    return {
        "masks": n,
        "pixels": int(bitmaps[0].size),
        "seconds": times,
        "ratio to the loop": round(times["loop"]["median"] / times["atoms"]["median"], 1),
        "ratio to the product": round(times["product"]["median"] / times["atoms"]["median"], 2),
        "largest error": error,
    }


def fit(data: Dataset) -> None:
    """Print the weights of the ranking, fitted on every second picture."""
    traits, best = [], []
    for image_id in data.images["image_id"].to_list()[::2]:
        pixels = data.read_image(image_id)
        small = resized(pixels, SIZE)
        rows = (
            (data.instances["image_id"].to_numpy() == image_id)
            & ~data.instances["iscrowd"].to_numpy()
            & ~data.masks.is_empty
        )
        truth = []
        for row in np.flatnonzero(rows).tolist():
            top, left, crop = data.masks.crop(row)
            full = np.zeros(pixels.shape[:2], bool)
            full[top : top + crop.shape[0], left : left + crop.shape[1]] = crop != 0
            if full.any():
                truth.append(full.reshape(-1))
        lines, columns = (
            (2 * np.arange(side) + 1) * short // (2 * side)
            for side, short in zip(pixels.shape[:2], small.shape[:2], strict=True)
        )
        for way in WAYS:
            tree = grow(small, way)
            leaf = tree.labels[lines[:, None], columns].reshape(-1)
            n = tree.n_leaves
            counts = [np.bincount(leaf[one], minlength=n) for one in truth]
            sums = tree.summed(np.stack([np.bincount(leaf, minlength=n), *counts], axis=1) * 1.0)
            areas = np.array([one.sum() for one in truth])
            iou = sums[:, 1:] / (sums[:, :1] + areas - sums[:, 1:])
            traits.append(describe(tree, small))
            best.append(iou.max(axis=1) if iou.shape[1] else np.zeros(len(iou)))
    x, y = np.concatenate(traits), np.maximum(np.concatenate(best) - 0.3, 0)
    mean, deviation = x.mean(axis=0), x.std(axis=0) + 1e-9
    design = np.concatenate(((x - mean) / deviation, np.ones((len(x), 1))), axis=1)
    ridge = design.T @ design + 1e-4 * len(x) * np.eye(design.shape[1])
    weights = np.linalg.solve(ridge, design.T @ y)[:-1] / deviation * 100
    print({name: float(f"{value:.3g}") for name, value in zip(TRAITS, weights, strict=True)})


def table(rows: list[dict[str, Any]]) -> list[str]:
    """The rows of one data set as Markdown."""
    head = "| way | proposals | AR at 100 | at 500 | at 1,000 | best overlap | s an image |"
    lines = [head, "|---|---|---|---|---|---|---|"]
    for row in rows:
        cells = [
            "{:.3f} ({:.3f} to {:.3f})".format(*row[key]) for key in ("AR100", "AR500", "AR1000")
        ]
        overlap = "{:.3f} ({:.3f} to {:.3f})".format(*row["ABO"])
        lines.append(
            f"| {row['way']} | {row['proposals']:.0f} | {' | '.join(cells)} | {overlap} "
            f"| {words(row['seconds'])} |"
        )
    return lines


def main() -> None:
    """Measure all of it, or fit the weights."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--fit", action="store_true")
    given = parser.parse_args()
    coco = paring.read(given.data / "coco160" / "instances.json")
    if given.fit:
        fit(coco)
        return
    nuclei = paring.read(given.data / "dsb2018")
    ids = nuclei.images["image_id"].to_list()
    chosen = np.random.default_rng(0).choice(ids, NUCLEI, replace=False).tolist()
    nuclei = nuclei.subset(chosen)
    cv2.setNumThreads(1)
    by_ours(coco.read_image(coco.images["image_id"][0]))  # compiled before it is timed
    result: dict[str, Any] = {
        "machine": machine("numpy", "scikit-image", "higra", "opencv-python-headless"),
        "size": SIZE,
        "coco160": measured(coco, halves=True),
        "nuclei": measured(nuclei, halves=False),
        "equal numbers": {"coco160": equal_numbers(coco), "nuclei": equal_numbers(nuclei)},
        "overlaps": table_speed(coco),
    }
    speed = result["overlaps"]
    ours = result["coco160"][0]
    lines = [
        f"160 images of COCO at {SIZE} pixels; in brackets 95 % by bootstrap over images. Recall "
        "is of the best proposal of each object, meant over IoU 0.5 to 0.95:",
        "",
        *table(result["coco160"]),
        "",
        "The ranking's weights were fitted on half of these pictures. There it has "
        + ", ".join(f"{k} {v:.3f}" for k, v in ours["fitted on"].items())
        + "; on the other half "
        + ", ".join(f"{k} {v:.3f}" for k, v in ours["not fitted on"].items())
        + ".",
        "",
        f"{NUCLEI} images of nuclei (DSB 2018):",
        "",
        *table(result["nuclei"]),
        "",
        "At equal number of proposals in each image (recall of all of them):",
        "",
        "| images | rival | proposals | ours | theirs | ratio |",
        "|---|---|---|---|---|---|",
        *(
            f"| {name} | {row['rival']} | {row['proposals']:.0f} | {row['ours']:.3f} "
            f"| {row['theirs']:.3f} | {row['ratio']:.2f} |"
            for name, rows in result["equal numbers"].items()
            for row in rows
        ),
        "",
        f"IoU and containment of {speed['masks']} masks of {speed['pixels']:,} pixels: "
        f"{words(speed['seconds']['loop'])} by a loop over pairs, "
        f"{words(speed['seconds']['product'])} by one product over pixels, "
        f"{words(speed['seconds']['atoms'])} over atoms, cutting included: "
        f"{speed['ratio to the loop']:,.0f} and {speed['ratio to the product']:.1f} times as fast; "
        f"largest difference {speed['largest error']:.1e}.",
    ]
    save("proposals", result, lines)


if __name__ == "__main__":
    main()
