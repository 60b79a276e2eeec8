import math

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

import paring
from paring.dataset.summary import compare
from paring.report.words import headline, similar


def test_the_headline_rounds_what_is_kept_down() -> None:
    data = paring.scenes(60, seed=0)
    before = data.summary()
    after = data.subset(range(1, 42)).summary()
    assert after.categories["instances"].min() > 0
    losses = compare(before, after)
    worst = losses.filter(pl.col("group") == "category").row(0, named=True)
    words = headline(before, after, losses)
    assert words.startswith(f"60 images, 19 removed; {after.instances:,} of ")
    least = int(words.split("at least ")[1].split(" %")[0])
    assert least <= 100 * (1 - worst["lost"]) < least + 1
    assert f"{worst['name']} lost most" in words


def test_nothing_lost_is_said_so() -> None:
    summary = paring.scenes(10, seed=0).summary()
    words = headline(summary, summary, compare(summary, summary))
    assert words.endswith("no category lost any.")


def test_a_cut_without_instances_has_a_headline() -> None:
    data = paring.scenes(3, seed=0)
    bare = paring.Dataset(data.images, data.instances[:0], data.categories, data.masks.take([]))
    before, after = bare.summary(), bare.subset([1]).summary()
    assert headline(before, after, compare(before, after)) == "3 images, 2 removed."


@given(st.floats(-1, 1))
def test_a_similarity_is_rounded_down_and_only_1_is_shown_as_1(value: float) -> None:
    for text in (similar(value), similar(value, bare=True)):
        assert value - 1e-4 <= float(text) <= value
        assert (float(text) == 1) == (value == 1)
        assert not text.startswith("-0.0000")


def test_a_threshold_that_is_no_similarity_is_shown_as_it_is() -> None:
    shown = [similar(value, bare=True) for value in (0, -0.0, 1, 2.5, -1e300, math.inf)]
    assert shown == ["0", "0", "1", "2.5", "-1e+300", "inf"]


def test_categories_that_lose_all_are_counted() -> None:
    data = paring.scenes(60, seed=0)
    counts = data.instances.group_by("category_id").agg(pl.col("image_id"))
    before = data.summary()
    for k in (1, 2):
        gone = set(counts.sort("category_id")["image_id"].tail(k).explode())
        after = data.subset(set(data.images["image_id"]) - gone).summary()
        lost = after.categories.filter(pl.col("instances") == 0)["name"].to_list()
        words = headline(before, after, compare(before, after))
        if len(lost) == 1:
            assert words.endswith(f"; {lost[0]} loses all of its own.")
        else:
            assert words.endswith(
                f"; {len(lost)} categories lose all of their own, {lost[0]} among them."
            )


def test_at_least_is_exact_where_the_share_is_whole() -> None:
    for kept, n in ((1, 5), (1, 10), (11, 25)):
        record = {"iscrowd": False, "bbox": [0.0, 0.0, 9.0, 9.0], "area": 81.0}
        ids = list(range(1, n + 1))
        data = paring.Dataset(
            pl.DataFrame({"image_id": ids, "file_name": list(map(str, ids))}).with_columns(
                width=pl.lit(99), height=pl.lit(99)
            ),
            pl.DataFrame(
                [{"instance_id": k, "image_id": k, "category_id": 1, **record} for k in ids],
                schema_overrides={"bbox": pl.Array(pl.Float64, 4)},
            ),
            pl.DataFrame({"category_id": [1], "name": ["cat"]}),
            paring.MaskStore.from_polygons([[]] * n, heights=[99] * n, widths=[99] * n),
        )
        before, after = data.summary(), data.subset(ids[:kept]).summary()
        words = headline(before, after, compare(before, after))
        assert f"at least {100 * kept // n} % of its own" in words
