import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import factory
import paring
from guesses import guessed
from paring.dataset.masks import MaskStore
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.evaluation.results import read_results, write_results


@pytest.fixture
def truth(tmp_path: Path) -> Dataset:
    """Images 1 (48 high, 64 wide) and 2, categories 1 (cat) and 2 (dog)."""
    return paring.read(factory.write_json(tmp_path / "truth.json", factory.coco()))


def record(**more: Any) -> dict[str, Any]:
    return {"image_id": 1, "category_id": 2, "score": 0.25, "bbox": [1, 2, 3, 4]} | more


def read(tmp_path: Path, truth: Dataset, value: Any) -> Dataset:
    return read_results(factory.write_json(tmp_path / "r.json", value), truth)


# -- what is read ------------------------------------------------------------------------------


def test_boxes_masks_and_both_are_read_in_the_order_of_the_file(tmp_path: Path, truth) -> None:
    # 48 rows: the first three pixels of the first column, so box (0, 0, 1, 3)
    coded = {"size": [48, 64], "counts": [0, 3, 48 * 64 - 3]}
    polygon = [factory.rectangle(10, 5, 4, 6)]
    alone = {"image_id": 1, "category_id": 1, "score": 1, "segmentation": coded}
    found = read(
        tmp_path,
        truth,
        [record(), alone, record(segmentation=polygon, image_id=2, score=-3.5)],
    )
    assert found.instances["instance_id"].to_list() == [1, 2, 3]
    assert found.instances["image_id"].to_list() == [1, 1, 2]
    assert found.instances["score"].to_list() == [0.25, 1.0, -3.5]
    assert found.instances["bbox"].to_list() == [[1, 2, 3, 4], [0, 0, 1, 3], [1, 2, 3, 4]]
    assert found.instances["area"].to_list() == [12.0, 3.0, 24.0]
    assert found.masks.is_empty.tolist() == [True, False, False]
    assert found.images.equals(truth.images)
    assert found.categories.equals(truth.categories)


def test_keys_that_nobody_asked_for_do_not_disturb(tmp_path: Path, truth) -> None:
    assert len(read(tmp_path, truth, [record(id=9, note={"x": []})]).instances) == 1


def test_an_empty_list_is_no_prediction_at_all(tmp_path: Path, truth) -> None:
    found = read(tmp_path, truth, [])
    assert len(found.instances) == len(found.masks) == 0
    assert found.instances.schema["score"] == pl.Float64


def test_an_annotations_file_with_scores_is_read_as_results(tmp_path: Path, truth) -> None:
    square = [factory.rectangle(1, 1, 3, 3)]
    annotations = [factory.annotation(5, 1, 1, square, score=0.5)]
    found = read(tmp_path, truth, factory.coco(annotations))
    assert found.instances.select("instance_id", "score", "area").rows() == [(1, 0.5, 9.0)]


def test_a_file_is_read_in_chunks_as_at_once(tmp_path: Path, monkeypatch) -> None:
    truth = paring.scenes(12, seed=1, size=(64, 80))
    write_results(guessed(truth, seed=2), tmp_path / "r.json")
    whole = read_results(tmp_path / "r.json", truth)
    told: list[tuple[str, int, int]] = []
    monkeypatch.setattr("paring.evaluation.results._CHUNK", 7)
    parts = read_results(tmp_path / "r.json", truth, progress=lambda *step: told.append(step))
    assert parts == whole
    n = len(whole.instances)
    assert told[0] == ("reading results", 7, n)
    assert told[-1] == ("reading results", n, n)


