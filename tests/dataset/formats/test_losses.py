import numpy as np
import polars as pl

import factory
from paring.dataset.formats.losses import left_behind
from paring.dataset.labelmaps import LabelMaps
from paring.dataset.table import Dataset


def test_only_what_is_there_is_counted() -> None:
    plain = factory.from_bitmaps([np.ones((2, 2))] * 3, image=[1, 1, 2], category=[1, 2, 2])
    assert left_behind(plain) == {}
    rich = Dataset(
        plain.images,
        plain.instances.with_columns(
            score=pl.Series([0.5, None, None]), ignore=pl.Series([1, 0, 1])
        ),
        plain.categories,
        plain.masks,
        tags=pl.DataFrame({"image_id": [1], "category_id": [2]}),
        label_maps=LabelMaps(
            pl.DataFrame({"image_id": [1, 2], "path": ["a.png", "b.png"]}), np.arange(3)
        ),
    )
    kinds = {"scores": 1, "ignore flags": 2, "image tags": 1, "label maps": 2}
    assert left_behind(rich) == kinds
    del kinds["image tags"], kinds["label maps"]
    assert left_behind(rich, tags=False, label_maps=False) == kinds
