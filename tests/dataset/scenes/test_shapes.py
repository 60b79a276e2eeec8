"""Eight families of shapes, each what its name says, all inside the unit circle."""

import numpy as np
import pytest

from paring.dataset.scenes.shapes import FAMILIES, NAMES, outline


def shoelace(line):
    x, y = line.T
    return (x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def drawn(name, seeds=range(20), n=40):
    family = FAMILIES[NAMES.index(name)]
    return [family(np.random.default_rng(seed), n) for seed in seeds]


def roundness(shape):
    """4 pi area / perimeter squared over all lines: 1 for a circle, less for everything else."""
    lines = shape.parts + shape.holes
    length = sum(np.hypot(*(np.roll(line, -1, axis=0) - line).T).sum() for line in lines)
    area = sum(abs(shoelace(p)) for p in shape.parts) - sum(abs(shoelace(h)) for h in shape.holes)
    return 4 * np.pi * area / length**2


def lies_inside(point, line):
    """Even-odd rule: a ray to the right crosses the line an odd number of times."""
    here, after = line, np.roll(line, -1, axis=0)
    spans = (here[:, 1] > point[1]) != (after[:, 1] > point[1])
    share = (point[1] - here[spans, 1]) / (after[spans, 1] - here[spans, 1])
    crossings = here[spans, 0] + share * (after[spans, 0] - here[spans, 0])
    return (crossings > point[0]).sum() % 2 == 1


@pytest.mark.parametrize("name", NAMES)
def test_every_shape_lies_in_the_unit_circle_and_nearly_reaches_it(name):
    for shape in drawn(name):
        away = max(np.hypot(*part.T).max() for part in shape.parts)
        assert 0.9 < away <= 1 + 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_a_family_draws_the_same_from_the_same_generator_and_others_from_others(name):
    one, again, other = drawn(name, [0, 0, 1])
    assert all(np.array_equal(a, b) for a, b in zip(one.parts, again.parts, strict=True))
    assert not np.array_equal(one.parts[0], other.parts[0])


def test_only_rings_have_a_hole_and_it_lies_inside():
    for name in NAMES:
        for shape in drawn(name):
            assert len(shape.holes) == (name == "ring")
            for hole in shape.holes:
                assert all(lies_inside(point, shape.parts[0]) for point in hole)


def test_clusters_have_three_to_six_parts_that_do_not_touch():
    shapes = drawn("cluster", range(60))
    assert {len(shape.parts) for shape in shapes} == {3, 4, 5, 6}
    for shape in shapes:
        for k, one in enumerate(shape.parts):
            for other in shape.parts[k + 1 :]:
                gaps = np.hypot(*(one[:, None] - other[None]).transpose(2, 0, 1))
                assert gaps.min() > 0.02
                assert not lies_inside(one.mean(axis=0), other)


def test_families_run_from_smooth_to_intricate():
    typical = {name: np.median([roundness(s) for s in drawn(name)]) for name in NAMES}
    smooth = min(typical[name] for name in ("disc", "bean", "tile"))
    assert typical["disc"] > 0.95
    assert max(typical[name] for name in ("ring", "star", "gear", "leaf", "cluster")) < smooth


def test_a_bean_is_dented_and_a_disc_and_a_tile_are_not():
    def turns_both_ways(line):
        step = np.roll(line, -1, axis=0) - line
        after = np.roll(step, -1, axis=0)
        turns = step[:, 0] * after[:, 1] - step[:, 1] * after[:, 0]
        return turns.min() < -1e-6 and turns.max() > 1e-6

    assert all(turns_both_ways(shape.parts[0]) for shape in drawn("bean"))
    for name in ("disc", "tile"):
        assert not any(turns_both_ways(shape.parts[0]) for shape in drawn(name))


def test_large_outlines_have_more_vertices_than_small_ones():
    small, large = (outline(1, np.random.default_rng(0), radius) for radius in (4, 60))
    assert len(small.parts[0]) < len(large.parts[0]) <= 64
