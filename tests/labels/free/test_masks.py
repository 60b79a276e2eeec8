"""Free masks, against the steps of Eq. 1 one by one."""

from __future__ import annotations

import math

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from paring.labels.free.masks import (
    PUBLISHED,
    Masking,
    at_the_border,
    free_masks,
    passing,
    shortened,
    similarity_maps,
)


def features(seed: int = 0, batch: int = 2, c: int = 5, h: int = 6, w: int = 8) -> torch.Tensor:
    return torch.randn(batch, c, h, w, generator=torch.Generator().manual_seed(seed))


def cosine(a: list[float], b: list[float]) -> float:
    norm = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / norm


@pytest.mark.parametrize("centred", [False, True])
def test_maps_equal_a_loop_over_queries_and_places(centred: bool) -> None:
    given = features(batch=1)
    maps, queries = similarity_maps(given, (1.0, 0.5), centred=centred)
    seen = given - given.mean(dim=(2, 3), keepdim=True) if centred else given
    small = torch.nn.functional.interpolate(seen, (3, 4), mode="bilinear", align_corners=False)
    asked = [seen[0, :, y, x].tolist() for y in range(6) for x in range(8)]
    asked += [small[0, :, y, x].tolist() for y in range(3) for x in range(4)]
    assert maps.shape == (1, 60, 6, 8)
    for k, query in enumerate(asked):
        row = [cosine(query, seen[0, :, y, x].tolist()) for y in range(6) for x in range(8)]
        low, top = min(row), max(row)
        expected = [(value - low) / (top - low) for value in row]
        assert maps[0, k].flatten().tolist() == pytest.approx(expected, abs=1e-4)
        assert cosine(query, queries[0, k].tolist()) == pytest.approx(1, abs=1e-5)


def test_places_that_are_all_alike_have_empty_maps_and_no_mask() -> None:
    flat = torch.ones(1, 4, 5, 5)
    assert similarity_maps(flat, (1.0,))[0].abs().max() == 0
    for how in (Masking(), Masking(centred=False), PUBLISHED):
        found = free_masks(flat, [(50, 50)], how)[0]
        assert len(found.scores) == 0
        assert found.solid.shape == (0, 50, 50)
        assert found.embeddings.shape == (0, how.embedding)


def published(given: torch.Tensor, size: tuple[int, int], how: Masking) -> list[tuple]:
    """FreeSOLO's steps for one image, mask by mask."""
    maps, queries = similarity_maps(given, how.scales)
    rows = []
    for soft, query in zip(maps[0], queries[0], strict=True):
        solid = soft >= how.threshold
        if int(solid.sum()) <= 1:
            continue
        rows.append((float(soft[solid].mean()), soft, solid, query))
    rows.sort(key=lambda row: -row[0])

    def iou(a, b) -> float:
        return float((a & b).sum()) / float((a | b).sum())

    kept = []
    for j, (score, soft, solid, query) in enumerate(rows):
        decay = 1.0
        for i in range(j):
            mine = iou(rows[i][2], solid)
            above = max((iou(rows[k][2], rows[i][2]) for k in range(i)), default=0.0)
            decay = min(decay, math.exp(-2 * mine**2) / math.exp(-2 * above**2))
        kept.append((score * decay, soft, query))
    kept.sort(key=lambda row: -row[0])
    out = []
    for score, soft, query in kept:
        if score < how.score:
            continue
        full = torch.nn.functional.interpolate(
            soft[None, None], size, mode="bilinear", align_corners=False
        )[0, 0]
        solid = full >= how.threshold
        ys, xs = torch.nonzero(solid.any(1))[:, 0], torch.nonzero(solid.any(0))[:, 0]
        middle = (int(ys[0]) + int(ys[-1]) + 1) / 2
        if middle <= how.highest * size[0] or int(xs[-1]) + 1 - int(xs[0]) >= how.widest * size[1]:
            continue
        out.append((score, solid, query))
    return out[: how.count]


@pytest.mark.parametrize("seed", range(4))
def test_the_published_constants_give_what_the_steps_give(seed: int) -> None:
    smooth = torch.nn.functional.interpolate(features(seed, 1, 4, 3, 4), (6, 8), mode="bilinear")
    expected = published(smooth, (60, 80), PUBLISHED)
    found = free_masks(smooth, [(60, 80)], PUBLISHED)[0]
    assert expected
    assert found.scores.tolist() == pytest.approx([row[0] for row in expected], abs=1e-4)
    for solid, (_, theirs, _) in zip(found.solid, expected, strict=True):
        assert float((solid != theirs).float().mean()) < 0.005
    queries = torch.stack([row[2] for row in expected])
    assert torch.allclose(found.embeddings, shortened(queries, 128), atol=1e-5)


