"""The one exception that bad input raises, at every floor of the house."""


class InputError(ValueError):
    """What the user gave cannot be used.

    The message is one sentence that names the file and the record, says what is wrong and what
    to do next. The command line prints it and leaves with exit code 2.
    """
