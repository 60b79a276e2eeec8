import numpy as np
import pytest

from paring.dataset.masks import MaskStore
from paring.images.contours import edges


def found(masks: MaskStore) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    is_bad = np.zeros(len(masks), bool)
    buffers = masks.points, masks.part_offsets, masks.instance_parts, masks.heights, masks.widths
    return *edges.find_edges(*buffers, 0, len(masks), is_bad), is_bad


def test_an_edge_that_leaves_the_image_is_cut_at_its_border_but_keeps_its_rows() -> None:
    # from (-10, 0) to (10, 10): inside from (0, 5) on, so two columns a row
    masks = MaskStore.from_polygons([[[-10, 0, 10, 10]]], heights=[20], widths=[20])
    table, _, _ = found(masks)
    edge = table[-1]
    assert edge[[edges.LINE_FIRST, edges.LINE_LAST, edges.LINE_X, edges.DX]].tolist() == [
        *(5, 10, 0, 10)
    ]
    assert edge[edges.FIRST] == 0
    assert edge[edges.CROSS_STOP] == 10
    assert edge[edges.SLOPE] == 2 << 16
    assert edge[edges.CROSSING] == -10 << 16


def test_an_edge_beside_the_image_crosses_its_rows_and_draws_nothing() -> None:
    masks = MaskStore.from_polygons([[[-9, 2, -5, 30]]], heights=[20], widths=[20])
    table, _, _ = found(masks)
    assert (table[:, edges.FIRST] == 2).all()
    assert (table[:, edges.CROSS_STOP] == 20).all()
    assert (table[:, edges.LINE_LAST] < table[:, edges.LINE_FIRST]).all()


def test_edges_above_and_below_the_image_are_left_out() -> None:
    parts = [[1, -5, 9, -2, 4, -1], [1, 25, 9, 22, 4, 21]]
    table, mask_edges, _ = found(MaskStore.from_polygons([parts], heights=[20], widths=[20]))
    assert len(table) == 0
    assert mask_edges.tolist() == [0, 0]


@pytest.mark.parametrize("value", [np.nan, -np.inf, 2.0**31])
def test_a_mask_with_a_vertex_that_is_no_pixel_is_marked_and_has_no_edges(value: float) -> None:
    polygons = [[[0, 0, 5, 5]], [[0, 0, 5, 5], [value, 1, 2, 2]], [[0, 0, 5, 5]]]
    _, mask_edges, is_bad = found(
        MaskStore.from_polygons(polygons, heights=[9] * 3, widths=[9] * 3)
    )
    assert is_bad.tolist() == [False, True, False]
    assert mask_edges.tolist() == [0, 2, 2, 4]