# -- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"image_id": 9}, "names image 9, which the annotations have not"),
        ({"category_id": 9}, "names category 9, which the annotations have not"),
        ({"score": None}, "`score`: expected `float`, got `null`"),
        ({"score": "high"}, "`score`: expected `float`, got `str`"),
        ({"image_id": "a"}, "`image_id`: expected `int`, got `str`"),
        ({"bbox": None}, "has neither a segmentation nor a bbox"),
        ({"bbox": [], "segmentation": []}, "has neither a segmentation nor a bbox"),
        ({"bbox": [1, 2, 3]}, "`bbox` has 3 numbers instead of 4"),
        ({"bbox": [1, 2, -3, 4]}, "has a side below 0"),
        ({"bbox": [1, 1e30, 3, 4]}, "cannot be in an image"),
        (
            {"segmentation": {"size": [64, 48], "counts": [64 * 48]}},
            "run lengths of size [64, 48] in an image of height 48 and width 64",
        ),
        (
            {"segmentation": {"size": [48, 64], "counts": [5]}},
            "run lengths add up to 5 pixels; the image has 3,072",
        ),
        ({"segmentation": "none"}, "segmentation is neither a list of polygons nor run lengths"),
        ({"segmentation": [[1, 2, 3]]}, "polygon of 3 numbers"),
        (
            {"segmentation": {"size": [48, 64], "counts": "\u0001"}},
            "compressed run lengths cannot be decoded",
        ),
    ],
)
def test_a_record_that_cannot_be_used_is_named(tmp_path: Path, truth, bad, words) -> None:
    with pytest.raises(InputError) as error:
        read(tmp_path, truth, [record(), record(**bad), record(**bad)])
    assert str(error.value).startswith(f"{tmp_path / 'r.json'}: record 1: ")
    assert words in str(error.value)


@pytest.mark.parametrize("key", ["image_id", "category_id", "score"])
def test_a_record_that_lacks_a_field_is_named_with_it(tmp_path: Path, truth, key) -> None:
    lacking = {k: v for k, v in record().items() if k != key}
    with pytest.raises(InputError, match=rf"r\.json: record 1: lacks `{key}`$"):
        read(tmp_path, truth, [record(), lacking])


def test_records_are_counted_through_the_chunks(tmp_path: Path, truth, monkeypatch) -> None:
    monkeypatch.setattr("paring.evaluation.results._CHUNK", 2)
    for bad in (record(image_id=9), record(score="x"), record(bbox=None)):
        with pytest.raises(InputError, match="record 3: "):
            read(tmp_path, truth, [record(), record(), record(), bad, record()])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('"scores"', "is not a COCO result file, which is a JSON list"),
        ("7", "is not a COCO result file, which is a JSON list"),
        ('{"results": []}', "is not a COCO result file, which is a JSON list"),
        ('{"annotations": {}}', "'annotations' is not a list"),
        ("[{", "is not valid JSON"),
        ("", "is not valid JSON"),
        ('[{"score": NaN}]', "is not valid JSON"),
        ("[3]", "record 0: expected `object`, got `int`"),
        (
            '[{"image_id": 1, "category_id": 1, "score": 1e999, "bbox": [1, 1, 1, 1]}]',
            "record 0: ",
        ),
    ],
)
def test_a_file_that_is_no_list_of_results_is_refused(tmp_path: Path, truth, text, words) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(InputError) as error:
        read_results(tmp_path / "r.json", truth)
    assert str(error.value).startswith(f"{tmp_path / 'r.json'}: ")
    assert words in str(error.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path, truth) -> None:
    with pytest.raises(InputError, match=r"none\.json: no such file"):
        read_results(tmp_path / "none.json", truth)


def test_annotations_whose_categories_have_other_names_are_refused(tmp_path: Path, truth) -> None:
    cows = [{"id": 1, "name": "cow"}, {"id": 2, "name": "dog"}]
    with pytest.raises(InputError, match="category 1 is 'cow' there and 'cat' in the annotations"):
        read(tmp_path, truth, factory.coco([], categories=cows))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    )
)
def test_whatever_stands_in_a_record_is_read_or_refused_in_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, value
) -> None:
    folder = tmp_path_factory.mktemp("r")
    scenes = paring.scenes(1, seed=0, size=(32, 32))
    for key in ("segmentation", "bbox", "score", "category_id"):
        text = json.dumps([record(**{key: value})])
        (folder / "r.json").write_text(text)
        try:
            found = read_results(folder / "r.json", scenes)
        except InputError as error:
            assert str(error).startswith(f"{folder / 'r.json'}: ")
        else:
            assert len(found.instances) == 1
            assert np.isfinite(found.instances["score"][0])


