"""DuckDB as the store uses it: in memory, one thread, bounded, never reaching for the network."""

from __future__ import annotations

import tempfile

import duckdb

READ_MEMORY_MB = 768
WRITE_MEMORY_MB = 1024


def connect(memory_mb: int = READ_MEMORY_MB) -> duckdb.DuckDBPyConnection:
    """A connection without a database file; what does not fit into memory spills into the temporary folder."""
    return duckdb.connect(
        ":memory:",
        config={
            "threads": 1,
            "memory_limit": f"{memory_mb}MB",
            "temp_directory": f"{tempfile.gettempdir()}/cstor-duckdb",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "preserve_insertion_order": True,
        },
    )


def quoted(text: str) -> str:
    """A string literal."""
    return "'" + text.replace("'", "''") + "'"
