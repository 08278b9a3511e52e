"""Sets of members in DuckDB: built from files, compared, streamed; they never become Python lists."""
