"""Keeping the planner's statistics true after bulk loads, which autovacuum would do only a minute or more later.

Without statistics the planner takes any index that begins with repository_id for selective, and reads all of a
repository's rows for each batch of a pass.
"""

from __future__ import annotations

from typing import Final

from censusd.catalogue.connection import Catalogue

_TABLES: Final = ("files", "directories")
_LEAST: Final = 1_000
_SHARE: Final = 0.2


def analyze(catalogue: Catalogue) -> None:
    """Have PostgreSQL look at the large tables: some tenths of a second, whatever their size.

    Raises:
        CatalogueError: the database refused, or is away.
    """
    with catalogue.session() as connection:
        connection.execute(f"ANALYZE {', '.join(_TABLES)}")


def analyze_if_stale(catalogue: Catalogue) -> bool:
    """The same, if a large share of the rows has changed since the last time. Says whether it was done.

    Raises:
        CatalogueError: the database refused, or is away.
    """
    with catalogue.transaction() as cursor:
        cursor.execute(
            "SELECT max(n_mod_since_analyze::float8 / greatest(n_live_tup, %s)) FROM pg_stat_user_tables "
            "WHERE relname = ANY(%s) AND n_mod_since_analyze > %s",
            (_LEAST, list(_TABLES), _LEAST),
        )
        row = cursor.fetchone()
    stale = bool(row and row[0] and row[0] > _SHARE)
    if stale:
        analyze(catalogue)
    return stale
