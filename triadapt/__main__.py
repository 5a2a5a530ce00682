"""`python -m triadapt` is `triadapt`."""

import sys

from triadapt.cli import main

if __name__ == "__main__":
    sys.exit(main())
