"""The only door to PostgreSQL: statements live in named SQL files, and driver errors stop here."""
