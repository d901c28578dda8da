"""``python -m censusd`` is ``censusd``."""

from __future__ import annotations

import sys

from censusd.cli.daemon import main

if __name__ == "__main__":
    sys.exit(main())
