"""`python -m paring` is the command line."""

from paring.cli.main import main

main()
