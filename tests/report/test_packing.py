import numpy as np
import pytest

from paring.report.packing import Packing, around


def smallest_gap(centres: np.ndarray, radii: np.ndarray) -> float:
    """Of any two discs; below 0 they overlap."""
    apart = np.hypot(*(centres[:, None] - centres[None]).transpose(2, 0, 1))
    gaps = apart - radii[:, None] - radii[None]
    return float(gaps[~np.eye(len(radii), dtype=bool)].min(initial=np.inf))


def packed(radii: np.ndarray, targets: np.ndarray) -> Packing:
    packing = Packing(radii, float(radii.min()), float(radii.max()))
    for disc, target in enumerate(targets):
        packing.add(disc, target)
    return packing


@pytest.mark.parametrize("seed", range(6))
def test_discs_of_all_sizes_never_overlap_and_each_touches_one_before_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    radii = rng.permutation(rng.pareto(1.2, 120) + 0.3)
    centres = packed(radii, rng.normal(0, 20, (120, 2))).centres
    assert smallest_gap(centres, radii) > -1e-8
    for k in range(1, 120):
        gaps = np.hypot(*(centres[:k] - centres[k]).T) - radii[:k] - radii[k]
        assert gaps.min() < 1e-8


def test_equal_discs_about_one_place_lie_as_densely_as_discs_can() -> None:
    radii = np.ones(91)  # a hexagon of five rings around one
    centres = packed(radii, np.zeros((91, 2))).centres
    assert smallest_gap(centres, radii) > -1e-8
    assert np.hypot(*centres.T).max() < 10 + 1e-6


def test_two_thousand_discs_leave_few_pairs_to_look_at() -> None:
    radii = np.ones(2000)
    packing = packed(radii, np.zeros((2000, 2)))
    assert smallest_gap(packing.centres, radii) > -1e-8
    assert len(packing._pairs) < 1000  # the rim; all pairs near each other are some 18,000


def test_a_disc_goes_to_the_place_nearest_to_its_target() -> None:
    packing = packed(np.ones(4), np.array([(0, 0), (0, 0), (1, -5), (1, 5)], float))
    assert packing.centres[2].tolist() == pytest.approx([1, -np.sqrt(3)])
    assert packing.centres[3].tolist() == pytest.approx([1, np.sqrt(3)])


def test_a_disc_that_no_pair_holds_goes_beyond_all_others() -> None:
    packing = Packing(np.array([1.0, 1.0, 1.0, 50.0]), 1.0, 1.0)  # none so large was announced
    for disc in range(3):
        packing.add(disc)
    packing._pairs, packing._side = packing._pairs[:0], packing._side[:0]
    packing._least, packing._held = packing._least[:0], packing._held[:0]
    packing.add(3, (1, 30))
    assert smallest_gap(packing.centres, packing.radii) == pytest.approx(0, abs=1e-9)
    assert packing.centres[3][1] > 40


@pytest.mark.parametrize("count", [0, 1, 7, 500])
def test_discs_around_others_overlap_neither_them_nor_each_other(count: int) -> None:
    rng = np.random.default_rng(count)
    radii = rng.uniform(0.5, 6, 30)
    inner = packed(radii, rng.normal(0, 9, (30, 2))).centres
    outer = around(inner, radii, count, 0.75)
    assert outer.shape == (count, 2)
    every = np.concatenate((inner, outer))
    assert smallest_gap(every, np.concatenate((radii, np.full(count, 0.75)))) > -1e-8


def test_discs_around_others_stay_out_of_holes() -> None:
    angle = np.arange(24) * np.pi / 12
    ring = 30 * np.column_stack((np.cos(angle), np.sin(angle)))  # touching, with room within
    outer = around(ring, np.full(24, 30 * np.sin(np.pi / 24)), 200, 0.5)
    assert np.hypot(*outer.T).min() > 30


def test_discs_around_nothing_are_round_and_begin_in_the_middle() -> None:
    places = around(np.zeros((0, 2)), np.zeros(0), 397, 1.0)
    assert places[0].tolist() == [0, 0]
    assert np.hypot(*places.T).max() < 1.1 * np.sqrt(397 * np.sqrt(12) / np.pi)
    assert smallest_gap(places, np.ones(397)) > -1e-8
