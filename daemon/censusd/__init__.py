"""censusd keeps a PostgreSQL catalogue true to trees of files, at once and for good."""

__version__ = "0.1.0"
