"""Write a COCO instances file of the size, and with the geometry, of train2017.

Timings of readers need a large file, and the real one cannot be shipped. This one has its counts
(images, instances, empty images, crowds, categories), its spread of sizes, vertices and parts, and
its way of writing numbers. The shapes are drawn, so nothing can be learnt from it but speed.

The same arguments give the same bytes. Work goes by blocks of instances, so memory stays bounded;
the file is written beside its final name and renamed, so there is never half a file.

    python benchmarks/coco_file.py OUT.json [--images 118287] [--instances 860001] [--seed 0]
"""

import argparse
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import numpy as np

TRAIN2017_IMAGES = 118_287
TRAIN2017_INSTANCES = 860_001
EMPTY_IMAGE_SHARE = 1_021 / TRAIN2017_IMAGES
CROWD_SHARE = 0.012
BLOCK = 8_192

# (width, height) and how many images in a hundred have it.
SIZE_PERCENTAGES = {
    (640, 480): 27,
    (480, 640): 10,
    (640, 427): 22,
    (427, 640): 7,
    (640, 426): 8,
    (640, 425): 5,
    (640, 640): 4,
    (500, 375): 4,
    (375, 500): 2,
    (640, 360): 3,
    (612, 612): 3,
    (500, 333): 2,
    (333, 500): 1,
    (640, 512): 2,
}

UNUSED_CATEGORY_IDS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
CATEGORY_IDS = np.setdiff1d(np.arange(1, 91), UNUSED_CATEGORY_IDS)
# One category has 30 % of the instances; the others decline to 200 in 860,001.
CATEGORY_SHARES = np.append(0.305, np.geomspace(0.0455, 0.00024, CATEGORY_IDS.size - 1))
CATEGORY_SHARES /= CATEGORY_SHARES.sum()

# Quantiles of the square root of an instance's area, in pixels: 41 % below 32, 75 % below 96.
# The knots aim higher, as cutting at the image's border takes some of the area away.
SIDE_QUANTILES = np.array([0.0, 0.02, 0.10, 0.41, 0.75, 0.93, 1.0])
LOG_SIDES = np.log([1.5, 3.5, 9.5, 33.7, 100.0, 230.0, 520.0])

SMALLEST_SIDE = 1.5
MOST_PARTS = 12
MOST_VERTICES = 700
HARMONICS = np.arange(1, 6)


def write_coco_file(
    path: str | Path,
    *,
    n_images: int = TRAIN2017_IMAGES,
    n_instances: int = TRAIN2017_INSTANCES,
    seed: int = 0,
) -> None:
    """Write a COCO instances file of drawn shapes at `path`, replacing what was there."""
    if n_images < 1 or n_instances < 0:
        raise ValueError(
            f"cannot place {n_instances} instances in {n_images} images: "
            "ask for at least one image and for no negative number of instances"
        )
    path = Path(path)
    beside = path.with_name(path.name + ".part")
    try:
        with beside.open("wb") as file:
            file.writelines(_pieces(n_images, n_instances, np.random.default_rng(seed)))
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _pieces(n_images: int, n_instances: int, rng: np.random.Generator) -> Iterator[bytes]:
    shares = np.array(list(SIZE_PERCENTAGES.values())) / 100
    sizes = rng.choice(list(SIZE_PERCENTAGES), n_images, p=shares)
    image_ids = 1 + rng.choice(5 * n_images, n_images, replace=False)
    head = {"info": _info(), "licenses": _licenses()}
    yield json.dumps(head).encode()[:-1]
    yield b', "images": ['
    yield from _joined(_image_blocks(rng, image_ids, sizes))
    yield b'], "annotations": ['
    yield from _joined(_annotation_blocks(rng, image_ids, sizes, n_instances))
    yield b'], "categories": '
    yield json.dumps(_categories()).encode()
    yield b"}"


