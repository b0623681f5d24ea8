"""How long the CRM's own writes wait while the fleet is installed beside it.

`python -m bench.migration ROWS`: that many deals, orders and contacts, all orders delivered, one session of the CRM's
that never stops writing.
"""

import random
import re
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Self

import psycopg

from bench.servers import SQL, empty_database, run_statements
from workers.db.embedded import EmbeddedServers
from workers.db.migrate import migrate
from workers.db.session import connect

_ROWS = 1_000_000


class Writer:
    """A session of the CRM's in a thread of its own: it writes single rows until the block ends.

    waits: the longest of each write, in milliseconds. refused: what the database said to a write that waited for a lock
    for longer than a second.
    """

    def __init__(self, url: str, rows: int) -> None:
        self._url = url
        self._rows = rows
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.written = 0
        self.waits: dict[str, float] = {}
        self.refused: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        blocks = re.findall(r"^-- (.*)\n([^;]*);$", (SQL / "migration_writes.sql").read_text(), re.MULTILINE)
        chosen = random.Random(1)  # which rows are written
        with connect(self._url) as connection:
            connection.execute("SET lock_timeout = '1s'")
            while not self._stop.is_set():
                for name, statement in blocks:
                    started = time.perf_counter()
                    try:
                        connection.execute(statement.encode(), {"n": chosen.randint(2, self._rows)})
                    except psycopg.errors.LockNotAvailable as error:
                        self.refused.append(f"{name}: {error}")
                    waited = (time.perf_counter() - started) * 1000
                    self.waits[name] = max(waited, self.waits.get(name, 0.0))
                    self.written += 1


def measure(server: str, rows: int = _ROWS) -> dict[str, Any]:
    """Return what the longest write of each kind waited for, in milliseconds, and how long the migration took."""
    with empty_database(server, "migration") as url:
        with connect(url) as connection:
            run_statements(connection, (SQL / "crm.sql").read_text().replace("{rows}", str(rows)))
            connection.execute("UPDATE orders SET delivered_at = now() - interval '1 day'")
        with Writer(url, rows) as writer:
            done = migrate(url)
    return {
        "rows": rows,
        "seconds": round(done.seconds, 1),
        "writes": writer.written,
        "longest_wait_ms": {name: round(waited) for name, waited in writer.waits.items()},
        "refused": writer.refused,
        "holds": not writer.refused and max(writer.waits.values()) <= 1000,
    }


def main() -> None:
    """Measure, and print."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else _ROWS
    with (
        tempfile.TemporaryDirectory(prefix="fleet-bench-", ignore_cleanup_errors=True) as folder,
        EmbeddedServers(Path(folder), valkey=False) as servers,
    ):
        print(measure(servers.urls["DATABASE_URL"], rows))


if __name__ == "__main__":
    main()
