"""Databases of a test's own, beside the one that it was given."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import psycopg
from psycopg import sql


@contextmanager
def copy_of(url: str) -> Iterator[str]:
    """The URL of a second database with the same rows, ids included; nobody may be connected to the first."""
    original = urlsplit(url).path.lstrip("/")
    names = sql.Identifier(f"{original}_copy"), sql.Identifier(original)
    with closing(psycopg.connect(url.replace(f"/{original}?", "/template1?"), autocommit=True)) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
        yield url.replace(f"/{original}?", f"/{original}_copy?")
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(names[0]))
