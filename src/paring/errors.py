"""The one exception that bad input raises, at every floor of the house."""


class InputError(ValueError):
    """What the user gave cannot be used.

    The message is one sentence that names the file and the record, says what is wrong and what
    to do next. The command line prints it and leaves with exit code 2.
    """


def first_line(error: Exception) -> str:
    r"""The first line of what an error says, or its kind where it says nothing.

    >>> first_line(RuntimeError("no such layer\nand more")), first_line(KeyError())
    ('no such layer', 'KeyError')
    """
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
