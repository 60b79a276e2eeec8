from __future__ import annotations

import pytest

from paring.dataset.formats.cityscapes.labels import (
    INSTANCE_CLASSES,
    OTHERS,
    TRAIN_CLASSES,
    value_of,
)


@pytest.mark.parametrize(("number", "name"), INSTANCE_CLASSES.items())
def test_each_class_with_instances_has_its_number_and_a_group(number: int, name: str) -> None:
    assert value_of(name) == (number, False)
    assert value_of(f"{name}group") == (number, True)


@pytest.mark.parametrize("name", sorted({*OTHERS, *TRAIN_CLASSES.values()}))
def test_every_other_label_is_known_and_has_no_instances(name: str) -> None:
    if name not in INSTANCE_CLASSES.values():
        assert value_of(name) == (0, False)


@pytest.mark.parametrize("name", ["", "group", "cra", "Car", "cra group", "license plate"])
def test_what_is_no_label_to_paint_is_not_known(name: str) -> None:
    assert value_of(name) is None


def test_34_labels_are_known_beside_the_license_plate() -> None:
    # ids 0 to 33 of the data set
    assert len({*OTHERS, *TRAIN_CLASSES.values()}) == 34
