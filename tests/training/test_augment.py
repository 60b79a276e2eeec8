from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from paring.dataset.labelmaps import VOID
from paring.training.augment import Augmentation, never, rng_of
from paring.training.resizing import PAD_COLOUR
from paring.training.sections import Augment
from paring.training.targets import boxes_of

pytestmark = pytest.mark.torch

SIZE = (48, 64)


def letter() -> np.ndarray:
    """An L in the upper left: no mirroring and no turn leaves it as it is."""
    shape = np.zeros(SIZE, np.uint8)
    shape[6:30, 8:14] = 1
    shape[24:30, 8:32] = 1
    return shape


def seen(shape: np.ndarray) -> Any:
    """A picture of a shape, white on black."""
    return torch.from_numpy(shape * 255).expand(3, -1, -1).contiguous()


def changed(
    seed: int = 0, shape: np.ndarray | None = None, **wished: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Picture (H, W) of one channel, and mask (H, W), after the changes."""
    shape = letter() if shape is None else shape
    change = Augmentation(Augment(**({"flip": 0.0} | wished)), SIZE)
    image, masks = change(
        seen(shape), torch.from_numpy(shape)[None], np.random.default_rng(seed), beside=0
    )
    assert image.dtype == masks.dtype == torch.uint8
    return image[0].numpy(), masks[0].numpy()


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_without_a_wish_nothing_changes() -> None:
    assert never(Augment(flip=0.0))
    picture, mask = changed()
    np.testing.assert_array_equal(mask, letter())
    np.testing.assert_array_equal(picture, letter() * 255)


@pytest.mark.parametrize(
    ("wished", "expected"),
    [
        ({"flip": 1.0}, np.fliplr),
        ({"vflip": 1.0}, np.flipud),
        ({"flip": 1.0, "vflip": 1.0}, lambda shape: np.flipud(np.fliplr(shape))),
    ],
)
def test_mirroring_is_what_numpy_does(wished: dict[str, float], expected: Any) -> None:
    picture, mask = changed(**wished)
    np.testing.assert_array_equal(mask, expected(letter()))
    np.testing.assert_array_equal(picture, expected(letter()) * 255)


def test_a_chance_of_a_half_mirrors_about_half_of_the_images() -> None:
    mirrored = sum(not np.array_equal(changed(seed, flip=0.5)[1], letter()) for seed in range(200))
    assert 70 < mirrored < 130


@pytest.mark.parametrize(
    "wished",
    [
        {"rotate": 60.0},
        {"scale": (0.5, 1.0)},
        {"scale": (1.0, 2.5)},
        {"crop": (30, 40)},
        {"flip": 0.5, "vflip": 0.5, "rotate": 180.0, "scale": (0.6, 1.6), "crop": (50, 50)},
    ],
)
@pytest.mark.parametrize("seed", range(6))
def test_the_mask_stays_on_what_the_picture_shows(wished: dict[str, Any], seed: int) -> None:
    picture, mask = changed(seed, **wished)
    assert mask.shape == wished.get("crop", SIZE)
    assert {*np.unique(mask)} <= {0, 1}
    shown = picture > 180  # more than the colour of what lies beside
    if mask.sum() < 60:  # nearly all of it left the window
        assert shown.sum() < 100
        return
    assert overlap(shown, mask.astype(bool)) > 0.75
    [box], [other] = boxes_of(mask[None]), boxes_of(shown[None].astype(np.uint8))
    assert np.abs(box - other).max() <= 2


def test_a_whole_turn_by_scale_two_shows_a_quarter_of_the_picture() -> None:
    board = np.indices(SIZE).sum(axis=0) // 8 % 2
    _, mask = changed(3, board.astype(np.uint8), scale=(2.0, 2.0))
    windows = [
        board[y : y + 24, x : x + 32].repeat(2, axis=0).repeat(2, axis=1)
        for y in range(25)
        for x in range(33)
    ]
    assert any(np.array_equal(mask, window) for window in windows)


def test_what_lies_beside_the_picture_has_the_mean_colour_and_the_label_that_was_asked_for() -> (
    None
):
    change = Augmentation(Augment(flip=0.0, scale=(0.5, 0.5)), SIZE)
    ones = torch.ones(1, *SIZE, dtype=torch.uint8)
    image, target = change(
        torch.zeros(3, *SIZE, dtype=torch.uint8), ones, np.random.default_rng(1), beside=VOID
    )
    beside = target[0] == VOID
    assert beside.float().mean() == pytest.approx(0.75, abs=0.02)
    assert (target[0][~beside] == 1).all()
    far = torch.nn.functional.max_pool2d((~beside)[None].float(), 5, 1, 2)[0] == 0
    assert {*map(tuple, image[:, far].T.tolist())} == {PAD_COLOUR}


@pytest.mark.parametrize("seed", range(8))
def test_labels_take_no_new_value_but_void_and_void_stays(seed: int) -> None:
    wished = Augment(flip=0.5, vflip=0.5, rotate=30.0, scale=(0.5, 2.0), hue=0.2, contrast=0.5)
    labels = torch.full((1, *SIZE), 3, dtype=torch.uint8)
    labels[:, :, 20:40] = VOID
    image = (labels == VOID).to(torch.uint8).mul(255).expand(3, -1, -1).contiguous()
    plain = Augment(**{n: getattr(wished, n) for n in ("flip", "vflip", "rotate", "scale")})
    rng = np.random.default_rng(seed)
    picture, target = Augmentation(plain, SIZE)(image, labels, rng, beside=VOID)
    assert {*target.unique().tolist()} <= {3, VOID}
    assert (target[0][picture[0] > 230] == VOID).float().mean() > 0.97
    _, coloured = Augmentation(wished, SIZE)(image, labels, rng, beside=VOID)
    assert {*coloured.unique().tolist()} <= {3, VOID}


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "hue"])
def test_colours_change_and_the_target_does_not(name: str) -> None:
    image = torch.randint(0, 256, (3, *SIZE), generator=torch.Generator().manual_seed(0))
    image = image.to(torch.uint8)
    target = torch.from_numpy(letter())[None]
    change = Augmentation(Augment(**{"flip": 0.0, name: 0.4}), SIZE)
    found, same = change(image, target, np.random.default_rng(0), beside=0)
    assert not torch.equal(found, image)
    assert torch.equal(same, target)


def test_a_picture_without_instances_is_changed_as_any_other() -> None:
    change = Augmentation(Augment(flip=1.0, rotate=20.0, crop=(20, 30)), SIZE)
    image, masks = change(
        seen(letter()), torch.zeros(0, *SIZE, dtype=torch.uint8), rng_of(0, 0, 0), beside=0
    )
    other, _ = change(seen(letter()), torch.from_numpy(letter())[None], rng_of(0, 0, 0), beside=0)
    assert masks.shape == (0, 20, 30)
    assert torch.equal(image, other)


def test_chance_depends_on_seed_epoch_and_row_and_on_nothing_else() -> None:
    draws = {
        rng_of(seed, epoch, row).random()
        for seed in range(3)
        for epoch in range(3)
        for row in range(3)
    }
    assert len(draws) == 27
    torch.manual_seed(1)
    first = changed(5, rotate=30.0, flip=0.5)
    torch.manual_seed(2)
    np.testing.assert_array_equal(first, changed(5, rotate=30.0, flip=0.5))
