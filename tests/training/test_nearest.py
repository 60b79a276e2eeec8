from __future__ import annotations

from typing import Any

import msgspec
import pytest

from paring.errors import InputError
from paring.training.nearest import in_words, known_keys, nearest, refuse_endless, refuse_unknown
from paring.training.sections import Recipe


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("trainer.epoch", "trainer.epochs"),
        ("optimizer.lr", "optimiser.lr"),
        ("epochs", "trainer.epochs"),
        ("beta", "loss.gsrl.beta"),
        ("data.batchsize", "data.batch_size"),
        ("zzzz", None),
    ],
)
def test_the_nearest_key_is_one_with_most_in_common(word: str, found: str | None) -> None:
    assert nearest(word, known_keys(Recipe)) == found


def test_known_keys_name_sections_and_all_that_is_in_them() -> None:
    keys = list(known_keys(Recipe))
    assert {"data", "data.train", "data.train.path", "data.val.path", "loss.gsrl.pool"} <= {*keys}
    assert len(keys) == len({*keys})


@pytest.mark.parametrize(
    ("tree", "sentence"),
    [
        (
            {"trainer": {"epoch": 3}},
            "r.yaml: trainer.epoch is no key of a recipe; did you mean trainer.epochs?",
        ),
        (
            {"data": {"train": {"pth": "a"}}},
            "r.yaml: data.train.pth is no key of a recipe; did you mean data.train.path?",
        ),
        ({7: 1}, "r.yaml: 7 is no key of a recipe; its sections are model, options, weights"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_known(tree: Any, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        refuse_unknown(tree, Recipe, "r.yaml")
    assert str(error.value).startswith(sentence)


def test_keys_of_free_sections_are_not_looked_at() -> None:
    refuse_unknown({"options": {"whatever": {"x": 1}}, "map": {"cat": "dog"}}, Recipe, "r.yaml")


def test_infinite_numbers_are_refused_wherever_they_are() -> None:
    refuse_endless({"a": [1.0, {"b": 2.0}]}, "here")
    with pytest.raises(InputError, match=r"^here: a\.1\.b is too large for a number$"):
        refuse_endless({"a": [1.0, {"b": float("inf")}]}, "here")


@pytest.mark.parametrize(
    ("tree", "sentence"),
    [
        ({}, "model is missing"),
        ({"data": {"train": {"split": "a"}}}, "data.train.path is missing"),
        ({"model": 3}, "model must be a text, not 3"),
        ({"seed": -1}, "seed must be a whole number of at least 0, not -1"),
        ({"data": {"size": [3]}}, "data.size must have 2 entries, not 1"),
        ({"data": {"size": [3, 0]}}, "data.size[1] must be a whole number of at least 1, not 0"),
        ({"data": 4}, "data must be a section with keys, not 4"),
        ({"optimiser": {"lr": 0}}, "optimiser.lr must be a number of more than 0, not 0"),
        ({"stop": {"keep": "all"}}, "stop.keep must be one of last, best, not 'all'"),
        ({"record": {"keep": "x"}}, "record.keep must be one of signs, margins, not 'x'"),
        ({"trainer": {"clip": "a"}}, "trainer.clip must be a number or null, not 'a'"),
        ({"log": {"tensorboard": 1}}, "log.tensorboard must be true or false, not 1"),
        ({"map": {1: "a"}}, "the keys of map must be texts; put them in quotes"),
        ({"mean": True}, "mean must be a list or null, not true"),
    ],
)
def test_a_wrong_value_is_told_in_words(tree: dict[str, Any], sentence: str) -> None:
    tree = {"model": "m", **tree} if tree else tree
    with pytest.raises(msgspec.ValidationError) as error:
        msgspec.convert(tree, Recipe)
    assert in_words(error.value, tree, Recipe) == sentence
