"""A migrated database of its own for each measurement, on embedded servers with their default durability."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from workers.db.migrate import migrate
from workers.db.session import Connection, connect

SQL = Path(__file__).parent / "sql"


@contextmanager
def filled_database(server: str, name: str, template: str | None = None) -> Iterator[tuple[str, Connection]]:
    """Create a database from bench/sql/NAME.sql, or as a copy of another, and drop it afterwards."""
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        admin.execute(create.format(sql.Identifier(name), sql.Identifier(template or "template0")))
        url = server.replace("/postgres?", f"/{name}?")
        if template is None:
            migrate(url)
            with connect(url) as connection:
                for statement in _statements(name):
                    connection.execute(statement)
        with connect(url) as connection:
            yield url, connection
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _statements(name: str) -> list[bytes]:
    """Split a file by its blank-line-free semicolons: VACUUM must stand alone."""
    return [part.encode() for part in (SQL / f"{name}.sql").read_text().split(";\n") if part.strip()]
