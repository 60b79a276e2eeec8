"""`python -m paring` is the command line."""

import sys

try:
    from paring.cli.main import main
except KeyboardInterrupt:  # stopped before there was anything to stop
    sys.exit(130)

main()
