from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paring.errors import InputError
from paring.training.notation import parse_yaml, write_yaml

_WORDS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(
        ["1e-4", "no", "~", "null", "010", "1:30", "2020-01-01", "<<", "=", ".inf", ""]
    ),
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1.0e-4", 1e-4),
        ("-2E+3", -2000.0),
        (".5", 0.5),
        ("3.", 3.0),
        ("12", 12),
        ("-0", 0),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
    ],
)
def test_numbers_truths_and_nothing_are_read_as_such(text: str, value: Any) -> None:
    read = parse_yaml(f"key: {text}", "here")["key"]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    "text",
    ["no", "off", "yes", "on", "y", "010", "1:30", "2020-01-01", "0x1f", "1_000", ".inf", "e5"],
)
def test_all_other_words_are_texts(text: str) -> None:
    assert parse_yaml(f"key: {text}", "here") == {"key": text}


@example({"a\u2028b": "\x85"})
@given(
    st.dictionaries(
        st.text(max_size=6),
        st.recursive(_WORDS, lambda inner: st.lists(inner, max_size=3), max_leaves=6),
        max_size=4,
    )
)
def test_what_is_written_is_read_back_as_the_same(tree: dict[str, Any]) -> None:
    back = parse_yaml(write_yaml(tree), "here")
    assert repr(back) == repr(tree)  # tells 1 from True and 0.0 from -0.0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\nb: 2\na: 3\n", "here, line 3: is not YAML (the key 'a' occurs twice)"),
        ("a:\n  b: {c: 1, c: 2}\n", "here, line 2: is not YAML (the key 'c' occurs twice)"),
        ("a: 1\n b: 2\n", "here, line 2: is not YAML"),
        ("a: &x [1]\nb: *x\n", "here, line 2: is not YAML (aliases (*name) are not taken)"),
        ("a: !!python/object:os.system x\n", "here, line 1: is not YAML"),
        ("? [1, 2]\n: 3\n", "here, line 1: is not YAML (a key is a list or a section)"),
        ("a: 1\n---\nb: 2\n", "here, line 2: is not YAML"),
        ("a: \x00", "here: is not YAML"),
        ("a: " + "9" * 5000, "here, line 1: is not YAML (a number has more than 100 digits)"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        parse_yaml(text, "here")
    assert str(error.value).startswith(sentence)
    assert "\n" not in str(error.value)


def test_nesting_without_end_is_refused_in_words() -> None:
    with pytest.raises(InputError, match="here: is nested too deeply"):
        parse_yaml("[" * 5000, "here")
