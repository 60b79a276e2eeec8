from paring.errors import InputError, first_line


def test_bad_input_is_a_value_error_with_its_sentence() -> None:
    assert isinstance(InputError("d.json: is empty"), ValueError)
    assert str(InputError("d.json: is empty")) == "d.json: is empty"


def test_of_what_an_error_says_the_first_line_is_taken_or_its_kind() -> None:
    assert first_line(RuntimeError("\n  no such layer\nmore")) == "no such layer"
    assert first_line(KeyError()) == "KeyError"
