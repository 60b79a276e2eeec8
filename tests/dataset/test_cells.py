import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from paring.dataset.cells import STEP, pack, pack_flags, right_count, state_bytes, unpack
from paring.errors import InputError

margins = arrays(
    np.float32, st.integers(0, 40), elements=st.floats(-20, 20, width=32, allow_subnormal=True)
)


def test_steps_are_rounded_half_away_from_zero_and_cut_at_127() -> None:
    values = [0.03125, -0.03125, 0.09375, -0.09375, 0.08, 7.9375, 7.97, 100.0, -100.0]
    steps = np.frombuffer(pack(values, "margins"), np.int8)
    assert steps.tolist() == [1, -1, 2, -2, 1, 127, 127, 127, -127]


def test_a_margin_too_small_for_a_step_keeps_its_sign() -> None:
    steps = np.frombuffer(pack([1e-30, -1e-30, 0.0, -0.0], "margins"), np.int8)
    assert steps.tolist() == [1, -1, 0, 0]


def test_infinite_margins_are_the_largest_that_are_kept() -> None:
    assert unpack(pack([np.inf, -np.inf], "margins"), 2, "margins").tolist() == [7.9375, -7.9375]
    assert unpack(pack([np.inf, -np.inf], "signs"), 2, "signs").tolist() == [True, False]


def test_a_margin_that_is_no_number_is_refused() -> None:
    for keep in ("signs", "margins"):
        with pytest.raises(InputError, match="a margin is not a number"):
            pack([1.0, float("nan")], keep)  # type: ignore[arg-type]


@given(margins)
def test_both_ways_to_keep_cells_keep_the_same_signs(values: np.ndarray) -> None:
    n = len(values)
    kept = unpack(pack(values, "margins"), n, "margins")
    assert (unpack(pack(values, "signs"), n, "signs") == (values > 0)).all()
    assert (np.sign(kept) == np.sign(values)).all()
    for keep in ("signs", "margins"):
        assert right_count(pack(values, keep), keep) == (values > 0).sum()


@given(margins)
def test_a_kept_margin_is_within_half_a_step_unless_cut_or_tiny(values: np.ndarray) -> None:
    kept = unpack(pack(values, "margins"), len(values), "margins")
    plain = (np.abs(values) >= STEP / 2) & (np.abs(values) <= 127 * STEP)
    assert (np.abs(kept - values)[plain] <= STEP / 2).all()


def test_bytes_of_another_number_of_cells_are_refused() -> None:
    with pytest.raises(InputError, match="2 bytes are not the signs of 8 cells"):
        unpack(bytes(2), 8, "signs")
    with pytest.raises(InputError, match="2 bytes are not the margins of 8 cells"):
        unpack(bytes(2), 8, "margins")


@given(st.lists(st.integers(0, 20), max_size=8), st.integers(0, 2**32 - 1))
def test_flags_of_many_units_are_packed_as_each_alone(cells: list[int], seed: int) -> None:
    flags = [np.random.default_rng((seed, k)).random(n) < 0.5 for k, n in enumerate(cells)]
    joined = np.concatenate([np.zeros(0, bool), *flags])
    alone = b"".join(np.packbits(f).tobytes() for f in flags)
    packed = pack_flags(joined, np.array(cells, np.int64))
    assert packed.tobytes() == alone
    assert len(alone) == state_bytes(np.array(cells, np.int64), "signs").sum()