def _joined(blocks: Iterable[list[dict]]) -> Iterator[bytes]:
    """The blocks' records as JSON text, with the separators of `json.dumps`.

    msgspec writes none of the spaces, and is many times faster; they can be put in afterwards
    because no string in a record has a comma in it, or a quote before a colon.
    """
    between = b""
    for block in blocks:
        text = msgspec.json.encode(block)[1:-1]
        yield between + text.replace(b",", b", ").replace(b'":', b'": ')
        between = b", "


def _info() -> dict:
    return {
        "description": "Drawn shapes in the form of COCO 2017",
        "url": "http://cocodataset.org",
        "version": "1.0",
        "year": 2017,
        "contributor": "paring benchmarks",
        "date_created": "2017/09/01",
    }


def _licenses() -> list[dict]:
    return [
        {"url": f"http://example.org/licenses/{i}/", "id": i, "name": f"Licence {i}"}
        for i in range(1, 9)
    ]


def _categories() -> list[dict]:
    return [
        {"supercategory": f"group {rank // 7 + 1}", "id": category_id, "name": f"thing {rank + 1}"}
        for rank, category_id in enumerate(CATEGORY_IDS.tolist())
    ]


def _image_blocks(
    rng: np.random.Generator, image_ids: np.ndarray, sizes: np.ndarray
) -> Iterator[list[dict]]:
    for start in range(0, image_ids.size, BLOCK):
        ids = image_ids[start : start + BLOCK].tolist()
        licenses = rng.integers(1, 9, len(ids)).tolist()
        photos = rng.integers(10**9, 10**10, len(ids)).tolist()
        secrets = rng.integers(16**10, size=len(ids)).tolist()
        yield [
            {
                "license": license_id,
                "file_name": f"{image_id:012d}.jpg",
                "coco_url": f"http://images.cocodataset.org/train2017/{image_id:012d}.jpg",
                "height": height,
                "width": width,
                "date_captured": f"2013-11-{14 + photo % 11} {photo % 24:02d}:{photo % 60:02d}:01",
                "flickr_url": f"http://farm{photo % 9 + 1}.staticflickr.com/"
                f"{photo % 8191}/{photo}_{secret:010x}_z.jpg",
                "id": image_id,
            }
            for image_id, (width, height), license_id, photo, secret in zip(
                ids, sizes[start : start + BLOCK].tolist(), licenses, photos, secrets, strict=True
            )
        ]


def _annotation_blocks(
    rng: np.random.Generator, image_ids: np.ndarray, sizes: np.ndarray, n_instances: int
) -> Iterator[list[dict]]:
    image = _image_of_each_instance(rng, image_ids.size, n_instances)
    is_crowd = rng.permutation(n_instances) < round(CROWD_SHARE * n_instances)
    instance_ids = 100 + rng.choice(3 * n_instances, n_instances, replace=False)
    # As in the real file, a crowd's identifier is past what 32 bits hold.
    instance_ids += 900_100_000_000 * is_crowd
    popularity = np.append(0, 1 + rng.permutation(CATEGORY_IDS.size - 1))
    shares = CATEGORY_SHARES[popularity]
    for start in range(0, n_instances, BLOCK):
        block = slice(start, min(start + BLOCK, n_instances))
        crowd, size = is_crowd[block], sizes[image[block]]
        polygons = _polygon_records(rng, size[~crowd])
        crowds = iter([_crowd_record(rng, *pair) for pair in size[crowd].tolist()])
        categories = rng.choice(CATEGORY_IDS, crowd.size, p=shares)
        columns = (crowd, image_ids[image[block]], categories, instance_ids[block])
        records = []
        for one_crowd, image_id, category_id, instance_id in zip(
            *(column.tolist() for column in columns), strict=True
        ):
            segmentation, area, bbox = next(crowds if one_crowd else polygons)
            records.append(
                {
                    "segmentation": segmentation,
                    "area": area,
                    "iscrowd": int(one_crowd),
                    "image_id": image_id,
                    "bbox": bbox,
                    "category_id": category_id,
                    "id": instance_id,
                }
            )
        yield records


