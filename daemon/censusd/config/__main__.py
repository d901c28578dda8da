"""Write the reference, ``etc/censusd.toml``, to standard output."""

from __future__ import annotations

import sys

from censusd.config.rendering import reference

sys.stdout.write(reference())
