from __future__ import annotations

from typing import Any

import pytest

from paring.errors import InputError
from paring.training.overrides import parse_override, put_value


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("seed=3", ("seed",), 3),
        ("optimiser.lr = 1e-3", ("optimiser", "lr"), 1e-3),
        ("data.train=a=b.json", ("data", "train"), "a=b.json"),
        ("stop.patience=null", ("stop", "patience"), None),
        ("options={depth: 2}", ("options",), {"depth": 2}),
    ],
)
def test_an_override_is_a_dotted_key_and_a_yaml_value(text: str, key: Any, value: Any) -> None:
    assert parse_override(text) == (key, value)


@pytest.mark.parametrize("text", ["epochs", "=3", "a..b=1", ".a=1"])
def test_what_has_no_key_and_value_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is no override; write key=value"):
        parse_override(text)


def test_a_value_that_is_no_yaml_is_named_with_its_override() -> None:
    with pytest.raises(InputError, match=r"a=\[, line 1: is not YAML"):
        parse_override("a=[")


def test_a_value_replaces_what_stood_there_and_nothing_else() -> None:
    tree: dict[str, Any] = {"a": {"b": {"x": 1}, "c": 2}, "d": None}
    put_value(tree, ("a", "b"), {"y": 3})
    put_value(tree, ("d", "e", "f"), 4)
    assert tree == {"a": {"b": {"y": 3}, "c": 2}, "d": {"e": {"f": 4}}}


def test_a_key_below_a_value_is_refused() -> None:
    with pytest.raises(InputError, match=r"^a\.b\.c: a\.b is a value and has no keys of its own$"):
        put_value({"a": {"b": 1}}, ("a", "b", "c"), 2)
