"""What a record keeps of the cells of a unit: bytes of signs or of margins."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paring.dataset import ragged
from paring.errors import InputError

Keep = Literal["signs", "margins"]

STEP = 0.0625
"""Width of a step in which margins are kept, a sixteenth of a logit."""


def pack(margins: ArrayLike, keep: Keep) -> bytes:
    r"""Margins (cells,) of one unit as bytes.

    ``"signs"`` keeps one bit a cell, 1 where the margin is above 0. ``"margins"`` keeps one byte a
    cell, the margin in steps of 1/16 from -127 to 127; a margin that is not 0 is at least one step,
    so that both keep the same signs.

    Raises `InputError` where a margin is not a number.

    >>> pack([0.5, -0.25, 0.0], "signs"), pack([0.5, -0.25, 0.0], "margins")
    (b'\x80', b'\x08\xfc\x00')
    """
    values = np.asarray(margins, np.float32).reshape(-1)
    if np.isnan(values).any():
        raise InputError("a margin is not a number: the training went astray; try a smaller lr")
    if keep == "signs":
        return np.packbits(values > 0).tobytes()
    steps = np.floor(np.minimum(np.abs(values.astype(np.float64)) / STEP, 127) + 0.5)
    steps = np.where(values == 0, 0, np.maximum(steps, 1))
    return np.copysign(steps, values).astype(np.int8).tobytes()


def unpack(state: bytes, cells: int, keep: Keep) -> NDArray[np.bool_] | NDArray[np.float32]:
    """What `pack` kept of a unit's cells (cells,): bool signs, or float32 margins.

    Raises `InputError` where the bytes are not those of so many cells.

    >>> unpack(pack([0.5, -0.25, 0.0], "signs"), 3, "signs").tolist()
    [True, False, False]
    >>> unpack(pack([0.5, -0.25, 0.0], "margins"), 3, "margins").tolist()
    [0.5, -0.25, 0.0]
    """
    if len(state) != state_bytes(np.array([cells]), keep)[0]:
        raise InputError(f"{len(state):,} bytes are not the {keep} of {cells:,} cells")
    raw = np.frombuffer(state, np.uint8)
    if keep == "signs":
        return np.unpackbits(raw, count=cells).astype(bool)
    return raw.view(np.int8).astype(np.float32) * np.float32(STEP)


def state_bytes(cells: NDArray[np.int64], keep: Keep) -> NDArray[np.int64]:
    """Bytes that `pack` makes of so many cells (n,).

    >>> state_bytes(np.array([784, 9]), "signs")
    array([98,  2])
    """
    return -(-cells // 8) if keep == "signs" else cells


def right_count(state: bytes, keep: Keep) -> int:
    """How many cells of a packed unit have a margin above 0.

    >>> right_count(pack([0.5, -0.25, 2.0], "margins"), "margins")
    2
    """
    raw = np.frombuffer(state, np.uint8)
    return int((np.bitwise_count(raw) if keep == "signs" else raw.view(np.int8) > 0).sum())


def pack_flags(right: NDArray[np.bool_], cells: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Flags of all cells, unit after unit, as bits; each unit begins at a whole byte.

    >>> pack_flags(np.array([True, False, True]), np.array([1, 2])).tolist()
    [128, 64]
    """
    lacking = -cells % 8
    offsets = ragged.offsets_of(cells + lacking)
    filled = np.repeat(offsets[1:] - lacking - ragged.offsets_of(lacking)[:-1], lacking)
    inside = np.ones(offsets[-1], bool)
    inside[filled + np.arange(len(filled))] = False
    padded = np.zeros(offsets[-1], bool)
    padded[inside] = right
    return np.packbits(padded)
