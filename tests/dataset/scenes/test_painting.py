"""Pixels are where the masks say they are, the same for any number of threads."""

from dataclasses import replace
from itertools import islice

import cv2
import numpy as np
import pytest

from paring.dataset.scenes import painting
from paring.dataset.scenes.layout import bursts
from paring.dataset.scenes.making import scenes
from paring.dataset.scenes.painting import Painter, ground, save
from paring.errors import InputError

SIZE = (240, 320)
SEED = 6


@pytest.fixture(scope="module")
def frames():
    """First frame of each burst, from back to front, with the number of its image."""
    found, image_id = [], 1
    for burst in islice(bursts(SEED, SIZE), 60):
        found.append((image_id, burst, tuple(t.seen(burst.cameras[0]) for t in burst.things)))
        image_id += len(burst.cameras)
    return found


@pytest.fixture(scope="module")
def data(frames):
    return scenes(frames[-1][0], seed=SEED, size=SIZE)


def annotated(data, image_id, category_id):
    """Pixels of an image that masks of one category cover."""
    covered = np.zeros(SIZE, np.uint8)
    frame = data.instances
    chosen = (frame["image_id"] == image_id) & (frame["category_id"] == category_id)
    for row in np.flatnonzero(chosen.to_numpy()):
        top, left, crop = data.masks.crop(int(row))
        covered[top : top + crop.shape[0], left : left + crop.shape[1]] |= crop
    return covered


@pytest.mark.parametrize("category_id", range(1, 9))
def test_pixels_that_take_the_colour_of_a_category_are_those_its_masks_hold(
    frames, data, category_id, monkeypatch
):
    changed_colours = painting._COLOURS.copy()
    changed_colours[category_id - 1] = 255 - changed_colours[category_id - 1]
    square = np.ones((3, 3), np.uint8)
    covered = missed = beyond = 0
    for image_id, burst, things in frames:
        if category_id not in {thing.category_id for thing in things}:
            continue
        painter = Painter(SEED, SIZE)
        plain = painter.paint(burst, 0, things).astype(int)
        with monkeypatch.context() as patch:
            patch.setattr(painting, "_COLOURS", changed_colours)
            other = painter.paint(burst, 0, things).astype(int)
        changed = (np.abs(plain - other).max(axis=2) > 3).astype(np.uint8)
        mask = annotated(data, image_id, category_id)
        covered += int(mask.sum())
        missed += int((cv2.erode(mask, square) > changed).sum())
        beyond += int((changed > cv2.dilate(mask, square)).sum())
    assert covered > 500
    assert missed <= 0.002 * covered
    assert beyond <= 0.02 * covered


def test_a_thing_changes_the_pixels_of_its_mask_and_none_far_away(frames):
    painter = Painter(SEED, SIZE)
    _, burst, things = next(f for f in frames if f[2])
    without = (replace(things[0], pieces=()), *things[1:])
    changed = (painter.paint(burst, 0, things) != painter.paint(burst, 0, without)).any(axis=2)
    rows, columns = np.nonzero(changed)
    piece = things[0].pieces[0]
    away = np.hypot(columns + 0.5 - piece.centre[0], rows + 0.5 - piece.centre[1])
    assert len(rows) > 20
    assert away.max() < 1.8 * piece.radius + 10


def test_the_background_moves_with_the_things_that_lie_on_it(monkeypatch):
    def ramps(rng, height, width):
        x = np.arange(width) + 0.5 - (width - SIZE[1]) / 2
        y = np.arange(height) + 0.5 - (height - SIZE[0]) / 2
        across, down = np.meshgrid(60 + x / 2, 60 + y / 2)
        return np.stack((across, down, np.full_like(down, 100)), axis=2).astype(np.float32)

    monkeypatch.setattr(painting, "ground", ramps)
    burst = next(b for b in bursts(SEED, SIZE) if len(b.cameras) == 8)
    spots = np.array([[40.0, 30.0], [280.0, 30.0], [160.0, 210.0]])
    for number in (0, 7):
        image = Painter(SEED, SIZE).paint(burst, number, ()).astype(float)
        camera = burst.cameras[number]
        for spot, (x, y) in zip(spots, camera.see(spots), strict=True):
            # colours of the 9 x 9 pixels around the spot as seen, less the noise all three share
            near = np.s_[int(y) - 4 : int(y) + 5, int(x) - 4 : int(x) + 5]
            level = (image[near] - image[near][:, :, 2:]).mean(axis=(0, 1)) / camera.gain + 100
            found = 2 * (level[:2] - 60) + (np.array([x, y]) % 1 - 0.5) / camera.zoom
            assert found == pytest.approx(spot, abs=0.35)
        assert np.abs(camera.see(spots) - spots).max() > 1


def test_pixels_do_not_depend_on_the_number_of_threads(frames):
    _, burst, things = max(frames, key=lambda f: len(f[2]))
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        alone = Painter(SEED, SIZE).paint(burst, 0, things)
        cv2.setNumThreads(4)
        shared = Painter(SEED, SIZE).paint(burst, 0, things)
    finally:
        cv2.setNumThreads(threads)
    assert np.array_equal(alone, shared)


def test_a_frame_does_not_depend_on_what_was_painted_before(frames):
    painter = Painter(SEED, SIZE)
    _, first, _ = frames[0]
    _, burst, things = frames[1]
    painter.paint(first, 0, ())
    assert np.array_equal(
        painter.paint(burst, 0, things), Painter(SEED, SIZE).paint(burst, 0, things)
    )


def test_backgrounds_of_many_seeds_fill_every_pixel_with_a_visible_texture():
    for seed in range(30):
        drawn = ground(np.random.default_rng(seed), 64, 90)
        assert drawn.shape == (64, 90, 3)
        assert np.isfinite(drawn).all()
        assert drawn.std(axis=(0, 1)).min() > 2
        assert 20 < drawn.mean() < 250


def test_a_png_holds_the_very_pixels_and_a_folder_that_is_not_there_is_an_input_error(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (32, 40, 3), np.uint8)
    save(image, tmp_path / "a.png")
    assert np.array_equal(cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_COLOR_RGB), image)
    with pytest.raises(InputError, match="cannot be written"):
        save(image, tmp_path / "nowhere" / "a.png")