# -- what is written ---------------------------------------------------------------------------


def test_what_is_written_is_read_back_as_it_was(tmp_path: Path) -> None:
    truth = paring.scenes(12, seed=1, size=(64, 80))
    rows = np.arange(len(truth.instances))
    drawn = guessed(truth, seed=2, decimals=17)
    drawn = replace(
        drawn, instances=drawn.instances.drop("area").with_columns(area=drawn.masks.areas())
    )
    polygons = replace(truth, instances=truth.instances.with_columns(score=pl.Series(rows / 7)))
    polygons = polygons._keep(np.ones(len(truth), bool))
    bare = replace(
        drawn,
        masks=MaskStore.from_polygons(
            [[]] * len(drawn.masks), heights=drawn.masks.heights, widths=drawn.masks.widths
        ),
    )
    for number, found in enumerate((drawn, polygons, bare)):
        write_results(found, tmp_path / f"{number}.json")
        back = read_results(tmp_path / f"{number}.json", truth)
        for column in ("image_id", "category_id", "bbox", "score"):
            assert back.instances[column].to_list() == found.instances[column].to_list()
        assert back.masks == found.masks
    lines = (tmp_path / "2.json").read_text().splitlines()
    assert len(lines) == len(bare.instances)
    assert [*json.loads(lines[0].strip("[,"))] == ["image_id", "category_id", "bbox", "score"]


def test_the_same_predictions_give_the_same_bytes(tmp_path: Path) -> None:
    truth = paring.scenes(5, seed=1, size=(64, 80))
    write_results(guessed(truth, seed=2), tmp_path / "one.json")
    write_results(guessed(truth, seed=2), tmp_path / "two.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


def test_a_file_is_replaced_only_on_request_and_never_half(tmp_path: Path) -> None:
    truth = paring.scenes(5, seed=1, size=(64, 80))
    found = guessed(truth, seed=2)
    write_results(found, tmp_path / "r.json")
    before = (tmp_path / "r.json").read_bytes()
    with pytest.raises(InputError, match=r"r\.json: exists already"):
        write_results(guessed(truth, seed=3), tmp_path / "r.json")
    with pytest.raises(InputError, match="the predictions have no scores"):
        write_results(truth, tmp_path / "r.json", overwrite=True)
    assert (tmp_path / "r.json").read_bytes() == before
    write_results(guessed(truth, seed=3), tmp_path / "r.json", overwrite=True)
    assert (tmp_path / "r.json").read_bytes() != before
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


def test_a_score_that_is_no_number_is_not_written(tmp_path: Path) -> None:
    found = guessed(paring.scenes(2, seed=1, size=(64, 80)), seed=2)
    wrong = found.instances.with_columns(score=pl.lit(float("inf")))
    with pytest.raises(InputError, match="prediction 1 has no score that is a finite number"):
        write_results(replace(found, instances=wrong), tmp_path / "r.json")
    assert not (tmp_path / "r.json").exists()


def test_categories_of_the_file_need_not_be_those_of_the_truth(tmp_path: Path) -> None:
    truth = paring.scenes(2, seed=0)
    file = tmp_path / "found.json"
    record = {"image_id": 1, "category_id": 77, "score": 0.5, "bbox": [1, 2, 3, 4]}
    named = {"categories": [{"id": 1, "name": "something else"}], "annotations": [record]}
    for content in ([record], named, [{k: v for k, v in record.items() if k != "category_id"}]):
        file.write_text(json.dumps(content))
        found = read_results(file, truth, class_agnostic=True)
        assert found.instances["category_id"].to_list() == [truth.categories["category_id"][0]]
        with pytest.raises(paring.InputError):
            read_results(file, truth)
