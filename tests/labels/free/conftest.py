"""A tiny run from images to masks, for all tests that look at one."""

from __future__ import annotations

import pytest

import paring
from freeing import tiny


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> paring.Dataset:
    return paring.scenes(6, seed=5, size=(60, 80), folder=tmp_path_factory.mktemp("f") / "images")


@pytest.fixture(scope="session")
def recipe():
    from paring.labels import load_free_recipe  # needs torch, which tests of other files do without

    return load_free_recipe("small", tiny())


@pytest.fixture(scope="session")
def whole(data, recipe, tmp_path_factory):
    from paring.labels import labels_from_images

    return labels_from_images(data, recipe, tmp_path_factory.mktemp("whole"))