def test_images_of_a_batch_are_as_each_alone() -> None:
    given = features(3)
    together = free_masks(given, [(30, 40), (61, 85)])
    for k, size in enumerate([(30, 40), (61, 85)]):
        alone = free_masks(given[k : k + 1], [size])[0]
        assert torch.equal(alone.solid, together[k].solid)
        assert torch.allclose(alone.scores, together[k].scores, atol=1e-6)


def block() -> torch.Tensor:
    """One thing before a ground that is all alike."""
    given = torch.zeros(1, 2, 8, 8)
    given[:, 0], given[:, 0, 2:6, 3:6], given[:, 1, 2:6, 3:6] = 1, 0, 1
    return given


def test_contrast_is_the_mean_inside_less_that_outside_by_the_power_of_the_area() -> None:
    found = free_masks(block(), [(8, 8)], Masking(border=0, centred=False, overlap=1.0))[0]
    sides = sorted(float(one.sum()) for one in found.solid)
    assert set(sides) == {12.0, 52.0}
    best = free_masks(block(), [(8, 8)], Masking(border=0, centred=False, overlap=0.5))[0]
    assert best.scores.tolist() == pytest.approx([math.sqrt(52 / 64), math.sqrt(12 / 64)])
    assert best.maskness.tolist() == pytest.approx([1, 1])


def test_what_takes_much_of_the_border_loses_by_it() -> None:
    how = Masking(area=0, border=2, centred=False, overlap=0.5)
    found = free_masks(block(), [(8, 8)], how)[0]  # the ground takes all of it
    assert [float(one.sum()) for one in found.solid] == [12, 52]
    assert found.scores.tolist() == pytest.approx([1, 0])
    corner = torch.zeros(2, 3, 4, dtype=torch.bool)
    corner[0, 0, :2] = corner[0, 1, 1] = True
    assert at_the_border(corner).tolist() == pytest.approx([0.2, 0])


def test_masks_outside_of_the_shares_are_left_out() -> None:
    small = free_masks(block(), [(8, 8)], Masking(most=0.5))[0]
    large = free_masks(block(), [(8, 8)], Masking(least=0.5))[0]
    assert [float(one.sum()) for one in small.solid] == [12]
    assert [float(one.sum()) for one in large.solid] == [52]


def test_a_mask_that_overlaps_a_better_one_is_left_out_and_the_count_holds() -> None:
    assert len(free_masks(features(1, 1), [(60, 80)], Masking(overlap=1.0))[0].scores) > 20
    found = free_masks(features(1, 1), [(6, 8)], Masking(overlap=0.5))[0]
    flat = found.solid.flatten(1).float()
    shared = flat @ flat.T
    iou = shared / (flat.sum(1)[:, None] + flat.sum(1) - shared)
    assert float((iou - torch.eye(len(flat))).max()) <= 0.5
    assert len(free_masks(features(1, 1), [(60, 80)], Masking(count=3))[0].scores) == 3


def test_a_mask_passes_by_its_middle_and_its_width() -> None:
    solid = torch.zeros(4, 10, 10, dtype=torch.bool)
    solid[0, 0:2, 2:5] = True  # its middle is at a tenth
    solid[1, 4:6, :] = True  # as wide as the image
    solid[2, 3:9, 1:9] = True
    assert passing(solid, highest=0.2, widest=0.95).tolist() == [False, False, True, False]
    assert passing(solid, highest=0.5, widest=0.95).tolist() == [False, False, True, False]
    assert passing(solid, highest=0.6, widest=1.0).tolist() == [False] * 4  # its middle is at 0.6
    assert passing(solid, highest=0.0, widest=1.0).tolist() == [True, True, True, False]


def test_a_mask_of_one_place_is_none() -> None:
    given = torch.zeros(1, 2, 8, 8)
    given[:, 0], given[:, 0, 3, 3], given[:, 1, 3, 3] = 1, 0, 1
    how = Masking(least=0, centred=False)
    assert [float(one.sum()) for one in free_masks(given, [(8, 8)], how)[0].solid] == [63]


def test_where_the_best_mask_fails_the_next_one_stands_for_it() -> None:
    how = Masking(border=0, centred=False, overlap=0.5, count=1)
    best, narrow = (
        free_masks(block(), [(8, 8)], wished)[0].solid
        for wished in (how, Masking(border=0, centred=False, overlap=0.5, count=1, widest=0.9))
    )
    assert (float(best.sum()), float(narrow.sum())) == (52, 12)


def test_embeddings_are_shortened_along_their_numbers() -> None:
    long = torch.arange(8.0)[None]
    expected = torch.tensor([0.5, 2.5, 4.5, 6.5])
    assert torch.allclose(shortened(long, 4)[0], expected / expected.norm())
