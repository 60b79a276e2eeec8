import numpy as np
import pytest

from paring.dataset.formats.yolo.labels import Labels, parse


def test_a_line_gives_its_class_and_values() -> None:
    assert parse(b"2 0 0 1 0 0.5 1\r\n") == (2, [0.0, 0.0, 1.0, 0.0, 0.5, 1.0])
    assert parse(b"\xef\xbb\xbf1.0 5e-1 .5 1 1") == (1, [0.5, 0.5, 1.0, 1.0])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"cat 0 0 1 0 0 1", "something else than numbers"),
        (b"0 0 0 1 0 0 1_0", "something else than numbers"),
        (b"0 0 0 1 0 0 \xff", "something else than numbers"),
        (b"0 nan 0 1 0 0 1", "not finite"),
        (b"0 0 0 1 inf 0 1", "not finite"),
        (b"0 inf 0 1 -inf 0 1", "not finite"),
        (b"nan 0 0 1 0 0 1", "not finite"),
        (b"1.5 0 0 1 0 0 1", r"class 1\.5 is not a whole number"),
        (b"-1 0 0 1 0 0 1", "class -1 is not a whole number"),
        (b"1e300 0 0 1 0 0 1", "is not a whole number below"),
        (b"0", "holds 1 numbers"),
        (b"0 0 0 1", "holds 4 numbers"),
        (b"0 0 0 1 0 0", "holds 6 numbers"),
        (b"0 0 0 1 0 0 1 1", "holds 8 numbers"),
        (b"0 0 0 100 0 0 50", "far outside the image"),
        (b"0 0 0 1 0 0 -1.01", "far outside the image"),
        (b"0 0.5 0.5 -0.1 0.1", "box of negative size"),
    ],
)
def test_a_line_that_cannot_be_used_says_why(line: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(line)


def test_geometry_is_in_pixels_of_each_instance_s_image() -> None:
    labels = Labels()
    assert labels.add(1, b"0 0.1 0.1 0.6 0.1 0.6 0.6 0.1 0.6", {0}) is None
    assert labels.add(2, b"0 0.5 0.5 0.2 0.4", {0}) == "box without a mask"
    assert labels.add(2, b"0 -0.1 0 0.5 0 0.5 1", None) == "point outside the image"
    with pytest.raises(ValueError, match="class 3 is not in the list"):
        labels.add(2, b"3 0 0 1 0 0 1", {0})
    masks, boxes, areas = labels.geometry(np.array([100, 10, 10]), np.array([50, 20, 20]))
    np.testing.assert_allclose(boxes, [[10, 5, 50, 25], [4, 6, 2, 8], [-1, 0, 6, 20]])
    np.testing.assert_allclose(areas, [1250, 16, 60])
    assert masks.is_empty.tolist() == [False, True, False]
    np.testing.assert_allclose(masks.polygon(0)[0], [[10, 5], [60, 5], [60, 30], [10, 30]])
    assert masks.widths.tolist() == [100, 10, 10]
    assert masks.heights.tolist() == [50, 20, 20]


def test_no_lines_give_no_masks() -> None:
    masks, boxes, areas = Labels().geometry(np.empty(0, np.int64), np.empty(0, np.int64))
    assert (len(masks), boxes.shape, areas.shape) == (0, (0, 4), (0,))
