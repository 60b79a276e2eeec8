"""A tiny run from tags to masks, for all tests that look at one."""

from __future__ import annotations

import pytest

import paring
from tagging import tiny


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> paring.Dataset:
    return paring.scenes(7, seed=5, size=(60, 80), folder=tmp_path_factory.mktemp("s") / "images")


@pytest.fixture(scope="session")
def recipe():
    from paring.labels import load_tag_recipe  # needs torch, which tests of other files do without

    return load_tag_recipe("small", tiny())


@pytest.fixture(scope="session")
def proposals(data) -> paring.Dataset:
    from paring.labels import propose

    return propose(data, count=25, size=96, workers=1)


@pytest.fixture(scope="session")
def whole(data, recipe, tmp_path_factory):
    from paring.labels import labels_from_tags

    return labels_from_tags(data, recipe, tmp_path_factory.mktemp("whole"), workers=1)
