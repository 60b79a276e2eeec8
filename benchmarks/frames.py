"""Generated frames like those of an endoscope's videos, in bursts, for benchmarks of similarity.

A burst is one scene: a smooth field with the spectrum of natural pictures (amplitude falls as
1 / frequency) under a lamp that darkens towards the corners. Its 1 to 6 frames see the scene from
a camera that drifts by a few pixels, a light that changes a little, and a sensor with noise. How
strong a scene's texture is differs from scene to scene, so scenes with little of it are alike.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

SIZE = 352
_MARGIN = 48  # of the scene around the frame, for the camera to drift in


def frames(n_frames: int, *, seed: int = 0, size: int = SIZE) -> Iterator[tuple[int, NDArray]]:
    """Frames (size, size) uint8 with the number of their burst; a prefix of any longer run."""
    made = burst = 0
    while made < n_frames:
        rng = np.random.default_rng((seed, burst))
        scene = _scene(rng, size)
        y, x = rng.integers(8, 2 * _MARGIN - 8, 2)
        for _ in range(rng.integers(1, 7)):
            if made == n_frames:
                return
            light = 1 + rng.normal(0, 0.02)
            view = scene[y : y + size, x : x + size] * light
            view = view + rng.normal(0, 2.5, view.shape)
            yield burst, np.clip(np.rint(view), 0, 255).astype(np.uint8)
            made += 1
            drift = np.rint(rng.normal(0, 3, 2)).astype(int)
            y, x = np.clip(np.array((y, x)) + drift, 0, 2 * _MARGIN)
        burst += 1


def _scene(rng: np.random.Generator, size: int) -> NDArray:
    whole = size + 2 * _MARGIN
    fy, fx = np.fft.fftfreq(whole)[:, None], np.fft.rfftfreq(whole)[None, :]
    frequency = np.hypot(fy, fx)
    frequency[0, 0] = np.inf
    waves = rng.normal(size=frequency.shape) + 1j * rng.normal(size=frequency.shape)
    field = np.fft.irfft2(waves / frequency**1.3, (whole, whole))
    field /= field.std()
    place = (np.arange(whole) - whole / 2) / (size / 2)
    cy, cx = rng.normal(0, 0.28, 2)
    lamp = np.exp(-((place[:, None] - cy) ** 2 + (place[None, :] - cx) ** 2) / 1.1)
    strength = np.exp(rng.normal(np.log(30), 0.5))
    return 25 + 118 * lamp + strength * field * np.sqrt(lamp)
