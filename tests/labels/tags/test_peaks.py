"""Peaks of activation maps."""

from __future__ import annotations

import numpy as np

from paring.labels.tags.peaks import find_peaks


def maps(*values: dict[tuple[int, int], float], size=(9, 9), floor=0.0):
    out = np.full((len(values), *size), floor)
    for k, points in enumerate(values):
        for place, value in points.items():
            out[k][place] = value
    return out


def found(map_, present=(True,), **how):
    peaks = find_peaks(map_, np.array(present), **how)
    size = map_.shape[1:]
    return [
        (c, *place)
        for c, place in zip(peaks.classes.tolist(), peaks.pixels(size).tolist(), strict=True)
    ]


def test_peaks_are_above_half_of_the_largest() -> None:
    one = maps({(1, 1): 10.0, (7, 7): 5.1, (1, 7): 5.0})
    assert found(one) == [(0, 1, 1), (0, 7, 7)]


def test_a_logit_as_the_bound_and_the_largest_where_none_reaches_it() -> None:
    one = maps({(1, 1): 12.0, (7, 7): 11.0, (1, 7): 9.0})
    assert found(one, bound=10.0) == [(0, 1, 1), (0, 7, 7)]
    assert found(one, bound=20.0) == [(0, 1, 1)]


def test_a_neighbour_of_a_higher_point_is_no_peak() -> None:
    assert found(maps({(4, 4): 10.0, (4, 5): 9.0})) == [(0, 4, 4)]


def test_a_plateau_is_one_peak_in_its_middle() -> None:
    assert found(maps({(4, 3): 5.0, (4, 4): 5.0, (4, 5): 5.0})) == [(0, 4, 4)]


def test_a_map_below_zero_has_its_largest_point() -> None:
    assert found(maps({(2, 6): -1.0, (7, 1): -1.5}, floor=-9.0)) == [(0, 2, 6)]


def test_only_classes_of_the_tags_have_peaks() -> None:
    both = maps({(1, 1): 5.0}, {(7, 7): 50.0})
    assert found(both, present=(True, False)) == [(0, 1, 1)]
    assert found(both, present=(False, True)) == [(1, 7, 7)]
    assert found(both, present=(False, False)) == []


def test_places_scale_to_images_of_another_size() -> None:
    peaks = find_peaks(maps({(8, 0): 3.0}), np.array([True]))
    assert peaks.pixels((90, 180)).tolist() == [[85, 10]]
    assert peaks.pixels((1, 1)).tolist() == [[0, 0]]
