"""Recipes of any kind from their keys."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

import paring
from paring.training.completing import complete, settle_weights, value_at


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    rate: float = 0.1


class Kind(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    inner: Inner = msgspec.field(default_factory=Inner)


def made(tree, *overrides) -> Kind:
    settled = []

    def settle(part, folder, where) -> None:
        settled.append((folder, where))

    kind = complete(tree, overrides, Kind, where="here", folder=Path("there"), settle=settle)
    assert settled[0] == (Path("there"), "here")
    assert [folder for folder, _ in settled[1:]] == [Path.cwd()] * len(overrides)
    return kind


def test_keys_and_overrides_make_a_recipe() -> None:
    assert made({"name": "a"}, "inner.rate=0.5", "name=b") == Kind("b", Inner(0.5))


@pytest.mark.parametrize(
    ("tree", "overrides", "said"),
    [
        ({"name": "a", "iner": {}}, (), "here: iner is no key of a recipe; did you mean inner"),
        ({"name": "a"}, ("inner.rat=1",), "inner.rat=1: inner.rat is no key"),
        ({"name": "a"}, ("inner.rate=x",), "inner.rate=x: inner.rate must be a number"),
        ({}, (), "here: name is missing"),
    ],
)
def test_what_is_wrong_is_said(tree, overrides, said: str) -> None:
    with pytest.raises(paring.InputError) as error:
        made(tree, *overrides)
    assert str(error.value).startswith(said.partition(":")[0])
    for word in said.split(": ")[1:]:
        assert word in str(error.value)


def test_values_at_keys_that_are_not_there() -> None:
    assert value_at({"a": 1}, ("a", "b")) is None
    assert value_at({}, ("a",)) is None


class Deep(msgspec.Struct, frozen=True):
    one: int = 1
    two: int = 2


class Wide(msgspec.Struct, frozen=True):
    deep: Deep = Deep(one=7, two=8)
    name: str = "n"


def test_a_section_that_says_something_keeps_the_rest_of_its_defaults() -> None:
    def made(**given) -> Wide:
        return complete(
            {"deep": {"one": 5}},
            (),
            Wide,
            where="here",
            folder=Path(),
            settle=lambda *_: None,
            **given,
        )

    assert made(defaults=Wide()) == Wide(Deep(one=5, two=8))
    assert made() == Wide(Deep(one=5, two=2))


def test_paths_of_weights_start_from_the_folder_of_the_recipe(tmp_path: Path) -> None:
    for given, expected in (
        ("a.pth", str(tmp_path / "a.pth")),
        ("hub", "hub"),
        (None, None),
        ("/x/b.pth", "/x/b.pth"),
    ):
        tree = {"weights": given}
        settle_weights(tree, tmp_path, "here")
        assert tree == {"weights": expected}
    with pytest.raises(paring.InputError, match="here: weights is an empty path"):
        settle_weights({"weights": ""}, tmp_path, "here")
