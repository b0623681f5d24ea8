"""Both servers together: they start and stop as one, and a note tells the other processes where they are."""

import json
import os
import re
import secrets
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Final, Self

import psutil

from workers.db.embedded import postgres, valkey
from workers.db.embedded.process import Server, private
from workers.errors import FleetError
from workers.settings import SERVERS_FILE

_LONGEST_SOCKET: Final = 107  # bytes: what the kernel takes as the name of a socket (unix(7))
_LONGEST_NAME: Final = max(len("/postgres/.s.PGSQL.5432"), len(f"/valkey/{valkey.SOCKET}"))


class EmbeddedServers:
    """A PostgreSQL and a Valkey that live as long as the block, with their data under `home`.

    They listen on no port. Their sockets lie in folders that only this user can enter, and PostgreSQL asks the
    kernel who is calling besides. A server that an earlier, killed process left running under the same home is
    stopped and started again, so one block at a time may have a home.
    """

    def __init__(self, home: Path, *, postgres: bool = True, valkey: bool = True) -> None:
        self.urls: dict[str, str] = {}
        self._home = home.resolve()
        self._note = self._home / SERVERS_FILE
        self._wants_postgres, self._wants_valkey = postgres, valkey
        self._servers: list[Server] = []
        self._alias: Path | None = None

    def __enter__(self) -> Self:
        try:
            with _undisturbed():
                self._start()
        except (OSError, subprocess.SubprocessError, psutil.Error) as error:
            self.__exit__(None, None, None)
            raise FleetError(f"the embedded servers cannot start under {self._home}: {error}") from None
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # the servers must be stopped whatever became of the folder
            self._note.unlink(missing_ok=True)
        while self._servers:
            self._servers.pop().stop()
        if self._alias is not None:
            self._alias.unlink(missing_ok=True)

    def died(self) -> str | None:
        """Say which server has ended although nobody stopped it, and where its log is; None if all live."""
        for server in self._servers:
            if server.process.poll() is not None:
                return f"the embedded {server.name} died: see {server.log}"
        return None

    def _start(self) -> None:
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        reached = self._reached_as()
        if self._wants_postgres:
            server, self.urls["DATABASE_URL"] = postgres.start(self._home / "postgres", reached / "postgres")
            self._servers.append(server)
        if self._wants_valkey:
            server, self.urls["REDIS_URL"] = valkey.start(self._home / "valkey", reached / "valkey")
            self._servers.append(server)
        # Whoever reads it meanwhile finds all of it or none.
        fresh = self._note.with_suffix(".json.new")
        fresh.unlink(missing_ok=True)
        with open(fresh, "x", opener=private) as file:  # Path.open takes no opener
            json.dump(self.urls, file)
        fresh.replace(self._note)

    def _reached_as(self) -> Path:
        """Return how clients name the home: as it is, or through a link where a socket's address could not bear it."""
        if re.fullmatch(r"[\w./+-]+", str(self._home), re.ASCII) and _fits(self._home):
            return self._home
        alias = Path(tempfile.gettempdir()) / f"fleet-{secrets.token_hex(8)}"  # nobody can take the name before us
        if not _fits(alias):
            raise FleetError(f"{alias} is too long for a socket's address: set TMPDIR to a shorter folder")
        alias.symlink_to(self._home)
        self._alias = alias
        return alias


def _fits(home: Path) -> bool:
    return len(os.fsencode(home)) + _LONGEST_NAME <= _LONGEST_SOCKET


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Hold signals back that would end the process between the start of a server and the note of it."""
    held: list[int] = []

    def hold(number: int, _: FrameType | None) -> None:
        held.append(number)

    before = {number: signal.signal(number, hold) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if held:
        signal.raise_signal(held[0])
