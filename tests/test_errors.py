from paring.errors import InputError


def test_bad_input_is_a_value_error_with_its_sentence() -> None:
    assert isinstance(InputError("d.json: is empty"), ValueError)
    assert str(InputError("d.json: is empty")) == "d.json: is empty"
