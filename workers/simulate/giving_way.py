"""A simulation gives way: whoever waits for a row that it holds waits for half a second, and then it ends."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import psycopg

from workers.db.session import Connection, connection_options
from workers.errors import FleetError
from workers.resources import shipped

_LOOK_SECONDS: Final = 0.25


class GaveWayError(FleetError):
    """Somebody waited for a row that the simulation held, so it ended; nothing was changed."""


@contextmanager
def giving_way(connection: Connection, url: str) -> Iterator[None]:
    """Watch from a second connection, and end the first one as soon as it is in anybody's way.

    Args:
        connection: inside the transaction that holds the locks, or a pooler may lend it another session for each.
        url: of the same server.

    Raises:
        GaveWayError: it was ended.
    """
    over, gave_way = threading.Event(), threading.Event()
    look = (shipped("schema") / "simulate" / "in_the_way.sql").read_bytes()
    row = connection.execute("SELECT pg_backend_pid() AS pid").fetchone()
    ours = row and row["pid"]
    with psycopg.connect(**connection_options(url)) as watching:

        def watch() -> None:
            with suppress(psycopg.Error):  # then the simulation's own connection is no better
                while not over.wait(_LOOK_SECONDS):
                    if watching.execute(look, {"ours": ours}).fetchone():
                        gave_way.set()
                        return

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        except psycopg.Error:
            over.set()
            watcher.join()  # it is told the end later than the connection that it ended
            if not gave_way.is_set():
                raise
            raise GaveWayError(
                "another session waited for rows that the simulation held, so it was ended and nothing was changed: "
                "simulate on a copy of the database"
            ) from None
        finally:
            over.set()
            watcher.join()
