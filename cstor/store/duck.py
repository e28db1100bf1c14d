"""DuckDB as the store uses it: in memory, one thread, bounded, never reaching for the network."""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb

from cstor.store.layout import FORMAT_VERSION

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


def quoted_name(text: str) -> str:
    """An identifier."""
    return '"' + text.replace('"', '""') + '"'


def copy_parquet(connection: duckdb.DuckDBPyConnection, query: str, dataset: str, path: Path, step: int = 1) -> None:
    """Write the answer of a query as a file of this store's format; a row covers `step` seconds."""
    metadata = f"{{cclear_dataset: '{dataset}', cclear_format: '{FORMAT_VERSION}', cclear_step: '{step}'}}"
    connection.execute(
        f"COPY ({query}) TO {quoted(str(path))} (FORMAT parquet, COMPRESSION zstd, KV_METADATA {metadata})"
    )
