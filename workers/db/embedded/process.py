"""One server as a child process in a folder of its own, and the one that a killed fleet may have left there."""

import os
import pwd
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from workers.errors import FleetError

_START_SECONDS: Final = 60  # a database that was killed reads its journal first
_STOP_SECONDS: Final = 10

Account = pwd.struct_passwd


@dataclass(frozen=True, slots=True)
class Server:
    """A running server and how it is stopped: signals in their order, each given time to work."""

    name: str
    log: Path
    process: psutil.Popen
    stops: Sequence[signal.Signals]

    def stop(self) -> None:
        """Stop the server and wait until it is gone."""
        _stop(self.process, self.stops)


def launch(
    name: str,
    command: Sequence[str | Path],
    folder: Path,
    *,
    stops: Sequence[signal.Signals],
    answers: Callable[[], bool],
    **options: Any,
) -> Server:
    """Start a server in its folder and wait until it answers; its output goes into the folder's `log`.

    Args:
        name: what people call it.
        command: program and arguments.
        folder: its working directory.
        stops: the signals that stop it, the gentlest first.
        answers: whether it does what it is for.
        options: more for `subprocess.Popen`.

    Raises:
        FleetError: it ended, or did not answer in time.
    """
    log = folder / "log"
    with open(log, "ab", opener=private) as output:  # Path.open takes no opener
        # A session of its own: Ctrl-C goes to the fleet, which stops its workers before their servers.
        process = psutil.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True, umask=0o077, **options,
        )  # fmt: skip
    server = Server(name, log, process, stops)
    deadline = time.monotonic() + _START_SECONDS
    while not answers():
        if process.poll() is not None or time.monotonic() > deadline:
            server.stop()
            raise FleetError(f"the embedded {name} did not start: see {log}, or use a server of your own")
        time.sleep(0.05)
    return server


def private(path: str, flags: int) -> int:
    """Open a file, for `open(opener=...)`: if it is new, nobody else can read it."""
    return os.open(path, flags, 0o600)


def private_folder(path: Path, account: Account | None = None) -> None:
    """Make a folder that only its owner can enter, or close one that is there.

    Args:
        path: the folder.
        account: its owner if that is not who runs this process.

    Raises:
        FleetError: it belongs to somebody else, or is no folder.
    """
    owner = account.pw_uid if account else os.geteuid()
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
        if account:
            os.chown(path, account.pw_uid, account.pw_gid)
    found = path.stat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner:
        raise FleetError(f"{path} is no folder of user {owner}: move it away, or set another FLEET_HOME")
    path.chmod(0o700)


def stop_leftover(pid_file: Path, program: str, stops: Sequence[signal.Signals]) -> None:
    """Stop the server that a killed fleet left running, if the file's pid still means it, and forget the file.

    A pid is given to another process sooner or later. Ours is known by its program and by its working directory,
    which nobody else can enter.
    """
    try:
        process = psutil.Process(int(pid_file.read_text().split(maxsplit=1)[0]))
        ours = process.name() == program and Path(process.cwd()) == pid_file.parent.resolve()
    except (OSError, ValueError, OverflowError, IndexError, psutil.Error):
        ours = False
    if ours:
        _stop(process, stops)
    pid_file.unlink(missing_ok=True)


def _stop(process: psutil.Process, stops: Sequence[signal.Signals]) -> None:
    for number in (*stops, signal.SIGKILL):
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
        with suppress(psutil.TimeoutExpired):
            process.wait(_STOP_SECONDS)
            return