def _image_of_each_instance(
    rng: np.random.Generator, n_images: int, n_instances: int
) -> np.ndarray:
    """An image index for each instance, in no order; all but the empty images come up."""
    n_filled = n_images - round(EMPTY_IMAGE_SHARE * n_images)
    filled = rng.permutation(n_images)[:n_filled]
    busyness = rng.exponential(size=n_filled)
    more = rng.choice(filled, max(n_instances - n_filled, 0), p=busyness / busyness.sum())
    return rng.permutation(np.concatenate([filled[:n_instances], more]))


def _crowd_record(rng: np.random.Generator, width: int, height: int) -> tuple:
    """A band of uneven height as an uncompressed RLE, its area and its box, all integers."""
    n_columns = int(rng.integers(width // 10, 2 * width // 3))
    left = int(rng.integers(width - n_columns + 1))
    phase = np.linspace(0, rng.uniform(4, 40), n_columns) + rng.uniform(0, 6)
    middle = height * (rng.uniform(0.3, 0.7) + 0.15 * np.sin(phase / 3))
    reach = height * rng.uniform(0.05, 0.3) * (1 + 0.6 * np.sin(phase)) / 2
    reach += rng.integers(0, 3, n_columns)
    # A column keeps its last row clear, so that no two runs of it and the next one touch.
    top = np.clip((middle - reach).astype(int), 0, height - 3)
    bottom = np.clip((middle + reach).astype(int), top + 1, height - 1)
    column_starts = (left + np.arange(n_columns)) * height
    edges = np.stack([column_starts + top, column_starts + bottom], axis=1).ravel()
    runs = np.diff(edges, prepend=0, append=width * height)
    box = [left, int(top.min()), n_columns, int(bottom.max() - top.min())]
    segmentation = {"counts": runs.tolist(), "size": [height, width]}
    return segmentation, int((bottom - top).sum()), box


def _polygon_records(rng: np.random.Generator, sizes: np.ndarray) -> Iterator[tuple]:
    """Segmentation, area and box of one instance in each of the images (width, height)."""
    n_parts = 1 + (rng.random(len(sizes)) < 0.075) * rng.geometric(0.75, len(sizes))
    n_parts = np.minimum(n_parts, MOST_PARTS)
    instance = np.repeat(np.arange(len(sizes)), n_parts)
    side = np.exp(np.interp(rng.random(len(sizes)), SIDE_QUANTILES, LOG_SIDES))
    part_side = (side / np.sqrt(n_parts))[instance] * rng.uniform(0.6, 1.3, instance.size)
    part_side = np.maximum(part_side, SMALLEST_SIDE)

    typical = 2.8 * part_side**0.42 * rng.lognormal(0, 0.6, instance.size)
    n_vertices = np.clip(2.5 + typical, 3, MOST_VERTICES).astype(int)
    starts = _starts(n_vertices)
    outline = _outlines(rng, n_vertices) * np.repeat(part_side, n_vertices)[:, None]
    place_in_row = np.arange(instance.size) - _starts(n_parts)[instance]
    cents = _placed_in_cents(rng, outline, starts, sizes[instance], instance, place_in_row)

    first_vertex = starts[_starts(n_parts)]
    low = np.minimum.reduceat(cents, first_vertex)
    high = np.maximum.reduceat(cents, first_vertex)
    boxes = (np.hstack([low, high - low]) / 100).tolist()
    coordinates = cents / 100
    areas = np.add.reduceat(np.abs(_signed_areas(coordinates, starts)), _starts(n_parts)).tolist()

    numbers = coordinates.ravel().tolist()
    ends = (2 * np.cumsum(n_vertices)).tolist()
    parts = iter([numbers[a:b] for a, b in zip([0, *ends], ends, strict=False)])
    for count, area, box in zip(n_parts.tolist(), areas, boxes, strict=True):
        yield [next(parts) for _ in range(count)], area, box


def _starts(counts: np.ndarray) -> np.ndarray:
    return np.cumsum(counts) - counts


def _signed_areas(points: np.ndarray, starts: np.ndarray) -> np.ndarray:
    following = np.arange(1, len(points) + 1)
    following[np.append(starts[1:], len(points)) - 1] = starts
    x, y = points.T
    return np.add.reduceat(x * y[following] - x[following] * y, starts) / 2


def _outlines(rng: np.random.Generator, n_vertices: np.ndarray) -> np.ndarray:
    """Vertices of one polygon of unit area for each count, about the origin.

    A radius of a few harmonics over rising angles gives a star-shaped polygon, and stretching keeps
    it one. Bending along a parabola then makes the more elongated ones concave.
    """
    n_parts = n_vertices.size
    part = np.repeat(np.arange(n_parts), n_vertices)
    starts = _starts(n_vertices)
    step = np.arange(part.size) - starts[part] + rng.uniform(-0.2, 0.2, part.size)
    angle = 2 * np.pi * step / n_vertices[part]

    # A harmonic that the vertices are too few to show would only make the polygon jagged.
    amplitude = rng.normal(0, 0.3, (n_parts, HARMONICS.size)) / HARMONICS
    amplitude *= n_vertices[:, None] > 3 * HARMONICS
    shift = rng.uniform(0, 2 * np.pi, (n_parts, HARMONICS.size))
    radius = np.ones(part.size)
    for k, harmonic in enumerate(HARMONICS):
        radius += amplitude[part, k] * np.cos(harmonic * angle + shift[part, k])
    radius = np.maximum(radius, 0.25) * (1 + np.clip(rng.normal(0, 0.03, part.size), -0.1, 0.1))

    stretch = np.exp(np.clip(rng.normal(0, 0.3, n_parts), -0.8, 0.8))[part]
    bend = (rng.normal(0, 0.2, n_parts) * (n_vertices >= 8))[part]
    x = radius * np.cos(angle) * stretch
    y = radius * np.sin(angle) / stretch + bend * x**2
    turn = rng.uniform(0, 2 * np.pi, n_parts)[part]
    points = np.stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)], 1)
    return points / np.sqrt(np.abs(_signed_areas(points, starts)))[part, None]


