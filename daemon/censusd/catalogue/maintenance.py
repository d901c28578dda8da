"""Keeping the planner's statistics true after bulk loads, which autovacuum would do only a minute or more later.

Without statistics the planner takes any index that begins with repository_id for selective, and reads all of a
repository's rows for each batch of a pass.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from psycopg import sql

from censusd.catalogue.connection import Catalogue

_TABLES: Final = ("files", "directories")
_LEAST: Final = 1_000
_SHARE: Final = 0.2


def analyze(catalogue: Catalogue, tables: Collection[str] = _TABLES) -> None:
    """Have PostgreSQL look at the large tables: some tenths of a second, whatever their size.

    Raises:
        CatalogueError: the database refused, or is away.
    """
    with catalogue.session() as connection:
        connection.execute(sql.SQL("ANALYZE {}").format(sql.SQL(", ").join(map(sql.Identifier, tables))))


def analyze_if_stale(catalogue: Catalogue) -> list[str]:
    """The same, of those of which a large share of the rows has changed since the last time. Says which these were.

    Raises:
        CatalogueError: the database refused, or is away.
    """
    with catalogue.transaction() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_stat_user_tables WHERE relname = ANY(%s) AND n_mod_since_analyze > %s "
            "AND n_mod_since_analyze > %s * greatest(n_live_tup, %s) ORDER BY relname",
            (list(_TABLES), _LEAST, _SHARE, _LEAST),
        )
        stale = [name for (name,) in cursor]
    if stale:
        analyze(catalogue, stale)
    return stale
