"""The command line: a thin dress over the library."""