def _placed_in_cents(
    rng: np.random.Generator,
    outline: np.ndarray,
    starts: np.ndarray,
    sizes: np.ndarray,
    instance: np.ndarray,
    place_in_row: np.ndarray,
) -> np.ndarray:
    """The outlines in their images, in hundredths of a pixel, cut where they leave the image.

    The parts of an instance lie in a row. Six instances in ten may reach past the border, by up to
    three tenths of their extent; the others lie inside.
    """
    n_instances = instance[-1] + 1
    n_vertices = np.diff(starts, append=len(outline))
    low, high = np.minimum.reduceat(outline, starts), np.maximum.reduceat(outline, starts)
    shrink = np.minimum(1, (0.99 * sizes / (high - low)).min(axis=1))[:, None]
    extent = (high - low) * shrink

    overhang = 0.3 * extent * (rng.random(n_instances) < 0.6)[instance, None]
    room = sizes - extent + 2 * overhang
    direction = rng.uniform(0, 2 * np.pi, n_instances)[instance]
    row = np.stack([np.cos(direction), np.sin(direction)], 1) * (1.2 * place_in_row)[:, None]
    corner = np.clip(rng.random((n_instances, 2))[instance] * room + row * extent, 0, room)
    offset = corner - overhang - low * shrink

    placed = outline * np.repeat(shrink, n_vertices, axis=0) + np.repeat(offset, n_vertices, axis=0)
    return np.clip(np.rint(100 * placed).astype(int), 0, 100 * np.repeat(sizes, n_vertices, axis=0))


def main() -> None:
    """Write the file that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, metavar="OUT.json")
    parser.add_argument("--images", type=int, default=TRAIN2017_IMAGES)
    parser.add_argument("--instances", type=int, default=TRAIN2017_INSTANCES)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    write_coco_file(asked.path, n_images=asked.images, n_instances=asked.instances, seed=asked.seed)


if __name__ == "__main__":
    main()
