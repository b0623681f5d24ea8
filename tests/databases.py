"""Databases of a test's own, beside the one that it was given; and who waits in one."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

# The sessions of this database, and of no other of the server, that wait for somebody's lock. (pg_stat_activity tells
# a transaction the same from its first look on.)
WAITING_FOR_A_LOCK = (
    "SELECT l.pid FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database"
    " WHERE d.datname = current_database() AND NOT l.granted"
)


@contextmanager
def copy_of(url: str) -> Iterator[str]:
    """The URL of a second database with the same rows, ids included; nobody may be connected to the first."""
    original = urlsplit(url).path.lstrip("/")
    names = sql.Identifier(f"{original}_copy"), sql.Identifier(original)
    with closing(psycopg.connect(url.replace(f"/{original}?", "/template1?"), autocommit=True)) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
        yield url.replace(f"/{original}?", f"/{original}_copy?")
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(names[0]))
