from __future__ import annotations

from types import SimpleNamespace

import pytest

from paring.cli.networks import sides_given, sides_of, three_given
from paring.errors import InputError


def test_sizes_are_height_and_width() -> None:
    assert sides_given("192x256") == (192, 256)
    assert sides_given("192X256") == (192, 256)
    assert sides_given(None) is None
    recipe = SimpleNamespace(data=SimpleNamespace(size=(5, 7)))
    assert sides_of(SimpleNamespace(recipe=recipe), None) == (5, 7)
    assert sides_of(SimpleNamespace(recipe=recipe), "2x3") == (2, 3)


@pytest.mark.parametrize("size", ["192", "0x3", "ax3", "3x", "-1x3", "3x4x5"])
def test_what_is_no_size_is_said(size: str) -> None:
    with pytest.raises(InputError, match="is not as in 192x256"):
        sides_given(size)


def test_a_size_that_is_not_known_must_be_given() -> None:
    with pytest.raises(InputError, match="own:net: the size of its images is not known"):
        sides_of(SimpleNamespace(recipe=None, spec="own:net"), None)


def test_three_numbers_are_a_colour() -> None:
    assert three_given("0.5,0.25,1") == (0.5, 0.25, 1.0)
    assert three_given(None) is None
    for text in ("1,2", "a,b,c", "1,2,3,4"):
        with pytest.raises(InputError, match="is not as in 0.485,0.456,0.406"):
            three_given(text)
