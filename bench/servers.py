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
def empty_database(server: str, name: str, template: str = "template0") -> Iterator[str]:
    """Create a database, empty or as a copy of another, and drop it afterwards."""
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        admin.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        yield server.replace("/postgres?", f"/{name}?")
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def filled_database(server: str, name: str, template: str | None = None) -> Iterator[tuple[str, Connection]]:
    """Create a database, migrated and filled from bench/sql/NAME.sql, or a copy of another; drop it afterwards."""
    with empty_database(server, name, template or "template0") as url, connect(url) as connection:
        if template is None:
            migrate(url)
            run_statements(connection, (SQL / f"{name}.sql").read_text())
        yield url, connection


def run_statements(connection: Connection, text: str) -> None:
    """Run a file's statements one by one: VACUUM must stand alone."""
    for statement in text.split(";\n"):
        if statement.strip():
            connection.execute(statement.encode())
